import { Effect } from "effect"
import { Deadline } from "effect-lifecycle/request"

export interface Lease {
  readonly number: number
}

export interface Pool {
  readonly take: Effect.Effect<Lease>
  readonly giveBack: (lease: Lease) => Effect.Effect<void>
}

export interface Reply {
  readonly status: number
}

export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.acquireUseRelease(pool.take, work, pool.giveBack)

export const handle = <E>(pool: Pool, work: (lease: Lease) => Effect.Effect<void, E>): Effect.Effect<Reply, E> =>
  withLease(pool, work).pipe(
    Effect.as<Reply>({ status: 200 }),
    Deadline.within("1 second"),
    Effect.catchIf(
      (error): error is Deadline.DeadlineExceeded => error instanceof Deadline.DeadlineExceeded,
      () => Effect.succeed<Reply>({ status: 504 })
    )
  )
