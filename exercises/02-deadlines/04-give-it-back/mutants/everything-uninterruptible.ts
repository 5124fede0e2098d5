// fails: c - protects the lease by protecting everything
import { Effect } from "effect"
import type { Lease, Pool } from "../solution.ts"

export * from "../solution.ts"

export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.uninterruptible(
    Effect.flatMap(pool.take, (lease) => Effect.ensuring(work(lease), pool.giveBack(lease)))
  )
