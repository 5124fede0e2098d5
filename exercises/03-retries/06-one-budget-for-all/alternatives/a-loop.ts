// Keeps the tokens in a Ref, and counts the attempts in a function that calls itself.
import { Effect, Ref } from "effect"
import { RetryBudget } from "effect-lifecycle/resilience"
import type { Call, Payments, Policy } from "../solution.ts"

export { Declined, Down } from "../solution.ts"

/** Three attempts; after each one that is Down, `again` says whether there may be another one. */
const attempts = (call: Call, again: Effect.Effect<boolean>, left = 2): Call =>
  Effect.catchTag(
    call,
    "Down",
    (error) => Effect.flatMap(again, (may) => may && left > 0 ? attempts(call, again, left - 1) : Effect.fail(error))
  )

export const make = ({ maximum, ratio }: Policy): Effect.Effect<Payments> =>
  Effect.map(Ref.make(maximum * 1000), (tokens) => {
    const gain = Ref.update(tokens, (count) => Math.min(maximum * 1000, count + Math.round(ratio * 1000)))
    const lose = Ref.updateAndGet(tokens, (count) => Math.max(0, count - 1000))
    const again = Effect.map(lose, (count) => count > maximum * 500)
    return { run: (call) => attempts(Effect.tap(call, () => gain), again) }
  })

export const makeWithLibrary = (policy: Policy): Effect.Effect<Payments> =>
  Effect.map(RetryBudget.tokens(policy), (budget) => {
    const again = Effect.andThen(budget.observed("failure"), budget.tryWithdraw("retry"))
    return { run: (call) => attempts(RetryBudget.credit(call, budget), again) }
  })
