import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { IdempotencyStore, MemoryStore } from "effect-lifecycle/store"
import { TestClock } from "effect/testing"

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
