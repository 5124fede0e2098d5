import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Schema } from "effect"
import { Domain, DomainError, Mediator, Query } from "effect-lifecycle/domain"

const Sum = Query.make("sums.Of", {
  payload: {
    terms: Schema.Array(Schema.Struct({ value: Schema.Int })),
    start: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(10)))
  },
  success: Schema.Int
})
const layer = Domain.toLayer([
  Domain.handler(Sum, ({ start, terms }) => Effect.succeed(terms.reduce((sum, { value }) => sum + value, start)))
])
class Name extends Context.Service<Name, string>()("test/domain/Name") {}

describe("Mediator", () => {
  it.effect("fills in the defaults of the payload", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Mediator.query(Sum, { terms: [{ value: 1 }, { value: 2 }] }), 13)
    }).pipe(Effect.provide(layer)))

  it.effect("refuses a payload with every field that does not fit, as JSON pointers", () =>
    Effect.gen(function*() {
      const terms = [{ value: 0.5 }, { value: 1 }, { value: "2" as unknown as number }]
      const error = yield* Effect.flip(Mediator.query(Sum, { terms, start: 0.5 }))
      assert.instanceOf(error, DomainError.InvalidPayload)
      assert.deepStrictEqual((error as DomainError.InvalidPayload).issues.map((issue) => issue.pointer), [
        "/terms/0/value",
        "/terms/2/value",
        "/start"
      ])
      assert.include(error.message, "The payload of \"sums.Of\" is invalid: /terms/0/value:")
    }).pipe(Effect.provide(layer)))

  it.effect("names the definition that nobody handles", () =>
    Effect.gen(function*() {
      const unhandled = Mediator.query(Sum, { terms: [] }) as Effect.Effect<number, unknown>
      const exit = yield* Effect.exit(unhandled)
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "No handler for \"sums.Of\"")
    }))

  it.effect("gives the handler the caller's services over those the layer was built with", () =>
    Effect.gen(function*() {
      const Ask = Query.make("clocks.Now", { success: Schema.String })
      const asking = Domain.toLayer([Domain.handler(Ask, () => Name)])
      const built = asking.pipe(Layer.provide(Layer.succeed(Name, "layer")))
      const ask = Mediator.query(Ask, undefined)
      assert.strictEqual(yield* ask.pipe(Effect.provide(built)), "layer")
      assert.strictEqual(yield* ask.pipe(Effect.provideService(Name, "caller"), Effect.provide(built)), "caller")
    }))
})
