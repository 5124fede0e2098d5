/** One request to one target over `node:http`, from the connection to the head of the answer. */
import { Effect, type Scope } from "effect"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Duplex, Readable } from "node:stream"
import type { Outgoing } from "./forwarding.ts"
import { failed, UpstreamFailed, UpstreamTimeout } from "./upstreamFailure.ts"

export interface Destination {
  readonly id: string
  readonly url: URL
}

/** What is sent as the body: nothing, bytes that can be sent again, or a stream that cannot. */
export type Body =
  | { readonly _tag: "Empty" }
  | { readonly _tag: "Bytes"; readonly bytes: Buffer }
  | { readonly _tag: "Stream"; readonly source: Readable }

export interface Spec {
  readonly pool: string
  readonly target: Destination
  readonly agent: Http.Agent
  readonly method: string
  readonly path: string
  readonly headers: Outgoing
  readonly body: Body
  readonly connectMillis: number
  readonly answerMillis: number
  readonly idleMillis: number
  /** A connection stands: from here on the target may have seen the request. */
  readonly onConnected: () => void
  readonly onEarlyHints?: ((info: Http.InformationEvent) => void) | undefined
}

export interface Answer {
  readonly response: Http.IncomingMessage
  /** Where the target has switched protocols. */
  readonly tunnel: { readonly socket: Duplex; readonly head: Buffer } | undefined
  /** From now on the connection may stand still this long, as far as the target is to blame. */
  readonly watch: (blameless: () => boolean) => void
}

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
 * The answer's head. When the scope closes, or the effect is interrupted, the request is aborted unless its answer was read
 * to the end.
 */
export const send = (spec: Spec): Effect.Effect<Answer, UpstreamFailed | UpstreamTimeout, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => start(spec)),
      ({ answer, request }) => Effect.sync(() => discard(request, answer()))
    ),
    ({ settled }) => settled
  )

const start = (spec: Spec) => {
  const { agent, body, headers, method, path, pool, target } = spec
  const { url } = target
  const secure = url.protocol === "https:"
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname
  const request = (secure ? Https : Http).request({
    host,
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    method,
    path,
    headers,
    agent,
    setHost: false,
    // The certificate is of the target, whatever host the client asked for.
    ...(secure ? { servername: /[:\d]$/.test(host) ? "" : host } : {})
  })
  let connected = false
  let answer: Answer | undefined
  let done: ((effect: Effect.Effect<Answer, UpstreamFailed | UpstreamTimeout>) => void) | undefined
  let outcome: Effect.Effect<Answer, UpstreamFailed | UpstreamTimeout> | undefined
  let blameless: () => boolean = () => false

  const settle = (effect: Effect.Effect<Answer, UpstreamFailed | UpstreamTimeout>) => {
    if (outcome !== undefined) return
    outcome = effect
    done?.(effect)
  }
  const flow = () => {
    if (body._tag === "Stream") {
      request.flushHeaders()
      body.source.pipe(request)
    } else if (body._tag === "Bytes") request.end(body.bytes)
    else request.end()
  }
  const begin = (socket: Duplex & { setTimeout(millis: number): unknown }) => {
    connected = true
    spec.onConnected()
    socket.setTimeout(spec.answerMillis)
    // Not before: a stream that went into a connection that never stood could not be sent to another target.
    flow()
  }
  request.on("socket", (socket) => {
    const onTimeout = () => {
      if (answer !== undefined) {
        if (!blameless()) request.destroy(new Error("the target stands still"))
        return
      }
      // A client that sends slowly is not the target's fault, and has its own limit.
      if (connected && body._tag === "Stream" && !body.source.readableEnded && !request.writableNeedDrain) return
      const phase = connected ? "answer" : "connect"
      const timeoutMillis = connected ? spec.answerMillis : spec.connectMillis
      settle(Effect.fail(new UpstreamTimeout({ pool, target: target.id, phase, timeoutMillis })))
      request.destroy()
    }
    socket.on("timeout", onTimeout)
    request.once("close", () => socket.removeListener("timeout", onTimeout))
    if (!socket.connecting) return begin(socket)
    socket.setTimeout(spec.connectMillis)
    socket.once(secure ? "secureConnect" : "connect", () => begin(socket))
  })
  if (spec.onEarlyHints !== undefined) request.on("information", spec.onEarlyHints)
  request.on("response", (response) => {
    request.socket?.setTimeout(spec.idleMillis)
    // A target that was asked to switch may have let go of its parser, whatever it says of keeping the connection.
    if (headers["upgrade"] !== undefined) request.shouldKeepAlive = false
    // What happens to it before somebody reads it is told by `complete`.
    response.on("error", () => {})
    answer = { response, tunnel: undefined, watch: (test) => void (blameless = test) }
    settle(Effect.succeed(answer))
  })
  request.on("upgrade", (response, socket, head) => {
    if (headers["upgrade"] === undefined) {
      socket.destroy()
      const code = "UNEXPECTED_UPGRADE"
      return settle(Effect.fail(new UpstreamFailed({ pool, target: target.id, reason: "malformed", code })))
    }
    answer = { response, tunnel: { socket, head }, watch: () => {} }
    settle(Effect.succeed(answer))
  })
  request.on("error", (error) => settle(Effect.fail(failed(pool, target.id, error, connected))))
  request.on("close", () => {
    if (body._tag === "Stream") body.source.unpipe(request)
    if (outcome !== undefined) return
    const code = "ECONNRESET"
    settle(Effect.fail(new UpstreamFailed({ pool, target: target.id, reason: "reset", code })))
  })
  return {
    request,
    answer: () => answer,
    settled: Effect.callback<Answer, UpstreamFailed | UpstreamTimeout>((resume) => {
      if (outcome !== undefined) resume(outcome)
      else done = resume
    })
  }
}
