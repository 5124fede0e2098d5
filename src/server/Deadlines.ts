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
import { Clock, Context, Duration, Effect, Option } from "effect"
import { HttpServerRequest } from "effect/http"
import * as Recorder from "../lifecycle/Recorder.ts"
import * as Deadline from "../request/Deadline.ts"
import * as Propagation from "../request/Propagation.ts"
import * as RequestId from "../request/RequestId.ts"
import * as Exchange from "./Exchange.ts"
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
}

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const trusts = TrustedHops.make(options.trust ?? "private")
  const minimum = Duration.toNanosUnsafe(Duration.fromInputUnsafe(options.minimum ?? "5 millis"))
  // Made once: reading a duration from text costs more than the rest of the stage.
  const policy = {
    default: Duration.fromInputUnsafe(options.default ?? "20 seconds"),
    maximum: Duration.fromInputUnsafe(options.maximum ?? "60 seconds")
  }
  return ServerStage.make<never, never>({
    name: "server/Deadlines",
    reports: "Middleware",
    wrap: (next) => {
      const enforced = Deadline.enforce(next)
      return Effect.withFiber((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const trusted = trusts(Exchange.ofUnsafe(fiber).peer)
        // The id is decided already; reading it again would report a bad one twice.
        const requestId = Option.getOrUndefined(fiber.getRef(RequestId.Current))
        return Effect.flatMap(Propagation.extract(request.headers, { ...policy, trusted, requestId }), (extracted) => {
          const { deadline } = extracted
          if (Option.isSome(deadline)) {
            const now = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
            const left = deadline.value.expiresAtNanos - now
            if (left < minimum) {
              const budgetMillis = Number(deadline.value.expiresAtNanos - deadline.value.startedAtNanos) / 1_000_000
              const recorder = fiber.getRef(Recorder.Current)
              if (recorder !== undefined) recorder({ _tag: "DeadlineMissed", budgetMillis }, fiber)
              return Effect.fail(new Deadline.DeadlineExceeded({ budgetMillis, elapsedMillis: 0 }))
            }
          }
          return Propagation.run(enforced, extracted)
        })
      })
    }
  })
}
