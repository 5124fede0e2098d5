/** One request to one target over `node:http`, from the connection to the head of the answer. */
import { Effect, type Fiber, type Scope } from "effect"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Duplex, Readable } from "node:stream"
import * as Deadline from "../../request/Deadline.ts"
import { atDeadline } from "./deadlineTimer.ts"
import type { BodyError, BodyFailure } from "./requestBody.ts"
import { failed, UpstreamFailed, UpstreamTimeout } from "./upstreamFailure.ts"

export interface Destination {
  readonly id: string
  /** How Node connects to it. */
  readonly connection: Https.RequestOptions
}

/** What is sent as the body: nothing, bytes that can be sent again, or a stream that cannot. */
export type Body =
  | { readonly _tag: "Empty" }
  | { readonly _tag: "Bytes"; readonly bytes: Buffer }
  | { readonly _tag: "Stream"; readonly source: Readable; readonly failure: BodyFailure }

export interface Spec {
  readonly pool: string
  readonly target: Destination
  readonly method: string
  readonly path: string
  /** Names and values in turn: Node writes them as they are, where it would check and copy an object twice. */
  readonly headers: ReadonlyArray<string>
  /** The target is asked to switch protocols. */
  readonly upgrades?: boolean | undefined
  readonly body: Body
  readonly connectMillis: number
  readonly answerMillis: number
  readonly idleMillis: number
  /** A connection stands: from here on the target may have seen the request. */
  readonly onConnected?: (() => void) | undefined
  readonly onEarlyHints?: ((info: Http.InformationEvent) => void) | undefined
}

export interface Answer {
  readonly status: number
  readonly response: Http.IncomingMessage
  /** Where the target has switched protocols. */
  readonly tunnel: { readonly socket: Duplex; readonly head: Buffer } | undefined
  /** From now on the connection may stand still this long, as far as the target is to blame. */
  readonly watch: (blameless: () => boolean) => void
}

export type SendError = UpstreamFailed | UpstreamTimeout | Deadline.DeadlineExceeded | BodyError

/** What is left of an answer that nobody reads is taken in when it is small, so that the connection can be used again. */
const worthReading = 65_536

const lengthOf = (response: Http.IncomingMessage): number =>
  Number(response.headers["content-length"] ?? Number.POSITIVE_INFINITY)

const discard = (request: Http.ClientRequest, answer: Answer | undefined): void => {
  if (answer === undefined) request.destroy()
  else if (answer.tunnel !== undefined) answer.tunnel.socket.destroy()
  else if (answer.response.complete || lengthOf(answer.response) <= worthReading) answer.response.resume()
  else request.destroy()
}

/**
 * The answer's head, or `DeadlineExceeded` at the current deadline. When the scope closes, or the effect is interrupted, the
 * request is aborted unless its answer was read to the end.
 */
export const send = (spec: Spec): Effect.Effect<Answer, SendError, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.withFiber((fiber) => Effect.succeed(start(spec, fiber))),
      ({ answer, request, settle }) =>
        Effect.sync(() => {
          settle(Effect.interrupt)
          discard(request, answer())
        })
    ),
    ({ settled }) => settled
  )

const start = (spec: Spec, fiber: Fiber.Fiber<unknown, unknown>) => {
  const { body, headers, method, path, pool, target } = spec
  const secure = target.connection.protocol === "https:"
  const request = (secure ? Https : Http).request({ ...target.connection, method, path, headers })
  let connected = false
  let answer: Answer | undefined
  let done: ((effect: Effect.Effect<Answer, SendError>) => void) | undefined
  let outcome: Effect.Effect<Answer, SendError> | undefined
  let blameless: () => boolean = () => false

  const settle = (effect: Effect.Effect<Answer, SendError>) => {
    if (outcome !== undefined) return
    outcome = effect
    clearDeadline()
    done?.(effect)
  }
  const abort = (effect: Effect.Effect<never, SendError>) => {
    settle(effect)
    request.destroy()
  }
  // At this moment the check can only fail.
  const clearDeadline = atDeadline(fiber, () => abort(Effect.andThen(Deadline.check, Effect.never)))
  const onTimeout = () => {
    if (answer !== undefined) {
      if (!blameless()) request.destroy(new Error("the target stands still"))
      return
    }
    // A client that sends slowly is not the target's fault, and has its own limit.
    if (connected && body._tag === "Stream" && !body.source.readableEnded && !request.writableNeedDrain) return
    const phase = connected ? "answer" : "connect"
    const timeoutMillis = connected ? spec.answerMillis : spec.connectMillis
    abort(Effect.fail(new UpstreamTimeout({ pool, target: target.id, phase, timeoutMillis })))
  }
  // Not before a connection stands: a stream that went into one that never did could not be sent to another target.
  const begin = () => {
    connected = true
    spec.onConnected?.()
    request.socket?.setTimeout(spec.answerMillis)
    if (body._tag === "Stream") {
      request.flushHeaders()
      body.source.pipe(request)
    } else if (body._tag === "Bytes") request.end(body.bytes)
    else request.end()
  }
  if (body._tag === "Stream") body.failure.listen((error) => abort(Effect.fail(error)))
  request.on("socket", (socket) => {
    socket.on("timeout", onTimeout)
    if (!socket.connecting) return begin()
    socket.setTimeout(spec.connectMillis)
    socket.once(secure ? "secureConnect" : "connect", begin)
  })
  if (spec.onEarlyHints !== undefined) request.on("information", spec.onEarlyHints)
  request.on("response", (response) => {
    request.socket?.setTimeout(spec.idleMillis)
    // A target that was asked to switch may have let go of its parser, whatever it says of keeping the connection.
    if (spec.upgrades === true) request.shouldKeepAlive = false
    // What happens to it before somebody reads it is told by `complete`.
    response.on("error", () => {})
    const watch = (test: () => boolean) => void (blameless = test)
    answer = { status: response.statusCode ?? 502, response, tunnel: undefined, watch }
    settle(Effect.succeed(answer))
  })
  request.on("upgrade", (response, socket, head) => {
    if (spec.upgrades !== true) {
      socket.destroy()
      const code = "UNEXPECTED_UPGRADE"
      return settle(Effect.fail(new UpstreamFailed({ pool, target: target.id, reason: "malformed", code })))
    }
    answer = { status: 101, response, tunnel: { socket, head }, watch: () => {} }
    settle(Effect.succeed(answer))
  })
  request.on("error", (error: NodeJS.ErrnoException) => {
    const failure = failed(pool, target.id, error, connected)
    settle(Effect.fail(
      request.reusedSocket && failure.reason === "reset" ? new UpstreamFailed({ ...failure, kept: true }) : failure
    ))
  })
  request.on("close", () => {
    request.socket?.removeListener("timeout", onTimeout)
    if (body._tag === "Stream") body.source.unpipe(request)
    if (outcome !== undefined) return
    const code = "ECONNRESET"
    settle(Effect.fail(new UpstreamFailed({ pool, target: target.id, reason: "reset", code })))
  })
  return {
    request,
    answer: () => answer,
    settle,
    settled: Effect.callback<Answer, SendError>((resume) => {
      if (outcome !== undefined) resume(outcome)
      else done = resume
    })
  }
}
