import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Option, Tracer } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Spans } from "effect-lifecycle/observability"
import { TestClock } from "effect/testing"
import { command, ended, stageTimed } from "./reports.ts"

const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span(options) {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

const run = (...reports: ReadonlyArray<Recorder.Report>) =>
  Effect.gen(function*() {
    const { spans, tracer } = recording()
    yield* Effect.forEach(reports, (one) => Recorder.report(() => one), { discard: true }).pipe(
      Effect.withSpan("request"),
      Effect.provide(Spans.layer),
      Effect.withTracer(tracer)
    )
    return spans
  })

describe("Spans", () => {
  it.effect("makes a child span of a timed stage, with its measured times", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("11500 micros")
      const [parent, span, ...rest] = yield* run(stageTimed())
      assert.strictEqual(rest.length, 0)
      assert.strictEqual(span?.name, "lifecycle.handler")
      assert.strictEqual(Option.getOrUndefined(span!.parent)?.spanId, parent?.spanId)
      assert.deepStrictEqual(span?.status, {
        _tag: "Ended",
        startTime: 10_000_000n,
        endTime: 11_500_000n,
        exit: Exit.void
      })
      assert.deepStrictEqual(Object.fromEntries(span!.attributes), {
        "lifecycle.stage": "Handler",
        "lifecycle.name": "domain/Mediator"
      })
    }))

  it.effect("names a command's span after its kind and name, and ends it as it ended", () =>
    Effect.gen(function*() {
      const [, ok, failed, defect, interrupted] = yield* run(
        command(),
        command({ kind: "query", outcome: "failure", errorTag: "OutOfStock" }),
        command({ kind: "stream", outcome: "defect" }),
        command({ outcome: "interrupted" })
      )
      assert.deepStrictEqual([ok?.name, failed?.name, defect?.name], [
        "command orders.Place",
        "query orders.Place",
        "stream orders.Place"
      ])
      const exit = (span: Tracer.NativeSpan | undefined) => span?.status._tag === "Ended" ? span.status.exit : undefined
      assert.deepStrictEqual(exit(ok), Exit.void)
      assert.deepStrictEqual(exit(failed), Exit.fail("OutOfStock"))
      assert.deepStrictEqual(exit(defect), Exit.die("defect"))
      const last = exit(interrupted)
      assert.isTrue(last !== undefined && Exit.isFailure(last) && Cause.hasInterruptsOnly(last.cause))
      assert.deepStrictEqual(Object.fromEntries(failed!.attributes), {
        "command.name": "orders.Place",
        "command.kind": "query",
        "command.outcome": "failure",
        "error.type": "OutOfStock"
      })
    }))

  it.effect("makes nothing of other reports, nor without a current span", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* run(ended())).length, 1)
      const { spans, tracer } = recording()
      yield* Recorder.report(() => stageTimed()).pipe(Effect.provide(Spans.layer), Effect.withTracer(tracer))
      assert.deepStrictEqual(spans, [])
    }))

  it.effect("makes nothing when tracing is off", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recording()
      yield* Recorder.report(() => stageTimed()).pipe(
        Effect.withTracerEnabled(false),
        Effect.withSpan("request"),
        Effect.provide(Spans.layer),
        Effect.withTracer(tracer)
      )
      assert.deepStrictEqual(spans.map((span) => span.name), ["request"])
    }))

  it.effect("hangs below a span of another process, in its trace", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recording()
      const parent = Tracer.externalSpan({
        spanId: "b7ad6b7169203331",
        traceId: "0af7651916cd43dd8448eb211c80319c",
        sampled: false
      })
      yield* Recorder.report(() => stageTimed()).pipe(
        Effect.withParentSpan(parent),
        Effect.provide(Spans.layer),
        Effect.withTracer(tracer)
      )
      assert.deepStrictEqual([spans[0]?.traceId, spans[0]?.sampled], [parent.traceId, false])
    }))

  it.live("gives monotonic times their place in wall time", () =>
    Effect.gen(function*() {
      const end = yield* Clock.monotonicTimeNanos
      const [, span] = yield* run(stageTimed({ startNanos: end - 5_000_000n, endNanos: end }))
      const now = yield* Clock.currentTimeNanos
      const status = span!.status
      assert(status._tag === "Ended")
      assert.strictEqual(status.endTime - status.startTime, 5_000_000n)
      assert.isBelow(Number(now - status.endTime), 5e9)
      assert.isAtLeast(Number(now - status.endTime), -1e6)
    }))
})
