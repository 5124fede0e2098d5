import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema, Stream } from "effect"
import { HttpApiClient } from "effect/http-api"
import { RpcClient, RpcGroup, RpcTest } from "effect/rpc"
import { ChainOfResponsibility, Command, Domain, Hooks, Mediator, Middleware, Query } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { joined, logging, UserJoined } from "../domain/support/meetings.ts"
import {
  Buy,
  ById,
  byIdHandler,
  Cancel,
  cancelHandler,
  Pay,
  payHandler,
  Place,
  placeHandler
} from "../domain/support/orders.ts"
import { memory } from "../domain/support/store.ts"
import { overHttp, overSocket } from "../domain/support/tickets.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const Ids = Query.stream("orders.Ids", { success: Schema.Int, error: Broken })
const Settle = Command.make("payments.Settle", {
  payload: { method: Schema.String },
  success: Schema.String,
  error: Schema.Union([Broken, ChainOfResponsibility.NotHandled])
})
const group = RpcGroup.make(Place, Pay, Cancel, Buy, ById, Ids)
const rpcs = Domain.toRpcGroup([Place, Pay, Cancel, Buy, ById, Ids])
const api = Domain.toHttpApi("orders", [Place, Pay, Cancel, Buy, ById, Ids])

const recorded = () => {
  const log: Array<string> = []
  const note = (line: string) => Effect.sync(() => void log.push(line))
  const middleware = (name: string) =>
    Middleware.make((request, self) =>
      Effect.ensuring(Effect.andThen(note(`${name} in ${request.name}`), self), note(`${name} out ${request.name}`))
    )
  const hooks: Hooks.Hooks = {
    beforeCommand: (command) => note(`beforeCommand ${command.name}`),
    beforeStore: (command) => note(`beforeStore ${command.name}`),
    afterStore: (command) => note(`afterStore ${command.name}`),
    afterCommand: (command, exit) => note(`afterCommand ${command.name} ${exit._tag}`)
  }
  const layer = Domain.toLayer([
    placeHandler,
    payHandler,
    cancelHandler,
    byIdHandler,
    Domain.handler(
      Buy,
      ({ orderId, quantity }) =>
        Mediator.send(Place, { orderId, quantity }).pipe(Effect.map((placed) => placed.version))
    ),
    Domain.streamHandler(Ids, () => Stream.make(1, 2))
  ], { middleware: [middleware("outer"), middleware("inner")], hooks: [hooks] }).pipe(Layer.provide(memory))
  return { log, layer }
}

const aggregateCommand = (name: string) => [
  `outer in ${name}`,
  `inner in ${name}`,
  `beforeCommand ${name}`,
  `beforeStore ${name}`,
  `afterStore ${name}`,
  `afterCommand ${name} Success`,
  `inner out ${name}`,
  `outer out ${name}`
]

const around = (name: string) => [`outer in ${name}`, `inner in ${name}`, `inner out ${name}`, `outer out ${name}`]

const once = {
  command: aggregateCommand("orders.Place"),
  rejected: [
    "outer in orders.Place",
    "inner in orders.Place",
    "beforeCommand orders.Place",
    "afterCommand orders.Place Failure",
    "inner out orders.Place",
    "outer out orders.Place"
  ],
  nested: [
    "outer in orders.Buy",
    "inner in orders.Buy",
    "beforeCommand orders.Buy",
    ...aggregateCommand("orders.Place"),
    "afterCommand orders.Buy Success",
    "inner out orders.Buy",
    "outer out orders.Buy"
  ],
  query: around("orders.ById"),
  stream: around("orders.Ids")
}

describe("T18: middleware and hooks run exactly once on every path", () => {
  it.effect("through Mediator", () => {
    const { layer, log } = recorded()
    return Effect.gen(function*() {
      yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 })
      assert.deepStrictEqual(log.splice(0), once.command)
      yield* Effect.flip(Mediator.send(Place, { orderId: "o-1", quantity: 101 }))
      assert.deepStrictEqual(log.splice(0), once.rejected)
      yield* Mediator.send(Buy, { orderId: "o-2", quantity: 1 })
      assert.deepStrictEqual(log.splice(0), once.nested)
      yield* Mediator.query(ById, { orderId: "o-1" })
      assert.deepStrictEqual(log.splice(0), once.query)
      assert.deepStrictEqual(yield* Stream.runCollect(Mediator.stream(Ids, undefined)), [1, 2])
      assert.deepStrictEqual(log.splice(0), once.stream)
    }).pipe(Effect.provide(layer))
  })

  it.effect("through an RPC server", () => {
    const { layer, log } = recorded()
    return Effect.gen(function*() {
      const client = yield* RpcTest.makeClient(group, { flatten: true })
      yield* client("orders.Place", { orderId: "o-1", quantity: 1 })
      assert.deepStrictEqual(log.splice(0), once.command)
      const error = yield* Effect.flip(client("orders.Place", { orderId: "o-1", quantity: 101 }))
      assert.strictEqual(error._tag, "OutOfStock")
      assert.deepStrictEqual(log.splice(0), once.rejected)
      assert.isUndefined(yield* client("orders.Cancel", { orderId: "o-1" }))
      assert.deepStrictEqual(log.splice(0), aggregateCommand("orders.Cancel"))
      yield* client("orders.Buy", { orderId: "o-2", quantity: 1 })
      assert.deepStrictEqual(log.splice(0), once.nested)
      assert.deepStrictEqual(yield* client("orders.ById", { orderId: "o-2" }), { quantity: 1, status: "open" })
      assert.deepStrictEqual(log.splice(0), once.query)
      assert.deepStrictEqual(yield* Stream.runCollect(client("orders.Ids", undefined)), [1, 2])
      assert.deepStrictEqual(log.splice(0), once.stream)
    }).pipe(Effect.provide(layer))
  })

  it.live("through an RPC server behind a socket", () => {
    const { layer, log } = recorded()
    return Effect.gen(function*() {
      const client = yield* RpcClient.make(rpcs, { flatten: true, disableTracing: true })
      yield* client("orders.Place", { orderId: "o-1", quantity: 1 })
      assert.deepStrictEqual(log.splice(0), once.command)
      const error = yield* Effect.flip(client("orders.Place", { orderId: "o-1", quantity: 101 }))
      assert.strictEqual(error._tag, "OutOfStock")
      assert.deepStrictEqual(log.splice(0), once.rejected)
      yield* client("orders.Buy", { orderId: "o-2", quantity: 1 })
      assert.deepStrictEqual(log.splice(0), once.nested)
      yield* client("orders.ById", { orderId: "o-2" })
      assert.deepStrictEqual(log.splice(0), once.query)
      assert.deepStrictEqual(yield* Stream.runCollect(client("orders.Ids", undefined)), [1, 2])
      assert.deepStrictEqual(log.splice(0), once.stream)
    }).pipe(Effect.provide(overSocket(rpcs).pipe(Layer.provide(layer))))
  })

  it.live("through an HTTP server", () => {
    const { layer, log } = recorded()
    return Effect.gen(function*() {
      const client = yield* HttpApiClient.make(api)
      const place = (quantity: number) =>
        client.orders["orders.Place"]({ payload: { orderId: "o-1", quantity }, headers: {} })
      yield* place(1)
      assert.deepStrictEqual(log.splice(0), once.command)
      const error = yield* Effect.flip(place(101))
      assert.strictEqual(error._tag, "OutOfStock")
      assert.deepStrictEqual(log.splice(0), once.rejected)
      yield* client.orders["orders.Cancel"]({ payload: { orderId: "o-1" }, headers: {} })
      assert.deepStrictEqual(log.splice(0), aggregateCommand("orders.Cancel"))
      yield* client.orders["orders.Buy"]({ payload: { orderId: "o-2", quantity: 1 }, headers: {} })
      assert.deepStrictEqual(log.splice(0), once.nested)
      yield* client.orders["orders.ById"]({ query: { orderId: "o-2" } })
      assert.deepStrictEqual(log.splice(0), once.query)
      const ids = yield* client.orders["orders.Ids"]()
      assert.deepStrictEqual(yield* Stream.runCollect(ids), [1, 2])
      assert.deepStrictEqual(log.splice(0), once.stream)
    }).pipe(
      Effect.provide(overHttp(api, Domain.toHttpHandlers(api, "orders")).pipe(Layer.provide(layer)))
    )
  })

  it.effect("with the hooks around the caller after those of the layer", () => {
    const { layer, log } = recorded()
    const ambient: Hooks.Hooks = { beforeCommand: () => Effect.sync(() => void log.push("ambient")) }
    return Effect.gen(function*() {
      yield* Mediator.send(Place, { orderId: "o-1", quantity: 1 }).pipe(Hooks.within(ambient))
      const [before] = once.command.map((line, index) => line.startsWith("beforeCommand") ? index : -1).filter((i) =>
        i >= 0
      )
      assert.deepStrictEqual(log, once.command.toSpliced(before! + 1, 0, "ambient"))
    }).pipe(Effect.provide(layer))
  })

  it.effect("around a fallback as a whole, a chain as a whole, and each event at each handler", () => {
    const { log, note } = logging()
    const once = Middleware.make((request, self) => Effect.andThen(note(`${request.kind} ${request.name}`), self))
    const hooks: Hooks.Hooks = {
      beforeCommand: (command) => note(`beforeCommand ${command.name}`),
      afterCommand: (command, exit) => note(`afterCommand ${command.name} ${exit._tag}`)
    }
    const pay = (name: string) =>
      ChainOfResponsibility.link(Settle, {
        name,
        handle: ({ method }) =>
          Effect.andThen(
            note(`link ${name}`),
            method === name ? Effect.fail(new Broken()) : ChainOfResponsibility.pass
          )
      })
    const layer = Domain.toLayer([
      Domain.withFallback(
        ChainOfResponsibility.make(Settle, [
          pay("card"),
          ChainOfResponsibility.withFallback(pay("transfer"), {
            fallback: ChainOfResponsibility.link(Settle, {
              name: "later",
              handle: () => Effect.andThen(note("link later"), Effect.succeed("later"))
            })
          })
        ]),
        { fallback: Domain.handler(Settle, () => Effect.as(note("fallback"), "by hand")), on: ["Broken"] }
      ),
      Domain.withStreamFallback(
        Domain.streamHandler(Ids, () => Stream.concat(Stream.make(1), Stream.fail(new Broken()))),
        { mode: "resume", fallback: Domain.streamHandler(Ids, () => Stream.make(2)) }
      ),
      Domain.withEventFallback(
        Domain.eventHandler(UserJoined, { name: "mail", retry: Schedule.recurs(1), handle: () => new Broken() }),
        { fallback: Domain.eventHandler(UserJoined, { name: "queue", handle: () => note("queued") }) }
      ),
      Domain.eventHandler(UserJoined, { name: "stats", handle: () => note("counted") })
    ], { middleware: [once], hooks: [hooks] })
    const settled = (...lines: ReadonlyArray<string>) => [
      "command payments.Settle",
      "beforeCommand payments.Settle",
      ...lines,
      "afterCommand payments.Settle Success"
    ]
    return Effect.gen(function*() {
      assert.strictEqual(yield* Mediator.send(Settle, { method: "card" }), "by hand")
      assert.deepStrictEqual(log.splice(0), settled("link card", "fallback"))
      assert.strictEqual(yield* Mediator.send(Settle, { method: "transfer" }), "later")
      assert.deepStrictEqual(log.splice(0), settled("link card", "link transfer", "link later"))
      assert.deepStrictEqual(yield* Stream.runCollect(Mediator.stream(Ids, undefined)), [1, 2])
      assert.deepStrictEqual(log.splice(0), ["stream orders.Ids"])
      yield* Mediator.publish([joined()], { concurrency: 1 })
      assert.deepStrictEqual(log.splice(0), ["event mail", "queued", "event stats", "counted"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("reports the end of each of them once", () => {
    const ended: Array<string> = []
    const record: Recorder.Recorder = (report) => {
      if (report._tag === "CommandEnded") ended.push(`${report.kind} ${report.name} ${report.outcome}`)
    }
    const layer = Domain.toLayer([
      Domain.withFallback(
        Domain.handler(Settle, () => Effect.fail(new Broken())),
        { fallback: Domain.handler(Settle, () => Effect.succeed("later")) }
      ),
      Domain.eventHandler(UserJoined, { name: "mail", handle: () => new Broken(), retry: Schedule.recurs(2) }),
      Domain.eventHandler(UserJoined, { name: "stats", handle: () => Effect.void })
    ])
    return Effect.gen(function*() {
      yield* Mediator.send(Settle, { method: "card" })
      yield* Effect.flip(Mediator.publish([joined()], { concurrency: 1 }))
      assert.deepStrictEqual(ended, ["command payments.Settle success", "event mail failure", "event stats success"])
    }).pipe(Effect.provide(layer), Recorder.recordTo(record))
  })
})
