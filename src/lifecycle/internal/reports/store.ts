/** What commands, subscriptions, the outbox, the inbox and sagas say. */

/**
 * A command or query has ended, or a handler with an event; `name` is then the handler's.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommandEnded {
  readonly _tag: "CommandEnded"
  readonly name: string
  readonly kind: "command" | "query" | "stream" | "event"
  readonly outcome: "success" | "failure" | "defect" | "interrupted"
  /** The `_tag` of a typed failure. */
  readonly errorTag: string | undefined
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A hook, or an event handler, that runs after the commit has failed; the command's result stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface HookFailed {
  readonly _tag: "HookFailed"
  /** The hook, or the name of the event handler. */
  readonly hook: string
  readonly command: string
  readonly attempt: number
  readonly willRetry: boolean
}

/**
 * A stored snapshot was not used; the state was folded from the events instead.
 *
 * @category models
 * @since 0.1.0
 */
export interface SnapshotIgnored {
  readonly _tag: "SnapshotIgnored"
  readonly aggregate: string
  /** It does not decode; it is not of this stream, or ends after it; its subject was shredded, or it cannot be opened. */
  readonly reason: "undecodable" | "foreign" | "shredded" | "unreadable"
}

/**
 * Where a subscription of the event store stands, as one of its owners sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SubscriptionObserved {
  readonly _tag: "SubscriptionObserved"
  readonly subscription: string
  /** Positions that are not handled yet, at most. */
  readonly lag: number
  /** The age of the first of them. */
  readonly lagMillis: number
  /** How many partitions this owner has. */
  readonly owned: number
  /** How many partitions are paused, whoever has them. */
  readonly paused: number
  readonly deadLetters: number
  /** Up to here this process knows the log to be complete. */
  readonly mark: number
  /** How long the mark has stood before a gap; 0 when it stands before none. */
  readonly gapMillis: number
  /** How many open transactions hold it there. */
  readonly holders: number
}

/**
 * A subscription has skipped an event and kept it as a dead letter.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventBuried {
  readonly _tag: "EventBuried"
  readonly subscription: string
}

/**
 * An attempt to publish a message of an outbox has ended, and the outbox has noted how.
 *
 * @category models
 * @since 0.1.0
 */
export interface MessageSettled {
  readonly _tag: "MessageSettled"
  readonly topic: string
  /** `retried`: it failed, and is tried again later; `buried`: it is a dead letter. */
  readonly outcome: "published" | "retried" | "buried"
  /** 1 the first time. */
  readonly attempt: number
  /** Since it was enqueued, the clock of the store and that of this process taken for the same. */
  readonly ageMillis: number
}

/**
 * What an outbox has to do, as one of its workers sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutboxObserved {
  readonly _tag: "OutboxObserved"
  /** The topics that the worker looks at, joined by commas; `*` when it looks at all of them. */
  readonly topics: string
  /** To be published, those in flight included. */
  readonly pending: number
  /** The age of the oldest of them; 0 when there is none. */
  readonly oldestMillis: number
  readonly deadLetters: number
  /** How many keys wait behind a dead letter. */
  readonly pausedKeys: number
}

/**
 * A message came to an inbox.
 *
 * @category models
 * @since 0.1.0
 */
export interface MessageReceived {
  readonly _tag: "MessageReceived"
  readonly source: string
  /** `handled`: it was new, and what it did is committed; `repeated`: it had been handled before. */
  readonly outcome: "handled" | "repeated" | "failed"
}

/**
 * One attempt of a saga's step, or of its compensation, has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface SagaStepEnded {
  readonly _tag: "SagaStepEnded"
  readonly saga: string
  readonly step: string
  readonly action: "run" | "compensate"
  /** `inDoubt`: it ended in a way that does not say whether anything has happened. */
  readonly outcome: "success" | "failure" | "inDoubt" | "interrupted"
  readonly attempt: number
  /** The request that started the saga. */
  readonly requestId?: string | undefined
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/**
 * A saga has ended, or waits for a person.
 *
 * @category models
 * @since 0.1.0
 */
export interface SagaEnded {
  readonly _tag: "SagaEnded"
  readonly saga: string
  /** `completed`, `compensated`, `cancelled`, `abandoned`, or `parked:` and the reason. */
  readonly outcome: string
  /** Since it was started, by the store's clock. */
  readonly ageMillis: number
}
