import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { Command, Domain, DomainError, type Hooks, Mediator, Middleware } from "effect-lifecycle/domain"
import { IdempotencyStore, Tenant, UnitOfWork } from "effect-lifecycle/store"
import { pipe } from "effect/Function"
import { TestClock } from "effect/testing"
import { memory } from "./support/store.ts"

class Declined extends Schema.TaggedError<Declined>()("Declined", { at: Schema.Date }) {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}

const Charge = Command.make("cards.Charge", {
  payload: {
    order: Schema.String,
    cents: Schema.Int,
    tags: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int))
  },
  success: Schema.Struct({ receipt: Schema.Int, at: Schema.Date }),
  error: Schema.Union([Declined, Busy])
})
const Ping = Command.make("cards.Ping")

/** How often the card was charged, and what the next charge does. */
class Till {
  ran = 0
  next: (ran: number) => Effect.Effect<number, Declined | Busy | DomainError.CommandFailure> = Effect.succeed
  readonly charge = Domain.handler(Charge, () =>
    Effect.suspend(() => this.next(++this.ran)).pipe(
      Effect.map((receipt) => ({ receipt, at: new Date(receipt * 1000) }))
    ))
}

const payload = { order: "o-1", cents: 5 }
const charge = (commandId: string, more: Partial<typeof Charge.payloadSchema.Type> = {}) =>
  Mediator.send(Charge, { ...payload, ...more }, { commandId })

const installed = (
  till: Till,
  options?: Domain.IdempotentOptions<Declined | Busy | DomainError.CommandFailure>,
  more: Domain.Options = {}
) => Domain.toLayer([Domain.idempotent(till.charge, options)], more).pipe(Layer.provideMerge(memory))

const live = <A, E, R>(
  test: (till: Till) => Effect.Effect<A, E, R>,
  options?: Domain.IdempotentOptions<Declined | Busy | DomainError.CommandFailure>
) => {
  const till = new Till()
  return Effect.provide(test(till), installed(till, options))
}

describe("Domain.handler under a command id", () => {
  it.effect("runs each time without Domain.idempotent, and is given the id", () => {
    const given: Array<string | undefined> = []
    const handler = Domain.handler(Ping, (_, { commandId }) => Effect.sync(() => void given.push(commandId)))
    return Effect.gen(function*() {
      yield* Mediator.send(Ping, undefined, { commandId: "k" })
      yield* Mediator.send(Ping, undefined, { commandId: "k" })
      assert.deepStrictEqual(given, ["k", "k"])
    }).pipe(Effect.provide(Domain.toLayer([handler])))
  })

  it.effect("refuses an expected version that nobody would look at", () => {
    let ran = 0
    const run = () => Effect.sync(() => void ran++)
    return Effect.gen(function*() {
      const send = Mediator.send(Ping, undefined, { expectedVersion: 3 })
      const error = yield* Effect.flip(Effect.provide(send, Domain.toLayer([Domain.handler(Ping, run)])))
      assert.deepInclude(error, { _tag: "InvalidPayload", name: "cards.Ping" })
      assert.match(error.message, /header\/if-match: a function handles this command/)
      assert.strictEqual(ran, 0)
      yield* Effect.provide(send, Domain.toLayer([Domain.handler(Ping, run, { versioned: true })]))
      assert.strictEqual(ran, 1)
    })
  })
})

describe("Domain.idempotent", () => {
  it.effect("runs a command once under its id, and gives the first answer again, decoded", () =>
    live((till) =>
      Effect.gen(function*() {
        const first = yield* charge("k")
        assert.deepStrictEqual(first, { receipt: 1, at: new Date(1000) })
        assert.deepStrictEqual(yield* charge("k"), first)
        assert.strictEqual(till.ran, 1)
        assert.strictEqual((yield* charge("other")).receipt, 2)
      })
    ))

  it.effect("keeps the answer of a command that answers nothing", () => {
    let ran = 0
    const handler = Domain.idempotent(Domain.handler(Ping, () => Effect.sync(() => void ran++)))
    return Effect.gen(function*() {
      yield* Mediator.send(Ping, undefined, { commandId: "k" })
      assert.isUndefined(yield* Mediator.send(Ping, undefined, { commandId: "k" }))
      assert.strictEqual(ran, 1)
    }).pipe(Effect.provide(Domain.toLayer([handler]).pipe(Layer.provide(memory))))
  })

  it.effect("runs each time without an id", () =>
    live((till) =>
      Effect.gen(function*() {
        yield* Mediator.send(Charge, payload)
        yield* Mediator.send(Charge, payload)
        assert.strictEqual(till.ran, 2)
      })
    ))

  it.effect("refuses another payload under the id, whatever order its fields come in", () =>
    live((till) =>
      Effect.gen(function*() {
        yield* charge("k", { tags: { a: 1, b: 2 } })
        assert.strictEqual((yield* charge("k", { tags: { b: 2, a: 1 } })).receipt, 1)
        const error = yield* Effect.flip(charge("k", { tags: { a: 1, b: 3 } }))
        assert.instanceOf(error, DomainError.CommandIdMismatch)
        assert.deepInclude(error, { name: "cards.Charge", commandId: "k" })
        assert.strictEqual(till.ran, 1)
      })
    ))

  it.effect("says so while the first is still running, and answers with it afterwards", () =>
    live((till) =>
      Effect.gen(function*() {
        const open = yield* Deferred.make<void>()
        till.next = (ran) => Effect.as(Deferred.await(open), ran)
        const first = yield* Effect.forkChild(charge("k"), { startImmediately: true })
        assert.instanceOf(yield* Effect.flip(charge("k")), DomainError.CommandInProgress)
        yield* Deferred.succeed(open, undefined)
        assert.deepStrictEqual(yield* charge("k"), yield* Fiber.join(first))
        assert.strictEqual(till.ran, 1)
      })
    ))

  it.effect("keeps the command's own errors, typed, and not those that pass", () =>
    live((till) =>
      Effect.gen(function*() {
        till.next = (ran) => ran === 1 ? new Declined({ at: new Date(7) }) : Effect.succeed(ran)
        for (let i = 0; i < 2; i++) {
          const error = yield* Effect.flip(charge("declined"))
          assert.deepStrictEqual(error, new Declined({ at: new Date(7) }))
        }
        assert.strictEqual(till.ran, 1)

        const passing = [
          Effect.fail(new UnitOfWork.StoreUnavailable({ operation: "x", reason: "away" })),
          Effect.fail(new DomainError.Refused({ name: "x", reason: "not now" })),
          Effect.fail(new Busy()),
          Effect.die(new Error("a bug"))
        ]
        for (const [index, failing] of passing.entries()) {
          const before = till.ran
          till.next = (ran) => ran === before + 1 ? failing : Effect.succeed(ran)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(charge(`passing ${index}`))))
          assert.strictEqual((yield* charge(`passing ${index}`)).receipt, before + 2)
        }
      }), { retryable: (error) => error._tag === "Busy" }))

  it.effect("gives the id back when it is interrupted", () =>
    live((till) =>
      Effect.gen(function*() {
        till.next = () => Effect.never
        const first = yield* Effect.forkChild(charge("k"), { startImmediately: true })
        yield* Fiber.interrupt(first)
        till.next = Effect.succeed
        assert.strictEqual((yield* charge("k")).receipt, 2)
      })
    ))

  it.effect("runs again when the process that had it was never heard of again, and when the answer is too old", () =>
    live((till) =>
      Effect.gen(function*() {
        const store = yield* IdempotencyStore.IdempotencyStore
        const dead = { scope: JSON.stringify(["cards.Charge", "", null]), key: "dead" }
        // As a process leaves it that is killed in the middle of this command.
        const fingerprint = Command.fingerprint(Charge)(payload) ?? ""
        yield* store.claim(dead, { fingerprint, lease: "1 minute", timeToLive: "1 hour" })
        assert.instanceOf(yield* Effect.flip(charge("dead")), DomainError.CommandInProgress)
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual((yield* charge("dead")).receipt, 1)
        yield* TestClock.adjust("59 minutes")
        assert.strictEqual((yield* charge("dead")).receipt, 1)
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* charge("dead")).receipt, 2)
        assert.strictEqual(till.ran, 2)
      }), { lease: "1 minute", timeToLive: "1 hour" }))

  it.effect("keeps the ids of commands, callers and tenants apart", () =>
    live((till) =>
      Effect.gen(function*() {
        const as = (actor: string) => Effect.provideService(charge("k"), Command.Actor, Option.some(actor))
        const receipts = yield* Effect.all([
          charge("k"),
          as("alice"),
          as("bob"),
          as("alice"),
          Tenant.within(charge("k"), "acme"),
          charge("k")
        ])
        assert.deepStrictEqual(receipts.map(({ receipt }) => receipt), [1, 2, 3, 2, 4, 1])
        assert.strictEqual(till.ran, 4)
      })
    ))

  it.effect("runs middleware and hooks around a repeated command too", () => {
    const till = new Till()
    const seen: Array<string> = []
    const note = (what: string) => Effect.sync(() => void seen.push(what))
    const layer = installed(till, {}, {
      middleware: [Middleware.make((request, self) => Effect.andThen(note(request.name), self))],
      hooks: [{ beforeCommand: () => note("before"), afterCommand: (_, exit) => note(exit._tag) }]
    })
    return Effect.gen(function*() {
      yield* charge("k")
      seen.length = 0
      yield* charge("k")
      assert.deepStrictEqual(seen, ["cards.Charge", "before", "Success"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("answers although the store went away after the work, and keeps the answer when it is back", () => {
    const till = new Till()
    let away = true
    const flaky = Layer.effect(
      IdempotencyStore.IdempotencyStore,
      IdempotencyStore.IdempotencyStore.use((store) =>
        Effect.succeed(IdempotencyStore.IdempotencyStore.of({
          ...store,
          complete: (key, token, answer) =>
            Effect.suspend(() =>
              away
                ? new UnitOfWork.StoreUnavailable({ operation: "complete", reason: "away" })
                : store.complete(key, token, answer)
            )
        }))
      )
    ).pipe(Layer.provideMerge(memory))
    const layer = Domain.toLayer([Domain.idempotent(till.charge)]).pipe(Layer.provideMerge(flaky))
    return Effect.gen(function*() {
      assert.strictEqual((yield* charge("k")).receipt, 1)
      assert.instanceOf(yield* Effect.flip(charge("k")), DomainError.CommandInProgress)
      yield* TestClock.adjust("5 seconds")
      away = false
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* charge("k")).receipt, 1)
      assert.strictEqual(till.ran, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("goes around a fallback as a whole", () => {
    const till = new Till()
    till.next = () => new Busy()
    const second = Domain.handler(Charge, () => Effect.sync(() => ({ receipt: ++till.ran * 100, at: new Date(0) })))
    const both = pipe(till.charge, Domain.withFallback({ fallback: second }), Domain.idempotent())
    return Effect.gen(function*() {
      assert.strictEqual((yield* charge("k")).receipt, 200)
      assert.strictEqual((yield* charge("k")).receipt, 200)
      assert.strictEqual(till.ran, 2)
    }).pipe(Effect.provide(Domain.toLayer([both]).pipe(Layer.provide(memory))))
  })
})

describe("a function that throws instead of failing", () => {
  const thrown = (): never => {
    throw new Error("thrown")
  }
  it.effect("is a defect of its command, which its hooks and the outer middleware see", () =>
    Effect.gen(function*() {
      const till = new Till()
      const places: ReadonlyArray<readonly [string, ReadonlyArray<Middleware.Middleware>, Hooks.Hooks, boolean]> = [
        ["handler", [], {}, true],
        ["beforeCommand", [], { beforeCommand: thrown }, false],
        ["inner middleware", [thrown as Middleware.Middleware], {}, false]
      ]
      for (const [place, middleware, hooks, throws] of places) {
        const seen: Array<string> = []
        const outer = Middleware.make((_, self) =>
          Effect.onExit(self, (exit) => Effect.sync(() => void seen.push(exit._tag)))
        )
        till.next = throws ? thrown : Effect.succeed
        const layer = installed(till, {}, { middleware: [outer, ...middleware], hooks: [hooks] })
        const exit = yield* Effect.exit(Effect.provide(charge(place), layer))
        assert.isTrue(Exit.hasDies(exit), place)
        assert.deepStrictEqual(seen, ["Failure"], place)
      }
    }))
})
