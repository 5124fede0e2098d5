/**
 * Permits and a queue by priority, as plain synchronous state: one fiber at a time runs in a JavaScript process, so each
 * step below is atomic, and every step that can race with an interruption happens under an exit handler that was put in
 * place before it.
 */
import { Clock, Effect, type Exit, type Fiber, Option } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as Deadline from "../../request/Deadline.ts"
import * as Priority from "../../request/Priority.ts"
import type { Signal } from "./adaptiveLimit.ts"
import { BulkheadRejected } from "./bulkheadRejected.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>
type Reason = BulkheadRejected["reason"]

/** What a report says; shared by all keys of a keyed bulkhead. */
export interface Gauge {
  inFlight: number
  queued: number
}

export interface Settings {
  readonly name: string
  readonly key: string | undefined
  readonly queue: number
  readonly maxWaitMillis: number
  readonly retryAfterMillis: number | undefined
}

/** Takes note of how a call that ran has ended. */
export type Learn = <A, E>(
  call: Call,
  exit: Exit.Exit<A, E>,
  elapsedMillis: number,
  classify: ((exit: Exit.Exit<A, E>) => Signal) | undefined
) => void

const ranks: Readonly<Record<Priority.Priority, number>> = { critical: 0, high: 1, normal: 2, low: 3 }

// The weight of the newest call in the mean service time.
const newest = 0.1

// Said where nothing has been measured, and the longest that is said.
const unmeasuredMillis = 1000
const longestMillis = 60_000

/** One call: outside, then waiting or running, then over. A waiting call is a node of its lane. */
export class Call {
  state: "outside" | "waiting" | "running" | "over" = "outside"
  rank = 0
  before: Call | undefined
  after: Call | undefined
  timer: AnyFiber | undefined
  core: Core | undefined
  resume: ((effect: Effect.Effect<void, BulkheadRejected>) => void) | undefined
  outcome: Effect.Effect<void, BulkheadRejected> | undefined
  startedAtNanos = 0n
  /** How many were running when this call began, itself included. */
  inFlight = 0
  readonly fiber: AnyFiber
  constructor(fiber: AnyFiber) {
    this.fiber = fiber
  }

  /** Wakes the waiting fiber on its next turn: waking it here would nest one call in the end of another, without bound. */
  settle(outcome: Effect.Effect<void, BulkheadRejected>): void {
    this.outcome = outcome
    this.timer?.interruptUnsafe()
    const resume = this.resume
    if (resume !== undefined) this.fiber.currentDispatcher.scheduleTask(() => resume(outcome), 0)
  }
}

/** First in, first out, and anyone may leave from the middle. */
class Lane {
  first: Call | undefined
  last: Call | undefined

  push(call: Call): void {
    call.before = this.last
    if (this.last === undefined) this.first = call
    else this.last.after = call
    this.last = call
  }

  remove(call: Call): void {
    if (call.before === undefined) this.first = call.after
    else call.before.after = call.after
    if (call.after === undefined) this.last = call.before
    else call.after.before = call.before
    call.before = undefined
    call.after = undefined
  }
}

/**
 * Runs `effect` in the core that `resolve` gives, which is asked in the same step that takes the permit.
 */
export const run = <A, E, R>(
  resolve: () => Core,
  effect: Effect.Effect<A, E, R>,
  classify: ((exit: Exit.Exit<A, E>) => Signal) | undefined
): Effect.Effect<A, E | BulkheadRejected, R> =>
  Effect.withFiber((fiber) => {
    const call = new Call(fiber)
    // The handler goes first: between two steps a fiber may be interrupted, also right after it got its permit.
    return Effect.onExitPrimitive(
      Effect.suspend(() => {
        call.core = resolve()
        return call.core.enter(call, effect)
      }),
      (exit) => {
        const elapsedMillis = call.core?.leave(call)
        // Last, because a classifier may throw: nothing is held any more. Where the call ran, `exit` is that of `effect`.
        if (elapsedMillis !== undefined) call.core?.learn?.(call, exit as Exit.Exit<A, E>, elapsedMillis, classify)
        return undefined
      }
    )
  })

export class Core {
  inFlight = 0
  queued = 0
  completed = 0
  readonly rejected: Record<Reason, number> = { full: 0, waitTimeout: 0, shed: 0 }
  serviceMillis: number | undefined
  limit: number
  learn: Learn | undefined
  onIdle: (() => void) | undefined
  private readonly lanes = [new Lane(), new Lane(), new Lane(), new Lane()]
  private readonly settings: Settings
  private readonly gauge: Gauge

  constructor(settings: Settings, limit: number, gauge: Gauge) {
    this.settings = settings
    this.limit = limit
    this.gauge = gauge
  }

  resize(limit: number, fiber: AnyFiber): void {
    this.limit = limit
    this.drain()
    this.report(fiber)
  }

  enter<A, E, R>(call: Call, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | BulkheadRejected, R> {
    // Nobody waits while there is room, so a newcomer never overtakes.
    if (this.inFlight < this.limit) {
      this.start(call)
      this.report(call.fiber)
      return effect
    }
    if (this.settings.queue === 0) return this.refuse(call, "full")
    const waitMillis = Math.min(this.settings.maxWaitMillis, untilDeadline(call.fiber))
    if (waitMillis <= 0) return this.refuse(call, "waitTimeout")
    call.rank = ranks[call.fiber.getRef(Priority.Current)]
    if (this.queued >= this.settings.queue) {
      const least = this.leastUrgent()
      if (least === undefined || least.rank <= call.rank) return this.refuse(call, "full")
      this.dequeue(least)
      least.settle(this.refuse(least, "shed"))
    }
    this.lane(call).push(call)
    call.state = "waiting"
    this.queued++
    this.gauge.queued++
    this.report(call.fiber)
    const waiting = Effect.andThen(this.wait(call), effect)
    if (waitMillis === Infinity) return waiting
    const expire = Effect.andThen(
      Effect.sleep(waitMillis),
      Effect.sync(() => {
        if (call.state !== "waiting") return
        this.dequeue(call)
        this.report(call.fiber)
        call.settle(this.refuse(call, "waitTimeout"))
      })
    )
    // Not Effect.timeout: the moment of the timeout and the moment of the permit must be one decision, and a caller that
    // cannot be interrupted must be able to give up too.
    return Effect.flatMap(Effect.forkChild(expire, { startImmediately: true }), (timer) => {
      if (call.outcome === undefined) call.timer = timer
      else timer.interruptUnsafe()
      return waiting
    })
  }

  private wait(call: Call): Effect.Effect<void, BulkheadRejected> {
    return Effect.callback((resume) => {
      if (call.outcome === undefined) call.resume = resume
      else resume(call.outcome)
    })
  }

  /** How long the call held its permit, or `undefined` where it got none. */
  leave(call: Call): number | undefined {
    if (call.state === "waiting") {
      this.dequeue(call)
      call.timer?.interruptUnsafe()
      this.report(call.fiber)
    } else if (call.state === "running") {
      const elapsedMillis = Number(nowOf(call.fiber) - call.startedAtNanos) / 1e6
      this.serviceMillis = this.serviceMillis === undefined
        ? elapsedMillis
        : this.serviceMillis + newest * (elapsedMillis - this.serviceMillis)
      call.state = "over"
      this.completed++
      this.inFlight--
      this.gauge.inFlight--
      this.drain()
      this.report(call.fiber)
      if (this.inFlight === 0) this.onIdle?.()
      return elapsedMillis
    }
    return undefined
  }

  private start(call: Call): void {
    call.state = "running"
    call.startedAtNanos = nowOf(call.fiber)
    call.inFlight = ++this.inFlight
    this.gauge.inFlight++
  }

  private drain(): void {
    while (this.queued > 0 && this.inFlight < this.limit) {
      const call = this.mostUrgent()
      if (call === undefined) return
      this.dequeue(call)
      this.start(call)
      call.settle(Effect.void)
    }
  }

  private dequeue(call: Call): void {
    this.lane(call).remove(call)
    call.state = "over"
    this.queued--
    this.gauge.queued--
  }

  private refuse(call: Call, reason: Reason): Effect.Effect<never, BulkheadRejected> {
    call.state = "over"
    this.rejected[reason]++
    const { key, name } = this.settings
    const recorder = call.fiber.getRef(Recorder.Current)
    if (recorder !== undefined) recorder({ _tag: "BulkheadRefused", name, reason }, call.fiber)
    const retryAfterMillis = this.retryAfterMillis()
    return Effect.fail(new BulkheadRejected({ name, reason, retryAfterMillis, ...(key === undefined ? {} : { key }) }))
  }

  /** The time in which the queue and one call more are served, when every call takes as long as the mean. */
  private retryAfterMillis(): number {
    if (this.settings.retryAfterMillis !== undefined) return this.settings.retryAfterMillis
    if (this.serviceMillis === undefined) return unmeasuredMillis
    return Math.min(longestMillis, Math.max(1, Math.ceil(this.serviceMillis * (this.queued + 1) / this.limit)))
  }

  private mostUrgent(): Call | undefined {
    for (const lane of this.lanes) if (lane.first !== undefined) return lane.first
    return undefined
  }

  /** The newest of the least urgent: it has waited least. */
  private leastUrgent(): Call | undefined {
    for (let rank = this.lanes.length - 1; rank >= 0; rank--) {
      const last = this.lanes[rank]?.last
      if (last !== undefined) return last
    }
    return undefined
  }

  private lane(call: Call): Lane {
    const lane = this.lanes[call.rank]
    if (lane === undefined) throw new Error(`There is no lane ${call.rank}`)
    return lane
  }

  private report(fiber: AnyFiber): void {
    const recorder = fiber.getRef(Recorder.Current)
    if (recorder === undefined) return
    const { inFlight, queued } = this.gauge
    recorder({ _tag: "BulkheadMoved", name: this.settings.name, inFlight, queued, limit: this.limit }, fiber)
  }
}

const nowOf = (fiber: AnyFiber): bigint => fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()

const untilDeadline = (fiber: AnyFiber): number => {
  const deadline = fiber.getRef(Deadline.Current)
  // Rounded up, as timers know no finer unit.
  return Option.isNone(deadline) ? Infinity : Math.ceil(Number(deadline.value.expiresAtNanos - nowOf(fiber)) / 1e6)
}
