/** Requests that nobody should send, the same ones for the same seed. */

/** Numbers from 0 to 1 that depend on nothing but the seed (mulberry32). */
export const numbers = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface Hostile {
  readonly kind: string
  readonly bytes: Buffer
  /** What the client does then: waits for the answer, ends its side as if it had not, or tears the connection down. */
  readonly ending: "wait" | "half-close" | "reset"
  /** In how many pieces the bytes are sent. */
  readonly pieces: number
  /** A 504 would be what the request asked for. */
  readonly mayTimeOut: boolean
  /** This has to be the status: the request was a good one. */
  readonly status: number | undefined
}

/** What no log may hold, and what no answer may have as a header. */
export const token = "canary-token-77aa"
export const injected = "x-injected"

const evil = [
  "",
  " ",
  "\t",
  "\u0000",
  "\r",
  "\n",
  `a\r\n${injected}: 1`,
  `a%0d%0a${injected}:%201`,
  `a\n${injected}: 1`,
  `a\r${injected}: 1`,
  `a\u0085${injected}: 1`,
  `{"request_id":"forged"}`,
  `","status":200,"x":"`,
  "\u001b[31mred",
  "../../etc/passwd",
  "${jndi:ldap://x}",
  "' or 1=1 --",
  "<script>alert(1)</script>",
  "\u00ff\u00fe",
  "a".repeat(129),
  "a".repeat(9000),
  "9".repeat(400),
  "-1",
  "0",
  "1e309",
  "NaN",
  "Infinity",
  "0x10",
  "1,2",
  "0.0001",
  "\"",
  "\"unterminated",
  "W/\"3\"",
  "*",
  ";;;;",
  ",,,,",
  "=?utf-8?q?=0d=0a?=",
  "%",
  "%zz",
  "%00"
]

const names = [
  "x-request-id",
  "x-kong-request-id",
  "x-request-timeout",
  "x-request-priority",
  "priority",
  "grpc-timeout",
  "traceparent",
  "tracestate",
  "baggage",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "range",
  "accept",
  "accept-encoding",
  "accept-language",
  "accept-charset",
  "content-type",
  "content-encoding",
  "content-length",
  "transfer-encoding",
  "te",
  "trailer",
  "expect",
  "connection",
  "keep-alive",
  "proxy-connection",
  "upgrade",
  "host",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "via",
  "cookie",
  "authorization",
  "origin",
  "access-control-request-method",
  "access-control-request-headers",
  "referer",
  "user-agent",
  "max-forwards",
  "x-attempt",
  "__proto__",
  "constructor",
  "toString"
]

const methods = [
  "GET",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "PURGE",
  "QUERY",
  "PRI"
]
const oddMethods = ["get", "G ET", "FROB", "GET\u0000", "A".repeat(5000), "", "POST,GET", "\u00e9", "HTTP/1.1"]
const targets = [
  "/users",
  "/users/u-1",
  "/users/%2e%2e/admin",
  "/users/../../etc/passwd",
  "/users/..%2f..%2fetc",
  "/users/%00",
  "/users/%c0%ae%c0%ae",
  "/users/%ff%fe",
  "/users/%",
  "/users//u-1//",
  "//evil.example/users",
  "/users\\u-1",
  "/users?limit=NaN",
  "/users?limit[]=1&limit[]=2",
  "/users?__proto__[x]=1",
  `/users?q=${"a".repeat(4000)}`,
  `/${"a/".repeat(2000)}`,
  "/users#fragment",
  "/users u-1",
  "*",
  "",
  "users",
  "http://evil.example/users",
  "http://[::1/users",
  "https://localhost:99999/users",
  "evil.example:443",
  "/users;jsessionid=1",
  "/__proto__",
  "/constructor/prototype",
  "/health/live",
  "/health/ready",
  "/metrics",
  "/openapi.json",
  `/users/${encodeURIComponent(`\r\n${injected}: 1`)}`
]
const versions = [
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/0.9",
  "HTTP/2.0",
  "HTTP/9.9",
  "http/1.1",
  "HTTP/1.1 ",
  ""
]

const acceptable = "{\"name\":\"a\",\"email\":\"a@example.com\"}"
const bodies = [
  "",
  "{",
  "null",
  "[]",
  "\"text\"",
  "{\"name\":\"\",\"email\":1}",
  acceptable,
  "{\"__proto__\":{\"admin\":true},\"name\":\"a\",\"email\":\"a@example.com\"}",
  "{\"constructor\":{\"prototype\":{\"x\":1}}}",
  "{\"name\":\"a\",\"name\":\"b\"}",
  "{\"name\":1e999}",
  "{\"name\":\"\\ud800\"}",
  "{\"name\":\"\\u0000\"}",
  "\ufeff{}",
  "\u0000\u0001\u0002",
  "name=a&email=b",
  "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--",
  "[".repeat(20_000),
  "{\"a\":".repeat(5_000),
  `{"name":"${"a".repeat(30_000)}"}`,
  "9".repeat(10_000)
]

const chunkings = [
  "0\r\n\r\n",
  "2\r\nok\r\n0\r\n\r\n",
  "ffffffff\r\nok",
  "fffffffffffffffff\r\nok\r\n0\r\n\r\n",
  "-1\r\nok\r\n0\r\n\r\n",
  "2;ext=\"\r\n\"\r\nok\r\n0\r\n\r\n",
  `2;${"a".repeat(20_000)}\r\nok\r\n0\r\n\r\n`,
  "2\nok\n0\n\n",
  "2\r\nokay\r\n0\r\n\r\n",
  `0\r\n${injected}: 1\r\n\r\n`,
  `0\r\n${"t: 1\r\n".repeat(3000)}\r\n`,
  "0x2\r\nok\r\n0\r\n\r\n",
  "2\r\nok\r\n",
  "\r\n"
]

const openings = [
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
  Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"),
  Buffer.from("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /users HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  Buffer.from("\r\n\r\n\r\n\r\nGET /users HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  Buffer.from("*1\r\n$4\r\nPING\r\n"),
  Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
]

const splits = [
  ["Content-Length: 4", "Transfer-Encoding: chunked"],
  ["Transfer-Encoding: chunked", "Content-Length: 4"],
  ["Content-Length: 0", "Content-Length: 60"],
  ["Content-Length: 0, 60"],
  ["Content-Length: +60"],
  ["Content-Length: 0x3c"],
  ["Transfer-Encoding: chunked, identity"],
  ["Transfer-Encoding: identity, chunked"],
  ["Transfer-Encoding: xchunked"],
  ["Transfer-Encoding : chunked"],
  ["Transfer-Encoding: chunked", "Transfer-Encoding: cow"],
  ["X: 1\r\n Transfer-Encoding: chunked"],
  ["X: 1\rTransfer-Encoding: chunked"],
  ["Transfer-Encoding:\u000bchunked"]
]

/** Kinds that often end in the middle. */
const halves: ReadonlySet<string> = new Set([
  "cut off",
  "mutated",
  "wrong length",
  "odd chunks",
  "another protocol",
  "noise"
])

/** The path of a request that is hidden in the body of another. No application may ever see it. */
export const smuggled = "/smuggled"

const lines = (method: string, target: string, version: string, headers: ReadonlyArray<string>): string =>
  `${method} ${target} ${version}\r\n${headers.join("\r\n")}\r\n\r\n`

const basic = ["Host: localhost", `Authorization: Bearer ${token}`]
/** One that is answered with 200. */
export const goodRequest = lines("GET", "/users/u-1", "HTTP/1.1", basic)
const post = (body: string, more: ReadonlyArray<string> = []): string =>
  lines("POST", "/users", "HTTP/1.1", [
    ...basic,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...more
  ]) + body

export const hostile = (seed: number): () => Hostile => {
  const next = numbers(seed)
  const below = (limit: number) => Math.floor(next() * limit)
  const pick = <A>(list: ReadonlyArray<A>): A => list[below(list.length)] as A
  const chance = (part: number) => next() < part

  const header = (): string => `${pick(names)}: ${pick(evil)}`
  const good = (): string => chance(0.5) ? goodRequest : post(acceptable)

  const mutate = (text: string): Buffer => {
    const bytes = [...Buffer.from(text, "latin1")]
    for (let times = 1 + below(8); times > 0; times--) {
      const at = below(bytes.length)
      const how = below(5)
      if (how === 0) bytes[at] = below(256)
      else if (how === 1) bytes.splice(at, 1 + below(6))
      else if (how === 2) bytes.splice(at, 0, below(256))
      else if (how === 3) bytes.splice(at, 0, ...bytes.slice(at, at + below(20)))
      else bytes.length = Math.max(1, at)
    }
    return Buffer.from(bytes)
  }

  const kinds: ReadonlyArray<readonly [kind: string, make: () => string | Buffer]> = [
    ["noise", () => Buffer.from(Array.from({ length: 1 + below(600) }, () => below(256)))],
    ["another protocol", () => pick(openings)],
    ["mutated", () => mutate(good())],
    ["mutated", () => mutate(good())],
    ["cut off", () => good().slice(0, 1 + below(80))],
    ["odd method", () => lines(chance(0.5) ? pick(methods) : pick(oddMethods), pick(targets), "HTTP/1.1", basic)],
    ["odd target", () => lines(pick(methods), pick(targets), pick(versions), basic)],
    ["odd header", () => lines("GET", "/users/u-1", "HTTP/1.1", [...basic, header()])],
    ["odd header", () => post(pick(bodies), [header()])],
    [
      "odd headers",
      () => lines(pick(methods), pick(targets), "HTTP/1.1", [...basic, header(), header(), header(), header()])
    ],
    ["forged id", () => lines("GET", "/users/u-1", "HTTP/1.1", [...basic, `X-Request-Id: ${pick(evil)}`])],
    ["no host", () => lines("GET", "/users", "HTTP/1.1", chance(0.5) ? [] : ["Host: a", "Host: b"])],
    [
      "many headers",
      () =>
        lines("GET", "/users", "HTTP/1.1", [...basic, ...Array.from({ length: below(3000) }, (_, n) => `x-${n}: 1`)])
    ],
    ["large headers", () => lines("GET", "/users", "HTTP/1.1", [...basic, `X-A: ${"a".repeat(below(60_000))}`])],
    ["long target", () => lines("GET", `/users/${"a".repeat(below(60_000))}`, "HTTP/1.1", basic)],
    ["odd body", () => post(pick(bodies))],
    [
      "odd body",
      () => post(pick(bodies), [`Content-Encoding: ${pick(["gzip", "br", "deflate", "identity", "gzip, gzip", "x"])}`])
    ],
    [
      "wrong length",
      () =>
        lines("POST", "/users", "HTTP/1.1", [
          ...basic,
          "Content-Type: application/json",
          `Content-Length: ${below(100_000)}`
        ]) + pick(bodies)
    ],
    [
      "odd chunks",
      () =>
        lines("POST", "/users", "HTTP/1.1", [
          ...basic,
          "Content-Type: application/json",
          "Transfer-Encoding: chunked"
        ]) + pick(chunkings)
    ],
    [
      "smuggling",
      () =>
        lines("POST", "/users", "HTTP/1.1", [...basic, ...pick(splits)]) +
        `0\r\n\r\nGET ${smuggled} HTTP/1.1\r\nHost: localhost\r\n\r\n`
    ],
    ["pipeline", () => Array.from({ length: 2 + below(30) }, good).join("")],
    ["expectation", () => post(acceptable, [`Expect: ${pick(["100-continue", "100-Continue, x", "200-ok", ""])}`])],
    [
      "upgrade",
      () =>
        lines("GET", "/users", "HTTP/1.1", [
          ...basic,
          "Connection: Upgrade",
          `Upgrade: ${pick(["websocket", "h2c", "TLS/1.0", "x".repeat(2000)])}`
        ])
    ]
  ]

  return () => {
    if (chance(0.08)) {
      const [bytes, status] = chance(0.5) ? [goodRequest, 200] as const : [post(acceptable), 201] as const
      return { kind: "good", bytes: Buffer.from(bytes), ending: "wait", pieces: 1, mayTimeOut: false, status }
    }
    const [kind, make] = pick(kinds)
    const made = make()
    const bytes = typeof made === "string" ? Buffer.from(made, "latin1") : made
    const ending = next()
    // Most that would never be whole are ended by the client; the others wait for the limits of time.
    const halfClosed = halves.has(kind) ? 0.85 : 0.15
    return {
      kind,
      bytes,
      ending: ending < 0.05 ? "reset" : ending < 0.05 + halfClosed ? "half-close" : "wait",
      pieces: chance(0.1) ? 2 + below(6) : 1,
      mayTimeOut: /timeout/i.test(bytes.toString("latin1")),
      status: undefined
    }
  }
}
