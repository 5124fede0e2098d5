/** The orders service in a process of its own, which kills itself at a write of a saga when it is told to. */
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, References } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { SagaStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { HttpServer } from "effect/http"
import { orders } from "../../lessons/service/orders/model.ts"
import { PayOrder } from "../../lessons/service/orders/payment.ts"
import { ordersAlone } from "../service/ordersAlone.ts"
import { type Task, writes } from "./payment.protocol.ts"

const { cancel, crash, payments, where: { url, ...rest } } = JSON.parse(process.argv[2] ?? "") as Task

const die = Effect.sync(() => void process.kill(process.pid, "SIGKILL"))

const dying = Layer.effect(
  SagaStore.SagaStore,
  Effect.map(SagaStore.SagaStore, (store) => {
    let written = 0
    return SagaStore.SagaStore.of({
      ...store,
      work: (options) =>
        store.work({
          ...options,
          handle: (held) =>
            options.handle({
              ...held,
              write: (change) => {
                if (crash === undefined || writes[written++] !== crash.write) return held.write(change)
                return crash.when === "before"
                  ? Effect.andThen(die, Effect.never)
                  : Effect.andThen(held.write(change), Effect.andThen(die, Effect.never))
              }
            })
        })
    })
  })
)

const cancelled = Layer.effectDiscard(Effect.gen(function*() {
  if (!cancel) return
  const store = yield* SagaStore.SagaStore
  for (const { id } of yield* store.list({ names: [PayOrder.name] })) yield* Saga.cancel(PayOrder, id, "too late")
}))

const client = PgClient.layer({ ...rest, ...(url === undefined ? {} : { url: Redacted.make(url) }), maxConnections: 8 })
const stores = PgStore.layer({ collections: [orders], pollEvery: "200 millis" }).pipe(Layer.provide(client))

const program = Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  process.stdout.write(`${HttpServer.formatAddress(address)}\n`)
  return yield* Effect.never
})

NodeRuntime.runMain(program.pipe(
  Effect.provide(
    ordersAlone(payments).pipe(
      Layer.provide(cancelled),
      Layer.provide([Layer.provideMerge(dying, stores), Layer.succeed(References.MinimumLogLevel, "None")])
    )
  )
))
