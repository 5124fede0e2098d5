/** What every worker does that holds rows under leases: it renews them, and gives up in time what it may have lost. */
import { Clock, Effect, Option, Schedule } from "effect"
import type { StoreUnavailable } from "../UnitOfWork.ts"

/** Between two attempts to reach a store that is away. */
export const outage = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

/** An unavailable store is waited for, however long it takes. */
export const persist = <A, R>(self: Effect.Effect<A, StoreUnavailable, R>): Effect.Effect<A, never, R> =>
  Effect.orDie(Effect.retry(self, outage))

/** What is held until a moment of this process's clock. */
export interface Leased {
  readonly sequence: bigint
  readonly token: bigint
  until: number
}

/**
 * Renews what is held, four times in a lease. What another has by now, and what could not be renewed for half a lease, is
 * lost: the half that is left is the time to stop.
 */
export const keep = <L extends Leased>(options: {
  readonly leaseMillis: number
  readonly held: () => ReadonlyArray<L>
  readonly isHeld: (one: L) => boolean
  readonly extend: (
    held: ReadonlyArray<L>,
    leaseMillis: number
  ) => Effect.Effect<ReadonlySet<bigint>, StoreUnavailable>
  readonly lose: (one: L) => void
}): Effect.Effect<never> =>
  Effect.gen(function*() {
    const { extend, held, isHeld, leaseMillis, lose } = options
    const every = leaseMillis / 4
    yield* Effect.sleep(every)
    const mine = held()
    if (mine.length === 0) return
    const since = yield* Clock.currentTimeMillis
    const kept = yield* extend(mine, leaseMillis).pipe(
      Effect.timeoutOption(every),
      Effect.orElseSucceed(Option.none<ReadonlySet<bigint>>),
      Effect.map(Option.getOrUndefined)
    )
    const now = yield* Clock.currentTimeMillis
    for (const one of mine) {
      if (!isHeld(one)) continue
      if (kept?.has(one.sequence) === true) one.until = since + leaseMillis
      else if (kept !== undefined || one.until - now <= leaseMillis / 2) lose(one)
    }
  }).pipe(Effect.forever)
