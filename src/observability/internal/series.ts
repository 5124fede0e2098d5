/**
 * Metric objects by the values of their labels, and a short way to their numbers.
 *
 * Effect finds a metric's numbers anew with every update: by its key, in the registry of the context. A request makes a
 * dozen updates, and that was a quarter of what the whole server stack costs. So a series finds its place in a registry
 * once, and a histogram only notes a value: values are sorted into their buckets when somebody reads, or when there is no
 * room for more.
 */
import { Context, type Fiber, Metric } from "effect"
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

type AnyMetric = Metric.Metric<number, unknown>

/** The numbers of one series in one registry. */
interface Place {
  readonly update: (value: number) => void
  readonly modify: (delta: number) => void
}

/** Values that a histogram has noted and not sorted. */
const room = 64

/** Puts the metric into the registry of the context, under its name and labels, with numbers of its own. */
const settle = (metric: AnyMetric, context: Context.Context<never>): Place => {
  const own = new Map<string, Metric.Metric.Metadata<number, unknown>>()
  const attributes = Context.get(context, Metric.CurrentMetricAttributes)
  const home = Context.make(Metric.MetricRegistry, own as Metric.MetricRegistry).pipe(
    Context.add(Metric.CurrentMetricAttributes, attributes)
  )
  metric.valueUnsafe(home)
  const [hooks] = Array.from(own.values(), (metadata) => metadata.hooks)
  if (hooks === undefined) throw new Error(`The metric ${metric.id} has no place in its registry`)
  const noted = new Float64Array(metric.type === "Histogram" ? room : 0)
  let count = 0
  const sort = () => {
    for (let index = 0; index < count; index++) hooks.update(noted[index] ?? 0, home)
    count = 0
  }
  Metric.registerUnsafe(metric, context, {
    get: () => {
      sort()
      return hooks.get(home)
    },
    update: () => {},
    modify: () => {}
  })
  return {
    update: metric.type === "Histogram"
      ? (value) => {
        if (count === room) sort()
        noted[count++] = value
      }
      : (value) => hooks.update(value, home),
    modify: (delta) => hooks.modify(delta, home)
  }
}

/** Every recorder that writes into a registry shares its places: a second one for the same series would hide the first. */
const places = new WeakMap<Metric.MetricRegistry, Map<string, Place>>()

const placeOf = (metric: AnyMetric, context: Context.Context<never>): Place => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let known = places.get(registry)
  if (known === undefined) places.set(registry, known = new Map())
  const labels = { ...metric.attributes, ...Context.get(context, Metric.CurrentMetricAttributes) }
  const key = JSON.stringify([metric.id, Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1)])
  let place = known.get(key)
  if (place === undefined) known.set(key, place = settle(metric, context))
  return place
}

class Series {
  readonly #metric: AnyMetric
  #context: Context.Context<never> | undefined
  #place: Place | undefined

  constructor(metric: AnyMetric) {
    this.#metric = metric
  }

  updateUnsafe(value: number, context: Context.Context<never>): void {
    this.#in(context).update(value)
  }

  modifyUnsafe(delta: number, context: Context.Context<never>): void {
    this.#in(context).modify(delta)
  }

  #in(context: Context.Context<never>): Place {
    if (this.#place !== undefined && context === this.#context) return this.#place
    this.#context = context
    return this.#place = placeOf(this.#metric, context)
  }
}

/**
 * Where an update finds its registry: in a context of nothing else, and the same one as long as the registry is. A request's
 * own context is a deep one, and new with every request.
 */
export const registryOf = () => {
  let registry: Metric.MetricRegistry | undefined
  let attributes: Metric.Metric.AttributeSet | undefined
  let found: Context.Context<never> = Context.empty()
  return (fiber: Fiber.Fiber<unknown, unknown>): Context.Context<never> => {
    const currentRegistry = fiber.getRef(Metric.MetricRegistry)
    const currentAttributes = fiber.getRef(Metric.CurrentMetricAttributes)
    if (currentRegistry !== registry || currentAttributes !== attributes) {
      registry = currentRegistry
      attributes = currentAttributes
      found = Context.makeUnsafe(
        new Map<string, unknown>([
          [Metric.MetricRegistry.key, currentRegistry],
          [Metric.CurrentMetricAttributes.key, currentAttributes]
        ])
      )
    }
    return found
  }
}

type Node = Map<string, Node | Series>

/**
 * One metric object for each combination of labels: making one for each update would build its key each time. The maps are
 * nested, because joining the values to one key would cost more than the update itself.
 */
const series = <Keys extends ReadonlyArray<string>>(
  keys: Keys,
  make: (attributes: Record<string, string>) => AnyMetric
): (...values: { readonly [K in keyof Keys]: string }) => Series => {
  const root: Node = new Map()
  const last = keys.length - 1
  const named = (values: ReadonlyArray<string>) =>
    new Series(make(Object.fromEntries(keys.map((key, index) => [key, values[index] ?? ""]))))
  let count = 0
  let rest: Series | undefined
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
    if (found instanceof Series) return found
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
