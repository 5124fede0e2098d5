/** One run of the incident: what customers, the pool, the log and the alarms have seen of it. */
import { Clock, Effect, Metric } from "effect"
import { Alarms, Names } from "effect-lifecycle/observability"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { PrometheusMetrics } from "effect/observability"
import { alarms, interval } from "./alarms.ts"
import { payments, type Visit, visits } from "./customers.ts"
import { type Guards, start } from "./orders.ts"

export interface Seen {
  readonly visits: ReadonlyArray<Visit>
  readonly log: ReadonlyArray<string>
  readonly samples: ReadonlyArray<Alarms.Sample>
  /** What the alarms did, in milliseconds from the first request. */
  readonly changes: ReadonlyArray<Alarms.Change>
  /** The longest that a request waited for a connection, in milliseconds, and how many gave up. */
  readonly longestWaitMillis: number
  readonly timeouts: number
  readonly mostInUse: number
  /** When the last request is gone. */
  readonly inUseAtTheEnd: number
  /** The lines of `/metrics` about the pool, when most callers waited. */
  readonly exposition: ReadonlyArray<string>
  readonly startedMillis: number
}

/** Something worth a line while it happens. */
export type Tell = (millis: number, event: string) => void

export const run = Effect.fnUntraced(function*(guards: Guards, tell: Tell) {
  const clock = yield* Clock.Clock
  const registry: Metric.MetricRegistry = new Map()
  const log: Array<string> = []
  const answered: Array<Visit> = []
  const samples: Array<Alarms.Sample> = []
  const changes: Array<Alarms.Change> = []
  const pool = { inUse: 0, mostInUse: 0, mostWaiting: 0, longestWaitMillis: 0, timeouts: 0 }
  let exposition: ReadonlyArray<string> = []
  let failed = false
  let full = false

  const record: Recorder.Recorder = (report) => {
    if (report._tag === "PoolMoved") {
      pool.inUse = report.inUse
      pool.mostInUse = Math.max(pool.mostInUse, report.inUse)
      if (report.inUse === report.size && report.waiting > 0 && !full) {
        full = true
        tell(elapsed(), `all ${report.size} connections are in use, and the first request waits`)
      }
    }
    if (report._tag === "ConnectionWaited") {
      const millis = Number(report.endNanos - report.startNanos) / 1e6
      pool.longestWaitMillis = Math.max(pool.longestWaitMillis, millis)
      if (report.outcome === "timeout") pool.timeouts++
    }
  }

  const neighbour = yield* payments
  const url = yield* start({ guards, record, registry, log: (line) => log.push(line), paymentsUrl: neighbour.url })
  const startedMillis = clock.currentTimeMillisUnsafe()
  const elapsed = () => clock.currentTimeMillisUnsafe() - startedMillis
  neighbour.begin(startedMillis)

  let state = Alarms.initial
  const look = Effect.gen(function*() {
    const sample = yield* Alarms.sample(alarms)
    samples.push(sample)
    const [found, next] = Alarms.step(alarms, state, sample)
    state = next
    for (const change of found) {
      changes.push({ ...change, millis: change.millis - startedMillis })
      if (change.state === "firing") tell(elapsed(), `the alarm ${change.alarm} fires (${figure(change)})`)
    }
    const waiting = Math.max(0, ...(yield* pending))
    if (waiting >= pool.mostWaiting) {
      pool.mostWaiting = waiting
      const text = yield* PrometheusMetrics.format({ metricNameMapper: Names.prometheus })
      exposition = text.split("\n").filter((line) => /^db_client_connection_(count|max|pending_requests)\{/.test(line))
    }
  }).pipe(Effect.provideService(Metric.MetricRegistry, registry))
  yield* look
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(interval), look)))

  yield* visits(url, (visit) => {
    answered.push(visit)
    if (visit.status >= 500 && !failed) {
      failed = true
      tell(elapsed(), `the first customer is told ${visit.status}`)
    }
  })
  // What was left by its customers gives its connection back.
  yield* Effect.sync(() => pool.inUse).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ until: (inUse) => inUse === 0, times: 100 })
  )
  return {
    visits: answered,
    log,
    samples,
    changes,
    exposition,
    startedMillis,
    inUseAtTheEnd: pool.inUse,
    mostInUse: pool.mostInUse,
    longestWaitMillis: pool.longestWaitMillis,
    timeouts: pool.timeouts
  } satisfies Seen
})

const pending = Effect.map(
  Metric.snapshot,
  (all) =>
    all.flatMap((one) => one.type === "Gauge" && one.id === Names.metrics.poolPending ? [Number(one.state.value)] : [])
)

const figure = ({ alarm, labels, value = 0 }: Alarms.Change): string =>
  alarm === "PoolUse"
    ? `${Math.round(value * 100)} % of the pool`
    : alarm === "Latency"
    ? `p99 of ${labels[Names.labels.method]} ${labels[Names.labels.route]} is ${value.toFixed(1)} s`
    : `${value} answers with 5xx`
