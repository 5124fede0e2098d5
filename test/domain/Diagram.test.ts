import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import {
  ChainOfResponsibility,
  Command,
  Diagram,
  Domain,
  DomainEvent,
  type Hooks,
  Mediator,
  Middleware,
  Query,
  Saga
} from "effect-lifecycle/domain"
import { CircuitBreaker } from "effect-lifecycle/resilience"
import { Projection } from "effect-lifecycle/store"
import { joinHandler, UserJoined } from "./support/meetings.ts"
import { byIdHandler, cancelHandler, payHandler, placeHandler } from "./support/orders.ts"
import { memory } from "./support/store.ts"

/** The lines of a flow chart that Mermaid's grammar takes, as far as diagrams use it. */
const label = String.raw`"(?:[\p{L}\p{M}\p{N} .,/@()_-]|#\d+;)+"`
const node = new RegExp(
  String
    .raw`^ +n\d+(\[${label}\]|\[\[${label}\]\]|\(\[${label}\]\)|\(${label}\)|\[/${label}/\]|\[\(${label}\)\]|\{\{${label}\}\})$`,
  "u"
)
const edge = new RegExp(String.raw`^  [ng]\d+ (-->|-\.->)(\|${label}\|)? [ng]\d+$`, "u")
const open = new RegExp(String.raw`^ +subgraph g\d+\[${label}\]$`, "u")

/** Says which line is not of the grammar, or names what is not there. */
const parse = (text: string) => {
  const [first, ...lines] = text.split("\n")
  assert.match(first ?? "", /^flowchart (LR|TB)$/)
  const known = new Set<string>()
  let depth = 0
  for (const line of lines) {
    if (open.test(line)) {
      depth++
      known.add(/g\d+/.exec(line)![0])
    } else if (/^ +end$/.test(line)) depth--
    else if (node.test(line)) {
      const [id = ""] = /n\d+/.exec(line)!
      assert.isFalse(known.has(id), `${id} twice`)
      known.add(id)
    } else {
      assert.match(line, edge)
      assert.strictEqual(depth, 0)
      const ends = line.replaceAll(/"[^"]*"/g, "").match(/[ng]\d+/g) ?? []
      for (const end of ends) assert.isTrue(known.has(end), `${line}: there is no ${end}`)
    }
  }
  assert.strictEqual(depth, 0)
  return text
}

const nodes = /^ +(n\d+)[^"\s]+"([^"]*)"/gm

const edges = (text: string) => {
  const labels = new Map(
    [...text.matchAll(nodes)].map(([, id = "", label = ""]) => [id, label])
  )
  for (const [, id = "", label = ""] of text.matchAll(/subgraph (g\d+)\["([^"]*)"\]/g)) labels.set(id, label)
  return [...text.matchAll(/^  ([ng]\d+) (-->|-\.->)(?:\|"([^"]*)"\|)? ([ng]\d+)$/gm)].map(
    ([, from = "", arrow = "", label, to = ""]) =>
      `${labels.get(from)} ${label === undefined ? arrow : `${arrow.replace(">", "")} ${label} ${arrow}`} ${
        labels.get(to)
      }`
  )
}

const Pay = Command.make("payments.Pay", { success: Schema.String, error: ChainOfResponsibility.NotHandled })
const Ids = Query.make("orders.Ids")
const link = (name: string) => ChainOfResponsibility.link(Pay, { name, handle: () => ChainOfResponsibility.pass })

describe("Diagram.domain", () => {
  it("draws commands, aggregates, events, those who are told, queries and rows", () => {
    const text = parse(Diagram.domain([
      placeHandler,
      payHandler,
      byIdHandler,
      joinHandler,
      Domain.eventHandler(UserJoined, { name: "greeter", handle: () => Effect.void }),
      Domain.eventHandler(UserJoined, { name: "invoice", durable: true, handle: () => Effect.void })
    ]))
    assert.deepStrictEqual(edges(text), [
      "orders.Place --> Order",
      "orders.Pay --> Order",
      "meetings.Join --> Meeting",
      "Order --> OrderPlaced",
      "Order --> OrderPaid",
      "Order --> OrderCancelled",
      "Order --> orders",
      "Meeting --> UserJoined",
      "UserJoined --> greeter",
      "UserJoined -- durable --> invoice"
    ])
    assert.include(text, "[/\"orders.ById\"/]")
  })

  it.effect("draws chains and fallbacks as they are composed", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "pay",
        trip: CircuitBreaker.consecutive(3),
        breakDuration: "1 minute"
      })
      const chain = ChainOfResponsibility.make(Pay, [
        link("card"),
        ChainOfResponsibility.withFallback(link("transfer"), { fallback: link("letter") })
      ])
      const text = parse(Diagram.domain([
        Domain.withFallback(chain, { fallback: Domain.handler(Pay, () => Effect.succeed("by hand")), breaker }),
        Domain.withFallback(payHandler, { fallback: Domain.handler(payHandler.definition, () => Effect.die("away")) })
      ]))
      assert.deepStrictEqual(edges(text), [
        "transfer -.- fallback of transfer -.-> letter",
        "card -.- passes on -.-> transfer",
        "chain payments.Pay -.- fallback of payments.Pay, circuit -.-> a function",
        "payments.Pay --> card",
        "Order -.- fallback of orders.Pay -.-> a function",
        "orders.Pay --> Order",
        "Order --> OrderPlaced",
        "Order --> OrderPaid",
        "Order --> OrderCancelled",
        "Order --> orders"
      ])
    }))

  it("draws projections behind the events, or behind all events of the aggregates, that they want", () => {
    const make = (name: string, filter: { types?: ReadonlyArray<string>; categories?: ReadonlyArray<string> }) =>
      Projection.make({ name, version: 2, schema: Schema.String, handle: () => Effect.void, ...filter })
    const text = parse(Diagram.domain([placeHandler], {
      projections: [
        make("totals", { types: ["OrderPlaced", "Refunded"] }),
        make("audit", { categories: ["Order"] }),
        make("all", {})
      ]
    }))
    assert.deepStrictEqual(edges(text).slice(5), [
      "OrderPlaced --> totals (version 2)",
      "Refunded --> totals (version 2)",
      "Order -- all events --> audit (version 2)",
      "Order -- all events --> all (version 2)"
    ])
  })

  it("shows a handler that is added, and nothing of one that is not there", () => {
    const before = Diagram.domain([placeHandler])
    assert.notInclude(before, "orders.Cancel")
    const after = parse(Diagram.domain([placeHandler, cancelHandler]))
    assert.includeMembers(edges(after), ["orders.Cancel --> Order"])
    assert.strictEqual(Diagram.domain([placeHandler]), before)
  })

  it.prop("is valid whatever the names are", { names: Schema.Array(Schema.String) }, ({ names }) => {
    const events = [...new Set(names)].map((name) => DomainEvent.make(name === "" ? "x" : name, { schema: {} }))
    parse(
      Diagram.domain(events.map((event) => Domain.eventHandler(event, { name: event.type, handle: () => Effect.void })))
    )
  })

  it("shows names as they are", () => {
    const name = (text: string) =>
      Diagram.saga({ name: text, version: 1, steps: [] }).split("\n")[1]?.replace(/^.*"(.*) \(version 1\)".*$/u, "$1")
    assert.strictEqual(name("end \"of\" <b>#1;"), "end #34;of#34; #60;b#62;#35;1#59;")
    assert.strictEqual(name("1. `a`\n| b_c _d_ 😀"), "1#46; #96;a#96; #124; b_c #95;d#95; #128512;")
    assert.strictEqual(name("- a\u{d800}b Größe"), "#45; a#65533;b Größe")
  })
})

const money = Saga.make({ name: "order", input: Schema.String, error: Schema.String })
const run = () => Effect.void
const order = money
  .step("reserve", { run, compensate: run })
  .step("check", { run })
  .step("charge", { run, compensate: run, fallback: { run } })

describe("Diagram.saga", () => {
  it("draws the steps in order, what undoes them in reverse, and fallbacks", () => {
    assert.deepStrictEqual(edges(parse(Diagram.saga(order.step("ship", { run, transactional: true })))), [
      "order (version 1) --> reserve",
      "reserve -.- fails -.-> undone",
      "undo reserve --> undone",
      "reserve --> check",
      "check -.- fails -.-> undo reserve",
      "check --> charge",
      "charge -.- fails -.-> fallback of charge",
      "fallback of charge -.- fails -.-> undo reserve",
      "undo charge --> undo reserve",
      "charge --> ship, in a transaction",
      "fallback of charge --> ship, in a transaction",
      "ship, in a transaction -.- fails -.-> undo charge",
      "ship, in a transaction --> done"
    ])
  })

  it("draws no way back behind a pivot", () => {
    const text = parse(Diagram.saga(order.step("send", { run, pivot: true }).step("tell", { run, compensate: run })))
    assert.deepStrictEqual(edges(text).slice(-4), [
      "send, pivot -.- fails -.-> undo charge",
      "send, pivot --> tell",
      "tell -.- fails -.-> parked",
      "tell --> done"
    ])
    assert.notInclude(text, "undo tell")
  })

  it("shows a step that is added", () => {
    assert.notInclude(Diagram.saga(order), "ship")
    assert.include(Diagram.saga(order.step("ship", { run })), "\"ship\"")
  })
})

describe("Diagram.pipeline", () => {
  it.effect("draws middleware, hooks and the transaction in the order in which they run", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const note = (line: string) => Effect.sync(() => void log.push(line))
      const outer: Middleware.Middleware = (request, self) =>
        request.kind === "event" ? self : Effect.ensuring(Effect.andThen(note("outer in"), self), note("outer out"))
      const inner: Middleware.Middleware = (request, self) =>
        request.kind === "event" ? self : Effect.ensuring(Effect.andThen(note("inner in"), self), note("inner out"))
      const hooks: Hooks.Hooks = {
        beforeCommand: () => note("beforeCommand"),
        beforeStore: () => note("beforeStore"),
        afterCommand: () => note("afterCommand")
      }
      const handlers = [
        joinHandler,
        Domain.eventHandler(UserJoined, { name: "greeter", handle: () => note("tell greeter on UserJoined") })
      ] as const
      const options = { middleware: [outer, inner], hooks: [hooks] }
      yield* Mediator.send(joinHandler.definition, { meetingId: "m", userId: "u" }).pipe(
        Effect.provide(Domain.toLayer(handlers, options).pipe(Layer.provide(memory)))
      )
      const text = parse(Diagram.pipeline(joinHandler, { ...options, handlers }))
      const labels = [...text.matchAll(nodes)].map(([, , label = ""]) => label)
      assert.deepStrictEqual(labels.filter((label) => log.includes(label)), log)
      assert.deepStrictEqual(labels, [
        "meetings.Join",
        "outer in",
        "inner in",
        "beforeCommand",
        "look up the command id",
        "load Meeting",
        "decide",
        "beforeStore",
        "append",
        "commit",
        "tell greeter on UserJoined",
        "afterCommand",
        "inner out",
        "outer out",
        "answer"
      ])
    }))

  it("draws what is there and nothing else", () => {
    const bare = parse(Diagram.pipeline(Domain.handler(Ids, () => Effect.void)))
    assert.deepStrictEqual(edges(bare), ["orders.Ids --> a function", "a function --> answer"])
    const durable = Domain.eventHandler(UserJoined, { name: "x", durable: true, handle: () => Effect.void })
    const hook: Hooks.Hooks = { afterStore: () => Effect.void }
    const full = parse(Diagram.pipeline(placeHandler, {
      server: [{ name: "server/RequestIds", reports: "Middleware" }, { name: "server/Auth", reports: "Security" }],
      middleware: [Middleware.make((_request, self) => self)],
      hooks: [hook, hook],
      handlers: [durable]
    }))
    assert.deepStrictEqual(edges(full).filter((edge) => !edge.includes("append")), [
      "look up the command id --> load Order",
      "load Order --> decide",
      "write the row in orders --> commit",
      "orders.Place --> server/RequestIds (Middleware)",
      "server/RequestIds (Middleware) --> server/Auth (Security)",
      "server/Auth (Security) --> middleware 1 in",
      "middleware 1 in --> look up the command id",
      "commit --> afterStore (2 hooks)",
      "afterStore (2 hooks) --> middleware 1 out",
      "middleware 1 out --> answer"
    ])
    const query = parse(Diagram.pipeline(byIdHandler, { hooks: [hook] }))
    assert.notInclude(query, "afterStore")
  })

  it("draws a chain or a fallback as one part of the way", () => {
    const chain = ChainOfResponsibility.make(Pay, [link("card"), link("transfer")])
    assert.deepStrictEqual(edges(parse(Diagram.pipeline(chain))), [
      "card -.- passes on -.-> transfer",
      "payments.Pay --> handler",
      "handler --> answer"
    ])
  })
})
