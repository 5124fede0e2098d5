import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { IdempotencyKey } from "effect-lifecycle/client"
import { InvalidOption } from "effect-lifecycle/resilience"

describe("IdempotencyKey", () => {
  it.effect("is absent until it is provided, and the inner one counts", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* IdempotencyKey.Current, Option.none())
      const inner = IdempotencyKey.Current.pipe(IdempotencyKey.provide("inner"), IdempotencyKey.provide("outer"))
      assert.deepStrictEqual(yield* inner, Option.some("inner"))
    }))

  it("refuses a key that no header can carry", () => {
    for (const key of ["", "two words", "línea", "a\r\nb", "k".repeat(256)]) {
      assert.throws(() => IdempotencyKey.provide(Effect.void, key), InvalidOption.InvalidOption)
    }
  })

  it.effect("generates keys that can be sent and differ", () =>
    Effect.gen(function*() {
      const one = yield* IdempotencyKey.generate
      const two = yield* IdempotencyKey.generate
      assert.isTrue(IdempotencyKey.isKey(one))
      assert.notStrictEqual(one, two)
    }))
})
