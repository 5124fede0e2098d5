import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Random } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import {
  Bulkhead,
  Chaos,
  CircuitBreaker,
  CircuitBreakerStore,
  CircuitBreakerStoreRedis,
  InvalidOption,
  LatencyWindow,
  RequestStrategy,
  RetryBudget,
  RetrySchedule,
  Throttle
} from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

interface Option {
  readonly guard: string
  readonly option: string
  /** What 0 does: it is refused, or it is taken for zero, which a test below shows. */
  readonly zero: "refused" | "zero"
  readonly make: (value: number) => unknown
}

const guard = (
  name: string,
  options: { readonly [option: string]: readonly [zero: Option["zero"], make: (value: number) => unknown] }
): ReadonlyArray<Option> =>
  Object.entries(options).map(([option, [zero, make]]) => ({ guard: name, option, zero, make }))

const quantile = { quantile: () => 1 }
const rate = { failureThreshold: 0.5, minimumThroughput: 2, samplingDuration: "1 second" } as const
const trip = CircuitBreaker.consecutive(1)
const policy = { name: "b", trip, breakDuration: "1 second" } as const
const bulkhead = { name: "b", permits: 1 } as const
const chaos = { name: "c", rate: 1 } as const

const everyOption: ReadonlyArray<Option> = [
  ...guard("RetrySchedule.constant", { delay: ["zero", RetrySchedule.constant] }),
  ...guard("RetrySchedule.linear", {
    start: ["zero", (start) => RetrySchedule.linear({ start })],
    step: ["zero", (step) => RetrySchedule.linear({ step })]
  }),
  ...guard("RetrySchedule.exponential", {
    base: ["zero", (base) => RetrySchedule.exponential({ base })],
    factor: ["refused", (factor) => RetrySchedule.exponential({ factor })]
  }),
  ...guard("RetrySchedule.fibonacci", { base: ["zero", (base) => RetrySchedule.fibonacci({ base })] }),
  ...guard("RetrySchedule.decorrelated", { base: ["refused", (base) => RetrySchedule.decorrelated({ base })] }),
  ...guard("RetrySchedule.percentile", {
    quantile: ["refused", (value) => RetrySchedule.percentile(quantile, { quantile: value })],
    minimum: ["zero", (minimum) => RetrySchedule.percentile(quantile, { minimum })],
    maximum: ["zero", (maximum) => RetrySchedule.percentile(quantile, { minimum: 0, maximum })]
  }),
  ...guard("RetrySchedule.plusMinus", { share: ["zero", RetrySchedule.plusMinus] }),
  ...guard("RetrySchedule.make", {
    attempts: ["refused", (attempts) => RetrySchedule.make({ attempts })],
    delay: ["zero", (delay) => RetrySchedule.make({ attempts: 2, delay })],
    cap: ["zero", (cap) => RetrySchedule.make({ attempts: 2, cap })],
    deadline: ["zero", (deadline) => RetrySchedule.make({ attempts: 2, deadline })],
    minimumTime: ["zero", (minimumTime) => RetrySchedule.make({ attempts: 2, minimumTime })],
    "retryAfter.maximum": ["zero", (maximum) => RetrySchedule.make({ attempts: 2, retryAfter: { maximum } })],
    "retryAfter.jitter": ["zero", (jitter) => RetrySchedule.make({ attempts: 2, retryAfter: { jitter } })]
  }),
  ...guard("LatencyWindow.make", {
    window: ["refused", (window) => LatencyWindow.make({ window })],
    buckets: ["refused", (buckets) => LatencyWindow.make({ buckets })],
    minimumSamples: ["refused", (minimumSamples) => LatencyWindow.make({ minimumSamples })]
  }),
  ...guard("LatencyWindow.keyed", { maximum: ["refused", (maximum) => LatencyWindow.keyed({ maximum })] }),
  ...guard("RetryBudget.tokens", {
    maximum: ["refused", (maximum) => RetryBudget.tokens({ maximum })],
    ratio: ["refused", (ratio) => RetryBudget.tokens({ ratio })]
  }),
  ...guard("RetryBudget.ratio", {
    ratio: ["zero", (ratio) => RetryBudget.ratio({ ratio })],
    minimumPerSecond: ["zero", (minimumPerSecond) => RetryBudget.ratio({ minimumPerSecond })],
    window: ["refused", (window) => RetryBudget.ratio({ window })]
  }),
  ...guard("RetryBudget.concurrency", {
    ratio: ["zero", (ratio) => RetryBudget.concurrency({ ratio })],
    minimum: ["zero", (minimum) => RetryBudget.concurrency({ minimum })]
  }),
  ...guard("RetryBudget.keyed", {
    maximum: ["refused", (maximum) => RetryBudget.keyed({ make: () => RetryBudget.tokens(), maximum })]
  }),
  ...guard("Throttle.make", {
    k: ["refused", (k) => Throttle.make({ k })],
    window: ["refused", (window) => Throttle.make({ window })],
    maximumRejection: ["zero", (maximumRejection) => Throttle.make({ maximumRejection })]
  }),
  ...guard("RequestStrategy.makeSingle", {
    minimumTime: ["zero", (minimumTime) => RequestStrategy.makeSingle({ minimumTime })]
  }),
  ...guard("RequestStrategy.sequential", {
    attempts: ["refused", (attempts) => RequestStrategy.sequential({ attempts })],
    delay: ["zero", (delay) => RequestStrategy.sequential({ delay })],
    cap: ["zero", (cap) => RequestStrategy.sequential({ cap })],
    minimumTime: ["zero", (minimumTime) => RequestStrategy.sequential({ minimumTime })],
    "retryAfter.maximum": ["zero", (maximum) => RequestStrategy.sequential({ retryAfter: { maximum } })],
    "split.even": ["refused", (even) => RequestStrategy.sequential({ split: { even } })]
  }),
  ...guard("RequestStrategy.hedged", {
    attempts: ["refused", (attempts) => RequestStrategy.hedged({ attempts })],
    delay: ["zero", (delay) => RequestStrategy.hedged({ delay })],
    "retryAfter.maximum": ["zero", (maximum) => RequestStrategy.hedged({ retryAfter: { maximum } })]
  }),
  ...guard("RequestStrategy.linear", {
    minimum: ["zero", (minimum) => RequestStrategy.linear({ minimum })],
    step: ["zero", (step) => RequestStrategy.linear({ step })],
    jitter: ["zero", (jitter) => RequestStrategy.linear({ jitter })]
  }),
  ...guard("RequestStrategy.untilDeadline", {
    attempts: ["refused", (attempts) => RequestStrategy.untilDeadline(RequestStrategy.single, { attempts })],
    delay: ["zero", (delay) => RequestStrategy.untilDeadline(RequestStrategy.single, { delay })]
  }),
  ...guard("CircuitBreaker.consecutive", { failures: ["refused", CircuitBreaker.consecutive] }),
  ...guard("CircuitBreaker.countRate", {
    failureThreshold: ["refused", (n) => CircuitBreaker.countRate({ ...rate, size: 9, failureThreshold: n })],
    minimumThroughput: ["refused", (n) => CircuitBreaker.countRate({ ...rate, size: 9, minimumThroughput: n })],
    size: ["refused", (size) => CircuitBreaker.countRate({ ...rate, size })]
  }),
  ...guard("CircuitBreaker.failureRate", {
    failureThreshold: ["refused", (n) => CircuitBreaker.failureRate({ ...rate, failureThreshold: n })],
    minimumThroughput: ["refused", (n) => CircuitBreaker.failureRate({ ...rate, minimumThroughput: n })],
    samplingDuration: ["refused", (n) => CircuitBreaker.failureRate({ ...rate, samplingDuration: n })],
    windows: ["refused", (windows) => CircuitBreaker.failureRate({ ...rate, windows })]
  }),
  ...guard("CircuitBreaker.slowCallRate", {
    slowerThan: ["zero", (slowerThan) => CircuitBreaker.slowCallRate({ ...rate, slowThreshold: 0.5, slowerThan })],
    slowThreshold: ["refused", (n) => CircuitBreaker.slowCallRate({ ...rate, slowerThan: 1, slowThreshold: n })]
  }),
  ...guard("CircuitBreaker.make", {
    breakDuration: ["zero", (breakDuration) => CircuitBreaker.make({ ...policy, breakDuration })],
    "probe.permits": ["refused", (permits) => CircuitBreaker.make({ ...policy, probe: { permits } })],
    "probe.successes": ["refused", (successes) => CircuitBreaker.make({ ...policy, probe: { successes } })],
    "probe.maxDuration": ["refused", (maxDuration) => CircuitBreaker.make({ ...policy, probe: { maxDuration } })],
    "keys.idleTimeToLive": ["refused", (n) => CircuitBreaker.make({ ...policy, keys: { idleTimeToLive: n } })],
    "keys.maximum": ["refused", (maximum) => CircuitBreaker.make({ ...policy, keys: { maximum } })]
  }),
  ...guard("CircuitBreakerStore.layerStoreTimeWindow", {
    failureThreshold: [
      "refused",
      (n) => CircuitBreakerStore.layerStoreTimeWindow({ ...rate, failureThreshold: n })
    ],
    samplingDuration: [
      "refused",
      (n) => CircuitBreakerStore.layerStoreTimeWindow({ ...rate, samplingDuration: n })
    ],
    "probe.maxDuration": [
      "refused",
      (maxDuration) => CircuitBreakerStore.layerStoreTimeWindow({ ...rate, probe: { maxDuration } })
    ],
    "keys.maximum": ["refused", (maximum) => CircuitBreakerStore.layerStoreTimeWindow({ ...rate, keys: { maximum } })]
  }),
  ...guard("CircuitBreakerStoreRedis.layerStoreTimeWindowRedis", {
    minimumThroughput: [
      "refused",
      (n) => CircuitBreakerStoreRedis.layerStoreTimeWindowRedis({ ...rate, minimumThroughput: n })
    ],
    "probe.lease": [
      "refused",
      (lease) => CircuitBreakerStoreRedis.layerStoreTimeWindowRedis({ ...rate, probe: { lease } })
    ]
  }),
  ...guard("Bulkhead.make", {
    permits: ["refused", (permits) => Bulkhead.make({ ...bulkhead, permits })],
    queue: ["zero", (queue) => Bulkhead.make({ ...bulkhead, queue })],
    maxWait: ["zero", (maxWait) => Bulkhead.make({ ...bulkhead, maxWait })],
    retryAfter: ["zero", (retryAfter) => Bulkhead.make({ ...bulkhead, retryAfter })]
  }),
  ...guard("Bulkhead.keyed", { maximum: ["refused", (maximum) => Bulkhead.keyed({ ...bulkhead, maximum })] }),
  ...guard("Bulkhead.gradient", {
    initial: ["refused", (initial) => Bulkhead.gradient({ initial })],
    minimum: ["refused", (minimum) => Bulkhead.gradient({ minimum })],
    maximum: ["refused", (maximum) => Bulkhead.gradient({ maximum })],
    smoothing: ["refused", (smoothing) => Bulkhead.gradient({ smoothing })],
    queueSize: ["refused", (queueSize) => Bulkhead.gradient({ queueSize })],
    longWindow: ["refused", (longWindow) => Bulkhead.gradient({ longWindow })]
  }),
  ...guard("Bulkhead.vegas", {
    smoothing: ["refused", (smoothing) => Bulkhead.vegas({ smoothing })],
    probeMultiplier: ["refused", (probeMultiplier) => Bulkhead.vegas({ probeMultiplier })]
  }),
  ...guard("Bulkhead.aimd", {
    backoffRatio: ["refused", (backoffRatio) => Bulkhead.aimd({ backoffRatio })],
    timeout: ["refused", (timeout) => Bulkhead.aimd({ timeout })]
  }),
  ...guard("Chaos.latency", {
    rate: ["zero", (n) => Chaos.latency(Effect.void, { ...chaos, rate: n, latency: 1 })],
    latency: ["zero", (latency) => Chaos.latency(Effect.void, { ...chaos, latency })]
  }),
  ...guard("Chaos.fault", {
    rate: ["zero", (n) => Chaos.fault(Effect.void, { ...chaos, rate: n, fault: Effect.die("x") })]
  }),
  ...guard("Chaos.outcome", {
    rate: ["zero", (n) => Chaos.outcome(Effect.void, { ...chaos, rate: n, outcome: Effect.void })]
  }),
  ...guard("ClientStack.make", {
    timeout: ["zero", (timeout) => ClientStack.make({ timeout })],
    lowTime: ["zero", (lowTime) => ClientStack.make({ lowTime })],
    attemptTimeout: ["zero", (attemptTimeout) => ClientStack.make({ attemptTimeout })],
    redirects: ["zero", (redirects) => ClientStack.make({ redirects })]
  })
]

/** What the constructor throws, or, where it is an effect, dies or fails with. */
const problem = (make: () => unknown): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    const made = make()
    return Effect.isEffect(made) ? Effect.exit(made as Effect.Effect<unknown>) : Effect.succeed(Exit.void)
  }).pipe(
    Effect.catchDefect((defect) => Effect.succeed(Exit.die(defect))),
    Effect.map((exit) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined)
  )

const bad: ReadonlyArray<readonly [string, number]> = [
  ["negative", -1],
  ["not a number", Number.NaN],
  ["infinite", Number.POSITIVE_INFINITY],
  ["absurd", 1e300]
]

describe("T38: zero is zero or refused, and what makes no sense is refused by name", () => {
  for (const { guard, make, option, zero } of everyOption) {
    describe(`${guard}, ${option}`, () => {
      it.effect(zero === "refused" ? "refuses 0" : "takes 0", () =>
        Effect.gen(function*() {
          const found = yield* problem(() => make(0))
          if (zero === "zero") return assert.isUndefined(found, String(found))
          assert.instanceOf(found, InvalidOption.InvalidOption)
          assert.strictEqual(found.option, option)
          assert.strictEqual(found.value.startsWith("0"), true, found.message)
        }))
      for (const [kind, value] of bad) {
        it.effect(`refuses what is ${kind}`, () =>
          Effect.gen(function*() {
            const found = yield* problem(() => make(value))
            assert.instanceOf(found, InvalidOption.InvalidOption)
            assert.strictEqual(found.option, option)
            assert.isAbove(found.allowed.length, 0)
          }))
      }
    })
  }

  describe("zero means zero", () => {
    const millisNow = Effect.clockWith((clock) => Effect.map(clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6))
    const failing = Effect.fail("down")

    it.effect("a delay of 0 waits not at all, in a schedule and in a strategy", () =>
      Effect.gen(function*() {
        const none = { attempts: 3, delay: 0 }
        yield* Effect.exit(Effect.retry(failing, RetrySchedule.make(none)))
        yield* Effect.exit(RequestStrategy.sequential(none).run(() => failing))
        yield* Effect.exit(RequestStrategy.untilDeadline(RequestStrategy.single, none).run(() => failing))
        assert.strictEqual(yield* millisNow, 0)
      }))
    it.effect("a cap of 0 waits not at all, whatever the delay", () =>
      Effect.gen(function*() {
        yield* Effect.exit(Effect.retry(failing, RetrySchedule.make({ attempts: 3, delay: "1 hour", cap: 0 })))
        yield* Effect.exit(RequestStrategy.sequential({ delay: "1 hour", cap: 0 }).run(() => failing))
        assert.strictEqual(yield* millisNow, 0)
      }))
    it("a base or a step of 0 is 0 for every retry, and stays 0 with jitter", () => {
      const delays = [
        RetrySchedule.constant(0),
        RetrySchedule.linear({ step: 0 }),
        RetrySchedule.exponential({ base: 0 }),
        RetrySchedule.fibonacci({ base: 0 })
      ]
      for (const delay of delays) {
        for (const retry of [1, 2, 2000]) {
          const next = RetrySchedule.nextDelay({ delay })
          assert.strictEqual(next(retry, { previousMillis: 0, nowNanos: 0n, random: 0.7 }), 0)
        }
      }
    })
    it("a jitter of 0 changes nothing", () => {
      assert.strictEqual(RetrySchedule.plusMinus(0)(100, 0.9), 100)
      assert.strictEqual(RequestStrategy.linear({ jitter: 0 }).offset(2, { nowNanos: 0n, random: 0.9, key: "k" }), 100)
      const next = RetrySchedule.nextDelay({ delay: 0, retryAfter: { jitter: 0 } })
      assert.strictEqual(next(1, { previousMillis: 0, nowNanos: 0n, random: 0.9 }, Duration.seconds(1)), 1000)
    })
    it("a maximum of 0 for Retry-After honours none", () => {
      const next = RetrySchedule.nextDelay({ retryAfter: { maximum: 0 } })
      assert.isUndefined(next(1, { previousMillis: 0, nowNanos: 0n, random: 0 }, Duration.millis(1)))
    })
    it.effect("a hedge delay of 0 starts every attempt at once", () =>
      Effect.gen(function*() {
        let made = 0
        const attempt = () =>
          Effect.suspend(() => {
            made++
            return Effect.never
          })
        const fiber = yield* Effect.forkChild(
          RequestStrategy.hedged({ attempts: 3, delay: 0 }).run(attempt),
          { startImmediately: true }
        )
        yield* TestClock.adjust(0)
        assert.strictEqual(made, 3)
        yield* Fiber.interrupt(fiber)
      }))
    it.effect("a budget of 0 allows nothing", () =>
      Effect.gen(function*() {
        const nothing = [
          yield* RetryBudget.ratio({ ratio: 0, minimumPerSecond: 0 }),
          yield* RetryBudget.concurrency({ ratio: 0, minimum: 0 }),
          RetryBudget.none
        ]
        for (const budget of nothing) {
          yield* Effect.replicateEffect(budget.requested, 100)
          assert.isFalse(yield* budget.tryWithdraw("retry"))
          assert.isFalse(yield* budget.tryWithdraw("hedge"))
        }
      }))
    it.effect("a throttle that may reject 0 rejects nothing", () =>
      Effect.gen(function*() {
        const throttle = yield* Throttle.make({ maximumRejection: 0 })
        for (let n = 0; n < 500; n++) assert.strictEqual(yield* Effect.flip(throttle.run(failing)), "down")
      }))
    it.effect("a break of 0 lets the next call through as a probe", () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make({ ...policy, breakDuration: 0 })
        yield* Effect.exit(breaker.run("k", failing))
        assert.strictEqual(yield* breaker.run("k", Effect.succeed(1)), 1)
      }))
    it.effect("a queue of 0 holds nobody, and a wait of 0 is over at once", () =>
      Effect.gen(function*() {
        for (const options of [{ queue: 0 }, { queue: 5, maxWait: 0 }]) {
          const guard = yield* Bulkhead.make({ ...bulkhead, ...options })
          const busy = yield* Effect.forkChild(guard.run(Effect.never), { startImmediately: true })
          const refused = yield* Effect.flip(guard.run(Effect.succeed(1)))
          assert.strictEqual(refused._tag, "BulkheadRejected")
          assert.strictEqual(yield* millisNow, 0)
          yield* Fiber.interrupt(busy)
        }
      }))
    it.effect("a chaos rate of 0 changes nothing, and a latency of 0 adds none", () =>
      Effect.gen(function*() {
        const calm = Effect.succeed(1).pipe(
          Chaos.fault({ ...chaos, rate: 0, fault: Effect.die("never") }),
          Chaos.latency({ ...chaos, latency: 0 })
        )
        for (let n = 0; n < 200; n++) assert.strictEqual(yield* Chaos.enable(calm), 1)
        assert.strictEqual(yield* millisNow, 0)
      }).pipe(Random.withSeed("T38")))
  })

  it("refuses an empty list", () => {
    assert.throws(() => CircuitBreaker.anyOf(), InvalidOption.InvalidOption)
  })
})
