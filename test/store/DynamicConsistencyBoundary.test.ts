import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { MemoryStore } from "effect-lifecycle/store"
import { boundaryContract } from "./boundaryContract.ts"
import { expected, play, steps } from "./boundaryModel.ts"

boundaryContract("MemoryStore", MemoryStore.layer)

describe("DynamicConsistencyBoundary", () => {
  it.effect.prop("answers any history as a list with a filter would", [steps], ([steps]) =>
    Effect.gen(function*() {
      const answers = yield* Effect.provide(play(steps), Layer.fresh(MemoryStore.layer))
      assert.deepStrictEqual(answers, [...expected(steps)])
    }), { arbitrary: { runs: 300 } })
})
