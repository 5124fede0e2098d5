import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Schema } from "effect"
import { InvalidOption, RateLimiterStore } from "effect-lifecycle/resilience"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

type Store = RateLimiter.RateLimiterStore["Service"]
const storeOf = (layer: Layer.Layer<RateLimiter.RateLimiterStore>) =>
  Effect.provide(RateLimiter.RateLimiterStore, layer, { local: true })

const Step = Schema.Struct({
  key: Schema.Literals(["a", "b", "c"]),
  algorithm: Schema.Literals(["fixed-window", "token-bucket"]),
  tokens: Schema.Literals([1, 2, 5]),
  advance: Schema.Literals([0, 1, 250, 999, 1000, 4000, 20_000])
})

const consume = Effect.fnUntraced(function*(store: Store, step: typeof Step.Type, onExceeded: "fail" | "delay") {
  const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, store)
  const { algorithm, key, tokens } = step
  return yield* Effect.match(
    limiter.consume({ key, algorithm, tokens, onExceeded, limit: 10, window: "10 seconds" }),
    {
      onSuccess: (result) => JSON.stringify(result),
      onFailure: (error) => JSON.stringify(error.reason)
    }
  )
})

const tenSeconds = Duration.seconds(10)

const limiterOf = (layer: Layer.Layer<RateLimiter.RateLimiter>) =>
  Effect.provide(RateLimiter.RateLimiter, layer, { local: true })

/** What Effect's limiter answers, in the words of the other way. */
const taken = (
  limiter: RateLimiter.RateLimiter,
  options: Omit<Parameters<RateLimiter.RateLimiter["consume"]>[0], "window">
): Effect.Effect<RateLimiterStore.Taken> =>
  Effect.match(limiter.consume({ ...options, window: "10 seconds" }), {
    onSuccess: ({ remaining, resetAfter }) => ({
      _tag: "Granted" as const,
      remaining,
      resetMillis: Duration.toMillis(resetAfter)
    }),
    onFailure: ({ reason }) => ({
      _tag: "Exceeded" as const,
      retryAfterMillis: reason._tag === "RateLimitExceeded" ? Duration.toMillis(reason.retryAfter) : Number.NaN
    })
  })

describe("RateLimiterStore", () => {
  for (const onExceeded of ["fail", "delay"] as const) {
    it.effect.prop(
      `counts exactly as Effect's own store does, with ${onExceeded} beyond the limit`,
      [Schema.Array(Step)],
      ([steps]) =>
        Effect.gen(function*() {
          const ours = yield* storeOf(RateLimiterStore.layerStoreMemory())
          const theirs = yield* storeOf(RateLimiter.layerStoreMemory)
          for (const step of steps) {
            yield* TestClock.adjust(step.advance)
            assert.strictEqual(yield* consume(ours, step, onExceeded), yield* consume(theirs, step, onExceeded))
          }
        })
    )
  }

  it.effect.prop(
    "says without an effect what Effect's limiter says over the same counters",
    [Schema.Array(Schema.Struct({ ...Step.fields, tokens: Schema.Literals([0, 1, 2, 5, 11]), local: Schema.Boolean }))],
    ([steps]) =>
      Effect.gen(function*() {
        const mixed = yield* limiterOf(RateLimiterStore.layerMemory())
        const effectful = yield* limiterOf(RateLimiterStore.layerMemory())
        const take = RateLimiterStore.synchronous(mixed)
        assert.isDefined(take)
        assert.isUndefined(
          RateLimiterStore.synchronous(
            yield* limiterOf(Layer.provide(RateLimiter.layer, RateLimiterStore.layerStoreMemory()))
          )
        )
        for (const { advance, local, ...asked } of steps) {
          yield* TestClock.adjust(advance)
          const now = Number(yield* Clock.monotonicTimeNanos) / 1e6
          const options = { ...asked, limit: 10 }
          const expected = yield* taken(effectful, options)
          assert.deepStrictEqual(
            local
              ? take({ ...options, windowMillis: 10_000 }, now)
              : yield* taken(mixed, options),
            expected
          )
        }
      })
  )

  it.effect("forgets first who has not asked for longest, so a caller that keeps asking stays limited", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.RateLimiter
      const take = (key: string) =>
        Effect.match(
          limiter.consume({ key, limit: 1, window: "1 hour", algorithm: "token-bucket" }),
          { onSuccess: () => true, onFailure: () => false }
        )
      assert.isTrue(yield* take("abuser"))
      assert.isTrue(yield* take("quiet"))
      for (let index = 0; index < 50; index++) {
        assert.isFalse(yield* take("abuser"))
        yield* take(`flood-${index}`)
      }
      assert.isTrue(yield* take("quiet"), "forgotten, so its quota is full")
    }).pipe(Effect.provide(RateLimiterStore.layerMemory({ maximum: 3 }))))

  it.live("holds a flood of addresses in the memory of its maximum", () =>
    Effect.gen(function*() {
      const store = yield* RateLimiter.RateLimiterStore
      const refillRate = Duration.hours(1)
      const flood = (from: number, count: number) =>
        Effect.sync(() => {
          for (let index = from; index < from + count; index++) {
            const key = `2001:db8:${index.toString(16)}::/64`
            Effect.runSync(store.tokenBucket({ key, tokens: 1, limit: 100, refillRate, allowOverflow: false }))
          }
        })
      setFlagsFromString("--expose-gc")
      const collect: () => void = runInNewContext("gc")
      const used = Effect.sync(() => {
        collect()
        return process.memoryUsage().heapUsed
      })
      yield* flood(0, 10_000)
      const before = yield* used
      yield* flood(10_000, 200_000)
      const grown = (yield* used) - before
      // 200,000 entries would take more than 30 MB.
      assert.isBelow(grown, 5e6)
    }).pipe(Effect.provide(RateLimiterStore.layerStoreMemory({ maximum: 1000 }))))

  it.effect("keeps what was learnt of other servers' limits", () =>
    Effect.gen(function*() {
      const store = yield* RateLimiter.RateLimiterStore
      yield* store.adaptiveFeedback({ key: "api", epoch: 0, tokens: 1, status: 429, retryAfter: tenSeconds })
      const asked = yield* store.adaptiveConsume({
        key: "api",
        tokens: 1,
        fallbackLimit: 1,
        fallbackWindow: tenSeconds
      })
      assert.strictEqual(asked.phase, "cooldown")
      const other = yield* store.adaptiveConsume({ key: "x", tokens: 1, fallbackLimit: 1, fallbackWindow: tenSeconds })
      assert.strictEqual(other.phase, "inactive")
    }).pipe(Effect.provide(RateLimiterStore.layerStoreMemory())))

  it("throws for a maximum without sense", () => {
    assert.throws(() => RateLimiterStore.layerStoreMemory({ maximum: 0 }), InvalidOption.InvalidOption)
  })
})
