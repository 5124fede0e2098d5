// A scope owns the lease; the deadline stands around the scope.
import { Effect, Option } from "effect"
import { type Lease, type Pool, type Reply } from "../solution.ts"

export { type Lease, type Pool, type Reply } from "../solution.ts"

export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.scoped(Effect.flatMap(Effect.acquireRelease(pool.take, pool.giveBack), work))

export const handle = <E>(pool: Pool, work: (lease: Lease) => Effect.Effect<void, E>): Effect.Effect<Reply, E> =>
  Effect.map(
    Effect.timeoutOption(withLease(pool, work), "1 second"),
    Option.match({ onNone: () => ({ status: 504 }), onSome: () => ({ status: 200 }) })
  )
