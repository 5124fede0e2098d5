/** Starting sagas, waiting for them, and watching them. */
import { type Duration, Effect, Exit, Option, Queue, type Scope, Stream } from "effect"
import { type InvalidSaga, type SagaRecord, SagaStore } from "../../../store/SagaStore.ts"
import { type StoreUnavailable, UnitOfWork } from "../../../store/UnitOfWork.ts"
import { SagaMismatch, SagaNotFound, type SagaOutcome, type SagaUnreadable } from "../../SagaOutcome.ts"
import type { Saga, SagaFailure } from "./definition.ts"
import { type Driven, said } from "./journal.ts"
import { cancel, resume } from "./people.ts"
import { isOver, outcomeOf, type Progress, progressOf } from "./reading.ts"

/**
 * What to start.
 *
 * @category models
 * @since 0.1.0
 */
export interface StartOptions<Input> {
  /** 1 to 255 characters. The sagas of one name and tenant have an id each. */
  readonly id: string
  readonly input: Input
  /** Not before this time has passed; at once when absent. */
  readonly delay?: Duration.Input | undefined
  /** What becomes of a saga of this id that is parked: it waits for a person (`leave`, the default), or is resumed. */
  readonly whenParked?: "leave" | "resume" | undefined
}

/**
 * Starts a saga, and answers whether it is new: an id is started once. Inside a transaction it begins after the commit.
 *
 * @category combinators
 * @since 0.1.0
 */
export const start = <Name extends string, Input, Results, E, R>(
  saga: Saga<Name, Input, Results, E, R>,
  options: StartOptions<NoInfer<Input>>
): Effect.Effect<boolean, StoreUnavailable | InvalidSaga | SagaMismatch, SagaStore> =>
  Effect.gen(function*() {
    const { delay, id, whenParked = "leave" } = options
    const { name, version } = saga
    const input = saga.driven.input.encode(options.input)
    const store = yield* SagaStore
    const found = yield* store.start({ name, version, id, input, delay })
    if (found.saga.input !== input) return yield* new SagaMismatch({ saga: name, id })
    if (found.saga.state === "parked" && whenParked === "resume") yield* resume(saga, id)
    return found.started
  })

/**
 * Waits until a saga has ended or is parked, wherever it runs.
 *
 * @category combinators
 * @since 0.1.0
 */
export const wait = <Name extends string, Input, Results, E, R>(
  saga: Saga<Name, Input, Results, E, R>,
  id: string
): Effect.Effect<
  SagaOutcome<Results, SagaFailure<E>>,
  StoreUnavailable | SagaNotFound | SagaUnreadable,
  SagaStore | UnitOfWork
> => awaited<Name, Input, Results, E, R, never>("Saga.wait", saga, id, () => undefined)

const awaited = <Name extends string, Input, Results, E, R, A>(
  called: string,
  saga: Saga<Name, Input, Results, E, R>,
  id: string,
  enough: (record: SagaRecord) => A | undefined
): Effect.Effect<
  SagaOutcome<Results, SagaFailure<E>> | A,
  StoreUnavailable | SagaNotFound | SagaUnreadable,
  SagaStore | UnitOfWork
> =>
  Effect.scoped(Effect.gen(function*() {
    yield* outside(called)
    const next = yield* watch(saga.name, id)
    while (true) {
      const record = yield* next
      const outcome = yield* outcomeOf(saga.driven, record)
      // What the definition has decoded has its types.
      if (outcome !== undefined) return outcome as SagaOutcome<Results, SagaFailure<E>>
      const found = enough(record)
      if (found !== undefined) return found
    }
  }))

/**
 * A saga that goes on later: a step failed and is tried again, or nobody knows how it has ended and somebody will look.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delayed {
  readonly _tag: "Delayed"
  readonly step: string
  /** Whether it is being undone. */
  readonly backward: boolean
  /** Why, for those who look after it; it is not made for clients. */
  readonly message: string
}

/**
 * As {@link wait}, but not past a step that is to be tried again later: for a caller who has to answer now, and can ask again.
 *
 * @category combinators
 * @since 0.1.0
 */
export const waitUnlessDelayed = <Name extends string, Input, Results, E, R>(
  saga: Saga<Name, Input, Results, E, R>,
  id: string
): Effect.Effect<
  SagaOutcome<Results, SagaFailure<E>> | Delayed,
  StoreUnavailable | SagaNotFound | SagaUnreadable,
  SagaStore | UnitOfWork
> => awaited("Saga.waitUnlessDelayed", saga, id, (record) => delayOf(saga.driven, record))

/**
 * Starts a saga and waits for its outcome. Whoever stops waiting changes nothing; {@link stream} has other policies.
 *
 * @category combinators
 * @since 0.1.0
 */
export const run = <Name extends string, Input, Results, E, R>(
  saga: Saga<Name, Input, Results, E, R>,
  options: StartOptions<NoInfer<Input>>
): Effect.Effect<
  SagaOutcome<Results, SagaFailure<E>>,
  StoreUnavailable | InvalidSaga | SagaMismatch | SagaNotFound | SagaUnreadable,
  SagaStore | UnitOfWork
> => Effect.andThen(outside("Saga.run"), Effect.andThen(start(saga, options), wait(saga, options.id)))

/**
 * What becomes of a saga whose consumer leaves before its end, by a break, a failure or an interruption.
 *
 * @category models
 * @since 0.1.0
 */
export type OnLeave = "detach" | "compensate" | "complete"

/**
 * Starts a saga, or joins it, and tells its steps as they end, those that have ended before included. The last element is
 * the outcome.
 *
 * A consumer may leave. Then, by `onLeave`, the saga goes on wherever it runs (`detach`, the default); it is cancelled and
 * undone (`compensate`); or it goes on, and the workers of this process end it before they stop (`complete`).
 *
 * @category combinators
 * @since 0.1.0
 */
export const stream = <Name extends string, Input, Results, E, R>(
  saga: Saga<Name, Input, Results, E, R>,
  options: StartOptions<NoInfer<Input>> & { readonly onLeave?: OnLeave | undefined }
): Stream.Stream<
  Progress<Results, SagaFailure<E>>,
  StoreUnavailable | InvalidSaga | SagaMismatch | SagaNotFound | SagaUnreadable,
  SagaStore | UnitOfWork
> =>
  Stream.unwrap(Effect.gen(function*() {
    yield* outside("Saga.stream")
    const { id, onLeave = "detach" } = options
    const store = yield* SagaStore
    let over = false
    const left = (exit: Exit.Exit<unknown, unknown>) =>
      Effect.suspend(() => {
        if (over) return Effect.void
        if (onLeave === "complete") return store.promise({ name: saga.name, id })
        if (onLeave === "detach") return Effect.void
        const reason = Exit.isSuccess(exit) ? "its consumer left" : "its consumer failed or was interrupted"
        return cancel(saga, id, reason).pipe(
          Effect.provideService(SagaStore, store),
          // The store is away: the saga goes on as it was, which an operator sees in its state.
          Effect.ignore({ log: "Warn", message: `Could not cancel the saga ${saga.name} "${id}"` })
        )
      })
    yield* Effect.addFinalizer(left)
    yield* start(saga, options)
    const next = yield* watch(saga.name, id)
    const told = new Set<string>()
    return Stream.paginate(undefined, () =>
      Effect.gen(function*() {
        const record = yield* next
        const progress = yield* progressOf(saga.driven, record, told)
        over = isOver(record)
        // What the definition has decoded has its types.
        const typed = progress as ReadonlyArray<Progress<Results, SagaFailure<E>>>
        return [typed, over ? Option.none() : Option.some(undefined)] as const
      }))
  }))

/** Each time it may have changed, the saga as it is then; the first time at once. */
const watch = (
  name: string,
  id: string
): Effect.Effect<Effect.Effect<SagaRecord, StoreUnavailable | SagaNotFound>, never, SagaStore | Scope.Scope> =>
  Effect.gen(function*() {
    const store = yield* SagaStore
    const changes = yield* Queue.sliding<void>(1)
    yield* store.heard(() => void Queue.offerUnsafe(changes, undefined))
    let first = true
    return Effect.gen(function*() {
      if (!first) yield* Effect.timeoutOption(Queue.take(changes), store.pollMillis)
      first = false
      const found = yield* store.find({ name, id })
      return found ?? (yield* new SagaNotFound({ saga: name, id }))
    })
  })

const delayOf = ({ cause }: Driven, { backward, steps }: SagaRecord): Delayed | undefined => {
  const waiting = steps.find(({ failure, fallback, state }) =>
    // What was resumed has not failed since.
    failure !== undefined &&
    (state === "waiting" || state === "undoWaiting" ||
      // What began and has a failure is in doubt, and rests; a fallback has that of its step from its beginning.
      (state === "started" && !fallback))
  )
  return waiting && { _tag: "Delayed", step: waiting.step, backward, message: said(cause, waiting.failure) }
}

const outside = (name: string): Effect.Effect<void, never, UnitOfWork> =>
  Effect.flatMap(UnitOfWork, ({ isOpen }) =>
    Effect.flatMap(isOpen, (open) =>
      open
        ? Effect.die(new Error(`${name} inside a transaction would wait for its commit; call Saga.start there`))
        : Effect.void))
