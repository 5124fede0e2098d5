/**
 * How the guards and subscriptions of a service stand, as they last reported.
 */
import { Clock, type Fiber } from "effect"
import type { CircuitState, Report } from "../../lifecycle/Recorder.ts"
import type { Standing } from "../../lifecycle/Standing.ts"

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Item<
  K extends "circuits" | "bulkheads" | "pools" | "budgets" | "rateLimits" | "subscriptions" | "outboxes" | "sagas"
> = Writable<Standing[K][number]>

/** So many of each are told apart; a caller may choose the key of a circuit. */
const most = 200

export class StandingMemory {
  private readonly service: string
  private readonly circuits = new Map<string, Map<string, Item<"circuits">>>()
  private keys = 0
  private readonly bulkheads = new Map<string, Item<"bulkheads">>()
  private readonly pools = new Map<string, Item<"pools">>()
  private readonly budgets = new Map<string, Item<"budgets">>()
  private readonly rateLimits = new Map<string, Item<"rateLimits">>()
  private readonly subscriptions = new Map<string, Item<"subscriptions">>()
  private readonly outboxes = new Map<string, Item<"outboxes">>()
  private readonly sagas = new Map<string, Item<"sagas">>()
  private eventLoop: Standing["eventLoop"] = null

  constructor(service: string) {
    this.service = service
  }

  record(report: Report, fiber: Fiber.Fiber<unknown, unknown>): void {
    switch (report._tag) {
      case "CircuitCalled": {
        const circuit = this.circuit(report.name, report.key)
        if (circuit === undefined) return
        if (report.outcome === "rejected") circuit.rejected++
        else if (report.outcome === "failure") circuit.failed++
        else if (report.outcome === "success") circuit.succeeded++
        return
      }
      case "CircuitMoved": {
        const circuit = this.circuit(report.name, report.key)
        if (circuit === undefined) return
        circuit.state = report.to satisfies CircuitState
        circuit.since = wall(fiber)
        return
      }
      case "BulkheadMoved": {
        const bulkhead = this.bulkhead(report.name)
        if (bulkhead === undefined) return
        bulkhead.inFlight = report.inFlight
        bulkhead.queued = report.queued
        bulkhead.limit = report.limit
        return
      }
      case "BulkheadRefused": {
        const bulkhead = this.bulkhead(report.name)
        if (bulkhead !== undefined) bulkhead.refused++
        return
      }
      case "PoolMoved": {
        const { inUse, pool: name, size, waiting } = report
        const pool = entry(this.pools, name, () => ({ name, inUse, waiting, size }))
        if (pool === undefined) return
        pool.inUse = inUse
        pool.waiting = waiting
        pool.size = size
        return
      }
      case "BudgetSpent":
      case "BudgetDenied": {
        const budget = entry(
          this.budgets,
          report.name,
          () => ({ name: report.name, left: null, granted: 0, denied: 0 })
        )
        if (budget === undefined) return
        if (report._tag === "BudgetDenied") {
          budget.denied++
          budget.left = 0
        } else {
          budget.granted++
          budget.left = Number.isFinite(report.left) ? report.left : null
        }
        return
      }
      case "RateLimitApplied": {
        const limit = entry(
          this.rateLimits,
          report.policy,
          () => ({ policy: report.policy, refused: 0, skipped: 0, unavailable: 0, lastAt: 0 })
        )
        if (limit === undefined) return
        limit[report.outcome]++
        limit.lastAt = wall(fiber)
        return
      }
      case "SubscriptionObserved": {
        const { deadLetters, lag, lagMillis, mark, owned, paused, subscription: name } = report
        if (!this.subscriptions.has(name) && this.subscriptions.size >= most) return
        this.subscriptions.set(name, { name, lag, lagMillis, owned, paused, deadLetters, mark, at: wall(fiber) })
        return
      }
      case "OutboxObserved": {
        const { deadLetters, oldestMillis, pausedKeys, pending, topics } = report
        if (!this.outboxes.has(topics) && this.outboxes.size >= most) return
        this.outboxes.set(topics, { topics, pending, oldestMillis, deadLetters, pausedKeys, at: wall(fiber) })
        return
      }
      case "SagaEnded": {
        const { outcome, saga: name } = report
        const saga = entry(this.sagas, `${name} ${outcome}`, () => ({ name, outcome, count: 0 }))
        if (saga !== undefined) saga.count++
        return
      }
      case "EventLoopObserved":
        this.eventLoop = report
        return
      default:
        return
    }
  }

  read(): Standing {
    const loop = this.eventLoop
    return {
      service: this.service,
      circuits: Array.from(this.circuits.values(), (keys) => Array.from(keys.values(), copy)).flat(),
      bulkheads: Array.from(this.bulkheads.values(), copy),
      pools: Array.from(this.pools.values(), copy),
      budgets: Array.from(this.budgets.values(), copy),
      rateLimits: Array.from(this.rateLimits.values(), copy),
      subscriptions: Array.from(this.subscriptions.values(), copy),
      outboxes: Array.from(this.outboxes.values(), copy),
      sagas: Array.from(this.sagas.values(), copy),
      eventLoop: loop === null
        ? null
        : { p99Millis: loop.p99Millis, maxMillis: loop.maxMillis, utilization: loop.utilization },
      events: []
    }
  }

  /** Two maps, because joining name and key would cost more than the rest. */
  private circuit(name: string, key: string): Item<"circuits"> | undefined {
    let keys = this.circuits.get(name)
    const known = keys?.get(key)
    if (known !== undefined) return known
    if (this.keys >= most) return undefined
    this.keys++
    if (keys === undefined) this.circuits.set(name, keys = new Map())
    const circuit: Item<"circuits"> = {
      name,
      key,
      state: "Closed",
      since: null,
      succeeded: 0,
      failed: 0,
      rejected: 0
    }
    keys.set(key, circuit)
    return circuit
  }

  private bulkhead(name: string): Item<"bulkheads"> | undefined {
    return entry(this.bulkheads, name, () => ({ name, inFlight: 0, queued: 0, limit: 0, refused: 0 }))
  }
}

const copy = <A extends object>(item: A): A => ({ ...item })

const entry = <A>(items: Map<string, A>, key: string, make: () => A): A | undefined => {
  const known = items.get(key)
  if (known !== undefined) return known
  if (items.size >= most) return undefined
  const made = make()
  items.set(key, made)
  return made
}

const wall = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
