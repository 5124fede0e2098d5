/** A call whose attempts are written down beforehand: when each answers, and with what. */
import { Clock, Duration, Effect, Exit, Fiber } from "effect"
import { Deadline } from "effect-lifecycle/request"
import type { RequestStrategy, Verdict } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

export interface Answer {
  readonly after: number
  /** A status, or what the attempt fails or dies with. */
  readonly ends: number | { readonly fails: string } | { readonly dies: string }
  /** How long the attempt takes to let go when it is interrupted. */
  readonly release?: number
}

const accept: Verdict.Verdict = { _tag: "Accept" }
const reject: Verdict.Verdict = { _tag: "Reject", retryAfter: undefined }

/** What both make of a status, without its headers; a failure is rejected, a defect fatal. */
export const byStatus: Verdict.Classifier<number, unknown> = (exit) =>
  Exit.isSuccess(exit)
    ? exit.value >= 500 || exit.value === 408 || exit.value === 429 ? reject : accept
    : exit.cause.reasons.some((reason) => reason._tag === "Die")
    ? { _tag: "Fatal", health: "failure" }
    : reject

export interface Played {
  /** A status, or the message of the failure. */
  readonly result: number | string
  /** When each attempt began, in milliseconds from the call. */
  readonly began: ReadonlyArray<number>
  /** What each attempt was given, in milliseconds, where there was a deadline. */
  readonly granted: ReadonlyArray<number>
  /** Attempts that were interrupted and finalised when the caller went on, from 1. */
  readonly interrupted: ReadonlyArray<number>
  readonly took: number
}

const millis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const message = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)

/** Makes one call in virtual time, for as long as it takes. */
export const play = (
  strategy: RequestStrategy.RequestStrategy<number, unknown>,
  answers: ReadonlyArray<Answer>,
  options: {
    readonly method?: string
    readonly key?: boolean
    readonly within?: Duration.Input
  } = {}
): Effect.Effect<Played> =>
  Effect.gen(function*() {
    const start = yield* millis
    const began: Array<number> = []
    const granted: Array<number> = []
    const interrupted: Array<number> = []
    const attempt = Effect.gen(function*() {
      const number = began.push((yield* millis) - start)
      const left = yield* Deadline.remaining
      if (left._tag === "Some") granted.push(Duration.toMillis(left.value))
      const answer = answers[number - 1] ?? { after: 0, ends: { dies: `attempt ${number} is one too many` } }
      yield* Effect.sleep(answer.after).pipe(
        Effect.onInterrupt(() =>
          Effect.sleep(answer.release ?? 0).pipe(Effect.andThen(Effect.sync(() => void interrupted.push(number))))
        )
      )
      if (typeof answer.ends === "number") return answer.ends
      return yield* "fails" in answer.ends ? Effect.fail(answer.ends.fails) : Effect.die(answer.ends.dies)
    })
    const call = strategy.run(() => attempt, {
      method: options.method ?? "GET",
      hasIdempotencyKey: options.key === true,
      verdict: byStatus
    })
    const bounded = options.within === undefined ? call : Deadline.within(call, options.within)
    const ended = bounded.pipe(
      Effect.matchCause({
        onSuccess: (status): number | string => status,
        onFailure: (cause) => {
          const [reason] = cause.reasons
          return reason === undefined || reason._tag === "Interrupt"
            ? "interrupted"
            : message(reason._tag === "Fail" ? reason.error : reason.defect)
        }
      }),
      Effect.flatMap((result) =>
        Effect.map(millis, (now): Played => ({
          result,
          began: [...began],
          granted: [...granted],
          interrupted: [...interrupted],
          took: now - start
        }))
      )
    )
    const fiber = yield* Effect.forkChild(ended, { startImmediately: true })
    for (let step = 0; step < 400 && fiber.pollUnsafe() === undefined; step++) yield* TestClock.adjust("5 millis")
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })
