import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import { ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
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
})
