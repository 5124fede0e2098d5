/** What a store must have for sagas: rows that are claimed with a lease and written under the token of the claim. */
import type { Effect, Scope } from "effect"
import type { Change, ListOptions, SagaRecord, State, Written } from "../../SagaStore.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"

export interface FullKey {
  readonly tenant: string
  readonly name: string
  readonly id: string
}

export interface PreparedSaga extends FullKey {
  readonly version: number
  readonly input: string
  /** JSON text. */
  readonly meta: string
  readonly delayMillis: number
}

export interface Claim {
  readonly sequence: bigint
  readonly token: bigint
}

export interface ClaimedSaga extends Claim {
  readonly saga: SagaRecord
  readonly ageMillis: number
}

/** What a worker can run. */
export interface Known {
  readonly names: ReadonlyArray<string>
  readonly versions: ReadonlyArray<number>
  /** After how long a due saga of a version older than all known ones counts as known. */
  readonly orphanMillis: number
}

export interface SagaBackend {
  /** In the open transaction; `false` when the id is taken. */
  readonly insert: (saga: PreparedSaga) => Effect.Effect<boolean, StoreUnavailable>
  readonly find: (key: FullKey) => Effect.Effect<SagaRecord | undefined, StoreUnavailable>
  readonly list: (options: ListOptions) => Effect.Effect<ReadonlyArray<SagaRecord>, StoreUnavailable>
  readonly count: (
    names: ReadonlyArray<string> | undefined
  ) => Effect.Effect<ReadonlyArray<readonly [State, number]>, StoreUnavailable>
  readonly claim: (
    known: Known,
    limit: number,
    leaseMillis: number
  ) => Effect.Effect<ReadonlyArray<ClaimedSaga>, StoreUnavailable>
  /** How long until the next one is due; `undefined` when there is none to wait for. */
  readonly next: (known: Known) => Effect.Effect<number | undefined, StoreUnavailable>
  /** The sequences of those that are still held, and are now held for longer. */
  readonly extend: (
    held: ReadonlyArray<Claim>,
    leaseMillis: number
  ) => Effect.Effect<ReadonlySet<bigint>, StoreUnavailable>
  readonly write: (claim: Claim, change: Change) => Effect.Effect<Written | undefined, StoreUnavailable>
  /** Gives one back as it is, to be due after this time. */
  readonly release: (claim: Claim, delayMillis: number) => Effect.Effect<void, StoreUnavailable>
  /** Takes one that is in one of the states from whoever has it. In the open transaction. */
  readonly take: (
    key: FullKey,
    states: ReadonlyArray<State>
  ) => Effect.Effect<ClaimedSaga | undefined, StoreUnavailable>
  readonly cancel: (key: FullKey, reason: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Removes what has ended for so long, and answers how many. */
  readonly prune: (millis: number) => Effect.Effect<number, StoreUnavailable>
  /** Tells other processes that there is something to do, or to see. */
  readonly announce: () => void
  /** Hears the announcements of other processes until the scope closes. */
  readonly listen: (heard: () => void) => Effect.Effect<void, never, Scope.Scope>
  readonly pollMillis: number
}
