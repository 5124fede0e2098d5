import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import {
  Authentication,
  Compression,
  Cors,
  Exchange,
  Idempotency,
  Negotiation,
  Scopes,
  ServerStack,
  ServerStage
} from "effect-lifecycle/server"
import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, tokens } from "../server/harness.ts"

const seen: Array<string> = []
const mark = (name: string) =>
  ServerStage.make({
    name,
    reports: "Middleware",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        seen.push(`${name}:${Exchange.ofUnsafe(fiber).userId ?? "nobody"}`)
        return next
      })
  })

// The types are in T35.types.ts; here is that the order they promise is the order at run time.
describe("T35 identity comes before what needs it", () => {
  it("lists the stages in the order of the road", () => {
    const stages = ServerStack.describe({
      service: "x",
      limitByAddress: mark("by address"),
      limitByUser: mark("by user"),
      idempotency: Idempotency.stage({ required: ["POST /orders"] })
    })
    assert.deepStrictEqual(stages.map((stage) => `${stage.name} ${stage.reports} ${stage.attachment}`), [
      "server/TrustedProxies Middleware router",
      "server/RequestIds Middleware router",
      "server/TraceContext Middleware router",
      "server/AccessLog Middleware router",
      "server/ServerTiming Response router",
      "server/Problems Middleware router",
      "server/SecurityHeaders Middleware router",
      "server/TrustedHosts Middleware router",
      "server/Methods Router router",
      "server/Deadlines Middleware route",
      "by address Middleware route",
      "server/Authentication Security route",
      "by user Middleware route",
      "server/ContentTypes Validation route",
      "server/BodyLimits Validation route",
      "server/Idempotency Dependencies route",
      "server/Conditional Dependencies route"
    ])
  })

  it("puts what is asked for in its own place, whatever order the options have", () => {
    const stages = ServerStack.describe({
      compression: Compression.stage(),
      decompression: NodeDecompression.stage(),
      negotiation: Negotiation.stage(),
      scopes: Scopes.stage({ routes: { "POST /orders": ["orders.write"] } }),
      cors: Cors.stage({ origins: "*" }),
      idempotency: Idempotency.stage({ required: ["POST /orders"] }),
      limitByUser: mark("by user"),
      limitByAddress: mark("by address"),
      admission: mark("admission"),
      service: "x"
    })
    assert.deepStrictEqual(stages.map((stage) => stage.name), [
      "server/TrustedProxies",
      "server/RequestIds",
      "server/TraceContext",
      "server/AccessLog",
      "server/ServerTiming",
      "server/Compression",
      "server/Problems",
      "server/SecurityHeaders",
      "server/TrustedHosts",
      "server/Cors",
      "server/Methods",
      "server/Deadlines",
      "admission",
      "by address",
      "server/Authentication",
      "server/Scopes",
      "by user",
      "server/Negotiation",
      "server/NodeDecompression",
      "server/ContentTypes",
      "server/BodyLimits",
      "server/Idempotency",
      "server/Conditional"
    ])
  })

  it.live("runs the limit by address before the caller is known and the limit by user after", () =>
    Effect.gen(function*() {
      yield* ask("/", { headers: bearer })
      assert.deepStrictEqual(seen, ["by address:nobody", "by user:alice"])
      seen.length = 0
      assert.strictEqual((yield* ask("/")).status, 401)
      assert.deepStrictEqual(seen, ["by address:nobody"])
    }).pipe(Effect.provide(
      ServerStack.serve(HttpRouter.add("GET", "/", HttpServerResponse.empty()), {
        service: "x",
        limitByAddress: mark("by address"),
        limitByUser: mark("by user")
      }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
    )))

  it.live("takes another authentication in its place", () => {
    const fixed = ServerStage.make<never, Authentication.CurrentUser>({
      name: "fixed",
      reports: "Security",
      wrap: (next) => Effect.provideService(next, Authentication.CurrentUser, { id: "carol" })
    })
    const whoami = HttpRouter.add(
      "GET",
      "/",
      Effect.map(Authentication.CurrentUser, (user) => HttpServerResponse.text(user.id))
    )
    return Effect.gen(function*() {
      assert.strictEqual((yield* ask("/")).text, "carol")
    }).pipe(Effect.provide(
      ServerStack.serve(whoami, { service: "x", authentication: fixed }).pipe(Layer.provideMerge(listener))
    ))
  })
})
