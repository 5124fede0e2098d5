/** One partition, for as long as this process holds it: from the mark to a page, to the handler, to the checkpoint. */
import { Cause, Clock, Effect, Exit, Fiber, Option, Schedule, Stream } from "effect"
import type { EventStore, StoredEvent } from "../../EventStore.ts"
import type { Filter } from "../../Subscription.ts"
import { StoreUnavailable, type UnitOfWork } from "../../UnitOfWork.ts"
import { reasonOf } from "../reasons.ts"
import { Undone } from "../Undone.ts"
import type { Plan } from "./division.ts"
import type { Progress } from "./progress.ts"
import type { Checkpoint, Hold, SubscriptionBackend } from "./SubscriptionBackend.ts"

export interface Stores {
  readonly backend: SubscriptionBackend
  readonly store: EventStore["Service"]
  readonly unit: UnitOfWork["Service"]
}

/** What to do with events; the same for every partition. */
export interface Work<E, R> {
  readonly name: string
  readonly filter: Filter
  /** Handles what shares a transaction, inside it, for one of so many partitions; called anew for every attempt. */
  readonly handle: (events: ReadonlyArray<StoredEvent>, partitions: number) => Effect.Effect<void, E, R>
  readonly batchSize: number
  readonly retry: Schedule.Schedule<unknown, Cause.Cause<unknown>>
  readonly poison: "pause" | "skip"
  readonly leaseMillis: number
  readonly timeoutMillis: number
  readonly progress: Progress
  readonly buried: () => void
}

/** The partition as it was when its owner got it. */
export interface Held {
  readonly hold: Hold
  readonly count: number
  readonly generation: number
  readonly plan: Plan | undefined
  readonly checkpoint: Checkpoint
  /** Tells since when a transaction is open. */
  readonly busy: (since: number | undefined) => void
  /** The partition has come to where all are divided anew. */
  readonly aligned: () => void
}

interface State {
  /** What has been handled, or was not asked for. */
  readonly position: bigint
  /** What the row says; behind `position` when only events of no interest came. */
  readonly stored: bigint
  readonly storedAt: number
  readonly paused: Checkpoint["paused"]
}

/** Events that are being read. */
interface Page {
  readonly after: bigint
  readonly upTo: bigint
  readonly events: Fiber.Fiber<ReadonlyArray<StoredEvent>, StoreUnavailable>
}

/** The row is not as it was left: somebody else has the partition, or the answer of a commit was lost. */
class Refused {
  readonly _tag = "Refused"
}

/**
 * How long a checkpoint may stay behind events that the filter leaves out, and behind those of a long backlog for which the
 * handler had nothing to do; owners elsewhere wait for each other's.
 */
const saveAfterMillis = (count: number): number => count === 1 ? 1000 : 250
/** How often a name that another process may run is looked at. */
export const lookEveryMillis = 100

const outage = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

/** An unavailable store is waited for, however long it takes. */
export const persist = <A, E, R>(
  self: Effect.Effect<A, E | StoreUnavailable, R>
): Effect.Effect<A, Exclude<E, StoreUnavailable>, R> =>
  Effect.retry(self, { schedule: outage, while: (error) => error instanceof StoreUnavailable }).pipe(
    Effect.catch((error) =>
      // The schedule has no end.
      error instanceof StoreUnavailable ? Effect.die(error) : Effect.fail(error as Exclude<E, StoreUnavailable>)
    )
  )

/** Ends when the partition is no longer held. */
export const follow = <E, R>(
  { backend, store, unit }: Stores,
  work: Work<E, R>,
  { aligned, busy, checkpoint, count, generation, hold, plan }: Held
): Effect.Effect<void, never, R> => {
  const { batchSize, buried, filter, handle, name, poison, progress, retry, timeoutMillis } = work
  const share = count === 1 ? undefined : { of: count, index: hold.index }
  const saveAfter = saveAfterMillis(count)

  const stateOf = (checkpoint: Checkpoint): Effect.Effect<State> =>
    Effect.map(Clock.currentTimeMillis, (storedAt) => {
      progress.moved(generation, hold.index, checkpoint.position)
      return { position: checkpoint.position, stored: checkpoint.position, storedAt, paused: checkpoint.paused }
    })

  /** Does the work and moves the checkpoint, or neither. The row is touched last, so that nobody waits for the work. */
  const commit = <E, R>(state: State, to: Checkpoint, work: Effect.Effect<void, E, R>) =>
    unit.run(Effect.andThen(work, move(state, to)))
  const move = (state: State, to: Checkpoint) =>
    Effect.flatMap(backend.move(hold, state.stored, to), (moved) => moved ? Effect.succeed(to) : Effect.fail(refused))

  const ownFailure = (cause: Cause.Cause<unknown>) => storeFailure(backend, cause)

  const slow = Effect.die(new Error(`The handler was not done within its timeout (${timeoutMillis} ms)`))
  /** `untouched` says what follows when there was nothing to do: nothing was done that could be undone. */
  const handleAll = <A>(
    state: State,
    events: ReadonlyArray<StoredEvent>,
    to: bigint,
    untouched: Effect.Effect<A, StoreUnavailable | Refused>
  ) =>
    Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<A | Checkpoint, E | StoreUnavailable | Refused, R> => {
      busy(now)
      const handled = handle(events, count)
      if (isDone(handled)) return untouched
      const checkpoint = { position: to, paused: undefined }
      return commit(state, checkpoint, Effect.timeoutOrElse(handled, { duration: timeoutMillis, orElse: () => slow }))
    }).pipe(
      Effect.ensuring(Effect.sync(() => busy(undefined))),
      Effect.sandbox
    )

  const handleOne = Effect.fnUntraced(function*(state: State, event: StoredEvent, to: bigint) {
    let attempts = 0
    const attempt = Effect.suspend(() => {
      attempts++
      return handleAll(state, [event], to, move(state, { position: to, paused: undefined }))
    })
    return yield* attempt.pipe(
      Effect.retry({ schedule: retry, while: (cause) => ownFailure(cause) === undefined }),
      // A schedule that throws has ended: the handler's own defects are failures by now.
      Effect.catchDefect((defect) => Effect.fail(Cause.die(defect))),
      Effect.catch((cause): Effect.Effect<Checkpoint, StoreUnavailable | Refused> => {
        const own = ownFailure(cause)
        if (own !== undefined) return Effect.fail(own)
        const reason = reasonOf(nameOf(event), cause)
        return poison === "skip"
          ? Effect.tap(
            commit(state, { position: to, paused: undefined }, backend.bury(name, event, reason, attempts)),
            () => Effect.sync(buried)
          )
          : move(state, { position: state.position, paused: { position: event.position, reason } })
      })
    )
  })

  const oneByOne = Effect.fnUntraced(function*(before: State, events: ReadonlyArray<StoredEvent>, to: bigint) {
    let state = before
    for (const [index, event] of events.entries()) {
      const expected = index === events.length - 1 ? to : event.position
      state = yield* Effect.flatMap(persist(handleOne(state, event, expected)), stateOf)
      if (state.paused !== undefined) return state
    }
    return state
  })

  const read = (after: bigint, upTo: bigint) =>
    Stream.runCollect(
      store.readAll({ ...filter, tenants: filter.tenants ?? "all", after, upTo, limit: batchSize, share })
    )

  /** The page after the one that is being handled; given up when the checkpoint does not come to where it begins. */
  let ahead: Page | undefined
  const forget = Effect.suspend(() => {
    const page = ahead
    ahead = undefined
    return page === undefined ? Effect.void : Fiber.interrupt(page.events)
  })

  const save = (state: State) => Effect.flatMap(move(state, { position: state.position, paused: undefined }), stateOf)

  const step = Effect.fnUntraced(function*(state: State) {
    if (state.paused !== undefined) {
      const { turns } = progress
      yield* Effect.timeoutOption(progress.changed.until(() => progress.turns !== turns), lookEveryMillis)
      return yield* Effect.fail(refused) // looks at the row
    }
    const unsaved = state.position !== state.stored
    if (plan !== undefined && state.position >= plan.at) {
      const done = unsaved ? yield* save(state) : state
      aligned()
      return yield* Effect.as(Effect.never, done)
    }
    const left = state.storedAt + saveAfter - (yield* Clock.currentTimeMillis)
    if (unsaved && left <= 0) return yield* save(state)
    const next = ahead?.after === state.position ? ahead : yield* forget
    ahead = undefined
    let upTo: bigint
    if (next === undefined) {
      const beyond = backend.markBeyond(state.position)
      const mark = unsaved ? yield* Effect.timeoutOption(beyond, left) : Option.some(yield* beyond)
      if (Option.isNone(mark)) return yield* save(state)
      upTo = plan !== undefined && plan.at < mark.value ? plan.at : mark.value
    } else upTo = next.upTo
    const passed = (position: bigint) =>
      Effect.map(Clock.currentTimeMillis, (now): State => {
        progress.moved(generation, hold.index, position)
        return { ...state, position, storedAt: unsaved ? state.storedAt : now }
      })
    const events = yield* next === undefined ? read(state.position, upTo) : Fiber.join(next.events)
    const last = events.at(-1)
    if (last === undefined) return yield* passed(upTo)
    const to = events.length === batchSize ? last.position : upTo
    if (to < upTo) ahead = { after: to, upTo, events: yield* Effect.forkChild(read(to, upTo)) }
    if (events.length === 1) return yield* oneByOne(state, events, to)
    const untouched = to < upTo ? passed(to) : Effect.flatMap(move(state, { position: to, paused: undefined }), stateOf)
    return yield* handleAll(state, events, to, untouched).pipe(
      Effect.retry({ times: 1, while: (cause) => ownFailure(cause) instanceof Undone }),
      Effect.flatMap((done) => "stored" in done ? Effect.succeed(done) : stateOf(done)),
      Effect.catch((cause) => {
        const own = ownFailure(cause)
        // Of two that wait for each other one is undone: by itself an event holds the least that others can wait for.
        return own === undefined || own instanceof Undone ? oneByOne(state, events, to) : Effect.fail(own)
      })
    )
  })

  /** What the row says, while it is still under this token. */
  const reload = Effect.gen(function*() {
    const found = yield* backend.find(name)
    const row = found?.generation === generation ? found.partitions[hold.index] : undefined
    return row?.token === hold.token ? yield* stateOf(row) : undefined
  })

  return Effect.gen(function*() {
    let state: State | undefined = yield* stateOf(checkpoint)
    while (state !== undefined) {
      const before: State = state
      state = yield* persist(step(before)).pipe(Effect.catchTag("Refused", () => persist(reload)))
    }
  })
}

const refused = new Refused()

/** What says nothing about an event: the store is away, or the partition is somebody else's. */
export const storeFailure = (
  backend: SubscriptionBackend,
  cause: Cause.Cause<unknown>
): StoreUnavailable | Refused | undefined => {
  for (const reason of cause.reasons) {
    const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
    if (error instanceof StoreUnavailable || error instanceof Refused) return error
    const outage = backend.outageOf(error)
    if (outage !== undefined) return outage
  }
  return undefined
}

/** Whether an effect is a success that is there already. */
export const isDone = (effect: Effect.Effect<unknown, unknown, unknown>): boolean =>
  Exit.isExit(effect) && Exit.isSuccess(effect)

export const nameOf = (event: StoredEvent): string =>
  `${event.type} (version ${event.version} of ${event.stream.category} ${event.stream.id})`
