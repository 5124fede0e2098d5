/**
 * Versions as strong ETags: `If-Match` on what changes something, `ETag` and `If-None-Match` on what reads it.
 *
 * On the routes named, a request without `If-Match` is 428. The version it names is handed inwards as {@link IfMatch}, on
 * these and all other routes; whether it still is the current one only the store can say, so an error tagged
 * `VersionMismatch` becomes 412. {@link setVersion} puts the version on the answer, and a `GET` or `HEAD` whose
 * `If-None-Match` names the answer's ETag, in a list or weak or with `*`, gets 304 with the same headers and no body. One
 * whose `If-Match` does not name it gets 412.
 *
 * A version has one ETag for each of its representations: `"7"` for the first of what a route offers, `"7(text/csv:de)"` for
 * another that `Negotiation` has chosen, and `Compression` adds the coding, as in `"7-gzip"`. 304 and the 412 of a `GET` go by
 * the representation, a change goes by the version that all of them name.
 *
 * On a method that changes something, `If-None-Match` has to be looked at before the change, and what version there is only
 * the handler knows: it calls {@link require} with that version, or with `undefined` where there is nothing yet, and a
 * condition that does not hold is 412. `PUT` with `If-None-Match: *` is then "make it, but do not replace one".
 *
 * **Gotchas**
 *
 * - A handler that changes something and does not call {@link require} pays no regard to `If-None-Match`.
 * - Between the look and the change another request may come: append at the version that was looked at, and let the store
 *   refuse.
 * - `If-Match: *` asks for any version: it satisfies the stage and leaves {@link IfMatch} empty.
 * - A weak or foreign ETag never matches: a change is 412 where `If-Match` has none but these.
 * - A list that names one version counts as that one. Several versions reach only the routes in `lists`, whose handlers call
 *   {@link require}; {@link IfMatch} is empty there. Elsewhere they are 400: a handler that looks at {@link IfMatch} alone
 *   would change whatever there is.
 * - 304 saves the way back, not the work: the handler has run, as it has before the 412 of a `GET`. Any `ETag` of the answer
 *   is looked at, also one set by hand; where it has none, only `If-Match: *` holds.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Conditional } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.equal(Conditional.etag(3), "\"3\"")
 * assert.equal(Conditional.stage({ required: ["PATCH /users/:id"] }).name, "server/Conditional")
 *
 * // What a handler of `PUT /users/:id` begins with, here outside of any request: then there is no condition.
 * await Effect.runPromise(Conditional.require(undefined))
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import * as Exchange from "./Exchange.ts"
import * as answerHeaders from "./internal/answerHeaders.ts"
import * as etags from "./internal/etags.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The version the caller wants to change; none where it said nothing, `*`, or several on a route of `lists`.
 *
 * @category references
 * @since 0.1.0
 */
export const IfMatch = Context.Reference<Option.Option<number>>("effect-lifecycle/server/Conditional/IfMatch", {
  defaultValue: () => Option.none()
})

/**
 * This route changes only a version that the caller names.
 *
 * @category errors
 * @since 0.1.0
 */
export class PreconditionRequired extends Schema.TaggedError<PreconditionRequired>()("PreconditionRequired", {}) {
  override get message(): string {
    return "The request has no If-Match: send the ETag of the version you read"
  }
}

/**
 * `If-Match` or `If-None-Match` is no list of ETags, or `If-Match` names more versions than are compared.
 *
 * @category errors
 * @since 0.1.0
 */
export class PreconditionInvalid extends Schema.TaggedError<PreconditionInvalid>()("PreconditionInvalid", {
  /** `If-Match` when absent. */
  header: Schema.optionalKey(Schema.Literals(["If-Match", "If-None-Match"])),
  /** `several` where `If-Match` names several versions, and the route compares one. */
  reason: Schema.optionalKey(Schema.Literal("several"))
}) {
  override get message(): string {
    if (this.reason === "several") {
      return "If-Match names several versions, and here one is compared: send the ETag of the version you read"
    }
    return this.header === "If-None-Match"
      ? "If-None-Match is no list of ETags: send those you know, with their quotes, or *"
      : "If-Match is no list of ETags: send the ETag of the version you read, with its quotes"
  }
}

/**
 * There is a version that `If-None-Match` says there must not be.
 *
 * @category errors
 * @since 0.1.0
 */
export class PreconditionFailed extends Schema.TaggedError<PreconditionFailed>()("PreconditionFailed", {}) {
  override get message(): string {
    return "There is a version that If-None-Match excludes: read it, and decide anew"
  }
}

/**
 * The ETag can be no version of ours. A store's own error with this tag means the same to the client.
 *
 * @category errors
 * @since 0.1.0
 */
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>()("VersionMismatch", {}) {
  override get message(): string {
    return "The version named in If-Match is not the current one: read again and repeat"
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The routes that need `If-Match`, such as `"PATCH /users/:id"`. Default none. */
  readonly required?: RouteMatch.Routes | undefined
  /**
   * The routes whose handlers call {@link require}, so that an `If-Match` with several versions may reach them. Default none.
   */
  readonly lists?: RouteMatch.Routes | undefined
}

/**
 * The strong ETag of a version.
 *
 * @category constructors
 * @since 0.1.0
 */
export const etag = (version: number | bigint): string => etags.ofVersion(version)

/**
 * Puts the version's ETag on the answer of the running handler.
 *
 * @category combinators
 * @since 0.1.0
 */
export const setVersion = (version: number | bigint): Effect.Effect<void> => Exchange.setHeader("etag", etag(version))

/**
 * Whether a cached copy named by `If-None-Match` is the one with this ETag (weak comparison, RFC 9110 13.1.2).
 *
 * @category predicates
 * @since 0.1.0
 */
export const isNotModified = (ifNoneMatch: string, current: string): boolean => {
  const known = etags.opaque(current)
  if (ifNoneMatch === known) return true
  if (ifNoneMatch.trim() === "*") return true
  return etags.members(ifNoneMatch).some((each) => etags.opaque(each) === known)
}

/**
 * Looks at the conditions of the running request before something is changed, in the order of RFC 9110, 13.2.2: `If-Match`
 * has to name the current version, alone or among others, and `If-None-Match` must not name it. `current` is `undefined`
 * where there is nothing yet. The errors are 412, and 400 for a header that cannot be read; where the request has no
 * condition, or there is no request, nothing happens.
 *
 * On `GET` and `HEAD` only `If-Match` is looked at: a version that `If-None-Match` names is 304 there, once the answer's
 * ETag is known.
 *
 * @category combinators
 * @since 0.1.0
 */
export const require = (
  current: number | bigint | undefined
): Effect.Effect<void, VersionMismatch | PreconditionFailed | PreconditionInvalid> =>
  Effect.withFiber<void, VersionMismatch | PreconditionFailed | PreconditionInvalid>((fiber) => {
    const request = Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest)
    if (request === undefined) return Effect.void
    const match = request.headers["if-match"]?.trim()
    if (match !== undefined) {
      if (match !== "*" && !etags.isList(match)) return Effect.fail(new PreconditionInvalid({ header: "If-Match" }))
      const holds = current !== undefined && (match === "*" || etags.versionsIn(match).has(String(current)))
      if (!holds) return Effect.fail(new VersionMismatch())
    }
    const none = request.headers["if-none-match"]?.trim()
    if (none === undefined || request.method === "GET" || request.method === "HEAD") return Effect.void
    if (none !== "*" && !etags.isList(none)) return Effect.fail(new PreconditionInvalid({ header: "If-None-Match" }))
    if (current === undefined) return Effect.void
    const known = none === "*" ||
      etags.members(none).some((each) => etags.versionOf(etags.opaque(each)) === String(current))
    return known ? Effect.fail(new PreconditionFailed()) : Effect.void
  })

/** The answer of a `GET`, if its ETag is one of the list, byte for byte (strong comparison, RFC 9110, 13.1.1). */
const matched = (
  next: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>,
  request: HttpServerRequest.HttpServerRequest,
  list: string,
  exchange: Exchange.State
): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown> =>
  Effect.flatMap(next, (response) => {
    // What is no success without the condition is none with it (13.2.1).
    if (response.status < 200 || response.status > 299) return Effect.succeed(response)
    const headers = answerHeaders.of(exchange, response)
    exchange.encoder?.choose(request, response, headers)
    const current = headers["etag"]
    const holds = current !== undefined && !current.startsWith("W/") && etags.members(list).includes(current)
    return holds ? Effect.succeed(response) : Effect.fail(new VersionMismatch())
  })

/**
 * The stage. A name that no route has is refused when the server is built.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const place = { module: "Conditional.stage", option: "required" }
  const isRequired = RouteMatch.make(options.required ?? [], place)
  const listed = { module: "Conditional.stage", option: "lists" }
  const takesLists = RouteMatch.make(options.lists ?? [], listed)
  return ServerStage.make<never, never>({
    name: "server/Conditional",
    reports: "Dependencies",
    routes: [...RouteMatch.given(place, options.required), ...RouteMatch.given(listed, options.lists)],
    wrap: (next) =>
      Effect.withFiber<HttpServerResponse.HttpServerResponse, unknown>((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const sent = request.headers["if-match"]?.trim()
        const { route } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
        if (sent === undefined) return isRequired(route) ? Effect.fail(new PreconditionRequired()) : next
        if (sent === "*") return next
        if (!etags.isList(sent)) return Effect.fail(new PreconditionInvalid())
        const [version, another] = etags.versionsIn(sent)
        const inward = version === undefined || another !== undefined
          ? next
          : Effect.provideService(next, IfMatch, Option.some(Number(version)))
        if (request.method === "GET" || request.method === "HEAD") {
          return matched(inward, request, sent, Exchange.ofUnsafe(fiber))
        }
        if (version === undefined) return Effect.fail(new VersionMismatch())
        return another === undefined || takesLists(route)
          ? inward
          : Effect.fail(new PreconditionInvalid({ reason: "several" }))
      })
  })
}
