/** The metrics of the event store's readers, how far they are behind and what holds them there, and of sagas. */
import type { Context } from "effect"
import type { EventBuried, SagaEnded, SagaStepEnded, SubscriptionObserved } from "../../lifecycle/Recorder.ts"
import * as Names from "../Names.ts"
import { counter, gauge, histogram } from "./series.ts"

export const make = (): (
  report: SubscriptionObserved | EventBuried | SagaStepEnded | SagaEnded,
  context: Context.Context<never>
) => void => {
  const { labels, metrics } = Names
  const lag = gauge(metrics.subscriptionLag, "Positions that a subscription has not handled", [labels.subscription])
  const lagTime = gauge(
    metrics.subscriptionLagTime,
    "How old the first event is that a subscription has not handled, in seconds",
    [labels.subscription]
  )
  const owned = gauge(metrics.subscriptionOwned, "Partitions that this process has", [labels.subscription])
  const paused = gauge(metrics.subscriptionPaused, "Partitions that stand before an event", [labels.subscription])
  const deadLetters = gauge(metrics.deadLetters, "Events that were skipped and are kept", [labels.subscription])
  const skipped = counter(metrics.eventsSkipped, "Events that a subscription has skipped", [labels.subscription])
  const mark = gauge(metrics.highWaterMark, "Up to here the log is known to be complete", [])
  const gapAge = gauge(metrics.gapAge, "How long the mark has stood before a gap, in seconds", [])
  const holders = gauge(metrics.gapHolders, "Open transactions that hold the mark there", [])
  const stepDuration = histogram(
    metrics.sagaStepDuration,
    "How long attempts of saga steps and of their compensations took",
    [labels.saga, labels.sagaStep, labels.sagaAction, labels.sagaOutcome]
  )
  const sagaDuration = histogram(
    metrics.sagaDuration,
    "How long sagas took from their start to their end, or until they were parked",
    [labels.saga, labels.sagaOutcome],
    sagaBoundaries
  )

  return (report, context) => {
    if (report._tag === "SagaStepEnded") {
      const { action, endNanos, outcome, saga, startNanos, step } = report
      const seconds = Math.max(0, Number(endNanos - startNanos) / 1e9)
      return stepDuration(saga, step, action, outcome).updateUnsafe(seconds, context)
    }
    if (report._tag === "SagaEnded") {
      return sagaDuration(report.saga, report.outcome).updateUnsafe(report.ageMillis / 1000, context)
    }
    if (report._tag === "EventBuried") return skipped(report.subscription).updateUnsafe(1, context)
    const { subscription } = report
    lag(subscription).updateUnsafe(report.lag, context)
    lagTime(subscription).updateUnsafe(report.lagMillis / 1000, context)
    owned(subscription).updateUnsafe(report.owned, context)
    paused(subscription).updateUnsafe(report.paused, context)
    deadLetters(subscription).updateUnsafe(report.deadLetters, context)
    mark().updateUnsafe(report.mark, context)
    gapAge().updateUnsafe(report.gapMillis / 1000, context)
    holders().updateUnsafe(report.holders, context)
  }
}

/** Sagas may take seconds or days. */
const sagaBoundaries: ReadonlyArray<number> = [0.01, 0.1, 1, 10, 60, 600, 3600, 21_600, 86_400, 604_800]
