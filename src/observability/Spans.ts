/**
 * Turns timed stages and ended commands into spans below the fiber's current span.
 *
 * A span is made when its report arrives, with the times that were measured, so a trace shows `lifecycle.security` and
 * `command orders.Place` in their places without a span being open while they ran. Where no span is current nothing is made:
 * a stage without its request tells nobody anything. A command that failed ends its span as failed with the error's tag.
 *
 * **Gotchas**
 *
 * - The spans are siblings below the request's span; a command's span does not hold the spans made while it ran.
 * - Attributes are the stage, the module's name, the command's name, kind, outcome and error tag. Nothing else can reach one.
 * - Reports carry the clock's monotonic time and spans its wall time: a jump of the wall clock moves what is reported after it.
 *
 * @example
 * ```ts
 * import { Clock, Effect, Tracer } from "effect"
 * import { Recorder } from "effect-lifecycle/lifecycle"
 * import { Spans } from "effect-lifecycle/observability"
 * import assert from "node:assert/strict"
 *
 * const names: Array<string> = []
 * const tracer = Tracer.make({
 *   span: (options) => {
 *     names.push(options.name)
 *     return new Tracer.NativeSpan(options)
 *   }
 * })
 * const program = Effect.gen(function*() {
 *   const now = yield* Clock.monotonicTimeNanos
 *   yield* Recorder.report(() => ({
 *     _tag: "StagesTimed",
 *     stages: [{
 *       _tag: "StageTimed",
 *       stage: "Handler",
 *       name: "domain/Mediator",
 *       startNanos: now - 1_000_000n,
 *       endNanos: now
 *     }]
 *   }))
 * }).pipe(Effect.withSpan("request"), Effect.withTracer(tracer), Effect.provide(Spans.layer))
 *
 * await Effect.runPromise(program)
 * assert.deepEqual(names, ["request", "lifecycle.handler"])
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Exit, type Fiber, type Layer, Option, Tracer } from "effect"
import type { CommandEnded, Recorder } from "../lifecycle/Recorder.ts"
import { install } from "./internal/hub.ts"
import * as Names from "./Names.ts"

/**
 * A recorder that makes spans with the tracer of the fiber that reports.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Recorder => (report, fiber) => {
  if (report._tag === "StagesTimed") {
    if (fiber.cache.span === undefined) return
    for (const timed of report.stages) {
      child(fiber, Names.stageSpan(timed.stage), timed, {
        [Names.attributes.stage]: timed.stage,
        [Names.attributes.stageName]: timed.name
      }, Exit.void)
    }
  } else if (report._tag === "CommandEnded") {
    child(fiber, Names.commandSpan(report.kind, report.name), report, {
      [Names.attributes.command]: report.name,
      [Names.attributes.kind]: report.kind,
      [Names.attributes.outcome]: report.outcome,
      ...(report.errorTag === undefined ? {} : { [Names.attributes.error]: report.errorTag })
    }, exitOf(report, fiber))
  }
}

/**
 * Makes spans for everything that is reported, beside the listeners that are there already.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = install(make)

const exitOf = (report: CommandEnded, fiber: Fiber.Fiber<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  switch (report.outcome) {
    case "success":
      return Exit.void
    case "failure":
      return Exit.fail(report.errorTag ?? "failure")
    case "defect":
      return Exit.die(report.errorTag ?? "defect")
    case "interrupted":
      return Exit.interrupt(fiber.id)
  }
}

const child = (
  fiber: Fiber.Fiber<unknown, unknown>,
  name: string,
  times: { readonly startNanos: bigint; readonly endNanos: bigint },
  attributes: Readonly<Record<string, string>>,
  exit: Exit.Exit<unknown, unknown>
): void => {
  const { span: parent, tracerEnabled } = fiber.cache
  if (parent === undefined || !tracerEnabled) return
  const tracer = fiber.cache.tracer ?? fiber.getRef(Tracer.Tracer)
  // The native tracer has no backend: nobody could ever see its spans.
  if (tracer === Tracer.nativeTracer || Context.get(parent.annotations, Tracer.DisablePropagation)) return
  const shift = toWall(fiber.getRef(Clock.Clock))
  const span = tracer.span({
    name,
    parent: Option.some(parent),
    annotations: Context.empty(),
    links: [],
    startTime: times.startNanos + shift,
    kind: "internal",
    root: false,
    sampled: parent.sampled
  })
  for (const key in attributes) span.attribute(key, attributes[key])
  span.end(times.endNanos + shift, exit)
}

/** What separates the clock's two readings. */
const toWall = (clock: Clock.Clock): bigint => clock.currentTimeNanosUnsafe() - clock.monotonicTimeNanosUnsafe()
