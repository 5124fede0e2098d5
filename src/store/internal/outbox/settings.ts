/** The options of an outbox's worker, checked. */
import { type Cause, Duration, Effect, Schedule } from "effect"
import * as Invalid from "../../../resilience/InvalidOption.ts"
import type { Options } from "../../Outbox.ts"

export interface Settings<E, R> {
  readonly publish: Options<E, R>["publish"]
  readonly topics: ReadonlyArray<string> | undefined
  readonly batchSize: number
  readonly concurrency: number
  readonly leaseMillis: number
  readonly timeoutMillis: number
  readonly retry: Schedule.Schedule<unknown, Cause.Cause<unknown>>
  readonly attempts: number
  readonly poison: "pause" | "skip"
  readonly drainMillis: number
  readonly retentionMillis: number
}

const longestBackoff = Duration.minutes(5)
const usualRetry = Schedule.exponential("1 second").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, longestBackoff))),
  Schedule.jittered
)
/** How long publishing may take where nobody says so. */
const leastTimeoutMillis = 60_000

/** The options with their defaults, or what is wrong with one of them. */
export const checked = <E, R>(module: string, options: Options<E, R>): Settings<E, R> | Invalid.InvalidOption => {
  const { attempts = 10, batchSize = 100, concurrency = 16, drain = "10 seconds", lease = "30 seconds", timeout } =
    options
  try {
    const leaseMillis = Invalid.millisBetween(module, "lease", lease, 100)
    return {
      publish: options.publish,
      topics: options.topics,
      batchSize: Invalid.wholeNumber(module, "batchSize", batchSize, 1, 10_000),
      concurrency: Invalid.wholeNumber(module, "concurrency", concurrency, 1, 10_000),
      leaseMillis,
      timeoutMillis: timeout === undefined
        ? Math.max(leastTimeoutMillis, leaseMillis)
        : Invalid.millisBetween(module, "timeout", timeout, 1),
      retry: options.retry ?? usualRetry,
      attempts: Invalid.wholeNumber(module, "attempts", attempts, 1, 1_000_000),
      poison: options.poison ?? "pause",
      drainMillis: Invalid.finiteMillis(module, "drain", drain),
      retentionMillis: Invalid.finiteMillis(module, "retention", options.retention ?? "7 days")
    }
  } catch (error) {
    if (error instanceof Invalid.InvalidOption) return error
    throw error
  }
}

/** Who it is, where something has to be said of a worker. */
export const workerName = (topics: ReadonlyArray<string> | undefined): string =>
  `The outbox worker of ${topics === undefined ? "all topics" : topics.join(", ")}`
