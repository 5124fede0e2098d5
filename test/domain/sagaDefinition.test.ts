import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"

const base = Saga.make({ name: "Booking", input: Schema.Struct({}) })
const run = () => Effect.void

describe("the definition of a saga's step", () => {
  const wrong: ReadonlyArray<readonly [string, object, RegExp]> = [
    ["a timeout that is no time", { timeout: Number.NaN }, /^Saga Booking, step pay: timeout must be /],
    ["a timeout that is over at once", { timeout: 0 }, /^Saga Booking, step pay: timeout must be /],
    [
      "a way out of doubt that there is not",
      { inDoubt: "retry" },
      /step pay: inDoubt must be "park", "repeat" or a function/
    ],
    [
      "one of its fallback",
      { fallback: { run, inDoubt: "retry" } },
      /step pay: fallback\.inDoubt must be .*got "retry"$/
    ]
  ]
  for (const [what, options, message] of wrong) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => base.step("pay", { run, ...options }), message)
    })
  }

  it("is taken with the ways there are", () => {
    for (const inDoubt of ["park", "repeat", () => Effect.succeed(Saga.notHappened)] as const) {
      assert.strictEqual(base.step("pay", { run, inDoubt, timeout: "1 second" }).steps[0]?.id, "pay")
    }
  })
})
