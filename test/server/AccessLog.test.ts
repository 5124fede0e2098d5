import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Stream } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { ServerStack, type ServerStage, TrustedProxies } from "effect-lifecycle/server"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as https from "node:https"
import { certificate, hasOpenssl } from "../gateway/harness.ts"
import { listener, tokens } from "./harness.ts"
import { raw } from "./raw.ts"
import { recording } from "./records.ts"

const app = (reports: Array<Recorder.Report>, trustedProxies?: ServerStage.OuterStage) =>
  ServerStack.serve(HttpRouter.add("GET", "/docs", HttpServerResponse.empty()), { service: "x", trustedProxies }).pipe(
    Layer.provide([tokens, recording(reports)])
  )

/** The schemes of requests as they began, and as they ended. */
const schemes = (reports: ReadonlyArray<Recorder.Report>) => {
  const of = (tag: "ServerRequestStarted" | "ServerRequestEnded") =>
    reports.flatMap((report) => report._tag === tag ? [report.scheme] : [])
  return { started: of("ServerRequestStarted"), ended: of("ServerRequestEnded") }
}

describe("AccessLog", () => {
  it.live("reports the scheme of the connection, or the one that a trusted proxy names, at both ends of a request", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      yield* raw(["GET /docs HTTP/1.1", "host: a"])
      yield* raw(["GET /docs HTTP/1.1", "host: a", "x-forwarded-proto: https"])
      // What a client writes into its own request line is no connection.
      yield* raw(["GET https://a/docs HTTP/1.1", "host: a"])
      assert.deepStrictEqual(schemes(reports), {
        started: ["http", "https", "http"],
        ended: ["http", "https", "http"]
      })
    }).pipe(Effect.provide(Layer.provideMerge(app(reports), listener)))
  })

  it.live("calls a request aborted whose client leaves a stream, and no bug", () => {
    const reports: Array<Recorder.Report> = []
    const ended = () => reports.find((report) => report._tag === "ServerRequestEnded")
    const routes = HttpRouter.add(
      "GET",
      "/docs",
      HttpServerResponse.stream(Stream.concat(Stream.make("first"), Stream.never).pipe(Stream.encodeText))
    )
    const server = ServerStack.serve(routes, { service: "x" }).pipe(Layer.provide([tokens, recording(reports)]))
    return Effect.gen(function*() {
      const { address } = yield* HttpServer.HttpServer
      const controller = new AbortController()
      const url = `${HttpServer.formatAddress(address)}/docs`
      const response = yield* Effect.promise(() => fetch(url, { signal: controller.signal }))
      yield* Effect.promise(() => response.body!.getReader().read())
      controller.abort()
      yield* Effect.suspend(() => ended() === undefined ? Effect.fail("not yet") : Effect.void).pipe(
        Effect.retry(Schedule.upTo(Schedule.spaced("10 millis"), { duration: "10 seconds" }))
      )
      assert.deepInclude({ ...ended() }, { outcome: "aborted", status: 499 })
      assert.deepStrictEqual(reports.filter((report) => report._tag === "DefectCaught"), [])
    }).pipe(Effect.provide(Layer.provideMerge(server, listener)))
  })

  it.live("does not take the scheme from a peer that is not trusted", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      yield* raw(["GET /docs HTTP/1.1", "host: a", "x-forwarded-proto: https"])
      assert.deepStrictEqual(schemes(reports), { started: ["http"], ended: ["http"] })
    }).pipe(Effect.provide(Layer.provideMerge(app(reports, TrustedProxies.stage({ trust: "none" })), listener)))
  })

  it.live("says http of what the listener refused", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      assert.strictEqual((yield* raw(["GET /docs HTTP/1.1"])).status, 400)
      assert.deepStrictEqual(schemes(reports), { started: [], ended: ["http"] })
    }).pipe(Effect.provide(app(reports).pipe(Layer.provideMerge(listener), Layer.provide(recording(reports)))))
  })

  it.live.skipIf(!hasOpenssl)("reports https of a listener that speaks TLS itself", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      const { certificate: cert, key } = yield* certificate
      const tls = NodeHttpServer.layer(() => https.createServer({ cert, key }), { port: 0, host: "127.0.0.1" })
      const status = Effect.gen(function*() {
        const { address } = yield* HttpServer.HttpServer
        return yield* Effect.callback<number | undefined>((resume) => {
          const port = address._tag === "UnixPathAddress" ? 0 : address.port
          const request = https.get(
            { port, host: "127.0.0.1", path: "/docs", rejectUnauthorized: false },
            (response) => {
              response.resume().on("end", () => resume(Effect.succeed(response.statusCode)))
            }
          )
          return Effect.sync(() => request.destroy())
        })
      })
      assert.strictEqual(yield* status.pipe(Effect.provide(Layer.provideMerge(app(reports), tls))), 204)
      assert.deepStrictEqual(schemes(reports), { started: ["https"], ended: ["https"] })
    }).pipe(Effect.scoped)
  })
})
