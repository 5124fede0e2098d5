/**
 * How many retries and hedges a client may make over all of its calls, so that an outage is not answered with a multiple of
 * the load.
 *
 * One budget is shared by everything that calls the same service. A guard says when a call begins and how each attempt
 * ended, and asks before every further one. There are three kinds, and two constants, {@link unlimited} and {@link none}:
 *
 * | | allows | from |
 * | --- | --- | --- |
 * | {@link ratio} | a share of the calls of the last seconds, and a few a second for those who call seldom | Finagle's `RetryBudget` |
 * | {@link tokens} | retries while more than half of the tokens are there: a failure takes one, a success gives a part of one back | gRPC A6, retry throttling |
 * | {@link concurrency} | a share of what is under way to be retries, and always a few | Envoy's retry budget |
 *
 * With everything failing, `ratio` lets at most 1 + ratio attempts through for each call, and its floor; `tokens` and, where
 * calls do not overlap for long, `concurrency` go towards 1.
 *
 * **Gotchas**
 *
 * - A budget lives in one process. Ten processes have ten.
 * - Only `Effect.retry` with a plain schedule hides successes from it: see {@link credit}.
 * - `concurrency` counts by fiber: a call that was interrupted is forgotten when its fiber ends or begins the next call.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * let attempts = 0
 * const call = Effect.suspend(() => Effect.fail(++attempts))
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* RetryBudget.tokens({ maximum: 10, ratio: 0.1 })
 *   const schedule = RetrySchedule.make({ attempts: 3, delay: 0, budget })
 *   for (let n = 0; n < 100; n++) yield* Effect.exit(Effect.retry(call, schedule))
 * })
 *
 * await Effect.runPromise(program)
 * assert.equal(attempts, 103)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, type Duration, Effect, type Fiber } from "effect"
import { dual } from "effect/Function"
import * as Recorder from "../lifecycle/Recorder.ts"
import { makeBounded } from "./internal/boundedMap.ts"
import { makeSlidingSum } from "./internal/slidingSum.ts"
import { above, between, millisBetween, wholeNumber } from "./InvalidOption.ts"
import type { Outcome } from "./Verdict.ts"

/**
 * How many retries and hedges a client may make, over all of its calls.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudget {
  readonly name: string
  /** A logical call begins. */
  readonly requested: Effect.Effect<void>
  /** An attempt has ended. */
  readonly observed: (outcome: Outcome) => Effect.Effect<void>
  /** Whether one more attempt may be made; `true` has paid for it. Reported as `BudgetSpent` or `BudgetDenied`. */
  readonly tryWithdraw: (kind: "retry" | "hedge") => Effect.Effect<boolean>
  /** What is left, in retries. */
  readonly balance: Effect.Effect<number>
}

interface Core {
  readonly requested?: (fiber: Fiber.Fiber<unknown, unknown>) => void
  readonly observed?: (outcome: Outcome, fiber: Fiber.Fiber<unknown, unknown>) => void
  readonly tryWithdraw: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
  readonly balance: (fiber: Fiber.Fiber<unknown, unknown>) => number
}

const fromCore = (name: string, core: Core): RetryBudget => {
  const { observed, requested } = core
  const inFiber = <A>(f: (fiber: Fiber.Fiber<unknown, unknown>) => A): Effect.Effect<A> =>
    Effect.withFiber((fiber) => Effect.succeed(f(fiber)))
  const withdraw = (kind: "retry" | "hedge") =>
    inFiber((fiber) => {
      const may = core.tryWithdraw(fiber)
      const recorder = fiber.getRef(Recorder.Current)
      if (recorder !== undefined) {
        recorder(
          may ? { _tag: "BudgetSpent", name, kind, left: core.balance(fiber) } : { _tag: "BudgetDenied", name, kind },
          fiber
        )
      }
      return may
    })
  const retry = withdraw("retry")
  const hedge = withdraw("hedge")
  const seen = {
    success: observed === undefined ? Effect.void : inFiber((fiber) => observed("success", fiber)),
    failure: observed === undefined ? Effect.void : inFiber((fiber) => observed("failure", fiber)),
    neutral: observed === undefined ? Effect.void : inFiber((fiber) => observed("neutral", fiber))
  }
  return {
    name,
    requested: requested === undefined ? Effect.void : inFiber(requested),
    observed: (outcome) => seen[outcome],
    tryWithdraw: (kind) => kind === "retry" ? retry : hedge,
    balance: inFiber(core.balance)
  }
}

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): bigint => fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()

/**
 * No limit.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unlimited: RetryBudget = fromCore("unlimited", {
  tryWithdraw: () => true,
  balance: () => Number.POSITIVE_INFINITY
})

/**
 * No retry and no hedge at all.
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: RetryBudget = fromCore("none", { tryWithdraw: () => false, balance: () => 0 })

/**
 * gRPC's retry throttling: a failure takes one token, a success gives `ratio` back, and there are retries only while more
 * than half of the tokens are there. With 10 and 0.1 they stop after five failures, and stay away while more than about one
 * call in eleven fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tokens = (options: {
  readonly name?: string | undefined
  /** Above 0, up to 1000; 10 when absent. */
  readonly maximum?: number | undefined
  /** What a success gives back, from 0.001; 0.1 when absent. Digits after the third do not count. */
  readonly ratio?: number | undefined
} = {}): Effect.Effect<RetryBudget> => {
  const module = "RetryBudget.tokens"
  // In thousandths: sums of 0.1 would drift.
  const maximum = Math.round(above(module, "maximum", options.maximum ?? 10, 0, 1000) * 1000)
  const ratio = Math.floor(between(module, "ratio", options.ratio ?? 0.1, 0.001, 1000) * 1000 + 1e-9)
  return Effect.sync(() => {
    let count = maximum
    return fromCore(options.name ?? "tokens", {
      observed: (outcome) => {
        if (outcome === "failure") count = Math.max(0, count - 1000)
        else if (outcome === "success") count = Math.min(maximum, count + ratio)
      },
      tryWithdraw: () => count > maximum / 2,
      balance: () => Math.max(0, count - maximum / 2) / 1000
    })
  })
}

/**
 * Finagle's budget: each call allows `ratio` retries, for as long as `window`, and beside that there are `minimumPerSecond`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ratio = (options: {
  readonly name?: string | undefined
  /** Retries a call, from 0 to 10; 0.2 when absent. */
  readonly ratio?: number | undefined
  /** From 0; 10 when absent. */
  readonly minimumPerSecond?: number | undefined
  /** From 1 second to 1 hour; 10 seconds when absent. */
  readonly window?: Duration.Input | undefined
} = {}): Effect.Effect<RetryBudget> => {
  const module = "RetryBudget.ratio"
  const share = between(module, "ratio", options.ratio ?? 0.2, 0, 10)
  const minimum = between(module, "minimumPerSecond", options.minimumPerSecond ?? 10, 0, 1_000_000)
  const windowMillis = millisBetween(module, "window", options.window ?? "10 seconds", 1000, 3_600_000)
  const deposit = Math.round(share * 1000)
  const reserve = Math.round(minimum * windowMillis)
  return Effect.sync(() => {
    const sum = makeSlidingSum(windowMillis, 10)
    const left = (fiber: Fiber.Fiber<unknown, unknown>) => sum.total(nowOf(fiber)) + reserve
    return fromCore(options.name ?? "ratio", {
      requested: (fiber) => {
        sum.add(deposit, nowOf(fiber))
      },
      tryWithdraw: (fiber) => {
        if (left(fiber) < 1000) return false
        sum.add(-1000, nowOf(fiber))
        return true
      },
      balance: (fiber) => Math.max(0, left(fiber)) / 1000
    })
  })
}

interface Running {
  primaries: number
  extras: number
}

/**
 * Envoy's budget: of the attempts under way at most the share `ratio` may be retries or hedges, but always `minimum`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const concurrency = (options: {
  readonly name?: string | undefined
  /** From 0 to 1; 0.2 when absent. */
  readonly ratio?: number | undefined
  /** From 0; 3 when absent. */
  readonly minimum?: number | undefined
} = {}): Effect.Effect<RetryBudget> => {
  const module = "RetryBudget.concurrency"
  const share = between(module, "ratio", options.ratio ?? 0.2, 0, 1)
  const minimum = wholeNumber(module, "minimum", options.minimum ?? 3, 0, 1_000_000)
  return Effect.sync(() => {
    const calls = new WeakMap<Fiber.Fiber<unknown, unknown>, Running>()
    let active = 0
    let extras = 0
    const forget = (running: Running) => {
      active -= running.primaries + running.extras
      extras -= running.extras
      running.primaries = 0
      running.extras = 0
    }
    const of = (fiber: Fiber.Fiber<unknown, unknown>): Running => {
      const known = calls.get(fiber)
      if (known !== undefined) return known
      const running: Running = { primaries: 0, extras: 0 }
      calls.set(fiber, running)
      fiber.addObserver(() => forget(running))
      return running
    }
    const allowed = () => Math.max(minimum, Math.floor(share * active + 1e-9))
    return fromCore(options.name ?? "concurrency", {
      requested: (fiber) => {
        const running = of(fiber)
        // What is left of an earlier call of this fiber was interrupted: a fiber makes one call at a time.
        forget(running)
        running.primaries = 1
        active++
      },
      observed: (_outcome, fiber) => {
        const running = of(fiber)
        if (running.primaries > 0) running.primaries--
        else if (running.extras > 0) {
          running.extras--
          extras--
        } else return
        active--
      },
      tryWithdraw: (fiber) => {
        if (extras >= allowed()) return false
        of(fiber).extras++
        extras++
        active++
        return true
      },
      balance: () => Math.max(0, allowed() - extras)
    })
  })
}

/**
 * Tells a budget of each success of `self`. For attempts that a plain schedule repeats, which hears of failures only.
 *
 * @category combinators
 * @since 0.1.0
 */
export const credit: {
  (budget: RetryBudget): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, budget: RetryBudget): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, budget: RetryBudget): Effect.Effect<A, E, R> =>
    Effect.tap(self, () => budget.observed("success"))
)

/**
 * A budget for each key, such as the origin of a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed {
  readonly get: (key: string) => Effect.Effect<RetryBudget>
  /** Never above the maximum. */
  readonly size: Effect.Effect<number>
}

/**
 * A budget for each key, made when the key is first seen. Beyond `maximum` keys (1,000 when absent) the one that was asked
 * for least recently is forgotten, and starts anew when it comes back.
 *
 * @category constructors
 * @since 0.1.0
 */
export const keyed = (options: {
  readonly make: (key: string) => Effect.Effect<RetryBudget>
  readonly maximum?: number | undefined
}): Effect.Effect<Keyed> => {
  const maximum = wholeNumber("RetryBudget.keyed", "maximum", options.maximum ?? 1000, 1, 1_000_000)
  return Effect.sync(() => {
    const budgets = makeBounded<RetryBudget>(maximum)
    return {
      get: (key) =>
        Effect.suspend(() => {
          const known = budgets.get(key)
          if (known !== undefined) return Effect.succeed(known)
          // Somebody else may have made it meanwhile; then theirs has counted already.
          return Effect.map(options.make(key), (made) => budgets.get(key) ?? budgets.set(key, made))
        }),
      size: Effect.sync(() => budgets.size())
    }
  })
}
