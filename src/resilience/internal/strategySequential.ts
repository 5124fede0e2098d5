/**
 * One attempt after the other; and what is built from whole strategies: again until time is up, and one after another.
 */
import { Duration, Effect, Exit } from "effect"
import * as Deadline from "../../request/Deadline.ts"
import type { NextDelay } from "../RetrySchedule.ts"
import { type Call, type Ended, type Leaf, type Program, type Settled, whole } from "./strategyCall.ts"

export interface Sequential extends Leaf {
  readonly attempts: number
  readonly split: Deadline.Split
  readonly wait: NextDelay
}

/** The share of the time left that attempt `index` (from 1) of this strategy gets; `undefined` is all of it. */
export const shareOf = <A, E, R>(
  call: Call<A, E, R>,
  leaf: Sequential,
  index: number,
  now: bigint
): bigint | undefined => {
  const remaining = call.remainingNanos(now)
  if (remaining === undefined || leaf.split === "pass") return undefined
  const share = Deadline.split(leaf.split)(Duration.nanos(remaining), index, leaf.attempts)
  const nanos = Duration.toNanosUnsafe(share)
  return nanos < 0n ? 0n : nanos
}

/** One attempt from its beginning to its verdict; `undefined` when there is no time for it. */
export const attemptOnce = Effect.fnUntraced(function*<A, E, R>(call: Call<A, E, R>, leaf: Sequential, index: number) {
  const ready = call.ready
  if (ready !== undefined) {
    call.ready = undefined
    return ready
  }
  if (!call.hasTime(0, leaf.minimumNanos)) return undefined
  const now = call.now()
  const bound = call.bound(leaf, shareOf(call, leaf, index, now), now)
  const begun = call.begin(call.made === 0 ? "primary" : "retry", bound !== undefined)
  const exit = yield* Effect.exit(call.restore(call.effectOf(begun, bound)))
  const settled = call.settle(leaf, exit, begun)
  const interrupted = settled.rank === 0 && (yield* Effect.exit(call.checkInterrupt))._tag === "Failure"
  call.report(leaf, begun, interrupted ? "interrupted" : lower[settled.verdict._tag])
  yield* call.observed(settled.verdict)
  if (interrupted) {
    yield* call.release(exit, begun.scope)
    yield* call.checkInterrupt
  }
  return settled
})

const lower = { Accept: "accept", Reject: "reject", Fatal: "fatal" } as const

const ended = (settled: Settled<unknown, unknown>): Ended | undefined =>
  settled.verdict._tag === "Accept" ? "accepted" : settled.verdict._tag === "Fatal" ? "stopped" : undefined

const retryAfterOf = (settled: Settled<unknown, unknown>): Duration.Duration | undefined =>
  settled.verdict._tag === "Reject" ? settled.verdict.retryAfter : undefined

/** Waits before retry number `retry`; `undefined` when there is no next attempt. */
const pause = Effect.fnUntraced(function*<A, E, R>(
  call: Call<A, E, R>,
  leaf: Leaf,
  wait: NextDelay,
  retry: number,
  previousMillis: number,
  retryAfter: Duration.Duration | undefined
) {
  if (!call.mayRepeat(leaf)) return undefined
  const chosen = wait(retry, { previousMillis, nowNanos: call.now(), random: call.random() }, retryAfter)
  if (chosen === undefined) return undefined
  // Without the jitter that was added to what was asked for, it may still fit.
  const millis = retryAfter === undefined || call.hasTime(chosen, leaf.minimumNanos)
    ? chosen
    : Duration.toMillis(retryAfter)
  if (!call.hasTime(millis, leaf.minimumNanos)) return undefined
  if (!(yield* call.pay(leaf, "retry"))) return undefined
  call.reportDelay(leaf, retry, millis)
  yield* call.restore(Effect.sleep(millis))
  return millis
})

export const sequential = (leaf: Sequential): Program =>
  Effect.fnUntraced(function*(call, limit) {
    yield* call.enter(leaf)
    let previousMillis = 0
    for (let index = 1;; index++) {
      if (call.made >= limit) return "exhausted"
      if (index === 1 && call.ready === undefined) {
        if (call.made > 0 && !call.mayRepeat(leaf)) return "stopped"
        if (!(yield* call.pay(leaf, "retry"))) return "stopped"
      }
      const settled = yield* attemptOnce(call, leaf, index)
      if (settled === undefined) return "stopped"
      yield* call.keep(settled, "last")
      const end = ended(settled)
      if (end !== undefined) return end
      if (index >= leaf.attempts || call.made >= limit) return "exhausted"
      const millis = yield* pause(call, leaf, leaf.wait, index, previousMillis, retryAfterOf(settled))
      if (millis === undefined) return "stopped"
      previousMillis = millis
    }
  })

export interface Repeating extends Leaf {
  readonly attempts: number
  readonly wait: NextDelay
}

/** `base` again and again: until an outcome is accepted or fatal, time is up, or the attempts are used. */
export const repeating = (leaf: Repeating, base: Program): Program =>
  Effect.fnUntraced(function*(call, limit) {
    yield* call.enter(leaf)
    const last = Math.min(limit, call.made + leaf.attempts)
    let previousMillis = 0
    for (let round = 1;; round++) {
      const before = call.made
      const end = yield* base(call, last)
      if (end !== "exhausted" || call.made === before) return end
      if (call.made >= last) return "exhausted"
      const held = call.held
      const retryAfter = held === undefined ? undefined : retryAfterOf(held)
      const millis = yield* pause(call, leaf, leaf.wait, round, previousMillis, retryAfter)
      if (millis === undefined) return "stopped"
      call.paid = leaf.budget !== undefined
      previousMillis = millis
    }
  })

/** `second` where every attempt of `first` was rejected. */
export const either = (first: Program, second: Program): Program => (call, limit) =>
  Effect.filterOrElse(first(call, limit), (end) => end !== "exhausted", () => second(call, limit))

/**
 * The first attempt without the masks and the bookkeeping of `whole`, for calls that hold nothing; the rest, if there is
 * one, by `program`.
 */
export const quickly = <A, E, R>(
  call: Call<A, E, R>,
  leaf: Sequential,
  program: Program
): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> => {
  if (!call.hasTime(0, leaf.minimumNanos)) return call.outOfTime()
  const share = shareOf(call, leaf, 1, call.startedAtNanos)
  const bound = call.bound(leaf, share, call.startedAtNanos)
  const begun = call.begin("primary", bound !== undefined)
  const after = (exit: Exit.Exit<A, E | Deadline.DeadlineExceeded>) => {
    const settled = call.settle(leaf, exit, begun)
    if (settled.verdict._tag !== "Reject" || leaf.attempts === 1) return settled.exit
    call.ready = settled
    return whole(call, program)
  }
  return Effect.matchCauseEffect(call.effectOf(begun, bound), {
    onSuccess: (value) => after(Exit.succeed(value)),
    onFailure: (cause) => after(Exit.failCause(cause))
  })
}
