/**
 * 02.4 Give it back
 *
 * Orders has five connections to its database. A handler takes one, asks payments while it holds it, and gives it back. On
 * Monday payments is slow, and on Monday afternoon orders has no connections left: every request that ran into its deadline
 * has kept one.
 *
 * Do
 * 1. `withLease(pool, work)`: give the lease back on every way out. These are four: success, failure, a defect,
 *    interruption. Once, and not before the work has ended. The work itself stays interruptible: a customer who leaves
 *    stops it at once.
 * 2. `handle(pool, work)`: the same under a deadline of one second. Where it is over the answer is 504, and the lease is
 *    back before the answer leaves.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/02-deadlines/04-give-it-back/exercise.ts`.
 */
import { Effect } from "effect"

export interface Lease {
  readonly number: number
}

/** Five connections. */
export interface Pool {
  readonly take: Effect.Effect<Lease>
  readonly giveBack: (lease: Lease) => Effect.Effect<void>
}

export interface Reply {
  readonly status: number
}

/** Takes a lease, works, gives it back. */
export const withLease = <A, E>(
  pool: Pool,
  work: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const lease = yield* pool.take
    const answer = yield* work(lease)
    yield* pool.giveBack(lease)
    return answer
  })

/** Answers within one second. */
export const handle = <E>(pool: Pool, work: (lease: Lease) => Effect.Effect<void, E>): Effect.Effect<Reply, E> =>
  Effect.as(withLease(pool, work), { status: 200 })

if (import.meta.main) {
  let free = 5
  const pool: Pool = {
    take: Effect.sync(() => ({ number: free-- })),
    giveBack: () => Effect.sync(() => void free++)
  }
  for (let request = 1; request <= 3; request++) {
    await Effect.runPromiseExit(withLease(pool, () => Effect.fail("payments is down")))
    console.log(`after request ${request}: ${free} of 5 connections are free`)
  }
}
