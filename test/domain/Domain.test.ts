import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Schedule, Schema, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import {
  Aggregate,
  Command,
  Domain,
  DomainError,
  DomainEvent,
  type Hooks,
  Mediator,
  Query
} from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { RequestId } from "effect-lifecycle/request"
import { EventStore, StateStore } from "effect-lifecycle/store"
import {
  Buy,
  ById,
  byIdHandler,
  Cancel,
  cancelHandler,
  orders,
  Pay,
  payHandler,
  Place,
  placeHandler
} from "./support/orders.ts"
import { allEvents, memory, overtaken } from "./support/store.ts"

const handlers = [placeHandler, payHandler, cancelHandler, byIdHandler] as const
const live = (options: Domain.Options = {}) => Domain.toLayer(handlers, options).pipe(Layer.provideMerge(memory))
const place = (orderId: string, quantity = 1) => Mediator.send(Place, { orderId, quantity })

describe("Domain", () => {
  describe("a command of an aggregate", () => {
    it.effect("stores its events, its row and answers with its reply", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* place("o-1", 3), { orderId: "o-1", quantity: 3, version: 1 })
        assert.deepStrictEqual(yield* Mediator.send(Pay, { orderId: "o-1" }), { version: 2 })
        assert.deepStrictEqual((yield* allEvents).map((event) => [event.type, event.version, event.schemaVersion]), [
          ["OrderPlaced", 1, 2],
          ["OrderPaid", 2, 1]
        ])
        assert.deepStrictEqual(yield* Mediator.query(ById, { orderId: "o-1" }), { quantity: 3, status: "paid" })
        const row = yield* StateStore.StateStore.use((store) => store.get(orders, "o-1"))
        assert.strictEqual(Option.getOrThrow(row).version, 2)
      }).pipe(Effect.provide(live())))

    it.effect("emits nothing when it is rejected, and nothing when there is nothing to do", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(place("o-1", 101)))._tag, "OutOfStock")
        assert.strictEqual((yield* Effect.flip(Mediator.send(Pay, { orderId: "o-1" })))._tag, "NoSuchOrder")
        assert.deepStrictEqual(yield* allEvents, [])
        yield* place("o-1")
        yield* Mediator.send(Pay, { orderId: "o-1" })
        assert.deepStrictEqual(yield* Mediator.send(Pay, { orderId: "o-1" }), { version: 2 })
        assert.lengthOf(yield* allEvents, 2)
      }).pipe(Effect.provide(live())))

    it.effect("removes its row when the projection says so", () =>
      Effect.gen(function*() {
        yield* place("o-1")
        yield* Mediator.send(Cancel, { orderId: "o-1" })
        assert.strictEqual((yield* Effect.flip(Mediator.query(ById, { orderId: "o-1" })))._tag, "NoSuchOrder")
      }).pipe(Effect.provide(live())))

    it.effect("keeps request, correlation, causation, actor, trace and command with every event", () =>
      Effect.gen(function*() {
        const traceId = yield* place("o-1").pipe(
          Effect.andThen(Effect.map(Effect.currentSpan, (span) => span.traceId)),
          Effect.withSpan("test")
        )
        const id = Option.getOrThrow(RequestId.parse("req-1"))
        yield* Mediator.send(Place, { orderId: "o-1", quantity: 1, requestKey: "k-1" }).pipe(
          Effect.provideService(RequestId.Current, Option.some(id)),
          Effect.provideService(Command.Actor, Option.some("alice"))
        )
        yield* Mediator.send(Pay, { orderId: "o-1" }).pipe(
          Effect.provideService(Command.Correlation, Option.some("process-1"))
        )
        assert.deepStrictEqual((yield* allEvents).map(({ meta: { fingerprint: _, ...meta } }) => meta), [
          { command: "orders.Place", traceId },
          {
            command: "orders.Place",
            requestId: "req-1",
            correlationId: "req-1",
            causationId: "k-1",
            actor: "alice"
          },
          { command: "orders.Pay", correlationId: "process-1" }
        ])
      }).pipe(Effect.provide(live())))
  })

  describe("a command id", () => {
    it.effect("makes a command happen once and gives the first reply again", () =>
      Effect.gen(function*() {
        const first = yield* Mediator.send(Place, { orderId: "o-1", quantity: 3, requestKey: "k-1" })
        yield* place("o-1", 5)
        const again = yield* Mediator.send(Place, { orderId: "o-1", quantity: 3, requestKey: "k-1" })
        assert.deepStrictEqual(again, first)
        assert.lengthOf(yield* allEvents, 2)
      }).pipe(Effect.provide(live())))

    it.effect("belongs to one payload; what was stored before there were fingerprints is believed", () =>
      Effect.gen(function*() {
        const send = (quantity: number) => Mediator.send(Place, { orderId: "o-1", quantity, requestKey: "k-1" })
        const first = yield* send(3)
        const error = yield* Effect.flip(send(4))
        assert.deepInclude(error, { _tag: "CommandIdMismatch", name: "orders.Place", commandId: "k-1" })
        assert.match(error.message, /"k-1" belongs to a "orders\.Place" with another payload/)
        assert.deepStrictEqual(yield* send(3), first)
        assert.lengthOf(yield* allEvents, 1)

        const [stored] = yield* allEvents
        const store = yield* EventStore.EventStore
        yield* store.append({
          stream: { category: "Order", id: "old" },
          expect: "noStream",
          events: [{ type: "OrderPlaced", schemaVersion: stored?.schemaVersion, data: stored?.data }],
          commandId: "orders.Place/k-1"
        })
        const old = yield* Mediator.send(Place, { orderId: "old", quantity: 99, requestKey: "k-1" })
        assert.strictEqual(old.version, 1)
      }).pipe(Effect.provide(live())))

    it.effect("can come beside the payload, and is another id under another command or aggregate", () =>
      Effect.gen(function*() {
        const options = { commandId: "k-1" }
        yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 }, options)
        yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 }, options)
        yield* Mediator.send(Place, { orderId: "o-2", quantity: 1 }, options)
        yield* Mediator.send(Pay, { orderId: "o-1" }, options)
        assert.deepStrictEqual((yield* allEvents).map((event) => `${event.stream.id} ${event.type}`), [
          "o-1 OrderPlaced",
          "o-2 OrderPlaced",
          "o-1 OrderPaid"
        ])
      }).pipe(Effect.provide(live())))

    it.effect("wins over an expected version that has gone since", () =>
      Effect.gen(function*() {
        const options = { commandId: "k-1", expectedVersion: 0 }
        const first = yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 }, options)
        assert.deepStrictEqual(yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 }, options), first)
      }).pipe(Effect.provide(live())))

    it.effect("runs neither beforeStore nor afterStore when it is replayed", () => {
      const seen: Array<string> = []
      const hooks: Hooks.Hooks = {
        beforeCommand: () => Effect.sync(() => void seen.push("beforeCommand")),
        beforeStore: () => Effect.sync(() => void seen.push("beforeStore")),
        afterStore: () => Effect.sync(() => void seen.push("afterStore")),
        afterCommand: () => Effect.sync(() => void seen.push("afterCommand"))
      }
      return Effect.gen(function*() {
        yield* Mediator.send(Place, { orderId: "o-1", quantity: 1, requestKey: "k" })
        seen.length = 0
        yield* Mediator.send(Place, { orderId: "o-1", quantity: 1, requestKey: "k" })
        assert.deepStrictEqual(seen, ["beforeCommand", "afterCommand"])
      }).pipe(Effect.provide(live({ hooks: [hooks] })))
    })
  })

  describe("an expected version", () => {
    it.effect("lets the command pass when the aggregate has it", () =>
      Effect.gen(function*() {
        const place = { orderId: "o-1", quantity: 1 }
        assert.strictEqual((yield* Mediator.send(Place, place, { expectedVersion: 0 })).version, 1)
        assert.strictEqual((yield* Mediator.send(Place, place, { expectedVersion: 1 })).version, 2)
      }).pipe(Effect.provide(live())))

    it.effect("lets one of two writers pass, and tells the other what the version is", () =>
      Effect.gen(function*() {
        const write = Mediator.send(Place, { orderId: "o-1", quantity: 1 }, { expectedVersion: 0 })
        const [passed, refused] = yield* Effect.partition([1, 2], () => write)
        assert.lengthOf(passed, 1)
        assert.deepStrictEqual(refused, [
          new DomainError.VersionMismatch({ aggregate: "Order", id: "o-1", expected: 0, actual: 1 })
        ])
      }).pipe(Effect.provide(live())))

    it.effect("is a mismatch without a retry when another is first between load and append", () => {
      let decided = 0
      const count: Hooks.Hooks = { beforeStore: () => Effect.sync(() => void decided++) }
      return Effect.gen(function*() {
        const error = yield* Effect.flip(
          Mediator.send(Place, { orderId: "o-1", quantity: 1 }, { expectedVersion: 0 })
        )
        assert.strictEqual(error._tag, "VersionMismatch")
        assert.strictEqual(decided, 1)
      }).pipe(Effect.provide(Domain.toLayer(handlers, { hooks: [count] }).pipe(Layer.provide(overtaken(1)))))
    })
  })

  describe("commands beside each other", () => {
    it.effect("are all applied when twenty increase one aggregate", () =>
      Effect.gen(function*() {
        yield* Effect.forEach(Array.from({ length: 20 }), () => place("o-1"), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          (yield* allEvents).map((event) => event.version),
          Array.from({ length: 20 }, (_, i) => i + 1)
        )
        assert.strictEqual((yield* Mediator.query(ById, { orderId: "o-1" })).quantity, 20)
      }).pipe(Effect.provide(live())))

    it.effect("are decided again when another was first", () => {
      let decided = 0
      const count: Hooks.Hooks = { beforeStore: () => Effect.sync(() => void decided++) }
      return Effect.gen(function*() {
        assert.strictEqual((yield* place("o-1")).version, 1)
        assert.strictEqual(decided, 3)
      }).pipe(Effect.provide(
        Domain.toLayer(handlers, { hooks: [count], conflicts: Schedule.recurs(2) }).pipe(Layer.provide(overtaken(2)))
      ))
    })

    it.effect("give up with a typed conflict after the last attempt", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(place("o-1"))
        assert.deepStrictEqual(
          error,
          new DomainError.ConcurrencyConflict({ aggregate: "Order", id: "o-1", expected: 0, actual: 1 })
        )
        assert.deepStrictEqual(yield* allEvents, [])
      }).pipe(Effect.provide(
        Domain.toLayer(handlers, { conflicts: Schedule.recurs(2) }).pipe(Layer.provideMerge(overtaken(3)))
      )))

    it.effect("are not decided again inside an enclosing transaction", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Domain.transaction(place("o-1")))
        assert.strictEqual(error._tag, "ConcurrencyConflict")
      }).pipe(Effect.provide(
        Domain.toLayer(handlers, { conflicts: Schedule.recurs(9) }).pipe(Layer.provideMerge(overtaken(1)))
      )))
  })

  describe("transaction", () => {
    it.effect("commits several commands as one and starts their listeners after that commit", () => {
      const log: Array<string> = []
      const hooks: Hooks.Hooks = {
        afterStore: (command, events) =>
          Effect.sync(() => void log.push(`${command.name} ${events.map((event) => event.version)}`))
      }
      return Effect.gen(function*() {
        yield* Domain.transaction(Effect.gen(function*() {
          yield* place("o-1")
          yield* Mediator.send(Pay, { orderId: "o-1" })
          log.push("end of the unit")
        }))
        assert.deepStrictEqual(log, ["end of the unit", "orders.Place 1", "orders.Pay 2"])
      }).pipe(Effect.provide(live({ hooks: [hooks] })))
    })

    it.effect("keeps nothing and starts no listener when a later command fails", () => {
      let started = 0
      const hooks: Hooks.Hooks = { afterStore: () => Effect.sync(() => void started++) }
      return Effect.gen(function*() {
        const error = yield* Effect.flip(Domain.transaction(Effect.andThen(place("o-1"), place("o-2", 101))))
        assert.strictEqual(error._tag, "OutOfStock")
        assert.deepStrictEqual(yield* allEvents, [])
        assert.strictEqual((yield* Effect.flip(Mediator.query(ById, { orderId: "o-1" })))._tag, "NoSuchOrder")
        assert.strictEqual(started, 0)
      }).pipe(Effect.provide(live({ hooks: [hooks] })))
    })
  })

  describe("a command that a function handles", () => {
    const buyHandler = Domain.handler(Buy, ({ orderId, quantity }, sent) =>
      Domain.transaction(Effect.gen(function*() {
        yield* Mediator.send(Place, { orderId, quantity })
        const { version } = yield* Mediator.send(Pay, { orderId })
        return sent.expectedVersion ?? version
      })).pipe(Effect.catchTags({
        ConcurrencyConflict: Effect.die,
        VersionMismatch: Effect.die,
        Refused: Effect.die,
        InvalidPayload: Effect.die,
        CommandIdMismatch: Effect.die,
        CommandInProgress: Effect.die
      })), { versioned: true })
    const buying = Domain.toLayer([...handlers, buyHandler]).pipe(Layer.provideMerge(memory))

    it.effect("sends commands of its own layer", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Mediator.send(Buy, { orderId: "o-1", quantity: 2 }), 2)
        assert.lengthOf(yield* allEvents, 2)
      }).pipe(Effect.provide(buying)))

    it.effect("keeps the id and the version it was sent with to itself", () =>
      Effect.gen(function*() {
        const options = { expectedVersion: 7, commandId: "k-1" }
        assert.strictEqual(yield* Mediator.send(Buy, { orderId: "o-1", quantity: 2 }, options), 7)
        assert.deepStrictEqual((yield* allEvents).map((event) => event.meta["causationId"]), [undefined, undefined])
      }).pipe(Effect.provide(buying)))

    it.effect("runs on the stores of its own layer, whoever sends it", () =>
      Effect.gen(function*() {
        const own = yield* Layer.build(Domain.toLayer([...handlers, buyHandler]).pipe(Layer.provide(memory)))
        const program = Effect.gen(function*() {
          yield* Mediator.send(Buy, { orderId: "o-1", quantity: 2 })
          assert.deepStrictEqual(yield* allEvents, [])
          assert.deepStrictEqual(yield* Mediator.query(ById, { orderId: "o-1" }), { quantity: 2, status: "paid" })
        })
        yield* program.pipe(Effect.provide(Layer.fresh(memory)), Effect.provideContext(own))
      }))

    it.effect("finds the other handlers of its layer where the caller has only this one", () =>
      Effect.gen(function*() {
        const all = yield* Layer.build(buying)
        const only = Context.makeUnsafe<Rpc.Handler<"orders.Buy">>(new Map([[Buy.key, all.mapUnsafe.get(Buy.key)]]))
        const bought = Mediator.send(Buy, { orderId: "o-1", quantity: 2 })
        assert.strictEqual(yield* Effect.provideContext(bought, only), 2)
      }))
  })

  it.effect("reports every request once, with its outcome", () => {
    const reports: Array<string> = []
    const record: Recorder.Recorder = (report) => {
      if (report._tag !== "CommandEnded") return
      assert.isAtLeast(Number(report.endNanos - report.startNanos), 0)
      reports.push([report.kind, report.name, report.outcome, report.errorTag ?? "-"].join(" "))
    }
    const Numbers = Query.stream("orders.Numbers", { success: Schema.Int })
    const Broken = Query.make("orders.Broken", { success: Schema.Int })
    const Endless = Query.make("orders.Endless")
    const layer = Domain.toLayer([
      ...handlers,
      Domain.streamHandler(Numbers, () => Stream.make(1, 2, 3)),
      Domain.handler(Broken, () => Effect.die("bug")),
      Domain.handler(Endless, () => Effect.never)
    ]).pipe(Layer.provide(memory))
    return Effect.gen(function*() {
      yield* place("o-1")
      yield* Effect.exit(place("o-1", 101))
      yield* Effect.exit(place("o-1", -1))
      yield* Mediator.query(ById, { orderId: "o-1" })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Mediator.query(Broken, undefined))))
      yield* Effect.timeoutOption(Effect.raceFirst(Mediator.query(Endless, undefined), Effect.yieldNow), 1)
      assert.deepStrictEqual(yield* Stream.runCollect(Mediator.stream(Numbers, undefined)), [1, 2, 3])
      yield* Stream.runDrain(Stream.take(Mediator.stream(Numbers, undefined), 1))
      assert.deepStrictEqual(reports, [
        "command orders.Place success -",
        "command orders.Place failure OutOfStock",
        "command orders.Place failure InvalidPayload",
        "query orders.ById success -",
        "query orders.Broken defect -",
        "query orders.Endless interrupted -",
        "stream orders.Numbers success -",
        "stream orders.Numbers success -"
      ])
    }).pipe(Effect.provide(layer), Recorder.recordTo(record))
  })

  it.effect("refuses two aggregates of one name, and takes two commands of one aggregate", () =>
    Effect.gen(function*() {
      const options = { payload: { id: Schema.String }, aggregateId: ({ id }: { readonly id: string }) => id }
      const Add = Command.make("x.Add", options)
      const Sub = Command.make("x.Sub", options)
      const Added = DomainEvent.make("Added", { schema: {} })
      const Subbed = DomainEvent.make("Subbed", { schema: {} })
      const common = { name: "X", state: Schema.Int, initial: 0 }
      const up = Aggregate.make({
        ...common,
        commands: [Add],
        events: [Added],
        decide: { "x.Add": () => Effect.succeed([Added.make({})]) },
        evolve: { Added: (state) => state + 1 }
      })
      const down = Aggregate.make({
        ...common,
        commands: [Sub],
        events: [Subbed],
        decide: { "x.Sub": () => Effect.succeed([Subbed.make({})]) },
        evolve: { Subbed: (state) => state - 1 }
      })
      const reply = () => undefined
      const building = Domain.toLayer([
        Domain.aggregateHandler(Add, up, { reply }),
        Domain.aggregateHandler(Sub, down, { reply })
      ]).pipe(Layer.provide(memory))
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(building)))
      assert.include(String(exit), "got two aggregates \"X\"")
      yield* Effect.scoped(Layer.build(live()))
    }))

  it.effect("refuses two handlers of one definition", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Layer.build(Domain.toLayer([placeHandler, placeHandler]).pipe(Layer.provide(memory)))
      )
      assert.include(String(exit), "got \"orders.Place\" twice")
    }))
})
