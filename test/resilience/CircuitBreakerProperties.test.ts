import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { machine, twice } from "./circuitMachine.ts"

const Step = Schema.Struct({
  after: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
  what: Schema.Literals(["admit", "success", "failure", "neutral", "isolate", "release", "forceClose", "reset"]),
  which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
})

describe("CircuitBreaker.transition, whatever happens", () => {
  it.prop(
    "keeps its permits, its epochs and its holds",
    { steps: Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(80)) },
    ({ steps }) => {
      const permits = 2
      const probeMillis = 60
      const circuit = machine({ ...twice, probe: { permits, successes: 2, maxDuration: probeMillis } })
      const under: Array<{ readonly epoch: number; readonly probe: number | undefined }> = []
      let now = 0
      let holds = 0
      for (const step of steps) {
        now += step.after
        const before = circuit.state()
        switch (step.what) {
          case "admit": {
            const output = circuit.admit(now)
            if (output._tag === "Admitted") under.push(output)
            if (holds > 0) assert.strictEqual(output._tag, "Refused", "an isolated circuit admits nobody")
            break
          }
          case "isolate":
            holds++
            circuit.feed({ _tag: "Isolate" })
            break
          case "release":
            holds = Math.max(0, holds - 1)
            circuit.feed({ _tag: "Release", nowMillis: now })
            break
          case "forceClose":
            circuit.feed({ _tag: "ForceClose", nowMillis: now })
            break
          case "reset":
            circuit.feed({ _tag: "Reset" })
            break
          default: {
            const [call] = under.splice(step.which % Math.max(1, under.length), 1)
            if (call === undefined) break
            circuit.end(call, step.what, now)
            const passed = before._tag === "HalfOpen" && before.probes.some((probe) => probe.untilMillis <= now)
            if (call.epoch !== before.epoch && !passed) {
              assert.deepStrictEqual(circuit.state(), before, "a result of another epoch changes nothing")
            }
          }
        }
        const state = circuit.state()
        assert.isAtLeast(state.epoch, before.epoch, "epochs only grow")
        if (state._tag !== before._tag) assert.isAbove(state.epoch, before.epoch, "a new state has a new epoch")
        assert.strictEqual(state._tag === "Isolated", holds > 0)
        if (state._tag === "Isolated") assert.strictEqual(state.holds, holds)
        if (state._tag === "HalfOpen") {
          assert.isAtMost(state.probes.length, permits)
          const mine = under.filter((call) => call.epoch === state.epoch).map((call) => call.probe)
          assert.deepStrictEqual(state.probes.map((probe) => probe.id), mine, "a permit belongs to a call under way")
        }
        if (state._tag === "Open") assert.isAtMost(state.untilMillis, now + 100)
      }
    }
  )
  it.prop(
    "counts the last `size` calls as a list of them would",
    {
      size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 70 })),
      calls: Schema.Array(Schema.Boolean).check(Schema.isMinLength(150), Schema.isMaxLength(250))
    },
    ({ calls, size }) => {
      const circuit = machine({
        trip: CircuitBreaker.countRate({ failureThreshold: 1, minimumThroughput: size, size }),
        breakDuration: 1
      })
      const last: Array<boolean> = []
      for (const failed of calls) {
        circuit.call(failed ? "failure" : "success", 0)
        last.push(failed)
        if (last.length > size) last.shift()
        if (last.length === size && failed && last.every((one) => one)) {
          assert.strictEqual(circuit.tag(), "Open")
          return
        }
        const state = circuit.state()
        if (state._tag !== "Closed" || state.counters._tag !== "Ring") {
          throw new Error(`opened too early: ${state._tag}`)
        }
        assert.deepStrictEqual(
          [state.counters.totalCalls, state.counters.totalBad],
          [last.length, last.filter((one) => one).length]
        )
      }
    }
  )
  it.prop(
    "counts a window of time as a list of its calls would",
    {
      windows: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })),
      calls: Schema.Array(Schema.Struct({
        after: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 })),
        failed: Schema.Boolean
      })).check(Schema.isMinLength(20), Schema.isMaxLength(60))
    },
    ({ calls, windows }) => {
      const width = 100
      const circuit = machine({
        trip: CircuitBreaker.failureRate({
          failureThreshold: 1,
          minimumThroughput: 1_000,
          samplingDuration: windows * width,
          windows
        }),
        breakDuration: 1
      })
      let now = 0
      const all: Array<{ readonly bucket: number; readonly failed: boolean }> = []
      for (const { after, failed } of calls) {
        now += after
        const bucket = Math.floor(now / width)
        all.push({ bucket, failed })
        circuit.call(failed ? "failure" : "success", now)
        const inside = all.filter((call) => call.bucket > bucket - windows)
        const state = circuit.state()
        if (state._tag !== "Closed" || state.counters._tag !== "Window") throw new Error(`opened: ${state._tag}`)
        assert.deepStrictEqual(
          [state.counters.totalCalls, state.counters.totalBad],
          [inside.length, inside.filter((call) => call.failed).length]
        )
      }
    }
  )
})
