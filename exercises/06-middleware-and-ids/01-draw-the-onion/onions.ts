/** The compositions of 06.1. Each is a small server; `run` sends it one request and gives what was said, in order. */
import { Effect, Layer } from "effect"
import { ServerStack, ServerStage } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"

const heard: Array<string> = []
const say = (word: string) => Effect.sync(() => heard.push(word))

type Next<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** Says `name>` on the way in and `<name` on the way out. */
const layerOf = (name: string) => <E, R>(next: Next<E, R>): Next<E, R> =>
  Effect.gen(function*() {
    yield* say(`${name}>`)
    const response = yield* next
    yield* say(`<${name}`)
    return response
  })

/** The same; what it says on the way out is an `onExit`. */
const exitOf = (name: string) => <E, R>(next: Next<E, R>): Next<E, R> =>
  Effect.andThen(say(`${name}>`), Effect.onExit(next, () => say(`<${name}`)))

const A = HttpRouter.middleware(layerOf("A"))
const B = HttpRouter.middleware(layerOf("B"))
const globalA = HttpRouter.middleware(layerOf("A"), { global: true })
const globalB = HttpRouter.middleware(layerOf("B"), { global: true })
const exitA = HttpRouter.middleware(exitOf("A"))

const order = HttpRouter.add("GET", "/", Effect.as(say("handler"), HttpServerResponse.text("order 1")))
const broken = HttpRouter.add("GET", "/", Effect.andThen(say("handler"), Effect.die("the database is away")))

export const onions = {
  /** Around the whole router, A named first. */
  global: Layer.mergeAll(globalA, globalB, order),

  /** Around the whole router, B named first and A after the route. */
  globalLater: Layer.mergeAll(globalB, order, globalA),

  /** Around one route, A provided first. */
  provided: order.pipe(Layer.provide(A.layer), Layer.provide(B.layer)),

  /** Around one route, both in a list. */
  listed: order.pipe(Layer.provide([A.layer, B.layer])),

  /** Around one route, as one. */
  combined: order.pipe(Layer.provide(A.combine(B).layer)),

  /** The handler fails. */
  failing: broken.pipe(Layer.provide(A.layer)),

  /** The handler fails, and A has an `onExit`. */
  guarded: broken.pipe(Layer.provide(exitA.layer))
}

/** What was said while one request went through. */
export const run = (name: keyof typeof onions): Effect.Effect<string> =>
  Effect.promise(async () => {
    heard.length = 0
    const { dispose, handler } = HttpRouter.toWebHandler(onions[name], { disableLogger: true })
    await handler(new Request("http://shop.test/"))
    await dispose()
    return heard.join(" ")
  })

const empty = (name: string) => ServerStage.none(name, "Middleware")

/** Four of the stages of a `ServerStack`, outermost first. The slots are filled in no order at all. */
export const stack = (): ReadonlyArray<string> =>
  ServerStack.describe({
    limitByUser: empty("limitByUser"),
    limitByAddress: empty("limitByAddress"),
    service: "orders"
  })
    .map((stage) => stage.name.replace("server/", ""))
    .filter((name) => ["RequestIds", "Authentication", "limitByUser", "limitByAddress"].includes(name))
