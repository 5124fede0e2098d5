/**
 * Takes over the caller's deadline and holds the handler to it.
 *
 * The budget of `X-Request-Timeout` (seconds) counts up to `maximum`; a request that brings none gets `default`. When less
 * than `minimum` is left the answer is 504 at once and the handler does not run; when time is up while it runs it is
 * interrupted, its finalizers run, and the answer is 504. Priority and trace state are taken over with it, so outgoing
 * calls made with `Propagation` carry what is left.
 *
 * **Gotchas**
 *
 * - The deadline ends with the handler. A response body that streams after it is not cut.
 * - A handler that cannot be interrupted is not cut: its answer is late.
 * - One sleeper watches all requests of a server and looks a millisecond after the deadline. The `problems` slot knows its
 *   interruption; another boundary in its place sees a plain one.
 * - A stranger may bring a shorter deadline, never a longer one, and may lower the priority, never raise it.
 *
 * @example
 * ```ts
 * import { Deadlines } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.equal(Deadlines.stage({ default: "5 seconds", maximum: "30 seconds" }).reports, "Middleware")
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, Option, type Scope } from "effect"
import { HttpServerRequest } from "effect/http"
import * as Recorder from "../lifecycle/Recorder.ts"
import * as Deadline from "../request/Deadline.ts"
import * as Priority from "../request/Priority.ts"
import * as Propagation from "../request/Propagation.ts"
import * as RequestId from "../request/RequestId.ts"
import { finiteMillis, headerName, positiveMillis } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as deadlineWatch from "./internal/deadlineWatch.ts"
import * as ServerStage from "./ServerStage.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For a request that brings no deadline. Default 20 seconds. */
  readonly default?: Duration.Input | undefined
  /** More is not granted. Default 60 seconds. */
  readonly maximum?: Duration.Input | undefined
  /** With less than this left the handler is not begun. Default 5 milliseconds. */
  readonly minimum?: Duration.Input | undefined
  /** Whose priority and trace count. Default `"private"`. */
  readonly trust?: TrustedHops.Trust | undefined
  /**
   * The priority headers read; the first usable one counts. Default `x-request-priority`; add `Priority.rfc9218` for
   * callers that send `Priority: u=0..7`, as browsers do.
   */
  readonly priorityCodecs?: ReadonlyArray<Priority.PriorityCodec> | undefined
}

const module = "Deadlines.stage"

/**
 * The stage. Throws `InvalidOption` for a time that makes no sense.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never, never, Scope.Scope> => {
  const trusts = TrustedHops.make(options.trust ?? "private")
  const minimum = BigInt(Math.ceil(finiteMillis(module, "minimum", options.minimum ?? "5 millis") * 1e6))
  // Made once: reading a duration from text costs more than the rest of the stage.
  const policy = {
    default: Duration.millis(positiveMillis(module, "default", options.default ?? "20 seconds")),
    maximum: Duration.millis(positiveMillis(module, "maximum", options.maximum ?? "60 seconds")),
    priorityCodecs: (options.priorityCodecs ?? [Priority.xRequestPriority]).map((codec) => ({
      ...codec,
      header: headerName(module, "priorityCodecs", codec.header)
    }))
  }
  const isPlain = plain(policy.priorityCodecs)
  const granted = Duration.min(policy.default, policy.maximum)
  return ServerStage.make<never, never, Scope.Scope>({
    name: "server/Deadlines",
    reports: "Middleware",
    wrap: Effect.map(deadlineWatch.make, (watch) => (next) =>
      Effect.withFiber((fiber) => {
        const { headers } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        if (isPlain(headers)) {
          const startedAtNanos = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
          const deadline = Deadline.make({ duration: granted, startedAtNanos, origin: "default" })
          Exchange.addUnsafe(fiber, Deadline.Current, Option.some(deadline))
          return watch.guard(next, deadline, fiber)
        }
        const trusted = trusts(Exchange.ofUnsafe(fiber).peer)
        // The id is decided already; reading it again would report a bad one twice.
        const requestId = Option.getOrUndefined(fiber.getRef(RequestId.Current))
        return Effect.flatMap(Propagation.extract(headers, { ...policy, trusted, requestId }), (extracted) => {
          if (Option.isNone(extracted.deadline)) return Propagation.run(next, extracted)
          const deadline = extracted.deadline.value
          const now = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
          if (deadline.expiresAtNanos - now < minimum) {
            const budgetMillis = Number(deadline.expiresAtNanos - deadline.startedAtNanos) / 1_000_000
            const recorder = fiber.getRef(Recorder.Current)
            if (recorder !== undefined) recorder({ _tag: "DeadlineMissed", budgetMillis }, fiber)
            return Effect.fail(new Deadline.DeadlineExceeded({ budgetMillis, elapsedMillis: 0 }))
          }
          return Propagation.run(watch.guard(next, deadline, fiber), extracted)
        })
      }))
  })
}

/** Whether the request brings nothing to take over: most do not, and reading them would cost more than serving them. */
const plain = (codecs: ReadonlyArray<Priority.PriorityCodec>) => {
  const [first, ...others] = codecs.map((codec) => codec.header)
  return (headers: Readonly<Record<string, string>>): boolean =>
    headers["x-request-timeout"] === undefined && (first === undefined || headers[first] === undefined) &&
    headers["traceparent"] === undefined && headers["tracestate"] === undefined &&
    others.every((name) => headers[name] === undefined)
}
