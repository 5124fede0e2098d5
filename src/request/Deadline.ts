/**
 * The time a request may still take, carried by the fiber and shared by everything that works for the request.
 *
 * Set it once with {@link within}; every nested `within`, every retry, every outgoing call sees the same end and can only
 * bring it nearer: the effective deadline is always the smallest of the explicit, the inherited and the server's own.
 * When time is up the work is interrupted, its finalizers run, and the caller gets a typed {@link DeadlineExceeded}.
 * {@link scoped} does the same for work forked into a `Scope`.
 *
 * Deadlines are points on the monotonic clock (`Clock.monotonicTimeNanos`), so wall clock jumps do not move them and
 * `TestClock` drives them. On the wire they are relative: see `DeadlineCodec` and `Propagation`.
 *
 * **Gotchas**
 *
 * - Interruption cannot cut an uninterruptible region: it waits for the end of it and then reports the deadline.
 * - {@link Current} alone only informs. `within`, {@link at}, {@link reserve} and {@link enforce} interrupt.
 * - {@link unbounded} hides the deadline from `self`, but a `within` around it still interrupts this fiber: fork work that
 *   must outlive the request into a longer scope, and make it unbounded there.
 * - A fiber forked into a longer scope keeps the deadline of its parent as `Current`.
 *
 * @example
 * ```ts
 * import { Duration, Effect, Option } from "effect"
 * import { Deadline } from "effect-lifecycle/request"
 * import assert from "node:assert/strict"
 *
 * const inner = Deadline.remaining.pipe(Deadline.within("1 hour"))
 * const left = await Effect.runPromise(inner.pipe(Deadline.within("2 seconds")))
 * assert.ok(Option.isSome(left) && Duration.toMillis(left.value) <= 2000)
 *
 * const slow = Effect.sleep("1 minute").pipe(Deadline.within("20 millis"), Effect.flip)
 * assert.equal((await Effect.runPromise(slow))._tag, "DeadlineExceeded")
 * ```
 *
 * @since 0.1.0
 */
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  type Fiber,
  Layer,
  Option,
  Schema,
  Scope
} from "effect"
import { dual } from "effect/Function"
import { finiteMillis } from "../lifecycle/InvalidOption.ts"
import * as Recorder from "../lifecycle/Recorder.ts"
import { longest, nanosOf } from "./internal/nanos.ts"

export * as codecs from "./DeadlineCodec.ts"
export { type Split, split } from "./internal/split.ts"

/**
 * Time was up before the work was done.
 *
 * @category errors
 * @since 0.1.0
 */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  /** From the start of the deadline to its end. */
  budgetMillis: Schema.Finite,
  /** From the start of the deadline to this failure, finalizers of the interrupted work included. */
  elapsedMillis: Schema.Finite
}) {
  override get message(): string {
    return `The deadline of ${this.budgetMillis} ms has passed (${this.elapsedMillis} ms are gone): ` +
      "give the call more time, or let it do less"
  }
}

/**
 * A point in time, in nanoseconds of the monotonic clock, and where it came from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Deadline {
  readonly expiresAtNanos: bigint
  readonly startedAtNanos: bigint
  /** Set by this program, received from the caller, or taken from the default of the {@link Policy}. */
  readonly origin: "local" | "inherited" | "default"
}

/**
 * What a server or client grants: `default` where nobody said anything, never more than `maximum`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyShape {
  readonly default: Option.Option<Duration.Duration>
  readonly maximum: Option.Option<Duration.Duration>
}

/**
 * A deadline that belongs to a `Scope`; see {@link scoped}.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScopedDeadline extends Deadline {
  /** A child of the scope it was made in. It closes when time is up, or with its parent. */
  readonly scope: Scope.Scope
  /** Forks into {@link ScopedDeadline.scope} with this deadline as the current one; joining it later fails typed. */
  readonly fork: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: { readonly startImmediately?: boolean | undefined }
  ) => Effect.Effect<Fiber.Fiber<A, E | DeadlineExceeded>, never, R>
}

/**
 * The deadline of the running fiber; none by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Option.Option<Deadline>>("effect-lifecycle/request/Deadline", {
  defaultValue: () => Option.none()
})

/**
 * The default and the maximum in force; neither by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Policy = Context.Reference<PolicyShape>("effect-lifecycle/request/Deadline/Policy", {
  defaultValue: () => ({ default: Option.none(), maximum: Option.none() })
})

// One deadline is reported once, however many nested guards wait for the same moment.
interface Guard {
  readonly expiresAtNanos: bigint
  reported: boolean
}
const CurrentGuard = Context.Reference<Guard | undefined>("effect-lifecycle/request/Deadline/Guard", {
  defaultValue: () => undefined
})

/**
 * Sets the default and the maximum for everything that is built on or run with this layer. Throws `InvalidOption` for what
 * is no finite time from zero on.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: {
  readonly default?: Duration.Input | undefined
  readonly maximum?: Duration.Input | undefined
}): Layer.Layer<never> =>
  Layer.succeed(Policy, {
    default: checked("default", options.default),
    maximum: checked("maximum", options.maximum)
  })

const checked = (option: string, value: Duration.Input | undefined): Option.Option<Duration.Duration> => {
  if (value === undefined) return Option.none()
  finiteMillis("Deadline.layer", option, value)
  return Option.some(Duration.fromInputUnsafe(value))
}

/**
 * How long a call may take now: the smallest of `explicit` (or the default, where there is neither an explicit nor an
 * inherited one), the current deadline and the maximum.
 *
 * @category accessors
 * @since 0.1.0
 */
export const effective = (explicit?: Duration.Input): Effect.Effect<Option.Option<Duration.Duration>> =>
  Effect.withFiber((fiber) => {
    const policy = fiber.getRef(Policy)
    const left = Option.map(fiber.getRef(Current), (deadline) => leftOf(deadline, nowOf(fiber)))
    const wanted = explicit === undefined
      ? Option.orElse(left, () => policy.default)
      : Option.some(Duration.fromInputUnsafe(explicit))
    const all = [wanted, left, policy.maximum].flatMap((part) => Option.isSome(part) ? [part.value] : [])
    return Effect.succeed(
      all.length === 0 ? Option.none() : Option.some(all.reduce((a, b) => shorter(a, b)))
    )
  })

/**
 * The deadline that ends `duration` after `startedAtNanos` of the monotonic clock. It is a value: give it to {@link at}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly duration: Duration.Input
  readonly startedAtNanos: bigint
  readonly origin?: Deadline["origin"] | undefined
}): Deadline => ({
  expiresAtNanos: options.startedAtNanos + nanosOf(options.duration),
  startedAtNanos: options.startedAtNanos,
  origin: options.origin ?? "local"
})

/**
 * The deadline of a caller who has `remaining` left, counted from now (or from `receivedAtNanos`, the moment its message
 * came in) and cut to `maximum`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromRemaining = (remaining: Duration.Input, options?: {
  readonly maximum?: Duration.Input | undefined
  readonly receivedAtNanos?: bigint | undefined
  readonly origin?: Deadline["origin"] | undefined
}): Effect.Effect<Deadline> =>
  Effect.withFiber((fiber) =>
    Effect.succeed(make({
      duration: shorter(remaining, options?.maximum ?? Duration.infinity),
      startedAtNanos: options?.receivedAtNanos ?? nowOf(fiber),
      origin: options?.origin ?? "inherited"
    }))
  )

/**
 * Gives `self` at most `duration`, and never more than the current deadline leaves; then interrupts it and fails.
 *
 * `self` does not start when there is no time at all. An infinite duration adds no deadline of its own.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within: {
  (duration: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlineExceeded, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.withFiber((fiber) => {
      const current = fiber.getRef(Current)
      if (Option.isNone(current) && nanosOf(duration) === longest) return self
      const now = nowOf(fiber)
      return guard(self, narrow(current, make({ duration, startedAtNanos: now })), fiber, now)
    })
)

/**
 * Interrupts `self` at `deadline`, or at the current deadline where that is earlier.
 *
 * @category combinators
 * @since 0.1.0
 */
export const at: {
  (deadline: Deadline): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, deadline: Deadline): Effect.Effect<A, E | DeadlineExceeded, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, deadline: Deadline): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.withFiber((fiber) => guard(self, narrow(fiber.getRef(Current), deadline), fiber, nowOf(fiber)))
)

/**
 * Interrupts `self` at the current deadline, wherever that was set; without one `self` runs as it is.
 *
 * @category combinators
 * @since 0.1.0
 */
export const enforce = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
  within(self, Duration.infinity)

/**
 * Keeps `duration` back for what comes after `self`, such as writing the reply: `self` sees a deadline that much earlier
 * and is interrupted by it. Without a deadline there is nothing to keep back.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reserve: {
  (duration: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlineExceeded, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.withFiber((fiber) => {
      const current = fiber.getRef(Current)
      if (Option.isNone(current)) return self
      const earlier = current.value.expiresAtNanos - nanosOf(duration)
      const expiresAtNanos = earlier < current.value.startedAtNanos ? current.value.startedAtNanos : earlier
      return guard(self, { ...current.value, expiresAtNanos }, fiber, nowOf(fiber))
    })
)

/**
 * Runs `self` without a deadline: an explicit opt out, for work that must not be cut short once begun.
 *
 * @category combinators
 * @since 0.1.0
 */
export const unbounded = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Current, Option.none())

/**
 * The time that is left, never negative; none without a deadline.
 *
 * @category accessors
 * @since 0.1.0
 */
export const remaining: Effect.Effect<Option.Option<Duration.Duration>> = Effect.withFiber((fiber) =>
  Effect.succeed(Option.map(fiber.getRef(Current), (deadline) => leftOf(deadline, nowOf(fiber))))
)

/**
 * Fails when time is up. For loops that compute without yielding, and before a step that is not worth beginning.
 *
 * @category accessors
 * @since 0.1.0
 */
export const check: Effect.Effect<void, DeadlineExceeded> = Effect.withFiber((fiber) => {
  const current = fiber.getRef(Current)
  return Option.isNone(current) || nowOf(fiber) < current.value.expiresAtNanos
    ? Effect.void
    : missed(current.value, guardFor(current.value, fiber))
})

/**
 * A deadline owned by a `Scope`: what is forked into it is interrupted when time is up, or when the scope closes.
 *
 * It makes a child of the current scope and one timer. At the deadline the timer closes the child: fibers forked with
 * `fork` (or `Effect.forkIn(deadline.scope)`, or `Effect.forkScoped` under `Scope.provide(deadline.scope)`) are
 * interrupted, resources acquired in it are released, newest first. When the current scope closes earlier, timer and
 * child end with it and nothing is reported. A fiber made by `fork` ends as `DeadlineExceeded`, so joining it fails with a
 * type; a fiber made by `Effect.forkIn` ends as interrupted. Forking when time is up gives a fiber that has already failed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scoped = (duration: Duration.Input): Effect.Effect<ScopedDeadline, never, Scope.Scope> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const owner = yield* Effect.scope
    const scope = yield* Scope.fork(owner)
    const { deadline, shared } = yield* Effect.withFiber((fiber) => {
      const deadline = narrow(fiber.getRef(Current), make({ duration, startedAtNanos: nowOf(fiber) }))
      return Effect.succeed({ deadline, shared: guardFor(deadline, fiber) })
    })
    let expired = false
    const fail = missed(deadline, shared)
    yield* Effect.withFiber((fiber) => Effect.sleep(leftInMillis(deadline, nowOf(fiber)))).pipe(
      Effect.interruptible,
      Effect.andThen(Effect.suspend(() => {
        expired = true
        return Effect.flatMap(Effect.exit(fail), (exit) => Scope.close(scope, exit))
      })),
      Effect.forkIn(owner, { startImmediately: true, uninterruptible: true })
    )
    return {
      ...deadline,
      scope,
      fork: <A, E, R>(
        effect: Effect.Effect<A, E, R>,
        options?: { readonly startImmediately?: boolean | undefined }
      ): Effect.Effect<Fiber.Fiber<A, E | DeadlineExceeded>, never, R> => {
        // Without the mask the interruption of the closing scope would win over the typed failure.
        const typed = Effect.uninterruptibleMask((restore) =>
          restore(withCurrent(effect, deadline, shared)).pipe(
            Effect.catchCauseIf((cause) => expired && Cause.hasInterrupts(cause), () => fail)
          )
        )
        return Effect.suspend(() => expired ? Effect.forkIn(fail, owner) : Effect.forkIn(typed, scope, options))
      }
    }
  }))

const shorter = (a: Duration.Input, b: Duration.Input): Duration.Duration =>
  Duration.min(Duration.fromInputUnsafe(a), Duration.fromInputUnsafe(b))

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): bigint => fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()

const leftOf = (deadline: Deadline, now: bigint): Duration.Duration =>
  Duration.nanos(deadline.expiresAtNanos > now ? deadline.expiresAtNanos - now : 0n)

const narrow = (current: Option.Option<Deadline>, wanted: Deadline): Deadline =>
  Option.isSome(current) && current.value.expiresAtNanos <= wanted.expiresAtNanos ? current.value : wanted

const guardFor = (deadline: Deadline, fiber: Fiber.Fiber<unknown, unknown>): Guard => {
  const outer = fiber.getRef(CurrentGuard)
  return outer !== undefined && outer.expiresAtNanos === deadline.expiresAtNanos
    ? outer
    : { expiresAtNanos: deadline.expiresAtNanos, reported: false }
}

const withCurrent = <A, E, R>(self: Effect.Effect<A, E, R>, deadline: Deadline, shared: Guard) =>
  Effect.updateContext(
    self,
    (context: Context.Context<R>): Context.Context<R> =>
      context.pipe(Context.add(Current, Option.some(deadline)), Context.add(CurrentGuard, shared))
  )

// Whole milliseconds, rounded up: timers know no finer unit, and firing early would leave time on the clock.
const leftInMillis = (deadline: Deadline, now: bigint): number =>
  Number((deadline.expiresAtNanos - now + 999_999n) / 1_000_000n)

const guard = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  deadline: Deadline,
  fiber: Fiber.Fiber<unknown, unknown>,
  now: bigint
): Effect.Effect<A, E | DeadlineExceeded, R> => {
  const shared = guardFor(deadline, fiber)
  if (deadline.expiresAtNanos <= now) return missed(deadline, shared)
  return Effect.timeoutOrElse(withCurrent(self, deadline, shared), {
    duration: leftInMillis(deadline, now),
    orElse: () => missed(deadline, shared)
  })
}

const missed = (deadline: Deadline, shared: Guard): Effect.Effect<never, DeadlineExceeded> =>
  Effect.withFiber((fiber) => {
    const budgetMillis = Number(deadline.expiresAtNanos - deadline.startedAtNanos) / 1e6
    const elapsedMillis = Number(nowOf(fiber) - deadline.startedAtNanos) / 1e6
    const recorder = fiber.getRef(Recorder.Current)
    if (recorder !== undefined && !shared.reported) {
      shared.reported = true
      recorder({ _tag: "DeadlineMissed", budgetMillis }, fiber)
    }
    return Effect.fail(new DeadlineExceeded({ budgetMillis, elapsedMillis }))
  })
