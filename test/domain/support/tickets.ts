import { NodeHttpServer, NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { Effect, Layer, Schema, Stream } from "effect"
import { Aggregate, Command, Domain, DomainEvent, Query } from "effect-lifecycle/domain"
import { HttpRouter } from "effect/http"
import { type HttpApi, HttpApiBuilder, type HttpApiGroup } from "effect/http-api"
import { type Rpc, RpcClient, type RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"

/** Tickets, served over HTTP and RPC. */
export class TicketNotFound extends Schema.TaggedError<TicketNotFound>()("TicketNotFound", { id: Schema.String }, {
  httpApiStatus: 404
}) {}
export class TicketClosed extends Schema.TaggedError<TicketClosed>()("TicketClosed", { id: Schema.String }) {}
export class Lost extends Schema.TaggedError<Lost>()("Lost", { after: Schema.Int }, { httpApiStatus: 410 }) {}

export const Ticket = Schema.Struct({
  title: Schema.String,
  status: Schema.Literals(["open", "closed"]),
  version: Schema.Int
})
const version = (ticket: { readonly version: number }) => ticket.version

export const Open = Command.make("tickets.Open", {
  description: "Opens a ticket",
  payload: {
    id: Schema.String,
    title: Schema.String.check(Schema.isMinLength(1)),
    due: Schema.optionalKey(Schema.Date),
    key: Schema.optionalKey(Schema.String)
  },
  success: Ticket,
  aggregateId: ({ id }) => id,
  commandId: ({ key }) => key,
  http: { method: "PUT", path: "/tickets/:id", status: 201, version }
})
export const Close = Command.make("tickets.Close", {
  payload: { id: Schema.String },
  success: Ticket,
  error: Schema.Union([TicketNotFound, TicketClosed]),
  aggregateId: ({ id }) => id,
  http: { path: "/tickets/:id/closing" }
})
export const Nudge = Command.make("tickets.Nudge", { payload: { id: Schema.String, times: Schema.Int } })
export const ById = Query.make("tickets.ById", {
  payload: { id: Schema.String },
  success: Ticket,
  error: TicketNotFound,
  http: { path: "/tickets/:id", version }
})
export const Count = Query.make("tickets.Count", {
  payload: {
    status: Schema.optionalKey(Ticket.fields.status),
    atLeast: Schema.Int,
    words: Schema.Array(Schema.String)
  },
  success: Schema.Struct({ count: Schema.Int, words: Schema.Array(Schema.String) })
})
export const Find = Query.make("tickets.Find", {
  payload: { where: Schema.Struct({ title: Schema.String }) },
  success: Schema.String,
  http: { method: "POST" }
})
export const History = Query.stream("tickets.History", {
  payload: { id: Schema.String, breakAfter: Schema.optionalKey(Schema.Int) },
  success: Schema.Struct({ version: Schema.Int, at: Schema.Date }),
  error: Schema.Union([TicketNotFound, Lost]),
  http: { path: "/tickets/:id/history" }
})
export const Watch = Query.stream("tickets.Watch", {
  payload: { breakAfter: Schema.Int },
  success: Schema.Int,
  error: Lost,
  http: { stream: "sse" }
})

const Opened = DomainEvent.make("TicketOpened", { schema: { title: Schema.String } })
const Closed = DomainEvent.make("TicketClosed", { schema: {} })

export const TicketAggregate = Aggregate.make({
  name: "Ticket",
  state: Schema.Struct({ title: Schema.String, status: Schema.Literals(["none", "open", "closed"]) }),
  initial: { title: "", status: "none" },
  commands: [Open, Close],
  events: [Opened, Closed],
  decide: {
    "tickets.Open": (_state, { title }) => Effect.succeed([Opened.make({ title })]),
    "tickets.Close": ({ status }, { id }) =>
      status === "open"
        ? Effect.succeed([Closed.make({})])
        : Effect.fail(status === "none" ? new TicketNotFound({ id }) : new TicketClosed({ id }))
  },
  evolve: {
    TicketOpened: (_state, { title }) => ({ title, status: "open" as const }),
    TicketClosed: (state) => ({ ...state, status: "closed" as const })
  }
})

const reply = (state: { readonly title: string; readonly status: string }, _events: unknown, version: number) => ({
  title: state.title,
  status: state.status === "closed" ? "closed" as const : "open" as const,
  version
})
const counting = (last: number, lost: boolean): Stream.Stream<number, Lost> =>
  Stream.concat(
    Stream.fromIterable(Array.from({ length: last }, (_, index) => index + 1)).pipe(Stream.rechunk(1)),
    lost ? Stream.fail(new Lost({ after: last })) : Stream.empty
  )

export const nudged: Array<string> = []

export const ticketHandlers = [
  Domain.aggregateHandler(Open, TicketAggregate, { reply }),
  Domain.aggregateHandler(Close, TicketAggregate, { reply }),
  Domain.handler(
    Nudge,
    ({ id, times }, { commandId }) => Effect.sync(() => void nudged.push(`${id} ${times} ${commandId}`))
  ),
  Domain.handler(ById, ({ id }) =>
    Effect.gen(function*() {
      const { state, version } = yield* Effect.orDie(Aggregate.load(TicketAggregate, id))
      return version === 0 ? yield* new TicketNotFound({ id }) : reply(state, [], version)
    })),
  Domain.handler(
    Count,
    ({ atLeast, status, words }) => Effect.succeed({ count: atLeast + (status === "open" ? 1 : 0), words })
  ),
  Domain.handler(Find, ({ where }) => Effect.succeed(where.title)),
  Domain.streamHandler(History, ({ breakAfter, id }) =>
    id === "none"
      ? Stream.fail(new TicketNotFound({ id }))
      : Stream.map(counting(breakAfter ?? 3, breakAfter !== undefined), (version) => ({ version, at: new Date(0) }))),
  Domain.streamHandler(Watch, ({ breakAfter }) => counting(breakAfter, true))
] as const

/** A server and a client on a real socket. */
export const overHttp = <Id extends string, Groups extends HttpApiGroup.Constraint, E, R>(
  api: HttpApi.HttpApi<Id, Groups>,
  handlers: Layer.Layer<HttpApiGroup.ToService<Id, Groups>, E, R>
) =>
  HttpRouter.serve(HttpApiBuilder.layer(api, { openapiPath: "/openapi.json" }).pipe(Layer.provide(handlers)), {
    disableListenLog: true,
    disableLogger: true
  }).pipe(Layer.provideMerge(NodeHttpServer.layerTest))

/** A server and a client on a TCP socket. */
export const overSocket = <Rpcs extends Rpc.Any>(group: RpcGroup.RpcGroup<Rpcs>) =>
  Layer.unwrap(Effect.map(SocketServer.SocketServer, ({ address }) =>
    RpcClient.layerProtocolSocket().pipe(
      Layer.provide(NodeSocket.layerNet({ port: "port" in address ? address.port : 0 }))
    ))).pipe(
      Layer.provideMerge(RpcServer.layer(group, { disableTracing: true })),
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(NodeSocketServer.layer({ port: 0, host: "127.0.0.1" })),
      Layer.provide(RpcSerialization.layerNdjson)
    )
