/**
 * Chooses one of several targets for each call, and leaves out those that do not work.
 *
 * Targets are taken in turn (smoothly by weight) or by the least calls under way; a preferred target, such as the one a
 * cookie names, wins while it is available. Two things take a target out. **Active** checks ask it on an interval: after
 * `unhealthyAfter` failures in a row it is isolated, after `healthyAfter` successes it is back. **Passive** ejection is a
 * `CircuitBreaker` with one circuit per target: after `failures` failed calls in a row it is open for `duration`, then one
 * call is the probe. Isolation is that of the same circuit, so there is one state per target and its moves are reported.
 *
 * The module knows nothing of sockets: the check is an effect, and time is the `Clock`.
 *
 * **Gotchas**
 *
 * - A target is available until a check says otherwise. The first check of a target decides alone.
 * - Where no target is available the call fails with {@link NoHealthyUpstream}; nothing is sent to a target that is out.
 * - A call holds its place on the target until its scope closes, not only until its effect ends: a response that is still
 *   streaming counts as under way.
 * - Interruption and what `classify` calls neutral say nothing about the target.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LoadBalancer } from "effect-lifecycle/gateway"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const balancer = yield* LoadBalancer.make({
 *     name: "users",
 *     targets: [{ id: "a" }, { id: "b" }],
 *     ejection: { failures: 1, duration: "10 seconds" }
 *   })
 *   const call = balancer.use((target) => target.id === "a" ? Effect.fail("down") : Effect.succeed(target.id))
 *   yield* Effect.exit(call)
 *   return [yield* call, yield* call]
 * })
 *
 * assert.deepEqual(await Effect.runPromise(Effect.scoped(program)), ["b", "b"])
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Duration, Effect, Exit, type Fiber, Schedule, Schema, Scope } from "effect"
import * as Recorder from "../lifecycle/Recorder.ts"
import * as CircuitBreaker from "../resilience/CircuitBreaker.ts"
import { finiteMillis, millisBetween, wholeNumber } from "../resilience/InvalidOption.ts"
import type { Outcome } from "../resilience/Verdict.ts"
import * as checks from "./internal/healthState.ts"

/**
 * Every target is out.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoHealthyUpstream extends Schema.TaggedError<NoHealthyUpstream>()("NoHealthyUpstream", {
  balancer: Schema.String,
  targets: Schema.Int,
  /** Until a target may be tried again; of one that a check took out a guess. */
  retryAfterMillis: Schema.Finite
}) {
  override get message(): string {
    return `None of the ${this.targets} targets of "${this.balancer}" is available: see that one of them answers`
  }
}

/**
 * One place calls can go to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  /** Names it in reports; unique within a balancer. */
  readonly id: string
  /** Its share of the calls, from 1 to 1000; 1 when absent. */
  readonly weight?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export type Policy = "round-robin" | "least-in-flight"

/**
 * One target at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface TargetState {
  readonly id: string
  readonly available: boolean
  readonly inFlight: number
  /** How many calls have begun. */
  readonly calls: number
  /** What the active checks say; `unknown` where there are none, or none has ended. */
  readonly health: "unknown" | "healthy" | "unhealthy"
  readonly circuit: CircuitBreaker.Snapshot
}

/**
 * How one call is placed and judged.
 *
 * @category options
 * @since 0.1.0
 */
export interface UseOptions<in A, in E> {
  /** The id of the target to take while it is available. */
  readonly preferred?: string | undefined
  /** The ids of targets to take only where no other is available. */
  readonly avoid?: ReadonlySet<string> | undefined
  /** The ids of targets that are not taken at all, such as those that were tried before. */
  readonly exclude?: ReadonlySet<string> | undefined
  /** What the exit says about the target; a failure is one when absent. */
  readonly classify?: ((exit: Exit.Exit<A, E>) => Outcome) | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface LoadBalancer<T extends Target> {
  readonly name: string
  /** Runs a call on the target that is chosen, which counts as under way until the scope closes. */
  readonly use: <A, E, R>(
    call: (target: T) => Effect.Effect<A, E, R>,
    options?: UseOptions<A, E>
  ) => Effect.Effect<A, E | NoHealthyUpstream | CircuitBreaker.CircuitOpen, R | Scope.Scope>
  readonly targets: ReadonlyArray<T>
  /** Whether a call that excludes these targets would find one now. */
  readonly findsUnsafe: (fiber: Fiber.Fiber<unknown, unknown>, exclude: ReadonlySet<string>) => boolean
  readonly snapshot: Effect.Effect<ReadonlyArray<TargetState>>
  /** Sends nothing to a target until the scope closes, for maintenance. */
  readonly isolate: (id: string) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * Active checks.
 *
 * @category options
 * @since 0.1.0
 */
export interface HealthOptions<in T> {
  /** Fails where the target does not work. */
  readonly check: (target: T) => Effect.Effect<unknown, unknown>
  /** From the end of a check to the next, 10 milliseconds or more; 5 seconds when absent. */
  readonly interval?: Duration.Input | undefined
  /** A check that takes longer has failed; 2 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
  /** How many successes in a row bring a target back; 2 when absent. */
  readonly healthyAfter?: number | undefined
  /** How many failures in a row take a target out; 3 when absent. */
  readonly unhealthyAfter?: number | undefined
}

/**
 * Passive ejection.
 *
 * @category options
 * @since 0.1.0
 */
export interface EjectionOptions {
  /** How many failed calls in a row take a target out; 5 when absent. */
  readonly failures?: number | undefined
  /** For how long; 10 seconds when absent. */
  readonly duration?: Duration.Input | undefined
}

/**
 * @category options
 * @since 0.1.0
 */
export interface Options<T extends Target> {
  /** In reports and errors. */
  readonly name: string
  readonly targets: ReadonlyArray<T>
  /** `round-robin` when absent. */
  readonly policy?: Policy | undefined
  readonly health?: HealthOptions<T> | undefined
  readonly ejection?: EjectionOptions | undefined
}

type Wish = Pick<UseOptions<never, never>, "avoid" | "exclude" | "preferred">

interface Entry<T> {
  readonly target: T
  readonly weight: number
  /** The credit of smooth weighted turns. */
  credit: number
  inFlight: number
  calls: number
  health: checks.State
}

/**
 * Active checks begin at once and end with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <T extends Target>(options: Options<T>): Effect.Effect<LoadBalancer<T>, never, Scope.Scope> => {
  const module = "LoadBalancer.make"
  wholeNumber(module, "targets.length", options.targets.length, 1, 10_000)
  wholeNumber(
    module,
    "distinct targets",
    new Set(options.targets.map((target) => target.id)).size,
    options.targets.length
  )
  const policy = options.policy ?? "round-robin"
  const entries = options.targets.map((target): Entry<T> => ({
    target,
    weight: wholeNumber(module, "weight", target.weight ?? 1, 1, 1000),
    credit: 0,
    inFlight: 0,
    calls: 0,
    health: checks.initial
  }))
  const watching = options.health === undefined ? undefined : watch(entries, options.health)
  return Effect.gen(function*() {
    const breaker = yield* CircuitBreaker.make({
      name: options.name,
      trip: CircuitBreaker.consecutive(options.ejection?.failures ?? 5),
      breakDuration: options.ejection?.duration ?? "10 seconds",
      // A circuit lives as long as its target, however seldom that is called.
      keys: { idleTimeToLive: "365 days", maximum: entries.length }
    })
    const circuitOf = (entry: Entry<T>) => breaker.snapshot(entry.target.id)

    const mayTake = ({ target }: Entry<T>, fiber: Fiber.Fiber<unknown, unknown>, exclude: Wish["exclude"]) =>
      exclude?.has(target.id) !== true && breaker.admitsUnsafe(target.id, fiber)

    const choose = (wish: Wish, fiber: Fiber.Fiber<unknown, unknown>): Entry<T> | undefined => {
      const { avoid, exclude, preferred } = wish
      const available = entries.filter((entry) => mayTake(entry, fiber, exclude))
      const others = avoid === undefined || avoid.size === 0
        ? available
        : available.filter((entry) => !avoid.has(entry.target.id))
      const candidates = others.length > 0 ? others : available
      const wanted = preferred === undefined
        ? undefined
        : candidates.find((entry) => entry.target.id === preferred)
      return wanted ?? pick(candidates, policy)
    }

    const none = Effect.flatMap(
      Effect.forEach(entries, circuitOf),
      (states) =>
        Effect.fail(
          new NoHealthyUpstream({
            balancer: options.name,
            targets: entries.length,
            retryAfterMillis: Math.min(...states.map((state) => state.retryAfterMillis))
          })
        )
    )

    /** The place of a call, which the scope gives back if it was taken. */
    const begin = (wish: Wish): Effect.Effect<Entry<T>, NoHealthyUpstream, Scope.Scope> =>
      Effect.suspend(() => {
        let taken: Entry<T> | undefined
        const giveBack = Effect.sync(() => {
          if (taken !== undefined) taken.inFlight--
        })
        const take = Effect.withFiber((fiber): Effect.Effect<Entry<T>, NoHealthyUpstream> => {
          const startNanos = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
          taken = choose(wish, fiber)
          if (taken === undefined) return none
          taken.inFlight++
          taken.calls++
          balanced(fiber, startNanos)
          return Effect.succeed(taken)
        })
        return Effect.andThen(Effect.addFinalizer(() => giveBack), take)
      })

    if (watching !== undefined) yield* watching(breaker)

    return {
      name: options.name,
      targets: options.targets,
      findsUnsafe: (fiber, exclude) => entries.some((entry) => mayTake(entry, fiber, exclude)),
      use: (call, use = {}) =>
        Effect.flatMap(
          begin(use),
          (entry) => breaker.run(entry.target.id, call(entry.target), { classify: use.classify })
        ),
      snapshot: Effect.withFiber((fiber) =>
        Effect.forEach(entries, (entry) =>
          Effect.map(circuitOf(entry), (circuit): TargetState => ({
            id: entry.target.id,
            available: breaker.admitsUnsafe(entry.target.id, fiber),
            inFlight: entry.inFlight,
            calls: entry.calls,
            health: entry.health.verdict,
            circuit
          })))
      ),
      isolate: breaker.isolate
    } satisfies LoadBalancer<T>
  })
}

const balanced = (fiber: Fiber.Fiber<unknown, unknown>, startNanos: bigint): void =>
  fiber.getRef(Recorder.Current)?.({
    _tag: "StagesTimed",
    stages: [{
      _tag: "StageTimed",
      stage: "Balancer",
      name: "gateway/LoadBalancer",
      startNanos,
      endNanos: fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
    }]
  }, fiber)

/** Smooth weighted turns, as in nginx: everybody gains its weight, the richest is taken and pays for all. */
const inTurn = <T>(candidates: ReadonlyArray<Entry<T>>): Entry<T> => {
  let total = 0
  for (const entry of candidates) {
    entry.credit += entry.weight
    total += entry.weight
  }
  const richest = candidates.reduce((best, entry) => entry.credit > best.credit ? entry : best)
  richest.credit -= total
  return richest
}

const pick = <T>(candidates: ReadonlyArray<Entry<T>>, policy: Policy): Entry<T> | undefined => {
  const [first, ...others] = candidates
  if (first === undefined || others.length === 0) return first
  if (policy === "round-robin") return inTurn(candidates)
  const load = (entry: Entry<T>) => entry.inFlight / entry.weight
  const least = Math.min(...candidates.map(load))
  return inTurn(candidates.filter((entry) => load(entry) === least))
}

const watch = <T extends Target>(
  entries: ReadonlyArray<Entry<T>>,
  options: HealthOptions<T>
): (breaker: CircuitBreaker.CircuitBreaker) => Effect.Effect<void, never, Scope.Scope> => {
  const module = "LoadBalancer.make"
  const thresholds: checks.Thresholds = {
    healthyAfter: wholeNumber(module, "health.healthyAfter", options.healthyAfter ?? 2, 1),
    unhealthyAfter: wholeNumber(module, "health.unhealthyAfter", options.unhealthyAfter ?? 3, 1)
  }
  const interval = Duration.millis(millisBetween(module, "health.interval", options.interval ?? "5 seconds", 10))
  const timeout = Duration.millis(finiteMillis(module, "health.timeout", options.timeout ?? "2 seconds"))
  return (breaker) =>
    Effect.forEach(entries, (entry) =>
      Effect.gen(function*() {
        const owner = yield* Effect.scope
        let held: Scope.Closeable | undefined
        const once = Effect.gen(function*() {
          const exit = yield* Effect.exit(Effect.timeout(options.check(entry.target), timeout))
          entry.health = checks.observe(entry.health, Exit.isSuccess(exit), thresholds)
          if (entry.health.verdict === "unhealthy" && held === undefined) {
            held = yield* Scope.fork(owner)
            yield* Scope.provide(breaker.isolate(entry.target.id), held)
          } else if (entry.health.verdict === "healthy" && held !== undefined) {
            yield* Scope.close(held, Exit.void)
            held = undefined
          }
        })
        yield* Effect.forkScoped(Effect.repeat(once, Schedule.spaced(interval)), { startImmediately: true })
      }), { discard: true })
}
