import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Tracer } from "effect"
import { ServerStack, TraceContext, type TrustedHops } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, tokens } from "./harness.ts"

const parent = "0af7651916cd43dd8448eb211c80319c"
const traceparent = `00-${parent}-b7ad6b7169203331-01`

const app = (trust: TrustedHops.Trust) => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const routes = HttpRouter.add("GET", "/users/:id", HttpServerResponse.text("ok"))
  const live = ServerStack.serve(routes, { service: "x", traceContext: TraceContext.stage({ trust }) }).pipe(
    Layer.provide([tokens, Layer.succeed(Tracer.Tracer, tracer)]),
    Layer.provideMerge(listener)
  )
  return { live, spans }
}

describe("TraceContext", () => {
  it.live("joins the trace of a trusted hop, and names the route on the one span", () => {
    const { live, spans } = app("loopback")
    return Effect.gen(function*() {
      yield* ask("/users/1", { headers: { ...bearer, traceparent } })
      assert.strictEqual(spans.length, 1)
      assert.strictEqual(spans[0]?.traceId, parent)
      assert.strictEqual(spans[0]?.attributes.get("http.route"), "/users/:id")
    }).pipe(Effect.provide(live))
  })

  it.live("starts a trace of its own for a stranger, with one span all the same", () => {
    const { live, spans } = app("none")
    return Effect.gen(function*() {
      yield* ask("/users/1", { headers: { ...bearer, traceparent, b3: `${parent}-b7ad6b7169203331-1` } })
      assert.strictEqual(spans.length, 1)
      assert.notStrictEqual(spans[0]?.traceId, parent)
      assert.isTrue(Option.isNone(spans[0]!.parent))
      yield* ask("/users/1", { headers: bearer })
      assert.strictEqual(spans.length, 2)
    }).pipe(Effect.provide(live))
  })

  it.live("gives no request the span in which the server was built", () => {
    const { live, spans } = app("loopback")
    return Effect.gen(function*() {
      yield* ask("/users/1", { headers: { ...bearer, traceparent } })
      yield* ask("/users/1", { headers: bearer })
      assert.deepStrictEqual(spans.map(({ traceId }) => traceId === parent), [true, false])
      assert.isTrue(Option.isNone(spans[1]!.parent))
    }).pipe(
      Effect.provide(live),
      Effect.provideService(Tracer.ParentSpan, Tracer.externalSpan({ traceId: "f".repeat(32), spanId: "e".repeat(16) }))
    )
  })
})
