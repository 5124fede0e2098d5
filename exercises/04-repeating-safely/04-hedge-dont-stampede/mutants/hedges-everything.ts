// fails: f - forgets to ask for the method
import { type Cause, Data, Effect, Exit, Option, Queue } from "effect"
import { RequestStrategy, type RetryBudget } from "effect-lifecycle/resilience"

export class AllFailed extends Data.TaggedError("AllFailed")<{
  readonly causes: ReadonlyArray<Cause.Cause<string>>
}> {}

export type Attempt = (number: number) => Effect.Effect<string, string>

const isSafe = (method: string): boolean => method === "GET" || method === "HEAD"

export const hedge = (_method: string, attempt: Attempt): Effect.Effect<string, AllFailed> =>
  Effect.gen(function*() {
    const most = 3
    const ended = yield* Queue.unbounded<Exit.Exit<string, string>>()
    const causes: Array<Cause.Cause<string>> = []
    let started = 0
    const start = Effect.suspend(() =>
      attempt(++started).pipe(
        Effect.exit,
        Effect.flatMap((exit) => Queue.offer(ended, exit)),
        Effect.forkScoped({ startImmediately: true })
      )
    )
    yield* start
    while (causes.length < most) {
      const next = started < most
        ? yield* Effect.timeoutOption(Queue.take(ended), "100 millis")
        : Option.some(yield* Queue.take(ended))
      if (Option.isSome(next)) {
        if (Exit.isSuccess(next.value)) return next.value.value
        causes.push(next.value.cause)
      }
      if (started < most) yield* start
    }
    return yield* new AllFailed({ causes })
  }).pipe(Effect.scoped)

export const hedgeWithLibrary = (budget: RetryBudget.RetryBudget) => {
  const strategy = RequestStrategy.hedged({ attempts: 3, delay: "100 millis", budget })
  return (method: string, attempt: Attempt): Effect.Effect<string, unknown> =>
    strategy.run(({ number }) => attempt(number), { method, idempotent: isSafe(method) })
}
