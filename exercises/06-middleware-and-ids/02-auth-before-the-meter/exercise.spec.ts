import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ServerStack } from "effect-lifecycle/server"
import { TestClock } from "effect/testing"
import { HttpRouter } from "effect/http"
import { type Ask, type Client, open } from "../../serve.ts"
import { check } from "../../support.ts"
import { app, stages } from "./exercise.ts"
import { handled, listOrders, Meter, placeOrder, profile, quota, tokens } from "./shop.ts"

const office = "198.51.100.7"
const routes: ReadonlyArray<Ask> = [{ path: "/orders" }, { path: "/orders", method: "POST" }, { path: "/me" }]
const nameOf = ({ method = "GET", path }: Ask) => `${method} ${path}`

const router = Effect.suspend(() => {
  handled.length = 0
  return open(
    HttpRouter.serve(app, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(Meter.layer),
      Layer.provide(tokens)
    )
  )
})

const stack = Effect.suspend(() => {
  handled.length = 0
  return open(
    ServerStack.serve(Layer.mergeAll(listOrders, placeOrder, profile), stages).pipe(
      Layer.provide(Meter.layer),
      Layer.provide(tokens)
    )
  )
})

const as = (token: string, ask: Ask): Ask => ({ ...ask, headers: { authorization: `Bearer ${token}` } })

const served = Effect.fnUntraced(function*(client: Client) {
  for (const route of routes) {
    const { status } = yield* client(as("token-a", { ...route, peer: office }))
    check(status === 200, `Alice asks ${nameOf(route)} for the first time, and gets ${status}.`)
  }
})

const strangersCostNothing = Effect.fnUntraced(function*(client: Client) {
  for (let n = 0; n < 200; n++) {
    const asks = n % 2 === 0 ? { path: "/orders" } : as(`guess-${n}`, { path: "/orders" })
    const { status } = yield* client({ ...asks, peer: office })
    check(
      status === 401,
      `Call ${n + 1} of a stranger gets ${status}. A stranger is told 401 however often: nobody is over a limit here.`
    )
  }
  for (let n = 0; n < quota; n++) {
    const { status } = yield* client(as("token-a", { path: "/orders", peer: office }))
    check(status === 200, `After 200 calls of strangers from the same office, call ${n + 1} of Alice gets ${status}.`)
  }
})

const usersAreCounted = Effect.fnUntraced(function*(client: Client) {
  for (let n = 0; n < quota; n++) yield* client(as("token-a", { path: "/orders", peer: `203.0.113.${n}` }))
  yield* TestClock.adjust("20 seconds")
  const refused = yield* client(as("token-a", { path: "/orders", peer: "203.0.113.200" }))
  check(
    refused.status === 429,
    `Call ${quota + 1} of Alice within a minute gets ${refused.status}. She is one user, wherever her phone is.`
  )
  assert.strictEqual(
    refused.headers["retry-after"],
    "40",
    "The minute has 40 seconds left, and a 429 says so in Retry-After."
  )
  const bob = yield* client(as("token-b", { path: "/orders", peer: "203.0.113.200" }))
  check(bob.status === 200, `Bob has asked for nothing yet, and gets ${bob.status}. Whose calls were counted?`)
  yield* TestClock.adjust("40 seconds")
  const later = yield* client(as("token-a", { path: "/orders", peer: office }))
  check(later.status === 200, `A minute later Alice may ask again, but she gets ${later.status}.`)
})

const noRouteIsForgotten = Effect.fnUntraced(function*(client: Client) {
  for (const route of routes) {
    const { status } = yield* client({ ...route, peer: office })
    check(status === 401, `A stranger asks ${nameOf(route)}, and gets ${status} where 401 belongs.`)
  }
  check(handled.length === 0, `A handler ran for a stranger: ${handled.join(", ")}. Refuse before the handler begins.`)
  for (let n = 0; n < quota; n++) {
    yield* client(as("token-a", { ...routes[n % routes.length]!, peer: `203.0.113.${n}` }))
  }
  const ran = handled.length
  for (const [n, route] of routes.entries()) {
    const { status } = yield* client(as("token-a", { ...route, peer: `203.0.113.${100 + n}` }))
    check(
      status === 429,
      `Alice has used up her calls, on all routes together. Then she asks ${nameOf(route)}, and gets ${status}.`
    )
  }
  check(handled.length === ran, "A handler ran for a call that was refused with 429.")
})

describe("a: a signed-in user is served on every route", () => {
  it.effect("with calls to spare", () => Effect.flatMap(router, served))
})

describe("b: strangers are told 401, and cost nobody a call", () => {
  it.effect("two hundred of them", () => Effect.flatMap(router, strangersCostNothing))
})

describe("c: a user who asks too much is told 429, and when to come back", () => {
  it.effect("from many addresses", () => Effect.flatMap(router, usersAreCounted))
})

describe("d: no route is forgotten, and no handler runs for a stranger", () => {
  it.effect("three routes", () => Effect.flatMap(router, noRouteIsForgotten))
})

describe("e: the same in the slots of a ServerStack", () => {
  it.effect("a signed-in user is served", () => Effect.flatMap(stack, served))
  it.effect("strangers cost nobody a call", () => Effect.flatMap(stack, strangersCostNothing))
  it.effect("users are counted", () => Effect.flatMap(stack, usersAreCounted))
  it.effect("no route is forgotten", () => Effect.flatMap(stack, noRouteIsForgotten))
})
