// fails: e - lets a call only become less urgent than its caller
import { Effect } from "effect"
import { Priority } from "effect-lifecycle/request"
import { Bulkhead } from "effect-lifecycle/resilience"
import { type Lanes, type Limits, Refused } from "../solution.ts"

export { make, Refused } from "../solution.ts"

export const makeWithLibrary = ({ permits, queue }: Limits): Effect.Effect<Lanes> =>
  Effect.map(Bulkhead.make({ name: "payments", permits, queue }), (bulkhead) => ({
    run: (priority, call) =>
      bulkhead.run(call).pipe(
        Priority.withPriority(priority),
        Effect.mapError((error) => error instanceof Bulkhead.BulkheadRejected ? new Refused() : error)
      )
  }))
