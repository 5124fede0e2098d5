/** What a run has shown: its figures, its two log lines, and whether it was what the lesson says. */
import { victim } from "./customers.ts"
import { poolSize } from "./orders.ts"
import type { Seen } from "./run.ts"

export interface Figures {
  readonly requests: number
  readonly ok: number
  readonly failed500: number
  readonly refused503: number
  /** Without an answer when the run ended; their age counts as their time. */
  readonly unanswered: number
  readonly p50Millis: number
  readonly p99Millis: number
  readonly longestWaitMillis: number
  /** The largest part of the pool that was in use. */
  readonly poolUse: number
}

const percentile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0

export const figures = ({ longestWaitMillis, mostInUse, visits }: Seen): Figures => {
  const times = visits.map(({ millis }) => millis).sort((a, b) => a - b)
  const count = (is: (status: number) => boolean) => visits.filter(({ status }) => is(status)).length
  return {
    requests: visits.length,
    ok: count((status) => status >= 200 && status < 300),
    failed500: count((status) => status === 500),
    refused503: count((status) => status === 503),
    unanswered: count((status) => status === 0),
    p50Millis: percentile(times, 0.5),
    p99Millis: percentile(times, 0.99),
    longestWaitMillis: Math.round(longestWaitMillis),
    poolUse: mostInUse / poolSize
  }
}

interface Line {
  readonly time: string
  readonly level: string
  readonly message: string
  readonly request_id?: string
  readonly method?: string
  readonly path?: string
  readonly status?: number
  readonly duration_ms?: number
  readonly user_id?: string
  readonly cause?: string
}

/** The lines of one request as a person reads them, the newest first. */
export const logOf = (log: ReadonlyArray<string>, id: string): ReadonlyArray<string> =>
  log
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line.request_id === id && (line.message === "request" || line.message === "defect"))
    .toReversed()
    .map((line) => {
      const time = line.time.slice(11)
      // An access line tells what happened; what went wrong is in the other.
      return line.message === "request"
        ? `${time} INFO  [${id}] ${line.method} ${line.path} user=${line.user_id} status=${line.status} ` +
          `duration=${Math.round(line.duration_ms ?? 0)}ms`
        : `${time} ERROR [${id}] ${line.cause?.split("\n")[0]}`
    })

export interface Check {
  readonly ok: boolean
  readonly expected: string
  readonly seen: string
}

const firstFailure = ({ visits }: Seen): number =>
  Math.min(...visits.filter(({ status }) => status === 500).map(({ millis, startMillis }) => startMillis + millis))

export const firedAt = ({ changes }: Seen, alarm: string): number =>
  Math.min(...changes.filter((one) => one.alarm === alarm && one.state === "firing").map(({ millis }) => millis))

const at = (millis: number): string => Number.isFinite(millis) ? `at ${(millis / 1000).toFixed(1)} s` : "never"

/** How many orders were taken that came when payments was well again. */
const lateOrders = ({ visits }: Seen, from: number): number =>
  visits.filter(({ kind, startMillis, status }) => kind === "order" && status === 201 && startMillis >= from).length

/** What a busy machine may take to look at a clock. */
const slack = 1000

export const checks = (before: Seen, after: Seen, wellFrom: number): ReadonlyArray<Check> => {
  const letter = before.visits.find(({ kind }) => kind === "victim")
  const lines = logOf(before.log, victim.id)
  const failure = firstFailure(before)
  const early = ["PoolUse", "Latency"].map((alarm) => firedAt(before, alarm))
  const refused = after.visits.filter(({ status }) => status === 503)
  const answered = after.visits.filter(({ status }) => status !== 0)
  const own = victim.lines * 50
  return [
    {
      expected: "before: all connections of the pool were in use",
      ok: before.mostInUse === poolSize,
      seen: `${before.mostInUse} of ${poolSize}`
    },
    {
      expected: "before: the customer got a 500 after ten seconds in line and two of work",
      ok: letter?.status === 500 && letter.millis >= 10_000 + own && letter.millis < 10_000 + own + 2 * slack,
      seen: `${letter?.status ?? "no answer"} after ${letter?.millis ?? 0} ms`
    },
    {
      expected: "before: the id leads to the two lines of the log",
      ok: lines.length === 2 && /POST \/orders user=88 status=500 duration=1[2-4]\d{3}ms$/.test(lines[0] ?? "") &&
        (lines[1] ?? "").endsWith(
          `PoolTimeout: ${poolSize} of ${poolSize} connections in use, none free within 10000 ms`
        ),
      seen: `${lines.length} lines`
    },
    {
      expected: "before: the alarms of the pool and of the latency fired before the first 500",
      ok: early.every((millis) => millis < failure) && Number.isFinite(failure),
      seen: `${early.map(at).join(" and ")}; the first 500 ${at(failure)}`
    },
    {
      expected: "before: no order was taken any more, though payments was well again",
      ok: lateOrders(before, wellFrom) === 0,
      seen: `${lateOrders(before, wellFrom)} orders`
    },
    {
      expected: "after: everybody got an answer, and nobody a 500",
      ok: answered.length >= after.visits.length - 10 && answered.every(({ status }) => status < 500 || status === 503),
      seen: `${answered.filter(({ status }) => status === 500).length} times 500`
    },
    {
      expected: "after: some were told 503 at once, each with Retry-After",
      ok: refused.length > 0 && refused.every(({ retryAfter }) => /^[1-9]\d*$/.test(retryAfter ?? "")),
      seen: `${refused.length} refused, ${refused.filter(({ retryAfter }) => retryAfter === null).length} without it`
    },
    {
      expected: "after: nobody waited longer for a connection than one second",
      ok: after.longestWaitMillis < 1000 + slack && after.timeouts > 0,
      seen: `${Math.round(after.longestWaitMillis)} ms; ${after.timeouts} gave up`
    },
    {
      expected: "after: orders were taken again when payments was well",
      ok: lateOrders(after, wellFrom) > 0,
      seen: `${lateOrders(after, wellFrom)} orders`
    },
    {
      expected: "both: every connection is back in its pool",
      ok: before.inUseAtTheEnd === 0 && after.inUseAtTheEnd === 0,
      seen: `${before.inUseAtTheEnd} and ${after.inUseAtTheEnd} in use`
    }
  ]
}
