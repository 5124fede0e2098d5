import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Redacted } from "effect"
import {
  Admission,
  Authentication,
  Conditional,
  Idempotency,
  Negotiation,
  Problems,
  RateLimits,
  RouteMatch,
  Scopes,
  ServerStack,
  ServerStage
} from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { optionOf } from "./refused.ts"

const unused = () => Effect.die("no request is made")
const records = Layer.succeed(Idempotency.IdempotencyRecords, { claim: unused, complete: unused, release: unused })

const answer = HttpServerResponse.text("secret")
const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/users", answer),
  HttpRouter.add("GET", "/users/:id", answer),
  HttpRouter.add("DELETE", "/users/:id", answer),
  HttpRouter.add("POST", "/orders", answer),
  HttpRouter.add("*", "/anything", answer),
  HttpRouter.add("GET", "/files/*", answer),
  HttpRouter.use((router) => router.prefixed("/v2").add("GET", "/items/:id", answer))
)

/** What starting a server with these stages ends with. */
const start = (
  options: Partial<ServerStack.Options>,
  given: Layer.Layer<never, never, HttpRouter.HttpRouter> = routes
) =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(Effect.scoped(Layer.build(
      ServerStack.serve(given, { service: "users", ...options } as { readonly service: string }).pipe(
        Layer.provide([
          Authentication.layerTokens(Redacted.make("token123:alice")),
          records,
          RateLimits.layerMemory()
        ]),
        Layer.provide(NodeListener.layer({ port: 0 }))
      )
    )))
    return Exit.isSuccess(exit) ? "started" : String(Cause.squash(exit.cause))
  })

const policies = [{ name: "calls", limit: 10, window: "1 minute" }] as const

describe("names of routes", () => {
  it("that no route could have are refused where they are given, with the stage and its option", () => {
    const wrong = [
      "GET /users/{id}",
      "GET users/:id",
      "orders",
      "/users/{id}",
      "GET  /users",
      "FETCH /users",
      "GET /users?all=true",
      "/users#top",
      "/*/users",
      "* /users",
      "*",
      "",
      "GET ",
      "/users /orders"
    ]
    const stages: ReadonlyArray<readonly [string, string, (name: string) => unknown]> = [
      ["Scopes.stage", "routes", (name) => Scopes.stage({ routes: { [name]: ["admin"] } })],
      ["Idempotency.stage", "required", (name) => Idempotency.stage({ required: [name] })],
      ["Conditional.stage", "required", (name) => Conditional.stage({ required: [name] })],
      ["Authentication.stage", "exempt", (name) => Authentication.stage({ exempt: [name] })],
      ["Admission.stage", "exempt", (name) => Admission.stage({ permits: 1, exempt: [name] })],
      ["Admission.stage", "priorities.low", (name) => Admission.stage({ permits: 1, priorities: { low: [name] } })],
      ["RateLimits", "exempt", (name) => RateLimits.byUser({ policies, exempt: [name] })],
      ["RateLimits", "cost", (name) => RateLimits.byAddress({ policies, cost: { [name]: 1 } })],
      ["Negotiation.stage", "offers", (name) => Negotiation.stage({ offers: { [name]: ["text/csv"] } })],
      ["Problems.openApi", "exempt", (name) => Problems.openApi({ exempt: [name] })],
      ["Problems.openApi", "answers.Forbidden", (name) => Problems.openApi({ answers: { Forbidden: [name] } })],
      ["RouteMatch.make", "routes", (name) => RouteMatch.make([name])]
    ]
    for (const [module, option, make] of stages) {
      for (const name of wrong) {
        assert.deepStrictEqual(optionOf(() => make(name)), [module, option], `${module} took ${JSON.stringify(name)}`)
      }
    }
  })

  it("that a route may have are taken", () => {
    const names = [
      "/",
      "/*",
      "/users",
      "post /users",
      "QUERY /users/:id",
      "/users/:id?",
      "/at/:hour(^\\d{2})h:minute",
      "/:a-:b/v1.2/~me/größe",
      "/docs/*"
    ]
    for (const name of names) assert.isFunction(RouteMatch.make([name]), name)
    assert.isTrue(RouteMatch.make(["post /users"])({ method: "POST", path: "/users" }))
    // How a route for everything may be declared too.
    assert.isTrue(RouteMatch.make(["/*"])({ method: "GET", path: "*" }))
  })

  it("are asked for where a stage would guard nothing without", () => {
    assert.deepStrictEqual(optionOf(() => Idempotency.stage({ required: [] })), ["Idempotency.stage", "required"])
    assert.deepStrictEqual(optionOf(() => Scopes.stage({ routes: {} })), ["Scopes.stage", "routes"])
    assert.strictEqual(Scopes.stage({ routes: {}, unlisted: "refuse" }).name, "server/Scopes")
  })

  it.effect("that no route has stop the server from starting", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [Partial<ServerStack.Options>, string]> = [
        [{ scopes: Scopes.stage({ routes: { "GET /user/:id": ["admin"] } }) }, "Scopes.stage: routes"],
        [{ scopes: Scopes.stage({ routes: { "/users/:userId": ["admin"] } }) }, "Scopes.stage: routes"],
        [{ scopes: Scopes.stage({ routes: { "/admin/*": ["admin"] } }) }, "Scopes.stage: routes"],
        [{ scopes: Scopes.stage({ routes: { "HEAD /users": ["admin"] } }) }, "Scopes.stage: routes"],
        // Its route has every method, so this would let the POST through.
        [{ scopes: Scopes.stage({ routes: { "POST /anything": ["admin"] } }) }, "Scopes.stage: routes"],
        // An address, not a template: the route below `/files` answers it, and is not below `/files/private`.
        [{ scopes: Scopes.stage({ routes: { "/files/private/*": ["admin"] } }) }, "Scopes.stage: routes"],
        [{ scopes: Scopes.stage({ routes: { "/items/:id": ["admin"] } }) }, "Scopes.stage: routes"],
        [{ scopes: Scopes.stage({ routes: { "/metrics": ["admin"] } }) }, "Scopes.stage: routes"],
        [{ idempotency: Idempotency.stage({ required: ["POST /order"] }) }, "Idempotency.stage: required"],
        [{ conditional: Conditional.stage({ required: ["PATCH /users/:id"] }) }, "Conditional.stage: required"],
        [{ authentication: Authentication.stage({ exempt: ["/docs"] }) }, "Authentication.stage: exempt"],
        [{ admission: Admission.stage({ permits: 1, exempt: ["/notices"] }) }, "Admission.stage: exempt"],
        [
          { admission: Admission.stage({ permits: 1, priorities: { low: ["/reports"] } }) },
          "Admission.stage: priorities.low"
        ],
        [{ limitByUser: RateLimits.byUser({ policies, cost: { "/reports": 5 } }) }, "RateLimits: cost"],
        [{ limitByAddress: RateLimits.byAddress({ policies, exempt: ["/notices"] }) }, "RateLimits: exempt"],
        [{ negotiation: Negotiation.stage({ offers: { "/report": ["text/csv"] } }) }, "Negotiation.stage: offers"]
      ]
      for (const [options, place] of cases) {
        const message = yield* start(options)
        assert.isTrue(
          message.startsWith(`InvalidOption: ${place} must be names of routes that this server has`),
          message
        )
      }
    }))

  it.effect("that no route has are told with the nearest there are", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* start({ scopes: Scopes.stage({ routes: { "DELETE /user/:userId": ["admin"] } }) }),
        "InvalidOption: Scopes.stage: routes must be names of routes that this server has (the nearest: " +
          "DELETE /users/:id, GET /users/:id, GET /users), got \"DELETE /user/:userId\""
      )
      assert.include(
        yield* start({ scopes: Scopes.stage({ routes: { "/health/*": ["admin"] } }) }),
        "; this one passes no stage around routes), got \"/health/*\""
      )
      assert.include(
        yield* start({ conditional: Conditional.stage({ required: ["/a"] }) }, Layer.empty),
        "that this server has (there is none), got \"/a\""
      )
    }))

  it.effect("of all kinds of routes let the server start", () =>
    Effect.gen(function*() {
      const started = yield* start({
        authentication: Authentication.stage({ exempt: ["/health/*", "/metrics", "GET /users"] }),
        scopes: Scopes.stage({ routes: { "/*": ["read"], "delete /users/:id": ["write"], "/anything": ["write"] } }),
        limitByUser: RateLimits.byUser({ policies, exempt: ["/health/live"], cost: { "/files/*": 2 } }),
        idempotency: Idempotency.stage({ required: ["POST /orders"] }),
        conditional: Conditional.stage({ required: ["DELETE /users/*", "GET /v2/items/:id"] })
      })
      assert.strictEqual(started, "started")
      assert.strictEqual(yield* start({}, HttpRouter.add("GET", "*", answer)), "started")
      assert.strictEqual(
        yield* start({ authentication: Authentication.stage({ exempt: ["/*"] }) }, HttpRouter.add("GET", "*", answer)),
        "started"
      )
      // The default names pages that most servers do not have.
      assert.strictEqual(yield* start({ authentication: Authentication.stage() }), "started")
    }))

  it.effect("as a test are nobody's to check, for a list that several servers share", () =>
    Effect.gen(function*() {
      const shared = RouteMatch.make(["/docs", "GET /users"])
      assert.strictEqual(yield* start({ authentication: Authentication.stage({ exempt: shared }) }), "started")
    }))

  it.effect("of a stage of the application's own are looked at as well", () =>
    Effect.gen(function*() {
      const names = ["/nowhere"]
      const own = ServerStage.make<never>({
        name: "own",
        reports: "Middleware",
        routes: RouteMatch.given({ module: "Own.stage", option: "slow" }, names),
        wrap: (next) => next
      })
      assert.include(yield* start({ admission: own }), "Own.stage: slow must be names of routes")
    }))

  it.effect("guard what they name over the socket", () =>
    Effect.gen(function*() {
      const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
      const status = (path: string) =>
        Effect.promise(async () => (await fetch(url + path, { headers: { authorization: "Bearer token123" } })).status)
      assert.strictEqual(yield* status("/users/1"), 403)
      assert.strictEqual(yield* status("/v2/items/1"), 403)
      assert.strictEqual(yield* status("/users"), 200)
    }).pipe(Effect.provide(
      ServerStack.serve(routes, {
        service: "users",
        scopes: Scopes.stage({ routes: { "GET /users/:id": ["admin"], "/v2/*": ["admin"] } })
      }).pipe(
        Layer.provide(Authentication.layerTokens(Redacted.make("token123:alice"))),
        Layer.provideMerge(NodeListener.layer({ port: 0 }))
      )
    )))
})
