/** The journals of the services beside this one. */
import { Effect, Redacted, Schema, Stream } from "effect"
import * as Sse from "effect/encoding/Sse"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Story from "../../lifecycle/Story.ts"
import { decode, type Message } from "./pageStream.ts"

interface Neighbour {
  readonly name: string
  readonly url: string
  readonly token: Redacted.Redacted
}

const ask = (client: HttpClient.HttpClient, { token, url }: Neighbour, path: string) =>
  client.execute(
    HttpClientRequest.get(new URL(path, url)).pipe(HttpClientRequest.bearerToken(Redacted.value(token)))
  )

const patience = "2 seconds"

const Own = HttpClientResponse.schemaBodyJson(Schema.Struct({ parts: Schema.Array(Story.Part) }))

/** What the neighbours know of one request, and which of them did not say. */
export const stories = Effect.fnUntraced(function*(
  client: HttpClient.HttpClient,
  neighbours: ReadonlyArray<Neighbour>,
  id: string
) {
  const answers = yield* Effect.forEach(
    neighbours,
    (neighbour) =>
      ask(client, neighbour, `/lifecycle/story?id=${id}&scope=own`).pipe(
        Effect.flatMap((response) =>
          response.status === 404 ? Effect.succeed([]) : Effect.flatMap(
            HttpClientResponse.filterStatusOk(response),
            (response) => Effect.map(Own(response), ({ parts }) => parts)
          )
        ),
        Effect.scoped,
        Effect.timeout(patience),
        Effect.map((parts) => ({ name: neighbour.name, parts })),
        Effect.orElseSucceed(() => ({ name: neighbour.name, parts: undefined }))
      ),
    { concurrency: "unbounded" }
  )
  return {
    parts: answers.flatMap(({ parts }) => parts ?? []),
    away: answers.flatMap(({ name, parts }) => parts === undefined ? [name] : [])
  }
})

/** A neighbour's messages, for as long as somebody listens; it is asked again when it has been away. */
export const follow = (client: HttpClient.HttpClient, neighbour: Neighbour): Stream.Stream<Message> => {
  const away = (reason: string): Message => ({ event: "away", data: { service: neighbour.name, reason } })
  const connected = Stream.unwrap(
    ask(client, neighbour, "/lifecycle/events?scope=own").pipe(
      Effect.timeout(patience),
      Effect.map((response) =>
        response.status === 200
          ? response.stream.pipe(
            Stream.decodeText,
            Stream.pipeThroughChannel(Sse.decode()),
            Stream.mapEffect(decode),
            Stream.flattenIterable
          )
          : Stream.succeed(away(`it answered ${response.status}`))
      )
    )
  )
  return connected.pipe(
    Stream.catchCause(() => Stream.succeed(away("it could not be reached"))),
    Stream.concat(Stream.succeed(away("the connection ended"))),
    Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep(patience)))),
    Stream.forever
  )
}
