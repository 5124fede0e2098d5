/** What a store must have for an outbox: rows that are claimed with a lease and settled under the token of the claim. */
import type { Effect, Scope } from "effect"
import type { DeadLetter, Message, Status } from "../../Outbox.ts"
import type { StoreUnavailable } from "../../UnitOfWork.ts"

export interface PreparedMessage {
  readonly id: string
  readonly tenant: string
  readonly topic: string
  readonly key: string | undefined
  /** JSON text. */
  readonly payload: string
  /** JSON text. */
  readonly headers: string
  readonly delayMillis: number
}

export interface Claimed {
  readonly sequence: bigint
  readonly token: bigint
}

/** How a claim ended. `released` gives the attempt back, because nothing has been tried. */
export interface Settlement extends Claimed {
  readonly outcome: "published" | "again" | "released" | "dead" | "paused"
  readonly delayMillis: number
  readonly reason: string
}

export interface OutboxBackend {
  /** In the open transaction. An id that is there already writes nothing. */
  readonly enqueue: (messages: ReadonlyArray<PreparedMessage>) => Effect.Effect<void, StoreUnavailable>
  /**
   * Settles, then claims the messages that are due and have no earlier one of their key before them. What is no longer held
   * under its token settles nothing. It can be repeated: what has been settled is settled.
   */
  readonly advance: (
    settlements: ReadonlyArray<Settlement>,
    limit: number,
    leaseMillis: number,
    topics: ReadonlyArray<string> | undefined
  ) => Effect.Effect<ReadonlyArray<Message>, StoreUnavailable>
  /** How long until the next message is due; `undefined` when there is none to wait for. */
  readonly next: (topics: ReadonlyArray<string> | undefined) => Effect.Effect<number | undefined, StoreUnavailable>
  /** The sequences of those that are still held, and are now held for longer. */
  readonly extend: (
    held: ReadonlyArray<Claimed>,
    leaseMillis: number
  ) => Effect.Effect<ReadonlySet<bigint>, StoreUnavailable>
  /** Settles without claiming. */
  readonly settle: (settlements: ReadonlyArray<Settlement>) => Effect.Effect<void, StoreUnavailable>
  readonly status: (topics: ReadonlyArray<string> | undefined) => Effect.Effect<Status, StoreUnavailable>
  readonly deadLetters: (
    topics: ReadonlyArray<string> | undefined,
    limit: number
  ) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreUnavailable>
  readonly redeliver: (tenant: string, id: string) => Effect.Effect<boolean, StoreUnavailable>
  readonly discard: (tenant: string, id: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Removes what has been published or discarded for so long, and answers how many. */
  readonly prune: (millis: number) => Effect.Effect<number, StoreUnavailable>
  /** Tells other processes that there is something to publish. */
  readonly announce: () => void
  /** Hears the announcements of other processes until the scope closes. */
  readonly listen: (heard: () => void) => Effect.Effect<void, never, Scope.Scope>
  /** How long a message of another process can stay unnoticed. */
  readonly pollMillis: number
}
