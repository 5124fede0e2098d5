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

/** One metric object for each combination of labels: making one for each update would build its key each time. */
const series = <Keys extends ReadonlyArray<string>>(
  keys: Keys,
  make: (attributes: Record<string, string>) => Updatable
): (...values: { readonly [K in keyof Keys]: string }) => Updatable => {
  const known = new Map<string, Updatable>()
  const named = (values: ReadonlyArray<string>) =>
    make(Object.fromEntries(keys.map((key, index) => [key, values[index] ?? ""])))
  let rest: Updatable | undefined
  return (...values) => {
    const id = values.length === 1 ? values[0] ?? "" : values.join("\u0000")
    const found = known.get(id)
    if (found !== undefined) return found
    if (known.size >= maxSeries) return rest ??= named(keys.map(() => Names.other))
    const made = named(values)
    known.set(id, made)
    return made
  }
}

export const histogram = <const Keys extends ReadonlyArray<string>>(
  name: string,
  description: string,
  keys: Keys,
  bounds: ReadonlyArray<number> = boundaries
) =>
  series(
    keys,
    (attributes) =>
      Metric.histogram(name, { description, boundaries: bounds, attributes: { ...attributes, unit: "s" } })
  )

export const counter = <const Keys extends ReadonlyArray<string>>(name: string, description: string, keys: Keys) =>
  series(keys, (attributes) => Metric.counter(name, { description, attributes, incremental: true }))

export const gauge = <const Keys extends ReadonlyArray<string>>(name: string, description: string, keys: Keys) =>
  series(keys, (attributes) => Metric.gauge(name, { description, attributes }))
