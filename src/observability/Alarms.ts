/**
 * Alarms as data: what is wrong, for how long, and what to do about it.
 *
 * Three are here, each over metrics that this library writes. {@link poolUse} looks at what fills up, so it is early: the
 * connections of a pool (`store/ConnectionPool`). {@link latency} looks at the 99th percentile of requests that have ended.
 * {@link serverErrors} looks at answers from 500 on a route that must not have any; it comes last and misses nothing.
 *
 * The same definition is evaluated here, over {@link Sample}s of the metrics ({@link evaluate}, {@link step}), and by
 * Prometheus ({@link toPrometheusRules}). Evaluation is a pure function of the samples and their times: the recording of an
 * hour takes milliseconds, which is how an alarm is tested before it wakes somebody.
 *
 * **Over time**
 *
 * - A condition is looked at with each sample, over the samples of its window: `(now - window, now]`.
 * - While it holds the alarm is pending; once it has held for `for` it is firing; the first sample for which it does not hold
 *   ends it. Each group of labels (a pool, a route) has an alarm of its own.
 * - What counters had at the first sample has happened before it. A counter that appears later begins at zero; one that
 *   falls belongs to a process that began anew.
 *
 * **Gotchas**
 *
 * - A caller that waits for a connection gets its error after `maxWait`. A pool alarm comes before it when window, `for` and
 *   the time between two samples are together below `maxWait`; from a pool that fills up slowly it comes before in any case.
 * - Short windows are early and nervous: a pool of five has four in use now and then. Lengthen the window, not `for`.
 * - The percentile knows requests that have ended. Those that wait are not in it, so it is no substitute for the pool.
 * - Prometheus sees what it scrapes. {@link toPrometheusRules} refuses a window below two scrapes, which would be empty.
 *
 * @example
 * ```ts
 * import { Alarms } from "effect-lifecycle/observability"
 * import assert from "node:assert/strict"
 *
 * const alarm = Alarms.poolUse({ atLeast: 0.8, window: "30 seconds", for: "10 seconds" })
 * const inUse = (seconds: number, value: number): Alarms.Sample => ({
 *   millis: seconds * 1000,
 *   series: [
 *     {
 *       id: "db.client.connection.count",
 *       labels: { "db.client.connection.pool.name": "orders", "db.client.connection.state": "used" },
 *       value
 *     },
 *     { id: "db.client.connection.max", labels: { "db.client.connection.pool.name": "orders" }, value: 5 }
 *   ]
 * })
 *
 * const changes = Alarms.evaluate([alarm], [inUse(0, 2), inUse(10, 5), inUse(20, 5), inUse(30, 5), inUse(40, 5)])
 * assert.deepEqual(changes.map(({ millis, state }) => [millis / 1000, state]), [[20, "pending"], [30, "firing"]])
 * assert.match(Alarms.toPrometheusRules([alarm]), /avg_over_time\(db_client_connection_count\{.*\}\[30s\]\)/)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Duration, Effect, Metric, Schema } from "effect"
import * as conditions from "./internal/alarmConditions.ts"
import type { Alarm, Condition, Matcher, Sample, Series } from "./internal/alarmModels.ts"
import { used } from "./internal/poolMetrics.ts"
import * as rules from "./internal/prometheusRules.ts"
import { boundaries } from "./internal/series.ts"
import { labels, metrics } from "./Names.ts"

export type {
  Alarm,
  Condition,
  Increase,
  Matcher,
  Quantile,
  Sample,
  Series,
  Use
} from "./internal/alarmModels.ts"

/**
 * An alarm that could never ring, or would ring always; thrown where it is made.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidAlarm extends Schema.TaggedError<InvalidAlarm>()("InvalidAlarm", {
  alarm: Schema.String,
  option: Schema.String,
  value: Schema.String,
  allowed: Schema.String
}) {
  override get message(): string {
    return `Alarms.${this.alarm}: ${this.option} must be ${this.allowed}, got ${this.value}`
  }
}

/**
 * What all alarms have.
 *
 * @category options
 * @since 0.1.0
 */
export interface Common {
  /** The kind of alarm when absent: `PoolUse`, `Latency`, `ServerErrors`. */
  readonly name?: string | undefined
  readonly severity?: Alarm["severity"] | undefined
  /** The time that is looked at. */
  readonly window?: Duration.Input | undefined
  /** How long the condition has to hold. */
  readonly for?: Duration.Input | undefined
}

/**
 * A pool of connections is nearly all in use: 80 % of it over one minute, for 15 seconds, unless the options say otherwise.
 *
 * @category constructors
 * @since 0.1.0
 */
export const poolUse = (
  options: Common & {
    /** That of one pool; all pools when absent. */
    readonly pool?: string | undefined
    /** The part of the pool, above 0, up to 1. Default 0.8. */
    readonly atLeast?: number | undefined
  } = {}
): Alarm => {
  const { atLeast = 0.8, pool } = options
  if (!(atLeast > 0 && atLeast <= 1)) throw invalid("poolUse", "atLeast", atLeast, "above 0, up to 1")
  return {
    name: options.name ?? "PoolUse",
    severity: options.severity ?? "page",
    condition: {
      _tag: "Use",
      used: { id: metrics.poolCount, by: [labels.pool] },
      limit: metrics.poolMax,
      where: [{ label: labels.poolState, equals: used }, ...equal(labels.pool, pool)],
      atLeast,
      windowMillis: windowOf("poolUse", options.window ?? "1 minute")
    },
    forMillis: millisOf("poolUse", "for", options.for ?? "15 seconds"),
    summary: "A pool of connections is nearly all in use",
    advice: "Find what holds the connections: a transaction that is open over a call, a lease that is not given back"
  }
}

/**
 * The slowest requests are slower than they may be: the 99th percentile over five minutes, for one minute, unless the
 * options say otherwise.
 *
 * @category constructors
 * @since 0.1.0
 */
export const latency = (
  options: Common & {
    /** More than this is too slow. Below the last bound of the histogram, 10 seconds; best one of `Metrics.boundaries`. */
    readonly over: Duration.Input
    /** Default 0.99. */
    readonly quantile?: number | undefined
    /** Requests in the window, below which nothing is said. Default 100: of fewer, the 99th percentile is the slowest. */
    readonly minimum?: number | undefined
    /** A method and a route's template, such as `GET /orders/:id`; every route when absent. */
    readonly route?: string | undefined
    readonly service?: string | undefined
  }
): Alarm => {
  const { minimum = 100, quantile = 0.99, route, service } = options
  const last = (boundaries.at(-1) ?? 0) * 1000
  const over = millisOf("latency", "over", options.over)
  if (!(over > 0 && over < last)) throw invalid("latency", "over", over, `above 0 and below ${last} ms`)
  if (!(quantile > 0 && quantile < 1)) throw invalid("latency", "quantile", quantile, "between 0 and 1")
  if (!(Number.isInteger(minimum) && minimum >= 1)) {
    throw invalid("latency", "minimum", minimum, "a whole number from 1")
  }
  return {
    name: options.name ?? "Latency",
    severity: options.severity ?? "ticket",
    condition: {
      _tag: "Quantile",
      histogram: metrics.serverDuration,
      by: byRoute,
      where: [...equal(labels.service, service), ...(route === undefined ? [] : routeOf("latency", route))],
      quantile,
      above: over / 1000,
      minimum,
      windowMillis: windowOf("latency", options.window ?? "5 minutes")
    },
    forMillis: millisOf("latency", "for", options.for ?? "1 minute"),
    summary: "The slowest requests of a route are slower than they may be",
    advice: "Look at what they wait for: the use of the pool, the bulkheads' queues, the calls to other services"
  }
}

/**
 * A route that must not fail has answered with a status from 500: once in five minutes is enough, unless the options say
 * otherwise.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serverErrors = (
  options: Common & {
    /** A method and a route's template, such as `POST /orders`. */
    readonly route: string
    readonly service?: string | undefined
  }
): Alarm => ({
  name: options.name ?? "ServerErrors",
  severity: options.severity ?? "page",
  condition: {
    _tag: "Increase",
    counter: metrics.serverDuration,
    by: byRoute,
    where: [
      ...equal(labels.service, options.service),
      ...routeOf("serverErrors", options.route),
      { label: labels.status, matches: "5.." }
    ],
    windowMillis: windowOf("serverErrors", options.window ?? "5 minutes")
  },
  forMillis: millisOf("serverErrors", "for", options.for ?? 0),
  summary: `${options.route} has answered with a server error`,
  advice: "Look for the request id of the answer in the log: its lines name the stage and the cause"
})

/**
 * The metrics that the alarms look at, as they are now.
 *
 * @category sampling
 * @since 0.1.0
 */
export const sample = (alarms: ReadonlyArray<Alarm>): Effect.Effect<Sample> => {
  const ids = new Set(alarms.flatMap(({ condition }) => metricsOf(condition)))
  return Effect.gen(function*() {
    const millis = yield* Clock.currentTimeMillis
    const series: Array<Series> = []
    for (const metric of yield* Metric.snapshot) {
      if (!ids.has(metric.id)) continue
      const of = { id: metric.id, labels: metric.attributes ?? {} }
      if (metric.type === "Gauge") series.push({ ...of, value: Number(metric.state.value) })
      else if (metric.type === "Counter") series.push({ ...of, value: Number(metric.state.count) })
      else if (metric.type === "Histogram") {
        series.push({ ...of, value: metric.state.count, buckets: metric.state.buckets })
      }
    }
    return { millis, series }
  })
}

/**
 * What an alarm has done, for one group of labels.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly alarm: string
  readonly labels: Readonly<Record<string, string>>
  readonly state: "pending" | "firing" | "resolved"
  /** The time of the sample. */
  readonly millis: number
  /** The part of the pool, the seconds, or how many errors; `undefined` where the condition holds no more. */
  readonly value: number | undefined
}

/**
 * What is remembered between two samples.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  readonly history: ReadonlyArray<conditions.Remembered>
  readonly active: ReadonlyMap<string, Active>
}

/**
 * An alarm whose condition holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Active {
  readonly alarm: string
  readonly labels: Readonly<Record<string, string>>
  readonly sinceMillis: number
  readonly firing: boolean
}

/**
 * Nothing was seen yet.
 *
 * @category evaluation
 * @since 0.1.0
 */
export const initial: State = { history: [], active: new Map() }

/**
 * What changes with one more sample, which has to be later than those before.
 *
 * @category evaluation
 * @since 0.1.0
 */
export const step = (
  alarms: ReadonlyArray<Alarm>,
  state: State,
  sample: Sample
): readonly [changes: ReadonlyArray<Change>, state: State] => {
  const { millis } = sample
  const since = millis - Math.max(0, ...alarms.map(({ condition }) => condition.windowMillis))
  const latest = conditions.remember(sample, state.history.at(-1))
  const history = [...state.history.filter((one) => one.millis > since), latest]
  const active = new Map<string, Active>()
  const changes: Array<Change> = []
  alarms.forEach((alarm, index) => {
    for (const { labels, value } of conditions.holds(alarm.condition, history)) {
      const key = JSON.stringify([index, labels])
      const before = state.active.get(key)
      const sinceMillis = before?.sinceMillis ?? millis
      const firing = before?.firing === true || millis - sinceMillis >= alarm.forMillis
      active.set(key, { alarm: alarm.name, labels, sinceMillis, firing })
      if (firing ? before?.firing !== true : before === undefined) {
        changes.push({ alarm: alarm.name, labels, state: firing ? "firing" : "pending", millis, value })
      }
    }
  })
  for (const [key, { alarm, labels }] of state.active) {
    if (!active.has(key)) changes.push({ alarm, labels, state: "resolved", millis, value: undefined })
  }
  return [changes, { history, active }]
}

/**
 * Everything that the alarms do over a recording, in its order.
 *
 * @category evaluation
 * @since 0.1.0
 */
export const evaluate = (alarms: ReadonlyArray<Alarm>, samples: Iterable<Sample>): ReadonlyArray<Change> => {
  const all: Array<Change> = []
  let state = initial
  for (const sample of samples) {
    const [changes, next] = step(alarms, state, sample)
    all.push(...changes)
    state = next
  }
  return all
}

/**
 * The alarms as a rule file of Prometheus, over the names that `Names.prometheus` gives the metrics.
 *
 * @category exporting
 * @since 0.1.0
 */
export const toPrometheusRules = (alarms: ReadonlyArray<Alarm>, options: {
  /** The name of the group of rules. Default `effect-lifecycle`. */
  readonly group?: string | undefined
  /** How often Prometheus scrapes, and looks at the rules. Default 15 seconds. */
  readonly scrapeInterval?: Duration.Input | undefined
} = {}): string => {
  const interval = millisOf("toPrometheusRules", "scrapeInterval", options.scrapeInterval ?? "15 seconds")
  if (interval === 0) throw invalid("toPrometheusRules", "scrapeInterval", interval, "above 0")
  const names = new Set<string>()
  for (const { condition: { windowMillis }, name } of alarms) {
    if (names.has(name)) throw invalid("toPrometheusRules", "name", name, "another one for each alarm")
    names.add(name)
    if (windowMillis >= 2 * interval) continue
    throw invalid(
      "toPrometheusRules",
      `the window of ${name}`,
      windowMillis,
      `two scrapes, ${2 * interval} ms, or more`
    )
  }
  return rules.render(options.group ?? "effect-lifecycle", interval, alarms)
}

const byRoute = [labels.service, labels.method, labels.route]

const metricsOf = (condition: Condition): ReadonlyArray<string> => {
  switch (condition._tag) {
    case "Use":
      return [condition.used.id, condition.limit]
    case "Quantile":
      return [condition.histogram]
    case "Increase":
      return [condition.counter]
  }
}

const equal = (label: string, value: string | undefined): ReadonlyArray<Matcher> =>
  value === undefined ? [] : [{ label, equals: value }]

const routeOf = (alarm: string, route: string): ReadonlyArray<Matcher> => {
  const [method = "", path = "", ...rest] = route.split(" ")
  if (!/^[A-Z]+$/.test(method) || !path.startsWith("/") || rest.length > 0) {
    throw invalid(alarm, "route", route, "a method and a route's template, such as \"POST /orders\"")
  }
  return [{ label: labels.method, equals: method }, { label: labels.route, equals: path }]
}

const millisOf = (alarm: string, option: string, input: Duration.Input): number => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(input))
  if (Number.isSafeInteger(millis)) return millis
  throw invalid(alarm, option, millis, "a finite time in whole milliseconds")
}

const windowOf = (alarm: string, input: Duration.Input): number => {
  const millis = millisOf(alarm, "window", input)
  if (millis > 0) return millis
  throw invalid(alarm, "window", millis, "longer than zero")
}

const invalid = (alarm: string, option: string, value: number | string, allowed: string): InvalidAlarm =>
  new InvalidAlarm({ alarm, option, value: String(value), allowed })
