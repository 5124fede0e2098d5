/**
 * Several attempts at once: the next one begins when the ones before are late, or as soon as one of them has failed.
 */
import { Cause, type Duration, Effect, type Exit, Fiber } from "effect"
import type { DeadlineExceeded } from "../../request/Deadline.ts"
import type * as Attempt from "../Attempt.ts"
import type { NextDelay } from "../RetrySchedule.ts"
import * as Verdict from "../Verdict.ts"
import type { HedgeDelay, HedgeSample } from "./strategyHedgeDelay.ts"
import { type Begun, type Call, type Ended, isReal, type Leaf, type Program } from "./strategyCall.ts"

export interface Hedged extends Leaf {
  readonly attempts: number
  readonly delay: HedgeDelay
  /** What a rejection asks for, as a wait. */
  readonly wait: NextDelay
}

type Result<A, E> = Exit.Exit<A, E | DeadlineExceeded>

interface Running<A, E> {
  readonly begun: Begun
  readonly fiber: Fiber.Fiber<A, E | DeadlineExceeded>
}

class Race<A, E, R> {
  readonly call: Call<A, E, R>
  readonly leaf: Hedged
  readonly last: number
  readonly startNanos: bigint
  readonly running = new Set<Running<A, E>>()
  readonly finished: Array<Running<A, E>> = []
  wake: (() => void) | undefined = undefined
  made = 0
  /** No further attempt may begin. */
  closed = false
  /** When the next attempt begins, and when it would have without anything bringing it forward, in ms from the start. */
  due = 0
  planned = 0
  shift = 0

  constructor(call: Call<A, E, R>, leaf: Hedged, limit: number) {
    this.call = call
    this.leaf = leaf
    this.last = Math.min(limit, call.made + leaf.attempts)
    this.startNanos = call.now()
  }

  elapsed(): number {
    return Number(this.call.now() - this.startNanos) / 1e6
  }

  plan(): void {
    const { call, leaf } = this
    const step = { nowNanos: call.now(), random: call.random(), key: call.request?.key }
    const offset = leaf.delay.offset(this.made, step)
    // What is not a number is never due.
    this.planned = (Number.isNaN(offset) ? Number.POSITIVE_INFINITY : offset) + this.shift
    this.due = this.planned
  }

  /** Whether one more attempt could begin at all, now or later. */
  get open(): boolean {
    return !this.closed && this.call.made < this.last && this.call.mayRepeat(this.leaf)
  }

  readonly launch: Effect.Effect<void, never, R> = Effect.suspend(() => {
    const { call, leaf } = this
    if (!call.hasTime(0, leaf.minimumNanos) || (call.made > 0 && !call.mayRepeat(leaf))) {
      this.closed = true
      return Effect.void
    }
    return Effect.flatMap(call.pay(leaf, this.made === 0 ? "retry" : "hedge"), (paid) => {
      if (!paid) {
        this.closed = true
        return Effect.void
      }
      const kind: Attempt.Attempt["kind"] = this.made > 0 ? "hedge" : call.made === 0 ? "primary" : "retry"
      const begun = call.begin(kind, false)
      if (this.made > 0 && this.planned < Number.POSITIVE_INFINITY) this.shift += this.elapsed() - this.planned
      this.made++
      return Effect.map(
        Effect.forkDetach(call.effectOf(begun, undefined), { startImmediately: true }),
        (fiber) => {
          const running = { begun, fiber }
          this.running.add(running)
          fiber.addObserver(() => {
            this.finished.push(running)
            this.wake?.()
          })
          if (this.open) this.plan()
        }
      )
    })
  })

  /** Until an attempt ends or `millis` have passed; `true` in the latter case. */
  wait(millis: number | undefined): Effect.Effect<boolean> {
    const ends = Effect.callback<boolean>((resume) => {
      if (this.finished.length > 0) resume(Effect.succeed(false))
      else this.wake = () => resume(Effect.succeed(false))
    })
    const either = millis === undefined
      ? ends
      : Effect.timeoutOrElse(ends, { duration: millis, orElse: () => Effect.succeed(true) })
    return Effect.ensuring(
      this.call.restore(either),
      Effect.sync(() => {
        this.wake = undefined
      })
    )
  }

  sample({ begun }: Running<A, E>, censored: boolean): HedgeSample {
    const nowNanos = this.call.now()
    return { millis: Number(nowNanos - begun.startNanos) / 1e6, censored, nowNanos, key: this.call.request?.key }
  }

  /** Takes the verdict on an attempt that has ended by itself. */
  readonly settle = (running: Running<A, E>, exit: Result<A, E>): Effect.Effect<Verdict.Verdict> => {
    const { call, leaf } = this
    this.running.delete(running)
    const settled = call.settle(leaf, exit, running.begun)
    const { verdict } = settled
    // It is kept, and so released, whatever the code of others does below.
    return Effect.andThen(call.keep(settled, "first"), () => {
      call.report(leaf, running.begun, verdictName[verdict._tag])
      if (verdict._tag === "Accept") leaf.delay.observe?.(this.sample(running, false))
      else if (verdict._tag === "Reject") this.hurry(verdict.retryAfter)
      else if (isDefect(exit)) this.hurry(undefined)
      else this.closed = true
      return Effect.as(call.observed(verdict), verdict)
    })
  }

  /** An attempt has failed, so the next one begins at once, or when the other side wants it. */
  hurry(retryAfter: Duration.Duration | undefined): void {
    const { call, leaf } = this
    const step = { previousMillis: 0, nowNanos: call.now(), random: retryAfter === undefined ? 0 : call.random() }
    const millis = retryAfter === undefined ? 0 : leaf.wait(this.made, step, retryAfter)
    if (millis === undefined || !call.hasTime(millis, leaf.minimumNanos)) this.closed = true
    else this.due = this.elapsed() + millis
  }

  /** Until when it is worth waiting for a better outcome than the one that is held, in ms from now. */
  get patience(): number | undefined {
    const { call, leaf } = this
    const now = call.now()
    const remaining = isReal(call.held) ? call.remainingNanos(now) : undefined
    return remaining === undefined ? undefined : Number(remaining - leaf.minimumNanos) / 1e6
  }

  readonly run: Effect.Effect<Ended, never, R> = Effect.gen({ self: this }, function*() {
    if (this.call.made >= this.last) return "exhausted"
    yield* this.call.enter(this.leaf)
    yield* this.launch
    while (true) {
      for (let ended = this.finished.shift(); ended !== undefined; ended = this.finished.shift()) {
        const verdict: Verdict.Verdict = yield* this.settle(ended, yield* Fiber.await(ended.fiber))
        if (verdict._tag === "Accept") return "accepted"
      }
      const wait = this.open ? this.due - this.elapsed() : undefined
      if (wait !== undefined && wait <= 0) {
        yield* this.launch
        continue
      }
      if (this.running.size === 0 && wait === undefined) return this.closed ? "stopped" : "exhausted"
      const patience = this.patience
      const first = wait === undefined || (patience !== undefined && patience < wait) ? patience : wait
      // A timer may be a fraction of a millisecond early, so it is the timer that counts and not the clock.
      if (!(yield* this.wait(first))) continue
      if (first === patience) return "stopped"
      yield* this.launch
    }
  })

  /** Interrupts what still runs and waits for its finalizers. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    if (this.running.size === 0) return Effect.void
    const losers = [...this.running]
    const samples = losers.flatMap((loser) => loser.fiber.pollUnsafe() === undefined ? [this.sample(loser, true)] : [])
    const released = Effect.forEach(losers, ({ begun, fiber }) =>
      Effect.flatMap(Fiber.await(fiber), (exit) => {
        this.call.report(this.leaf, begun, "interrupted")
        return Effect.andThen(this.call.observed(Verdict.fatal("neutral")), this.call.release(exit, begun.scope))
      }), { concurrency: "unbounded", discard: true })
    return Fiber.interruptAll(losers.map(({ fiber }) => fiber)).pipe(
      Effect.andThen(released),
      Effect.andThen(Effect.sync(() => samples.forEach((sample) => this.leaf.delay.observe?.(sample))))
    )
  })
}

const verdictName = { Accept: "accept", Reject: "reject", Fatal: "fatal" } as const

const isDefect = (exit: Exit.Exit<unknown, unknown>): boolean => exit._tag === "Failure" && Cause.hasDies(exit.cause)

export const hedged = (leaf: Hedged): Program => (call, limit) =>
  Effect.suspend(() => {
    const race = new Race(call, leaf, limit)
    return Effect.ensuring(race.run, race.end)
  })
