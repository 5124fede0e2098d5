/** What a store must have for subscriptions: a mark, and rows for checkpoints and dead letters. */
import type { Effect } from "effect"
import type { StoredEvent } from "../EventStore.ts"
import type { DeadLetter, HighWater, Status } from "../Subscription.ts"
import type { StoreUnavailable } from "../UnitOfWork.ts"

export interface Checkpoint {
  readonly position: bigint
  readonly paused: Status["paused"]
}

export interface SubscriptionBackend {
  /** Begins to follow the log; once is enough, more does no harm. */
  readonly start: Effect.Effect<void>
  readonly highWater: Effect.Effect<HighWater>
  /** Waits until the mark is beyond the position, and answers the mark. */
  readonly markBeyond: (position: bigint) => Effect.Effect<bigint>
  /** The highest position that is visible at this moment. */
  readonly highest: Effect.Effect<bigint, StoreUnavailable>
  readonly find: (name: string) => Effect.Effect<Checkpoint | undefined, StoreUnavailable>
  /** Makes a checkpoint where there is none, and answers the one there is. */
  readonly open: (name: string, position: bigint) => Effect.Effect<Checkpoint, StoreUnavailable>
  /** As `find`, inside a transaction; nobody else changes it until that has ended. */
  readonly lock: (name: string) => Effect.Effect<Checkpoint | undefined, StoreUnavailable>
  readonly save: (name: string, position: bigint) => Effect.Effect<void, StoreUnavailable>
  readonly pause: (name: string, position: bigint, reason: string) => Effect.Effect<void, StoreUnavailable>
  readonly resume: (name: string) => Effect.Effect<boolean, StoreUnavailable>
  readonly bury: (
    name: string,
    event: StoredEvent,
    reason: string,
    attempts: number
  ) => Effect.Effect<void, StoreUnavailable>
  readonly unbury: (name: string, position: bigint) => Effect.Effect<boolean, StoreUnavailable>
  readonly buried: (name: string) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreUnavailable>
  readonly countBuried: (name: string) => Effect.Effect<number, StoreUnavailable>
}
