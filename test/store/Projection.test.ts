import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { MemoryStore, Projection } from "effect-lifecycle/store"
import { move, projectionContract, projections, reach, rowsOf, totals } from "./projectionContract.ts"
import { projectionRowsContract } from "./projectionRowsContract.ts"

projectionContract("MemoryStore", MemoryStore.layer)
projectionRowsContract("MemoryStore", MemoryStore.layer)

const History = Schema.Array(Schema.Tuple([
  Schema.Literals(["a", "b", "c"]),
  Schema.Int.check(Schema.isBetween({ minimum: -9, maximum: 9 }))
])).check(Schema.isMaxLength(30))

describe("Projection", () => {
  it.live.prop(
    "replay equals what was kept event by event, and a rebuild equals the live rows, for any history",
    { history: History, partitions: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })) },
    ({ history, partitions }) =>
      Effect.gen(function*() {
        const all = yield* projections
        const kept = totals("kept", "Account")
        const inline = totals("inline", "Account")
        const expected = new Map<string, { count: number; total: number }>()
        const running = yield* Effect.forkChild(all.run(kept, { partitions, batchSize: 2 }), { startImmediately: true })
        let last = 0n
        yield* Effect.gen(function*() {
          for (const [id, by] of history) {
            last = yield* move("Account", id, by)
            const before = expected.get(id) ?? { count: 0, total: 0 }
            expected.set(id, { count: before.count + 1, total: before.total + by })
          }
        }).pipe(Effect.provide(Layer.fresh(Projection.layerInline([inline]))))
        yield* all.awaitLive(kept)
        yield* reach(kept, last)
        const replayed = totals("replayed", "Account")
        yield* all.rebuild(replayed, { partitions })
        const rows = yield* rowsOf(kept)
        assert.deepStrictEqual(
          new Map(rows.map(({ id, state: { count, total } }) => [id, { count, total }])),
          new Map([...expected].toSorted())
        )
        assert.deepStrictEqual(yield* rowsOf(inline), rows)
        assert.deepStrictEqual(yield* rowsOf(replayed), rows)
        yield* Fiber.interrupt(running)
      }).pipe(Effect.provide(Layer.fresh(MemoryStore.layer))),
    { arbitrary: { runs: 8 }, timeout: 60_000 }
  )
  it("refuses a name or a version that cannot be one", () => {
    for (const wrong of [{ name: "" }, { name: "a@1" }, { version: 0 }, { version: 1.5 }]) {
      assert.throws(
        () => Projection.make({ name: "x", version: 1, schema: Schema.String, handle: () => Effect.void, ...wrong }),
        /Projection.make/
      )
    }
  })
  it.effect("refuses to keep one version inline twice", () =>
    Effect.gen(function*() {
      const one = totals("twice", "Account")
      const error = yield* Effect.flip(projections.use((all) => all.inline([one, one])))
      assert.strictEqual(error._tag, "InvalidOption")
    }).pipe(Effect.provide(MemoryStore.layer)))
})
