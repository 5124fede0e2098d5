import { Clock, type Duration, Effect, Option, Stream } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import { HttpClientError, TransportError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type { Answer } from "./upstreamAnswer.ts"
import type { Journal, Received } from "./upstreamJournal.ts"

/** A client that plays a journal's script on the clock of its caller. */
export const offline = (journal: Journal): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.gen(function*() {
      const arrivedAtMillis = yield* Clock.currentTimeMillis
      const body = yield* bodyOf(request)
      const { answer, received } = journal.arrived({
        method: request.method,
        path: url.pathname,
        url: url.pathname + url.search,
        headers: { host: url.host, ...request.headers },
        body,
        arrivedAtMillis
      })
      const onAbort = () => journal.ended(received, "aborted")
      signal.addEventListener("abort", onAbort, { once: true })
      return yield* Effect.onInterrupt(play(journal, received, answer, request), () => Effect.sync(onAbort))
    })
  )

const play = (
  journal: Journal,
  received: Received,
  answer: Answer,
  request: HttpClientRequest
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError> => {
  switch (answer._tag) {
    case "Never":
      return Effect.never
    case "Reset":
      return broken(journal, received, request, answer.latency, "ECONNRESET: the connection was reset")
    case "Close":
      return broken(journal, received, request, answer.latency, "the connection was closed before an answer")
    case "Respond":
      return after(answer.latency, () => {
        if (answer.body.length === 0) journal.ended(received, "answered")
        return response(request, answer, ending(Stream.succeed(answer.body), journal, received))
      })
    case "Half":
      return after(answer.latency, () => {
        const failure = Effect.suspend(() => {
          journal.ended(received, "broken")
          return Effect.fail(lost(request, "ECONNRESET: the connection was reset within the body"))
        })
        const body = Stream.concat(Stream.succeed(answer.body.subarray(0, answer.bytes)), Stream.fromEffect(failure))
        return response(request, answer, body)
      })
    case "Trickle":
      return after(answer.latency, () => {
        const pieces: Array<Uint8Array> = []
        for (let at = 0; at < answer.body.length; at += answer.bytes) {
          pieces.push(answer.body.subarray(at, at + answer.bytes))
        }
        const body = Stream.mapEffect(
          Stream.fromIterable(pieces),
          (piece) => Effect.as(Effect.sleep(answer.every), piece)
        )
        return response(request, answer, ending(body, journal, received))
      })
  }
}

const ending = <E>(
  body: Stream.Stream<Uint8Array, E>,
  journal: Journal,
  received: Received
): Stream.Stream<Uint8Array, E> => Stream.onEnd(body, Effect.sync(() => journal.ended(received, "answered")))

const after = <A>(latency: Duration.Input, f: () => A): Effect.Effect<A> =>
  Effect.andThen(Effect.sleep(latency), Effect.sync(f))

const lost = (request: HttpClientRequest, description: string): HttpClientError =>
  new HttpClientError({ reason: new TransportError({ request, description }) })

const broken = (
  journal: Journal,
  received: Received,
  request: HttpClientRequest,
  latency: Duration.Input,
  description: string
): Effect.Effect<never, HttpClientError> =>
  Effect.andThen(
    Effect.sleep(latency),
    Effect.suspend(() => {
      journal.ended(received, "broken")
      return Effect.fail(lost(request, description))
    })
  )

const bodyOf = (request: HttpClientRequest): Effect.Effect<string, HttpClientError> => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return Effect.succeed("")
    case "Uint8Array":
      return Effect.sync(() => new TextDecoder().decode(body.body))
    case "Raw":
      return Effect.promise(() => new Response(body.body as BodyInit).text())
    case "FormData":
      return Effect.promise(() => new Response(body.formData).text())
    case "Stream":
      return Stream.mkString(Stream.decodeText(body.stream)).pipe(
        Effect.mapError((cause) => new HttpClientError({ reason: new TransportError({ request, cause }) }))
      )
  }
}

/**
 * The body is an Effect stream, read once and on the caller's clock; a web response would read it on timers of its own.
 */
const response = (
  request: HttpClientRequest,
  answer: Extract<Answer, { readonly body: Uint8Array }>,
  body: Stream.Stream<Uint8Array, HttpClientError>
): HttpClientResponse.HttpClientResponse => {
  const head = HttpClientResponse.fromWeb(
    request,
    new Response(null, { status: answer.status, headers: answer.headers })
  )
  const bytes = Effect.runSync(Effect.cached(
    Effect.map(Stream.runCollect(body), (parts) => Uint8Array.from(parts.flatMap((part) => [...part])))
  ))
  const web = Effect.map(bytes, (bytes) => HttpClientResponse.fromWeb(request, new Response(bytes)))
  const define = <A>(get: () => A) => ({ get, enumerable: true })
  return Object.create(head, {
    stream: define(() => body),
    arrayBuffer: define(() => Effect.map(bytes, (bytes) => bytes.buffer)),
    text: define(() => Effect.map(bytes, (bytes) => new TextDecoder().decode(bytes))),
    json: define(() => Effect.flatMap(web, (web) => web.json)),
    urlParamsBody: define(() => Effect.flatMap(web, (web) => web.urlParamsBody)),
    formData: define(() => Effect.flatMap(web, (web) => web.formData)),
    remoteAddress: define(() => Option.none())
  })
}
