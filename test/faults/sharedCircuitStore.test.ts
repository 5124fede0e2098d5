import { assert, describe, it, layer } from "@effect/vitest"
import { NodeRedis } from "@effect/platform-node"
import { Duration, Effect, Exit, Layer, Option, Random } from "effect"
import { CircuitBreaker } from "effect/persistence"
import * as CircuitBreakerStore from "effect-lifecycle/resilience/CircuitBreakerStore"
import * as CircuitBreakerStoreRedis from "effect-lifecycle/resilience/CircuitBreakerStoreRedis"
import * as InvalidOption from "effect-lifecycle/resilience/InvalidOption"
import { canRun, redis } from "./sharedCircuit.harness.ts"

const rate = { samplingDuration: "1 hour", minimumThroughput: 3, failureThreshold: 0.5 } as const

const Redis = Layer.unwrap(
  Effect.map(redis, (path) => NodeRedis.layer({ socket: { path, tls: false } }))
)

/** One store and nothing above it. */
const storeOf = (options?: Partial<CircuitBreakerStoreRedis.TimeWindowRedisOptions>) =>
  Effect.provide(
    CircuitBreaker.CircuitBreakerStore,
    CircuitBreakerStoreRedis.layerStoreTimeWindowRedis({ ...rate, ...options })
  )

const noted = (key: string, generation: number, outcome: "Success" | "Failure" | "Ignored", millis = 60_000) => ({
  key,
  generation,
  outcome,
  tripPolicy: CircuitBreakerStore.decidedByStore,
  openFor: Duration.millis(millis)
})

const suite = canRun ? layer(Redis, { timeout: "60 seconds", excludeTestServices: true }) : undefined

if (suite === undefined) {
  describe("CircuitBreakerStoreRedis over a redis-server", () => {
    it.skip("is not tested here: redis-server is not on the PATH", () => {})
  })
}

suite?.("CircuitBreakerStoreRedis over a redis-server", (it) => {
  it.effect("moves as the store in memory does, whatever comes", () =>
    Effect.gen(function*() {
      for (let round = 0; round < 40; round++) {
        const options = {
          samplingDuration: "1 hour",
          minimumThroughput: yield* Random.nextIntBetween(1, 6),
          failureThreshold: (yield* Random.nextIntBetween(1, 10)) / 10
        } as const
        const shared = yield* storeOf(options)
        const alone = yield* Effect.provide(
          CircuitBreaker.CircuitBreakerStore,
          CircuitBreakerStore.layerStoreTimeWindow(options)
        )
        const key = `same-${round}`
        const story: Array<string> = []
        for (let step = 0; step < 25; step++) {
          const outcome = (["Success", "Failure", "Failure", "Ignored"] as const)[yield* Random.nextIntBetween(0, 3)]!
          // No open time at all: the next call is the probe, whatever the time in Redis.
          const one = (store: CircuitBreaker.CircuitBreakerStore["Service"]) =>
            Effect.scoped(Effect.gen(function*() {
              const admitted = yield* store.admit(key)
              const moved = yield* store.record(noted(key, admitted.generation, outcome, 0))
              return { ...admitted, generation: 0, moved, state: (yield* store.state(key))._tag }
            }))
          story.push(outcome)
          assert.deepStrictEqual(yield* one(shared), yield* one(alone), JSON.stringify({ options, story }))
        }
      }
    }))

  it.effect("says how long it stays open, and leaves no key that does not expire", () =>
    Effect.gen(function*() {
      const store = yield* storeOf({ keys: { idleTimeToLive: "2 hours", prefix: "expiry:" } })
      const { use } = yield* NodeRedis.NodeRedis
      const expiry = (key: string) => use((client) => client.pTTL(`expiry:${key}`))
      const within = (millis: number, expected: number) => {
        assert.isAtMost(millis, expected)
        assert.isAbove(millis, expected - 10_000)
      }
      const hours = 3_600_000
      const { generation } = yield* Effect.scoped(store.admit("k"))
      within(yield* expiry("k"), 2 * hours)
      yield* store.record(noted("k", generation, "Failure"))
      yield* store.record(noted("k", generation, "Failure"))
      within(yield* expiry("k"), 2 * hours)
      const moved = yield* store.record(noted("k", generation, "Failure", hours))
      assert.isTrue(moved?.to === "Open" && moved.consecutiveOpenings === 1)
      within(yield* expiry("k"), 3 * hours)
      const open = yield* store.state("k")
      assert.isTrue(open._tag === "Open")
      if (open._tag === "Open") within(Duration.toMillis(open.retryAfter), hours)
      const exit = yield* Effect.exit(Effect.scoped(store.admit("k")))
      assert.strictEqual(Option.getOrThrow(Exit.findErrorOption(exit)).reason._tag, "CircuitOpen")

      const probe = yield* Effect.scoped(store.admit("p"))
      for (const _ of [1, 2, 3]) yield* store.record(noted("p", probe.generation, "Failure", 0))
      yield* Effect.scoped(store.admit("p"))
      within(yield* expiry("p"), 2 * hours + 30_000)
    }))

  it.effect("takes any open time, and a key with any characters", () =>
    Effect.gen(function*() {
      const store = yield* storeOf({ minimumThroughput: 1 })
      const key = "https://user@[::1]:80/ä\u{1F600} {tag}"
      const { generation } = yield* Effect.scoped(store.admit(key))
      yield* store.record(noted(key, generation, "Failure", Number.POSITIVE_INFINITY))
      const open = yield* store.state(key)
      assert.isTrue(open._tag === "Open" && Number.isFinite(Duration.toMillis(open.retryAfter)))
    }))

  it.effect("survives a Redis that has lost its scripts and its data", () =>
    Effect.gen(function*() {
      const store = yield* storeOf({ minimumThroughput: 1 })
      const { use } = yield* NodeRedis.NodeRedis
      const before = yield* Effect.scoped(store.admit("lost"))
      yield* use((client) => client.sendCommand(["SCRIPT", "FLUSH"]))
      yield* use((client) => client.del("circuit-window:lost"))
      assert.isUndefined(yield* store.record(noted("lost", before.generation, "Failure")))
      const after = yield* Effect.scoped(store.admit("lost"))
      assert.isAbove(after.generation, before.generation)
      assert.strictEqual((yield* store.state("lost"))._tag, "Closed")
    }))
})

describe("CircuitBreakerStoreRedis without a Redis", () => {
  const refused: ReadonlyArray<readonly [string, Partial<CircuitBreakerStoreRedis.TimeWindowRedisOptions>]> = [
    ["samplingDuration", { samplingDuration: 0 }],
    ["minimumThroughput", { minimumThroughput: 0 }],
    ["failureThreshold", { failureThreshold: 0 }],
    ["probe.lease", { probe: { lease: 0 } }],
    ["probe.lease", { probe: { lease: Duration.infinity } }],
    ["probe.maxDuration", { probe: { maxDuration: -1 } }],
    ["keys.idleTimeToLive", { keys: { idleTimeToLive: "1 second" } }]
  ]
  for (const [option, options] of refused) {
    it(`refuses ${option}: ${JSON.stringify(options)}`, () => {
      assert.throws(
        () => CircuitBreakerStoreRedis.layerStoreTimeWindowRedis({ ...rate, ...options }),
        InvalidOption.InvalidOption,
        option
      )
    })
  }
})
