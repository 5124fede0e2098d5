// fails: c - counts retries where runs are meant
import { Context, Data, ExecutionPlan, type Stream } from "effect"
import { Fallback } from "effect-lifecycle/resilience"

export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly run: number }> {}

export interface Payment {
  readonly id: number
  readonly amount: number
}

const twice = ExecutionPlan.make({ provide: Context.empty(), attempts: 2 })

export const steady = (feed: Stream.Stream<Payment, ConnectionLost>): Stream.Stream<Payment, ConnectionLost> =>
  Fallback.planStream(feed, twice, { mode: { dedupeBy: (payment) => payment.id } })
