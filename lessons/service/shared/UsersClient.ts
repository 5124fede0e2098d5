/** What the payments service asks the users service. */
import { Context, Effect, Layer, Schema } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { type HttpClient, HttpClientResponse } from "effect/http"
import { PayerRefused, PayerUnknown } from "../payments/model.ts"
import { User } from "../users/model.ts"
import * as ServiceClient from "./ServiceClient.ts"

export class UsersClient extends Context.Service<UsersClient, {
  readonly assertActive: (userId: string) => Effect.Effect<void, PayerRefused | PayerUnknown>
}>()("lessons/service/UsersClient") {
  static readonly layer = (
    options: Parameters<typeof ServiceClient.make>[0]
  ): Layer.Layer<UsersClient, never, HttpClient.HttpClient> =>
    Layer.effect(
      UsersClient,
      Effect.map(Effect.map(ServiceClient.make(options), ServiceClient.leaveToServer), (client) =>
        UsersClient.of({
          assertActive: Effect.fn("UsersClient.assertActive")(function*(userId: string) {
            const unknown = (status?: number) =>
              new PayerUnknown({
                userId,
                reason: ServiceClient.reasonOf("users", status === undefined ? undefined : { status })
              })
            const response = yield* client.get(ClientStack.expand("/users/{id}", { id: userId })).pipe(
              ClientStack.route("/users/{id}"),
              Effect.mapError(() => unknown())
            )
            if (response.status === 404) return yield* new PayerRefused({ userId, reason: "there is no such user" })
            if (response.status !== 200) return yield* unknown(response.status)
            const user = yield* Effect.mapError(decodeUser(response), () => unknown(response.status))
            if (!user.active) return yield* new PayerRefused({ userId, reason: "the account is closed" })
          }, Effect.scoped)
        }))
    )
}

const decodeUser = HttpClientResponse.schemaBodyJson(Schema.Struct({ active: User.fields.active }))
