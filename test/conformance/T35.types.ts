/** T35: the places of stages are types. Checked by `tsc` alone. */
import { Effect, type Layer } from "effect"
import { Authentication, Scopes, ServerStack, ServerStage, TrustedHosts } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"

const routes = HttpRouter.add("GET", "/", HttpServerResponse.empty())

const byAddress = ServerStage.make({ name: "by address", reports: "Middleware", wrap: (next) => next })
const byUser = ServerStage.make<Authentication.CurrentUser>({
  name: "by user",
  reports: "Security",
  wrap: (next) => Effect.flatMap(Authentication.CurrentUser, () => next)
})

// An identity limit stands behind authentication, a limit by address may stand on either side.
ServerStack.serve(routes, { service: "x", limitByAddress: byAddress, limitByUser: byUser })
ServerStack.serve(routes, { service: "x", limitByUser: byAddress })

ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error a limit by identity needs the user, who is unknown before authentication
  limitByAddress: byUser
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error deadlines come before authentication
  deadlines: byUser
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error this stage gives nobody, so it is no authentication
  authentication: byAddress
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error a stage that needs the user cannot be the one that finds them
  authentication: byUser
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error an authentication gives the user once; it is no limit
  limitByUser: Authentication.stage()
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error a stage around routes cannot stand around the router
  requestIds: byAddress
})

ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error a name that is no slot: the stage would be left out
  scope: Scopes.stage({ routes: { "GET /": ["read"] } })
})

// What a token is good for is known only behind authentication.
const scopes = Scopes.stage({ routes: { "GET /": ["read"] } })
ServerStack.serve(routes, { service: "x", scopes })
ServerStack.serve(routes, { service: "x", limitByUser: scopes })
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error scopes belong to a caller, who is unknown here
  limitByAddress: scopes
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error scopes belong to a caller, who is unknown here
  deadlines: scopes
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error scopes belong to a caller, and around the router there is none
  trustedHosts: scopes
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error scopes find nobody
  authentication: scopes
})
ServerStack.serve(routes, {
  service: "x",
  // @ts-expect-error hosts are looked at before there is a route
  scopes: TrustedHosts.stage()
})

ServerStage.make({
  name: "free rider",
  reports: "Middleware",
  // @ts-expect-error a stage that says it needs nothing cannot ask for the user
  wrap: (next: Effect.Effect<HttpServerResponse.HttpServerResponse>) =>
    Effect.flatMap(Authentication.CurrentUser, () => next)
})

type Needs<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? R : never
const whoami = HttpRouter.add(
  "GET",
  "/me",
  Effect.map(Authentication.CurrentUser, (user) => HttpServerResponse.text(user.id))
)
const served = ServerStack.serve(whoami, { service: "x" })
// Routes find the user in the stack, and the stack asks for an authenticator.
export const found: [Extract<Needs<typeof served>, Authentication.CurrentUser>] extends [never] ? true : false = true
export const asked: [Extract<Needs<typeof served>, Authentication.Authenticator>] extends [never] ? false : true = true
// @ts-expect-error without the stack nobody is there to give the user
export const bare: Layer.Layer<never, never, never> = HttpRouter.serve(whoami)

// A handler that asks for a scope asks for the caller too, and may fail.
const guarded = Scopes.require("read")(Effect.void)
export const guard: Effect.Effect<
  void,
  Scopes.InsufficientScope | Authentication.Unauthorized,
  Authentication.CurrentUser
> = guarded
// @ts-expect-error without a caller there is nobody to ask
export const unguarded: Effect.Effect<void, Scopes.InsufficientScope | Authentication.Unauthorized> = guarded
