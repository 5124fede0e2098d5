import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { canRun, type Process, Shared, until } from "./sharedCircuit.harness.ts"
import { type Answer, type Kind, leaseMillis, openMillis, type Result, shortMillis } from "./sharedCircuit.protocol.ts"

let keys = 0

/** What a process is told about one circuit that no other test uses. */
const circuit = (kind: Kind) => {
  const key = `key-${keys++}`
  return {
    call: (at: Process, result: Result) => Effect.map(at.ask({ kind, key, do: "call", result }), said),
    begin: (at: Process) => Effect.map(at.ask({ kind, key, do: "begin" }), said),
    end: (at: Process, result: Result) => Effect.map(at.ask({ kind, key, do: "end", result }), said),
    state: (at: Process) => Effect.map(at.ask({ kind, key, do: "state" }), said),
    refusal: (at: Process) => at.ask({ kind, key, do: "call", result: "success" })
  }
}

const said = (answer: Answer) => answer.said

type Circuit = ReturnType<typeof circuit>

const trip = (one: Circuit, at: Process) =>
  Effect.gen(function*() {
    for (const _ of [1, 2, 3]) assert.strictEqual(yield* one.call(at, "failure"), "ran: failure")
    assert.strictEqual(yield* one.state(at), "Open")
  })

/** Asks until the open time is over, so that no test relies on a sleep that is long enough. */
const beginProbe = (one: Circuit, at: Process) =>
  until(Effect.map(one.begin(at), (answer) => answer === "running"), "5 seconds")

const suite = canRun
  ? layer(Shared.layer, { timeout: "60 seconds", excludeTestServices: true, concurrent: true })
  : undefined

if (suite === undefined) {
  describe("a circuit shared by two processes", () => {
    it.skip("is not tested here: redis-server is not on the PATH", () => {})
  })
}

suite?.("a circuit shared by two processes", (it) => {
  for (const kind of ["consecutive", "countRate", "timeWindow"] as const) {
    const store = kind === "timeWindow" ? "the time window's store" : `Effect's own store (${kind})`

    it.effect(`${store}: one trip in one process stops the calls of the other`, () =>
      Effect.gen(function*() {
        const { a, b } = yield* Shared
        const one = circuit(kind)
        yield* trip(one, a)
        const refused = yield* one.refusal(b)
        assert.strictEqual(refused.said, "CircuitOpen")
        assert.isAbove(refused.retryAfterMillis!, 0)
        assert.isAtMost(refused.retryAfterMillis!, openMillis)
        assert.strictEqual(yield* circuit(kind).call(b, "success"), "ran: success")
      }))

    it.effect(`${store}: the failures of both processes count together`, () =>
      Effect.gen(function*() {
        const { a, b } = yield* Shared
        const one = circuit(kind)
        yield* one.call(a, "failure")
        yield* one.call(b, "failure")
        assert.strictEqual(yield* one.state(a), "Closed")
        yield* one.call(a, "failure")
        assert.strictEqual(yield* one.call(b, "success"), "CircuitOpen")
        assert.strictEqual(yield* one.call(a, "success"), "CircuitOpen")
      }))

    it.effect(`${store}: half open admits one probe over both processes, and its success closes both`, () =>
      Effect.gen(function*() {
        const { a, b } = yield* Shared
        const one = circuit(kind)
        yield* trip(one, a)
        yield* beginProbe(one, b)
        assert.strictEqual(yield* one.call(a, "success"), "CircuitHalfOpen")
        assert.strictEqual(yield* one.call(b, "success"), "CircuitHalfOpen")
        assert.strictEqual(yield* one.state(a), "HalfOpen, probing: true")
        assert.strictEqual(yield* one.end(b, "success"), "ran: success")
        assert.strictEqual(yield* one.state(a), "Closed")
        assert.strictEqual(yield* one.call(a, "success"), "ran: success")
      }))

    it.effect(`${store}: many callers at once in both processes make one probe`, () =>
      Effect.gen(function*() {
        const { a, b } = yield* Shared
        const one = circuit(kind)
        yield* trip(one, a)
        yield* Effect.sleep(openMillis * 1.1)
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, index) => index % 2 === 0 ? a : b),
          (at) => one.begin(at),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(outcomes.filter((answer) => answer === "running").length, 1, outcomes.join())
      }))

    it.effect(`${store}: a failed probe opens the circuit for both again`, () =>
      Effect.gen(function*() {
        const { a, b } = yield* Shared
        const one = circuit(kind)
        yield* trip(one, a)
        yield* beginProbe(one, b)
        yield* one.end(b, "failure")
        assert.strictEqual(yield* one.call(a, "success"), "CircuitOpen")
      }))

    it.effect(`${store}: a late result of an old generation is ignored, in whatever state it comes`, () =>
      Effect.gen(function*() {
        const { a, b, c } = yield* Shared
        const one = circuit(kind)
        assert.strictEqual(yield* one.begin(a), "running")
        assert.strictEqual(yield* one.begin(c), "running")
        yield* trip(one, b)
        yield* beginProbe(one, b)
        // A late success does not close a circuit that is half open, nor does it take the probe's place.
        assert.strictEqual(yield* one.end(a, "success"), "ran: success")
        assert.strictEqual(yield* one.state(b), "HalfOpen, probing: true")
        yield* one.end(b, "success")
        // A late failure does not count against the circuit that has closed since: it takes three again.
        assert.strictEqual(yield* one.end(c, "failure"), "ran: failure")
        yield* one.call(b, "failure")
        yield* one.call(b, "failure")
        assert.strictEqual(yield* one.state(a), "Closed")
        yield* one.call(b, "failure")
        assert.strictEqual(yield* one.state(a), "Open")
      }))

    it.effect(`${store}: the lease of a probe whose process died ends, and another process probes`, () =>
      Effect.gen(function*() {
        const { a, another } = yield* Shared
        const one = circuit(kind)
        const lost = yield* another
        yield* trip(one, a)
        yield* beginProbe(one, lost)
        // It lives longer than its lease, for as long as its process renews it.
        yield* Effect.sleep(leaseMillis * 1.5)
        assert.strictEqual(yield* one.call(a, "success"), "CircuitHalfOpen")
        yield* lost.kill
        assert.strictEqual(yield* one.call(a, "success"), "CircuitHalfOpen")
        yield* until(Effect.map(one.call(a, "success"), (answer) => answer === "ran: success"), "5 seconds")
        assert.strictEqual(yield* one.state(a), "Closed")
      }))
  }

  it.effect("the time window's store: failures that are older than the window do not count", () =>
    Effect.gen(function*() {
      const { a, b } = yield* Shared
      const one = circuit("shortWindow")
      yield* one.call(a, "failure")
      yield* one.call(b, "failure")
      yield* Effect.sleep(shortMillis * 1.1)
      yield* one.call(b, "failure")
      assert.strictEqual(yield* one.state(a), "Closed")
      yield* one.call(a, "failure")
      yield* one.call(a, "failure")
      assert.strictEqual(yield* one.state(b), "Open")
    }))

  it.effect("the time window's store: the rate is that of all calls, and a success opens nothing", () =>
    Effect.gen(function*() {
      const { a, b } = yield* Shared
      const one = circuit("timeWindow")
      for (const at of [a, b, a]) yield* one.call(at, "success")
      yield* one.call(b, "failure")
      yield* one.call(a, "failure")
      assert.strictEqual(yield* one.state(b), "Closed")
      yield* one.call(b, "failure")
      assert.strictEqual(yield* one.state(b), "Open")

      const two = circuit("timeWindow")
      for (const at of [a, b]) yield* two.call(at, "failure")
      yield* two.call(b, "success")
      assert.strictEqual(yield* two.state(b), "Closed")
    }))

  it.effect("the time window's store: a probe that hangs loses its slot though its process lives", () =>
    Effect.gen(function*() {
      const { a, b } = yield* Shared
      const one = circuit("shortProbe")
      yield* trip(one, a)
      yield* beginProbe(one, b)
      assert.strictEqual(yield* one.call(a, "success"), "CircuitHalfOpen")
      yield* beginProbe(one, a)
      // The first probe's result comes too late.
      assert.strictEqual(yield* one.end(b, "success"), "ran: success")
      assert.strictEqual(yield* one.state(b), "HalfOpen, probing: true")
      yield* one.end(a, "success")
      assert.strictEqual(yield* one.state(b), "Closed")
    }))
})
