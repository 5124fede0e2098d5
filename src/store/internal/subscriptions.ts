/** `Subscriptions` over any backend: the loop from mark to page to handler to checkpoint. */
import { Cause, Clock, Effect, Option, Schedule, Stream } from "effect"
import { InvalidOption } from "../../resilience/InvalidOption.ts"
import type { EventStore, StoredEvent } from "../EventStore.ts"
import { type Options, SubscriptionPaused, Subscriptions } from "../Subscription.ts"
import { StoreUnavailable, type UnitOfWork } from "../UnitOfWork.ts"
import { Signal } from "./Signal.ts"
import type { Checkpoint, SubscriptionBackend } from "./SubscriptionBackend.ts"
import { isStorable } from "./text.ts"

/** Where the runners of this process stand with a name. */
interface Progress {
  position: bigint
  /** Counts what could concern a pause. */
  turns: number
  readonly changed: Signal
}

interface State {
  /** What has been handled, or was not asked for. */
  readonly position: bigint
  /** What the checkpoint's row says; behind `position` when only events of no interest came. */
  readonly stored: bigint
  readonly storedAt: number
  readonly paused: Checkpoint["paused"]
}

/** How long a checkpoint may stay behind events that the filter leaves out. */
const saveAfterMillis = 1000
/** How often a name that another process may run is looked at. */
const lookEveryMillis = 100
const pageSize = 500

const outage = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])
const usualRetry = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 3 }))

/** An unavailable store is waited for, however long it takes. */
const persist = <A, R>(self: Effect.Effect<A, StoreUnavailable, R>): Effect.Effect<A, never, R> =>
  Effect.orDie(Effect.retry(self, outage))

export const make = (
  backend: SubscriptionBackend,
  store: EventStore["Service"],
  unit: UnitOfWork["Service"]
): Subscriptions["Service"] => {
  const known = new Map<string, Progress>()
  const progressOf = (name: string): Progress => {
    const found = known.get(name)
    if (found !== undefined) return found
    const made: Progress = { position: -1n, turns: 0, changed: new Signal() }
    known.set(name, made)
    return made
  }

  const run = <E, R>(options: Options<E, R>): Effect.Effect<never, InvalidOption, R> =>
    Effect.gen(function*() {
      const { batchSize = 100, categories, from = "start", handle, name, poison = "pause", retry = usualRetry, types } =
        options
      yield* check(name, batchSize)
      yield* outside("Subscriptions.run")
      const progress = progressOf(name)
      yield* backend.start

      const stateOf = (checkpoint: Checkpoint): Effect.Effect<State> =>
        Effect.map(Clock.currentTimeMillis, (storedAt) => {
          progress.position = checkpoint.position
          progress.changed.notify()
          return { position: checkpoint.position, stored: checkpoint.position, storedAt, paused: checkpoint.paused }
        })

      /**
       * Does the work and moves the checkpoint, or neither. When another runner has moved it, or has paused, there is
       * nothing to do but to go on from there. It is also the answer when the commit's own answer was lost.
       */
      const commit = <E, R>(state: State, to: Checkpoint, work: Effect.Effect<void, E, R>) =>
        unit.run(Effect.gen(function*() {
          const found = (yield* backend.lock(name)) ?? (yield* backend.open(name, state.stored))
          if (found.position !== state.stored || found.paused !== undefined) return found
          yield* work
          if (to.position !== found.position) yield* backend.save(name, to.position)
          return to
        }))

      const handleAll = (state: State, events: ReadonlyArray<StoredEvent>, to: bigint) =>
        commit(state, { position: to, paused: undefined }, Effect.forEach(events, handle, { discard: true })).pipe(
          Effect.sandbox
        )

      const handleOne = Effect.fnUntraced(function*(state: State, event: StoredEvent, to: bigint) {
        let attempts = 0
        const attempt = Effect.suspend(() => {
          attempts++
          return handleAll(state, [event], to)
        })
        return yield* attempt.pipe(
          Effect.retry({ schedule: retry, while: (cause) => outageOf(cause) === undefined }),
          Effect.catch((cause): Effect.Effect<Checkpoint, StoreUnavailable> => {
            const lost = outageOf(cause)
            if (lost !== undefined) return Effect.fail(lost)
            const reason = reasonOf(event, cause)
            return poison === "skip"
              ? commit(state, { position: to, paused: undefined }, backend.bury(name, event, reason, attempts))
              : commit(
                state,
                { position: state.stored, paused: { position: event.position, reason } },
                backend.pause(name, event.position, reason)
              )
          })
        )
      })

      const oneByOne = Effect.fnUntraced(function*(before: State, events: ReadonlyArray<StoredEvent>, to: bigint) {
        let state = before
        for (const [index, event] of events.entries()) {
          const expected = index === events.length - 1 ? to : event.position
          state = yield* Effect.flatMap(persist(handleOne(state, event, expected)), stateOf)
          if (state.position !== expected || state.paused !== undefined) return state
        }
        return state
      })

      const saveSkipped = (state: State) =>
        Effect.flatMap(commit(state, { position: state.position, paused: undefined }, Effect.void), stateOf)

      const step = Effect.fnUntraced(function*(state: State) {
        if (state.paused !== undefined) {
          const { turns } = progress
          yield* Effect.timeoutOption(progress.changed.until(() => progress.turns !== turns), lookEveryMillis)
          return yield* Effect.flatMap(backend.open(name, state.stored), stateOf)
        }
        const now = yield* Clock.currentTimeMillis
        const left = state.storedAt + saveAfterMillis - now
        const unsaved = state.position !== state.stored
        if (unsaved && left <= 0) return yield* saveSkipped(state)
        const beyond = backend.markBeyond(state.position)
        const mark = unsaved ? yield* Effect.timeoutOption(beyond, left) : Option.some(yield* beyond)
        if (Option.isNone(mark)) return yield* saveSkipped(state)
        const upTo = mark.value
        const events = yield* Stream.runCollect(
          store.readAll({ after: state.position, upTo, types, categories, limit: batchSize })
        )
        const last = events.at(-1)
        if (last === undefined) {
          progress.position = upTo
          progress.changed.notify()
          return { ...state, position: upTo, storedAt: unsaved ? state.storedAt : yield* Clock.currentTimeMillis }
        }
        const to = events.length === batchSize ? last.position : upTo
        if (events.length === 1) return yield* oneByOne(state, events, to)
        return yield* handleAll(state, events, to).pipe(
          Effect.flatMap(stateOf),
          Effect.catch((cause) => {
            const lost = outageOf(cause)
            return lost === undefined ? oneByOne(state, events, to) : Effect.fail(lost)
          })
        )
      })

      let state = yield* Effect.flatMap(
        persist(Effect.gen(function*() {
          const found = yield* backend.find(name)
          return found ?? (yield* backend.open(name, from === "end" ? yield* end : 0n))
        })),
        stateOf
      )
      while (true) {
        const before = state
        state = yield* persist(step(before))
      }
    })

  /** The highest position there is, once nothing below it can appear any more. */
  const end = Effect.gen(function*() {
    const highest = yield* backend.highest
    if (highest > 0n) yield* backend.markBeyond(highest - 1n)
    return highest
  })

  const outside = (operation: string): Effect.Effect<void> =>
    Effect.flatMap(unit.isOpen, (open) =>
      open
        ? Effect.die(new Error(`${operation} inside a transaction would wait for its commit; call it after the commit`))
        : Effect.void)

  return Subscriptions.of({
    run,
    events: ({ after = 0n, categories, types } = {}) =>
      Stream.unwrap(Effect.gen(function*() {
        yield* outside("Subscriptions.events")
        yield* backend.start
        const first = after === "end" ? yield* persist(end) : after
        return Stream.paginate(first, (position) =>
          Effect.gen(function*() {
            const upTo = yield* backend.markBeyond(position)
            const page = Stream.runCollect(
              store.readAll({ after: position, upTo, types, categories, limit: pageSize })
            )
            const events = yield* persist(page)
            const last = events.at(-1)
            return [
              events,
              Option.some(last !== undefined && events.length === pageSize ? last.position : upTo)
            ] as const
          }))
      })),
    awaitPosition: (name, position) =>
      Effect.gen(function*() {
        yield* outside("Subscriptions.awaitPosition")
        const progress = progressOf(name)
        while (progress.position < position) {
          const { turns } = progress
          const found = yield* backend.find(name)
          if (found !== undefined && found.position >= position) return
          if (found?.paused !== undefined && found.paused.position <= position) {
            return yield* new SubscriptionPaused({ subscription: name, ...found.paused })
          }
          const changed = progress.changed.until(() => progress.position >= position || progress.turns !== turns)
          yield* Effect.timeoutOption(changed, lookEveryMillis)
        }
      }),
    status: (name) =>
      Effect.gen(function*() {
        const found = yield* backend.find(name)
        if (found === undefined) return undefined
        const local = progressOf(name).position
        const position = local > found.position ? local : found.position
        const highest = yield* backend.highest
        const deadLetters = yield* backend.countBuried(name)
        return {
          position,
          highest,
          lag: highest > position ? highest - position : 0n,
          paused: found.paused,
          deadLetters
        }
      }),
    highWater: backend.highWater,
    resume: (name) =>
      Effect.tap(backend.resume(name), () =>
        unit.afterCommit(Effect.sync(() => {
          const progress = progressOf(name)
          progress.turns++
          progress.changed.notify()
        }))),
    deadLetters: backend.buried,
    redeliver: (name, position, handle) =>
      unit.run(Effect.gen(function*() {
        if (!(yield* backend.unbury(name, position))) return false
        const events = yield* Stream.runCollect(store.readAll({ after: position - 1n, upTo: position, limit: 1 }))
        yield* Effect.forEach(events, handle, { discard: true })
        return true
      }))
  })
}

const check = (name: string, batchSize: number): Effect.Effect<void, InvalidOption> => {
  const refuse = (option: string, value: string, allowed: string) =>
    Effect.fail(new InvalidOption({ module: "Subscriptions.run", option, value, allowed }))
  if (name === "" || name.length > 255 || !isStorable(name)) {
    return refuse("name", JSON.stringify(name), "1 to 255 characters without NUL and half surrogate pairs")
  }
  return Number.isInteger(batchSize) && batchSize >= 1 && batchSize <= 10_000
    ? Effect.void
    : refuse("batchSize", String(batchSize), "a whole number from 1 to 10000")
}

/** The store's own failure, which says nothing about the event. */
const outageOf = (cause: Cause.Cause<unknown>): StoreUnavailable | undefined => {
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason) && reason.error instanceof StoreUnavailable) return reason.error
  }
  return undefined
}

/** Names the event, and fits into a row. */
const reasonOf = (event: StoredEvent, cause: Cause.Cause<unknown>): string =>
  `${event.type} (version ${event.version} of ${event.stream.category} ${event.stream.id}): ${Cause.pretty(cause)}`
    .replaceAll("\0", "").toWellFormed().slice(0, 4000).toWellFormed()
