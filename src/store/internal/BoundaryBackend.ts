/** What a store must have for dynamic consistency boundaries: events by tag, and an append under the locks of tags. */
import type { Effect } from "effect"
import type { AppendResult, TaggedEvent } from "../DynamicConsistencyBoundary.ts"
import type { InvalidAppend, StreamArchived } from "../EventStore.ts"
import type { StoreUnavailable } from "../UnitOfWork.ts"
import type { Prepared } from "./appends.ts"

export interface Item {
  /** Sorted, each once. */
  readonly tags: ReadonlyArray<string>
  /** Sorted, each once; all types when `undefined`. */
  readonly types: ReadonlyArray<string> | undefined
}

export interface KnownItem extends Item {
  /** Events up to here have been seen. */
  readonly after: bigint
}

export interface BoundaryBackend {
  /** The events that match, and for each item a position below which every event with one of its tags can be seen. */
  readonly read: (tenant: string, items: ReadonlyArray<Item>) => Effect.Effect<{
    readonly events: ReadonlyArray<TaggedEvent>
    readonly bounds: ReadonlyArray<bigint>
  }, StoreUnavailable>
  readonly append: (
    prepared: Prepared,
    /** The tags of each event. */
    tags: ReadonlyArray<ReadonlyArray<string>>,
    items: ReadonlyArray<KnownItem>
  ) => Effect.Effect<AppendResult, StoreUnavailable | InvalidAppend | StreamArchived>
}
