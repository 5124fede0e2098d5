import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { gateway, rawUpstream, say } from "./harness.ts"

/** A request that would be two for a server that reads it the other way. */
const hidden = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
const post = "POST / HTTP/1.1\r\nHost: x\r\n"

const attempts: ReadonlyArray<readonly [name: string, bytes: string]> = [
  [
    "both Content-Length and Transfer-Encoding",
    `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`
  ],
  [
    "Transfer-Encoding, then Content-Length",
    `${post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${hidden}`
  ],
  ["two Content-Lengths", `${post}Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`],
  ["two equal Content-Lengths", `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok${hidden}`],
  ["a list as Content-Length", `${post}Content-Length: 0, ${hidden.length}\r\n\r\n${hidden}`],
  ["a signed Content-Length", `${post}Content-Length: +5\r\n\r\nhello${hidden}`],
  ["a hexadecimal Content-Length", `${post}Content-Length: 0x10\r\n\r\n${hidden}`],
  ["a Content-Length beyond all numbers", `${post}Content-Length: 99999999999999999999999\r\n\r\n${hidden}`],
  ["a coding after chunked", `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`],
  ["a coding before chunked", `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${hidden}`],
  ["a coding that only looks like chunked", `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`],
  ["chunked twice", `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
  ["a space before the colon", `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`],
  ["a folded header", `${post}X-A: 1\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
  ["a bare line feed in the headers", `POST / HTTP/1.1\nHost: x\r\nContent-Length: 0\r\n\r\n${hidden}`],
  ["a carriage return alone", `${post}X-A: 1\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
  ["a NUL in a header", `${post}X-A: 1\u0000\r\nContent-Length: 0\r\n\r\n${hidden}`],
  ["a chunk size with a sign", `${post}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n${hidden}`],
  ["a chunk that ends with a bare line feed", `${post}Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n${hidden}`],
  ["two hosts", `GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`],
  ["no host", "GET / HTTP/1.1\r\n\r\n"],
  ["a host with a path", `GET / HTTP/1.1\r\nHost: x/y\r\n\r\n`],
  ["a host with a user", `GET / HTTP/1.1\r\nHost: a@b\r\n\r\n`],
  ["dot segments", `GET /api/../smuggled HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["encoded dot segments", `GET /api/%2e%2E/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["dot segments behind an encoded slash", `GET /api/..%2fsmuggled HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["a backslash", `GET /api\\..\\smuggled HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["an encoded NUL", `GET /smuggled%00.png HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["a target that is no path", `GET smuggled HTTP/1.1\r\nHost: x\r\n\r\n`],
  ["HTTP/0.9", "GET /smuggled\r\n\r\n"],
  [
    "an upgrade with a body behind it",
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: +1\r\n\r\n${hidden}`
  ]
]

const setup = (more: { readonly [field: string]: unknown } = {}) =>
  Effect.gen(function*() {
    const received: Array<string> = []
    const server = yield* rawUpstream((socket) =>
      socket.on("data", (chunk) => {
        received.push(chunk.toString("latin1"))
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      })
    )
    const { port } = yield* gateway([server.origin], more)
    return { port, received }
  })

describe("requests that two servers could read differently", () => {
  for (const [name, bytes] of attempts) {
    it.live(`never reach an upstream: ${name}`, () =>
      Effect.gen(function*() {
        const { port, received } = yield* setup()
        const answer = yield* say(port, bytes, "400 millis")
        assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(answer.slice(0, 200)))
        assert.include(answer, "application/problem+json")
        assert.match(answer, /x-request-id: [\w-]{36}/)
        assert.match(answer, /via: \d\.\d lifecycle-gateway/)
        assert.notInclude(received.join(""), "GET /smuggled")
      }))
  }

  it.live("a pipelined request is a request of its own, answered in its turn", () =>
    Effect.gen(function*() {
      const { port, received } = yield* setup()
      const answer = yield* say(port, `${post}Content-Length: 2\r\n\r\nok${hidden}`, "400 millis")
      assert.strictEqual(answer.match(/HTTP\/1\.1 200/g)?.length, 2)
      assert.include(received.join(""), "GET /smuggled")
    }))

  it.live("h2c is not switched to: the request is answered as if it had not been asked for", () =>
    Effect.gen(function*() {
      const { port, received } = yield* setup()
      const bytes = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
        `HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`
      const answer = yield* say(port, bytes, "400 millis")
      assert.match(answer, /^HTTP\/1\.1 (?:200|400) /)
      assert.notMatch(received.join(""), /upgrade|http2-settings/i)
    }))

  it.live("TRACE and CONNECT are refused, and a method that nobody knows is 501", () =>
    Effect.gen(function*() {
      const { port, received } = yield* setup()
      const trace = yield* say(port, "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      assert.match(trace, /^HTTP\/1\.1 405 /)
      assert.match(trace, /allow: GET, HEAD/i)
      assert.match(yield* say(port, "CONNECT internal:22 HTTP/1.1\r\nHost: internal:22\r\n\r\n"), /^HTTP\/1\.1 405 /)
      assert.match(yield* say(port, "BREW / HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1\.1 501 /)
      assert.deepStrictEqual(received, [])
    }))

  it.live("headers that are too large are 431", () =>
    Effect.gen(function*() {
      const { port } = yield* setup()
      assert.match(
        yield* say(port, `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`),
        /^HTTP\/1\.1 431 /
      )
    }))

  it.live("a target that is too long is 414", () =>
    Effect.gen(function*() {
      const { port, received } = yield* setup()
      assert.match(yield* say(port, `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 414 /)
      assert.deepStrictEqual(received, [])
    }))

  it.live("a version that is not spoken on the connection is 505, also one that Node's parser takes", () =>
    Effect.gen(function*() {
      const { port, received } = yield* setup()
      for (const version of ["HTTP/2.0", "HTTP/3.1"]) {
        const answer = yield* say(port, `POST / ${version}\r\nHost: x\r\nContent-Length: 0\r\n\r\n`, "1 second")
        assert.match(answer, /^HTTP\/1\.1 505 /, version)
        assert.include(answer, "application/problem+json")
      }
      // Node hands it over like the CONNECT of a real HTTP/2 connection, which has another way to be answered.
      const connect = yield* say(port, "CONNECT x:1 HTTP/2.0\r\nHost: x:1\r\n\r\n", "1 second")
      assert.match(connect, /^HTTP\/1\.1 505 /)
      assert.match(yield* say(port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "1 second"), /^HTTP\/1\.1 505 /)
      assert.deepStrictEqual(received, [])
    }))

  it.live("headers that never end are 408", () =>
    Effect.gen(function*() {
      const { port } = yield* setup({ timeouts: { headers: "200 millis" } })
      assert.match(yield* say(port, "GET / HTTP/1.1\r\nHost: x\r\nX-A: "), /^HTTP\/1\.1 408 /)
    }))

  it.live("OPTIONS * is answered by the gateway itself", () =>
    Effect.gen(function*() {
      const { port, received } = yield* setup()
      assert.match(yield* say(port, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), /^HTTP\/1\.1 204 /)
      assert.deepStrictEqual(received, [])
    }))

  it.live("a request that goes in circles ends with 508", () =>
    Effect.gen(function*() {
      // The gateway is its own upstream.
      const { port } = yield* setup()
      const loop = yield* gateway(["http://127.0.0.1:1"], { name: "loop" })
      const via = Array.from({ length: 8 }, () => "1.1 loop").join(", ")
      assert.match(
        yield* say(loop.port, `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nVia: ${via}\r\n\r\n`),
        /^HTTP\/1\.1 508 /
      )
      assert.match(
        yield* say(port, `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nVia: ${via}\r\n\r\n`, "500 millis"),
        /^HTTP\/1\.1 200 /
      )
    }))
})

describe("answers that are not HTTP", () => {
  const answers: ReadonlyArray<readonly [name: string, bytes: string]> = [
    ["noise", "\u0016\u0003\u0001nonsense\r\n\r\n"],
    ["both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"],
    ["a header that breaks the line", "HTTP/1.1 200 OK\r\nX-A: 1\rSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok"],
    ["headers without end", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(100_000)}\r\n\r\n`],
    [
      "an upgrade nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    ]
  ]
  for (const [name, bytes] of answers) {
    it.live(`become 502: ${name}`, () =>
      Effect.gen(function*() {
        const server = yield* rawUpstream((socket) => socket.once("data", () => socket.write(bytes, "latin1")))
        const { port } = yield* gateway([server.origin], { upstream: { retries: { attempts: 1 } } })
        const answer = yield* say(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert.match(answer, /^HTTP\/1\.1 502 /, answer.slice(0, 200))
        assert.include(answer, "\"stage\":\"Proxy\"")
      }))
  }
})
