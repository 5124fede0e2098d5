// fails: e - does not tell the bulkhead who is urgent
import { Effect } from "effect"
import { Bulkhead } from "effect-lifecycle/resilience"
import { type Lanes, type Limits, Refused } from "../solution.ts"

export { make, Refused } from "../solution.ts"

export const makeWithLibrary = ({ permits, queue }: Limits): Effect.Effect<Lanes> =>
  Effect.map(Bulkhead.make({ name: "payments", permits, queue }), (bulkhead) => ({
    run: (_priority, call) =>
      bulkhead.run(call).pipe(
        Effect.mapError((error) => error instanceof Bulkhead.BulkheadRejected ? new Refused() : error)
      )
  }))
