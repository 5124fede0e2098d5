/** What a store must have for subscriptions: a mark, and rows for partitions, owners and dead letters. */
import type { Effect, Scope } from "effect"
import type { StoredEvent } from "../../EventStore.ts"
import type { DeadLetter, HighWater } from "../../Subscription.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"
import type { Division, Partition, Plan } from "./division.ts"

/** What a partition's row says after a commit. */
export interface Checkpoint {
  readonly position: bigint
  readonly paused: Partition["paused"]
}

/** An owner's hold on a partition. */
export interface Hold {
  readonly name: string
  readonly index: number
  readonly token: bigint
}

export interface SubscriptionBackend {
  /** Begins to follow the log, and hears what other processes append until the scope closes. */
  readonly start: Effect.Effect<void, never, Scope.Scope>
  readonly highWater: Effect.Effect<HighWater>
  /** Waits until the mark is beyond the position, and answers the mark. */
  readonly markBeyond: (position: bigint) => Effect.Effect<bigint>
  /** The highest position that is visible at this moment. */
  readonly highest: Effect.Effect<bigint, StoreUnavailable>
  /** How long ago, by the store's clock, the first event after the position was stored; 0 when there is none. */
  readonly ageAfter: (position: bigint) => Effect.Effect<number, StoreUnavailable>

  readonly find: (name: string) => Effect.Effect<Division | undefined, StoreUnavailable>
  /** Makes partitions at the position where there are none; more does no harm. */
  readonly open: (name: string, count: number, position: bigint) => Effect.Effect<void, StoreUnavailable>
  /** As `find`, inside a transaction; nobody else changes owners or plan until that has ended. */
  readonly lock: (name: string) => Effect.Effect<Division | undefined, StoreUnavailable>
  /** Notes that an owner is alive, for as long as the lease, and forgets those that are not. */
  readonly attend: (name: string, owner: string, leaseMillis: number) => Effect.Effect<void, StoreUnavailable>
  /** Notes no more than that: nobody is forgotten, and nothing is waited for. `false` when the owner itself has been. */
  readonly renew: (name: string, owner: string, leaseMillis: number) => Effect.Effect<boolean, StoreUnavailable>
  readonly leave: (name: string, owner: string) => Effect.Effect<void, StoreUnavailable>
  /** Changes the owner, under a new token. */
  readonly assign: (name: string, index: number, owner: string | undefined) => Effect.Effect<void, StoreUnavailable>
  readonly plan: (name: string, plan: Plan | undefined) => Effect.Effect<void, StoreUnavailable>
  /** Replaces all partitions by `plan.count` at `plan.at`, under tokens that nobody has had, and forgets the plan. */
  readonly divide: (name: string, plan: Plan) => Effect.Effect<void, StoreUnavailable>
  /** Changes a checkpoint that is still at `from`, held under that token and not paused; `false` when it is not. */
  readonly move: (hold: Hold, from: bigint, to: Checkpoint) => Effect.Effect<boolean, StoreUnavailable>
  readonly resume: (name: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Forgets the subscription, its partitions and its dead letters. */
  readonly remove: (name: string) => Effect.Effect<void, StoreUnavailable>

  /** What the error of a handler that uses the same store says of the store, and nothing of its event. */
  readonly outageOf: (error: unknown) => StoreUnavailable | undefined
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
