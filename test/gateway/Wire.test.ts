import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Recorder, Recorder as Recorders } from "effect-lifecycle/lifecycle"
import * as http from "node:http"
import * as http2 from "node:http2"
import { certificate, gateway, hasOpenssl, listen, over2, say, saySecurely, session, until } from "./harness.ts"

/** An upstream that takes anything, and what it was sent. */
const recording = Effect.gen(function*() {
  const seen: Array<http.IncomingMessage> = []
  const { origin } = yield* listen(() =>
    http.createServer({ maxHeaderSize: 200_000, requireHostHeader: false }, (request, response) => {
      seen.push(request)
      request.resume()
      response.end(`${request.method} from upstream`)
    })
  )
  return { origin, seen }
})

const plain = (more: object = {}) =>
  Effect.gen(function*() {
    const { origin, seen } = yield* recording
    return { ...yield* gateway([origin], { ...more }), seen }
  })

const secured = (more: object = {}) =>
  Effect.gen(function*() {
    const pem = yield* certificate
    const { origin, seen } = yield* recording
    const door = yield* gateway([origin], { tls: { certificate: pem.certificate, key: pem.key }, ...more })
    return { ...door, seen, pem }
  })

const bytes = (method: string, target: string, ...headers: ReadonlyArray<string>) =>
  [`${method} ${target} HTTP/1.1`, "Host: localhost", "Connection: close", ...headers].join("\r\n") + "\r\n\r\n"

describe.skipIf(!hasOpenssl)("over HTTP/2", () => {
  it.live("headers that are too large together are 431, and do not reach an upstream", () =>
    Effect.gen(function*() {
      const { pem, port, seen } = yield* secured({ limits: { headerBytes: 2048 } })
      const client = yield* session(port, pem.certificate)
      const many = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`h${n}`, "v"]))
      for (const headers of [{ "x-a": "a".repeat(3000) }, { "x-a": "a".repeat(60_000) }, many]) {
        const answer = yield* over2(client, { ":path": "/", ...headers })
        assert.strictEqual(String(answer.headers[":status"]), "431", JSON.stringify(headers).slice(0, 40))
        assert.strictEqual(answer.headers["content-type"], "application/problem+json")
        assert.include(answer.text, "\"stage\":\"Proxy\"")
      }
      assert.strictEqual(seen.length, 0)
      // What is far too much is not taken in at all, and the connection goes on.
      const huge = yield* over2(client, {
        ":path": "/",
        ...Object.fromEntries(Array.from({ length: 1900 }, (_, n) => [`h${n}`, "v"]))
      })
      assert.strictEqual(huge.code, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM)
      const small = yield* over2(client, { ":path": "/", "x-a": "a".repeat(1000) })
      assert.strictEqual(small.text, "GET from upstream")
      assert.strictEqual(seen.length, 1)
    }))

  it.live("counts a field as its name, its value and 32, as RFC 9113 does", () =>
    Effect.gen(function*() {
      const { pem, port } = yield* secured({ limits: { headerBytes: 2048 } })
      const client = yield* session(port, pem.certificate)
      const fields: Record<string, string> = {
        ":method": "GET",
        ":scheme": "https",
        ":authority": `127.0.0.1:${port}`,
        ":path": "/"
      }
      const size = Object.entries({ ...fields, "x-a": "" })
        .reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
      const statusWith = (length: number) =>
        Effect.map(over2(client, { ...fields, "x-a": "a".repeat(length) }), ({ headers }) => String(headers[":status"]))
      assert.strictEqual(yield* statusWith(2048 - size), "200")
      assert.strictEqual(yield* statusWith(2049 - size), "431")
    }))

  it.live("a target that is too long is 414, and stands in no report", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      const { pem, port, seen } = yield* secured()
      const client = yield* session(port, pem.certificate)
      const answer = yield* over2(client, { ":path": `/${"a".repeat(20_000)}` })
      assert.strictEqual(String(answer.headers[":status"]), "414")
      assert.include(answer.text, "The target of the request is too long")
      assert.strictEqual(seen.length, 0)
      yield* until(() => reports.some(({ _tag }) => _tag === "ServerRequestEnded"))
      const ended = reports.find((report) => report._tag === "ServerRequestEnded")
      assert.deepInclude(ended, { status: 414, path: "" })
    }).pipe(Recorders.recordTo((report) => void reports.push(report)))
  })

  it.live("a method that nobody knows, or one in small letters, is 501", () =>
    Effect.gen(function*() {
      const { pem, port, seen } = yield* secured()
      const client = yield* session(port, pem.certificate)
      for (const method of ["FOO", "get", "Post"]) {
        const answer = yield* over2(client, { ":method": method, ":path": "/" })
        assert.strictEqual(String(answer.headers[":status"]), "501", method)
        assert.strictEqual(answer.headers["content-type"], "application/problem+json")
      }
      assert.strictEqual(seen.length, 0)
      assert.strictEqual((yield* over2(client, { ":method": "PURGE", ":path": "/" })).text, "PURGE from upstream")
    }))
})

describe("a method that nobody knows", () => {
  it.live("is 501, whatever characters of a token it is made of", () =>
    Effect.gen(function*() {
      const { port, seen } = yield* plain()
      for (const method of ["FOO", "get", "Brew", "X-Y.z!1"]) {
        const answer = yield* say(port, bytes(method, "/"))
        assert.match(answer, /^HTTP\/1\.1 501 /, method)
        assert.include(answer, "application/problem+json")
      }
      assert.match(yield* say(port, bytes("G(T", "/")), /^HTTP\/1\.1 400 /)
      assert.strictEqual(seen.length, 0)
    }))
})

describe.skipIf(!hasOpenssl)("an upgrade to something else than websocket, over TLS", () => {
  it.live("is answered as if it had not been asked for", () =>
    Effect.gen(function*() {
      const { port, seen } = yield* secured()
      for (const [name, more] of [["h2c", ["HTTP2-Settings: AAMAAABkAAQAAP__"]], ["TLS/1.0", []]] as const) {
        const asked = ["GET / HTTP/1.1", "Host: localhost", "Connection: Upgrade", `Upgrade: ${name}`, ...more]
        const answer = yield* saySecurely(port, `${asked.join("\r\n")}\r\n\r\n`, "700 millis")
        assert.match(answer, /^HTTP\/1\.1 200 /, name)
        assert.include(answer, "GET from upstream")
      }
      assert.deepStrictEqual(seen.map(({ headers }) => headers.upgrade), [undefined, undefined])
    }))
})

describe("Max-Forwards", () => {
  it.live("of 0 is answered by the gateway for OPTIONS, as the last on the way", () =>
    Effect.gen(function*() {
      const { port, seen } = yield* plain()
      const answer = yield* say(port, bytes("OPTIONS", "/x", "Max-Forwards: 0"))
      assert.match(answer, /^HTTP\/1\.1 204 /)
      assert.match(answer, /allow: GET, HEAD/i)
      assert.match(answer, /via: 1\.1 lifecycle-gateway/i)
      assert.match(answer, /x-request-id: [\w-]{36}/i)
      assert.match(yield* say(port, bytes("TRACE", "/x", "Max-Forwards: 0")), /^HTTP\/1\.1 405 /)
      assert.strictEqual(seen.length, 0)
    }))

  it.live("goes on with one less for OPTIONS, and as it came for methods that do not know it", () =>
    Effect.gen(function*() {
      const { port, seen } = yield* plain()
      const most = "9".repeat(40)
      yield* say(port, bytes("OPTIONS", "/", "Max-Forwards: 1"))
      yield* say(port, bytes("OPTIONS", "/", `Max-Forwards: ${most}`))
      yield* say(port, bytes("OPTIONS", "/"))
      yield* say(port, bytes("GET", "/", "Max-Forwards: 0"))
      const [one, many, none, get] = seen.map(({ headers }) => headers["max-forwards"])
      assert.deepStrictEqual([one, none, get], ["0", undefined, "0"])
      assert.match(String(many), /^\d{16}$/)
    }))

  it.live("that is no number, or comes twice, is 400", () =>
    Effect.gen(function*() {
      const { port, seen } = yield* plain()
      for (const headers of [["Max-Forwards: -1"], ["Max-Forwards: x"], ["Max-Forwards: 1", "Max-Forwards: 0"]]) {
        assert.match(yield* say(port, bytes("OPTIONS", "/", ...headers)), /^HTTP\/1\.1 400 /)
      }
      assert.strictEqual(seen.length, 0)
    }))
})

describe("refusals of the parser", () => {
  it.live("say when they were made", () =>
    Effect.gen(function*() {
      const { port } = yield* plain({ timeouts: { headers: "200 millis" } })
      const refused: ReadonlyArray<readonly [number, string]> = [
        [400, "nonsense\r\n\r\n"],
        [414, bytes("GET", `/${"a".repeat(20_000)}`)],
        [431, bytes("GET", "/", `X-A: ${"a".repeat(20_000)}`)],
        [501, bytes("BREW", "/")],
        [408, "GET / HTTP/1.1\r\nHost: x\r\nX-A: "]
      ]
      for (const [status, sent] of refused) {
        const answer = yield* say(port, sent)
        assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
        const date = /^date: (\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)\r$/im.exec(answer)?.[1]
        assert.isBelow(Math.abs(Date.parse(date ?? "") - Date.now()), 60_000, answer.slice(0, 400))
      }
    }))
})

describe("HTTP/1.0 without a Host", () => {
  it.live("is led by the routes of every host, and never by one of a host", () =>
    Effect.gen(function*() {
      const { port, seen } = yield* plain()
      const answer = yield* say(port, "GET /x HTTP/1.0\r\n\r\n")
      assert.match(answer, /^HTTP\/1\.1 200 /)
      assert.isTrue(answer.endsWith("GET from upstream"), answer)
      const { headers } = seen[0]!
      // It goes on as HTTP/1.1, which has to name a host: that of the target.
      assert.match(String(headers.host), /^127\.0\.0\.1:\d+$/)
      assert.isUndefined(headers["x-forwarded-host"])
      for (const host of ["localhost", "*.localhost"]) {
        const ofHost = yield* plain({ route: { host } })
        assert.match(yield* say(ofHost.port, "GET /x HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 404 /)
        assert.strictEqual(ofHost.seen.length, 0)
      }
      assert.match(yield* say(port, "GET /x HTTP/1.0\r\nHost: a b\r\n\r\n"), /^HTTP\/1\.1 400 /)
      assert.match(yield* say(port, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"), /^HTTP\/1\.1 400 /)
      assert.strictEqual(seen.length, 1)
    }))
})
