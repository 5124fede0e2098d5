import { Context, Effect, type Layer, Schema } from "effect"
import { Domain, Query, RpcCaller } from "effect-lifecycle/domain"
import type { HttpRouter } from "effect/http"
import { HttpApiClient, type HttpApiGroup } from "effect/http-api"
import type { Rpc } from "effect/rpc"
import { Close, TicketAggregate, ticketHandlers } from "./support/tickets.ts"

const api = Domain.toHttpApi("tickets", ticketHandlers)

export const calls = Effect.gen(function*() {
  const client = yield* HttpApiClient.make(api)
  const open = client.tickets["tickets.Open"]
  const opened = yield* open({ params: { id: "a" }, payload: { title: "t" }, headers: { "if-match": 3 } })
  const title: string = opened.title
  // @ts-expect-error a field of the path is not in the body
  yield* open({ params: { id: "a" }, payload: { id: "a", title: "t" }, headers: {} })
  // @ts-expect-error the path has a segment
  yield* open({ payload: { title: "t" }, headers: {} })
  // @ts-expect-error a version is a number
  yield* open({ params: { id: "a" }, payload: { title: "t" }, headers: { "if-match": "3" } })
  // @ts-expect-error a query has no command id
  yield* client.tickets["tickets.ById"]({ params: { id: "a" }, headers: { "idempotency-key": "k" } })
  // @ts-expect-error there is no such command
  yield* client.tickets["tickets.Reopen"]({})
  return title
})

/** The failures of a command are those of its definition. */
export const tags = (
  error: Effect.Error<ReturnType<HttpApiClient.ForApi<typeof api>["tickets"]["tickets.Close"]>>
): string => {
  switch (error._tag) {
    case "TicketNotFound":
    case "TicketClosed":
      return error.id
    default:
      return error._tag
  }
}

/** The layer asks for the handlers of all its endpoints. */
export const handlers = Domain.toHttpHandlers(api, "tickets")
// @ts-expect-error the group has another name
export const others = Domain.toHttpHandlers(api, "others")

/** What was given to `toLayer` gives the group of the same definitions. */
export const group = Domain.toRpcGroup([
  Domain.aggregateHandler(Close, TicketAggregate, {
    reply: (_state, _events, version) => ({ title: "", status: "open" as const, version })
  })
])
export const close: typeof Close | undefined = group.requests.get("tickets.Close")

// @ts-expect-error a query cannot be a PUT
export const put = Query.make("x.Put", { success: Schema.Void, http: { method: "PUT" } })

class Caller extends Context.Service<Caller, { readonly id: string }>()("test/Caller") {}
const asCaller = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, never, R | Caller> =>
  Effect.andThen(Caller, Effect.orDie(self))

/** What goes around the handlers may have type parameters of its own; what it needs is asked of the request. */
export const signedIn: Layer.Layer<
  HttpApiGroup.Service<"tickets", "tickets">,
  never,
  Rpc.Handler<(typeof ticketHandlers)[number]["tag"]> | HttpRouter.Request<"Requires", Caller>
> = Domain.toHttpHandlers(api, "tickets", { around: asCaller })
// @ts-expect-error it answers for the handler, whatever the definition says
export const faked = Domain.toHttpHandlers(api, "tickets", { around: () => Effect.succeed("mine") })

const asUser = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Caller> => Effect.andThen(Caller, self)

/** Over RPC as well. */
export const signedInByRpc: Layer.Layer<RpcCaller.RpcCaller, never, HttpRouter.Request<"Requires", Caller>> = RpcCaller
  .layer({ around: asUser })
// @ts-expect-error on a socket there is no request that has a user
export const onSocket: Layer.Layer<RpcCaller.RpcCaller> = RpcCaller.layer({ around: asUser })
// @ts-expect-error it answers for the handler
export const fakedByRpc = RpcCaller.layer({ around: () => Effect.succeed("mine") })
