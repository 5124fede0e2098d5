// fails: d - trusts payments to answer
import { Effect } from "effect"
import { type Lease, type Pool, type Reply, withLease } from "../solution.ts"

export * from "../solution.ts"

export const handle = <E>(pool: Pool, work: (lease: Lease) => Effect.Effect<void, E>): Effect.Effect<Reply, E> =>
  Effect.as(withLease(pool, work), { status: 200 })
