/**
 * What happens to the body of a response after its head is there: it ends with the deadline of its call, may be read as
 * part of its attempt, and is let go when nobody will read it.
 */
import { Effect, Fiber, Stream } from "effect"
import { HttpClientError, TransportError } from "effect/http/HttpClientError"
import { fromWeb, type HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Deadline from "../../request/Deadline.ts"

/** The types of a response's body allow no other failure, so the deadline travels as the cause of a transport error. */
const outOfTime = (response: HttpClientResponse) => (cause: Deadline.DeadlineExceeded): HttpClientError =>
  new HttpClientError({
    reason: new TransportError({ request: response.request, cause, description: `reading the body: ${cause.message}` })
  })

/** The same response, whose body cannot be read past `deadline`. Reading what is late gives up the connection. */
export const endsAt = (response: HttpClientResponse, deadline: Deadline.Deadline): HttpClientResponse => {
  const toError = outOfTime(response)
  const within = <A>(read: Effect.Effect<A, HttpClientError>): Effect.Effect<A, HttpClientError> =>
    Effect.catchTag(
      Deadline.at(read, deadline),
      "DeadlineExceeded",
      (error) => Effect.andThen(discard(response), Effect.fail(toError(error)))
    )
  return over(response, {
    arrayBuffer: () => within(response.arrayBuffer),
    text: () => within(response.text),
    json: () => within(response.json),
    urlParamsBody: () => within(response.urlParamsBody),
    formData: () => within(response.formData),
    // The transport's stream lets go of the connection when it is interrupted; one that was never begun cannot.
    stream: () =>
      Stream.unwrap(within(Effect.sync(() => response.stream))).pipe(
        Stream.interruptWhen(Effect.mapError(Deadline.at(Effect.never, deadline), toError))
      )
  })
}

/** Reads the whole body now. Whatever breaks it is the transport's failure. */
export const buffered = (response: HttpClientResponse): Effect.Effect<HttpClientResponse, HttpClientError> =>
  Effect.matchEffect(response.arrayBuffer, {
    onFailure: (cause) =>
      Effect.fail(
        new HttpClientError({
          reason: new TransportError({
            request: response.request,
            cause,
            description: "the body did not come completely"
          })
        })
      ),
    onSuccess: (bytes) => {
      const type = response.headers["content-type"]
      const copy = () =>
        fromWeb(response.request, new Response(bytes, type === undefined ? {} : { headers: { "content-type": type } }))
      return Effect.succeed(over(response, {
        arrayBuffer: () => Effect.succeed(bytes),
        text: () => copy().text,
        json: () => copy().json,
        urlParamsBody: () => copy().urlParamsBody,
        formData: () => copy().formData,
        stream: () => Stream.succeed(new Uint8Array(bytes))
      }))
    }
  })

/** Lets go of a response that nobody will read: reading it and stopping makes the transport give up the connection. */
export const discard = (response: HttpClientResponse): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDetach(Effect.exit(response.arrayBuffer), { startImmediately: true }), Fiber.interrupt)

type Bodies = Pick<HttpClientResponse, "arrayBuffer" | "text" | "json" | "urlParamsBody" | "formData" | "stream">

/** The response as it is, with other bodies: as Effect's own fetch client does it, so that web access keeps working. */
const over = (
  response: HttpClientResponse,
  bodies: { readonly [Key in keyof Bodies]: () => Bodies[Key] }
): HttpClientResponse =>
  Object.create(
    response,
    Object.fromEntries(Object.entries(bodies).map(([key, get]) => [key, { get, enumerable: true }]))
  )
