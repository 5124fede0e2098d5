import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { Compression, Cors, Negotiation, Problems, Scopes, ServerStack, TrustedHosts } from "effect-lifecycle/server"
import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, problems, Routes, tokens } from "../server/harness.ts"
import { raw } from "../server/raw.ts"
import { recording } from "../server/records.ts"

const secret = "canary-77c0ffee"
const reports: Array<Recorder.Report> = []
const lines: Array<string> = []

const hanging = Deferred.makeUnsafe<void>()

const extra = Layer.mergeAll(
  HttpRouter.add(
    "POST",
    "/log/:id",
    Effect.as(Effect.log("handled"), HttpServerResponse.text("ok"))
  ),
  HttpRouter.add("GET", "/hang", Effect.andThen(Deferred.succeed(hanging, undefined), Effect.never))
)
const live = ServerStack.serve(Layer.merge(Routes, extra), {
  service: "users",
  problems: Problems.stage({ table: problems })
}).pipe(
  Layer.provide([
    tokens,
    recording(reports),
    Logger.layer([Logger.make((options) => lines.push(Logger.formatJson.log(options)))])
  ]),
  Layer.provideMerge(listener)
)

const edge = ServerStack.serve(Routes, {
  service: "users",
  compression: Compression.stage({ minimum: 0 }),
  trustedHosts: TrustedHosts.stage({ hosts: ["known"] }),
  cors: Cors.stage({ origins: ["https://app.example.com"] }),
  scopes: Scopes.stage({ routes: { "POST /raw/users": ["users.write"] } }),
  negotiation: Negotiation.stage({ otherwise: { languages: ["en", "de"] } }),
  decompression: NodeDecompression.stage(),
  problems: Problems.stage({ table: problems })
}).pipe(Layer.provide([tokens, recording(reports)]), Layer.provideMerge(listener))

const everything = () =>
  JSON.stringify(
    // A defect's cause is for the operator; that is the one report that may hold what was thrown.
    reports.map((report) => report._tag === "DefectCaught" ? { ...report, cause: undefined } : report),
    (_, value) => typeof value === "bigint" ? String(value) : value
  ) + lines.join("\n")

const ended = (path: string): Effect.Effect<Recorder.ServerRequestEnded> =>
  Effect.suspend(() => {
    const found = reports.find((report) => report._tag === "ServerRequestEnded" && report.path === path)
    return found?._tag === "ServerRequestEnded" ? Effect.succeed(found) : Effect.fail("not yet")
  }).pipe(Effect.eventually)

describe("T34 only safe fields reach a report or a log line", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("keeps a secret in header, token, query, body and cookie out of everything", () =>
      Effect.gen(function*() {
        const hostile = {
          cookie: `session=${secret}`,
          "x-anything": secret,
          "user-agent": secret,
          referer: `https://${secret}/`,
          "x-request-id": `${secret} with a space`,
          "x-request-timeout": secret,
          "x-request-priority": secret,
          "if-match": secret,
          "idempotency-key": secret,
          traceparent: secret
        }
        yield* ask(`/users/u-1?token=${secret}`, { headers: { ...bearer, ...hostile } })
        yield* ask(`/users/u-1?token=${secret}`, { headers: { ...hostile, authorization: `Bearer ${secret}` } })
        yield* ask(`/nowhere?${secret}=${secret}`, { headers: hostile })
        yield* ask("/users", { method: "POST", headers: bearer, json: { name: secret, email: secret } })
        yield* ask("/log/1", { method: "POST", headers: bearer, json: { secret } })
        yield* ask(`/users?limit=${secret}`, { headers: bearer })
        yield* ended("/nowhere")
        assert.isAbove(reports.length, 10)
        assert.include(everything(), "handled")
        assert.notInclude(everything(), secret)
      }))

    it.effect("names the template, never the path, as the route, and the user by id", () =>
      Effect.gen(function*() {
        yield* ask("/users/u-1?x=1", { headers: { ...bearer, "x-request-id": "named" } })
        const report = reports.find((report) => report._tag === "ServerRequestEnded" && report.requestId === "named")
        assert.deepInclude(report, {
          service: "users",
          method: "GET",
          route: "/users/:id",
          path: "/users/u-1",
          status: 200,
          outcome: "ok",
          userId: "alice",
          stage: undefined
        })
      }))

    it.effect("reports who answered, and no route where none matched", () =>
      Effect.gen(function*() {
        yield* ask("/nothing-here")
        assert.deepInclude(yield* ended("/nothing-here"), { status: 404, route: undefined, stage: "Router" })
        yield* ask("/raw/whoami")
        assert.deepInclude(yield* ended("/raw/whoami"), { status: 401, stage: "Security", userId: undefined })
      }))

    it.effect("ends a request whose client left as aborted, with 499", () =>
      Effect.gen(function*() {
        const leaving = yield* Effect.forkChild(ask("/hang", { headers: bearer }))
        yield* Deferred.await(hanging)
        yield* Fiber.interrupt(leaving)
        assert.deepInclude(yield* ended("/hang"), { status: 499, outcome: "aborted" })
      }))

    it.effect("ends a stream when its body has been sent", () =>
      Effect.gen(function*() {
        const answer = yield* ask("/raw/stream", { headers: bearer })
        assert.strictEqual(answer.text, "abc")
        assert.deepInclude(yield* ended("/raw/stream"), { status: 200, outcome: "ok" })
      }))
  })

  layer(edge, { excludeTestServices: true })((it) => {
    it.effect("keeps what the stages at the edge refuse or read out of everything, answers included", () =>
      Effect.gen(function*() {
        reports.length = 0
        const answers = yield* Effect.all([
          raw(["GET /docs HTTP/1.1", `host: ${secret}/@x`]),
          raw(["GET /docs HTTP/1.1", "host: known", `host: ${secret}`]),
          raw(["GET /docs HTTP/1.1", `host: ${secret}.test`]),
          raw(["GET /docs HTTP/1.1", "host: known", `origin: https://${secret}.test`]),
          raw([
            "OPTIONS /docs HTTP/1.1",
            "host: known",
            `origin: https://${secret}.test`,
            `access-control-request-method: ${secret}`,
            `access-control-request-headers: ${secret}`
          ]),
          raw([
            "GET /users/u-1 HTTP/1.1",
            "host: known",
            "authorization: Bearer token123",
            `accept: image/${secret}`,
            `accept-language: ${secret}`,
            `accept-encoding: ${secret}`,
            `if-none-match: "${secret}"`
          ]),
          raw([
            "POST /users HTTP/1.1",
            "host: known",
            "authorization: Bearer token123",
            `content-encoding: ${secret}`,
            "content-length: 1"
          ], "x"),
          raw(["POST /raw/users HTTP/1.1", "host: known", "authorization: Bearer token123"])
        ])
        assert.deepStrictEqual(answers.map(({ status }) => status), [400, 400, 400, 200, 204, 406, 415, 403])
        for (const { body, headers } of answers) assert.notInclude(JSON.stringify(headers) + body.toString(), secret)
        assert.strictEqual(reports.filter((report) => report._tag === "ServerRequestEnded").length, answers.length)
        assert.notInclude(everything(), secret)
      }))
  })
})
