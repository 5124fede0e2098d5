import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { Propagation } from "effect-lifecycle/request"
import {
  Compression,
  Cors,
  Negotiation,
  Problems,
  RequestIds,
  Scopes,
  ServerStack,
  TrustedHosts
} from "effect-lifecycle/server"
import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { connect } from "node:net"
import { ask, bearer, listener, problems, Routes, tokens } from "../server/harness.ts"
import { recording } from "../server/records.ts"

const logged: Array<Readonly<Record<string, unknown>>> = []
const reports: Array<Recorder.Report> = []
const extra = Layer.mergeAll(
  HttpRouter.add("GET", "/log", Effect.as(Effect.log("hello"), HttpServerResponse.text("ok"))),
  HttpRouter.add(
    "GET",
    "/forward",
    Effect.map(Propagation.inject(), (headers) => HttpServerResponse.jsonUnsafe({ sent: headers["x-request-id"] }))
  ),
  HttpRouter.add("GET", "/throws", () => {
    throw new Error("thrown, not failed")
  })
)
const serve = (trust: "private" | "none") =>
  ServerStack.serve(Layer.merge(Routes, extra), {
    service: "users",
    requestIds: RequestIds.stage({ trust }),
    problems: Problems.stage({ table: problems })
  }).pipe(
    Layer.provide([
      tokens,
      recording(reports),
      Logger.layer([Logger.make(({ fiber }) => logged.push(fiber.getRef(References.CurrentLogAnnotations)))])
    ]),
    Layer.provideMerge(listener)
  )

const edge = ServerStack.serve(Routes, {
  service: "users",
  compression: Compression.stage({ minimum: 0 }),
  trustedHosts: TrustedHosts.stage({ hosts: ["127.0.0.1"] }),
  cors: Cors.stage({ origins: ["https://app.example.com"] }),
  scopes: Scopes.stage({ routes: { "POST /users": ["users.write"] } }),
  negotiation: Negotiation.stage(),
  decompression: NodeDecompression.stage()
}).pipe(Layer.provide(tokens), Layer.provideMerge(listener))

const shape = /^[A-Za-z0-9._-]{1,128}$/

/** Headers that `fetch` would refuse to send. */
const raw = (lines: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    const port = Number(new URL(HttpServer.formatAddress(address)).port)
    return yield* Effect.callback<string>((resume) => {
      const socket = connect(port, "127.0.0.1")
      let text = ""
      socket.on("data", (chunk) => text += chunk)
      socket.on("close", () => resume(Effect.succeed(text)))
      socket.on("error", () => resume(Effect.succeed(text)))
      socket.end(lines.join("\r\n") + "\r\n\r\n")
    })
  })

describe("T33 a request id on every answer, every log line and every call", () => {
  layer(serve("private"), { excludeTestServices: true })((it) => {
    it.effect("takes over a well-formed id of a trusted hop, x-request-id before x-kong-request-id", () =>
      Effect.gen(function*() {
        const id = (headers: Record<string, string>) =>
          Effect.map(ask("/users/u-1", { headers: { ...bearer, ...headers } }), (_) => _.headers["x-request-id"])
        assert.strictEqual(yield* id({ "x-request-id": "order-42" }), "order-42")
        assert.strictEqual(yield* id({ "x-kong-request-id": "kong.7" }), "kong.7")
        assert.strictEqual(yield* id({ "x-request-id": "a", "x-kong-request-id": "b" }), "a")
        assert.strictEqual(yield* id({ "x-request-id": "a b", "x-kong-request-id": "b" }), "b")
        const longest = "x".repeat(128)
        assert.strictEqual(yield* id({ "x-request-id": longest }), longest)
      }))

    it.effect("replaces what is no id, and reports that it did without its bytes", () =>
      Effect.gen(function*() {
        reports.length = 0
        const bad = ["two words", "a,b", "x".repeat(129), "x".repeat(8_000), "a\tb", "<script>", "ü"]
        for (const value of bad) {
          const answer = yield* ask("/users/u-1", {
            headers: { ...bearer, "x-request-id": Buffer.from(value, "utf8").toString("latin1") }
          })
          assert.match(answer.headers["x-request-id"]!, shape)
          assert.notStrictEqual(answer.headers["x-request-id"], value)
        }
        const ignored = reports.filter((report) => report._tag === "HeaderIgnored")
        assert.strictEqual(ignored.length, bad.length)
        assert.isTrue(ignored.every((report) => !bad.some((value) => report.reason.includes(value))))
      }))

    it.effect("cannot be made to write a second header or line", () =>
      Effect.gen(function*() {
        const answer = yield* raw([
          "GET /users/u-1 HTTP/1.1",
          "host: x",
          "connection: close",
          "x-request-id: a",
          " forged: yes",
          "x-request-id: b"
        ])
        assert.notMatch(answer, /^forged:/im)
        assert.match(answer, /^x-request-id: [A-Za-z0-9._-]{1,128}\r$/im)
      }))

    it.effect("is on 200, 201, 204, 401, 404, 405, 413, 415, 422, 500, 503, 504 and on a stream", () =>
      Effect.gen(function*() {
        const post = (json: unknown) => ask("/users", { method: "POST", headers: bearer, json })
        const answers = [
          [200, yield* ask("/users/u-1", { headers: bearer })],
          [201, yield* post({ name: "A", email: "a@b.c" })],
          [204, yield* ask("/users", { method: "OPTIONS" })],
          [401, yield* ask("/users/u-1")],
          [404, yield* ask("/nowhere")],
          [404, yield* ask("/users/u-7", { headers: bearer })],
          [405, yield* ask("/users", { method: "DELETE" })],
          [413, yield* post({ name: "x".repeat(1_100_000) })],
          [415, yield* ask("/users", { method: "POST", headers: bearer, body: new URLSearchParams() + "a=b" })],
          [422, yield* post({})],
          [500, yield* ask("/raw/defect", { headers: bearer })],
          [500, yield* ask("/throws", { headers: bearer })],
          [503, yield* ask("/raw/away", { headers: bearer })],
          [504, yield* ask("/raw/slow", { headers: { ...bearer, "x-request-timeout": "0.02" } })],
          [200, yield* ask("/raw/stream", { headers: bearer })],
          [200, yield* ask("/health/ready")]
        ] as const
        const ids = new Set<string>()
        for (const [status, answer] of answers) {
          assert.strictEqual(answer.status, status)
          assert.match(answer.headers["x-request-id"]!, shape)
          ids.add(answer.headers["x-request-id"]!)
          if (status >= 400) assert.strictEqual(answer.body["requestId"], answer.headers["x-request-id"])
        }
        assert.strictEqual(ids.size, answers.length)
      }))

    it.effect("is on what Node itself refuses: 400 and 431", () =>
      Effect.gen(function*() {
        const nonsense = yield* raw(["NONSENSE"])
        assert.match(nonsense, /^HTTP\/1\.1 400 /)
        const large = yield* raw(["GET / HTTP/1.1", "host: x", `x-large: ${"x".repeat(20_000)}`])
        assert.match(large, /^HTTP\/1\.1 431 /)
        for (const answer of [nonsense, large]) {
          const id = /^x-request-id: (\S+)\r$/im.exec(answer)?.[1]
          assert.match(id!, shape)
          assert.include(answer, "application/problem+json")
          assert.strictEqual(JSON.parse(answer.split("\r\n\r\n")[1]!).requestId, id)
        }
      }))

    it.effect("is on every log line, with service and user, and on calls to other services", () =>
      Effect.gen(function*() {
        logged.length = 0
        yield* ask("/log", { headers: { ...bearer, "x-request-id": "log-1" } })
        assert.deepInclude(logged[0], { requestId: "log-1", service: "users", userId: "alice" })
        const forwarded = yield* ask("/forward", { headers: { ...bearer, "x-request-id": "fwd-1" } })
        assert.strictEqual(forwarded.body["sent"], "fwd-1")
      }))
  })

  layer(edge, { excludeTestServices: true })((it) => {
    it.effect("is on what the stages at the edge answer, packed or not, with a problem's own id the same", () =>
      Effect.gen(function*() {
        const origin = "https://app.example.com"
        const answers = [
          [
            204,
            yield* ask("/users", { method: "OPTIONS", headers: { origin, "access-control-request-method": "GET" } })
          ],
          [
            304,
            yield* ask("/users/u-1", {
              headers: { ...bearer, "accept-encoding": "identity", "if-none-match": "\"3\"" }
            })
          ],
          [200, yield* ask("/users/u-1", { headers: { ...bearer, "accept-encoding": "gzip" } })],
          [403, yield* ask("/users", { method: "POST", headers: bearer, json: { name: "A", email: "a@b.c" } })],
          [406, yield* ask("/users/u-1", { headers: { ...bearer, accept: "image/png" } })],
          [
            415,
            yield* ask("/raw/users", { method: "POST", headers: { ...bearer, "content-encoding": "exi" }, json: {} })
          ]
        ] as const
        const ids = new Set<string>()
        for (const [status, answer] of answers) {
          assert.strictEqual(answer.status, status)
          assert.match(answer.headers["x-request-id"]!, shape)
          ids.add(answer.headers["x-request-id"]!)
          if (status >= 400) assert.strictEqual(answer.body["requestId"], answer.headers["x-request-id"])
        }
        assert.strictEqual(ids.size, answers.length)
        const host = yield* raw(["GET /users/u-1 HTTP/1.1", "host: elsewhere", "connection: close"])
        const id = /^x-request-id: (\S+)\r$/im.exec(host)?.[1]
        assert.match(host, /^HTTP\/1\.1 400 /)
        assert.match(id!, shape)
        assert.include(host, `"requestId":"${id}"`)
      }))
  })

  layer(serve("none"), { excludeTestServices: true })((it) => {
    it.effect("believes nobody when told so", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/users/u-1", { headers: { ...bearer, "x-request-id": "order-42" } })
        assert.notStrictEqual(answer.headers["x-request-id"], "order-42")
        assert.match(answer.headers["x-request-id"]!, shape)
      }))
  })
})
