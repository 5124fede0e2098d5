import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Random, Schema } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Chaos, InvalidOption } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })
const broken = Chaos.fault({ name: "x", rate: 1, fault: Effect.fail("chaos" as const) })
const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

describe("Chaos", () => {
  it.effect("does nothing until it is enabled, by an effect or a layer", () =>
    Effect.gen(function*() {
      const call = broken(Effect.succeed(1))
      assert.strictEqual(yield* call, 1)
      assert.strictEqual(yield* Effect.flip(Chaos.enable(call)), "chaos")
      assert.strictEqual(yield* Effect.flip(Effect.provide(call, Chaos.layer())), "chaos")
      assert.strictEqual(yield* Chaos.enable(Effect.provide(call, Chaos.layer(false))), 1)
    }))
  it.effect("asks its own switch only while it is enabled, and obeys it", () =>
    Effect.gen(function*() {
      let asked = 0
      const call = (mine: boolean) =>
        Effect.succeed(1).pipe(Chaos.outcome({
          name: "x",
          rate: 1,
          outcome: Effect.succeed(2),
          enabled: Effect.sync(() => {
            asked++
            return mine
          })
        }))
      assert.strictEqual(yield* call(true), 1)
      assert.strictEqual(asked, 0)
      assert.strictEqual(yield* Chaos.enable(call(true)), 2)
      assert.strictEqual(yield* Chaos.enable(call(false)), 1)
    }))
  it.effect("latency waits before the call, for the time given or a drawn one", () =>
    Effect.gen(function*() {
      let ran = 0
      const call = Effect.sync(() => ++ran)
      yield* fork(Chaos.enable(Chaos.latency(call, { name: "x", rate: 1, latency: "2 seconds" })))
      yield* TestClock.adjust(1999)
      assert.strictEqual(ran, 0)
      yield* TestClock.adjust(1)
      assert.strictEqual(ran, 1)
      const drawn = { name: "x", rate: 1, latency: { from: "1 second", to: "3 seconds" } } as const
      for (let i = 0; i < 50; i++) {
        const before = ran
        yield* fork(Chaos.enable(Chaos.latency(call, drawn)))
        yield* TestClock.adjust(999)
        assert.strictEqual(ran, before)
        yield* TestClock.adjust(2001)
        assert.strictEqual(ran, before + 1)
      }
    }))
  it.effect("fault and outcome do not run the call", () =>
    Effect.gen(function*() {
      const call = Effect.die("must not run")
      const stale = Chaos.outcome(call, { name: "x", rate: 1, outcome: Effect.succeed("stale") })
      assert.strictEqual(yield* Chaos.enable(stale), "stale")
      const hung = Chaos.fault(call, { name: "x", rate: 1, fault: Effect.never })
      const fiber = yield* fork(Chaos.enable(hung))
      assert.strictEqual(fiber.pollUnsafe(), undefined)
      yield* Fiber.interrupt(fiber)
      const bug = Chaos.fault(call, { name: "x", rate: 1, fault: Effect.die("bug") })
      assert.deepStrictEqual(yield* Effect.exit(Chaos.enable(bug)), Exit.die("bug"))
    }))
  it.effect.prop(
    "changes the share of calls it was told to, and the same ones for the same seed",
    [Rate],
    ([rate]) =>
      Effect.gen(function*() {
        const call = Effect.succeed(0).pipe(Chaos.outcome({ name: "x", rate, outcome: Effect.succeed(1) }))
        const many = Effect.all(Array.from({ length: 2000 }, () => call)).pipe(Chaos.enable, Random.withSeed("seed"))
        const first = yield* many
        assert.closeTo(first.reduce((sum, one) => sum + one, 0) / 2000, rate, 0.05)
        assert.deepStrictEqual(yield* many, first)
      }),
    { arbitrary: { runs: 20 } }
  )
  it.effect("draws nothing at a rate of 0 or 1", () =>
    Effect.gen(function*() {
      const noDice: typeof Random.Random.Service = {
        nextIntUnsafe: () => assert.fail("drew"),
        nextDoubleUnsafe: () => assert.fail("drew")
      }
      const at = (rate: number) =>
        Effect.succeed(0).pipe(
          Chaos.outcome({ name: "x", rate, outcome: Effect.succeed(1) }),
          Chaos.enable,
          Effect.provideService(Random.Random, noDice)
        )
      assert.deepStrictEqual([yield* at(0), yield* at(1)], [0, 1])
    }))
  it.effect("reports what it injected", () =>
    Effect.gen(function*() {
      const seen: Array<Recorder.Report> = []
      yield* Effect.exit(Chaos.enable(broken(Effect.void))).pipe(Recorder.recordTo((report) => seen.push(report)))
      yield* broken(Effect.void).pipe(Recorder.recordTo((report) => seen.push(report)))
      assert.deepStrictEqual(seen, [{ _tag: "ChaosInjected", name: "x", kind: "fault" }])
    }))
  it.effect("client slows, breaks or answers requests, in this order", () =>
    Effect.gen(function*() {
      const sent: Array<string> = []
      const transport = HttpClient.make((request) => {
        sent.push(request.url)
        return Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status: 204 })))
      })
      const busy = Chaos.client({
        latency: { name: "slow", rate: 1, latency: 100 },
        outcome: {
          name: "busy",
          rate: 1,
          outcome: (request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status: 503 })))
        }
      })(transport)
      assert.strictEqual((yield* busy.get("http://a.test/off")).status, 204)
      const kinds: Array<string> = []
      const record = Recorder.recordTo((report) => report._tag === "ChaosInjected" && kinds.push(report.kind))
      const fiber = yield* fork(busy.get("http://a.test/on").pipe(Chaos.enable, record))
      yield* TestClock.adjust(99)
      assert.strictEqual(fiber.pollUnsafe(), undefined)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).status, 503)
      assert.deepStrictEqual(kinds, ["latency", "outcome"])
      const failing = Chaos.client({
        fault: { name: "reset", rate: 1, fault: (request) => Effect.fail(`reset ${request.method}`) },
        outcome: { name: "never", rate: 1, outcome: () => Effect.die("the fault comes first") }
      })(transport)
      assert.strictEqual(yield* Effect.flip(Chaos.enable(failing.get("http://a.test/on"))), "reset GET")
      assert.deepStrictEqual(sent, ["http://a.test/off"])
    }))
  it("refuses options that make no sense, by name", () => {
    const call = Effect.void
    const bad: ReadonlyArray<readonly [string, () => unknown]> = [
      ["rate", () => Chaos.latency(call, { name: "x", rate: 1.1, latency: 1 })],
      ["rate", () => Chaos.fault(call, { name: "x", rate: -0.1, fault: Effect.fail(1) })],
      ["rate", () => Chaos.outcome(call, { name: "x", rate: NaN, outcome: Effect.void })],
      ["rate", () => Chaos.client({ latency: { name: "x", rate: 2, latency: 1 } })],
      ["latency", () => Chaos.latency(call, { name: "x", rate: 1, latency: Infinity })],
      ["latency.from", () => Chaos.latency(call, { name: "x", rate: 1, latency: { from: "Infinity", to: 1 } })],
      ["latency.to", () => Chaos.client({ latency: { name: "x", rate: 1, latency: { from: 2, to: 1 } } })]
    ]
    for (const [option, make] of bad) {
      try {
        make()
        assert.fail(`${option} was accepted`)
      } catch (error) {
        assert.instanceOf(error, InvalidOption.InvalidOption)
        assert.strictEqual(error.option, option)
      }
    }
  })
})
