import { type Rpc, RpcGroup } from "effect/rpc"
import type * as Command from "../Command.ts"
import type * as Query from "../Query.ts"
import type { AnyHandler } from "./handler/handler.ts"

/** Any command or query. */
export type Definition = Command.Any | Query.Any | Query.AnyStream

/**
 * Commands and queries, or their handlers as `Domain.toLayer` takes them. Handlers of events are left out.
 *
 * @category models
 * @since 0.1.0
 */
export type Definitions = ReadonlyArray<Definition | AnyHandler>

/**
 * The definition in an element of {@link Definitions}.
 *
 * @category models
 * @since 0.1.0
 */
export type DefinitionOf<Element> = Element extends { readonly kind: "event" } ? never
  : Element extends { readonly definition: infer D } ? Extract<D, Rpc.Any>
  : Element extends Rpc.Any ? Element
  : never

export const definitionsOf = (list: Definitions): ReadonlyArray<Definition> =>
  list.flatMap((one) => {
    if (one.kind === "event") return []
    // Handlers are made of commands and queries only.
    return "definition" in one ? [one.definition as Definition] : [one]
  })

/**
 * The RPC group of commands and queries, for an `RpcServer` behind the layer of `Domain.toLayer`, and for its clients. The
 * headers `idempotency-key` and `if-match` of a call are the command id and the expected version, as over HTTP. Who sends the
 * command is for `RpcCaller` to say.
 *
 * Handlers are taken for their definitions; those of events are left out.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toRpcGroup = <const List extends Definitions>(
  definitions: List
): RpcGroup.RpcGroup<DefinitionOf<List[number]>> => RpcGroup.make(...definitionsOf(definitions)) as never
