import { Clock, Effect, type Exit, type Fiber, PubSub, Ref } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"
import type { Outcome } from "../Verdict.ts"
import { CircuitOpen } from "./circuitOpen.ts"
import { type FailurePredicate, isFailureOf, outcomeOf } from "./circuitOutcome.ts"
import type { Input, Output, State } from "./circuitState.ts"
import type { Figure } from "./circuitTracker.ts"
import { type Machine, noteClosed, step } from "./circuitTransition.ts"

/**
 * Why a circuit moved.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason =
  | "tripped"
  | "probing"
  | "recovered"
  | "probeFailed"
  | "probeTimedOut"
  | "isolated"
  | "released"
  | "forceClosed"
  | "reset"

/**
 * What {@link CircuitBreaker.events} tells. `atMillis` is monotonic.
 *
 * @category models
 * @since 0.1.0
 */
export type Event =
  | {
    readonly _tag: "Moved"
    readonly key: string
    readonly from: State["_tag"]
    readonly to: State["_tag"]
    readonly reason: Reason
    readonly atMillis: number
  }
  | { readonly _tag: "Evicted"; readonly key: string; readonly atMillis: number }

/**
 * How many calls have ended in which way since the circuit was made or reset.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly success: number
  readonly failure: number
  readonly neutral: number
  readonly rejected: number
  /** Of all that ended, how many were slower than the policy's `slowerThan`. */
  readonly slow: number
}

/**
 * One circuit at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly key: string
  readonly state: State["_tag"]
  readonly epoch: number
  /** Until a call may be tried; 0 when it may be now. */
  readonly retryAfterMillis: number
  /** Probes under way. */
  readonly probes: number
  /** Openings in a row. */
  readonly openings: number
  /** Isolations held. */
  readonly holds: number
  /** How near each part of the policy is to opening; empty unless closed. */
  readonly figures: ReadonlyArray<Figure>
  readonly counts: Counts
}

/**
 * How one call is judged.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<in A, in E> {
  /**
   * What the exit says about the other side. Not asked about interruption, which is neutral. One that throws is replaced
   * by the default for this call.
   */
  readonly classify?: ((exit: Exit.Exit<A, E>) => Outcome) | undefined
}

/** What all circuits of one breaker share. */
export interface Shared {
  readonly name: string
  readonly machine: Machine
  readonly hub: PubSub.PubSub<Event>
  readonly isFailure: FailurePredicate | undefined
  /** Called when a call ends on a circuit that was evicted meanwhile. */
  readonly readopt: ((circuit: Core) => void) | undefined
}

/** One circuit: its state, and what was counted. Methods, so that a key costs no closures. */
export class Core {
  readonly shared: Shared
  readonly key: string
  readonly ref: Ref.Ref<State>
  success = 0
  failure = 0
  neutral = 0
  rejected = 0
  slow = 0
  usedAt: number
  queuedAt: number
  evicted = false
  constructor(shared: Shared, key: string, nowMillis: number) {
    this.shared = shared
    this.key = key
    this.ref = Ref.makeUnsafe<State>(shared.machine.initial)
    this.usedAt = nowMillis
    this.queuedAt = nowMillis
  }
  forget(): void {
    this.success =
      this.failure =
      this.neutral =
      this.rejected =
      this.slow =
        0
  }
}

export const snapshotOf = (circuit: Core, nowMillis: number): Snapshot => {
  const { failure, key, neutral, rejected, ref, shared, slow, success } = circuit
  const [, state] = step(shared.machine, ref.ref.current, { _tag: "Passed", nowMillis })
  const refusal = state._tag === "Closed" ? undefined : step(shared.machine, state, { _tag: "Admit", nowMillis })[0]
  return {
    key,
    state: state._tag,
    epoch: state.epoch,
    retryAfterMillis: refusal?._tag === "Refused" ? refusal.retryAfterMillis : 0,
    probes: state._tag === "HalfOpen" ? state.probes.length : 0,
    openings: state.openings.count,
    holds: state._tag === "Isolated" ? state.holds : 0,
    figures: state._tag === "Closed" ? shared.machine.tracker.figures(state.counters, nowMillis) : [],
    counts: { success, failure, neutral, rejected, slow }
  }
}

/** Whether a call would be let through at this moment. Nothing moves, and no permit is taken. */
export const admits = (circuit: Core, nowMillis: number): boolean => {
  const { machine } = circuit.shared
  const [, state] = step(machine, circuit.ref.ref.current, { _tag: "Passed", nowMillis })
  return state._tag === "Closed" || step(machine, state, { _tag: "Admit", nowMillis })[0]._tag !== "Refused"
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

export const millisOf = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** Runs `effect` on the circuit that `find` gives. */
export const run = <A, E, R>(
  find: (nowMillis: number) => Core,
  effect: Effect.Effect<A, E, R>,
  options: RunOptions<A, E> | undefined
): Effect.Effect<A, E | CircuitOpen, R> =>
  Effect.withFiber<A, E | CircuitOpen, R>((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    const startedAt = millisOf(clock)
    const circuit = find(startedAt)
    const state = circuit.ref.ref.current
    if (state._tag !== "Closed") return guarded(circuit, clock, effect, options, fiber)
    const epoch = state.epoch
    // A closed circuit gives no permit away, so it does not matter if the call is interrupted before it begins.
    return Effect.onExitPrimitive(effect, (exit) => {
      leave(circuit, epoch, undefined, exit, options?.classify, startedAt, true, clock, fiber)
      return undefined
    })
  })

/** The way in where a permit may be taken: the finalizer stands before the permit does. */
const guarded = <A, E, R>(
  circuit: Core,
  clock: Clock.Clock,
  effect: Effect.Effect<A, E, R>,
  options: RunOptions<A, E> | undefined,
  fiber: AnyFiber
): Effect.Effect<A, E | CircuitOpen, R> => {
  const ticket = new Ticket(circuit, clock, true)
  const admitted = Effect.suspend((): Effect.Effect<A, E | CircuitOpen, R> => {
    const refused = ticket.enter(fiber)
    return refused === undefined ? effect : Effect.fail(refused)
  })
  return Effect.onExitPrimitive(admitted, (exit) => {
    // An admitted call fails with `E` alone; a refused one has no permit to give back.
    ticket.leave(exit as Exit.Exit<A, E>, options?.classify, fiber)
    return undefined
  })
}

/** One admission: taken once, given back once. */
export class Ticket {
  readonly circuit: Core
  readonly clock: Clock.Clock
  /** Whether how long it took says something about speed. */
  readonly measured: boolean
  private held = false
  private epoch = 0
  private probe: number | undefined = undefined
  private startedAt = 0
  constructor(circuit: Core, clock: Clock.Clock, measured: boolean) {
    this.circuit = circuit
    this.clock = clock
    this.measured = measured
  }
  enter(fiber: AnyFiber): CircuitOpen | undefined {
    const { circuit } = this
    this.startedAt = millisOf(this.clock)
    const output = feed(circuit, { _tag: "Admit", nowMillis: this.startedAt }, this.startedAt, fiber, (output) => {
      if (output._tag !== "Admitted") return
      this.held = true
      this.epoch = output.epoch
      this.probe = output.probe
    })
    if (output._tag !== "Refused") return undefined
    circuit.rejected++
    reportCall(circuit, "rejected", false, fiber)
    return new CircuitOpen({
      name: circuit.shared.name,
      key: circuit.key,
      retryAfterMillis: output.retryAfterMillis,
      isolated: output.isolated
    })
  }
  leave<A, E>(
    exit: Exit.Exit<A, E>,
    classify: ((exit: Exit.Exit<A, E>) => Outcome) | undefined,
    fiber: AnyFiber
  ): void {
    if (!this.held) return
    this.held = false
    leave(this.circuit, this.epoch, this.probe, exit, classify, this.startedAt, this.measured, this.clock, fiber)
  }
}

const leave = <A, E>(
  circuit: Core,
  epoch: number,
  probe: number | undefined,
  exit: Exit.Exit<A, E>,
  classify: ((exit: Exit.Exit<A, E>) => Outcome) | undefined,
  startedAt: number,
  measured: boolean,
  clock: Clock.Clock,
  fiber: AnyFiber
): void => {
  const { machine, readopt } = circuit.shared
  const { tracker } = machine
  // A success that only resets a count needs no clock.
  const timed = tracker.timed || exit._tag === "Failure" || classify !== undefined || probe !== undefined ||
    circuit.evicted
  const nowMillis = timed ? millisOf(clock) : startedAt
  const outcome = classified(circuit, exit, classify, nowMillis - startedAt)
  const durationMillis = measured ? nowMillis - startedAt : 0
  const slow = durationMillis > tracker.slowerThanMillis
  if (outcome === "success") circuit.success++
  else if (outcome === "failure") circuit.failure++
  else circuit.neutral++
  if (slow) circuit.slow++
  if (circuit.evicted && readopt !== undefined) {
    circuit.usedAt = nowMillis
    readopt(circuit)
  }
  const state = circuit.ref.ref.current
  if (state._tag === "Closed" && state.epoch === epoch) {
    if (outcome !== "neutral") {
      const next = noteClosed(machine, state, outcome === "failure", durationMillis, nowMillis)
      if (next !== state) move(circuit, state, next, "Ended", nowMillis, fiber)
    }
  } else {
    feed(circuit, { _tag: "Ended", epoch, probe, outcome, durationMillis, nowMillis }, nowMillis, fiber)
  }
  reportCall(circuit, outcome, slow, fiber)
}

/** Whatever `classify` does, the call has an outcome, so its permit comes back. */
const classified = <A, E>(
  circuit: Core,
  exit: Exit.Exit<A, E>,
  classify: ((exit: Exit.Exit<A, E>) => Outcome) | undefined,
  durationMillis: number
): Outcome => {
  const isFailure = circuit.shared.isFailure
  if (classify === undefined && (isFailure === undefined || exit._tag === "Success")) {
    return outcomeOf(exit, durationMillis)
  }
  if (exit._tag === "Failure" && exit.cause.reasons.every((reason) => reason._tag === "Interrupt")) return "neutral"
  try {
    if (classify === undefined) return isFailure === undefined ? "neutral" : isFailureOf(exit, isFailure)
    const outcome = classify(exit)
    return outcome === "success" || outcome === "failure" ? outcome : "neutral"
  } catch {
    return outcomeOf(exit, durationMillis)
  }
}

/** Gives `input` to the state machine; time that went by moves the circuit first, so that no move goes unseen. */
export const feed = (
  circuit: Core,
  input: Input,
  nowMillis: number,
  fiber: AnyFiber,
  onOutput?: (output: Output) => void
): Output => {
  const { machine } = circuit.shared
  const before = circuit.ref.ref.current
  const [, between] = step(machine, before, { _tag: "Passed", nowMillis })
  const [output, after] = step(machine, between, input)
  circuit.ref.ref.current = after
  onOutput?.(output)
  if (between !== before) announce(circuit, before, between, "Passed", nowMillis, fiber)
  if (after !== between) announce(circuit, between, after, input._tag, nowMillis, fiber)
  return output
}

const move = (
  circuit: Core,
  from: State,
  to: State,
  by: Input["_tag"],
  nowMillis: number,
  fiber: AnyFiber
): void => {
  circuit.ref.ref.current = to
  if (from._tag !== to._tag) announce(circuit, from, to, by, nowMillis, fiber)
}

const announce = (
  circuit: Core,
  from: State,
  to: State,
  by: Input["_tag"],
  nowMillis: number,
  fiber: AnyFiber
): void => {
  if (from._tag === to._tag) return
  const { hub, name } = circuit.shared
  const key = circuit.key
  PubSub.publishUnsafe(hub, {
    _tag: "Moved",
    key,
    from: from._tag,
    to: to._tag,
    reason: reasonOf(from, to, by),
    atMillis: nowMillis
  })
  const recorder = fiber.getRef(Recorder.Current)
  if (recorder !== undefined) recorder({ _tag: "CircuitMoved", name, key, from: from._tag, to: to._tag }, fiber)
}

const reasonOf = (from: State, to: State, by: Input["_tag"]): Reason => {
  switch (by) {
    case "Passed":
      return "probeTimedOut"
    case "Admit":
      return "probing"
    case "Isolate":
      return "isolated"
    case "Release":
      return "released"
    case "ForceClose":
      return "forceClosed"
    case "Reset":
      return "reset"
    case "Ended":
      if (to._tag === "Closed") return "recovered"
      return from._tag === "Closed" ? "tripped" : "probeFailed"
  }
}

const reportCall = (
  circuit: Core,
  outcome: Outcome | "rejected",
  slow: boolean,
  fiber: AnyFiber
): void => {
  const recorder = fiber.getRef(Recorder.Current)
  if (recorder === undefined) return
  recorder({ _tag: "CircuitCalled", name: circuit.shared.name, key: circuit.key, outcome, slow }, fiber)
}
