/** The metrics of the event store's readers, how far they are behind and what holds them there, of messages and of sagas. */
import type { Context } from "effect"
import type {
  EventBuried,
  MessageReceived,
  MessageSettled,
  OutboxObserved,
  SagaEnded,
  SagaStepEnded,
  SnapshotIgnored,
  SubscriptionObserved
} from "../../lifecycle/Recorder.ts"
import * as Names from "../Names.ts"
import { counter, gauge, histogram } from "./series.ts"

export const make = (): (
  report:
    | SubscriptionObserved
    | EventBuried
    | MessageSettled
    | OutboxObserved
    | MessageReceived
    | SnapshotIgnored
    | SagaStepEnded
    | SagaEnded,
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
  const messages = counter(
    metrics.outboxMessages,
    "Attempts to publish messages, by how they ended",
    [labels.topic, labels.outboxOutcome]
  )
  const messageTime = histogram(
    metrics.outboxTime,
    "How long messages took from being enqueued to being published or given up",
    [labels.topic, labels.outboxOutcome],
    longBoundaries
  )
  const pending = gauge(metrics.outboxPending, "Messages to be published", [labels.topics])
  const oldest = gauge(metrics.outboxOldest, "How old the oldest of them is, in seconds", [labels.topics])
  const deadMessages = gauge(metrics.outboxDeadLetters, "Messages that were given up and are kept", [labels.topics])
  const pausedKeys = gauge(metrics.outboxPausedKeys, "Keys that wait behind one of them", [labels.topics])
  const received = counter(metrics.inboxMessages, "Messages that came to an inbox", [
    labels.source,
    labels.inboxOutcome
  ])
  const snapshots = counter(
    metrics.snapshotsIgnored,
    "Snapshots that were not used, so that the state was folded from the events",
    [labels.aggregate, labels.reason]
  )
  const stepDuration = histogram(
    metrics.sagaStepDuration,
    "How long attempts of saga steps and of their compensations took",
    [labels.saga, labels.sagaStep, labels.sagaAction, labels.sagaOutcome]
  )
  const sagaDuration = histogram(
    metrics.sagaDuration,
    "How long sagas took from their start to their end, or until they were parked",
    [labels.saga, labels.sagaOutcome],
    longBoundaries
  )

  return (report, context) => {
    switch (report._tag) {
      case "SagaStepEnded": {
        const { action, endNanos, outcome, saga, startNanos, step } = report
        const seconds = Math.max(0, Number(endNanos - startNanos) / 1e9)
        return stepDuration(saga, step, action, outcome).updateUnsafe(seconds, context)
      }
      case "SagaEnded":
        return sagaDuration(report.saga, report.outcome).updateUnsafe(report.ageMillis / 1000, context)
      case "EventBuried":
        return skipped(report.subscription).updateUnsafe(1, context)
      case "MessageSettled": {
        const { ageMillis, outcome, topic } = report
        if (outcome !== "retried") messageTime(topic, outcome).updateUnsafe(ageMillis / 1000, context)
        return messages(topic, outcome).updateUnsafe(1, context)
      }
      case "OutboxObserved": {
        const { topics } = report
        pending(topics).updateUnsafe(report.pending, context)
        oldest(topics).updateUnsafe(report.oldestMillis / 1000, context)
        deadMessages(topics).updateUnsafe(report.deadLetters, context)
        return pausedKeys(topics).updateUnsafe(report.pausedKeys, context)
      }
      case "MessageReceived":
        return received(report.source, report.outcome).updateUnsafe(1, context)
      case "SnapshotIgnored":
        return snapshots(report.aggregate, report.reason).updateUnsafe(1, context)
      case "SubscriptionObserved": {
        const { subscription } = report
        lag(subscription).updateUnsafe(report.lag, context)
        lagTime(subscription).updateUnsafe(report.lagMillis / 1000, context)
        owned(subscription).updateUnsafe(report.owned, context)
        paused(subscription).updateUnsafe(report.paused, context)
        deadLetters(subscription).updateUnsafe(report.deadLetters, context)
        mark().updateUnsafe(report.mark, context)
        gapAge().updateUnsafe(report.gapMillis / 1000, context)
        return holders().updateUnsafe(report.holders, context)
      }
    }
  }
}

/** Sagas and messages may take seconds or days. */
const longBoundaries: ReadonlyArray<number> = [0.01, 0.1, 1, 10, 60, 600, 3600, 21_600, 86_400, 604_800]
