/**
 * Stops calling what keeps failing: a pure state machine in a public `Ref`, alone ({@link makeRef}) or one per key
 * ({@link make}).
 *
 * Closed, it counts as its policy says, and opens when the policy is met. Open, it refuses every call at once for
 * `breakDuration`. Then it is half open: `probe.permits` calls may run at once, `probe.successes` of them close it, one
 * failure opens it again, for the next delay where `breakDuration` is a `Schedule`.
 *
 * - Every state has an epoch. A result counts only in the epoch its call began in, so a call that started before the circuit
 *   opened can neither close nor re-open it.
 * - A probe gives its permit back on success, failure and interruption. One that runs longer than `probe.maxDuration` has
 *   failed at that moment; there is no timer, the next call notices.
 * - Interruption is neutral: neither success nor failure. So is what `isFailure` or `classify` excludes, a refusal by another
 *   guard of this process, and a deadline that had passed before the call began.
 * - The call that trips the circuit fails with its own error.
 * - Time is the monotonic clock; a jump of the wall clock moves nothing.
 * - Idle keys are dropped without timers when calls come by, and `keys.maximum` bounds them.
 *
 * **Gotchas**
 *
 * - Put the deadline of an attempt inside the circuit: then a call that hangs becomes a failure. A deadline outside is an
 *   interruption, which is neutral.
 * - The state never leaves the process. To share it, use the `CircuitBreaker` of `effect/persistence` with a store.
 * - The delays of a `Schedule` are drawn once, when the breaker is built: 32 of them, a day at most each, then the last one
 *   repeats. The count of openings starts again once the circuit stayed closed as long as it was last open.
 * - A stream counts when it completes, and is never slow. As a probe it has `probe.maxDuration` for that.
 * - What you write into `state` yourself is obeyed, but no event tells of it.
 *
 * @example
 * ```ts
 * import { Effect, Exit } from "effect"
 * import { CircuitBreaker } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({
 *     name: "payments",
 *     trip: CircuitBreaker.failureRate({ failureThreshold: 0.5, minimumThroughput: 2, samplingDuration: "1 second" }),
 *     breakDuration: "1 second"
 *   })
 *   const down = breaker.run("eu", Effect.fail("down"))
 *   yield* Effect.exit(down)
 *   yield* Effect.exit(down)
 *   assert.equal((yield* breaker.snapshot("eu")).state, "Open")
 *   assert.equal(yield* breaker.run("us", Effect.succeed("paid")), "paid")
 *   return yield* Effect.exit(down)
 * })
 *
 * const refused = await Effect.runPromise(program)
 * assert.ok(Exit.isFailure(refused) && refused.cause.reasons.some((r) => r._tag === "Fail" && r.error !== "down"))
 * ```
 *
 * @since 0.1.0
 */
import {
  type Cause,
  Clock,
  Context,
  type Duration,
  Effect,
  type Fiber,
  Layer,
  PubSub,
  type Ref,
  type Schedule,
  type Scope,
  Stream
} from "effect"
import {
  admits,
  Core,
  type Event,
  feed,
  millisOf,
  run,
  type RunOptions,
  type Shared,
  type Snapshot,
  snapshotOf
} from "./internal/circuitCore.ts"
import { Keys } from "./internal/circuitKeys.ts"
import { limitsOf, type ProbeOptions } from "./internal/circuitLimits.ts"
import type { CircuitOpen } from "./internal/circuitOpen.ts"
import type { TripPolicy } from "./internal/circuitPolicy.ts"
import type { State } from "./internal/circuitState.ts"
import { guardStream } from "./internal/circuitStream.ts"
import { machineOf } from "./internal/circuitTransition.ts"
import { finiteMillis, InvalidOption, wholeNumber } from "./InvalidOption.ts"

export type { Counts, Event, Reason, RunOptions, Snapshot } from "./internal/circuitCore.ts"
export { limits, type ProbeOptions } from "./internal/circuitLimits.ts"
export { CircuitOpen } from "./internal/circuitOpen.ts"
export {
  type AnyOf,
  anyOf,
  type Consecutive,
  consecutive,
  type CountRate,
  countRate,
  type FailureRate,
  failureRate,
  type SlowCallRate,
  slowCallRate,
  type TripPolicy
} from "./internal/circuitPolicy.ts"
export type {
  Closed,
  Ended,
  HalfOpen,
  Input,
  Isolated,
  Limits,
  Open,
  Openings,
  Output,
  Probe,
  State
} from "./internal/circuitState.ts"
export type { Counters, Figure } from "./internal/circuitTracker.ts"
export { initial, transition } from "./internal/circuitTransition.ts"

/**
 * When a circuit opens, for how long, and what closes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly name: string
  /** What opens the circuit. */
  readonly trip: TripPolicy
  /** How long it stays open; of a schedule, the n-th opening in a row lasts as long as the n-th delay. */
  readonly breakDuration: Duration.Input | Schedule.Schedule<unknown, number>
  readonly probe?: ProbeOptions | undefined
  /** Whether a failed exit counts; when not, it is neutral. Not asked about interruption. */
  readonly isFailure?: ((cause: Cause.Cause<unknown>) => boolean) | undefined
}

/**
 * A {@link Policy} for many circuits.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyedPolicy extends Policy {
  readonly keys?: {
    /** A key that was not used this long, and is not open, may go; 1 hour when absent. */
    readonly idleTimeToLive?: Duration.Input | undefined
    /** How many keys are kept; 10,000 when absent. Beyond that the least recently used goes, a closed one if near. */
    readonly maximum?: number | undefined
  } | undefined
}

/**
 * One circuit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Circuit {
  readonly name: string
  readonly state: Ref.Ref<State>
  /** Runs `effect` when the circuit lets it, and notes how it ended. */
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: RunOptions<A, E>
  ) => Effect.Effect<A, E | CircuitOpen, R>
  /** Guards each run of `stream`: success when it completes, failure when it fails, neutral when its consumer leaves. */
  readonly stream: <A, E, R>(
    stream: Stream.Stream<A, E, R>,
    options?: RunOptions<void, E>
  ) => Stream.Stream<A, E | CircuitOpen, R>
  readonly snapshot: Effect.Effect<Snapshot>
  /** Refuses every call until the scope closes. Several isolations add up; after the last the circuit is closed. */
  readonly isolate: Effect.Effect<void, never, Scope.Scope>
  /** Closes the circuit with nothing counted. An isolation stays, and so does the number of openings in a row. */
  readonly forceClose: Effect.Effect<void>
  /** As new: closed, openings and counts forgotten. An isolation stays. */
  readonly reset: Effect.Effect<void>
  /** Every move from the subscription on; each subscriber has a buffer without bound, so none is lost. */
  readonly events: Stream.Stream<Event>
}

/**
 * One circuit per key.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreaker {
  readonly name: string
  /** Runs `effect` when the circuit of `key` lets it, and notes how it ended. */
  readonly run: <A, E, R>(
    key: string,
    effect: Effect.Effect<A, E, R>,
    options?: RunOptions<A, E>
  ) => Effect.Effect<A, E | CircuitOpen, R>
  /** Guards each run of `stream`: success when it completes, failure when it fails, neutral when its consumer leaves. */
  readonly stream: <A, E, R>(
    key: string,
    stream: Stream.Stream<A, E, R>,
    options?: RunOptions<void, E>
  ) => Stream.Stream<A, E | CircuitOpen, R>
  /** A key that is not known has the snapshot of a new circuit, and stays unknown. */
  readonly snapshot: (key: string) => Effect.Effect<Snapshot>
  /**
   * Whether a call with `key` would be let through now; it takes no permit. For a choice among many keys on a hot path,
   * where {@link CircuitBreaker.snapshot} of each would be too much.
   */
  readonly admitsUnsafe: (key: string, fiber: Fiber.Fiber<unknown, unknown>) => boolean
  readonly keys: Effect.Effect<Array<string>>
  /** Refuses every call until the scope closes. Several isolations add up; after the last the circuit is closed. */
  readonly isolate: (key: string) => Effect.Effect<void, never, Scope.Scope>
  /** Closes the circuit with nothing counted. An isolation stays, and so does the number of openings in a row. */
  readonly forceClose: (key: string) => Effect.Effect<void>
  /** As new: closed, openings and counts forgotten. An isolation stays. */
  readonly reset: (key: string) => Effect.Effect<void>
  /** Every move and eviction from the subscription on; each subscriber has a buffer without bound, so none is lost. */
  readonly events: Stream.Stream<Event>
}

/**
 * A keyed breaker as a service.
 *
 * @category services
 * @since 0.1.0
 */
export class Service extends Context.Service<Service, CircuitBreaker>()("effect-lifecycle/resilience/CircuitBreaker") {
  static readonly layer = (policy: KeyedPolicy): Layer.Layer<Service> => Layer.effect(Service, make(policy))
}

/**
 * One circuit whose state is a public `Ref`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeRef = (policy: Policy): Effect.Effect<Circuit> =>
  Effect.map(sharedOf(policy), (common) => {
    const shared: Shared = { ...common, readopt: undefined }
    const core = new Core(shared, policy.name, 0)
    const find = () => core
    return {
      name: policy.name,
      state: core.ref,
      run: (effect, options) => run(find, effect, options),
      stream: (stream, options) => guardStream(find, stream, options),
      snapshot: timed((nowMillis) => snapshotOf(core, nowMillis)),
      isolate: isolate(find),
      forceClose: forceClose(find),
      reset: reset(find),
      events: Stream.fromPubSub(shared.hub)
    } satisfies Circuit
  })

/**
 * A breaker with one circuit per key, made when the key is first used.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (policy: KeyedPolicy): Effect.Effect<CircuitBreaker> => {
  const idleMillis = finiteMillis("CircuitBreaker", "keys.idleTimeToLive", policy.keys?.idleTimeToLive ?? "1 hour")
  if (idleMillis === 0) {
    const option = "keys.idleTimeToLive"
    throw new InvalidOption({ module: "CircuitBreaker", option, value: "0", allowed: "longer than zero" })
  }
  const maximum = wholeNumber("CircuitBreaker", "keys.maximum", policy.keys?.maximum ?? 10_000, 1)
  return Effect.map(sharedOf(policy), (shared) => {
    const keys = new Keys(shared, idleMillis, maximum)
    const finder = (key: string) => (nowMillis: number) => keys.find(key, nowMillis)
    return {
      name: policy.name,
      run: (key, effect, options) => run(finder(key), effect, options),
      stream: (key, stream, options) => guardStream(finder(key), stream, options),
      snapshot: (key) =>
        timed((nowMillis) => snapshotOf(keys.peek(key, nowMillis) ?? new Core(keys.shared, key, nowMillis), nowMillis)),
      admitsUnsafe: (key, fiber) => {
        if (keys.isClosed(key)) return true
        const nowMillis = millisOf(fiber.getRef(Clock.Clock))
        const core = keys.peek(key, nowMillis)
        return core === undefined || admits(core, nowMillis)
      },
      keys: timed((nowMillis) => keys.keys(nowMillis)),
      isolate: (key) => isolate(finder(key)),
      forceClose: (key) => forceClose(finder(key)),
      reset: (key) => reset(finder(key)),
      events: Stream.fromPubSub(shared.hub)
    } satisfies CircuitBreaker
  })
}

const sharedOf = (policy: Policy): Effect.Effect<Omit<Shared, "readopt">> =>
  Effect.zipWith(limitsOf(policy), PubSub.unbounded<Event>(), (limits, hub) => ({
    name: policy.name,
    machine: machineOf(limits),
    hub,
    isFailure: policy.isFailure
  }))

const timed = <A>(f: (nowMillis: number) => A): Effect.Effect<A> =>
  Effect.withFiberSucceed((fiber) => f(millisOf(fiber.getRef(Clock.Clock))))

const isolate = (find: (nowMillis: number) => Core): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.withFiberSucceed((fiber) => {
      const nowMillis = millisOf(fiber.getRef(Clock.Clock))
      const core = find(nowMillis)
      feed(core, { _tag: "Isolate" }, nowMillis, fiber)
      return core
    }),
    (core) =>
      Effect.withFiberSucceed((fiber) => {
        const nowMillis = millisOf(fiber.getRef(Clock.Clock))
        core.usedAt = nowMillis
        feed(core, { _tag: "Release", nowMillis }, nowMillis, fiber)
      })
  ))

const forceClose = (find: (nowMillis: number) => Core): Effect.Effect<void> =>
  Effect.withFiberSucceed((fiber) => {
    const nowMillis = millisOf(fiber.getRef(Clock.Clock))
    feed(find(nowMillis), { _tag: "ForceClose", nowMillis }, nowMillis, fiber)
  })

const reset = (find: (nowMillis: number) => Core): Effect.Effect<void> =>
  Effect.withFiberSucceed((fiber) => {
    const nowMillis = millisOf(fiber.getRef(Clock.Clock))
    const core = find(nowMillis)
    core.forget()
    feed(core, { _tag: "Reset" }, nowMillis, fiber)
  })
