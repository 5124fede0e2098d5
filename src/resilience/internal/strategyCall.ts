/**
 * One logical call while a strategy works on it: which attempts were made, what is the best outcome so far, and who has to
 * be released when it is replaced.
 */
import { Cause, Clock, Context, Effect, Exit, type Fiber, Option, Predicate, Random, Scope } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as Deadline from "../../request/Deadline.ts"
import * as Attempt from "../Attempt.ts"
import type { RetryBudget } from "../RetryBudget.ts"
import * as Verdict from "../Verdict.ts"

/**
 * What a strategy may know about the request that it repeats. Everything is optional.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestInfo<in A = unknown, in E = unknown> {
  /** As on the wire: `GET`. Decides whether the request may be repeated, and the choice of {@link byMethod}. */
  readonly method?: string | undefined
  /** The request carries an idempotency key, so repeating it is safe whatever its method. */
  readonly hasIdempotencyKey?: boolean | undefined
  /** Whether repeating it is safe; stronger than what method and key say. */
  readonly idempotent?: boolean | undefined
  /** Requests that take about the same time share a key, such as a method and route; for percentile delays. */
  readonly key?: string | undefined
  /** For strategies that name no classifier of their own. `Verdict.effect` when absent. */
  readonly verdict?: Verdict.Classifier<A, E | Deadline.DeadlineExceeded> | undefined
  /** Releases a value that the caller will not see. It cannot fail the call. */
  readonly discard?: ((value: A) => Effect.Effect<void>) | undefined
  /**
   * Attempts end at `Deadline.Current` by themselves, so a strategy that gives an attempt a share of the time only sets it
   * and does not interrupt: a breaker inside then hears of the timeout.
   */
  readonly endsAtDeadline?: boolean | undefined
}

/** What every strategy of one attempt or more has. */
export interface Leaf {
  readonly name: string
  readonly minimumNanos: bigint
  readonly verdict: Verdict.Classifier<never, never> | undefined
  readonly budget: RetryBudget | undefined
  readonly repeatNonIdempotent: boolean
}

export interface Settled<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly verdict: Verdict.Verdict
  readonly rank: number
  readonly scope: Scope.Closeable | undefined
  /** Where the classifier threw: what it threw over, which nobody will see. */
  readonly lost?: Exit.Exit<A, E> | undefined
}

/**
 * `exhausted`: every attempt was rejected and a further strategy may go on. `stopped`: nobody may, because the outcome is
 * fatal, or time, budget or the request itself forbid it.
 */
export type Ended = "accepted" | "exhausted" | "stopped"

/** A strategy as it runs: at most until attempt number `limit` of the call. */
export type Program = <A, E, R>(call: Call<A, E, R>, limit: number) => Effect.Effect<Ended, never, R>

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export interface Begun {
  readonly info: Attempt.Attempt
  readonly startNanos: bigint
  readonly scope: Scope.Closeable | undefined
  /** The attempt has a deadline of its own, before that of the call. */
  readonly bounded: boolean
}

const idempotentMethods: ReadonlySet<string> = new Set(["PUT", "DELETE"])
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

/** `undefined` where the caller said nothing that tells. */
export const semantics = (
  request: RequestInfo<never, never> | undefined
): "safe" | "idempotent" | "unsafe" | undefined => {
  if (request === undefined) return undefined
  if (request.idempotent === false) return "unsafe"
  if (request.method !== undefined && safeMethods.has(request.method)) return "safe"
  if (request.idempotent === true || request.hasIdempotencyKey === true) return "idempotent"
  if (request.method === undefined) return undefined
  return idempotentMethods.has(request.method) ? "idempotent" : "unsafe"
}

// A timeout is as little an outcome of the other side as a refusal.
const isOurs = (error: unknown): boolean =>
  Verdict.isRefusal(error) || Predicate.isTagged(error, "DeadlineExceeded") || Cause.isTimeoutError(error)

// An answer is better than an error, an error better than a refusal of our own: it tells more about the other side.
const rankOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (exit._tag === "Success") return 3
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isSome(error)) return isOurs(error.value) ? 1 : 2
  return Cause.hasDies(exit.cause) ? 2 : 0
}

const isTimeout = (exit: Exit.Exit<unknown, unknown>): boolean => {
  if (exit._tag === "Success") return false
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) && Predicate.isTagged(error.value, "DeadlineExceeded")
}

/** A real outcome: not a refusal or a timeout of our own. */
export const isReal = (settled: Settled<unknown, unknown> | undefined): boolean =>
  settled !== undefined && settled.rank >= 2

export class Call<A, E, R> {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly attempt: (info: Attempt.Attempt) => Effect.Effect<A, E, R>
  readonly request: RequestInfo<A, E> | undefined
  readonly forget: (<R>(context: Context.Context<R>) => Context.Context<R>) | undefined
  readonly fallbackVerdict: Verdict.Classifier<A, E | Deadline.DeadlineExceeded>
  readonly clock: Clock.Clock
  readonly deadline: Deadline.Deadline | undefined
  readonly ambient: Scope.Scope | undefined
  readonly startedAtNanos: bigint
  restore: Restore = (effect) => effect
  made = 0
  held: Settled<A, E | Deadline.DeadlineExceeded> | undefined = undefined
  /** The first attempt, when it was made before its program began. */
  ready: Settled<A, E | Deadline.DeadlineExceeded> | undefined = undefined
  /** A composing strategy has paid for the next attempt. */
  paid = false
  readonly budgets: Array<RetryBudget> = []

  constructor(options: {
    readonly fiber: Fiber.Fiber<unknown, unknown>
    readonly attempt: (info: Attempt.Attempt) => Effect.Effect<A, E, R>
    readonly request: RequestInfo<A, E> | undefined
    readonly verdict: Verdict.Classifier<unknown, unknown>
    readonly forget: (<R>(context: Context.Context<R>) => Context.Context<R>) | undefined
  }) {
    this.fiber = options.fiber
    this.attempt = options.attempt
    this.request = options.request
    this.forget = options.forget
    this.fallbackVerdict = options.request?.verdict ?? options.verdict
    this.clock = options.fiber.getRef(Clock.Clock)
    this.deadline = Option.getOrUndefined(options.fiber.getRef(Deadline.Current))
    this.ambient = Option.getOrUndefined(Context.getOption(options.fiber.context, Scope.Scope))
    this.startedAtNanos = this.clock.monotonicTimeNanosUnsafe()
  }

  /** Nothing would be lost if this call ended between two steps. */
  get isPlain(): boolean {
    return this.ambient === undefined && this.request?.discard === undefined &&
      this.fiber.getRef(Recorder.Current) === undefined
  }

  now(): bigint {
    return this.clock.monotonicTimeNanosUnsafe()
  }

  random(): number {
    return this.fiber.getRef(Random.Random).nextDoubleUnsafe()
  }

  remainingNanos(now: bigint): bigint | undefined {
    return this.deadline === undefined ? undefined : this.deadline.expiresAtNanos - now
  }

  /** Whether an attempt that begins in `millis` would have at least `minimumNanos`. */
  hasTime(millis: number, minimumNanos: bigint): boolean {
    const remaining = this.remainingNanos(this.now())
    return remaining === undefined || (remaining > 0n && remaining - nanos(millis) >= minimumNanos)
  }

  mayRepeat(leaf: Leaf): boolean {
    return leaf.repeatNonIdempotent || semantics(this.request) !== "unsafe"
  }

  /** The deadline of the next attempt, where it is earlier than that of the call. */
  bound(leaf: Leaf, shareNanos: bigint | undefined, now: bigint): Deadline.Deadline | undefined {
    if (this.deadline === undefined) return undefined
    const { expiresAtNanos, origin } = this.deadline
    // Time to return the answer that is there already, should this attempt not come back.
    const latest = isReal(this.held) ? expiresAtNanos - leaf.minimumNanos : expiresAtNanos
    const wanted = shareNanos === undefined ? latest : now + shareNanos
    const end = wanted < latest ? wanted : latest
    return end < expiresAtNanos ? { expiresAtNanos: end, startedAtNanos: now, origin } : undefined
  }

  begin(kind: Attempt.Attempt["kind"], bounded: boolean): Begun {
    const startNanos = this.made === 0 ? this.startedAtNanos : this.now()
    const info: Attempt.Attempt = {
      number: ++this.made,
      kind,
      startedAtNanos: this.startedAtNanos,
      elapsedMillis: Number(startNanos - this.startedAtNanos) / 1e6
    }
    return { info, startNanos, scope: this.ambient === undefined ? undefined : Scope.makeUnsafe(), bounded }
  }

  /** The attempt with everything that is ambient in it. */
  effectOf(begun: Begun, bound: Deadline.Deadline | undefined): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> {
    const attempt = Effect.suspend(() => this.attempt(begun.info))
    const bounded = bound === undefined
      ? attempt
      : this.request?.endsAtDeadline === true
      ? Effect.provideService(attempt, Deadline.Current, Option.some(bound))
      : Deadline.at(attempt, bound)
    return Effect.updateContext(bounded, (context: Context.Context<R>): Context.Context<R> => {
      let inner = Context.add(context, Attempt.Current, Option.some(begun.info))
      if (this.forget !== undefined) inner = this.forget(inner)
      return begun.scope === undefined ? inner : Context.add(inner, Scope.Scope, begun.scope)
    })
  }

  classify(leaf: Leaf, exit: Exit.Exit<A, E | Deadline.DeadlineExceeded>, begun: Begun): Verdict.Verdict {
    if (exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause)) return Verdict.fatal("neutral")
    // The time of this attempt was up, not that of the call.
    if (begun.bounded && isTimeout(exit)) return Verdict.reject()
    // A strategy's own classifier was checked against the call's types where the two met, in `run`.
    const verdict = (leaf.verdict ?? this.fallbackVerdict) as Verdict.Classifier<A, E | Deadline.DeadlineExceeded>
    return verdict(exit, begun.info)
  }

  /** What the attempt came to. A classifier that throws makes it a defect. */
  settle(
    leaf: Leaf,
    exit: Exit.Exit<A, E | Deadline.DeadlineExceeded>,
    begun: Begun
  ): Settled<A, E | Deadline.DeadlineExceeded> {
    try {
      return { exit, verdict: this.classify(leaf, exit, begun), rank: rankOf(exit), scope: begun.scope }
    } catch (defect) {
      const died: Exit.Exit<A, E> = Exit.die(defect)
      return { exit: died, verdict: Verdict.fatal("failure"), rank: 2, scope: begun.scope, lost: exit }
    }
  }

  report(leaf: Leaf, begun: Begun, verdict: "accept" | "reject" | "fatal" | "interrupted"): void {
    const recorder = this.fiber.getRef(Recorder.Current)
    if (recorder === undefined) return
    recorder({
      _tag: "AttemptEnded",
      name: leaf.name,
      attempt: begun.info.number,
      kind: begun.info.kind,
      verdict,
      startNanos: begun.startNanos,
      endNanos: this.now()
    }, this.fiber)
  }

  reportDelay(leaf: Leaf, retry: number, delayMillis: number): void {
    this.fiber.getRef(Recorder.Current)?.({ _tag: "RetryDelayed", name: leaf.name, retry, delayMillis }, this.fiber)
  }

  /** Tells a budget once that the call has begun. */
  enter(leaf: Leaf): Effect.Effect<void> {
    const budget = leaf.budget
    if (budget === undefined || this.budgets.includes(budget)) return Effect.void
    this.budgets.push(budget)
    return budget.requested
  }

  /** Whether the next attempt is paid for, unless it is the first of the call. */
  pay(leaf: Leaf, kind: "retry" | "hedge"): Effect.Effect<boolean> {
    if (this.made === 0 || this.paid || leaf.budget === undefined) {
      this.paid = false
      return Effect.succeed(true)
    }
    return leaf.budget.tryWithdraw(kind)
  }

  observed(verdict: Verdict.Verdict): Effect.Effect<void> {
    if (this.budgets.length === 0) return Effect.void
    const outcome = Verdict.outcome(verdict)
    return Effect.forEach(this.budgets, (budget) => budget.observed(outcome), { discard: true })
  }

  /** Makes `settled` the result, or the older outcome when that is better; the other one is released. */
  keep(
    settled: Settled<A, E | Deadline.DeadlineExceeded>,
    preferred: "first" | "last"
  ): Effect.Effect<void> {
    const held = this.held
    if (
      held === undefined || settled.verdict._tag === "Accept" || settled.rank > held.rank ||
      (settled.rank === held.rank && preferred === "last")
    ) {
      this.held = settled
      return held === undefined ? Effect.void : this.drop(held)
    }
    return this.drop(settled)
  }

  drop(settled: Settled<A, E | Deadline.DeadlineExceeded>): Effect.Effect<void> {
    return this.release(settled.lost ?? settled.exit, settled.scope)
  }

  /** Lets go of an outcome that nobody will see. */
  release(exit: Exit.Exit<A, unknown>, scope: Scope.Closeable | undefined): Effect.Effect<void> {
    const discard = this.request?.discard
    const closed = scope === undefined ? Effect.void : Effect.ignoreCause(Scope.close(scope, exit))
    if (discard === undefined || exit._tag === "Failure") return closed
    return Effect.andThen(Effect.ignoreCause(Effect.suspend(() => discard(exit.value))), closed)
  }

  releaseHeld(): Effect.Effect<void> {
    const held = this.held ?? this.ready
    this.held = undefined
    this.ready = undefined
    return held === undefined ? Effect.void : this.drop(held)
  }

  /** Fails where the fiber was interrupted meanwhile. */
  get checkInterrupt(): Effect.Effect<void> {
    return this.restore(Effect.void)
  }

  /** Gives the result to the caller, and what it still needs to the caller's scope. */
  finish(): Effect.Effect<A, E | Deadline.DeadlineExceeded> {
    const held = this.held
    if (held === undefined) return this.outOfTime()
    const { exit, scope } = held
    const done: Effect.Effect<A, E | Deadline.DeadlineExceeded> = exit
    if (held.lost !== undefined) return Effect.andThen(this.releaseHeld(), done)
    if (scope === undefined && this.request?.discard === undefined) return done
    return Effect.andThen(this.checkInterrupt, () => {
      this.held = undefined
      if (scope === undefined || this.ambient === undefined || scope.state._tag !== "Open") return done
      return Effect.andThen(Scope.addFinalizerExit(this.ambient, (end) => Scope.close(scope, end)), done)
    })
  }

  /** No attempt could be made. */
  outOfTime(): Effect.Effect<never, Deadline.DeadlineExceeded> {
    const startedAtNanos = this.deadline?.startedAtNanos ?? this.startedAtNanos
    const budgetMillis = Number((this.deadline?.expiresAtNanos ?? this.startedAtNanos) - startedAtNanos) / 1e6
    this.fiber.getRef(Recorder.Current)?.({ _tag: "DeadlineMissed", budgetMillis }, this.fiber)
    return Effect.fail(
      new Deadline.DeadlineExceeded({
        budgetMillis,
        elapsedMillis: Number(this.now() - startedAtNanos) / 1e6
      })
    )
  }
}

export const nanos = (millis: number): bigint => BigInt(Math.ceil(millis * 1e6))

/** Runs `program` to its end, and releases whatever its result leaves over. */
export const whole = <A, E, R>(
  call: Call<A, E, R>,
  program: Program
): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> =>
  Effect.uninterruptibleMask((restore) => {
    call.restore = restore
    return Effect.onError(
      Effect.flatMap(program(call, Number.POSITIVE_INFINITY), () => call.finish()),
      () => call.releaseHeld()
    )
  })
