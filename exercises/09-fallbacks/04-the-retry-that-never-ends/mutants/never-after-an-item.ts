// fails: c - repeats nothing by giving up at the first payment
import { Context, Data, ExecutionPlan, type Stream } from "effect"
import { Fallback } from "effect-lifecycle/resilience"

export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly run: number }> {}

export interface Payment {
  readonly id: number
  readonly amount: number
}

const thrice = ExecutionPlan.make({ provide: Context.empty(), attempts: 3 })

export const steady = (feed: Stream.Stream<Payment, ConnectionLost>): Stream.Stream<Payment, ConnectionLost> =>
  Fallback.planStream(feed, thrice, { mode: "fail" })
