/** Alarms as a rule file of Prometheus. */
import type { Alarm, Condition, Matcher } from "./alarmModels.ts"
import * as Names from "../Names.ts"

/** The longest unit that divides it, as Prometheus writes times: `1m`, `90s`, `250ms`. */
export const duration = (millis: number): string => {
  for (const [unit, size] of [["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const) {
    if (millis % size === 0) return `${millis / size}${unit}`
  }
  return `${millis}ms`
}

const label = (key: string): string => key.replaceAll(/[^a-zA-Z0-9_]/g, "_")

/** A string of PromQL, and of YAML, escapes as one of JSON. */
const quote = (text: string): string => JSON.stringify(text)

const selector = (name: string, where: ReadonlyArray<Matcher>): string => {
  if (where.length === 0) return name
  const matchers = where.map((matcher) =>
    "equals" in matcher
      ? `${label(matcher.label)}=${quote(matcher.equals)}`
      : `${label(matcher.label)}=~${quote(matcher.matches)}`
  )
  return `${name}{${matchers.join(", ")}}`
}

const sumBy = (keys: ReadonlyArray<string>): string => `sum by (${keys.map(label).join(", ")})`

export const expression = (condition: Condition): ReadonlyArray<string> => {
  const window = `[${duration(condition.windowMillis)}]`
  switch (condition._tag) {
    case "Use": {
      const { atLeast, limit, used, where } = condition
      const ignored = where.filter((matcher) => !used.by.includes(matcher.label)).map((matcher) => label(matcher.label))
      const shared = where.filter((matcher) => used.by.includes(matcher.label))
      return [
        `avg_over_time(${selector(Names.prometheus(used.id), where)}${window})`,
        `  / ignoring (${ignored.join(", ")}) ${selector(Names.prometheus(limit), shared)}`,
        `  >= ${atLeast}`
      ]
    }
    case "Quantile": {
      const { above, by, histogram, minimum, quantile, where } = condition
      const name = Names.prometheus(histogram)
      const enough = `${sumBy(by)} (increase(${selector(`${name}_count`, where)}${window})) >= ${minimum}`
      return [
        `histogram_quantile(${quantile}, ${sumBy([...by, "le"])} (rate(${
          selector(`${name}_bucket`, where)
        }${window}))) > ${above}`,
        `  and ${enough}`
      ]
    }
    case "Increase": {
      const { by, counter, where } = condition
      const count = selector(`${Names.prometheus(counter)}_count`, where)
      // A count that was not there before begins at one: `increase` sees no growth in it, and would miss the first.
      return [
        `${sumBy(by)} (`,
        `  (increase(${count}${window}) > 0)`,
        `  or (${count} unless ${count} offset ${duration(condition.windowMillis)})`,
        `) > 0`
      ]
    }
  }
}

const rule = (alarm: Alarm): ReadonlyArray<string> => [
  `      - alert: ${quote(alarm.name)}`,
  `        expr: |-`,
  ...expression(alarm.condition).map((line) => `          ${line}`),
  ...(alarm.forMillis === 0 ? [] : [`        for: ${duration(alarm.forMillis)}`]),
  `        labels:`,
  `          severity: ${quote(alarm.severity)}`,
  `        annotations:`,
  `          summary: ${quote(alarm.summary)}`,
  `          description: ${quote(alarm.advice)}`
]

export const render = (group: string, intervalMillis: number, alarms: ReadonlyArray<Alarm>): string =>
  [
    "groups:",
    `  - name: ${quote(group)}`,
    `    interval: ${duration(intervalMillis)}`,
    "    rules:",
    ...alarms.flatMap(rule),
    ""
  ].join("\n")
