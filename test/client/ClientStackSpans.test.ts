import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Tracer } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { RequestStrategy, RetrySchedule } from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"
import { inVirtualTime } from "./virtual.ts"

const traced = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    yield* Effect.provideService(self, Tracer.Tracer, tracer)
    return spans
  })

describe("ClientStack spans", () => {
  const script = [FakeUpstream.respond({ status: 503 }), FakeUpstream.respond()]
  const strategy = RequestStrategy.sequential({ attempts: 2, delay: "100 millis", jitter: RetrySchedule.none })

  it.effect("one for the call, one child for each attempt, and each attempt continues its own on the wire", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(script)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: "http://up.test", strategy }))
      const spans = yield* traced(inVirtualTime(client.get("/users/7?a=b").pipe(ClientStack.route("/users/{id}"))))
      assert.deepStrictEqual(spans.map((span) => [span.name, span.kind]), [
        ["http.call GET /users/{id}", "internal"],
        ["GET /users/{id}", "client"],
        ["GET /users/{id}", "client"]
      ])
      const [call, ...attempts] = spans
      for (const attempt of attempts) {
        assert.strictEqual(Option.getOrUndefined(attempt.parent)?.spanId, call?.spanId)
      }
      assert.deepStrictEqual(attempts.map((span) => span.attributes.get("http.response.status_code")), [503, 200])
      assert.deepStrictEqual(attempts.map((span) => span.attributes.get("http.request.resend_count")), [0, 1])
      assert.deepStrictEqual(attempts.map((span) => span.attributes.get("error.type")), ["503", undefined])
      assert.strictEqual(call?.attributes.get("http.response.status_code"), 200)
      const sent = (yield* upstream.requests).map((request) => request.headers["traceparent"]?.split("-")[2])
      assert.deepStrictEqual(sent, attempts.map((span) => span.spanId))
      assert.isTrue(spans.every((span) => span.status._tag === "Ended"))
      assert.notInclude(JSON.stringify(spans.flatMap((span) => [...span.attributes])), "a=b")
    }))

  it.effect("Effect's own when the stack makes none", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(script)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: "http://up.test", strategy, spans: false }))
      const spans = yield* traced(inVirtualTime(client.get("/a")))
      assert.deepStrictEqual(spans.map((span) => span.kind), ["client", "client"])
    }))
})
