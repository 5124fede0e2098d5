import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import { Command, Domain, RpcCaller } from "effect-lifecycle/domain"
import { RequestId, RpcPropagation } from "effect-lifecycle/request"
import { EventMeta, EventStore } from "effect-lifecycle/store"
import { HttpApiClient } from "effect/http-api"
import { RpcClient } from "effect/rpc"
import { memory } from "./support/store.ts"
import { nudged, overHttp, overSocket, ticketHandlers } from "./support/tickets.ts"

const installed = Domain.toLayer(ticketHandlers).pipe(Layer.provideMerge(memory))
const group = Domain.toRpcGroup(ticketHandlers)
  .middleware(RpcCaller.RpcCaller)
  .middleware(RpcPropagation.RpcPropagation)

const make = RpcClient.make(group, { flatten: true, disableTracing: true })

/** A server and a client on a TCP socket. */
const behind = (caller: Layer.Layer<RpcCaller.RpcCaller>, client: Layer.Layer<never> = Layer.empty) =>
  overSocket(group).pipe(
    Layer.provide([caller, RpcPropagation.layer({ trusted: true })]),
    Layer.provideMerge(Layer.merge(RpcPropagation.layerClient(), client)),
    Layer.provideMerge(installed)
  )

/** What stands beside the events, but for the command that stored them. */
const metaOf = (id: string) =>
  EventStore.EventStore.use((store) => Stream.runCollect(store.read({ category: "Ticket", id }))).pipe(
    Effect.map((events) => events.map(({ meta: { command: _, ...meta } }) => meta))
  )

/** The request of somebody, who follows an event of some process. */
const asAda = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  self.pipe(
    Effect.provideService(EventMeta.Actor, Option.some("ada ✓")),
    Effect.provideService(EventMeta.Correlation, Option.some("process-7")),
    Effect.provideService(EventMeta.Causation, Option.some("event-3")),
    RequestId.provide(RequestId.RequestId.make("request-1"))
  )

layer(behind(RpcCaller.layer({ trusted: true }), RpcCaller.layerClient), { excludeTestServices: true })(
  "a trusted RpcCaller on a socket",
  (it) => {
    it.effect("stores the actor, the correlation and the cause of the client's fiber with the events", () =>
      Effect.gen(function*() {
        const client = yield* make
        yield* asAda(client("tickets.Open", { id: "s-1", title: "leak" }))
        const [meta] = yield* metaOf("s-1")
        assert.deepStrictEqual(meta, {
          requestId: "request-1",
          correlationId: "process-7",
          causationId: "event-3",
          actor: "ada ✓"
        })
      }))

    it.effect("takes the request id for the correlation of who has none, and nothing from the call before", () =>
      Effect.gen(function*() {
        const client = yield* make
        yield* asAda(client("tickets.Open", { id: "s-2", title: "one" }))
        yield* RequestId.provide(
          client("tickets.Open", { id: "s-2", title: "two" }),
          RequestId.RequestId.make("request-2")
        )
        const [, meta] = yield* metaOf("s-2")
        assert.deepStrictEqual(meta, { requestId: "request-2", correlationId: "request-2" })
      }))

    it.effect("stores what the same command in the process would", () =>
      Effect.gen(function*() {
        const client = yield* make
        yield* asAda(client("tickets.Open", { id: "s-3", title: "leak" }))
        const inside = yield* asAda(EventMeta.current)
        assert.deepStrictEqual(yield* metaOf("s-3"), [inside])
      }))

    it.effect("ignores what is no encoding, and lets what was written by hand win", () =>
      Effect.gen(function*() {
        const client = yield* make
        const open = (headers: Record<string, string>) =>
          asAda(client("tickets.Open", { id: "s-4", title: "leak" }, { headers }))
        yield* open({ "x-lifecycle-actor": "%zz" })
        yield* open({ "x-lifecycle-actor": "bob" })
        const metas = yield* metaOf("s-4")
        assert.deepStrictEqual(metas.map(({ actor }) => actor), [undefined, "bob"])
      }))
  }
)

const around = <A, E, R>(self: Effect.Effect<A, E, R>, { client, headers, name }: RpcCaller.Call) =>
  self.pipe(
    Effect.provideService(Command.Actor, Option.fromUndefinedOr(headers["x-user"])),
    Effect.updateService(
      Command.CommandId,
      Option.map((key) => `${headers["x-user"]}:${key}:${name}:${client.id >= 0}`)
    )
  )

layer(behind(RpcCaller.layer({ around }), RpcCaller.layerClient), { excludeTestServices: true })(
  "an RpcCaller with an around on a socket",
  (it) => {
    it.effect("names the actor of each call, and believes nothing that it was not told to", () =>
      Effect.gen(function*() {
        const client = yield* make
        for (const user of ["u-1", "u-2"]) {
          yield* asAda(client("tickets.Open", { id: "a-1", title: "x" }, { headers: { "x-user": user } }))
        }
        yield* asAda(client("tickets.Open", { id: "a-1", title: "x" }))
        assert.deepStrictEqual(yield* metaOf("a-1"), [
          { requestId: "request-1", correlationId: "request-1", actor: "u-1" },
          { requestId: "request-1", correlationId: "request-1", actor: "u-2" },
          { requestId: "request-1", correlationId: "request-1" }
        ])
      }))

    it.effect("can keep the keys of two users apart", () =>
      Effect.gen(function*() {
        const client = yield* make
        const open = (user: string) =>
          client("tickets.Open", { id: "a-2", title: user }, {
            headers: { "x-user": user, "idempotency-key": "k" }
          })
        assert.strictEqual((yield* open("u-1")).version, 1)
        assert.strictEqual((yield* open("u-2")).version, 2)
        assert.strictEqual((yield* open("u-1")).version, 1)
        yield* client("tickets.Nudge", { id: "a", times: 1 }, {
          headers: { "x-user": "u-1", "idempotency-key": "k" }
        })
        assert.include(nudged, "a 1 u-1:k:tickets.Nudge:true")
      }))

    it.effect("goes around a stream for as long as it flows", () =>
      Effect.gen(function*() {
        const client = yield* make
        const pieces = yield* Stream.runCollect(client("tickets.History", { id: "a" }))
        assert.deepStrictEqual(pieces.map(({ version }) => version), [1, 2, 3])
      }))
  }
)

describe("a command that came by RPC", () => {
  const api = Domain.toHttpApi("tickets", ticketHandlers)
  const http = overHttp(
    api,
    Domain.toHttpHandlers(api, "tickets", {
      around: (self) => RequestId.provide(Effect.provideService(self, Command.Actor, Option.some("u-1")), requestId)
    })
  ).pipe(Layer.provideMerge(installed))
  const requestId = RequestId.RequestId.make("request-9")

  it.live("leaves the events with what they have when it came over HTTP", () =>
    Effect.gen(function*() {
      const overHttp = yield* Effect.gen(function*() {
        const client = yield* HttpApiClient.make(api)
        yield* client.tickets["tickets.Open"]({ params: { id: "b-1" }, payload: { title: "x" }, headers: {} })
        return yield* metaOf("b-1")
      }).pipe(Effect.provide(http))
      const overRpc = yield* Effect.gen(function*() {
        const client = yield* make
        yield* RequestId.provide(
          client("tickets.Open", { id: "b-1", title: "x" }, { headers: { "x-user": "u-1" } }),
          requestId
        )
        return yield* metaOf("b-1")
      }).pipe(Effect.provide(behind(RpcCaller.layer({ around }))))
      assert.deepStrictEqual(overRpc, overHttp)
      assert.deepStrictEqual(overRpc, [{ requestId: "request-9", correlationId: "request-9", actor: "u-1" }])
    }))
})
