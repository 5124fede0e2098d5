/**
 * The journal of sagas: which steps began, how they ended, who works on a saga, and when it is due.
 *
 * It knows no steps. `domain/Saga` runs them and writes every outcome here before it goes on; use this module to look at
 * sagas of all kinds, or to build another kind of process on the same journal.
 *
 * `work` claims sagas for the time of a lease, by the store's clock, and renews it. The token of a claim rises with every
 * claim, and every `write` names it: who has lost a saga to another writes nothing, and is told so. A claim without progress
 * counts, so that what ends its workers does not go round for ever.
 *
 * **Gotchas**
 *
 * - `start` joins the open transaction: the saga exists, and begins, after its commit.
 * - Inputs, results and failures are JSON text; their schemas are the definition's.
 * - What has ended is kept, and its id taken, until it is pruned. What is parked is never pruned.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryStore, SagaStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const sagas = yield* SagaStore.SagaStore
 *   const saga = { name: "Checkout", id: "o-1", version: 1, input: "{}" }
 *   const first = yield* sagas.start(saga)
 *   const again = yield* sagas.start(saga)
 *   return [first.started, again.started, again.saga.state]
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(program, MemoryStore.layer)), [true, false, "running"])
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, type Effect, Schema, type Scope } from "effect"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import { checked } from "./internal/saga/settings.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * Which saga; of the ambient tenant where none is named.
 *
 * @category models
 * @since 0.1.0
 */
export interface SagaKey {
  readonly name: string
  readonly id: string
  readonly tenant?: string | undefined
}

/**
 * A saga to start.
 *
 * @category models
 * @since 0.1.0
 */
export interface NewSaga {
  readonly name: string
  /** 1 to 255 characters. */
  readonly id: string
  readonly version: number
  /** JSON text. */
  readonly input: string
  /** Not before this time has passed; at once when absent. */
  readonly delay?: Duration.Input | undefined
}

/**
 * Where a saga stands. `running` and `compensating` sagas are worked on, `parked` ones wait for a person, the others ended.
 *
 * @category models
 * @since 0.1.0
 */
export type State = "running" | "compensating" | "parked" | "completed" | "compensated" | "cancelled" | "abandoned"

/**
 * Where a step stands. `started` and `undoing` were written before the effect: read by a new owner, their outcome is not
 * known. `waiting` and `undoWaiting` have failed and are tried again. `stuck` is a compensation that was given up.
 *
 * @category models
 * @since 0.1.0
 */
export type StepState =
  | "started"
  | "waiting"
  | "done"
  | "failed"
  | "undoing"
  | "undoWaiting"
  | "undone"
  | "stuck"

/**
 * What is written of a step.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepChange {
  readonly step: string
  /** From 0, in the order in which the steps began. */
  readonly place: number
  readonly state: StepState
  /** From 1, of the step or of its compensation. */
  readonly attempt: number
  /** Whether the fallback ran instead of the step. */
  readonly fallback: boolean
  /** JSON text. */
  readonly result: string | undefined
  /** JSON text: why it failed the last time. */
  readonly failure: string | undefined
}

/**
 * What is known of a step.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepRecord extends StepChange {
  readonly startedAt: Date
  readonly changedAt: Date
}

/**
 * Why a saga waits for a person.
 *
 * @category models
 * @since 0.1.0
 */
export interface ParkedFor {
  readonly reason: string
  readonly step: string | undefined
  readonly message: string
}

/**
 * @category models
 * @since 0.1.0
 */
export interface SagaRecord {
  readonly tenant: string
  readonly name: string
  readonly id: string
  readonly version: number
  readonly input: string
  /** What the request that started it gave it to carry: its ids, its place in a trace, its priority. */
  readonly meta: Readonly<Record<string, string>>
  readonly state: State
  /** Whether it is being undone, or was when it was parked. */
  readonly backward: boolean
  /** JSON text: why it is undone. */
  readonly failure: string | undefined
  readonly parked: ParkedFor | undefined
  /** What somebody said who wants it cancelled, or who abandoned it. */
  readonly wish: string | undefined
  /** Claims since the last progress. */
  readonly attempts: number
  /** Rises with every claim. */
  readonly token: bigint
  /** In the order in which they began. */
  readonly steps: ReadonlyArray<StepRecord>
  readonly startedAt: Date
  readonly changedAt: Date
}

/**
 * What `write` changes. Absent fields stay as they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly steps?: ReadonlyArray<StepChange> | undefined
  readonly state: State
  readonly backward?: boolean | undefined
  readonly failure?: string | undefined
  readonly parked?: ParkedFor | undefined
  readonly wish?: string | undefined
  /** Gives the saga back, to be due after this many milliseconds; absent, it stays with its owner unless it has ended. */
  readonly releaseMillis?: number | undefined
  /** Whether the attempts are counted anew. */
  readonly progress: boolean
}

/**
 * What a `write` answers that was not refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface Written {
  /** Why somebody wants it cancelled. */
  readonly wish: string | undefined
  /** Since it was started, by the store's clock. */
  readonly ageMillis: number
}

/**
 * A saga that this worker holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Held {
  readonly saga: SagaRecord
  /** Since it was started, by the store's clock. */
  readonly ageMillis: number
  /** Whether the worker is being stopped: what has not begun should be given back. */
  readonly isStopping: () => boolean
  /** Writes under the token of the claim; `undefined` when another has the saga by now. */
  readonly write: (change: Change) => Effect.Effect<Written | undefined, StoreUnavailable>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface WorkOptions<R> {
  /** What can be worked on here. */
  readonly definitions: ReadonlyArray<{ readonly name: string; readonly version: number }>
  /**
   * Brings a saga on, until it has ended, is parked or was given back. What it leaves is given back: at once where it has
   * succeeded or was interrupted, else after 1, 2, 4 seconds and so on up to 5 minutes.
   */
  readonly handle: (held: Held) => Effect.Effect<void, StoreUnavailable, R>
  /** How many sagas at once; 16 when absent. */
  readonly concurrency?: number | undefined
  /** After how long without a sign of life others may take its sagas, from 100 ms; 30 seconds when absent. */
  readonly lease?: Duration.Input | undefined
  /** How long the worker waits for what it is doing when it is interrupted; 10 seconds when absent. */
  readonly drain?: Duration.Input | undefined
  /** After how long a due saga is taken whose version is older than all that are known here; 1 minute when absent. */
  readonly orphanAfter?: Duration.Input | undefined
  /** How long what has ended is kept, and its id taken; 30 days when absent. */
  readonly retention?: Duration.Input | undefined
}

/**
 * Which sagas to list.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListOptions {
  readonly names?: ReadonlyArray<string> | undefined
  readonly states?: ReadonlyArray<State> | undefined
  /** 100 when absent. */
  readonly limit?: number | undefined
}

/**
 * A saga that no store could take.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidSaga extends Schema.TaggedError<InvalidSaga>()("InvalidSaga", {
  saga: Schema.String,
  id: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Invalid saga ${this.saga} "${this.id}": ${this.reason}`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class SagaStore extends Context.Service<SagaStore, {
  /** Keeps a saga in the open transaction, for the ambient tenant. When its id is taken, nothing is written. */
  readonly start: (
    saga: NewSaga
  ) => Effect.Effect<{ readonly started: boolean; readonly saga: SagaRecord }, StoreUnavailable | InvalidSaga>
  readonly find: (key: SagaKey) => Effect.Effect<SagaRecord | undefined, StoreUnavailable>
  /** Of all tenants, the one that changed longest ago first. */
  readonly list: (options?: ListOptions) => Effect.Effect<ReadonlyArray<SagaRecord>, StoreUnavailable>
  /** How many there are in each state, of all tenants. */
  readonly count: (names?: ReadonlyArray<string>) => Effect.Effect<Readonly<Record<State, number>>, StoreUnavailable>
  /**
   * Takes a saga that is in one of `states` from whoever has it, changes it, and lets it go; `undefined` from `change` leaves
   * it as it was. Answers whether it was changed.
   */
  readonly amend: <E, R>(
    key: SagaKey,
    states: ReadonlyArray<State>,
    change: (saga: SagaRecord) => Effect.Effect<Change | undefined, E, R>
  ) => Effect.Effect<boolean, StoreUnavailable | E, R>
  /** Asks the owner of a running saga, or the next one, to undo it; `false` when it is not running. */
  readonly cancel: (key: SagaKey, reason: string) => Effect.Effect<boolean, StoreUnavailable>
  /** Works on what is due and what comes, of all tenants, until it is interrupted. */
  readonly work: <R>(options: WorkOptions<R>) => Effect.Effect<never, InvalidOption, R>
  /** Makes the workers of this process wait for the end of a saga when they are stopped, however long it takes. */
  readonly promise: (key: SagaKey) => Effect.Effect<void>
  /** Hears that some saga has changed here, or somewhere else; what is missed there is found within `pollMillis`. It must not throw. */
  readonly heard: (listener: () => void) => Effect.Effect<void, never, Scope.Scope>
  readonly pollMillis: number
  /** Removes what ended longer ago, and answers how many. Workers do so by their `retention`. */
  readonly prune: (olderThan: Duration.Input) => Effect.Effect<number, StoreUnavailable>
}>()("effect-lifecycle/store/SagaStore") {}

/**
 * Whether a saga in this state has ended for good.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isEnded = (state: State): boolean =>
  state === "completed" || state === "compensated" || state === "cancelled" || state === "abandoned"

/**
 * What is wrong with the options of a worker, as `work` finds it: for layers, which say it before they begin to work.
 *
 * @category validation
 * @since 0.1.0
 */
export const invalidOption = (
  module: string,
  options: Omit<WorkOptions<never>, "handle">
): InvalidOption | undefined => {
  const limits = checked(module, options)
  return limits instanceof InvalidOption ? limits : undefined
}
