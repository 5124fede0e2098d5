import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Schedule, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { SagaSpec } from "effect-lifecycle/testing"

class Declined extends Schema.TaggedError<Declined>()("Declined", { why: Schema.String }) {}
class Mail extends Context.Service<Mail, { readonly send: Effect.Effect<void> }>()("test/Mail") {}

const Checkout = Saga.make({ name: "Checkout", input: Schema.String, error: Declined })
  .step("reserve", {
    result: Schema.Struct({ code: Schema.String }),
    run: ({ input }) => Effect.succeed({ code: `r-${input}` }),
    compensate: () => Effect.void
  })
  .step("charge", {
    result: Schema.String,
    retry: Schedule.upTo(Schedule.spaced("1 hour"), { times: 1 }),
    run: () => Effect.succeed("card"),
    compensate: () => Effect.void,
    fallback: { run: () => Effect.succeed("invoice"), compensate: () => Effect.void }
  })
  .step("tell", { run: () => Mail.use(({ send }) => send) })

const declined = new Declined({ why: "no money" })
const mail = Effect.provideService(Mail, { send: Effect.void })

describe("SagaSpec", () => {
  it.effect("passes where calls, end, failure and results are as expected", () =>
    Effect.gen(function*() {
      const fine = SagaSpec.given(Checkout)
      yield* fine.when("o-1").then(["reserve", "charge", "tell"], "Completed")
      yield* fine.when("o-1").thenResults({ reserve: { code: "r-o-1" }, charge: "card", tell: undefined })
      const both = { steps: { charge: SagaSpec.fails(declined) }, fallbacks: { charge: SagaSpec.fails(declined) } }
      const poor = SagaSpec.given(Checkout, both)
      const attempt = ["charge", "charge fallback"]
      yield* poor.when("o-1").then(["reserve", ...attempt, ...attempt, "undo reserve"], "Compensated")
      yield* poor.when("o-1").thenFails(declined)
      yield* SagaSpec.given(Checkout, { steps: { charge: [SagaSpec.fails(declined), SagaSpec.answers("later")] } })
        .when("o-1").then(["reserve", "charge", "charge fallback", "tell"], "Completed")
      yield* SagaSpec.given(Checkout, { steps: { reserve: SagaSpec.dies } }).when("o-1").then(["reserve"], "InDoubt")
      yield* SagaSpec.given(Checkout, { ...both, undo: { reserve: SagaSpec.fails("stuck") } }).when("o-1").then(
        ["reserve", ...attempt, ...attempt, "undo reserve", "undo reserve", "undo reserve"],
        "CompensationFailed"
      )
    }).pipe(mail))

  it.effect("says what was given, which call differs, and how it ended", () =>
    Effect.gen(function*() {
      const spec = SagaSpec.given(Checkout, { steps: { reserve: SagaSpec.fails(declined) } }).when("o-1")
      const error = yield* Effect.flip(spec.then(["reserve", "charge"], "Completed"))
      assert.deepStrictEqual(error.message.split("\n").slice(0, 6), [
        "given Checkout",
        "  steps reserve: fails with Declined {\"why\":\"no money\"}",
        "when it runs with \"o-1\"",
        "then",
        "  2. missing: charge",
        "  expected to be Completed"
      ])
      assert.match(error.message, /it was Compensated after reserve/)
      assert.match(
        (yield* Effect.flip(spec.thenResults({ reserve: { code: "" }, charge: "", tell: undefined }))).message,
        /expected to be completed/
      )
      assert.match((yield* Effect.flip(spec.thenFails(new Declined({ why: "other" })))).message, /to be undone for/)
    }).pipe(mail))

  it.effect("refuses to be awaited", () =>
    Effect.gen(function*() {
      const spec = SagaSpec.given(Checkout).when("o-1")
      const error = yield* Effect.flip(Effect.tryPromise(async () => {
        await (spec as unknown as PromiseLike<unknown>)
      }))
      assert.match(String(error.cause), /this is no promise/)
    }))
})
