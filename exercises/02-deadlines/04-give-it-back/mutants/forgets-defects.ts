// fails: b - handles errors, and a bug is none
import { Effect } from "effect"
import type { Lease, Pool } from "../solution.ts"

export * from "../solution.ts"

export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.flatMap(pool.take, (lease) =>
    work(lease).pipe(
      Effect.tap(() => pool.giveBack(lease)),
      Effect.tapError(() => pool.giveBack(lease))
    ))
