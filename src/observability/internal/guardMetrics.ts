/**
 * The metrics of what stands between a call and the world: strategies, budgets, circuits, bulkheads, fallbacks, chaos.
 */
import type { Context } from "effect"
import type { CircuitState, Report } from "../../lifecycle/Recorder.ts"
import * as Names from "../Names.ts"
import { counter, gauge, histogram } from "./series.ts"

/** A circuit's state as a number, so that a dashboard can draw it: the worse, the higher. */
const level: { readonly [State in CircuitState]: number } = { Closed: 0, HalfOpen: 1, Open: 2, Isolated: 3 }

export const make = (): (report: Report, context: Context.Context<never>) => void => {
  const { labels, metrics } = Names
  const attempts = counter(
    metrics.attempts,
    "Attempts of strategies, by why they were made and what became of them",
    [labels.guard, labels.attemptKind, labels.verdict]
  )
  const retryDelay = histogram(metrics.retryDelay, "How long strategies waited before a retry", [labels.guard])
  const budgetDenied = counter(
    metrics.budgetDenied,
    "Retries and hedges that were not made, because their budget was spent",
    [labels.guard, labels.attemptKind]
  )
  const circuitState = gauge(
    metrics.circuitState,
    "0 closed, 1 half open, 2 open, 3 isolated",
    [labels.guard, labels.key]
  )
  const circuitCalls = counter(
    metrics.circuitCalls,
    "Calls that a circuit breaker let through or refused",
    [labels.guard, labels.key, labels.circuitOutcome, labels.circuitSlow]
  )
  const circuitTransitions = counter(
    metrics.circuitTransitions,
    "Changes of a circuit's state",
    [labels.guard, labels.key, labels.from, labels.to]
  )
  const inFlight = gauge(metrics.bulkheadInFlight, "Calls inside a bulkhead", [labels.guard])
  const queued = gauge(metrics.bulkheadQueued, "Calls that wait for a bulkhead", [labels.guard])
  const limit = gauge(metrics.bulkheadLimit, "Calls that a bulkhead lets in at once", [labels.guard])
  const rejected = counter(metrics.bulkheadRejected, "Calls that a bulkhead turned away", [labels.guard, labels.reason])
  const rateLimited = counter(
    metrics.rateLimited,
    "Requests that a rate limit refused, or could not judge because its store was away",
    [labels.policy, labels.limitOutcome]
  )
  const fallbacks = counter(metrics.fallbacks, "Calls that a fallback took over", [labels.guard, labels.error])
  const chaos = counter(metrics.chaos, "Calls that chaos changed", [labels.guard, labels.chaosKind])

  return (report, context) => {
    switch (report._tag) {
      case "AttemptEnded":
        return attempts(report.name, report.kind, report.verdict).updateUnsafe(1, context)
      case "RetryDelayed":
        return retryDelay(report.name).updateUnsafe(report.delayMillis / 1000, context)
      case "BudgetDenied":
        return budgetDenied(report.name, report.kind).updateUnsafe(1, context)
      case "CircuitCalled":
        return circuitCalls(report.name, report.key, report.outcome, String(report.slow)).updateUnsafe(1, context)
      case "CircuitMoved":
        circuitState(report.name, report.key).updateUnsafe(level[report.to], context)
        return circuitTransitions(report.name, report.key, report.from, report.to).updateUnsafe(1, context)
      case "BulkheadMoved":
        inFlight(report.name).updateUnsafe(report.inFlight, context)
        queued(report.name).updateUnsafe(report.queued, context)
        return limit(report.name).updateUnsafe(report.limit, context)
      case "BulkheadRefused":
        return rejected(report.name, report.reason).updateUnsafe(1, context)
      case "RateLimitApplied":
        return rateLimited(report.policy, report.outcome).updateUnsafe(1, context)
      case "FallbackUsed":
        return fallbacks(report.name, report.trigger).updateUnsafe(1, context)
      case "ChaosInjected":
        return chaos(report.name, report.kind).updateUnsafe(1, context)
    }
  }
}
