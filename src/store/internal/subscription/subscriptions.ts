/** `Subscriptions` over any backend. */
import { Effect, Option, Schedule, Scope, Stream } from "effect"
import * as Recorder from "../../../lifecycle/Recorder.ts"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import type { EventStore, StoredEvent } from "../../EventStore.ts"
import { EventTruncated, type Options, SubscriptionPaused, Subscriptions } from "../../Subscription.ts"
import * as Tenant from "../../Tenant.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import { lowest } from "./division.ts"
import * as owner from "./owner.ts"
import { isDone, lookEveryMillis, persist } from "./partition.ts"
import { Progress } from "./progress.ts"
import { checked } from "./settings.ts"
import type { SubscriptionBackend } from "./SubscriptionBackend.ts"
import { uuid } from "../uuid.ts"

const pageSize = 500
export const usualRetry = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 3 }))

/** As `Options`, with one handler for everything that shares a transaction. */
export interface BatchOptions<E, R> extends Omit<Options<E, R>, "handle"> {
  readonly handle: (events: ReadonlyArray<StoredEvent>, partitions: number) => Effect.Effect<void, E, R>
}

export interface Internals {
  readonly service: Subscriptions["Service"]
  readonly runBatches: <E, R>(options: BatchOptions<E, R>) => Effect.Effect<never, InvalidOption, R>
}

/** Handles an event as its tenant. */
export const asTenant = <E, R>(event: StoredEvent, handled: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
  Tenant.within(handled, event.stream.tenant)

/**
 * Handles events one after another, each as its tenant; a batch of one tenant has that once. An effect that has succeeded
 * already costs nothing: most handlers leave most events alone. Where all have, so has the answer.
 */
const inOrder = <E, R>(
  events: ReadonlyArray<StoredEvent>,
  handle: (event: StoredEvent) => Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> => {
  const [first] = events
  const shared = first !== undefined && events.every(({ stream }) => stream.tenant === first.stream.tenant)
  const from = (start: number): Effect.Effect<void, E, R> => {
    for (let index = start; index < events.length; index++) {
      const event = events[index]
      if (event === undefined) break
      const handled = handle(event)
      if (isDone(handled)) continue
      return Effect.flatMap(shared ? handled : asTenant(event, handled), () => from(index + 1))
    }
    return Effect.void
  }
  const all = from(0)
  return shared && !isDone(all) ? asTenant(first, all) : all
}

export const make = (
  backend: SubscriptionBackend,
  store: EventStore["Service"],
  unit: UnitOfWork["Service"]
): Internals => {
  const known = new Map<string, Progress>()
  const progressOf = (name: string): Progress => {
    const found = known.get(name)
    if (found !== undefined) return found
    const made = new Progress()
    known.set(name, made)
    return made
  }

  const runBatches = <E, R>(options: BatchOptions<E, R>): Effect.Effect<never, InvalidOption, R> =>
    Effect.gen(function*() {
      const { categories, from = "start", handle, name, poison = "pause", retry = usualRetry, tenants, types } = options
      const limits = checked("Subscriptions.run", options)
      if (limits instanceof InvalidOption) return yield* limits
      const { batchSize, leaseMillis, partitions, timeoutMillis } = limits
      yield* outside("Subscriptions.run")
      const fiber = yield* Effect.withFiber(Effect.succeed)
      const recorder = fiber.getRef(Recorder.Current)
      const start = from === "start" ? Effect.succeed(0n) : persist(Effect.gen(function*() {
        return (yield* backend.find(name)) === undefined ? yield* end : 0n
      }))
      return yield* following(Effect.flatMap(start, (position) =>
        owner.run({ backend, store, unit }, {
          name,
          filter: { categories, types, tenants },
          handle,
          batchSize,
          retry,
          poison,
          leaseMillis,
          timeoutMillis,
          progress: progressOf(name),
          buried: () => recorder?.({ _tag: "EventBuried", subscription: name }, fiber)
        }, { owner: uuid(fiber), count: partitions, position })))
    })

  /** A scope of its own: one that handlers need is their caller's. */
  const following = <E, R>(self: Effect.Effect<never, E, R>): Effect.Effect<never, E, R> =>
    Effect.acquireUseRelease(
      Scope.make(),
      (scope) => Effect.andThen(Scope.provide(backend.start, scope), self),
      (scope, exit) => Scope.close(scope, exit)
    )

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

  const service = Subscriptions.of({
    run: ({ handle, ...options }) =>
      runBatches({
        ...options,
        handle: (events) => inOrder(events, handle)
      }),
    events: ({ after = 0n, categories, tenants, types } = {}) =>
      Stream.unwrap(Effect.gen(function*() {
        yield* outside("Subscriptions.events")
        yield* backend.start
        const first = after === "end" ? yield* persist(end) : after
        return Stream.paginate(first, (position) =>
          Effect.gen(function*() {
            const upTo = yield* backend.markBeyond(position)
            const page = Stream.runCollect(
              store.readAll({ after: position, upTo, types, categories, tenants: tenants ?? "all", limit: pageSize })
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
          if (found !== undefined) {
            progress.learn(found)
            if (progress.position >= position) return
            for (const { paused } of found.partitions) {
              if (paused !== undefined && paused.position <= position) {
                return yield* new SubscriptionPaused({ subscription: name, ...paused })
              }
            }
          }
          const changed = progress.changed.until(() => progress.position >= position || progress.turns !== turns)
          yield* Effect.timeoutOption(changed, lookEveryMillis)
        }
      }),
    status: (name) =>
      Effect.gen(function*() {
        const found = yield* backend.find(name)
        if (found === undefined) return undefined
        const progress = progressOf(name)
        progress.learn(found)
        const partitions = found.partitions.map(({ index, owner, paused, position }) => {
          const local = progress.positionOf(index)
          return {
            position: local > position ? local : position,
            owner: owner !== undefined && found.owners.includes(owner) ? owner : undefined,
            paused
          }
        })
        const position = lowest(partitions.map((partition) => partition.position))
        const highest = yield* backend.highest
        return {
          position,
          highest,
          lag: highest > position ? highest - position : 0n,
          lagMillis: highest > position ? yield* backend.ageAfter(position) : 0,
          paused: partitions.find(({ paused }) => paused !== undefined)?.paused,
          deadLetters: yield* backend.countBuried(name),
          partitions,
          owners: found.owners,
          dividingInto: found.plan?.count
        }
      }),
    highWater: backend.highWater,
    resume: (name) =>
      Effect.tap(backend.resume(name), () => unit.afterCommit(Effect.sync(() => progressOf(name).resumed()))),
    deadLetters: backend.buried,
    redeliver: (name, position, handle) =>
      unit.run(Effect.gen(function*() {
        if (!(yield* backend.unbury(name, position))) return false
        const events = yield* Stream.runCollect(
          store.readAll({ after: position - 1n, upTo: position, tenants: "all", limit: 1 })
        )
        const [event] = events
        // A failure undoes the transaction, so the letter stays.
        if (event === undefined) return yield* new EventTruncated({ subscription: name, position })
        yield* asTenant(event, handle(event))
        return true
      })),
    discard: backend.unbury,
    remove: (name) =>
      unit.run(Effect.gen(function*() {
        const found = yield* backend.lock(name)
        if (found === undefined) return "absent" as const
        if (found.owners.length > 0) return "running" as const
        yield* backend.remove(name)
        yield* unit.afterCommit(Effect.sync(() => progressOf(name).forget()))
        return "removed" as const
      }))
  })
  return { service, runBatches }
}
