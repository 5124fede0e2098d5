import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option } from "effect"
import { Domain, DomainError, Hooks, Mediator } from "effect-lifecycle/domain"
import { EventStore, IdempotencyStore, StateStore, UnitOfWork } from "effect-lifecycle/store"
import { byIdHandler, orders, payHandler, Place, placeHandler } from "../domain/support/orders.ts"
import { allEvents, failingAt, memory, type Step } from "../domain/support/store.ts"

const handlers = [placeHandler, payHandler, byIdHandler] as const
const place = (quantity: number) => Mediator.send(Place, { orderId: "o-1", quantity, requestKey: `k-${quantity}` })

/** Everything that one command writes. */
const kept = Effect.gen(function*() {
  const events = yield* EventStore.EventStore
  const states = yield* StateStore.StateStore
  const found = yield* events.findAppend({ category: "Order", id: "o-1" }, "orders.Place/k-2")
  return {
    events: (yield* allEvents).length,
    row: Option.map(yield* states.get(orders, "o-1"), ({ state, version }) => ({ ...state, version })),
    commandId: Option.isSome(found)
  }
})
const before = { events: 1, row: Option.some({ quantity: 1, status: "open" as const, version: 1 }), commandId: false }
const after = { events: 2, row: Option.some({ quantity: 3, status: "open" as const, version: 2 }), commandId: true }

describe("T28: events, state and idempotency record commit together or not at all", () => {
  it.effect("keeps all of them when the command succeeds", () =>
    Effect.gen(function*() {
      yield* place(1)
      yield* place(2)
      assert.deepStrictEqual(yield* kept, after)
    }).pipe(Effect.provide(Domain.toLayer(handlers).pipe(Layer.provideMerge(memory)))))

  for (const point of ["findAppend", "append", "put"] as const) {
    it.effect(`keeps none when the store is lost after ${point}, and all when the command is sent again`, () => {
      let armed: Step | undefined
      return Effect.gen(function*() {
        yield* place(1)
        armed = point
        assert.strictEqual((yield* Effect.flip(place(2)))._tag, "StoreUnavailable")
        armed = undefined
        assert.deepStrictEqual(yield* kept, before)
        assert.strictEqual((yield* place(2)).version, 2)
        assert.deepStrictEqual(yield* kept, after)
      }).pipe(Effect.provide(
        Domain.toLayer(handlers).pipe(Layer.provideMerge(failingAt((step) => step === armed)))
      ))
    })
  }

  const refused = new DomainError.Refused({ name: "orders.Place", reason: "test" })
  const interruptions: ReadonlyArray<readonly [string, Hooks.Hooks, (cause: Cause.Cause<unknown>) => boolean]> = [
    ["beforeCommand refuses", { beforeCommand: () => refused }, Cause.hasFails],
    ["beforeStore refuses", { beforeStore: () => refused }, Cause.hasFails],
    ["beforeStore dies", { beforeStore: () => Effect.die("bug") }, Cause.hasDies],
    ["the caller is interrupted in the transaction", { beforeStore: () => Effect.interrupt }, Cause.hasInterruptsOnly]
  ]
  for (const [name, hooks, ends] of interruptions) {
    it.effect(`keeps none when ${name}`, () =>
      Effect.gen(function*() {
        yield* place(1)
        const exit = yield* place(2).pipe(Hooks.within(hooks), Effect.exit)
        assert.isTrue(Exit.isFailure(exit) && ends(exit.cause))
        assert.deepStrictEqual(yield* kept, before)
      }).pipe(Effect.provide(Domain.toLayer(handlers).pipe(Layer.provideMerge(memory)))))
  }

  it.effect("keeps none of a unit that goes on after the store was lost in the middle of a command", () => {
    let armed: Step | undefined
    return Effect.gen(function*() {
      yield* place(1)
      armed = "put"
      const unit = Domain.transaction(Effect.andThen(Effect.exit(place(2)), Effect.succeed("went on")))
      assert.strictEqual((yield* Effect.flip(unit))._tag, "StoreUnavailable")
      assert.deepStrictEqual(yield* kept, before)
    }).pipe(Effect.provide(
      Domain.toLayer(handlers).pipe(Layer.provideMerge(failingAt((step) => step === armed)))
    ))
  })

  it.effect("keeps the answer of an idempotency key with the command, or neither", () =>
    Effect.gen(function*() {
      const keys = yield* IdempotencyStore.IdempotencyStore
      const key = { scope: "POST /orders", key: "k-1" }
      const options = { fingerprint: "f", lease: "1 minute", timeToLive: "1 day" } as const
      const claim = keys.claim(key, options)
      const answering = (quantity: number) =>
        Effect.gen(function*() {
          const claimed = yield* claim
          const token = claimed._tag === "Claimed" ? claimed.token : ""
          return yield* Domain.transaction(Effect.gen(function*() {
            yield* keys.complete(key, token, "201")
            return yield* place(quantity)
          })).pipe(Effect.tapError(() => keys.release(key, token)))
        })
      yield* Effect.flip(answering(101))
      assert.deepStrictEqual(yield* allEvents, [])
      yield* answering(1)
      assert.deepStrictEqual(yield* claim, { _tag: "Completed", answer: "201" })
      assert.lengthOf(yield* allEvents, 1)
    }).pipe(Effect.provide(Domain.toLayer(handlers).pipe(Layer.provideMerge(memory)))))

  it.effect("opens the transaction after beforeCommand, and starts afterStore after the commit", () => {
    const seen: Array<string> = []
    const look = (hook: string) =>
      Effect.gen(function*() {
        const open = yield* UnitOfWork.UnitOfWork.use((unit) => unit.isOpen)
        const events = yield* allEvents
        seen.push(`${hook}: transaction ${open ? "open" : "closed"}, ${events.length} stored`)
      })
    const hooks: Hooks.Hooks<UnitOfWork.UnitOfWork | EventStore.EventStore> = {
      beforeCommand: () => Effect.orDie(look("beforeCommand")),
      beforeStore: () => Effect.orDie(look("beforeStore")),
      afterStore: () => look("afterStore"),
      afterCommand: () => look("afterCommand")
    }
    return Effect.gen(function*() {
      yield* place(1)
      yield* Effect.yieldNow
      assert.sameMembers(seen, [
        "beforeCommand: transaction closed, 0 stored",
        "beforeStore: transaction open, 0 stored",
        "afterStore: transaction closed, 1 stored",
        "afterCommand: transaction closed, 1 stored"
      ])
    }).pipe(Effect.provide(Domain.toLayer(handlers, { hooks: [hooks] }).pipe(Layer.provideMerge(memory))))
  })
})
