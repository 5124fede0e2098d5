import { assert, describe, it } from "@effect/vitest"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { machine, opened, twice } from "./circuitMachine.ts"

describe("CircuitBreaker.transition", () => {
  describe("consecutive", () => {
    it("opens at the limit, and a success starts the count again", () => {
      const circuit = machine(twice)
      circuit.call("failure", 0)
      circuit.call("success", 0)
      circuit.call("failure", 0)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.call("failure", 7)
      const state = circuit.state()
      assert.deepStrictEqual([state._tag, state._tag === "Open" && state.untilMillis], ["Open", 107])
    })
    it("neither counts nor resets on a neutral outcome", () => {
      const circuit = machine(twice)
      circuit.call("failure", 0)
      circuit.call("neutral", 0)
      circuit.call("failure", 0)
      assert.strictEqual(circuit.tag(), "Open")
    })
  })
  describe("countRate", () => {
    const policy = {
      trip: CircuitBreaker.countRate({ failureThreshold: 0.5, minimumThroughput: 4, size: 4 }),
      breakDuration: 100
    }
    it("waits for the minimum throughput", () => {
      const circuit = machine(policy)
      for (let i = 0; i < 3; i++) circuit.call("failure", 0)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.call("failure", 0)
      assert.strictEqual(circuit.tag(), "Open")
    })
    it("never opens on a success", () => {
      const circuit = machine(policy)
      for (let i = 0; i < 3; i++) circuit.call("failure", 0)
      circuit.call("success", 0)
      assert.strictEqual(circuit.tag(), "Closed")
    })
    it("forgets what is older than the last `size` calls", () => {
      const circuit = machine(policy)
      circuit.call("failure", 0)
      for (let i = 0; i < 4; i++) circuit.call("success", 0)
      circuit.call("failure", 0)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.call("failure", 0)
      assert.strictEqual(circuit.tag(), "Open")
    })
  })
  describe("failureRate", () => {
    const policy = {
      trip: CircuitBreaker.failureRate({
        failureThreshold: 0.5,
        minimumThroughput: 4,
        samplingDuration: "1 second"
      }),
      breakDuration: 100
    }
    it("opens at the threshold within the window", () => {
      const circuit = machine(policy)
      circuit.call("success", 0)
      circuit.call("success", 300)
      circuit.call("failure", 600)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.call("failure", 900)
      assert.strictEqual(circuit.tag(), "Open")
    })
    it("forgets what left the window", () => {
      const circuit = machine(policy)
      for (let i = 0; i < 3; i++) circuit.call("failure", 0)
      circuit.call("failure", 1000)
      assert.strictEqual(circuit.tag(), "Closed")
    })
    it("keeps what is just inside it", () => {
      const circuit = machine(policy)
      for (let i = 0; i < 3; i++) circuit.call("failure", 0)
      circuit.call("failure", 999)
      assert.strictEqual(circuit.tag(), "Open")
    })
    it("takes a threshold of 1, which aio-request refuses", () => {
      const circuit = machine({
        trip: CircuitBreaker.failureRate({ failureThreshold: 1, minimumThroughput: 2, samplingDuration: 1000 }),
        breakDuration: 100
      })
      circuit.call("success", 0)
      for (let i = 0; i < 5; i++) circuit.call("failure", 500)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.call("failure", 1200)
      assert.strictEqual(circuit.tag(), "Open")
    })
  })
  describe("slowCallRate", () => {
    const policy = {
      trip: CircuitBreaker.slowCallRate({
        slowerThan: 50,
        slowThreshold: 0.5,
        minimumThroughput: 2,
        samplingDuration: 1000
      }),
      breakDuration: 100
    }
    it("opens on successes that are slow, not on failures that are quick", () => {
      const circuit = machine(policy)
      circuit.call("failure", 0, 1)
      circuit.call("failure", 0, 50)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.call("success", 0, 51)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.call("success", 0, 51)
      assert.strictEqual(circuit.tag(), "Open")
    })
    it("takes a slow success of a probe for a failure", () => {
      const circuit = machine(policy)
      circuit.call("success", 0, 51)
      circuit.call("success", 0, 51)
      circuit.call("success", 200, 51)
      assert.strictEqual(circuit.tag(), "Open")
      circuit.call("success", 400, 50)
      assert.strictEqual(circuit.tag(), "Closed")
    })
  })
  describe("anyOf", () => {
    it("opens as soon as one policy would", () => {
      const policy = {
        trip: CircuitBreaker.anyOf(
          CircuitBreaker.consecutive(3),
          CircuitBreaker.slowCallRate({
            slowerThan: 50,
            slowThreshold: 1,
            minimumThroughput: 2,
            samplingDuration: 1000
          })
        ),
        breakDuration: 100
      }
      const failing = machine(policy)
      for (let i = 0; i < 3; i++) failing.call("failure", 0)
      assert.strictEqual(failing.tag(), "Open")
      const slow = machine(policy)
      for (let i = 0; i < 2; i++) slow.call("success", 0, 60)
      assert.strictEqual(slow.tag(), "Open")
    })
  })
  describe("half open", () => {
    it("begins exactly when the break is over", () => {
      const circuit = opened()
      assert.deepStrictEqual(circuit.admit(99), { _tag: "Refused", retryAfterMillis: 1, isolated: false })
      assert.strictEqual(circuit.admit(100)._tag, "Admitted")
      assert.strictEqual(circuit.tag(), "HalfOpen")
    })
    it("needs as many successes as asked for, and one failure opens it again", () => {
      const circuit = opened({ permits: 2, successes: 3 })
      circuit.call("success", 100)
      circuit.call("success", 100)
      assert.strictEqual(circuit.tag(), "HalfOpen")
      circuit.call("success", 100)
      assert.strictEqual(circuit.tag(), "Closed")
      const again = opened({ permits: 2, successes: 3 })
      again.call("success", 100)
      again.call("failure", 100)
      assert.strictEqual(again.tag(), "Open")
    })
    it("fails a probe that runs out of time at that moment, whoever notices and whenever", () => {
      const circuit = opened({ maxDuration: 30 })
      const hung = circuit.admitted(100)
      assert.strictEqual(circuit.admit(129)._tag, "Refused")
      assert.deepStrictEqual(circuit.admit(130), { _tag: "Refused", retryAfterMillis: 100, isolated: false })
      assert.strictEqual(circuit.tag(), "Open")
      circuit.end(hung, "success", 131)
      assert.strictEqual(circuit.tag(), "Open")
      assert.strictEqual(circuit.admit(230)._tag, "Admitted")
    })
    it("takes the success of a probe that ran out of time for the failure it already was", () => {
      const circuit = opened({ maxDuration: 30 })
      const slow = circuit.admitted(100)
      circuit.end(slow, "success", 130)
      const state = circuit.state()
      assert.deepStrictEqual([state._tag, state._tag === "Open" && state.untilMillis], ["Open", 230])
    })
    it("gives a permit back once, even when the end of a probe is told twice", () => {
      const circuit = opened({ permits: 2, successes: 5 })
      const first = circuit.admitted(100)
      circuit.admitted(100)
      circuit.end(first, "success", 100)
      circuit.end(first, "success", 100)
      const state = circuit.state()
      assert.deepStrictEqual(
        [state._tag, state._tag === "HalfOpen" && state.probes.length, state._tag === "HalfOpen" && state.successes],
        ["HalfOpen", 1, 1]
      )
    })
  })
  describe("break durations", () => {
    const delays = { breakMillis: [100, 200, 400] }
    const untilOf = (circuit: ReturnType<typeof machine>) => {
      const state = circuit.state()
      return state._tag === "Open" ? state.untilMillis : undefined
    }
    it("lasts the n-th delay at the n-th opening in a row, then the last one", () => {
      const circuit = opened(undefined, delays)
      circuit.call("failure", 100)
      assert.strictEqual(untilOf(circuit), 300)
      circuit.call("failure", 300)
      assert.strictEqual(untilOf(circuit), 700)
      circuit.call("failure", 700)
      assert.strictEqual(untilOf(circuit), 1100)
    })
    it("keeps the count over a short close, and forgets it after one as long as the last break", () => {
      const short = opened(undefined, delays)
      short.call("success", 100)
      short.call("failure", 199)
      short.call("failure", 199)
      assert.strictEqual(untilOf(short), 399)
      const long = opened(undefined, delays)
      long.call("success", 100)
      long.call("failure", 200)
      long.call("failure", 200)
      assert.strictEqual(untilOf(long), 300)
    })
  })
  describe("by hand", () => {
    it("is isolated until every hold is released, then closed with nothing counted", () => {
      const circuit = machine(twice)
      circuit.call("failure", 0)
      const running = circuit.admitted(0)
      circuit.feed({ _tag: "Isolate" })
      circuit.feed({ _tag: "Isolate" })
      assert.deepStrictEqual(circuit.admit(0), { _tag: "Refused", retryAfterMillis: 100, isolated: true })
      circuit.feed({ _tag: "Release", nowMillis: 1 })
      assert.strictEqual(circuit.tag(), "Isolated")
      circuit.feed({ _tag: "ForceClose", nowMillis: 1 })
      circuit.feed({ _tag: "Reset" })
      assert.strictEqual(circuit.tag(), "Isolated")
      circuit.feed({ _tag: "Release", nowMillis: 1 })
      circuit.end(running, "failure", 2)
      circuit.call("failure", 2)
      assert.strictEqual(circuit.tag(), "Closed")
      circuit.feed({ _tag: "Release", nowMillis: 3 })
      assert.strictEqual(circuit.tag(), "Closed")
    })
    it("closes an open circuit by force but remembers the openings; reset forgets them", () => {
      const circuit = opened()
      circuit.feed({ _tag: "ForceClose", nowMillis: 10 })
      assert.deepStrictEqual([circuit.tag(), circuit.state().openings.count], ["Closed", 1])
      circuit.feed({ _tag: "Reset" })
      assert.strictEqual(circuit.state().openings.count, 0)
    })
  })
  describe("options", () => {
    const rate = { failureThreshold: 0.5, minimumThroughput: 1, samplingDuration: 1000 }
    const slow = { slowerThan: 1, slowThreshold: 0.5, minimumThroughput: 1, samplingDuration: 1000 }
    const wrong: ReadonlyArray<readonly [option: string, build: () => unknown]> = [
      ...[0, -1, 1.5, NaN, Infinity].map((n) => ["failures", () => CircuitBreaker.consecutive(n)] as const),
      ...[0, -0.1, 1.1, NaN].map((failureThreshold) =>
        ["failureThreshold", () => CircuitBreaker.failureRate({ ...rate, failureThreshold })] as const
      ),
      ...[0, -1, NaN, Infinity].map((samplingDuration) =>
        ["samplingDuration", () => CircuitBreaker.failureRate({ ...rate, samplingDuration })] as const
      ),
      ["minimumThroughput", () => CircuitBreaker.failureRate({ ...rate, minimumThroughput: 0 })],
      ["windows", () => CircuitBreaker.failureRate({ ...rate, windows: 0 })],
      ["windows", () => CircuitBreaker.failureRate({ ...rate, windows: 1_000_000 })],
      ["size", () => CircuitBreaker.countRate({ failureThreshold: 1, minimumThroughput: 10, size: 9 })],
      ["size", () => CircuitBreaker.countRate({ failureThreshold: 1, minimumThroughput: 1, size: 1e9 })],
      ["slowThreshold", () => CircuitBreaker.slowCallRate({ ...slow, slowThreshold: 2 })],
      ["slowerThan", () => CircuitBreaker.slowCallRate({ ...slow, slowerThan: -1 })],
      ["policies", () => CircuitBreaker.anyOf()],
      ["breakDuration", () => CircuitBreaker.limits({ ...twice, breakDuration: Infinity })],
      ["breakDuration", () => CircuitBreaker.limits({ ...twice, breakDuration: -1 })],
      ["probe.permits", () => CircuitBreaker.limits({ ...twice, probe: { permits: 0 } })],
      ["probe.successes", () => CircuitBreaker.limits({ ...twice, probe: { successes: 0 } })],
      ["probe.maxDuration", () => CircuitBreaker.limits({ ...twice, probe: { maxDuration: 0 } })]
    ]
    it("refuses what makes no sense, naming the option", () => {
      for (const [option, build] of wrong) {
        assert.throws(build, new RegExp(`CircuitBreaker: ${option} must be `), `expected ${option} to be refused`)
      }
    })
    it("takes a break of zero as zero", () => {
      const circuit = machine({ ...twice, breakDuration: 0 })
      circuit.call("failure", 0)
      circuit.call("failure", 0)
      assert.strictEqual(circuit.admit(0)._tag, "Admitted")
      assert.strictEqual(circuit.tag(), "HalfOpen")
    })
  })
})
