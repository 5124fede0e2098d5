import { assert, describe, it, layer as testLayer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Schema } from "effect"
import { Aggregate, AggregateOwner, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
import { IdempotencyStore, MemoryStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { TestClock } from "effect/testing"
import { PgTest } from "../postgres.ts"

const claim = (key: string, fingerprint: string, scope = "alice POST /orders") =>
  IdempotencyStore.IdempotencyStore.use((store) =>
    store.claim({ scope, key }, { fingerprint, lease: "30 seconds", timeToLive: "1 day" })
  )
const finish = (key: string, token: string) =>
  IdempotencyStore.IdempotencyStore.use((store) =>
    store.complete({ scope: "alice POST /orders", key }, token, "answer")
  )

describe("T30: one idempotency key, one effect", () => {
  it.effect("same key and payload gives the stored result, another payload is a mismatch, a running one says so", () =>
    Effect.gen(function*() {
      const first = yield* claim("k", "payload")
      assert.strictEqual(first._tag, "Claimed")
      assert.strictEqual((yield* claim("k", "payload"))._tag, "InProgress")
      yield* finish("k", first._tag === "Claimed" ? first.token : "")
      assert.deepStrictEqual(yield* claim("k", "payload"), { _tag: "Completed", answer: "answer" })
      assert.strictEqual((yield* claim("k", "changed"))._tag, "Mismatch")
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a key belongs to its caller", () =>
    Effect.gen(function*() {
      yield* claim("k", "payload")
      assert.strictEqual((yield* claim("k", "other", "bob POST /orders"))._tag, "Claimed")
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("a claim nobody finishes is free after its lease, and its first holder cannot finish it any more", () =>
    Effect.gen(function*() {
      const first = yield* claim("k", "payload")
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual((yield* claim("k", "payload"))._tag, "InProgress")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* claim("k", "payload"))._tag, "Claimed")
      assert.isFalse(yield* finish("k", first._tag === "Claimed" ? first.token : ""))
    }).pipe(Effect.provide(MemoryStore.layer)))

  it.effect("an answer is forgotten after its time to live", () =>
    Effect.gen(function*() {
      const first = yield* claim("k", "payload")
      yield* finish("k", first._tag === "Claimed" ? first.token : "")
      yield* TestClock.adjust("23 hours")
      assert.strictEqual((yield* claim("k", "payload"))._tag, "Completed")
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* claim("k", "changed"))._tag, "Claimed")
    }).pipe(Effect.provide(MemoryStore.layer)))
})

const payload = { id: Schema.String, by: Schema.Int }
const success = Schema.Struct({ total: Schema.Int })
/** Decided by an aggregate. */
const Add = Command.make("counters.Add", { payload, success, aggregateId: ({ id }) => id })
/** Handled by a function. */
const Charge = Command.make("cards.Charge", { payload, success })

const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })
const Counter = Aggregate.make({
  name: "Counter",
  state: success,
  initial: { total: 0 },
  commands: [Add],
  events: [Added],
  decide: { "counters.Add": (_state, { by }) => Effect.succeed([Added.make({ by })]) },
  evolve: { Added: (state, { by }) => ({ total: state.total + by }) }
})

/** What each key of the function was charged; a key that stands here waits. */
const charged = new Map<string, number>()
const waiting = new Map<string, Deferred.Deferred<void>>()
const handlers = [
  Domain.aggregateHandler(Add, Counter, { reply: (state) => state }),
  Domain.idempotent(Domain.handler(Charge, ({ by, id }) =>
    Effect.gen(function*() {
      const total = (charged.get(id) ?? 0) + by
      charged.set(id, total)
      const held = waiting.get(id)
      if (held !== undefined) yield* Deferred.await(held)
      return { total }
    })))
] as const

const api = Domain.toHttpApi("api", handlers)

/** Posts to the handlers of the layer that the test runs in. */
const post = (tag: string, body: typeof Add.payloadSchema.Type, key: string) =>
  Effect.gen(function*() {
    const installed = yield* Effect.context<Layer.Success<ReturnType<typeof domain>>>()
    const routes = HttpApiBuilder.layer(api).pipe(
      Layer.provide(Domain.toHttpHandlers(api, "api")),
      Layer.provide([Layer.succeedContext(installed), HttpServer.layerServices])
    )
    const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
    const request = new Request(`http://localhost/commands/${tag}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", "idempotency-key": key }
    })
    const answer = yield* Effect.promise(async () => {
      const response = await handler(request)
      return { status: response.status, body: await response.json() as Readonly<Record<string, unknown>> }
    })
    yield* Effect.promise(dispose)
    return answer
  })

const domain = <E>(stores: Layer.Layer<MemoryStores, E>) => Domain.toLayer(handlers).pipe(Layer.provideMerge(stores))
type MemoryStores = Layer.Success<typeof MemoryStore.layer>

const contract = <E>(title: string, stores: Layer.Layer<MemoryStores, E>) =>
  testLayer(domain(stores), { excludeTestServices: true, timeout: "60 seconds" })(
    `T30 for commands, ${title}`,
    (it) => {
      for (const [kind, command] of [["an aggregate", Add], ["a function", Charge]] as const) {
        const id = (test: string) => `${title} ${kind} ${test}`
        const send = (id: string, by: number, commandId: string) => Mediator.send(command, { id, by }, { commandId })

        it.effect(`the same command of ${kind} happens once, with the first answer`, () =>
          Effect.gen(function*() {
            const first = yield* send(id("once"), 5, "k")
            assert.deepStrictEqual(first, { total: 5 })
            assert.deepStrictEqual(yield* send(id("once"), 5, "k"), first)
            assert.deepStrictEqual(yield* send(id("once"), 5, "k2"), { total: 10 })
            assert.deepStrictEqual(yield* send(id("once"), 5, "k"), first)
          }))

        it.effect(`another payload of ${kind} under the key is a mismatch, and changes nothing`, () =>
          Effect.gen(function*() {
            yield* send(id("mismatch"), 5, "m")
            const error = yield* Effect.flip(send(id("mismatch"), 99, "m"))
            assert.deepInclude(error, { _tag: "CommandIdMismatch", name: command._tag, commandId: "m" })
            assert.deepStrictEqual(yield* send(id("mismatch"), 1, "other"), { total: 6 })
          }))

        it.effect(`eight of ${kind} at once under one key happen once`, () =>
          Effect.gen(function*() {
            const answers = yield* Effect.forEach(
              Array.from({ length: 8 }),
              () => Effect.result(send(id("race"), 5, "r")),
              { concurrency: "unbounded" }
            )
            const totals = answers.flatMap((one) => one._tag === "Success" ? [one.success.total] : [])
            const errors = answers.flatMap((one) => one._tag === "Failure" ? [one.failure._tag] : [])
            assert.isAbove(totals.length, 0)
            assert.isTrue(totals.every((total) => total === 5), String(totals))
            assert.isTrue(
              errors.every((tag) => tag === "CommandInProgress" || tag === "ConcurrencyConflict"),
              String(errors)
            )
            assert.deepStrictEqual(yield* send(id("race"), 1, "after"), { total: 6 })
          }))

        it.effect(`over HTTP ${kind} answers a repeat with 200 and another payload with 422`, () =>
          Effect.gen(function*() {
            const first = yield* post(command._tag, { id: id("http"), by: 5 }, "h")
            assert.deepStrictEqual(first, { status: 200, body: { total: 5 } })
            assert.deepStrictEqual(yield* post(command._tag, { id: id("http"), by: 5 }, "h"), first)
            const { body, status } = yield* post(command._tag, { id: id("http"), by: 99 }, "h")
            assert.deepStrictEqual([status, body["_tag"]], [422, "CommandIdMismatch"])
          }))
      }

      it.effect("a function that is still running is 409 over HTTP, and its answer comes when it has ended", () =>
        Effect.gen(function*() {
          const held = yield* Deferred.make<void>()
          const id = `${title} held`
          waiting.set(id, held)
          const first = yield* Effect.forkChild(post("cards.Charge", { id, by: 5 }, "w"))
          while (!charged.has(id)) yield* Effect.yieldNow
          const { body, status } = yield* post("cards.Charge", { id, by: 5 }, "w")
          assert.deepStrictEqual([status, body["_tag"]], [409, "CommandInProgress"])
          yield* Deferred.succeed(held, undefined)
          assert.deepStrictEqual(yield* Fiber.join(first), { status: 200, body: { total: 5 } })
          assert.strictEqual((yield* post("cards.Charge", { id, by: 5 }, "w")).status, 200)
          assert.strictEqual(charged.get(id), 5)
        }))

      it.effect("an owner that has the aggregate in memory knows another payload too", () =>
        Effect.gen(function*() {
          const id = `${title} owned`
          const owner = AggregateOwner.make(Counter, id)
          const send = (by: number, commandId: string) =>
            Mediator.send(Add, { id, by }, { commandId }).pipe(AggregateOwner.within(owner))
          yield* send(5, "o")
          assert.deepStrictEqual(yield* send(5, "o"), { total: 5 })
          assert.strictEqual((yield* Effect.flip(send(6, "o")))._tag, "CommandIdMismatch")
          assert.deepStrictEqual(yield* send(1, "o2"), { total: 6 })
        }))

      it.effect("a key of a function belongs to its caller", () =>
        Effect.gen(function*() {
          const as = (actor: string) =>
            Mediator.send(Charge, { id: `${title} ${actor}`, by: 5 }, { commandId: "mine" }).pipe(
              Effect.provideService(Command.Actor, Option.some(actor))
            )
          assert.deepStrictEqual(yield* as("alice"), { total: 5 })
          assert.deepStrictEqual(yield* as("bob"), { total: 5 })
          assert.deepStrictEqual([charged.get(`${title} alice`), charged.get(`${title} bob`)], [5, 5])
        }))
    }
  )

contract("memory", MemoryStore.layer)
contract("PostgreSQL", PgStore.layer().pipe(Layer.provide(PgTest)))
