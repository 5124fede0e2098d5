import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option } from "effect"
import { Domain, DomainError, Hooks, Mediator } from "effect-lifecycle/domain"
import { EventStore, StateStore, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { ById, byIdHandler, orders, payHandler, Place, Placed, placeHandler } from "./support/orders.ts"
import { allEvents } from "./support/store.ts"

const Live = Domain.toLayer([placeHandler, payHandler, byIdHandler]).pipe(
  Layer.provideMerge(PgStore.layer({ collections: [orders] })),
  Layer.provideMerge(pgTest({ client: { maxConnections: 20 } }))
)
const place = (orderId: string, quantity: number, requestKey?: string) =>
  Mediator.send(Place, { orderId, quantity, ...(requestKey === undefined ? {} : { requestKey }) })
const versionOf = (id: string) => EventStore.EventStore.use((store) => store.version({ category: "Order", id }))
const rowOf = (id: string) => StateStore.StateStore.use((store) => store.get(orders, id))

describe("the domain on PostgreSQL", () => {
  layer(Live, { excludeTestServices: true, timeout: "60 seconds" })("one database", (it) => {
    it.effect("decides ten commands that arrive together one after the other, or says so", () =>
      Effect.gen(function*() {
        const exits = yield* Effect.forEach(
          Array.from({ length: 10 }),
          () => Effect.exit(place("together", 1)),
          { concurrency: "unbounded" }
        )
        const done = exits.filter(Exit.isSuccess).length
        assert.isAbove(done, 0)
        assert.strictEqual(yield* versionOf("together"), done)
        assert.deepStrictEqual(yield* Mediator.query(ById, { orderId: "together" }), { quantity: done, status: "open" })
        for (const exit of exits) {
          if (Exit.isFailure(exit)) {
            const [reason] = exit.cause.reasons
            assert.strictEqual(reason?._tag === "Fail" ? reason.error._tag : undefined, "ConcurrencyConflict")
          }
        }
      }))
    it.effect("gives a repeated command its first reply, also when sent sixteen times at once", () =>
      Effect.gen(function*() {
        const replies = yield* Effect.forEach(
          Array.from({ length: 16 }),
          () => place("repeated", 2, "key"),
          { concurrency: "unbounded" }
        )
        for (const reply of replies) assert.deepStrictEqual(reply, replies[0])
        assert.strictEqual(yield* versionOf("repeated"), 1)
      }))
    it.effect("keeps neither event nor row when a hook refuses after the decision", () =>
      Effect.gen(function*() {
        const refused = new DomainError.Refused({ name: "orders.Place", reason: "test" })
        const exit = yield* Effect.exit(place("refused", 1).pipe(Hooks.within({ beforeStore: () => refused })))
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual([yield* versionOf("refused"), yield* rowOf("refused")], [0, Option.none()])
      }))
    it.effect("runs two commands as one unit: both or none", () =>
      Effect.gen(function*() {
        yield* Effect.exit(Domain.transaction(Effect.andThen(place("unit-a", 1), place("unit-b", 1000))))
        assert.deepStrictEqual([yield* versionOf("unit-a"), yield* versionOf("unit-b")], [0, 0])
        yield* Domain.transaction(Effect.andThen(place("unit-a", 1), place("unit-b", 2)))
        assert.deepStrictEqual([yield* versionOf("unit-a"), yield* versionOf("unit-b")], [1, 1])
      }))
    it.effect("tells event handlers after the commit and before the answer, which a caller can interrupt", () =>
      Effect.gen(function*() {
        const begun = yield* Deferred.make<readonly [boolean, number]>()
        const heard = yield* Deferred.make<void>()
        const listening = Domain.toLayer([
          Domain.eventHandler(Placed, {
            name: "slow",
            handle: (_, { origin }) =>
              Effect.gen(function*() {
                const unit = yield* UnitOfWork.UnitOfWork
                const version = yield* versionOf(origin?.id ?? "")
                yield* Deferred.succeed(begun, [yield* unit.isOpen, version])
                return yield* Effect.never
              }).pipe(Effect.orDie, Effect.onInterrupt(() => Deferred.succeed(heard, undefined)))
          })
        ])
        const placing = yield* Effect.forkChild(Effect.provide(place("told", 1), listening))
        assert.deepStrictEqual(yield* Deferred.await(begun), [false, 1])
        yield* Fiber.interrupt(placing)
        yield* Deferred.await(heard)
        assert.strictEqual(yield* versionOf("told"), 1)
      }))
    it.effect("tells a listener only after the commit, outside the transaction", () =>
      Effect.gen(function*() {
        const unit = yield* UnitOfWork.UnitOfWork
        const services = yield* Effect.context<EventStore.EventStore>()
        const heard = yield* Deferred.make<readonly [boolean, boolean]>()
        const before = (yield* allEvents).length
        yield* place("heard", 1).pipe(Hooks.within({
          afterStore: () =>
            Effect.gen(function*() {
              const committed = (yield* allEvents.pipe(Effect.orDie)).length === before + 1
              yield* Deferred.succeed(heard, [committed, yield* unit.isOpen])
            }).pipe(Effect.provideContext(services))
        }))
        assert.deepStrictEqual(yield* Deferred.await(heard), [true, false])
      }))
  })
})
