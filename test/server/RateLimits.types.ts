/** A limit by user before authentication is a type error; so is a limit without a place for its counts. */
import { Layer } from "effect"
import { RateLimits, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { listener, tokens } from "./harness.ts"

const routes = HttpRouter.add("GET", "/", HttpServerResponse.empty())
const policies = [{ name: "user", limit: 1, window: "1 minute" }] as const

ServerStack.serve(routes, { service: "x", limitByUser: RateLimits.byUser({ policies }) })
ServerStack.serve(routes, { service: "x", limitByUser: RateLimits.byAddress({ policies }) })
// @ts-expect-error nobody is known before authentication
ServerStack.serve(routes, { service: "x", limitByAddress: RateLimits.byUser({ policies }) })
// @ts-expect-error a limit needs a policy
RateLimits.byUser({ policies: [] })

const live = ServerStack.serve(routes, { service: "x", limitByUser: RateLimits.byUser({ policies }) }).pipe(
  Layer.provide(tokens),
  Layer.provide(listener)
)
export const counted: Layer.Layer<never, unknown> = live.pipe(Layer.provide(RateLimits.layerMemory()))
// @ts-expect-error the RateLimiter is missing
export const uncounted: Layer.Layer<never, unknown> = live
