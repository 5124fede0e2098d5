/**
 * A question that changes nothing, as a definition that every way in can run.
 *
 * A query is an `effect/rpc` definition under a namespaced tag such as `orders.ById`; its error schema also has the
 * failures of `DomainError.QueryFailure`. `Query.stream` defines one whose answer arrives in pieces.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Query } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const ById = Query.make("orders.ById", {
 *   payload: { orderId: Schema.String },
 *   success: Schema.Struct({ status: Schema.String })
 * })
 *
 * assert.equal(ById._tag, "orders.ById")
 * assert.throws(() => Query.make(".ById"), { _tag: "InvalidOption" })
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { Rpc, type RpcSchema } from "effect/rpc"
import * as Command from "./Command.ts"
import * as DomainError from "./DomainError.ts"

/**
 * A query definition.
 *
 * @category models
 * @since 0.1.0
 */
export interface Query<
  Tag extends string,
  Payload extends Schema.Top,
  Success extends Schema.Top,
  Error extends Schema.Top,
  Http extends HttpRoute = HttpRoute
> extends Rpc.Rpc<Tag, Payload, Success, DomainError.QueryErrors<Error>> {
  readonly kind: "query"
  readonly description: string | undefined
  readonly http: Http
}

/**
 * A query whose answer is a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamQuery<
  Tag extends string,
  Payload extends Schema.Top,
  Success extends Schema.Top,
  Error extends Schema.Top,
  Http extends StreamHttpRoute = StreamHttpRoute
> extends Rpc.Rpc<Tag, Payload, RpcSchema.Stream<Success, DomainError.QueryErrors<Error>>> {
  readonly kind: "stream"
  readonly description: string | undefined
  readonly http: Http
}

/**
 * Any query with one answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any extends Rpc.AnyWithProps {
  readonly kind: "query"
  readonly description: string | undefined
  readonly http: HttpRoute
}

/**
 * Any query that answers with a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyStream extends Rpc.AnyWithProps {
  readonly kind: "stream"
  readonly description: string | undefined
  readonly http: StreamHttpRoute
}

/**
 * Where `Domain.toHttpApi` serves a query.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpRoute {
  /** `GET` when absent: then every field is one string, or several, of the query string. */
  readonly method?: "GET" | "QUERY" | "POST" | undefined
  /** Segments such as `:id` are fields of the payload; `/queries/` and the tag when absent. */
  readonly path?: `/${string}` | undefined
}

/**
 * Where `Domain.toHttpApi` serves a stream, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamHttpRoute extends HttpRoute {
  /** A line of JSON for each piece, or server-sent events; `ndjson` when absent. */
  readonly stream?: "ndjson" | "sse" | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<
  Payload extends Schema.Top | Schema.Struct.Fields,
  Success extends Schema.Top,
  Error extends Schema.Top,
  Http extends HttpRoute = HttpRoute
> {
  /** The fields of the payload, or its schema. */
  readonly payload?: Payload
  readonly success?: Success
  /** The query's own errors; the failures of every query are added. */
  readonly error?: Error
  /** One sentence for the reader of generated documentation. */
  readonly description?: string | undefined
  /** Where it is served over HTTP. */
  readonly http?:
    | Http & {
      /** The version of what was read, for the `ETag` of the answer. */
      readonly version?: ((success: Success["Type"]) => number) | undefined
    }
    | undefined
}

/**
 * Defines a query. Throws `InvalidOption` when the tag is not `namespace.Name`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: <
  const Tag extends Command.Namespaced,
  Payload extends Schema.Top | Schema.Struct.Fields = Schema.Void,
  Success extends Schema.Top = Schema.Void,
  Error extends Schema.Top = Schema.Never,
  const Http extends HttpRoute = {}
>(
  tag: Tag,
  options?: Options<Payload, Success, Error, Http>
) => Query<Tag, Command.PayloadSchema<Payload>, Success, Error, Http> = (tag, options = {}) =>
  define("query", tag, options)

/**
 * Defines a query that answers with a stream; `success` is one piece of it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stream: <
  const Tag extends Command.Namespaced,
  Payload extends Schema.Top | Schema.Struct.Fields = Schema.Void,
  Success extends Schema.Top = Schema.Void,
  Error extends Schema.Top = Schema.Never,
  const Http extends StreamHttpRoute = {}
>(
  tag: Tag,
  options?: Options<Payload, Success, Error, Http>
) => StreamQuery<Tag, Command.PayloadSchema<Payload>, Success, Error, Http> = (tag, options = {}) =>
  define("stream", tag, options)

const define = (
  kind: "query" | "stream",
  tag: string,
  options: Options<Schema.Top | Schema.Struct.Fields, Schema.Top, Schema.Top>
  // The signatures above compute the payload's type, which one implementation for both cannot.
): never => {
  Command.checkTag(kind === "query" ? "Query.make" : "Query.stream", tag)
  const rpc = Rpc.make(tag, {
    payload: Command.payloadSchema(tag, options.payload, undefined),
    success: options.success ?? Schema.Void,
    error: DomainError.ofQuery(options.error ?? Schema.Never),
    stream: kind === "stream"
  })
  return Object.assign(rpc, { kind, description: options.description, http: options.http ?? {} }) as never
}
