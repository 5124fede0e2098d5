/**
 * The beginning and the end of an exchange: what `ServerStack` does outside all stages.
 */
import { Clock, Context, Effect, Exit, type Fiber, Option, Scope, Stream } from "effect"
import { HttpBody, HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { CurrentLogAnnotations } from "effect/References"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as Conditional from "../Conditional.ts"
import * as Exchange from "../Exchange.ts"
import type { Drain } from "../Health.ts"
import * as ServerTiming from "../ServerTiming.ts"
import * as answerHeaders from "./answerHeaders.ts"
import * as responseHeaders from "./responseHeaders.ts"
import * as socketTimes from "./socketTimes.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Runs `stages` in a new exchange, and completes whatever is sent in the end. */
export const run = (
  service: string,
  drain: Drain,
  stages: Effect.Effect<Response, unknown, never>
): Effect.Effect<Response, unknown, HttpServerRequest.HttpServerRequest> =>
  Effect.withFiber((fiber) => {
    const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    const exchange = begin(service, request, fiber)
    HttpEffect.appendPreResponseHandlerUnsafe(
      fiber.context,
      (request, response) => finish(exchange, drain, fiber, request, response)
    )
    // The request's own frame puts the fiber's context back when the answer was sent.
    fiber.setContext(
      Context.add(
        Context.add(fiber.context, CurrentLogAnnotations, exchange.logAnnotations),
        Exchange.Exchange,
        exchange
      )
    )
    return stages
  })

const begin = (
  service: string,
  request: HttpServerRequest.HttpServerRequest,
  fiber: Fiber.Fiber<unknown, unknown>
): Exchange.State => {
  const clock = fiber.getRef(Clock.Clock)
  const startNanos = clock.monotonicTimeNanosUnsafe()
  const recorder = fiber.getRef(Recorder.Current)
  const times = socketTimes.read(request.source)
  if (times !== undefined) times.fiber = fiber
  const exchange: Exchange.State = {
    service,
    method: request.method,
    path: pathOf(request.url),
    peer: Option.getOrUndefined(request.peerAddress),
    startNanos,
    requestId: "",
    route: undefined,
    userId: undefined,
    logAnnotations: { ...fiber.getRef(CurrentLogAnnotations), service },
    answeredBy: undefined,
    status: 0,
    defaultHeaders: noHeaders,
    headers: {},
    answerHeaders: undefined,
    vary: undefined,
    variant: undefined,
    encoder: undefined,
    showTiming: false,
    timed: recorder !== undefined,
    laps: [],
    clock,
    recorder,
    lapStart: startNanos,
    depth: 0,
    ended: undefined,
    handled: false
  }
  return exchange
}

const pathOf = (url: string): string => {
  const query = url.indexOf("?")
  const path = query < 0 ? url : url.slice(0, query)
  const fragment = path.indexOf("#")
  return fragment < 0 ? path : path.slice(0, fragment)
}

const noHeaders: Readonly<Record<string, string>> = {}

/** What the listener measured before there was an exchange. */
export const recordSocketTimes = (exchange: Exchange.State, fiber: Fiber.Fiber<unknown, unknown>): void => {
  if (!exchange.timed) return
  const { source } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
  const times = socketTimes.read(source)
  if (times === undefined) return
  if (times.connectedNanos !== undefined) {
    Exchange.recordUnsafe(exchange, fiber, {
      _tag: "StageTimed",
      stage: "Accept",
      name: "node:net",
      startNanos: times.connectedNanos,
      endNanos: times.requestNanos
    })
  }
  Exchange.recordUnsafe(exchange, fiber, {
    _tag: "StageTimed",
    stage: "Server",
    name: "node:http",
    startNanos: times.requestNanos,
    endNanos: exchange.startNanos
  })
}

const finish = (
  exchange: Exchange.State,
  drain: Drain,
  fiber: Fiber.Fiber<unknown, unknown>,
  request: HttpServerRequest.HttpServerRequest,
  response: Response
): Effect.Effect<Response> => {
  const headers = answerHeaders.of(exchange, response)
  // Also for what was asked before: the listener waits for connections that stay open.
  if (drain.draining) headers["connection"] = "close"
  // Before the ETag is looked at: every representation of a version has an ETag of its own.
  let coding = exchange.encoder?.choose(request, response, headers)
  const etag = headers["etag"]
  const known = etag === undefined ? undefined : request.headers["if-none-match"]
  if (
    etag !== undefined && known !== undefined && response.status === 200 &&
    (request.method === "GET" || request.method === "HEAD") && Conditional.isNotModified(known, etag)
  ) {
    delete headers["content-type"]
    delete headers["content-length"]
    delete headers["content-encoding"]
    coding = undefined
    response = HttpServerResponse.empty({ status: 304 })
  }
  Exchange.lapUnsafe(
    exchange,
    fiber,
    exchange.handled ? "Response" : exchange.answeredBy ?? (exchange.route === undefined ? "Router" : "Handler"),
    "server/ServerStack"
  )
  exchange.status = response.status
  if (exchange.laps.length > 0) exchange.recorder?.({ _tag: "StagesTimed", stages: exchange.laps }, fiber)
  if (exchange.showTiming) headers["server-timing"] = ServerTiming.format(exchange.laps)
  const answer = responseHeaders.replace(response, headers)
  return coding === undefined || exchange.encoder === undefined
    ? end(exchange, fiber, answer)
    : Effect.flatMap(exchange.encoder.encode(answer, coding), (encoded) => end(exchange, fiber, encoded))
}

/** A body in memory leaves with its headers; of any other, the request's scope knows the end. */
const end = (
  exchange: Exchange.State,
  fiber: Fiber.Fiber<unknown, unknown>,
  response: Response
): Effect.Effect<Response> => {
  const { ended } = exchange
  if (ended === undefined) return Effect.succeed(response)
  exchange.ended = undefined
  const { body } = response
  if (body._tag === "Empty" || body._tag === "Uint8Array") {
    ended(Exit.void, body._tag === "Empty" || exchange.method === "HEAD" ? 0 : body.contentLength)
    return Effect.succeed(response)
  }
  const scope = Context.getUnsafe(fiber.context, Scope.Scope)
  const atEnd = (bytes: (exit: Exit.Exit<unknown, unknown>) => number | undefined) =>
    Scope.addFinalizerExit(scope, (exit) => Effect.sync(() => ended(exit, bytes(exit))))
  if (body._tag !== "Stream" || exchange.method === "HEAD") {
    const bytes = exchange.method === "HEAD" ? 0 : body._tag === "FormData" ? undefined : body.contentLength
    return Effect.as(atEnd((exit) => Exit.isSuccess(exit) ? bytes : undefined), response)
  }
  let sent = 0
  const stream = Stream.map(body.stream, (chunk) => {
    sent += chunk.length
    return chunk
  })
  const counted = HttpBody.stream(stream, body.contentType, body.contentLength)
  return Effect.as(
    atEnd(() => sent),
    Object.assign(Object.create(Object.getPrototypeOf(response)), response, { body: counted })
  )
}
