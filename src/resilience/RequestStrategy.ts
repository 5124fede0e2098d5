/**
 * How often, when and in what order a request is attempted: once, one attempt after another, or several at once.
 *
 * A strategy is a value that knows nothing of the request. `run` gives it an effect that makes one attempt; it decides with
 * a `Verdict` what each outcome means, and returns the first accepted outcome. Where none is accepted the caller gets the
 * best real one: an answer before an error, an error before a refusal or timeout of our own. {@link single},
 * {@link sequential} and {@link hedged} make attempts; {@link untilDeadline}, {@link byMethod} and {@link orElse} combine
 * strategies; {@link withStrategy} replaces the strategy of one call.
 *
 * Over time: no attempt begins when less than `minimumTime` (5 ms) of the current deadline is left, nor a wait that would
 * not leave that much. The number of attempts never exceeds the configured one, and a `RetryBudget`, shared by retries and
 * hedges, may end it earlier. A request whose method is not idempotent and that has no idempotency key is attempted once.
 * `Attempt.Current` says inside an attempt which one it is.
 *
 * **Gotchas**
 *
 * - A strategy looks at the deadline but does not set one for the whole: put `Deadline.within` around `run`.
 * - The caller goes on when the losers of a hedge are interrupted and finalised. A loser that cannot be interrupted keeps it
 *   waiting.
 * - An attempt that needs a `Scope` gets its own: a loser's is closed with it, the winner's joins the caller's scope. What
 *   has no scope and must be released, such as the body of a rejected response, is what `discard` is for
 *   ({@link discardResponse}). Only a scope is certain when an attempt is interrupted in the moment it ends.
 * - A scope that is empty when its attempt wins is dropped: acquire in the attempt, not later with its captured scope.
 * - Without a `RequestInfo` a strategy cannot know that a request is not idempotent, and repeats it.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Attempt, RequestStrategy } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * const hosts = ["a.internal", "b.internal"]
 * const call = (attempt: Attempt.Attempt) =>
 *   attempt.number === 1
 *     ? Effect.fail(`${hosts[0]} is down`)
 *     : Effect.succeed(`hello from ${hosts[(attempt.number - 1) % hosts.length]}`)
 *
 * const hedged = RequestStrategy.hedged({ attempts: 2, delay: "20 millis" })
 * assert.equal(await Effect.runPromise(hedged.run(call, { method: "GET" })), "hello from b.internal")
 * assert.equal(await Effect.runPromise(Effect.flip(hedged.run(call, { method: "POST" }))), "a.internal is down")
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, type Fiber, Option, Pipeable } from "effect"
import { dual } from "effect/Function"
import type * as Deadline from "../request/Deadline.ts"
import type { Attempt } from "./Attempt.ts"
import { Call, type Leaf, nanos, type Program, type RequestInfo, semantics, whole } from "./internal/strategyCall.ts"
import { fixed, type HedgeDelay, isHedgeDelay, linear } from "./internal/strategyHedgeDelay.ts"
import { hedged as hedgedProgram } from "./internal/strategyHedged.ts"
import * as Programs from "./internal/strategySequential.ts"
import { finiteMillis, wholeNumber } from "./InvalidOption.ts"
import type { RetryBudget } from "./RetryBudget.ts"
import * as RetrySchedule from "./RetrySchedule.ts"
import * as Verdict from "./Verdict.ts"

export type { RequestInfo } from "./internal/strategyCall.ts"
export { discardResponse } from "./internal/strategyDiscard.ts"
export {
  fixed,
  type HedgeDelay,
  type HedgeSample,
  type HedgeStep,
  linear,
  percentile
} from "./internal/strategyHedgeDelay.ts"

/**
 * A strategy as data, for tests, logs and documentation.
 *
 * @category models
 * @since 0.1.0
 */
export interface Description {
  readonly kind: "single" | "sequential" | "hedged" | "untilDeadline" | "byMethod" | "orElse"
  readonly name: string
  /** The most attempts that one call can make. */
  readonly attempts: number
  /** What was configured, defaults included. Times are in milliseconds. */
  readonly options: { readonly [option: string]: string | number | boolean }
  /** The strategies it is made of, by their role. */
  readonly parts: { readonly [role: string]: Description }
}

const TypeId = "~effect-lifecycle/resilience/RequestStrategy"

interface Inner {
  readonly program: Program
  /** Strategies that begin with one attempt in the caller's own fiber. */
  readonly quick?: Programs.Sequential | undefined
  readonly select?: ((request: RequestInfo<never, never> | undefined) => Inner) | undefined
}

/**
 * `A` and `E` are what its classifier can judge; a strategy without a classifier of its own is a
 * `RequestStrategy<unknown, unknown>` and runs everything.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestStrategy<in A = unknown, in E = unknown> extends Pipeable.Pipeable {
  readonly [TypeId]: Inner
  readonly describe: Description
  /** Makes attempts until one is accepted or no further one may be made. */
  readonly run: <A1 extends A, E1 extends E, R1>(
    attempt: (info: Attempt) => Effect.Effect<A1, E1, R1>,
    request?: RequestInfo<A1, E1>
  ) => Effect.Effect<A1, E1 | Deadline.DeadlineExceeded, R1>
}

/**
 * The strategy that replaces the one of the next call; none by default. See {@link withStrategy}.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Option.Option<RequestStrategy>>(
  "effect-lifecycle/resilience/RequestStrategy",
  {
    defaultValue: () => Option.none()
  }
)

/**
 * Options of every strategy that makes attempts.
 *
 * @category options
 * @since 0.1.0
 */
export interface CommonOptions<in A = unknown, in E = unknown> {
  /** In reports. */
  readonly name?: string | undefined
  /** What an outcome means. When absent, the call says so: `Verdict.effect`, or `Verdict.http` in a `ClientStack`. */
  readonly verdict?: Verdict.Classifier<A, E | Deadline.DeadlineExceeded> | undefined
  /** No attempt begins with less time than this; 5 ms when absent. */
  readonly minimumTime?: Duration.Input | undefined
  /** Shared by retries and hedges, and by as many strategies as you like. */
  readonly budget?: RetryBudget | undefined
  /** Repeats requests that are not idempotent and have no key. Only for a server that you know to recognise them. */
  readonly repeatNonIdempotent?: boolean | undefined
}

/**
 * Makes one attempt.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeSingle = <A = unknown, E = unknown>(
  options: Omit<CommonOptions<A, E>, "budget" | "repeatNonIdempotent"> = {}
): RequestStrategy<A, E> => {
  const leaf: Programs.Sequential = {
    ...leafOf("RequestStrategy.single", "single", options),
    attempts: 1,
    split: "pass",
    wait: () => undefined
  }
  return make({ program: Programs.sequential(leaf), quick: leaf }, {
    kind: "single",
    name: leaf.name,
    attempts: 1,
    options: { minimumTime: millisOf(leaf) },
    parts: {}
  })
}

/**
 * One attempt after the other, with a wait between them.
 *
 * `split` shares the time that is left between this attempt and those to come; what one does not use goes to the others.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sequential = <A = unknown, E = unknown>(
  options: CommonOptions<A, E> & RetrySchedule.WaitOptions & {
    /** The first one included; 3 when absent. */
    readonly attempts?: number | undefined
    /** `"pass"` when absent. */
    readonly split?: Deadline.Split | undefined
  } = {}
): RequestStrategy<A, E> => {
  const module = "RequestStrategy.sequential"
  const split = options.split ?? "pass"
  if (typeof split === "object") wholeNumber(module, "split.even", split.even, 2)
  const leaf: Programs.Sequential = {
    ...leafOf(module, "sequential", options),
    attempts: wholeNumber(module, "attempts", options.attempts ?? 3, 1, 10_000),
    split,
    wait: RetrySchedule.nextDelay(options, module)
  }
  return make({ program: Programs.sequential(leaf), quick: leaf }, {
    kind: "sequential",
    name: leaf.name,
    attempts: leaf.attempts,
    options: {
      ...described(leaf),
      split: typeof split === "function" ? "own" : typeof split === "object" ? `even ${split.even}` : split
    },
    parts: {}
  })
}

/**
 * A further attempt whenever those before it are late, or at once when one of them is rejected or fails.
 *
 * The first accepted outcome wins; the other attempts are interrupted and finalised before the caller goes on. The failure
 * or defect of one attempt ends no other. A fatal verdict only means that no further attempt begins.
 *
 * @category constructors
 * @since 0.1.0
 */
export const hedged = <A = unknown, E = unknown>(
  options: CommonOptions<A, E> & {
    /** The first one included; 3 when absent. */
    readonly attempts?: number | undefined
    /** A duration is {@link fixed}; {@link linear} when absent. */
    readonly delay?: Duration.Input | HedgeDelay | undefined
    /** A rejection that asks for more than `maximum` (30 seconds when absent) ends the race. */
    readonly retryAfter?: RetrySchedule.RetryAfterOptions | undefined
  } = {}
): RequestStrategy<A, E> => {
  const module = "RequestStrategy.hedged"
  const leaf = {
    ...leafOf(module, "hedged", options),
    attempts: wholeNumber(module, "attempts", options.attempts ?? 3, 1, 10_000),
    delay: options.delay === undefined ? linear() : isHedgeDelay(options.delay) ? options.delay : fixed(options.delay),
    wait: RetrySchedule.nextDelay({ delay: 0, jitter: RetrySchedule.none, retryAfter: options.retryAfter }, module)
  }
  return make({ program: hedgedProgram(leaf) }, {
    kind: "hedged",
    name: leaf.name,
    attempts: leaf.attempts,
    options: { ...described(leaf), delay: leaf.delay.name },
    parts: {}
  })
}

/**
 * Repeats `base` until an outcome is accepted or the deadline leaves no time for another round.
 *
 * @category combining
 * @since 0.1.0
 */
export const untilDeadline = <A = unknown, E = unknown>(
  base: RequestStrategy<A, E> = single,
  options: Omit<CommonOptions, "verdict"> & RetrySchedule.WaitOptions & {
    /** Over all rounds, also where there is no deadline; 100 when absent. */
    readonly attempts?: number | undefined
  } = {}
): RequestStrategy<A, E> => {
  const module = "RequestStrategy.untilDeadline"
  const attempts = wholeNumber(module, "attempts", options.attempts ?? 100, 1, 10_000)
  const leaf = { ...leafOf(module, "untilDeadline", options), attempts, wait: RetrySchedule.nextDelay(options, module) }
  return make({ program: Programs.repeating(leaf, programOf(base[TypeId])) }, {
    kind: "untilDeadline",
    name: leaf.name,
    attempts,
    options: described(leaf),
    parts: { base: base.describe }
  })
}

/**
 * Chooses by what the request may do: `safe` for GET, HEAD, OPTIONS and TRACE, `idempotent` for PUT, DELETE and everything
 * with an idempotency key, `unsafe` for the rest, methods that nobody knows included.
 *
 * @category combining
 * @since 0.1.0
 */
export const byMethod = <A = unknown, E = unknown>(options: {
  readonly safe: RequestStrategy<A, E>
  /** As `unsafe` when absent. */
  readonly idempotent?: RequestStrategy<A, E> | undefined
  /** {@link single} when absent. */
  readonly unsafe?: RequestStrategy<A, E> | undefined
}): RequestStrategy<A, E> => {
  const unsafe = options.unsafe ?? single
  const parts = { safe: options.safe, idempotent: options.idempotent ?? unsafe, unsafe }
  const select = (request: RequestInfo<never, never> | undefined): Inner =>
    parts[semantics(request) ?? "unsafe"][TypeId]
  return make({ program: (call, limit) => programOf(select(call.request))(call, limit), select }, {
    kind: "byMethod",
    name: "byMethod",
    attempts: Math.max(...Object.values(parts).map((part) => part.describe.attempts)),
    options: {},
    parts: { safe: parts.safe.describe, idempotent: parts.idempotent.describe, unsafe: unsafe.describe }
  })
}

/**
 * Goes on with `that` when every attempt of `self` was rejected. There is no wait between them.
 *
 * @category combining
 * @since 0.1.0
 */
export const orElse: {
  <A2, E2>(that: RequestStrategy<A2, E2>): <A, E>(self: RequestStrategy<A, E>) => RequestStrategy<A & A2, E & E2>
  <A, E, A2, E2>(self: RequestStrategy<A, E>, that: RequestStrategy<A2, E2>): RequestStrategy<A & A2, E & E2>
} = dual(
  2,
  <A, E, A2, E2>(self: RequestStrategy<A, E>, that: RequestStrategy<A2, E2>): RequestStrategy<A & A2, E & E2> => {
    return make({ program: Programs.either(programOf(self[TypeId]), programOf(that[TypeId])) }, {
      kind: "orElse",
      name: "orElse",
      attempts: self.describe.attempts + that.describe.attempts,
      options: {},
      parts: { first: self.describe, second: that.describe }
    })
  }
)

/**
 * Runs the calls in `self` with `strategy` instead of their own. It does not reach what their attempts call in turn.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withStrategy: {
  (strategy: RequestStrategy): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, strategy: RequestStrategy): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, strategy: RequestStrategy): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Current, Option.some(strategy))
)

const make = <A, E>(inner: Inner, describe: Description): RequestStrategy<A, E> => ({
  [TypeId]: inner,
  describe,
  run: (attempt, request) => Effect.withFiber((fiber) => start(inner, fiber, attempt, request)),
  pipe() {
    return Pipeable.pipeArguments(this, arguments)
  }
})

const start = <A, E, R>(
  own: Inner,
  fiber: Fiber.Fiber<unknown, unknown>,
  attempt: (info: Attempt) => Effect.Effect<A, E, R>,
  request: RequestInfo<A, E> | undefined
): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> => {
  const override = fiber.getRef(Current)
  let inner = Option.isSome(override) ? override.value[TypeId] : own
  while (inner.select !== undefined) inner = inner.select(request)
  const call = new Call({
    fiber,
    attempt,
    request,
    verdict: Verdict.effect,
    forget: Option.isSome(override) ? Context.add(Current, Option.none()) : undefined
  })
  const leaf = inner.quick
  return leaf !== undefined && leaf.budget === undefined && call.isPlain
    ? Programs.quickly(call, leaf, inner.program)
    : whole(call, inner.program)
}

const programOf = (inner: Inner): Program => inner.program

const leafOf = <A, E>(module: string, name: string, options: CommonOptions<A, E>): Leaf => ({
  name: options.name ?? name,
  minimumNanos: nanos(finiteMillis(module, "minimumTime", options.minimumTime ?? 5)),
  verdict: options.verdict,
  budget: options.budget,
  repeatNonIdempotent: options.repeatNonIdempotent ?? false
})

const millisOf = (leaf: Leaf): number => Number(leaf.minimumNanos) / 1e6

const described = (leaf: Leaf): Description["options"] => ({
  minimumTime: millisOf(leaf),
  repeatNonIdempotent: leaf.repeatNonIdempotent,
  ...(leaf.budget === undefined ? {} : { budget: leaf.budget.name })
})

/**
 * One attempt, with the defaults of {@link makeSingle}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const single: RequestStrategy = makeSingle()
