import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Option, Ref, Schedule, Stream } from "effect"
import { MessageStorage, Sharding, TestRunner } from "effect/cluster"
import { TestClock } from "effect/testing"
import { AggregateEntity, ClusterError } from "effect-lifecycle/cluster"
import { Command, Domain, DomainError, type Hooks, Mediator, type Middleware } from "effect-lifecycle/domain"
import { Deadline, Priority, RequestId } from "effect-lifecycle/request"
import { EventStore, MemoryStore, Tenant, UnitOfWork } from "effect-lifecycle/store"
import { Add, Added, addHandler, Counter, Deposit, depositHandler, most, TooMuch } from "./support.ts"

const counters = AggregateEntity.make(Counter, { durable: ["counters.Deposit"] })

/** What the store was asked, and what it does next. */
class Watched {
  readonly asked: Array<string> = []
  appends: (proceed: Effect.Effect<EventStore.AppendResult, never>) => Effect.Effect<EventStore.AppendResult, unknown> =
    (proceed) => proceed
  readonly layer = Layer.effect(
    EventStore.EventStore,
    Effect.map(EventStore.EventStore, (store) => ({
      ...store,
      append: (append: EventStore.Append) => {
        this.asked.push("append")
        return this.appends(store.append(append) as never) as ReturnType<typeof store.append>
      },
      read: (...args: Parameters<typeof store.read>) => {
        this.asked.push("read")
        return store.read(...args)
      }
    }))
  ).pipe(Layer.provideMerge(MemoryStore.layer))
}

interface Setup extends Domain.Options, AggregateEntity.Options {
  readonly watched?: Watched
  readonly more?: ReadonlyArray<Domain.AnyHandler>
}

const cluster = ({ mailboxCapacity, maxIdleTime, more = [], watched = new Watched(), ...options }: Setup = {}) => {
  const handlers = Domain.toLayer([addHandler, depositHandler, ...more as ReadonlyArray<never>], {
    conflicts: Schedule.recurs(2),
    ...options
  })
  return Layer.mergeAll(
    AggregateEntity.layerMediator(counters),
    AggregateEntity.layer(counters, { mailboxCapacity, maxIdleTime }).pipe(Layer.provide(handlers))
  ).pipe(Layer.provideMerge(TestRunner.layer), Layer.provideMerge(watched.layer))
}

/** The runner takes its shards a moment after it has started. */
const run = (setup?: Setup) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  TestClock.adjust("1 second").pipe(Effect.andThen(self), Effect.provide(cluster(setup)))
const add = (by: number, key?: string, id = "c") =>
  Mediator.send(Add, { id, by, ...(key === undefined ? {} : { key }) })
const deposit = (by: number, key?: string) =>
  Mediator.send(Deposit, { id: "c", by, ...(key === undefined ? {} : { key }) })
const events = EventStore.EventStore.use((store) => Stream.runCollect(store.read({ category: "Counter", id: "c" })))

describe("AggregateEntity", () => {
  describe("a command", () => {
    it.effect("is decided by the owner in one round trip, from its second one on", () => {
      const watched = new Watched()
      return Effect.gen(function*() {
        yield* add(1)
        watched.asked.length = 0
        assert.deepStrictEqual(yield* add(2), { total: 3, version: 2 })
        assert.deepStrictEqual(yield* add(3), { total: 6, version: 3 })
        assert.deepStrictEqual(watched.asked, ["append", "append"])
      }).pipe(run({ watched }))
    })

    it.effect("fails with its own typed error", () =>
      Effect.gen(function*() {
        yield* add(1)
        assert.deepStrictEqual(yield* Effect.flip(add(most)), new TooMuch({ total: 1 }))
        const invalid = yield* Effect.flip(add(0.5))
        assert.strictEqual(invalid._tag, "InvalidPayload")
      }).pipe(run()))

    it.effect("that dies is that command's answer; the entity and its other commands go on", () =>
      Effect.gen(function*() {
        yield* add(1)
        const exit = yield* Effect.exit(add(666))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.deepStrictEqual(yield* add(1), { total: 2, version: 2 })
      }).pipe(run()))

    it.effect("of a stale owner conflicts, is decided again on what is stored, and is stored once", () => {
      const watched = new Watched()
      const elsewhere = Domain.toLayer([addHandler])
      return Effect.gen(function*() {
        yield* add(1)
        yield* Effect.provide(add(10), elsewhere) // another runner that believes it is the owner
        watched.asked.length = 0
        assert.deepStrictEqual(yield* add(2), { total: 13, version: 3 })
        assert.deepStrictEqual(watched.asked, ["append", "read", "append"])
        assert.deepStrictEqual((yield* events).map(({ data }) => data), [{ by: 1 }, { by: 10 }, { by: 2 }])
      }).pipe(run({ watched }))
    })

    it.effect("that every attempt finds moved is ConcurrencyConflict", () => {
      const watched = new Watched()
      const elsewhere = Domain.toLayer([addHandler])
      return Effect.gen(function*() {
        yield* add(1)
        const services = yield* Effect.context<EventStore.EventStore>()
        let inside = false
        watched.appends = (proceed) => {
          if (inside) return proceed
          inside = true
          return add(10).pipe(
            Effect.provide(elsewhere),
            Effect.provideContext(services),
            Effect.ensuring(Effect.sync(() => (inside = false))),
            Effect.andThen(proceed)
          ) as never
        }
        assert.strictEqual((yield* Effect.flip(add(2)))._tag, "ConcurrencyConflict")
      }).pipe(run({ watched }) as never)
    })

    it.effect("under the same id gets its first reply", () =>
      Effect.gen(function*() {
        const first = yield* add(1, "a")
        yield* add(5)
        assert.deepStrictEqual(yield* add(1, "a"), first)
        const given = yield* Mediator.send(Add, { id: "c", by: 7 }, { commandId: "b" })
        assert.deepStrictEqual(yield* Mediator.send(Add, { id: "c", by: 7 }, { commandId: "b" }), given)
        const other = yield* Effect.flip(Mediator.send(Add, { id: "c", by: 8 }, { commandId: "b" }))
        assert.deepInclude(other, { _tag: "CommandIdMismatch", commandId: "b" })
        assert.lengthOf(yield* events, 3)
      }).pipe(run()))

    it.effect("brings its expected version along", () =>
      Effect.gen(function*() {
        yield* Mediator.send(Add, { id: "c", by: 1 }, { expectedVersion: 0 })
        const error = yield* Effect.flip(Mediator.send(Add, { id: "c", by: 1 }, { expectedVersion: 0 }))
        assert.deepStrictEqual(
          error,
          new DomainError.VersionMismatch({ aggregate: "Counter", id: "c", expected: 0, actual: 1 })
        )
      }).pipe(run()))

    it.effect("of a tenant stays in the tenant", () =>
      Effect.gen(function*() {
        yield* add(1)
        yield* add(2).pipe(Tenant.within("a"))
        assert.deepStrictEqual(yield* add(3).pipe(Tenant.within("a:@/b")), { total: 3, version: 1 })
        assert.deepStrictEqual(yield* add(4, undefined, "@a:c"), { total: 4, version: 1 })
        assert.deepStrictEqual(yield* add(4).pipe(Tenant.within("a")), { total: 6, version: 2 })
        assert.lengthOf(yield* events, 1)
      }).pipe(run()))

    it.effect("of another aggregate, sent to the entity by hand, is refused", () =>
      Effect.gen(function*() {
        const client = yield* counters.entity.client
        const error = yield* Effect.flip(client("d")["counters.Add"]({ id: "c", by: 1 }))
        assert.strictEqual(error._tag, "InvalidPayload")
        assert.lengthOf(yield* events, 0)
      }).pipe(run()))
  })

  describe("what surrounds a command", () => {
    it.effect("is run once, by the owner, in the order of Mediator.send", () => {
      const seen: Array<string> = []
      const note = (text: string) => Effect.sync(() => void seen.push(text))
      const middleware: Middleware.Middleware = ({ kind }, next) =>
        kind === "command"
          ? note("middleware in").pipe(Effect.andThen(next), Effect.ensuring(note("middleware out")))
          : next
      const hooks: Hooks.Hooks = {
        beforeCommand: () => note("beforeCommand"),
        beforeStore: () => note("beforeStore"),
        afterStore: () => note("afterStore"),
        afterCommand: () => note("afterCommand")
      }
      const options = {
        hooks: [hooks],
        middleware: [middleware],
        more: [Domain.eventHandler(Added, { name: "told", handle: () => note("event") })]
      }
      return Effect.gen(function*() {
        yield* add(1).pipe(run(options))
        const clustered = seen.splice(0)
        const local = Domain.toLayer([addHandler, ...options.more], options).pipe(Layer.provide(MemoryStore.layer))
        yield* add(1).pipe(Effect.provide(local))
        assert.deepStrictEqual(clustered, seen)
        assert.deepStrictEqual(
          clustered,
          ["middleware in", "beforeCommand", "beforeStore", "afterStore", "event", "afterCommand", "middleware out"]
        )
      })
    })

    it.effect("may send the next command to the same aggregate", () => {
      const again = Domain.eventHandler(Added, {
        name: "again",
        handle: (event) => event.by < 3 ? Effect.asVoid(Effect.orDie(add(event.by + 1))) : Effect.void
      })
      return Effect.gen(function*() {
        yield* add(1)
        assert.lengthOf(yield* events, 3)
      }).pipe(run({ more: [again] }))
    })

    it.effect("crosses: deadline, priority, request id, actor, correlation and cause", () => {
      let seen: unknown
      const middleware: Middleware.Middleware = (_request, next) =>
        Effect.gen(function*() {
          seen = {
            priority: yield* Priority.Current,
            id: Option.getOrUndefined(yield* RequestId.Current),
            deadline: Option.isSome(yield* Deadline.remaining)
          }
          return yield* next
        })
      return Effect.gen(function*() {
        yield* add(1, "key").pipe(
          Deadline.within("5 seconds"),
          Effect.provideService(Priority.Current, "low"),
          Effect.provideService(RequestId.Current, RequestId.parse("req-1")),
          Effect.provideService(Command.Actor, Option.some("Ünsal 100%")),
          Effect.provideService(Command.Correlation, Option.some("process"))
        )
        assert.deepStrictEqual(seen, { priority: "low", id: "req-1", deadline: true })
        const [event] = yield* events
        assert.include(event?.meta, {
          requestId: "req-1",
          actor: "Ünsal 100%",
          correlationId: "process",
          causationId: "key",
          command: "counters.Add"
        })
      }).pipe(run({ middleware: [middleware] }))
    })

    it.effect("ends the command at the caller's deadline, on both sides", () => {
      const watched = new Watched()
      let ended = false
      watched.appends = () =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => {
            ended = true
          }))
      return Effect.gen(function*() {
        const client = yield* AggregateEntity.client(counters)
        const sending = yield* Effect.forkChild(
          Effect.flip(client.send(Add, { id: "c", by: 1 }).pipe(Deadline.within("1 second"))),
          { startImmediately: true }
        )
        while (watched.asked.at(-1) !== "append") yield* TestClock.adjust("10 millis")
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(sending))._tag, "DeadlineExceeded")
        yield* TestClock.adjust("1 second")
        assert.isTrue(ended)
      }).pipe(run({ watched }))
    })
  })

  describe("an owner", () => {
    it.effect("that is idle gives its memory back, and loads the aggregate again", () => {
      const watched = new Watched()
      return Effect.gen(function*() {
        const sharding = yield* Sharding.Sharding
        yield* add(1)
        assert.strictEqual(yield* sharding.activeEntityCount, 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* sharding.activeEntityCount, 0)
        watched.asked.length = 0
        yield* add(2)
        assert.deepStrictEqual(watched.asked, ["read", "append"])
      }).pipe(run({ watched, maxIdleTime: "10 seconds" }))
    })

    it.effect("with a full mailbox says so, typed", () => {
      const watched = new Watched()
      watched.appends = () => Effect.never
      return Effect.gen(function*() {
        const client = yield* AggregateEntity.client(counters)
        const fiber = yield* Effect.forkChild(add(1), { startImmediately: true })
        while (watched.asked.length === 0) yield* Effect.yieldNow
        const error = yield* Effect.flip(client.send(Add, { id: "c", by: 2 }))
        assert.deepStrictEqual(
          error,
          new ClusterError.ClusterUnavailable({ aggregate: "Counter", id: "c", reason: "MailboxFull" })
        )
        const mediated = yield* Effect.flip(add(3))
        assert.isTrue(mediated._tag === "StoreUnavailable" && mediated.operation === "cluster")
        yield* Fiber.interrupt(fiber)
      }).pipe(run({ watched, mailboxCapacity: 1 }))
    })
  })

  describe("a durable command", () => {
    it.effect("has the command id as its key, so a second one under another id is not given the first reply", () =>
      Effect.gen(function*() {
        const storage = yield* MessageStorage.MemoryDriver
        assert.deepStrictEqual(yield* deposit(1, "a"), { total: 1, version: 1 })
        assert.deepStrictEqual(yield* deposit(2, "b"), { total: 3, version: 2 })
        assert.deepStrictEqual(yield* deposit(1, "a"), { total: 1, version: 1 })
        assert.lengthOf(yield* events, 2)
        assert.deepStrictEqual(
          [...storage.requestsByPrimaryKey.keys()].map((key) => key.slice(0, key.lastIndexOf("/"))),
          ["Counter/c/counters.Deposit/a", "Counter/c/counters.Deposit/b"]
        )
      }).pipe(run()))

    it.effect("with another payload under its id is refused, and not given the first reply", () =>
      Effect.gen(function*() {
        yield* deposit(1, "a")
        const error = yield* Effect.flip(deposit(2, "a"))
        assert.deepInclude(error, { _tag: "CommandIdMismatch", commandId: "a" })
        assert.lengthOf(yield* events, 1)
      }).pipe(run()))

    it.effect("without an id of its own is kept under one that is made for it", () =>
      Effect.gen(function*() {
        yield* deposit(1)
        yield* deposit(1)
        assert.lengthOf(yield* events, 2)
      }).pipe(run()))

    it.effect("waits until the store is back, because its reply is final", () => {
      const watched = new Watched()
      const tries = Ref.makeUnsafe(0)
      watched.appends = (proceed) =>
        Effect.flatMap(
          Ref.updateAndGet(tries, (n) => n + 1),
          (n) => n < 6 ? new UnitOfWork.StoreUnavailable({ operation: "append", reason: "away" }) : proceed
        )
      return Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(deposit(1, "a"), { startImmediately: true })
        while ((yield* Ref.get(tries)) < 6) yield* TestClock.adjust("1 second")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(fiber), { total: 1, version: 1 })
      }).pipe(run({ watched }))
    })

    it.effect("goes on when its caller leaves", () => {
      const watched = new Watched()
      return Effect.gen(function*() {
        let open = false
        watched.appends = (proceed) => Effect.andThen(Effect.repeat(Effect.yieldNow, { until: () => open }), proceed)
        const fiber = yield* Effect.forkChild(deposit(1, "a").pipe(Deadline.within("1 second")), {
          startImmediately: true
        })
        while (watched.asked.length === 0 || watched.asked.at(-1) !== "append") yield* TestClock.adjust("1 millis")
        yield* Fiber.interrupt(fiber)
        open = true
        while ((yield* events).length === 0) yield* TestClock.adjust("10 millis")
        assert.deepStrictEqual(yield* deposit(1, "a"), { total: 1, version: 1 })
      }).pipe(run({ watched }))
    })
  })
})
