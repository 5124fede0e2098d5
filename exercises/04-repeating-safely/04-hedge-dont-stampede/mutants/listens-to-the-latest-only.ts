// fails: d - hears only of the failure of the latest attempt
import { type Cause, Data, Deferred, Effect } from "effect"
import { RequestStrategy, type RetryBudget } from "effect-lifecycle/resilience"

export class AllFailed extends Data.TaggedError("AllFailed")<{
  readonly causes: ReadonlyArray<Cause.Cause<string>>
}> {}

export type Attempt = (number: number) => Effect.Effect<string, string>

export const hedge = (method: string, attempt: Attempt): Effect.Effect<string, AllFailed> =>
  Effect.suspend(() => {
    const most = method === "GET" || method === "HEAD" ? 3 : 1
    const causes: Array<Cause.Cause<string>> = []
    const from = (number: number): Effect.Effect<string, void> =>
      Effect.gen(function*() {
        const failed = yield* Deferred.make<void>()
        const mine = attempt(number).pipe(
          Effect.catchCause((cause) => {
            causes.push(cause)
            return Effect.andThen(Deferred.succeed(failed, undefined), Effect.fail(undefined))
          })
        )
        if (number === most) return yield* mine
        const late = Effect.timeoutOption(Deferred.await(failed), "100 millis")
        return yield* Effect.race(mine, Effect.andThen(late, from(number + 1)))
      })
    return Effect.mapError(from(1), () => new AllFailed({ causes }))
  })

export const hedgeWithLibrary = (budget: RetryBudget.RetryBudget) => {
  const safe = RequestStrategy.hedged({ attempts: 3, delay: RequestStrategy.fixed("100 millis"), budget })
  const strategy = RequestStrategy.byMethod({ safe })
  return (method: string, attempt: Attempt): Effect.Effect<string, unknown> =>
    strategy.run(({ number }) => attempt(number), { method })
}
