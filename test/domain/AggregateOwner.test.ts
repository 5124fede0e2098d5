import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Schedule, Schema, Semaphore } from "effect"
import type { Rpc } from "effect/rpc"
import { Aggregate, AggregateOwner, Command, Domain, DomainEvent, Hooks, Mediator } from "effect-lifecycle/domain"
import { EventStore, MemoryStore, Snapshots, Tenant } from "effect-lifecycle/store"

class TooMuch extends Schema.TaggedError<TooMuch>()("TooMuch", { total: Schema.Int }) {}

const Add = Command.make("counters.Add", {
  payload: { id: Schema.String, by: Schema.Int, key: Schema.optionalKey(Schema.String) },
  success: Schema.Struct({ total: Schema.Int, version: Schema.Int }),
  error: TooMuch,
  aggregateId: (payload) => payload.id,
  commandId: (payload) => payload.key
})
const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })
const counter = (snapshotEvery?: number) =>
  Aggregate.make({
    name: "Counter",
    state: Schema.Struct({ total: Schema.Int }),
    initial: { total: 0 },
    commands: [Add],
    events: [Added],
    decide: {
      "counters.Add": ({ total }, { by }) =>
        total + by > 10
          ? Effect.fail(new TooMuch({ total }))
          : Effect.succeed(by === 0 ? [] : [Added.make({ by })])
    },
    evolve: { Added: (state, { by }) => ({ total: state.total + by }) },
    ...(snapshotEvery === undefined ? {} : { snapshotEvery })
  })
const Counter = counter()
const reply = { reply: (state: { readonly total: number }, _: unknown, version: number) => ({ ...state, version }) }
const addHandler = Domain.aggregateHandler(Add, Counter, reply)

/** What the handlers ask of the store, by name. */
const asked: Array<string> = []
const Watched = Layer.effect(
  EventStore.EventStore,
  Effect.map(EventStore.EventStore, (store) => {
    const watch =
      <Args extends ReadonlyArray<unknown>, A>(name: string, call: (...args: Args) => A) => (...args: Args) => {
        asked.push(name)
        return call(...args)
      }
    return {
      ...store,
      append: watch("append", store.append),
      read: watch("read", store.read),
      version: watch("version", store.version),
      findAppend: watch("findAppend", store.findAppend)
    }
  })
).pipe(Layer.provideMerge(MemoryStore.layer))
const asks = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<string>, E, R> =>
  Effect.suspend(() => {
    asked.length = 0
    return Effect.map(self, () => [...asked])
  })

const Live = Domain.toLayer([addHandler], { conflicts: Schedule.recurs(2) }).pipe(Layer.provideMerge(Watched))
const add = (by: number, key?: string, id = "c") =>
  Mediator.send(Add, { id, by, ...(key === undefined ? {} : { key }) })
const stream = { category: "Counter", id: "c" }
const version = EventStore.EventStore.use((store) => store.version(stream))

describe("AggregateOwner", () => {
  describe("a command", () => {
    it.effect("of an aggregate that is in memory asks the store for the append, and for nothing else", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        assert.deepStrictEqual(yield* asks(add(1, "1").pipe(AggregateOwner.within(owner))), [
          "findAppend",
          "read",
          "append"
        ])
        assert.deepStrictEqual(yield* asks(add(2, "2").pipe(AggregateOwner.within(owner))), ["append"])
        assert.deepStrictEqual(yield* add(3).pipe(AggregateOwner.within(owner)), { total: 6, version: 3 })
        assert.strictEqual(AggregateOwner.version(owner), 3)
      }).pipe(Effect.provide(Live)))

    it.effect("of an owner that another was faster than is decided again on what is stored", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(1).pipe(AggregateOwner.within(owner))
        yield* add(2)
        assert.deepStrictEqual(yield* add(3).pipe(AggregateOwner.within(owner)), { total: 6, version: 3 })
        assert.strictEqual(AggregateOwner.version(owner), 3)
      }).pipe(Effect.provide(Live)))

    it.effect("is not refused for a state that is behind", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(9).pipe(AggregateOwner.within(owner))
        yield* add(-9)
        assert.deepStrictEqual(yield* add(5).pipe(AggregateOwner.within(owner)), { total: 5, version: 3 })
        const refused = yield* Effect.flip(add(6).pipe(AggregateOwner.within(owner)))
        assert.deepStrictEqual(refused, new TooMuch({ total: 5 }))
      }).pipe(Effect.provide(Live)))

    it.effect("without events answers from the newest state", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(1).pipe(AggregateOwner.within(owner))
        yield* add(2)
        assert.deepStrictEqual(yield* add(0).pipe(AggregateOwner.within(owner)), { total: 3, version: 2 })
      }).pipe(Effect.provide(Live)))

    it.effect("with an expected version is compared with the newest version", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        const at = (expectedVersion: number) =>
          Mediator.send(Add, { id: "c", by: 1 }, { expectedVersion }).pipe(AggregateOwner.within(owner))
        yield* at(0)
        yield* add(2)
        assert.strictEqual((yield* at(2)).version, 3)
        const error = yield* Effect.flip(at(2))
        assert.deepStrictEqual([error._tag, yield* version], ["VersionMismatch", 3])
      }).pipe(Effect.provide(Live)))

    it.effect("gets its first reply when it is repeated, also where it would be refused now", () =>
      Effect.gen(function*() {
        const first = yield* add(8, "key")
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(1).pipe(AggregateOwner.within(owner))
        assert.deepStrictEqual(yield* add(8, "key").pipe(AggregateOwner.within(owner)), first)
        yield* add(-5).pipe(AggregateOwner.within(owner))
        assert.deepStrictEqual(yield* add(8, "key").pipe(AggregateOwner.within(owner)), first)
        assert.strictEqual(yield* version, 3)
      }).pipe(Effect.provide(Live)))

    it.effect("is decided after the one before it, without a conflict", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(1).pipe(AggregateOwner.within(owner))
        const replies = yield* asks(
          Effect.forEach(Array.from({ length: 8 }), () => add(1), { concurrency: "unbounded" })
            .pipe(AggregateOwner.within(owner))
        )
        assert.deepStrictEqual(replies, Array.from({ length: 8 }, () => "append"))
      }).pipe(Effect.provide(Live)))

    it.effect("of another aggregate, another tenant or an open transaction is not decided from memory", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(1).pipe(AggregateOwner.within(owner))
        const whole = ["read", "append"]
        assert.deepStrictEqual(yield* asks(add(1, undefined, "d").pipe(AggregateOwner.within(owner))), whole)
        assert.deepStrictEqual(yield* asks(add(1).pipe(AggregateOwner.within(owner), Tenant.within("t"))), whole)
        const two = Domain.transaction(Effect.andThen(add(1), add(1)))
        assert.deepStrictEqual(yield* asks(two.pipe(AggregateOwner.within(owner))), [...whole, ...whole])
        assert.deepStrictEqual(yield* add(1).pipe(AggregateOwner.within(owner)), { total: 4, version: 4 })
      }).pipe(Effect.provide(Live)))
  })

  describe("memory", () => {
    it.effect("does not have what was not committed", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(1).pipe(AggregateOwner.within(owner))
        const exit = yield* Effect.exit(
          add(1).pipe(AggregateOwner.within(owner), Hooks.within({ beforeStore: () => Effect.die("hook") }))
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.deepStrictEqual([AggregateOwner.version(owner), yield* version], [1, 1])
      }).pipe(Effect.provide(Live)))

    it.effect("can be given back", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        yield* add(1).pipe(AggregateOwner.within(owner))
        yield* AggregateOwner.forget(owner)
        assert.strictEqual(AggregateOwner.version(owner), undefined)
        assert.deepStrictEqual(yield* asks(add(1).pipe(AggregateOwner.within(owner))), ["read", "append"])
      }).pipe(Effect.provide(Live)))

    it.effect("is not waited for by what a command sends to its own aggregate", () => {
      const again = Domain.eventHandler(Added, {
        name: "again",
        handle: ({ by }) => by < 3 ? Effect.asVoid(Effect.orDie(add(by + 1))) : Effect.void
      })
      const live = Domain.toLayer([addHandler, again], { conflicts: Schedule.recurs(2) }).pipe(
        Layer.provideMerge(Watched)
      )
      return Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        let nested = 0
        const handlers = yield* Effect.context<Rpc.ToHandler<typeof Add>>()
        const faster = Effect.ignore(Effect.provideContext(add(3), handlers))
        const nesting = Hooks.within({ beforeStore: () => nested++ === 0 ? faster : Effect.void })
        yield* asks(add(1).pipe(AggregateOwner.within(owner)))
        // The events of a command are told to handlers that still have the owner, so that it is not behind afterwards.
        assert.deepStrictEqual(asked.filter((name) => name !== "append"), ["read"])
        assert.strictEqual(AggregateOwner.version(owner), 3)
        // Inside, it was faster than the command around it, and is undone with that attempt.
        assert.deepStrictEqual(yield* add(3).pipe(nesting, AggregateOwner.within(owner)), { total: 9, version: 4 })
        assert.isAbove(nested, 2)
      }).pipe(Effect.provide(live))
    })

    it.effect("of a command that was interrupted does not keep the next one waiting", () =>
      Effect.gen(function*() {
        const owner = AggregateOwner.make(Counter, "c")
        const gate = yield* Semaphore.make(1)
        yield* gate.take(1)
        const stuck = Hooks.within({ beforeStore: () => Effect.asVoid(gate.take(1)) })
        const fiber = yield* Effect.forkChild(add(1).pipe(stuck, AggregateOwner.within(owner)), {
          startImmediately: true
        })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* add(2).pipe(AggregateOwner.within(owner)), { total: 2, version: 1 })
      }).pipe(Effect.provide(Live)))
  })

  it.effect("writes a snapshot every so many events, not with every command after the first", () => {
    const Kept = counter(3)
    let saved = 0
    const Counting = Layer.effect(
      Snapshots.Snapshots,
      Effect.map(Snapshots.Snapshots, (snapshots) => ({
        ...snapshots,
        save: (...args: Parameters<typeof snapshots.save>) => Effect.suspend(() => (saved++, snapshots.save(...args)))
      }))
    ).pipe(Layer.provideMerge(MemoryStore.layer))
    const live = Domain.toLayer([Domain.aggregateHandler(Add, Kept, reply)]).pipe(Layer.provide(Counting))
    return Effect.gen(function*() {
      const owner = AggregateOwner.make(Kept, "c")
      for (let i = 0; i < 7; i++) yield* add(1).pipe(AggregateOwner.within(owner))
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.strictEqual(saved, 2)
    }).pipe(Effect.provide(live))
  })
})
