/**
 * The one table from an error's tag to what the client is told, and the boundary that says it.
 *
 * Errors know nothing of HTTP. A {@link table} maps a `_tag` to a status, a title, a problem type and the stage of the road
 * it belongs to; {@link builtIn} has the rows of this library, an application adds its own. Whatever fails inside the
 * server, in a stage, the router, a schema or a handler, leaves as `application/problem+json` (RFC 9457) with `requestId`
 * and `stage`. What no row knows is a bug: it leaves as a bare 500 and is reported as `DefectCaught`.
 *
 * Routes of `HttpRouter` may simply fail. Endpoints of `HttpApi` declare their errors with {@link Table.error}, which gives
 * an error class its status, its problem document and its place in the OpenAPI description; errors that any endpoint can
 * meet and no caller needs to decode leave the handler through {@link escalate}. {@link openApi} puts what the stages around
 * the endpoints answer into the description too.
 *
 * **Gotchas**
 *
 * - Nothing of an error reaches the client unless its row says so with `detail` or `extensions`. A message may hold what
 *   only the operator should see.
 * - An error declared on an `HttpApi` endpoint without {@link Table.error} is encoded by `HttpApi` as its own JSON, past this
 *   table.
 * - `HttpApi` reports only the first wrong field unless the api carries
 *   `.annotate(HttpApi.ParseOptions, Problems.allErrors)`.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Problems } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * class OrderNotFound extends Schema.TaggedError<OrderNotFound>()("OrderNotFound", { orderId: Schema.String }) {}
 *
 * const problems = Problems.table({
 *   OrderNotFound: {
 *     status: 404,
 *     title: "Order not found",
 *     detail: (error: OrderNotFound) => `There is no order ${error.orderId}`
 *   }
 * })
 * const problem = problems.describe(new OrderNotFound({ orderId: "o-1" }))
 * assert.equal(problem?.document.type, "urn:problem:order-not-found")
 * assert.equal(problem?.document.detail, "There is no order o-1")
 * assert.equal(problems.describe({ _tag: "NobodyKnowsMe" }), undefined)
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Schema, SchemaTransformation } from "effect"
import { HttpApiSchema } from "effect/http-api"
import * as Recorder from "../lifecycle/Recorder.ts"
import { StageName } from "../lifecycle/Stage.ts"
import { oneOf, wholeNumber } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import { builtInRows } from "./internal/builtInProblems.ts"
import * as causes from "./internal/problemCause.ts"
import * as documents from "./internal/problemDocument.ts"
import * as openApis from "./internal/problemOpenApi.ts"
import type * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * What the client is told about one kind of error.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row<in E = never> {
  readonly status: number
  readonly title: string
  /** A URN or an https URI. Default `urn:problem:` and the tag in kebab case. */
  readonly type?: string | undefined
  /** Default `Handler`. */
  readonly stage?: StageName | undefined
  readonly detail?: ((error: E) => string | undefined) | undefined
  /** Further members of the document. Names need three characters and start with a letter. */
  readonly extensions?: ((error: E) => Readonly<Record<string, unknown>>) | undefined
  readonly headers?: ((error: E) => Readonly<Record<string, string>>) | undefined
}

/**
 * A problem before the request's id is on it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Problem {
  readonly status: number
  readonly stage: StageName
  readonly headers: Readonly<Record<string, string>>
  readonly document: {
    readonly type: string
    readonly title: string
    readonly status: number
    readonly detail?: string
    readonly [extension: string]: unknown
  }
}

/**
 * An error class of `Schema.TaggedError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorClass<E extends { readonly _tag: string }> extends Schema.Codec<E, unknown> {
  readonly fields: { readonly _tag: { readonly schema: Schema.Literal<E["_tag"]> } }
}

/**
 * Rows by tag. Make one with {@link table}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Table<out Tag extends string = string> {
  readonly rows: { readonly [tag: string]: Row }
  /** The tags the application added. */
  readonly tags: ReadonlyArray<Tag>
  /** The problem an error becomes, or `undefined` where no row knows its tag. */
  readonly describe: (error: unknown) => Problem | undefined
  /**
   * The schema to declare an error with on an `HttpApi` endpoint: status, problem document and OpenAPI description from the
   * row. A typed client gets the error back when the row's `extensions` carries its fields.
   */
  readonly error: <E extends { readonly _tag: string }>(errorClass: Schema.Codec<E, unknown>) => Schema.Codec<
    E,
    Readonly<Record<string, unknown>>
  >
}

/**
 * An error on its way past the declared errors of an `HttpApi` endpoint. See {@link escalate}.
 *
 * @category models
 * @since 0.1.0
 */
export class Escalated {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/**
 * The rows of this library.
 *
 * @category constants
 * @since 0.1.0
 */
export const builtIn: { readonly [tag: string]: Row } = builtInRows

/**
 * Parse options that list every wrong field. For `.annotate(HttpApi.ParseOptions, Problems.allErrors)`.
 *
 * @category constants
 * @since 0.1.0
 */
export const allErrors = { errors: "all" } as const

const module = "Problems.table"

/**
 * The built-in rows and the application's; the application's win. Throws `InvalidOption` for a status that is no error's.
 *
 * @category constructors
 * @since 0.1.0
 */
export const table = <const Rows extends { readonly [tag: string]: Row }>(
  rows: Rows
): Table<Extract<keyof Rows, string>> => {
  for (const [tag, { stage, status }] of Object.entries<Row>(rows)) {
    wholeNumber(module, `${tag}.status`, status, 400, 599)
    if (stage !== undefined) oneOf(module, `${tag}.stage`, stage, StageName.literals)
  }
  const all: { readonly [tag: string]: Row } = { ...builtInRows, ...rows }
  const describe = (error: unknown): Problem | undefined => {
    const tag = documents.tagOf(error)
    const row = tag !== undefined && Object.hasOwn(all, tag) ? all[tag] : undefined
    return tag === undefined || row === undefined ? undefined : documents.fromRow(tag, row, error)
  }
  return {
    rows: all,
    tags: Object.keys(rows) as Array<Extract<keyof Rows, string>>,
    describe,
    error: (errorClass) => declare(errorClass, all, describe)
  }
}

/**
 * The table without rows of an application.
 *
 * @category constants
 * @since 0.1.0
 */
export const empty: Table<never> = table({})

/**
 * What stands around the endpoints of an `HttpApi`, for its OpenAPI document. Give it what the slots of `ServerStack` have.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpenApiOptions<Tag extends string = never> {
  readonly table?: Table<Tag> | undefined
  /** The routes without a token, as in `Authentication.stage`. Default none of the api's. */
  readonly exempt?: RouteMatch.Routes | undefined
  /**
   * What else is answered, by the tag of its row, and where: everywhere (`true`), or on the routes named. It is for slots
   * that are empty by default, and for errors that handlers {@link escalate}.
   */
  readonly answers?:
    | { readonly [_ in Tag | keyof typeof builtInRows]?: true | RouteMatch.Routes | undefined }
    | undefined
}

/**
 * Writes into the OpenAPI document of an `HttpApi` what the stages around it answer, and that they ask for a token:
 * `api.annotate(OpenApi.Transform, Problems.openApi({ table }))`.
 *
 * Every operation gets 500, 503 and 504; 401 and `security` unless it is exempt; 422 where it has parameters or a body;
 * 400, 413 and 415 where it has a body. These are the answers of the default slots. `answers` adds those of the others, and
 * a tag that the table does not know is refused with an error. What an endpoint declares itself stays beside them. Left out
 * are the answers to what is no request of any operation: 404 and 405 of the router, 408, 414, 431 and 505 of the listener.
 *
 * @category combinators
 * @since 0.1.0
 */
export const openApi = <Tag extends string = never>(
  options: OpenApiOptions<Tag> = {}
): (spec: Record<string, unknown>) => Record<string, unknown> =>
  openApis.make({
    rows: (options.table ?? empty).rows,
    exempt: options.exempt ?? [],
    answers: options.answers ?? {}
  })

/**
 * Sends every error past the declared errors of an endpoint, straight to the table.
 *
 * @category combinators
 * @since 0.1.0
 */
export const escalate = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
  Effect.catch(self, (error) => Effect.die(new Escalated(error)))

/**
 * Sends the errors with these tags past the declared errors of an endpoint, straight to the table.
 *
 * For what any endpoint can meet and no caller needs to decode, such as `StoreUnavailable` or `DeadlineExceeded`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const escalateTags =
  <const Tags extends ReadonlyArray<string>>(...tags: Tags) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, { readonly _tag: Tags[number] }>, R> =>
    Effect.catch(self, (error) =>
      tags.some((tag) => tag === documents.tagOf(error))
        ? Effect.die(new Escalated(error))
        : Effect.fail(error as Exclude<E, { readonly _tag: Tags[number] }>))

/**
 * The boundary: turns every failure, defect and interruption inside it into a problem, and reports defects once.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: { readonly table?: Table | undefined } = {}): ServerStage.OuterStage => {
  const problems = options.table ?? empty
  return ServerStage.outer({
    name: "server/Problems",
    reports: "Middleware",
    wrap: (next) =>
      Effect.matchCauseEffect(next, {
        onSuccess: (response) =>
          response.status < 400
            ? Effect.succeed(response)
            : Effect.withFiber((fiber) => Effect.succeed(causes.complete(response, Exchange.ofUnsafe(fiber)))),
        onFailure: (cause) =>
          Effect.withFiber((fiber) => {
            const exchange = Exchange.ofUnsafe(fiber)
            const answer = causes.answer(
              cause,
              problems.describe,
              (defect) => defect instanceof Escalated ? { error: defect.error } : undefined
            )
            if (answer.defect) {
              const recorder = fiber.getRef(Recorder.Current)
              if (recorder !== undefined) {
                recorder({
                  _tag: "DefectCaught",
                  stage: answer.problem.stage,
                  requestId: exchange.requestId,
                  cause
                }, fiber)
              }
            }
            return Effect.succeed(
              answer.response === undefined
                ? documents.respond(answer.problem, exchange)
                : causes.complete(answer.response, exchange)
            )
          })
      })
  })
}

const declare = <E extends { readonly _tag: string }>(
  errorClass: Schema.Codec<E, unknown>,
  rows: { readonly [tag: string]: Row },
  describe: (error: unknown) => Problem | undefined
): Schema.Codec<E, Readonly<Record<string, unknown>>> => {
  const tag = documents.tagOfSchema(errorClass)
  const row = rows[tag]
  if (row === undefined) {
    throw new Error(
      `Problems.table has no row for the error "${tag}": add one, or it cannot be declared on an endpoint`
    )
  }
  const decode = Schema.decodeUnknownEffect(errorClass)
  return documents.schemaOf(tag, row).pipe(
    Schema.decodeTo(
      Schema.toType(errorClass),
      SchemaTransformation.transformEffect<E, Readonly<Record<string, unknown>>>({
        decode: (document) => Effect.mapError(decode({ ...document, _tag: tag }), (error) => error.issue),
        encode: (error) =>
          Effect.withFiber((fiber) => {
            const problem = describe(error) ?? documents.fromRow(tag, row, error)
            const exchange = Context.getOrUndefined(fiber.context, Exchange.Exchange)
            return Effect.succeed(
              exchange === undefined ? problem.document : documents.complete(problem, exchange)
            )
          })
      })
    ),
    (schema) =>
      HttpApiSchema.status(row.status)(schema.pipe(HttpApiSchema.asJson({ contentType: documents.contentType })))
  )
}
