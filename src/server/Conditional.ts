/**
 * Versions as strong ETags: `If-Match` on what changes something, `ETag` and `If-None-Match` on what reads it.
 *
 * On the routes named, a request without `If-Match` is 428. A version that parses is handed inwards as {@link IfMatch}, on
 * these and all other routes; whether it still is the current one only the store can say, so an error tagged
 * `VersionMismatch` becomes 412. {@link setVersion} puts the version on the answer, and a `GET` or `HEAD` whose
 * `If-None-Match` names the answer's ETag, in a list or weak or with `*`, gets 304 with the same headers and no body.
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
 * - A weak or foreign ETag never matches, so it is 412. A list of several is refused with 400.
 * - 304 saves the way back, not the work: the handler has run. Any `ETag` of a 200 is looked at, also one set by hand.
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
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The version the caller wants to change; none where it said nothing or `*`.
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
 * `If-Match` is not one ETag, or `If-None-Match` is no list of them.
 *
 * @category errors
 * @since 0.1.0
 */
export class PreconditionInvalid extends Schema.TaggedError<PreconditionInvalid>()("PreconditionInvalid", {
  /** `If-Match` when absent. */
  header: Schema.optionalKey(Schema.Literals(["If-Match", "If-None-Match"]))
}) {
  override get message(): string {
    return this.header === "If-None-Match"
      ? "If-None-Match is no list of ETags: send those you know, with their quotes, or *"
      : "If-Match is not one ETag: send the ETag of the version you read"
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
}

/**
 * The strong ETag of a version.
 *
 * @category constructors
 * @since 0.1.0
 */
export const etag = (version: number | bigint): string => `"${version}"`

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
  const known = opaque(current)
  if (ifNoneMatch === known) return true
  if (ifNoneMatch.trim() === "*") return true
  // A comma may stand inside of an ETag.
  for (const [each] of ifNoneMatch.matchAll(anyTag)) if (opaque(each) === known) return true
  return false
}

/**
 * Looks at the conditions of the running request before something is changed, in the order of RFC 9110, 13.2.2: `If-Match`
 * has to name the current version, and `If-None-Match` must not name it. `current` is `undefined` where there is nothing
 * yet. The errors are 412, and 400 for a header that cannot be read; where the request has no condition, or there is no
 * request, nothing happens.
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
      if (match !== "*" && !isTag.test(match)) return Effect.fail(new PreconditionInvalid({ header: "If-Match" }))
      const holds = current !== undefined && (match === "*" || versionOf(match) === String(current))
      if (!holds) return Effect.fail(new VersionMismatch())
    }
    const none = request.headers["if-none-match"]?.trim()
    if (none === undefined || request.method === "GET" || request.method === "HEAD") return Effect.void
    if (none !== "*" && !isTagList.test(none)) return Effect.fail(new PreconditionInvalid({ header: "If-None-Match" }))
    if (current === undefined) return Effect.void
    const known = none === "*" || none.match(anyTag)?.some((tag) => versionOf(opaque(tag)) === String(current))
    return known === true ? Effect.fail(new PreconditionFailed()) : Effect.void
  })

const isTag = /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/
const isTagList = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*$/
const anyTag = /(?:W\/)?"[^"]*"/g

/** The version that a strong ETag of ours names. The same version in another coding has a name of its own: see `Compression`. */
const versionOf = (tag: string): string | undefined =>
  /^"(0|[1-9]\d{0,14})(?:-(?:br|zstd|gzip|deflate))?"$/.exec(tag)?.[1]

const opaque = (tag: string): string => tag.startsWith("W/") ? tag.slice(2) : tag

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const isRequired = RouteMatch.make(options.required ?? [])
  return ServerStage.make<never, never>({
    name: "server/Conditional",
    reports: "Dependencies",
    wrap: (next) =>
      Effect.withFiber<HttpServerResponse.HttpServerResponse, unknown>((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const sent = request.headers["if-match"]?.trim()
        if (sent === undefined) {
          const { route } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
          return isRequired(route) ? Effect.fail(new PreconditionRequired()) : next
        }
        if (sent === "*") return next
        if (!isTag.test(sent)) return Effect.fail(new PreconditionInvalid())
        const version = versionOf(sent)
        return version === undefined
          ? Effect.fail(new VersionMismatch())
          : Effect.provideService(next, IfMatch, Option.some(Number(version)))
      })
  })
}
