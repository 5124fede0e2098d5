/**
 * What a caller's token is good for: routes, or parts of a handler, that need scopes (RFC 6750), and 403 for who lacks one.
 *
 * {@link stage} takes a table of routes; {@link require} guards an effect wherever the need is known only there. Both look at
 * `scopes` of the `CurrentUser`, so the stage does not fit a slot before authentication. The answer says what would have
 * been enough: `WWW-Authenticate: Bearer error="insufficient_scope", scope="orders.write"`, and a problem with the missing
 * ones. Who came without a token to a route that asks for none of its own accord, and is {@link Authentication.anonymous},
 * gets 401.
 *
 * **Gotchas**
 *
 * - A principal without `scopes` has none.
 * - A route that no name of the table fits needs no scope. `unlisted: "refuse"` turns that round: then it is 403, and a route
 *   for every caller is listed with `[]`.
 * - Several names may fit one route; it needs what all of them ask for.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Authentication, Scopes } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const stage = Scopes.stage({ routes: { "GET /orders/:id": ["orders.read"], "POST /orders": ["orders.write"] } })
 * assert.equal(stage.reports, "Security")
 *
 * const cancel = Effect.succeed("cancelled").pipe(Scopes.require("orders.write"))
 * const as = (scopes: ReadonlyArray<string>) =>
 *   Effect.runPromise(Effect.flip(
 *     Effect.provideService(cancel, Authentication.CurrentUser, { id: "alice", scopes })
 *   ))
 * const error = await as(["orders.read"])
 * assert.equal(error._tag, "InsufficientScope")
 * assert.equal(error.message, "The token lacks the scope orders.write: ask for a token that has it")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Schema } from "effect"
import { HttpRouter, type HttpServerResponse } from "effect/http"
import { InvalidOption, oneOf } from "../resilience/InvalidOption.ts"
import { CurrentUser, Forbidden, type Principal, Unauthorized } from "./Authentication.ts"
import * as names from "./internal/scopeName.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The caller is known, and its token is not good for this.
 *
 * @category errors
 * @since 0.1.0
 */
export class InsufficientScope extends Schema.TaggedError<InsufficientScope>()("InsufficientScope", {
  /** All that is needed here. */
  required: Schema.Array(Schema.String),
  /** What of it the caller lacks. */
  missing: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `The token lacks the scope ${this.missing.join(" and ")}: ask for a token that has it`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The scopes that routes need, by names as `RouteMatch` reads them, such as `"POST /orders"` or `"/admin/*"`. */
  readonly routes: { readonly [route: string]: ReadonlyArray<string> }
  /** What becomes of a route that no name fits. Default `"pass"`. */
  readonly unlisted?: "pass" | "refuse" | undefined
}

/**
 * Whether a text can be the name of a scope (RFC 6749 3.3).
 *
 * @category predicates
 * @since 0.1.0
 */
export const isScope: (text: string) => boolean = names.isScope

/**
 * What of `required` a principal lacks.
 *
 * @category getters
 * @since 0.1.0
 */
export const missing = (user: Principal, required: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { scopes } = user
  return scopes === undefined ? required : required.filter((scope) => !scopes.includes(scope))
}

/**
 * The stage. Throws `InvalidOption` for what is no scope or no name of a route, and for a table without routes. A name that
 * no route has is refused when the server is built.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options): ServerStage.ServerStage<CurrentUser> => {
  const place = { module: "Scopes.stage", option: "routes" }
  const table = Object.entries(options.routes).map(([name, scopes]) => {
    checked(place.module, `routes["${name}"]`, scopes)
    return { fits: RouteMatch.make([name], place), scopes }
  })
  const refusesUnlisted = oneOf(place.module, "unlisted", options.unlisted ?? "pass", ["pass", "refuse"]) === "refuse"
  if (table.length === 0 && !refusesUnlisted) {
    throw new InvalidOption({ ...place, value: "{}", allowed: "one route or more: this stage would guard nothing" })
  }
  const known = new WeakMap<RouteMatch.Named, ReadonlyArray<string> | undefined>()
  const requiredBy = (route: RouteMatch.Named): ReadonlyArray<string> | undefined => {
    if (known.has(route)) return known.get(route)
    const fitting = table.filter(({ fits }) => fits(route))
    const required = fitting.length === 0 ? undefined : [...new Set(fitting.flatMap(({ scopes }) => scopes))]
    known.set(route, required)
    return required
  }
  return ServerStage.make<CurrentUser>({
    name: "server/Scopes",
    reports: "Security",
    routes: RouteMatch.given(place, Object.keys(options.routes)),
    wrap: (next) =>
      Effect.withFiber<HttpServerResponse.HttpServerResponse, unknown, CurrentUser>((fiber) => {
        const required = requiredBy(Context.getUnsafe(fiber.context, HttpRouter.RouteContext).route)
        if (required === undefined) return refusesUnlisted ? Effect.fail(new Forbidden()) : next
        const refused = refusal(Context.getUnsafe(fiber.context, CurrentUser), required)
        return refused === undefined ? next : Effect.fail(refused)
      })
  })
}

/**
 * Runs an effect only for a caller who has all these scopes.
 *
 * @category combinators
 * @since 0.1.0
 */
export const require = (...scopes: ReadonlyArray<string>): <A, E, R>(
  self: Effect.Effect<A, E, R>
) => Effect.Effect<A, E | InsufficientScope | Unauthorized, R | CurrentUser> => {
  checked("Scopes.require", "scopes", scopes)
  const granted = Effect.flatMap(CurrentUser, (user) => {
    const refused = refusal(user, scopes)
    return refused === undefined ? Effect.void : Effect.fail(refused)
  })
  return (self) => Effect.andThen(granted, self)
}

const refusal = (user: Principal, required: ReadonlyArray<string>): InsufficientScope | Unauthorized | undefined => {
  const lacking = missing(user, required)
  if (lacking.length === 0) return undefined
  return user.anonymous === true
    ? new Unauthorized({
      reason: "No bearer token was sent",
      challenge: `Bearer scope="${required.join(" ")}"`
    })
    : new InsufficientScope({ required, missing: lacking })
}

/** A quote in a scope would end the value it stands in. */
const checked = (module: string, option: string, scopes: ReadonlyArray<string>): void => {
  const wrong = scopes.find((scope) => !isScope(scope))
  if (wrong === undefined) return
  throw new InvalidOption({
    module,
    option,
    value: JSON.stringify(wrong),
    allowed: "names of scopes: visible ASCII without spaces, quotes and backslashes, such as orders.read"
  })
}
