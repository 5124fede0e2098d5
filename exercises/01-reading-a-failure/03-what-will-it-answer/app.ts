/** One application behind two servers: Effect's own router, and this library's stack around it. */
import { Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { Authentication, Problems, ServerStack } from "effect-lifecycle/server"
import { HttpEffect, HttpRouter, HttpServer } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { NetAddress } from "effect/net"

class OrderNotFound extends Schema.TaggedError<OrderNotFound>()("OrderNotFound", { id: Schema.String }) {}

const problems = Problems.table({ OrderNotFound: { status: 404, title: "Order not found" } })
const Order = Schema.Struct({ item: Schema.NonEmptyString, count: Schema.Int })

const Api = HttpApi.make("shop").add(
  HttpApiGroup.make("orders").add(
    HttpApiEndpoint.get("byId", "/orders/:id", {
      params: { id: Schema.String },
      success: Order,
      error: problems.error(OrderNotFound)
    }),
    HttpApiEndpoint.post("place", "/orders", { payload: Order, success: Order.pipe(HttpApiSchema.status(201)) })
  )
)

/** What a request did inside. */
const seen = { handler: false, after: false }

const book = { item: "book", count: 1 }

const Handlers = HttpApiBuilder.group(Api, "orders", (handlers) =>
  handlers.handleAll({
    byId: ({ params: { id } }) =>
      Effect.suspend(() => {
        seen.handler = true
        if (id === "bug") return Effect.die(new Error("the handler has a bug"))
        if (id === "stopped") return Effect.flatMap(Effect.forkChild(Effect.interrupt), Fiber.join)
        return id === "1" ? Effect.succeed(book) : Effect.fail(new OrderNotFound({ id }))
      }),
    place: ({ payload }) =>
      Effect.sync(() => {
        seen.handler = true
        return payload
      })
  }))

/** A middleware with a part before and a part after; the after-part stands behind the answer, not in a finalizer. */
const Counting = HttpRouter.middleware((next) =>
  Effect.gen(function*() {
    const response = yield* next
    seen.after = true
    return response
  })
).layer

const Raw = HttpRouter.add(
  "GET",
  "/stock",
  Effect.suspend(() => {
    seen.handler = true
    return Effect.fail("the shelf is being counted")
  })
)

const Routes = Layer.mergeAll(HttpApiBuilder.layer(Api).pipe(Layer.provide(Handlers)), Raw).pipe(
  Layer.provide(Counting)
)

type Handler = (request: Request) => Promise<Response>

/** The same routes, with nothing around them but Effect's router. */
const bare = (): Handler =>
  HttpRouter.toWebHandler(Routes.pipe(Layer.provideMerge(HttpServer.layerServices)), { disableLogger: true }).handler

/** The same routes behind this library's stack. */
const stack = Effect.gen(function*() {
  let handler: Handler | undefined
  const server = HttpServer.make({
    serve: (app) => Effect.sync(() => void (handler = HttpEffect.toWebHandler(app))),
    address: NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 80)
  })
  yield* Layer.build(
    ServerStack.serve(Routes, {
      service: "shop",
      problems: Problems.stage({ table: problems }),
      authentication: Authentication.stage({ exempt: ["/*"] })
    }).pipe(
      Layer.provide(Layer.orDie(Authentication.layerTokens(Redacted.make("token:alice")))),
      Layer.provide(Layer.succeed(HttpServer.HttpServer, server)),
      Layer.provide(HttpServer.layerServices)
    )
  )
  return handler!
})

const json = (body: string): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body
})

/** The ten requests. */
export const requests = {
  found: ["/orders/1", { method: "GET" }],
  missing: ["/orders/2", { method: "GET" }],
  misspelled: ["/orderz/1", { method: "GET" }],
  wrongMethod: ["/orders/1", { method: "DELETE" }],
  noFields: ["/orders", json("{}")],
  cutOff: ["/orders", json("{\"item\": \"bo")],
  aForm: ["/orders", { method: "POST", body: new URLSearchParams({ item: "book", count: "1" }) }],
  bug: ["/orders/bug", { method: "GET" }],
  undeclared: ["/stock", { method: "GET" }],
  stopped: ["/orders/stopped", { method: "GET" }]
} satisfies Record<string, readonly [path: string, init: RequestInit]>

/** What a request does. */
export interface Answer {
  /** The status from Effect's own router. */
  readonly bare: number
  /** The status from this library's stack around the same routes. */
  readonly stack: number
  /** Whether the handler of the route ran. */
  readonly handler: boolean
  /** Whether the middleware's part after the handler ran, on Effect's own router. */
  readonly after: boolean
}

/** Sends all requests to both servers. */
export const run: Effect.Effect<{ readonly [name in keyof typeof requests]: Answer }> = Effect.scoped(
  Effect.gen(function*() {
    const servers = { bare: bare(), stack: yield* stack }
    const answers: Array<[string, Answer]> = []
    for (const [name, [path, init]] of Object.entries(requests)) {
      const ask = (handler: Handler) =>
        Effect.promise(async () => {
          seen.handler = false
          seen.after = false
          const { status } = await handler(new Request(`http://localhost${path}`, init))
          return { status, ...seen }
        })
      const plain = yield* ask(servers.bare)
      const ours = yield* ask(servers.stack)
      answers.push([name, { bare: plain.status, stack: ours.status, handler: plain.handler, after: plain.after }])
    }
    return Object.fromEntries(answers) as { readonly [name in keyof typeof requests]: Answer }
  })
)
