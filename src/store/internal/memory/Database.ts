/** One database in this process: an immutable state, one writing transaction at a time, rollback by forgetting. */
import { Context, Effect, Exit, type Fiber, HashMap, Semaphore } from "effect"
import type { Appended, StoredEvent } from "../../EventStore.ts"
import type { DeadLetter } from "../../Subscription.ts"
import type { VersionRow } from "../projection/ProjectionBackend.ts"
import { Signal } from "../Signal.ts"
import type { SubjectKey } from "../../SubjectKeys.ts"
import type { MemoryTags } from "./BoundaryMemory.ts"
import type { MemoryMessage } from "./OutboxMemory.ts"
import type { MemorySaga } from "./SagasMemory.ts"
import type { MemorySnapshot } from "./SnapshotsMemory.ts"
import type { MemorySubscription } from "./SubscriptionsMemory.ts"

/** An event whose payload is still JSON text, so that nobody can change what is stored. */
export interface MemoryEvent extends Omit<StoredEvent, "data" | "meta" | "at"> {
  readonly data: string
  readonly meta: string
  readonly millis: number
  /** It was truncated: only its place is left. */
  readonly removed?: boolean | undefined
}

export interface MemoryStream {
  readonly events: ReadonlyArray<MemoryEvent>
  readonly commands: HashMap.HashMap<string, Appended>
  readonly archivedAt?: number | undefined
}

export interface MemoryRow {
  readonly id: string
  readonly version: number
  readonly data: string
}

export interface MemoryKey {
  readonly fingerprint: string
  readonly token: string
  readonly answer: string | undefined
  readonly expiresAt: number
  readonly timeToLiveMillis: number
}

export interface State {
  readonly streams: HashMap.HashMap<string, MemoryStream>
  readonly log: ReadonlyArray<MemoryEvent>
  readonly position: bigint
  readonly collections: HashMap.HashMap<string, HashMap.HashMap<string, MemoryRow>>
  readonly keys: HashMap.HashMap<string, MemoryKey>
  readonly subscriptions: HashMap.HashMap<string, MemorySubscription>
  readonly deadLetters: HashMap.HashMap<string, ReadonlyArray<DeadLetter>>
  readonly projections: HashMap.HashMap<string, ReadonlyArray<VersionRow>>
  /** In the order of their sequences. */
  readonly outbox: ReadonlyArray<MemoryMessage>
  readonly outboxSequence: bigint
  readonly sagas: HashMap.HashMap<bigint, MemorySaga>
  readonly sagaKeys: HashMap.HashMap<string, bigint>
  readonly sagaSequence: bigint
  readonly inbox: HashMap.HashMap<string, number>
  /** In the order of their positions. */
  readonly tagged: ReadonlyArray<MemoryTags>
  readonly snapshots: HashMap.HashMap<string, MemorySnapshot>
  readonly subjectKeys: HashMap.HashMap<string, SubjectKey>
  readonly subjectStreams: HashMap.HashMap<string, ReadonlyArray<StoredEvent["stream"]>>
}

const empty: State = {
  streams: HashMap.empty(),
  log: [],
  position: 0n,
  collections: HashMap.empty(),
  keys: HashMap.empty(),
  subscriptions: HashMap.empty(),
  deadLetters: HashMap.empty(),
  projections: HashMap.empty(),
  outbox: [],
  outboxSequence: 0n,
  sagas: HashMap.empty(),
  sagaKeys: HashMap.empty(),
  sagaSequence: 0n,
  inbox: HashMap.empty(),
  tagged: [],
  snapshots: HashMap.empty(),
  subjectKeys: HashMap.empty(),
  subjectStreams: HashMap.empty()
}

interface Transaction {
  readonly database: Database
  /** A transaction of another database that is open around this one. */
  readonly outer: Transaction | undefined
  readonly callbacks: Array<Effect.Effect<void>>
  state: State
  phase: "open" | "committed" | "ended"
}

const Current = Context.Reference<Transaction | undefined>("effect-lifecycle/store/MemoryStore/Transaction", {
  defaultValue: () => undefined
})

const ended = Effect.die(
  new Error("MemoryStore: the transaction of this fiber has ended; join fibers before their UnitOfWork.run returns")
)

export class Database {
  private committed: State = empty
  private readonly writer = Semaphore.makeUnsafe(1)
  /** Tells that events have been committed. */
  readonly appended = new Signal()

  /** The position of the last event that is committed. */
  readonly position = (): bigint => this.committed.position

  /** Reads the state of the open transaction, or what is committed. */
  readonly read = <A>(f: (state: State) => A): Effect.Effect<A> =>
    Effect.withFiber((fiber) => {
      const transaction = this.transactionOf(fiber)
      if (transaction === undefined) return Effect.succeed(f(this.committed))
      return transaction.phase === "open" ? Effect.succeed(f(transaction.state)) : ended
    })

  /** Writes in the open transaction, or in one of its own. */
  readonly write = <A>(
    f: (state: State, fiber: Fiber.Fiber<unknown, unknown>) => readonly [A, State]
  ): Effect.Effect<A> =>
    Effect.withFiber((fiber) => {
      const transaction = this.transactionOf(fiber)
      if (transaction === undefined) {
        return this.writer.withPermit(Effect.sync(() => {
          const [answer, next] = f(this.committed, fiber)
          this.commit(next)
          return answer
        }))
      }
      if (transaction.phase !== "open") return ended
      const [answer, next] = f(transaction.state, fiber)
      transaction.state = next
      return Effect.succeed(answer)
    })

  readonly run = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const open = this.transactionOf(fiber)
      if (open !== undefined) return open.phase === "open" ? effect : ended
      const transaction: Transaction = {
        database: this,
        outer: fiber.getRef(Current),
        callbacks: [],
        state: this.committed,
        phase: "open"
      }
      const inside = Effect.suspend(() => {
        transaction.state = this.committed // as of the moment when the turn has come
        return Effect.onExit(Effect.provideService(effect, Current, transaction), (exit) =>
          Effect.sync(() => {
            transaction.phase = Exit.isSuccess(exit) ? "committed" : "ended"
            if (Exit.isSuccess(exit)) this.commit(transaction.state)
          }))
      })
      return Effect.onExit(
        this.writer.withPermit(inside),
        () =>
          transaction.phase === "committed"
            ? Effect.forEach(transaction.callbacks, settle, { discard: true })
            : Effect.void
      )
    })

  readonly afterCommit = <R>(effect: Effect.Effect<void, never, R>): Effect.Effect<void, never, R> =>
    Effect.withFiber((fiber) => {
      const transaction = this.transactionOf(fiber)
      if (transaction === undefined) return settle(effect)
      if (transaction.phase !== "open") return ended
      const outside = Context.add(fiber.context, Current, transaction.outer)
      transaction.callbacks.push(Effect.provideContext(effect, outside as Context.Context<R>))
      return Effect.void
    })

  readonly isOpen: Effect.Effect<boolean> = Effect.withFiber((fiber) =>
    Effect.succeed(this.transactionOf(fiber)?.phase === "open")
  )

  private commit(next: State): void {
    const appended = next.position !== this.committed.position
    this.committed = next
    if (appended) this.appended.notify()
  }

  private transactionOf(fiber: Fiber.Fiber<unknown, unknown>): Transaction | undefined {
    let transaction = fiber.getRef(Current)
    while (transaction !== undefined && transaction.database !== this) transaction = transaction.outer
    return transaction
  }
}

/** After a commit nothing can be undone: a defect is logged, and the rest still runs. */
const settle = <R>(effect: Effect.Effect<void, never, R>): Effect.Effect<void, never, R> =>
  Effect.ignoreCause(effect, { log: "Unhandled", message: "Unhandled error in an afterCommit callback" })
