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

/** How much a neighbour is asked for: what it knows by itself, or with the other processes of its service. */
export type Scope = "own" | "service"

/** A neighbour asks its own siblings in the meantime, and is to answer without one that hangs. */
const patience = { own: "1 second", service: "2 seconds" } as const

const Told = HttpClientResponse.schemaBodyJson(Schema.Struct({
  parts: Schema.Array(Story.Part),
  away: Schema.optionalKey(Schema.Array(Schema.String))
}))
/** Another 404 is not from a page. */
const Nothing = HttpClientResponse.schemaBodyJson(Schema.Struct({
  type: Schema.Literal("urn:problem:story-unknown"),
  away: Schema.optionalKey(Schema.Array(Schema.String))
}))

/** What the neighbours know of one request, and who did not say. */
export const stories = Effect.fnUntraced(function*(
  client: HttpClient.HttpClient,
  neighbours: ReadonlyArray<Neighbour>,
  id: string,
  scope: Scope
) {
  const answers = yield* Effect.forEach(
    neighbours,
    (neighbour) =>
      ask(client, neighbour, `/lifecycle/story?id=${id}&scope=${scope}`).pipe(
        Effect.flatMap((response) =>
          response.status === 404
            ? Effect.map(Nothing(response), ({ away = [] }) => ({ parts: [], away }))
            : Effect.flatMap(HttpClientResponse.filterStatusOk(response), Told)
        ),
        Effect.scoped,
        Effect.timeout(patience[scope]),
        Effect.orElseSucceed(() => ({ parts: [], away: [neighbour.name] }))
      ),
    { concurrency: "unbounded" }
  )
  return {
    parts: answers.flatMap(({ parts }) => parts),
    away: answers.flatMap(({ away }) => away ?? [])
  }
})

const pause = "2 seconds"

/** A neighbour's messages, for as long as somebody listens; it is asked again when it has been away. */
export const follow = (
  client: HttpClient.HttpClient,
  neighbour: Neighbour,
  scope: Scope
): Stream.Stream<Message> => {
  const away = (reason: string): Message => ({ event: "away", data: { service: neighbour.name, reason } })
  const connected = Stream.unwrap(
    ask(client, neighbour, `/lifecycle/events?scope=${scope}`).pipe(
      Effect.timeout(patience[scope]),
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
    Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep(pause)))),
    Stream.forever
  )
}
