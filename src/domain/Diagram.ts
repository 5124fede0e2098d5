/**
 * Mermaid diagrams of what is really defined: of handlers, of a saga, of the way one request takes.
 *
 * - {@link domain}: which command goes to which aggregate, which events it stores, who is told of them; queries, chains and
 *   fallbacks.
 * - {@link saga}: steps in order, what undoes them in reverse, fallbacks, and where there is no way back.
 * - {@link pipeline}: what one request passes, in order: stages of a server, middleware, hooks, transaction.
 *
 * They are made from the same values that `Domain.toLayer`, `Saga` and `ServerStack` take, so they cannot tell of a step
 * that does not exist, or forget one. The same definitions make the same text, so it can stand in a README and a test can
 * compare it. Any name can be drawn: what Mermaid would read as its own is escaped.
 *
 * **Gotchas**
 *
 * - What a function does is not known: the commands it sends and the follow-up events it answers are not drawn.
 * - Which of an aggregate's commands stores which of its events only `decide` knows: each aggregate has all its events.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Aggregate, Command, Diagram, Domain, DomainEvent } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Join = Command.make("meetings.Join", { payload: { id: Schema.String }, aggregateId: ({ id }) => id })
 * const Joined = DomainEvent.make("Joined", { schema: {} })
 * const Meeting = Aggregate.make({
 *   name: "Meeting",
 *   state: Schema.Struct({ users: Schema.Int }),
 *   initial: { users: 0 },
 *   commands: [Join],
 *   events: [Joined],
 *   decide: { "meetings.Join": () => Effect.succeed([Joined.make({})]) },
 *   evolve: { Joined: ({ users }) => ({ users: users + 1 }) }
 * })
 *
 * const handlers = [
 *   Domain.aggregateHandler(Join, Meeting, { reply: () => undefined }),
 *   Domain.eventHandler(Joined, { name: "greeter", handle: () => Effect.void })
 * ]
 * assert.equal(
 *   Diagram.domain(handlers),
 *   [
 *     "flowchart LR",
 *     "  n1[\"meetings.Join\"]",
 *     "  n2[[\"Meeting\"]]",
 *     "  n3([\"Joined\"])",
 *     "  n4(\"greeter\")",
 *     "  n1 --> n2",
 *     "  n2 --> n3",
 *     "  n3 --> n4"
 *   ].join("\n")
 * )
 * ```
 *
 * @since 0.1.0
 */
import type { Filter } from "../store/Subscription.ts"
import type * as Hooks from "./Hooks.ts"
import { drawHandler } from "./internal/drawHandler.ts"
import { type AnyHandler, type AnyRequest, eventsOf, type Part } from "./internal/handler/handler.ts"
import { type FlowChart, flowChart, type Shape } from "./internal/mermaid.ts"
import type { Middleware } from "./Middleware.ts"
import type * as Saga from "./Saga.ts"

/**
 * A projection of the store, as far as a diagram has to know it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Projection extends Filter {
  readonly name: string
  readonly version: number
}

/**
 * The handlers of a domain: commands to aggregates to events to those who are told of them. Commands stand in boxes, queries
 * in slanted ones, aggregates in double ones, events in pills, functions in round ones, rows in drums.
 *
 * @category constructors
 * @since 0.1.0
 */
export const domain = (
  handlers: ReadonlyArray<AnyHandler>,
  options: {
    /** Projections that are kept from the events; the rows of an aggregate's own are drawn without. */
    readonly projections?: ReadonlyArray<Projection> | undefined
    /** Left to right when absent. */
    readonly direction?: "LR" | "TB" | undefined
  } = {}
): string => {
  const chart = flowChart(options.direction ?? "LR")
  const eventNode = (type: string) => chart.node(`event ${type}`, type, "pill")
  for (const handler of handlers) {
    if (handler.kind !== "event") {
      const from = chart.node(
        `request ${handler.tag}`,
        handler.tag,
        isCommand(handler) ? "box" : "slanted"
      )
      // A function alone is what the request is called.
      if (handler.part._tag !== "Function") {
        chart.edge(from, drawHandler(chart, handler, handler.tag, handler.tag).entry)
      }
    }
  }
  const aggregates = aggregatesOf(handlers)
  for (const { aggregate, events, rows } of aggregates) {
    const id = chart.node(`aggregate ${aggregate}`, aggregate, "double")
    for (const event of events) chart.edge(id, eventNode(event.type))
    if (rows !== undefined) chart.edge(id, chart.node(`rows ${rows}`, rows, "drum"))
  }
  for (const handler of handlers) {
    if (handler.kind !== "event") continue
    const { entry } = drawHandler(chart, handler, "", JSON.stringify([handler.type, handler.name]))
    chart.edge(eventNode(handler.type), entry, handler.durable ? { label: "durable" } : {})
  }
  for (const { categories, name, types, version } of options.projections ?? []) {
    const rows = chart.node(`projection ${name} ${version}`, `${name} (version ${version})`, "drum")
    if (types !== undefined) {
      for (const type of types) chart.edge(eventNode(type), rows)
      continue
    }
    for (const name of categories ?? aggregates.map(({ aggregate }) => aggregate)) {
      chart.edge(chart.node(`aggregate ${name}`, name, "double"), rows, { label: "all events" })
    }
  }
  return chart.text()
}

/**
 * A saga: its steps in order, what undoes them in reverse, and how it can end.
 *
 * @category constructors
 * @since 0.1.0
 */
export const saga = (
  definition: Pick<Saga.Any, "name" | "version" | "steps">,
  options: { readonly direction?: "LR" | "TB" | undefined } = {}
): string => {
  const { name, steps, version } = definition
  const chart = flowChart(options.direction ?? "LR")
  const start = chart.node("start", `${name} (version ${version})`, "pill")
  const forth = steps.map((step) => ({
    step,
    run: chart.node(`run ${step.id}`, [step.id, ...traitsOf(step)].join(", "), "box"),
    fallback: step.hasFallback ? chart.node(`fallback ${step.id}`, `fallback of ${step.id}`, "round") : undefined
  }))
  const done = chart.node("done", "done", "pill")
  const undone = () => chart.node("undone", "undone", "pill")

  let before: ReadonlyArray<string> = [start]
  // Where a failure goes: to what undoes the steps so far, the last first; behind a pivot to a person.
  let back: string | undefined
  let beyond = false
  for (const { fallback, run, step } of forth) {
    for (const from of before) chart.edge(from, run)
    if (fallback !== undefined) chart.edge(run, fallback, { dotted: true, label: "fails" })
    chart.edge(fallback ?? run, back ?? undone(), { dotted: true, label: "fails" })
    before = fallback === undefined ? [run] : [run, fallback]
    if (step.pivot) {
      beyond = true
      back = chart.node("parked", "parked", "pill")
    } else if (step.hasCompensation && !beyond) {
      const own = chart.node(`undo ${step.id}`, `undo ${step.id}`, "hexagon")
      chart.edge(own, back ?? undone())
      back = own
    }
  }
  for (const from of before) chart.edge(from, done)
  return chart.text()
}

/**
 * A stage of a server, as `ServerStack.describe` gives them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stage {
  readonly name: string
  /** The stage of the road that it reports as. */
  readonly reports: string
}

/**
 * The way of one request, from the first stage of a server to its answer, with the options of the `Domain.toLayer` that
 * installs its handler. What is not there is not drawn: no hook, no node.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pipeline = (
  handler: AnyRequest,
  options: {
    readonly server?: ReadonlyArray<Stage> | undefined
    readonly middleware?: ReadonlyArray<Middleware> | undefined
    readonly hooks?: ReadonlyArray<Hooks.Hooks<unknown>> | undefined
    /** Those who may be told of the events: the handlers of the layer. */
    readonly handlers?: ReadonlyArray<AnyHandler> | undefined
    /** Top to bottom when absent. */
    readonly direction?: "LR" | "TB" | undefined
  } = {}
): string => {
  const { handlers = [], hooks = [], middleware = [], server = [] } = options
  const chart = flowChart(options.direction ?? "TB")
  const request = chart.node("request", handler.tag, "pill")
  const hook = (point: keyof Hooks.Hooks) => {
    const count = isCommand(handler) ? hooks.filter((each) => each[point] !== undefined).length : 0
    return count === 0 ? [] : [step(chart, count === 1 ? point : `${point} (${count} hooks)`)]
  }
  const onion = (way: "in" | "out") => {
    const each = middleware.map(({ name }, index) => `${name === "" ? `middleware ${index + 1}` : name} ${way}`)
    return (way === "in" ? each : each.toReversed()).map((label) => step(chart, label))
  }
  const stages = server.length === 0
    ? []
    : chart.group("server", () => server.map(({ name, reports }) => step(chart, `${name} (${reports})`))).drawn
  const inside = chart.group("domain", () => [
    ...onion("in"),
    ...hook("beforeCommand"),
    handled(chart, handler, hook),
    ...hook("afterStore"),
    ...told(chart, handler, handlers),
    ...hook("afterCommand"),
    ...onion("out")
  ]).drawn
  joined(chart, [
    { entry: request, exit: request },
    ...stages,
    ...inside,
    step(chart, "answer", "pill")
  ])
  return chart.text()
}

/** A part of a way. */
interface Segment {
  readonly entry: string
  readonly exit: string
}

const isCommand = ({ definition }: AnyRequest): boolean => "kind" in definition && definition.kind === "command"

const step = (chart: FlowChart, label: string, shape: Shape = "box"): Segment => {
  const id = chart.node(`step ${label}`, label, shape)
  return { entry: id, exit: id }
}

const joined = (chart: FlowChart, segments: ReadonlyArray<Segment>): void =>
  segments.forEach(({ entry }, index) => {
    const previous = segments[index - 1]
    if (previous !== undefined) chart.edge(previous.exit, entry)
  })

const handled = (
  chart: FlowChart,
  handler: AnyRequest,
  hook: (point: keyof Hooks.Hooks) => ReadonlyArray<Segment>
): Segment => {
  const { part, tag } = handler
  if (part._tag === "Function") return step(chart, "a function", "round")
  if (part._tag !== "Aggregate") {
    const { id } = chart.group("handler", () => drawHandler(chart, handler, tag, tag))
    return { entry: id, exit: id }
  }
  const { drawn, id } = chart.group("transaction", () => [
    step(chart, "look up the command id"),
    step(chart, `load ${part.aggregate}`),
    step(chart, "decide"),
    ...hook("beforeStore"),
    step(chart, "append"),
    ...part.rows === undefined ? [] : [step(chart, `write the row in ${part.rows}`)],
    step(chart, "commit")
  ])
  joined(chart, drawn)
  const [first] = drawn
  const last = drawn.at(-1)
  if (first === undefined || last === undefined) return { entry: id, exit: id }
  chart.edge(step(chart, "append").entry, first.entry, { dotted: true, label: "conflict, again" })
  return { entry: first.entry, exit: last.exit }
}

/** Those who are told before the answer: not the durable ones, which a subscription tells. */
const told = (chart: FlowChart, handler: AnyRequest, handlers: ReadonlyArray<AnyHandler>): ReadonlyArray<Segment> => {
  const types = new Set(eventsOf(handler.part).map((event) => event.type))
  const names = handlers.flatMap((one) =>
    one.kind === "event" && !one.durable && types.has(one.type) ? [`${one.name} on ${one.type}`] : []
  )
  return names.length === 0 ? [] : [step(chart, `tell ${names.join(", ")}`)]
}

/** The aggregates in the handlers, each once. */
const aggregatesOf = (handlers: ReadonlyArray<AnyHandler>) => {
  const found = new Map<string, Extract<Part, { readonly _tag: "Aggregate" }>>()
  const look = (part: Part): void => {
    switch (part._tag) {
      case "Function":
        return
      case "Aggregate":
        found.set(part.aggregate, part)
        return
      case "Fallback":
        look(part.primary.part)
        look(part.fallback.part)
        return
      case "Chain":
        for (const link of part.links) look(link.part)
    }
  }
  for (const handler of handlers) look(handler.part)
  return [...found.values()]
}

const traitsOf = ({ hasBreaker, pivot, transactional }: Saga.StepInfo): ReadonlyArray<string> => [
  ...transactional ? ["in a transaction"] : [],
  ...hasBreaker ? ["circuit"] : [],
  ...pivot ? ["pivot"] : []
]
