/**
 * A stage of the server: a wrapper around what comes next, with the types that fix its place.
 *
 * `Needs` is what must exist before the stage runs, `Gives` what it hands inwards, `R` what it takes when the server is
 * built. `ServerStack` has one slot for each stage, and a slot's type says what exists there: a stage that needs the user
 * does not fit a slot before authentication, and a stage that gives nobody does not fit the slot of authentication.
 *
 * A stage answers by itself by failing with an error that the `Problems` table knows, or by returning a response without
 * running `next`. What it wants on every outcome it writes into `Exchange.headers`.
 *
 * **Gotchas**
 *
 * - `Gives` is invariant on purpose. Were it covariant, a stage that gives nothing could stand in for authentication.
 * - A stage that treats some routes differently by their names says in `routes` which it was given (`RouteMatch.given`):
 *   one that no route has would be a guard that guards nothing.
 * - Code after `next` does not run when `next` fails: use `Effect.onExit` for what must always happen.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Exchange, ServerStage } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const region = ServerStage.make({
 *   name: "region",
 *   reports: "Middleware",
 *   wrap: (next) =>
 *     Effect.withFiber((fiber) => {
 *       Exchange.ofUnsafe(fiber).headers["x-region"] = "eu-1"
 *       return next
 *     })
 * })
 * assert.equal(region.reports, "Middleware")
 * ```
 *
 * @since 0.1.0
 */
import { Effect, type Layer, type Scope } from "effect"
import type { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { StageName } from "../lifecycle/Stage.ts"
import type { Exchange } from "./Exchange.ts"
import type { Routes } from "./Methods.ts"
import type * as RouteMatch from "./RouteMatch.ts"

/**
 * What every stage finds: the request, its scope and its exchange.
 *
 * @category models
 * @since 0.1.0
 */
export type Provided = HttpServerRequest.HttpServerRequest | Scope.Scope | Exchange

/**
 * What a stage does to what comes next.
 *
 * @category models
 * @since 0.1.0
 */
export interface Wrap<Needs, Gives> {
  (
    next: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Gives>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Needs | Provided | HttpRouter.RouteContext>
}

/**
 * What an outer stage does to what comes next: as {@link Wrap}, before a route is known.
 *
 * @category models
 * @since 0.1.0
 */
export interface OuterWrap {
  (
    next: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Provided>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Provided>
}

/**
 * A stage around one route.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerStage<out Needs, in out Gives = never, out R = never> {
  readonly name: string
  /** The stage of the road that its failures and its time belong to. */
  readonly reports: StageName
  readonly attachment: "route"
  /** The names of routes it was given. `ServerStack.serve` does not start where one of them fits no route. */
  readonly routes?: ReadonlyArray<RouteMatch.Given> | undefined
  readonly wrap: Effect.Effect<Wrap<Needs, Gives>, never, R>
}

/**
 * A stage around the whole router, so also around a 404 and a 405.
 *
 * @category models
 * @since 0.1.0
 */
export interface OuterStage<out R = never> {
  readonly name: string
  readonly reports: StageName
  readonly attachment: "router"
  readonly wrap: Effect.Effect<OuterWrap, never, R>
  /** References for the server itself, for what must be set before the first stage runs. */
  readonly install?: Layer.Layer<never, never, Routes> | undefined
}

/**
 * A stage around routes. `wrap` may be an effect that takes services once, when the server is built.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Needs = never, Gives = never, R = never>(options: {
  readonly name: string
  readonly reports: StageName
  readonly routes?: ReadonlyArray<RouteMatch.Given> | undefined
  readonly wrap: Wrap<Needs, Gives> | Effect.Effect<Wrap<Needs, Gives>, never, R>
}): ServerStage<Needs, Gives, R> => ({
  name: options.name,
  reports: options.reports,
  attachment: "route",
  routes: options.routes,
  wrap: Effect.isEffect(options.wrap) ? options.wrap : Effect.succeed(options.wrap)
})

/**
 * A stage around the whole router.
 *
 * @category constructors
 * @since 0.1.0
 */
export const outer = <R = never>(options: {
  readonly name: string
  readonly reports: StageName
  readonly wrap: OuterWrap | Effect.Effect<OuterWrap, never, R>
  readonly install?: Layer.Layer<never, never, Routes> | undefined
}): OuterStage<R> => ({
  name: options.name,
  install: options.install,
  reports: options.reports,
  attachment: "router",
  wrap: Effect.isEffect(options.wrap) ? options.wrap : Effect.succeed(options.wrap)
})

/**
 * The stage that does nothing, for a slot that stays empty.
 *
 * @category constructors
 * @since 0.1.0
 */
export const none = (name: string, reports: StageName): ServerStage<never> =>
  make({ name, reports, wrap: (next) => next })
