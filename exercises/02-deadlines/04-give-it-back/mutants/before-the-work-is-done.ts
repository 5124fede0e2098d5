// fails: a - gives it back as soon as the work has been begun
import { Effect } from "effect"
import type { Lease, Pool } from "../solution.ts"

export * from "../solution.ts"

export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.flatMap(
    pool.take,
    (lease) => Effect.andThen(pool.giveBack(lease), work(lease))
  )
