/**
 * Who sends a command that arrives by RPC, and which process it belongs to: what `around` of `Domain.toHttpHandlers` is over
 * HTTP. Its events carry actor, correlation and causation as if they had come in by any other door.
 *
 * Add {@link RpcCaller} to a group of `Domain.toRpcGroup`; then an `RpcServer` asks for one of the layers here, and forgetting
 * it is a compile error. `around` goes around each call, a stream included: name the actor there, from the user of the HTTP
 * request or from `call.headers`, and the tenant. In it `Command.CommandId` has the call's `idempotency-key` and may be
 * changed, such as to keep the keys of two users apart.
 *
 * Between services of your own, {@link layerClient} writes the caller's actor, correlation and causation into the headers of
 * each call, and a layer that is `trusted` believes them. The correlation is the caller's request id where it has none.
 *
 * **Gotchas**
 *
 * - `trusted` believes whoever can reach the server: only where all its clients are yours. Else the headers are ignored.
 * - Request id, trace, priority and deadline are `RpcPropagation`'s, which is put on the group beside it. Behind
 *   `RpcServer.layerHttp` they come from the HTTP request, with everything else that the stages in front of it have set.
 * - On a bare socket there is no user: without `trusted` or an `around` the events have no actor.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Option, Schema } from "effect"
 * import { Command, Domain, RpcCaller } from "effect-lifecycle/domain"
 * import { RpcTest } from "effect/rpc"
 * import assert from "node:assert/strict"
 *
 * const Greet = Command.make("greetings.Greet", { success: Schema.String })
 * const handlers = [
 *   Domain.handler(Greet, () => Effect.map(Command.Actor, Option.getOrElse(() => "nobody")))
 * ] as const
 * const group = Domain.toRpcGroup(handlers).middleware(RpcCaller.RpcCaller)
 *
 * const server = Layer.merge(
 *   Domain.toLayer(handlers),
 *   RpcCaller.layer({
 *     around: (self, { headers }) => Effect.provideService(self, Command.Actor, Option.fromUndefinedOr(headers["x-user"]))
 *   })
 * )
 * const program = Effect.gen(function*() {
 *   const client = yield* RpcTest.makeClient(group, { flatten: true })
 *   return yield* client("greetings.Greet", undefined, { headers: { "x-user": "u-1" } })
 * })
 * assert.equal(await Effect.runPromise(Effect.scoped(Effect.provide(program, server))), "u-1")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Option } from "effect"
import type { Headers, HttpRouter } from "effect/http"
import type { Rpc } from "effect/rpc"
import * as RpcMiddleware from "effect/rpc/RpcMiddleware"
import type { unhandled } from "effect/Types"
import * as EventMeta from "../store/EventMeta.ts"
import * as Command from "./Command.ts"

/**
 * The middleware to put on a group with `RpcGroup.middleware`. Clients need nothing for it.
 *
 * @category services
 * @since 0.1.0
 */
export class RpcCaller extends RpcMiddleware.Service<RpcCaller>()("effect-lifecycle/domain/RpcCaller") {}

/**
 * A call as it arrived.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  /** The tag of the command or query. */
  readonly name: string
  /** Over HTTP, those of the request as well. */
  readonly headers: Headers.Headers
  /** The connection, where the protocol has one. */
  readonly client: Rpc.ServerClient
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<R = never> {
  /** Whether the actor, correlation and causation that clients send are believed; not when absent. */
  readonly trusted?: boolean | undefined
  /** Goes around each call. What it needs is a matter of the HTTP request, as with `Domain.toHttpHandlers`. */
  readonly around?:
    | ((
      self: Effect.Effect<RpcMiddleware.SuccessValue, unhandled>,
      call: Call
    ) => Effect.Effect<RpcMiddleware.SuccessValue, unhandled, R>)
    | undefined
}

/**
 * The server's half.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never>(
  options: Options<R> = {}
): Layer.Layer<RpcCaller, never, [R] extends [never] ? never : HttpRouter.Request.From<"Requires", R>> => {
  const { around = (self) => self, trusted = false } = options
  const middleware: RpcMiddleware.RpcMiddleware<never, never, R> = (effect, { client, headers, rpc }) => {
    let own: Context.Context<never> = Context.make(
      Command.CommandId,
      Option.fromUndefinedOr(headers["idempotency-key"])
    )
    if (trusted) {
      for (const [name, reference] of carried) {
        const text = decoded(headers[name])
        if (text !== undefined) own = Context.add(own, reference, Option.some(text))
      }
    }
    return Effect.provideContext(around(effect, { name: rpc._tag, headers, client }), own)
  }
  // What `around` needs is in the context of the request, where an Rpc runs; the layer's type says so.
  return Layer.succeed(RpcCaller, middleware as RpcMiddleware.RpcMiddleware<never, never, never>) as never
}

/**
 * The client's half, for clients of a `trusted` server.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerClient: Layer.Layer<RpcMiddleware.ForClient<RpcCaller>> = RpcMiddleware.layerClient(
  RpcCaller,
  ({ next, request }) =>
    Effect.flatMap(EventMeta.current, (meta) => {
      const headers: Record<string, string> = {}
      for (const [name, , key] of carried) {
        const text = meta[key]
        if (text !== undefined) headers[name] = encodeURIComponent(text.toWellFormed())
      }
      // What a caller has written by hand wins.
      return next({ ...request, headers: { ...headers, ...request.headers } as Headers.Headers })
    })
)

/** What they hold may have any character, so it is encoded. */
const carried = [
  ["x-lifecycle-actor", EventMeta.Actor, "actor"],
  ["x-lifecycle-correlation-id", EventMeta.Correlation, "correlationId"],
  ["x-lifecycle-causation-id", EventMeta.Causation, "causationId"]
] as const

/** Who sends what is no encoding has sent nothing. */
const decoded = (text: string | undefined): string | undefined => {
  if (text === undefined || text === "") return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
