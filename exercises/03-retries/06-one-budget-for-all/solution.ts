import { Data, Effect } from "effect"
import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"

export class Down extends Data.TaggedError("Down")<{}> {}

export class Declined extends Data.TaggedError("Declined")<{}> {}

export type Call = Effect.Effect<string, Down | Declined>

export interface Policy {
  readonly maximum: number
  readonly ratio: number
}

export interface Payments {
  readonly run: (call: Call) => Call
}

export const make = ({ maximum, ratio }: Policy): Effect.Effect<Payments> =>
  Effect.sync(() => {
    const full = maximum * 1000
    let tokens = full
    const watched = (call: Call): Call =>
      call.pipe(
        Effect.tap(() => Effect.sync(() => void (tokens = Math.min(full, tokens + Math.round(ratio * 1000))))),
        Effect.tapError((error) =>
          Effect.sync(() => {
            if (error._tag === "Down") tokens = Math.max(0, tokens - 1000)
          })
        )
      )
    return {
      run: (call) =>
        Effect.retry(watched(call), { times: 2, while: (error) => error._tag === "Down" && tokens > full / 2 })
    }
  })

export const makeWithLibrary = (policy: Policy): Effect.Effect<Payments> =>
  Effect.map(RetryBudget.tokens(policy), (budget) => {
    const schedule = RetrySchedule.make({ attempts: 3, delay: 0, budget })
    return {
      run: (call) =>
        call.pipe(
          RetryBudget.credit(budget),
          // An answer is no failure: the schedule must not see it.
          Effect.catchTag("Declined", (declined) => Effect.succeed(declined)),
          Effect.retry(schedule),
          Effect.flatMap((answer) => typeof answer === "string" ? Effect.succeed(answer) : Effect.fail(answer))
        )
    }
  })
