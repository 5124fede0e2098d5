/** Where orders leaves its messages for users. */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { ClientStack, IdempotencyKey } from "effect-lifecycle/client"
import { RequestId } from "effect-lifecycle/request"
import type { Outbox } from "effect-lifecycle/store"
import { type HttpClient, HttpClientRequest } from "effect/http"
import * as ServiceClient from "./ServiceClient.ts"

/** The message is not known to have been taken; the outbox sends it again. */
export class NotTaken extends Schema.TaggedError<NotTaken>()("NotTaken", { reason: Schema.String }) {
  override get message(): string {
    return `The message was not taken: ${this.reason}`
  }
}

export class UsersInbox extends Context.Service<UsersInbox, {
  /** Delivers a message; its id is the idempotency key, so that the receiver can tell a repetition. */
  readonly deliver: (message: Outbox.Message) => Effect.Effect<void, NotTaken>
}>()("lessons/service/UsersInbox") {
  static readonly layer = (
    options: Parameters<typeof ServiceClient.make>[0]
  ): Layer.Layer<UsersInbox, never, HttpClient.HttpClient> =>
    Layer.effect(
      UsersInbox,
      Effect.map(ServiceClient.make({ ...options, name: `messages of ${options.service}` }), (client) =>
        UsersInbox.of({
          deliver: Effect.fn("UsersInbox.deliver")(function*(message: Outbox.Message) {
            const response = yield* client.execute(
              HttpClientRequest.post("/inbox/orders").pipe(HttpClientRequest.bodyJsonUnsafe(message.payload))
            ).pipe(
              IdempotencyKey.provide(message.id),
              ClientStack.route("/inbox/orders"),
              asRequest(message.headers["requestId"]),
              Effect.mapError((error) => new NotTaken({ reason: error.message }))
            )
            if (response.status !== 204) {
              return yield* new NotTaken({ reason: ServiceClient.reasonOf("users", response) })
            }
          }, Effect.scoped)
        }))
    )
}

/** The request that caused the message, though it was answered long ago. */
const asRequest = (id: string | undefined) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Option.match(RequestId.parse(id ?? ""), {
    onNone: () => Effect.provideService(self, RequestId.Current, Option.none()),
    onSome: (id) => RequestId.provide(self, id)
  })
