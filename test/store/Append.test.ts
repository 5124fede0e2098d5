import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import { TestClock } from "effect/testing"
import { appendContract } from "./appendContract.ts"
import { fresh, some } from "./contract.ts"

appendContract("MemoryStore", MemoryStore.layer)

describe("a clock that goes back", () => {
  it.effect("moves neither versions nor positions", () =>
    Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      const stream = fresh()
      yield* TestClock.setTime(1_000_000)
      yield* store.append({ stream, expect: 0, events: some(1) })
      yield* TestClock.setTime(10)
      yield* store.append({ stream, expect: 1, events: some(1) })
      const all = yield* Stream.runCollect(store.readAll())
      assert.deepStrictEqual(all.map(({ at, position, version }) => [version, position, at.getTime()]), [
        [1, 1n, 1_000_000],
        [2, 2n, 10]
      ])
    }).pipe(Effect.provide(MemoryStore.layer)))
})
