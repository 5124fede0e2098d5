/** What a store must have for an inbox: a row for each message that was handled. */
import type { Effect } from "effect"
import type { Received } from "../../Inbox.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"

export interface InboxBackend {
  /** In the open transaction: `false` when the row is there, after waiting for whoever is writing it. */
  readonly record: (tenant: string, message: Received) => Effect.Effect<boolean, StoreUnavailable>
  readonly find: (tenant: string, message: Received) => Effect.Effect<boolean, StoreUnavailable>
  readonly remove: (tenant: string, message: Received) => Effect.Effect<boolean, StoreUnavailable>
  readonly prune: (millis: number) => Effect.Effect<number, StoreUnavailable>
}
