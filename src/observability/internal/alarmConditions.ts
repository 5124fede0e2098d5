/** Whether the condition of an alarm holds, over the samples that are remembered. */
import type { Condition, Increase, Matcher, Quantile, Sample, Series, Use } from "./alarmModels.ts"

/** A sample, and what its counters and histograms have gained since the one before. */
export interface Remembered {
  readonly millis: number
  readonly series: ReadonlyMap<string, Series>
  readonly gains: ReadonlyArray<Series>
}

/** One group of labels for which the condition holds now. */
export interface Match {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const keyOf = (id: string, labels: Readonly<Record<string, string>>): string =>
  JSON.stringify([id, Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1)])

/** A count that is lower than before belongs to a process that began anew. */
const gain = (now: number, before: number): number => now < before ? now : now - before

const gained = (now: Series, before: Series | undefined): Series => {
  if (before === undefined) return now
  const value = gain(now.value, before.value)
  if (now.buckets === undefined) return { ...now, value }
  const base = now.value < before.value ? [] : before.buckets ?? []
  return { ...now, value, buckets: now.buckets.map(([bound, count], i) => [bound, count - (base[i]?.[1] ?? 0)]) }
}

export const remember = (sample: Sample, before: Remembered | undefined): Remembered => {
  const series = new Map(sample.series.map((one) => [keyOf(one.id, one.labels), one]))
  return {
    millis: sample.millis,
    series,
    // What was there when the recording began has happened before it.
    gains: before === undefined ? [] : [...series].map(([key, one]) => gained(one, before.series.get(key)))
  }
}

const matches = (series: Series, id: string, where: ReadonlyArray<Matcher>): boolean =>
  series.id === id && where.every((matcher) => {
    const value = series.labels[matcher.label] ?? ""
    return "equals" in matcher ? value === matcher.equals : new RegExp(`^(?:${matcher.matches})$`).test(value)
  })

const only = (labels: Readonly<Record<string, string>>, keys: ReadonlyArray<string>) =>
  Object.fromEntries(keys.flatMap((key) => labels[key] === undefined ? [] : [[key, labels[key]]]))

/** The series in groups of the same `by` labels. */
const grouped = (series: Iterable<Series>, by: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<Series>> => {
  const groups = new Map<string, Array<Series>>()
  for (const one of series) {
    const key = keyOf("", only(one.labels, by))
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return [...groups.values()]
}

const labelsOf = (group: ReadonlyArray<Series>, by: ReadonlyArray<string>) => only(group[0]?.labels ?? {}, by)

const sum = (group: ReadonlyArray<Series>): number => group.reduce((total, one) => total + one.value, 0)

const use = ({ atLeast, limit, used, where }: Use, window: ReadonlyArray<Remembered>): ReadonlyArray<Match> => {
  const now = window.at(-1)
  if (now === undefined) return []
  return [...now.series].flatMap(([key, one]) => {
    if (!matches(one, used.id, where)) return []
    const labels = only(one.labels, used.by)
    const most = now.series.get(keyOf(limit, labels))?.value
    if (most === undefined || most <= 0) return []
    const values = window.flatMap(({ series }) => series.get(key)?.value ?? [])
    const value = values.reduce((total, each) => total + each, 0) / values.length / most
    return value >= atLeast ? [{ labels, value }] : []
  })
}

const increase = ({ by, counter, where }: Increase, window: ReadonlyArray<Remembered>): ReadonlyArray<Match> => {
  const found = window.flatMap(({ gains }) => gains.filter((one) => matches(one, counter, where)))
  return grouped(found, by).flatMap((group) => {
    const value = sum(group)
    return value > 0 ? [{ labels: labelsOf(group, by), value }] : []
  })
}

/** As `histogram_quantile` of Prometheus: linear inside the bucket, and the last bound for what lies above it. */
export const quantileOf = (
  quantile: number,
  total: number,
  buckets: ReadonlyArray<readonly [number, number]>
): number => {
  const rank = quantile * total
  let lower = 0
  let below = 0
  for (const [bound, count] of buckets) {
    if (count >= rank) return count === below ? bound : lower + (bound - lower) * ((rank - below) / (count - below))
    lower = bound
    below = count
  }
  return lower
}

const quantile = (condition: Quantile, window: ReadonlyArray<Remembered>): ReadonlyArray<Match> => {
  const { above, by, histogram, minimum, where } = condition
  const found = window.flatMap(({ gains }) => gains.filter((one) => matches(one, histogram, where)))
  return grouped(found, by).flatMap((group) => {
    const total = sum(group)
    if (total < minimum) return []
    const counts = new Map<number, number>()
    for (const { buckets = [] } of group) {
      for (const [bound, count] of buckets) counts.set(bound, (counts.get(bound) ?? 0) + count)
    }
    const value = quantileOf(condition.quantile, total, [...counts].sort(([a], [b]) => a - b))
    return value > above ? [{ labels: labelsOf(group, by), value }] : []
  })
}

/** The groups for which the condition holds at the last of the samples. */
export const holds = (condition: Condition, history: ReadonlyArray<Remembered>): ReadonlyArray<Match> => {
  const since = (history.at(-1)?.millis ?? 0) - condition.windowMillis
  const window = history.filter(({ millis }) => millis > since)
  switch (condition._tag) {
    case "Use":
      return use(condition, window)
    case "Quantile":
      return quantile(condition, window)
    case "Increase":
      return increase(condition, window)
  }
}
