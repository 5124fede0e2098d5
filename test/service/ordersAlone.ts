/** The orders service without its neighbours, over the stores around it. */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { Authentication, Idempotency, Problems, Scopes, ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { IdempotencyStore } from "effect-lifecycle/store"
import { HttpApiBuilder } from "effect/http-api"
import { DeskRoutes, scope as deskScope } from "../../lessons/service/orders/desk.ts"
import { OrdersDomain } from "../../lessons/service/orders/handlers.ts"
import { OrdersApi, OrdersHttp } from "../../lessons/service/orders/http.ts"
import { PaymentsClient } from "../../lessons/service/shared/PaymentsClient.ts"
import { problems } from "../../lessons/service/shared/problems.ts"
import { UsersInbox } from "../../lessons/service/shared/UsersInbox.ts"

/** It asks payments at `url`, with the token `token-of-orders`; users takes every message. */
export const ordersAlone = (url: string) =>
  ServerStack.serve(Layer.merge(HttpApiBuilder.layer(OrdersApi).pipe(Layer.provide(OrdersHttp)), DeskRoutes), {
    service: "orders",
    scopes: Scopes.stage({ routes: { "/desk/*": [deskScope] } }),
    problems: Problems.stage({ table: problems }),
    idempotency: Idempotency.stage({ required: ["POST /orders"] })
  }).pipe(
    Layer.provide(OrdersDomain),
    Layer.provide([
      PaymentsClient.layer({ service: "orders", token: Redacted.make("token-of-orders"), url }),
      Layer.succeed(UsersInbox, { deliver: () => Effect.void })
    ]),
    Layer.provide([
      Layer.effect(Idempotency.IdempotencyRecords, IdempotencyStore.IdempotencyStore),
      Authentication.layerTokens(Redacted.make(`token123:alice,token789:olga:${deskScope}`)),
      NodeHttpClient.layerUndici
    ]),
    Layer.provideMerge(NodeListener.layer({ port: 0, gracePeriod: "100 millis" }))
  )
