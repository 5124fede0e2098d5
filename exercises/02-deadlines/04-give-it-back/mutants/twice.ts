// fails: a - gives it back on success and on every way out
import { Effect } from "effect"
import type { Lease, Pool } from "../solution.ts"

export * from "../solution.ts"

export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    pool.take,
    (lease) => Effect.tap(work(lease), () => pool.giveBack(lease)),
    pool.giveBack
  )
