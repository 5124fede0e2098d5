import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { ServerStack, ServerTiming } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { connect } from "node:net"
import { ask, bearer, tokens } from "./harness.ts"
import { recording } from "./records.ts"

const routes = HttpRouter.add("GET", "/", HttpServerResponse.text("ok"))
const port = Effect.map(
  HttpServer.HttpServer,
  ({ address }) => Number(new URL(HttpServer.formatAddress(address)).port)
)

/** Sends these bytes, and no more, and waits for the other side to close. */
const say = (text: string) =>
  Effect.flatMap(port, (port) =>
    Effect.callback<string>((resume) => {
      let answer = ""
      const socket = connect(port, "127.0.0.1", () => socket.write(text))
      socket.on("data", (chunk) => answer += chunk)
      socket.on("close", () => resume(Effect.succeed(answer)))
    }))

describe("NodeListener", () => {
  it.live("says in one sentence that the port is taken, and what to do", () =>
    Effect.gen(function*() {
      const taken = yield* port
      const error = yield* Effect.flip(Effect.scoped(Layer.build(NodeListener.layer({ port: taken }))))
      assert.strictEqual(error._tag, "ListenError")
      assert.strictEqual(
        error.message,
        `127.0.0.1:${taken} is taken by another process: stop that one, or choose another port`
      )
    }).pipe(Effect.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))))

  it.live("says that an address is not one of this machine", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(NodeListener.layer({ port: 0, host: "203.0.113.1" })))
      )
      assert.include(error.message, "is no address of this machine")
    }))

  it.live("ignores an upgrade it does not know, and answers what comes after it", () =>
    Effect.gen(function*() {
      const head = "GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token123\r\n"
      const at = yield* port
      const answers = yield* Effect.callback<string>((resume) => {
        let answers = ""
        const socket = connect(at, "127.0.0.1")
        socket.write(`${head}connection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n`)
        socket.on("data", (chunk) => {
          if (answers === "") socket.write(`${head}connection: close\r\n\r\n`)
          answers += chunk
        })
        socket.on("close", () => resume(Effect.succeed(answers)))
      }).pipe(Effect.timeout("5 seconds"))
      assert.lengthOf(answers.match(/HTTP\/1\.1 200 OK/g) ?? [], 2, answers)
    }).pipe(Effect.provide(
      ServerStack.serve(routes, { service: "x" }).pipe(
        Layer.provide(tokens),
        Layer.provideMerge(NodeListener.layer({ port: 0 }))
      )
    )))

  it.live("answers 408 and 400 as problems with an id, and reports them", () => {
    const reports: Array<Recorder.Report> = []
    const live = ServerStack.serve(routes, { service: "x" }).pipe(
      Layer.provide(tokens),
      Layer.provideMerge(NodeListener.layer({ port: 0, service: "x", headersTimeout: "200 millis" })),
      Layer.provide(recording(reports))
    )
    return Effect.gen(function*() {
      for (const [text, status] of [["GET / HTTP/1.1\r\nhost: x\r\n", 408], ["no such thing\r\n\r\n", 400]] as const) {
        reports.length = 0
        const answer = yield* say(text)
        assert.isTrue(answer.startsWith(`HTTP/1.1 ${status} `), answer)
        const body: { readonly requestId: string; readonly status: number; readonly stage: string } = JSON.parse(
          answer.split("\r\n\r\n")[1] ?? ""
        )
        assert.deepInclude(body, { status, stage: "Server" })
        assert.include(answer.toLowerCase(), "content-type: application/problem+json")
        assert.include(answer.toLowerCase(), "x-content-type-options: nosniff")
        assert.deepInclude(reports.find((report) => report._tag === "ServerRequestEnded"), {
          status,
          requestId: body.requestId,
          stage: "Server",
          method: "_OTHER"
        })
      }
    }).pipe(Effect.provide(live))
  })

  it.live("measures Accept for the first request of a connection and Server for each", () => {
    const live = ServerStack.serve(routes, { service: "x" }).pipe(
      Layer.provide(tokens),
      Layer.provideMerge(NodeListener.layer({ port: 0 }))
    )
    const get = (connection: string) =>
      `GET / HTTP/1.1\r\nhost: x\r\nauthorization: ${bearer.authorization}\r\nconnection: ${connection}\r\n\r\n`
    return Effect.gen(function*() {
      // Two requests on one connection.
      const answers = yield* say(get("keep-alive") + get("close"))
      const [first, second] = Array.from(
        answers.matchAll(/^server-timing: (.*)\r$/gim),
        ([, entries]) => entries?.split(", ").map((entry) => entry.split(";")[0])
      )
      assert.deepStrictEqual(first?.slice(0, 4), ["Accept", "Server", "Middleware", "Router"])
      assert.includeMembers(first ?? [], ["Security", "Validation", "Dependencies", "Handler"])
      assert.deepStrictEqual(second?.slice(0, 3), ["Server", "Middleware", "Router"])
    }).pipe(Effect.provide(live))
  })

  it.live("keeps the timing from whom it does not trust", () =>
    Effect.gen(function*() {
      const answer = yield* ask("/", { headers: bearer })
      assert.deepStrictEqual([answer.status, answer.headers["server-timing"]], [200, undefined])
    }).pipe(Effect.provide(
      ServerStack.serve(routes, { service: "x", serverTiming: ServerTiming.stage({ trust: "none" }) }).pipe(
        Layer.provide(tokens),
        Layer.provideMerge(NodeListener.layer({ port: 0 }))
      )
    )))
})
