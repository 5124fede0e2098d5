/**
 * Metric objects by the values of their labels.
 */
import { type Context, Metric } from "effect"
import * as Names from "../Names.ts"

/**
 * How many combinations of labels one metric may have.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxSeries = 1000

/**
 * The upper bounds of the duration histograms, in seconds, as OpenTelemetry's conventions for HTTP have them.
 *
 * @category constants
 * @since 0.1.0
 */
export const boundaries: ReadonlyArray<number> = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.075,
  0.1,
  0.25,
  0.5,
  0.75,
  1,
  2.5,
  5,
  7.5,
  10
]

interface Updatable {
  readonly updateUnsafe: (input: number, context: Context.Context<never>) => void
  readonly modifyUnsafe: (input: number, context: Context.Context<never>) => void
}

type Node = Map<string, Node | Updatable>

/**
 * One metric object for each combination of labels: making one for each update would build its key each time. The maps are
 * nested, because joining the values to one key would cost more than the update itself.
 */
const series = <Keys extends ReadonlyArray<string>>(
  keys: Keys,
  make: (attributes: Record<string, string>) => Updatable
): (...values: { readonly [K in keyof Keys]: string }) => Updatable => {
  const root: Node = new Map()
  const last = keys.length - 1
  const named = (values: ReadonlyArray<string>) =>
    make(Object.fromEntries(keys.map((key, index) => [key, values[index] ?? ""])))
  let count = 0
  let rest: Updatable | undefined
  const single = keys.length === 0 ? named([]) : undefined
  return (...values) => {
    if (single !== undefined) return single
    let node = root
    for (let index = 0; index < last; index++) {
      const value = values[index] ?? ""
      const next = node.get(value)
      if (next instanceof Map) node = next
      else {
        if (count >= maxSeries) return rest ??= named(keys.map(() => Names.other))
        const made: Node = new Map()
        node.set(value, made)
        node = made
      }
    }
    const value = values[last] ?? ""
    const found = node.get(value)
    if (found !== undefined && !(found instanceof Map)) return found
    if (count >= maxSeries) return rest ??= named(keys.map(() => Names.other))
    const made = named(values)
    count++
    node.set(value, made)
    return made
  }
}

export const histogram = <const Keys extends ReadonlyArray<string>>(
  name: string,
  description: string,
  keys: Keys,
  bounds: ReadonlyArray<number> = boundaries,
  unit: "s" | "By" = "s"
) =>
  series(
    keys,
    (attributes) => Metric.histogram(name, { description, boundaries: bounds, attributes: { ...attributes, unit } })
  )

export const counter = <const Keys extends ReadonlyArray<string>>(name: string, description: string, keys: Keys) =>
  series(keys, (attributes) => Metric.counter(name, { description, attributes, incremental: true }))

export const gauge = <const Keys extends ReadonlyArray<string>>(name: string, description: string, keys: Keys) =>
  series(keys, (attributes) => Metric.gauge(name, { description, attributes }))
