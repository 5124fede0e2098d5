/** A payments service that answers as a test wants, and the orders service beside it. */
import { Context, Effect, Layer, References, type Scope } from "effect"
import { MemoryStore, SagaStore } from "effect-lifecycle/store"
import { HttpServer } from "effect/http"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { ask, newKey, order } from "./harness.ts"
import { ordersAlone } from "./ordersAlone.ts"

export interface Heard {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** Stands in for the payments service, and remembers what it was asked. */
export const fakePayments = (
  answer: (response: ServerResponse, body: string) => void
): Effect.Effect<{ readonly url: string; readonly heard: ReadonlyArray<Heard> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly heard: ReadonlyArray<Heard>; readonly close: () => void }>(
      (resume) => {
        const heard: Array<Heard> = []
        const server = createServer((request, response) => {
          let body = ""
          request.on("data", (chunk: Buffer) => {
            body += String(chunk)
          })
          request.on("end", () => {
            heard.push({ method: request.method, url: request.url, headers: request.headers, body })
            answer(response, body)
          })
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          const close = () => {
            server.closeAllConnections()
            server.close()
          }
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, heard, close }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )

/**
 * The orders service alone, with its stores in memory, beside a payments service at `url`. `stores` goes around what the
 * domain finds of them.
 */
export const ordersBeside = Effect.fnUntraced(function*(
  url: string,
  stores: Layer.Layer<SagaStore.SagaStore, never, SagaStore.SagaStore> = Layer.effect(
    SagaStore.SagaStore,
    SagaStore.SagaStore
  )
) {
  const memory = Layer.provideMerge(stores, MemoryStore.layer)
  const service = ordersAlone(url).pipe(
    Layer.provideMerge(memory),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
  )
  const context = yield* Layer.build(Layer.fresh(service))
  const home = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  const placed = yield* ask(`${home}/orders`, {
    method: "POST",
    json: order("usr_1"),
    headers: { "idempotency-key": newKey() }
  })
  const id: string = placed.body.id
  return {
    id,
    home,
    context,
    pay: (headers: Readonly<Record<string, string>> = {}) =>
      ask(`${home}/orders/${id}/payment`, { method: "POST", headers }),
    read: ask(`${home}/orders/${id}`)
  }
})

export const charged = (response: ServerResponse, body: string) => {
  const { amount, orderId, userId } = JSON.parse(body)
  response.writeHead(201, { "content-type": "application/json" })
    .end(JSON.stringify({ id: "pay_1", orderId, userId, amount, status: "charged" }))
}
