import { Context, Effect, Schema, SchemaAST, SchemaIssue, SchemaTransformation } from "effect"
import type { HttpMethod } from "effect/http"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import type { Rpc, RpcSchema } from "effect/rpc"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import { StoreUnavailable } from "../../../store/UnitOfWork.ts"
import * as Command from "../../Command.ts"
import {
  CommandIdMismatch,
  CommandInProgress,
  ConcurrencyConflict,
  InvalidPayload,
  Refused,
  VersionMismatch
} from "../../DomainError.ts"
import { type Definition, type DefinitionOf, type Definitions, definitionsOf } from "../definitions.ts"
import { expectedVersion } from "./ifMatch.ts"

/**
 * How definitions become an `HttpApi`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpOptions {
  /**
   * What every error is declared with, such as `problems.error` of a table of problems. Of the error's own annotation
   * `httpApiStatus` when absent; an error of a definition without one is 422.
   */
  readonly error?: ((error: HttpError) => Schema.Top) | undefined
}

/**
 * The schema of one error that a definition can fail with.
 *
 * @category models
 * @since 0.1.0
 */
export type HttpError = Schema.Codec<{ readonly _tag: string }, unknown>

/**
 * The headers of a command: `Idempotency-Key` is its command id, `If-Match` the version that the caller expects.
 *
 * @category schemas
 * @since 0.1.0
 */
export interface CommandHeaders extends
  Schema.Struct<{
    readonly "idempotency-key": Schema.optionalKey<Schema.String>
    readonly "if-match": Schema.optionalKey<Schema.Codec<number | "*", string>>
  }>
{}

type Segments<Path extends string> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}` ? Name | Segments<`/${Tail}`> : Rest
  : never

type Fields<D extends Definition> = D["payloadSchema"] extends { readonly fields: infer F extends Schema.Struct.Fields }
  ? F
  : {}
type InPath<D extends Definition> = Only<Fields<D>, Extract<keyof Fields<D>, Segments<PathOf<D>>>>
type Rest<D extends Definition> = Only<Fields<D>, Exclude<keyof Fields<D>, Segments<PathOf<D>>>>
type Only<F extends Schema.Struct.Fields, Names extends keyof F> = { readonly [Name in Names]: F[Name] }
type IsStruct<D extends Definition> = D["payloadSchema"] extends { readonly fields: Schema.Struct.Fields } ? true
  : false
type StringTree<F> = keyof F extends never ? never
  : F extends Schema.Struct.Fields ? Schema.toCodecStringTree<Schema.Struct<F>>
  : never
type Json<F> = keyof F extends never ? never
  : F extends Schema.Struct.Fields ? Schema.toCodecJson<Schema.Struct<F>>
  : never

type MethodOf<D extends Definition> = D["http"] extends { readonly method: infer M extends HttpMethod.HttpMethod } ? M
  : D extends { readonly kind: "command" } ? "POST"
  : "GET"
type PathOf<D extends Definition> = D["http"] extends { readonly path: infer P extends string } ? P
  : D extends { readonly kind: "command" } ? `/commands/${D["_tag"]}`
  : `/queries/${D["_tag"]}`
type BodyOf<D extends Definition> = MethodOf<D> extends "GET" ? never
  : IsStruct<D> extends true ? Json<Rest<D>>
  : D["payloadSchema"] extends Schema.Void ? never
  : Schema.toCodecJson<D["payloadSchema"]>
type SuccessOf<D extends Definition> = D["successSchema"] extends RpcSchema.Stream<infer A, infer E>
  ? D["http"] extends { readonly stream: "sse" }
    ? HttpApiSchema.StreamSse<HttpApiSchema.SseEventFromData<Schema.toCodecJson<A>>, Schema.toCodecJson<E>, A["Type"]>
  : HttpApiSchema.StreamNdjson<A>
  : Schema.toCodecJson<D["successSchema"]>

/**
 * The endpoint of a definition.
 *
 * @category models
 * @since 0.1.0
 */
export type HttpEndpoint<D> = D extends Definition ? HttpApiEndpoint.HttpApiEndpoint<
    D["_tag"],
    MethodOf<D>,
    PathOf<D>,
    StringTree<InPath<D>>,
    MethodOf<D> extends "GET" ? StringTree<Rest<D>> : never,
    BodyOf<D>,
    D extends { readonly kind: "command" } ? Schema.toCodecStringTree<CommandHeaders> : never,
    SuccessOf<D>,
    Schema.toCodecJson<Rpc.ErrorExitSchema<D>>
  >
  : never

/**
 * The endpoints of commands and queries as a group, for an `HttpApi` that has more than these. See {@link toHttpApi}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toHttpGroup = <const Name extends string, const List extends Definitions>(
  name: Name,
  definitions: List,
  options: HttpOptions = {}
): HttpApiGroup.HttpApiGroup<Name, HttpEndpoint<DefinitionOf<List[number]>>> => {
  const endpoints = definitionsOf(definitions).map((definition) => endpointOf(definition, options))
  // `HttpEndpoint` says of each definition what was made of it; the list is only known to have definitions.
  return HttpApiGroup.make(name).add(...endpoints as [HttpApiEndpoint.Top]).annotate(HttpApi.ParseOptions, {
    errors: "all"
  }) as never
}

/**
 * An `HttpApi` of commands and queries, in one group with its name: `POST /commands/orders.Place`,
 * `GET /queries/orders.ById?orderId=o-1`, or what a definition's `http` says. `Domain.toHttpHandlers` makes the layer that
 * runs them.
 *
 * A command reads `Idempotency-Key` as its command id and `If-Match` as the expected version. The handler of a function
 * honours the first within `Domain.idempotent` and the second where it is `versioned`. A stream is answered as a line of
 * JSON for each piece (NDJSON), or as server-sent events. Handlers are taken for their definitions; those of events are left
 * out.
 *
 * A request that does not decode is `InvalidPayload`, which names the fields that are wrong, as it is for `Mediator`. Behind
 * a server that makes problem documents of such requests, that one's document is the answer.
 *
 * Throws `InvalidOption` when a segment of a path is no field of the payload, or a field cannot stand in a query string.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toHttpApi = <const Name extends string, const List extends Definitions>(
  name: Name,
  definitions: List,
  options: HttpOptions = {}
): HttpApi.HttpApi<Name, HttpApiGroup.HttpApiGroup<Name, HttpEndpoint<DefinitionOf<List[number]>>>> =>
  HttpApi.make(name).add(toHttpGroup(name, definitions, options))

/** What an endpoint was made of. */
export class Served extends Context.Service<Served, {
  readonly definition: Definition
  /** `InvalidPayload` as it is declared with. */
  readonly invalid: Schema.Top
}>()("effect-lifecycle/domain/Served") {}

const endpointOf = (definition: Definition, options: HttpOptions): HttpApiEndpoint.Top => {
  const { _tag: tag, http, kind } = definition
  const method = http.method ?? (kind === "command" ? "POST" : "GET")
  const path = http.path ?? (kind === "command" ? `/commands/${tag}` as const : `/queries/${tag}` as const)
  const payload = Command.plainPayload(definition)
  const fields = fieldsOf(payload)
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => name)
  for (const name of names) {
    if (fields === undefined || !Object.hasOwn(fields, name)) {
      throw invalid(tag, "path", `"${path}"`, `segments that are fields of the payload; ":${name}" is none`)
    }
  }
  const rest = fields === undefined ? undefined : pick(fields, (name) => !names.includes(name))
  const left = rest === undefined ? 0 : Object.keys(rest).length
  if (method === "GET") {
    if (fields === undefined && payload !== Schema.Void) {
      throw invalid(tag, "method", "GET", `"POST" or "QUERY" for a payload that is no struct of fields`)
    }
    for (const [name, field] of Object.entries(rest ?? {})) {
      if (isFlat(Schema.toCodecStringTree(field as Schema.Top))) continue
      throw invalid(tag, "method", "GET", `"POST" or "QUERY" where a field ("${name}") is neither a string nor strings`)
    }
  }
  const errors = errorsOf(definition, options)
  const endpoint = HttpApiEndpoint.make(method)(tag, path, {
    params: names.length === 0 || fields === undefined ? undefined : pick(fields, (name) => names.includes(name)),
    query: method === "GET" && left > 0 ? rest : undefined,
    // A struct from which nothing was taken keeps its own checks.
    payload: method === "GET" || payload === Schema.Void ?
      undefined
      : rest === undefined || names.length === 0 && left > 0 ?
      payload
      : left === 0 ?
      undefined
      : Schema.Struct(rest),
    headers: kind === "command" ? commandHeaders : undefined,
    success: successOf(definition),
    error: [...errors.values()]
  } as {}) as unknown as HttpApiEndpoint.Top // of which the types of `options` say nothing
  const described = endpoint.annotate(Served, {
    definition,
    invalid: errors.get(InvalidPayload) ?? withStatus(InvalidPayload)
  }).annotate(OpenApi.Identifier, tag)
  return definition.description === undefined ? described : described.annotate(OpenApi.Summary, definition.description)
}

const successOf = (definition: Definition): Schema.Top => {
  if (definition.kind !== "stream") {
    const { status = isVoid(definition.successSchema) ? 204 : 200 } = definition.http as Command.HttpRoute
    return HttpApiSchema.status(status)(definition.successSchema)
  }
  const { error, success } = definition.successSchema as RpcSchema.Stream<Schema.Top, Schema.Top>
  return definition.http.stream === "sse"
    ? HttpApiSchema.StreamSse({ data: Schema.toCodecJson(success), error: Schema.toCodecJson(error) })
    : HttpApiSchema.StreamNdjson({ schema: success })
}

/** Every error has a status of its own, so a union is not one error. By what each is, how it is declared. */
const errorsOf = (definition: Definition, options: HttpOptions): ReadonlyMap<Schema.Top, Schema.Top> => {
  const schema = definition.kind === "stream"
    ? (definition.successSchema as RpcSchema.Stream<Schema.Top, Schema.Top>).error
    : definition.errorSchema
  return new Map(membersOf(schema).map((one) => [one, declared(one, options)]))
}

const declared = (one: Schema.Top, { error }: HttpOptions): Schema.Top =>
  error === undefined ? withStatus(one) : error(one as HttpError)

const membersOf = (schema: Schema.Top): ReadonlyArray<Schema.Top> => {
  if (SchemaAST.isNever(schema.ast)) return []
  return SchemaAST.isUnion(schema.ast) && "members" in schema && statusOf(schema) === undefined
    ? (schema as Schema.Union<ReadonlyArray<Schema.Top>>).members.flatMap(membersOf)
    : [schema]
}

/** An annotation of the schema, or of the place it stands in. */
export const statusOf = ({ ast }: Schema.Top): number | undefined =>
  SchemaAST.resolveAt<number>("httpApiStatus")(ast) ?? ast.context?.annotations?.httpApiStatus

const statuses = new Map<Schema.Top, number>([
  [StoreUnavailable, 503],
  [ConcurrencyConflict, 409],
  [VersionMismatch, 412],
  [CommandIdMismatch, 422],
  [CommandInProgress, 409],
  [Refused, 403],
  [InvalidPayload, 400]
])

const withStatus = (schema: Schema.Top): Schema.Top =>
  statusOf(schema) === undefined ? HttpApiSchema.status(statuses.get(schema) ?? 422)(schema) : schema

const isVoid = (schema: Schema.Top): boolean => SchemaAST.isVoid(schema.ast)

const fieldsOf = (schema: Schema.Top): Schema.Struct.Fields | undefined =>
  "fields" in schema ? (schema as Schema.Struct<Schema.Struct.Fields>).fields : undefined

const pick = (fields: Schema.Struct.Fields, keep: (name: string) => boolean): Schema.Struct.Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => keep(name)))

/** Whether what is encoded is a string, several of them, or nothing. */
const isFlat = (schema: Schema.Top): boolean => {
  const flat = (ast: SchemaAST.AST, inArray: boolean): boolean => {
    if (SchemaAST.isUnion(ast)) return ast.types.every((member) => flat(member, inArray))
    if (SchemaAST.isArrays(ast)) {
      return !inArray && [...ast.elements, ...ast.rest].every((element) => flat(element, true))
    }
    return SchemaAST.isString(ast) || SchemaAST.isTemplateLiteral(ast) || SchemaAST.isUndefined(ast) ||
      SchemaAST.isLiteral(ast) && typeof ast.literal === "string"
  }
  return flat(SchemaAST.toEncoded(schema.ast), false)
}

const invalid = (tag: string, option: string, value: string, allowed: string) =>
  new InvalidOption({ module: `Domain.toHttpApi("${tag}")`, option: `http.${option}`, value, allowed })

const etag = Schema.isPattern(/^(\*|(W\/)?"[\x21\x23-\x7e\x80-\xff]*")$/, {
  message: "Expected one ETag in double quotes, such as \"3\", or *"
})
const commandId = Schema.isPattern(/^[\x21-\x7e]{1,255}$/, {
  message: "Expected 1 to 255 visible characters of ASCII"
})

const version = Schema.String.check(etag).pipe(
  Schema.decodeTo(
    Schema.Union([Schema.Literal("*"), Schema.Int]),
    SchemaTransformation.transformEffect<number | "*", string>({
      decode: (sent) => Effect.succeed(expectedVersion(sent)),
      encode: (version) =>
        version === "*" || version >= 0
          ? Effect.succeed(version === "*" ? version : `"${version}"`)
          : Effect.fail(new SchemaIssue.InvalidValue({ message: "Expected a version, a whole number from 0" }))
    })
  )
)

const commandHeaders: CommandHeaders = Schema.Struct({
  "idempotency-key": Schema.optionalKey(Schema.String.check(commandId)),
  "if-match": Schema.optionalKey(version)
})
