import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import { ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { connect, type Socket } from "node:net"
import { ask, bearer, listener, tokens } from "./harness.ts"

describe("draining", () => {
  it.live("finishes the request in flight, lets its connection go, and then ends at once", () =>
    Effect.gen(function*() {
      const begun = Latch.makeUnsafe(false)
      const go = Latch.makeUnsafe(false)
      const slow = Effect.as(Effect.andThen(begun.open, go.await), HttpServerResponse.jsonUnsafe({ done: true }))
      const scope = yield* Scope.make()
      const context = yield* ServerStack.serve(HttpRouter.add("GET", "/slow", slow), { service: "drained" }).pipe(
        Layer.provide(tokens),
        Layer.provideMerge(listener),
        Layer.buildWithScope(scope)
      )
      const http = Context.pick(HttpServer.HttpServer)(context)
      const asked = yield* Effect.forkChild(Effect.provideContext(ask("/slow", { headers: bearer }), http))
      yield* begun.await
      const began = performance.now()
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Effect.sleep("50 millis")
      yield* go.open
      const { body, headers } = yield* Fiber.join(asked)
      assert.deepStrictEqual(body, { done: true })
      assert.strictEqual(headers["connection"], "close")
      yield* Fiber.join(closing)
      // The listener's grace period is two seconds.
      assert.isBelow(performance.now() - began, 1000)
    }))

  it.live("closes connections that idle, refuses new ones, and answers 503 when the grace is over", () =>
    Effect.gen(function*() {
      const begun = Latch.makeUnsafe(false)
      const interrupted = Latch.makeUnsafe(false)
      const endless = begun.open.pipe(Effect.andThen(Effect.never), Effect.onInterrupt(() => interrupted.open))
      const scope = yield* Scope.make()
      const context = yield* ServerStack.serve(
        Layer.mergeAll(
          HttpRouter.add("GET", "/quick", HttpServerResponse.text("quick")),
          HttpRouter.add("GET", "/endless", endless)
        ),
        { service: "drained" }
      ).pipe(
        Layer.provide(tokens),
        Layer.provideMerge(NodeListener.layer({ port: 0, gracePeriod: "300 millis" })),
        Layer.buildWithScope(scope)
      )
      const { address } = Context.get(context, HttpServer.HttpServer)
      const port = Number(new URL(HttpServer.formatAddress(address)).port)
      const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${bearer.authorization}\r\n\r\n`

      const idle = yield* opened(port)
      idle.socket.write(get("/quick"))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => idle.text().endsWith("quick"), times: 400 })
      const busy = yield* opened(port)
      busy.socket.write(get("/endless"))
      yield* begun.await

      // Nothing was said on it yet, so Node does not count it as idle.
      const silent = yield* opened(port)

      const began = performance.now()
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* idle.closed
      assert.isBelow(performance.now() - began, 250, "an idle connection is closed at once")
      assert.strictEqual(yield* Effect.flip(opened(port)), "ECONNREFUSED")
      assert.isFalse(busy.socket.destroyed)
      yield* interrupted.await
      yield* busy.closed
      const took = performance.now() - began
      assert.isAtLeast(took, 290, "the request had its grace")
      assert.isBelow(took, 2000)
      assert.isTrue(busy.text().startsWith("HTTP/1.1 503 "), busy.text())
      assert.include(busy.text(), "\"type\":\"urn:problem:shutting-down\"")
      assert.include(busy.text().toLowerCase(), "retry-after: 1")
      yield* silent.closed
      yield* Fiber.join(closing)
      assert.isBelow(performance.now() - began, 2000)
    }))
})

/** A connection, what came over it, and its end. */
const opened = (port: number) =>
  Effect.callback<
    { readonly socket: Socket; readonly text: () => string; readonly closed: Effect.Effect<void> },
    string
  >(
    (resume) => {
      let text = ""
      const end = Latch.makeUnsafe(false)
      const socket = connect(port, "127.0.0.1")
      socket.on("connect", () => resume(Effect.succeed({ socket, text: () => text, closed: end.await })))
      socket.on("data", (chunk) => text += chunk)
      socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? "")))
      socket.on("close", () => Effect.runSync(end.open))
    }
  )
