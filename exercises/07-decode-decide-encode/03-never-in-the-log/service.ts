/** The service behind the log. Given; there is nothing to change here. */
import { Context, Data, Effect, Option, Redacted } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"

/** Payments refused. Its message repeats what was sent to it, as messages of others do. */
export class PaymentFailed extends Data.TaggedError("PaymentFailed")<{ readonly message: string }> {}

/** The key with which orders calls payments. */
export const apiKey = Redacted.make("sk_live_9f31c2")

/** The request's id, and the user where there is one. Something in front has set them. */
export const RequestId = Context.Reference("RequestId", { defaultValue: () => "" })
export const User = Context.Reference("User", { defaultValue: () => Option.none<string>() })

export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  PaymentFailed,
  HttpServerRequest.HttpServerRequest
>

/** Answers with 201; fails where the card is refused; dies where the amount is odd. */
export const app: App = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  const body = yield* Effect.orDie(request.text)
  if (request.url.startsWith("/refused")) {
    return yield* new PaymentFailed({ message: `refused: ${body} with key ${Redacted.value(apiKey)}` })
  }
  if (request.url.startsWith("/broken")) return yield* Effect.die(new Error(`cannot divide ${body}`))
  return HttpServerResponse.text("created", { status: 201 })
})
