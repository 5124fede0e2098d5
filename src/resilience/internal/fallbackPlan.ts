import { Cause, Effect, ExecutionPlan, Exit, Stream } from "effect"
import { dual } from "effect/Function"
import { type Broken, checkMode, Delivery } from "./fallbackDelivery.ts"
import { type On, type Policy, shouldFallback } from "./fallbackPolicy.ts"
import { Stopped, unstop } from "./fallbackStopped.ts"
import { both, decide, nameOf, report } from "./fallbackSwitch.ts"

/**
 * A plan has moved to a later step.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepSwitched<out E> {
  readonly name: string
  /** From 0. */
  readonly stepIndex: number
  /** Why the step before was left. */
  readonly cause: Cause.Cause<E>
}

/**
 * When a plan goes on, and who is told.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlanOptions<E, PlanE, R2> {
  /** The name in reports; `"fallback"` when absent. */
  readonly name?: string | undefined
  /**
   * Which failures are worth another attempt or another step; any typed failure when absent. Defects always end the plan,
   * and a step whose layer cannot be built is always left.
   */
  readonly on?:
    | Exclude<On<NoInfer<E>>, Policy<NoInfer<E>>>
    | Omit<Policy<NoInfer<E>>, "defects">
    | undefined
  /** Runs before the first attempt of a later step. */
  readonly onSwitch?:
    | ((switched: StepSwitched<NoInfer<E> | NoInfer<PlanE>>) => Effect.Effect<unknown, never, R2>)
    | undefined
}

type Plan<Provides, Input, PlanE, PlanR> = ExecutionPlan.ExecutionPlan<{
  provides: Provides
  input: Input
  error: PlanE
  requirements: PlanR
}>

/**
 * Runs an effect with the steps of an `ExecutionPlan`, in order, until one succeeds. When all fail, the last cause of each
 * step survives.
 *
 * @category combinators
 * @since 0.1.0
 */
export const plan: {
  <E extends Input, Provides, Input, PlanE, PlanR, R2 = never>(
    executionPlan: Plan<Provides, Input, PlanE, PlanR>,
    options?: PlanOptions<E, PlanE, R2>
  ): <A, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PlanE, Exclude<R | R2, Provides> | PlanR>
  <A, E extends Input, R, Provides, Input, PlanE, PlanR, R2 = never>(
    self: Effect.Effect<A, E, R>,
    executionPlan: Plan<Provides, Input, PlanE, PlanR>,
    options?: PlanOptions<E, PlanE, R2>
  ): Effect.Effect<A, E | PlanE, Exclude<R | R2, Provides> | PlanR>
} = dual((args) => Effect.isEffect(args[0]), <A, E extends Input, R, Provides, Input, PlanE, PlanR, R2>(
  self: Effect.Effect<A, E, R>,
  executionPlan: Plan<Provides, Input, PlanE, PlanR>,
  options: PlanOptions<E, PlanE, R2> = {}
): Effect.Effect<A, E | PlanE, Exclude<R | R2, Provides> | PlanR> => {
  const name = nameOf("Fallback.plan", options.name, undefined)
  const policy = shouldFallback<E>(options.on)
  return Effect.suspend(() => {
    const steps = new Steps<E | PlanE>()
    const attempt = Effect.andThen(steps.enter(name, options.onSwitch), self)
    const guarded = Effect.matchCauseEffect(attempt, {
      onSuccess: (a) => Effect.succeed(Exit.succeed(a)),
      onFailure: (cause): Effect.Effect<Exit.Exit<never, E>, E> => {
        const decision = decide(cause, policy)
        return decision === true ? Effect.failCause(cause) : Effect.succeed(Exit.failCause(decision))
      }
    })
    return Effect.withExecutionPlan(guarded, executionPlan, { onEvent: steps.note }).pipe(
      Effect.flatten,
      Effect.catchCause((cause) => Effect.failCause(steps.all(cause)))
    )
  })
})

/**
 * What happens to items that were delivered when an attempt or a step of a plan breaks. They are those of `Mode`, except
 * that a plan has one stream for all its steps, so to resume it must be told what that stream is after a break.
 *
 * @category models
 * @since 0.1.0
 */
export type PlanMode<A, E, PlanE = never, R = never, K = unknown> =
  | "fail"
  | "restart"
  | { readonly dedupeBy: (item: A) => K }
  | {
    readonly resume: (broken: Broken<A, E | PlanE, K>) => Stream.Stream<A, E, R>
    /** Names the item that `broken.lastKey` is the key of. */
    readonly key?: ((item: A) => K) | undefined
  }

/**
 * As {@link PlanOptions}, with what happens to items that were delivered.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlanStreamOptions<A, E, K, PlanE, R2, R3> extends PlanOptions<E, PlanE, R2> {
  /** What happens to items that were delivered, at a new step and at a new attempt in the same step alike. */
  readonly mode: PlanMode<A, E, NoInfer<PlanE>, R3, K>
}

/**
 * Runs a stream with the steps of an `ExecutionPlan`, in order, until one completes. `Stream.withExecutionPlan` repeats items
 * when it retries inside a step; this does not, in any mode but `"restart"`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const planStream: {
  <A, E extends Input, Provides, Input, PlanE, PlanR, K = unknown, R2 = never, R3 = never>(
    executionPlan: Plan<Provides, Input, PlanE, PlanR>,
    options: PlanStreamOptions<A, E, K, PlanE, R2, R3>
  ): <R>(
    self: Stream.Stream<A, E, R>
  ) => Stream.Stream<A, E | PlanE, Exclude<R | R2 | R3, Provides> | PlanR>
  <A, E extends Input, R, Provides, Input, PlanE, PlanR, K = unknown, R2 = never, R3 = never>(
    self: Stream.Stream<A, E, R>,
    executionPlan: Plan<Provides, Input, PlanE, PlanR>,
    options: PlanStreamOptions<A, E, K, PlanE, R2, R3>
  ): Stream.Stream<A, E | PlanE, Exclude<R | R2 | R3, Provides> | PlanR>
} = dual(3, <A, E extends Input, R, Provides, Input, PlanE, PlanR, K, R2, R3>(
  self: Stream.Stream<A, E, R>,
  executionPlan: Plan<Provides, Input, PlanE, PlanR>,
  options: PlanStreamOptions<A, E, K, PlanE, R2, R3>
): Stream.Stream<A, E | PlanE, Exclude<R | R2 | R3, Provides> | PlanR> => {
  const { mode } = options
  checkMode("Fallback.planStream", mode, ["fail", "restart"], ["dedupeBy", "resume"])
  const name = nameOf("Fallback.planStream", options.name, undefined)
  const policy = shouldFallback<E>(options.on)
  const resume = typeof mode === "object" && "resume" in mode ? mode.resume : undefined
  return Stream.suspend(() => {
    const delivery = new Delivery<A, K>(
      typeof mode === "string" || "dedupeBy" in mode ? mode : mode.key === undefined ? "resume" : { resumeBy: mode.key }
    )
    const steps = new Steps<E | PlanE>()
    const attempt = Effect.map(steps.enter(name, options.onSwitch), (): Stream.Stream<A, E, R | R3> => {
      if (steps.last !== undefined) delivery.left = steps.all(steps.last)
      return resume !== undefined && steps.last !== undefined && delivery.delivered > 0
        ? resume(delivery.broken(steps.last))
        : self
    })
    const guarded = Stream.catchCause(Stream.unwrap(attempt), (cause): Stream.Stream<Stopped<E>, E> => {
      const decision = mode === "fail" && delivery.delivered > 0 ? cause : decide(cause, policy)
      return decision === true ? Stream.failCause(cause) : Stream.succeed(new Stopped(decision))
    })
    const whole = Stream.withExecutionPlan(guarded, executionPlan, { onEvent: steps.note }).pipe(
      unstop,
      Stream.catchCause((cause) => Stream.failCause(steps.all(cause)))
    )
    return delivery.watch<never, E | PlanE, Exclude<R | R2 | R3, Provides> | PlanR>(whole)
  })
})

/** What has happened in one run of a plan. */
class Steps<E> {
  /** The last cause, of whatever step. */
  last: Cause.Cause<E> | undefined = undefined
  private readonly causes = new Map<number, Cause.Cause<E>>()
  private entered = 0

  readonly note = (event: ExecutionPlan.Event<E>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (event._tag !== "AttemptFailure") return
      this.last = event.cause
      this.causes.set(event.stepIndex, event.cause)
    })

  /** Stands before each attempt, inside the step's own services. */
  enter<R>(name: string, onSwitch: ((switched: StepSwitched<E>) => Effect.Effect<unknown, never, R>) | undefined) {
    return Effect.gen({ self: this }, function*(): Effect.fn.Return<void, never, R> {
      const { stepIndex } = yield* ExecutionPlan.CurrentMetadata
      const cause = this.last
      if (stepIndex <= this.entered || cause === undefined) return
      this.entered = stepIndex
      yield* report(name, cause)
      if (onSwitch !== undefined) yield* onSwitch({ name, stepIndex, cause })
    })
  }

  /** The last cause of every step, in order, and then this one, unless it is the last of them told once more. */
  all(cause: Cause.Cause<E>): Cause.Cause<E> {
    let all: Cause.Cause<E> = Cause.empty
    for (const one of this.causes.values()) all = both(all, one)
    return this.last !== undefined && cause.reasons.every((reason) => isIn(reason, this.last)) ? all : both(all, cause)
  }
}

const isIn = (reason: Cause.Reason<unknown>, cause: Cause.Cause<unknown> | undefined): boolean =>
  cause !== undefined &&
  cause.reasons.some((one) =>
    Cause.isFailReason(one) && Cause.isFailReason(reason) ? one.error === reason.error : one === reason
  )
