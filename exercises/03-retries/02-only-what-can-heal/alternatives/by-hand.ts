// A recursion with a list of waits; the library's strategy with a verdict in place of `while`.
import { Effect } from "effect"
import { RequestStrategy, RetryBudget, RetrySchedule, Verdict } from "effect-lifecycle/resilience"
import { type Call } from "../solution.ts"

export { type Call, Rejected, Unavailable } from "../solution.ts"

const again = (call: Call, waits: ReadonlyArray<number>): Call =>
  Effect.catchTag(call, "Unavailable", (error) => {
    const [wait, ...rest] = waits
    return wait === undefined ? Effect.fail(error) : Effect.andThen(Effect.sleep(wait), again(call, rest))
  })

export const charge = (call: Call): Call => again(call, [100, 200, 400])

const strategy = (budget: RetryBudget.RetryBudget) =>
  RequestStrategy.sequential({
    attempts: 4,
    delay: RetrySchedule.exponential(),
    jitter: RetrySchedule.none,
    budget,
    verdict: Verdict.override(Verdict.effect, Verdict.tags({ Rejected: Verdict.accept }))
  })

const withBudget = (budget: RetryBudget.RetryBudget) => (call: Call): Call =>
  Effect.catchTag(strategy(budget).run(() => call), "DeadlineExceeded", Effect.die)

export const chargeWithLibrary = withBudget(RetryBudget.unlimited)

export const shop: Effect.Effect<(call: Call) => Call> = Effect.map(RetryBudget.tokens(), withBudget)
