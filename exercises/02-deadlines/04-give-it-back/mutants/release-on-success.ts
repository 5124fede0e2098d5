// fails: b - gives it back where the work has succeeded
import { Effect } from "effect"
import type { Lease, Pool } from "../solution.ts"

export * from "../solution.ts"

export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.flatMap(pool.take, (lease) => Effect.tap(work(lease), () => pool.giveBack(lease)))
