import type { Closed, Ended, HalfOpen, Input, Limits, Open, Openings, Output, State } from "./circuitState.ts"
import { type Tracker, trackerOf } from "./circuitTracker.ts"

const noted: Output = { _tag: "Noted" }
const never: Openings = { count: 0, closedAtMillis: 0, breakMillis: 0 }

/** {@link Limits} with the policy ready to count. */
export interface Machine {
  readonly limits: Limits
  readonly tracker: Tracker
  readonly initial: Closed
}

export const machineOf = (limits: Limits): Machine => {
  const tracker = trackerOf(limits.trip)
  return { limits, tracker, initial: { _tag: "Closed", epoch: 0, openings: never, counters: tracker.initial } }
}

/**
 * A new circuit under these limits: closed, with nothing counted.
 *
 * @category transitions
 * @since 0.1.0
 */
export const initial = (limits: Limits): State => machineOf(limits).initial

/**
 * The state machine, without time or effects of its own.
 *
 * @category transitions
 * @since 0.1.0
 */
export const transition = (limits: Limits): (state: State, input: Input) => readonly [output: Output, state: State] => {
  const machine = machineOf(limits)
  return (state, input) => step(machine, state, input)
}

export const step = (machine: Machine, state: State, input: Input): readonly [Output, State] => {
  switch (input._tag) {
    case "Passed":
      return [noted, passed(machine, state, input.nowMillis)]
    case "Admit":
      return admit(machine, passed(machine, state, input.nowMillis), input.nowMillis)
    case "Ended":
      return [noted, ended(machine, passed(machine, state, input.nowMillis), input)]
    case "Isolate":
      return [
        noted,
        state._tag === "Isolated"
          ? { ...state, holds: state.holds + 1 }
          : { _tag: "Isolated", epoch: state.epoch + 1, openings: state.openings, holds: 1 }
      ]
    case "Release":
      if (state._tag !== "Isolated") return [noted, state]
      return [noted, state.holds > 1 ? { ...state, holds: state.holds - 1 } : closed(machine, state, input.nowMillis)]
    case "ForceClose":
      return [noted, state._tag === "Isolated" ? state : closed(machine, state, input.nowMillis)]
    case "Reset":
      return [
        noted,
        state._tag === "Isolated" ? { ...state, openings: never } : { ...machine.initial, epoch: state.epoch + 1 }
      ]
  }
}

/** A closed circuit after a call of its own epoch; the path of every healthy call, so without an input object. */
export const noteClosed = (
  machine: Machine,
  state: Closed,
  failed: boolean,
  durationMillis: number,
  nowMillis: number
): State => {
  const tracker = machine.tracker
  const counters = tracker.record(state.counters, failed, durationMillis, nowMillis)
  if ((failed || durationMillis > tracker.slowerThanMillis) && tracker.tripped(counters)) {
    return open(machine, state, nowMillis)
  }
  return counters === state.counters
    ? state
    : { _tag: "Closed", epoch: state.epoch, openings: state.openings, counters }
}

/** A probe that ran out of time failed at that moment, whoever notices and whenever. */
const passed = (machine: Machine, state: State, nowMillis: number): State => {
  if (state._tag !== "HalfOpen") return state
  const oldest = state.probes[0]
  return oldest === undefined || nowMillis < oldest.untilMillis ? state : open(machine, state, oldest.untilMillis)
}

const admit = (machine: Machine, state: State, nowMillis: number): readonly [Output, State] => {
  const { limits } = machine
  switch (state._tag) {
    case "Closed":
      return [{ _tag: "Admitted", epoch: state.epoch, probe: undefined }, state]
    case "Open":
      if (nowMillis < state.untilMillis) {
        return [{ _tag: "Refused", retryAfterMillis: state.untilMillis - nowMillis, isolated: false }, state]
      }
      return probe(machine, {
        _tag: "HalfOpen",
        epoch: state.epoch + 1,
        openings: state.openings,
        probes: [],
        successes: 0,
        nextProbe: 0
      }, nowMillis)
    case "HalfOpen":
      return state.probes.length < limits.permits
        ? probe(machine, state, nowMillis)
        : [{ _tag: "Refused", retryAfterMillis: 0, isolated: false }, state]
    case "Isolated":
      return [{ _tag: "Refused", retryAfterMillis: limits.breakMillis[0] ?? 0, isolated: true }, state]
  }
}

const probe = (machine: Machine, state: HalfOpen, nowMillis: number): readonly [Output, State] => [
  { _tag: "Admitted", epoch: state.epoch, probe: state.nextProbe },
  {
    ...state,
    probes: [...state.probes, { id: state.nextProbe, untilMillis: nowMillis + machine.limits.probeMillis }],
    nextProbe: state.nextProbe + 1
  }
]

const ended = (machine: Machine, state: State, input: Ended): State => {
  if (input.epoch !== state.epoch || state._tag === "Open" || state._tag === "Isolated") return state
  const failed = input.outcome === "failure"
  if (state._tag === "Closed") {
    return input.outcome === "neutral"
      ? state
      : noteClosed(machine, state, failed, input.durationMillis, input.nowMillis)
  }
  const probes = state.probes.filter((probe) => probe.id !== input.probe)
  // A permit is given back once: a second end of the same probe, or one that was never admitted, is nobody's.
  if (probes.length === state.probes.length) return state
  if (input.outcome === "neutral") return { ...state, probes }
  if (failed || input.durationMillis > machine.tracker.slowerThanMillis) return open(machine, state, input.nowMillis)
  const successes = state.successes + 1
  return successes < machine.limits.successes
    ? { ...state, probes, successes }
    : closed(machine, state, input.nowMillis)
}

const open = (machine: Machine, state: Closed | HalfOpen, nowMillis: number): Open => {
  const { breakMillis } = machine.limits
  const { closedAtMillis, count: before, breakMillis: last } = state.openings
  const calm = state._tag === "Closed" && nowMillis - closedAtMillis >= last
  const count = calm ? 1 : before + 1
  const millis = breakMillis[Math.min(count, breakMillis.length) - 1] ?? 0
  return {
    _tag: "Open",
    epoch: state.epoch + 1,
    openings: { count, closedAtMillis, breakMillis: millis },
    untilMillis: nowMillis + millis
  }
}

const closed = (machine: Machine, state: State, nowMillis: number): Closed => ({
  _tag: "Closed",
  epoch: state.epoch + 1,
  openings: { ...state.openings, closedAtMillis: nowMillis },
  counters: machine.tracker.initial
})
