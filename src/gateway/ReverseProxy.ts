/**
 * Passes a request on to an `UpstreamPool` and its answer back, as an HTTP intermediary has to (RFC 9110 7.6).
 *
 * - Headers that belong to one connection are removed in both directions, those that `Connection` names included. The client's
 *   address, scheme and host go on in `X-Forwarded-For`, `-Proto`, `-Host` and `X-Real-IP`, the request's id, priority,
 *   trace and the time it has left in their own headers, and `Via` says who was on the way. From a peer that is not trusted
 *   none of these is believed; `trace: "continue"` makes an exception of its trace.
 * - In `traceparent` the trace id and the sampling stay as they came, and the span is that of the gateway, below the
 *   caller's. A request that brought none begins a trace. Where tracing is off the header passes as it came.
 * - Bodies stream both ways with backpressure: a slow reader slows the writer, and a few buffers are all the memory there is.
 *   With `buffer: "request"` the body is read to its end first, so that a slow client holds no upstream.
 * - Another target is asked where the strategy of the pool allows it, nothing of an answer was passed on, and the body can
 *   be sent again; whatever its method, where no connection stood and so nothing was sent. No target is asked twice, with one
 *   exception: a connection that was kept from an earlier request and is found closed says nothing of the target.
 * - A client that leaves ends the request to the upstream. An upstream that breaks off ends the client's connection: half an
 *   answer never looks like a whole one.
 * - A WebSocket upgrade becomes a tunnel.
 *
 * **Gotchas**
 *
 * - The deadline of the request (`request/Deadline`) is for the head of the answer. A body may stream for longer, as long as
 *   it does not stand still for `idleTimeout`.
 * - Only `websocket` is switched to. Any other upgrade is answered as if it had not been asked for: `h2c` is a known way
 *   around a proxy's rules.
 * - Over HTTP/2 there are no upgrades (RFC 8441 is not supported).
 * - `OPTIONS` with `Max-Forwards: 0` is answered here. To a request of HTTP/1.0 that names no host the target's is given.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ReverseProxy, UpstreamPool } from "effect-lifecycle/gateway"
 * import * as http from "node:http"
 * import assert from "node:assert/strict"
 *
 * const listen = (handler: http.RequestListener) =>
 *   new Promise<{ readonly server: http.Server; readonly origin: string }>((resolve) => {
 *     const server = http.createServer(handler).listen(0, "127.0.0.1", () => {
 *       const address = server.address()
 *       resolve({ server, origin: typeof address === "object" ? `http://127.0.0.1:${address?.port}` : "" })
 *     })
 *   })
 *
 * const upstream = await listen((request, response) => response.end(`${request.url} for ${request.headers["x-real-ip"]}`))
 * const program = Effect.gen(function*() {
 *   const pool = yield* UpstreamPool.make({ name: "users", targets: [upstream.origin] })
 *   const proxy = ReverseProxy.make({ pool, strip: "/api" })
 *   const door = yield* Effect.promise(() =>
 *     listen((request, response) => Effect.runFork(proxy.handle(request, response)))
 *   )
 *   const response = yield* Effect.promise(() => fetch(`${door.origin}/api/users`))
 *   assert.equal(yield* Effect.promise(() => response.text()), "/users for 127.0.0.1")
 *   assert.equal(response.headers.get("via"), "1.1 lifecycle-gateway")
 *   door.server.close()
 * })
 * await Effect.runPromise(Effect.scoped(program))
 * upstream.server.close()
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Duration, Effect, type Fiber, type Scope } from "effect"
import type { InformationEvent } from "node:http"
import * as Recorder from "../lifecycle/Recorder.ts"
import type * as Deadline from "../request/Deadline.ts"
import * as Propagation from "../request/Propagation.ts"
import * as Attempt from "../resilience/Attempt.ts"
import { finiteMillis, wholeNumber } from "../resilience/InvalidOption.ts"
import type { CircuitOpen } from "../resilience/CircuitBreaker.ts"
import * as TrustedHops from "../server/TrustedHops.ts"
import { conduct } from "./internal/conduct.ts"
import { Downstream, type Request, type Response } from "./internal/downstream.ts"
import * as forwarding from "./internal/forwarding.ts"
import { answerOptions } from "./internal/optionsAnswer.ts"
import { relay, tunnel } from "./internal/relay.ts"
import { type BodyError, type Memory, prepare, type Prepared } from "./internal/requestBody.ts"
import { strip } from "./internal/routing.ts"
import type { UpstreamFailed, UpstreamTimeout } from "./internal/upstreamFailure.ts"
import { type Answer, send, type SendError } from "./internal/upstreamRequest.ts"
import type * as LoadBalancer from "./LoadBalancer.ts"
import type { Upstream, UpstreamPool } from "./UpstreamPool.ts"

/**
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly pool: UpstreamPool
  /** This gateway in `Via`; `lifecycle-gateway` when absent. */
  readonly via?: string | undefined
  /** Whose forwarded headers, ids and priorities are believed; nobody's when absent. */
  readonly trust?: TrustedHops.Trust | undefined
  /** Whether a request's trace goes on, whoever sends it; that of a trusted peer does when absent. */
  readonly trace?: "continue" | "restart" | undefined
  /** The part of the path that the upstream does not know. */
  readonly strip?: string | undefined
  /** `request` reads the body to its end before an upstream is asked; `none` when absent. */
  readonly buffer?: "none" | "request" | undefined
  /** The largest request body; 1 MiB when absent. */
  readonly bodyBytes?: number | undefined
  /** What all buffered bodies may hold together; 64 MiB when absent. */
  readonly bufferBytes?: number | undefined
  /** Headers that only exist inside, exact or with a `*` at the end: removed from requests and answers. */
  readonly internalHeaders?: ReadonlyArray<string> | undefined
  /** From the end of the request to the head of the answer; 30 seconds when absent. */
  readonly answerTimeout?: Duration.Input | undefined
  /** How long a body may stand still; 60 seconds when absent. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long a WebSocket may be silent; 10 minutes when absent. */
  readonly tunnelTimeout?: Duration.Input | undefined
  /** The deadline of a request that brings none, and the longest one granted; 60 seconds when absent. */
  readonly requestTimeout?: Duration.Input | undefined
  /** The name of the cookie that keeps a client at its target; none when absent. */
  readonly stickyCookie?: string | undefined
}

/**
 * Why there is no answer to pass on.
 *
 * @category errors
 * @since 0.1.0
 */
export type ForwardError =
  | UpstreamFailed
  | UpstreamTimeout
  | LoadBalancer.NoHealthyUpstream
  | CircuitOpen
  | Deadline.DeadlineExceeded
  | BodyError

/**
 * @category models
 * @since 0.1.0
 */
export interface ReverseProxy {
  /** Answers one request of `node:http` or of Node's HTTP/2 compatibility layer. It fails never: a failure is a problem+json. */
  readonly handle: (request: Request, response: Response) => Effect.Effect<void>
  /** @internal */
  readonly forward: (down: Downstream) => Effect.Effect<void, ForwardError>
  /** @internal */
  readonly memory: Memory
}

/**
 * What the proxies of one gateway have in common.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shared {
  /** The room that buffered request bodies share. */
  readonly memory?: Memory | undefined
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options, shared: Shared = {}): ReverseProxy => {
  const module = "ReverseProxy.make"
  const { pool } = options
  const via = options.via ?? "lifecycle-gateway"
  const trust = options.trust ?? "none"
  const trusts = TrustedHops.make(trust)
  const internal = forwarding.matcher(options.internalHeaders ?? [])
  const limitBytes = wholeNumber(module, "bodyBytes", options.bodyBytes ?? 1_048_576, 0)
  const answerMillis = finiteMillis(module, "answerTimeout", options.answerTimeout ?? "30 seconds")
  const idleMillis = finiteMillis(module, "idleTimeout", options.idleTimeout ?? "60 seconds")
  const tunnelMillis = finiteMillis(module, "tunnelTimeout", options.tunnelTimeout ?? "10 minutes")
  const requestTimeout = Duration.fromInputUnsafe(options.requestTimeout ?? "60 seconds")
  const memory = shared.memory ??
    { limitBytes: wholeNumber(module, "bufferBytes", options.bufferBytes ?? 67_108_864, 1), usedBytes: 0 }
  const cookie = options.stickyCookie

  /** What one attempt sends; the headers that all attempts have in common are made once. */
  const attempt = (down: Downstream, prepared: Prepared, upgrade: string | undefined, state: State) => {
    const client = TrustedHops.clientAddress(down.peer, down.headers.get("x-forwarded-for")?.join(","), trusts)
    const base = forwarding.requestHeaders(down.headers, {
      via,
      httpVersion: down.version,
      authority: down.authority,
      secure: down.secure,
      peer: TrustedHops.clientAddress(down.peer, undefined, trusts),
      client,
      trusted: trusts(down.peer),
      stripped: options.strip,
      internal,
      cookie,
      upgrade
    })
    if (down.method === "OPTIONS") forwarding.countForward(base)
    frame(base, down.method, prepared)
    const common = forwarding.flat(base)
    const path = strip(down.path, options.strip)
    const onConnected = () => {
      state.touched = true
      prepared.flows?.()
    }
    const onEarlyHints = (hints: InformationEvent) => earlyHints(down, hints)
    return (info: Attempt.Attempt, target: Upstream): Effect.Effect<Answer, SendError, Scope.Scope> =>
      Effect.flatMap(Propagation.inject(), (carried) => {
        state.target = target
        state.tried.add(target.id)
        state.exclude.add(target.id)
        down.tried = state.tried.size
        return send({
          pool: pool.name,
          target,
          method: down.method,
          path,
          headers: down.authority === ""
            ? ["host", target.url.host, ...common, ...forwarding.flat(carried), Attempt.header, Attempt.encode(info)]
            : [...common, ...forwarding.flat(carried), Attempt.header, Attempt.encode(info)],
          upgrades: upgrade !== undefined,
          body: prepared.body,
          connectMillis: pool.connectMillis,
          answerMillis,
          idleMillis,
          onConnected,
          onEarlyHints
        })
      })
  }

  /** The head of the answer, from whichever target gives one. */
  const ask = (
    down: Downstream,
    prepared: Prepared,
    state: State
  ): Effect.Effect<Answer, ForwardError, Scope.Scope> => {
    const once = attempt(down, prepared, down.upgrade === undefined ? undefined : "websocket", state)
    const preferred = state.sticky === undefined ? undefined : pool.byToken(state.sticky)
    return pool.strategy.run(
      (info) =>
        pool.balancer.use(
          (target) => Effect.tapError(once(info, target), (error) => failedWith(state, target, error)),
          { preferred, avoid: state.tried, exclude: state.exclude, classify: pool.classify }
        ),
      new Repeatable(down, prepared, state)
    ).pipe(
      // That no target is left says less than what the last one did.
      Effect.catchTag("NoHealthyUpstream", (error) => Effect.fail(state.last ?? error))
    )
  }

  const reply = (down: Downstream, answer: Answer, state: State): Effect.Effect<void> => {
    const { response } = answer
    const headers = forwarding.responseHeaders(forwarding.read(response.rawHeaders), {
      via,
      httpVersion: response.httpVersion,
      requestId: down.requestId,
      internal,
      stripped: options.strip,
      origin: state.target?.id ?? "",
      setCookie: cookie === undefined || state.target === undefined || state.target.token === state.sticky
        ? undefined
        : `${cookie}=${state.target.token}; Path=/; HttpOnly; SameSite=Lax${down.secure ? "; Secure" : ""}`
    })
    if (answer.tunnel === undefined || down.upgrade === undefined) return relay(down, answer, headers, internal)
    headers["connection"] = "Upgrade"
    headers["upgrade"] = "websocket"
    const { head, socket } = down.upgrade
    return tunnel(down, socket, head, { ...answer, tunnel: answer.tunnel }, headers, tunnelMillis)
  }

  const body = { buffer: options.buffer ?? "none", limitBytes, idleMillis, memory } as const
  const forward = (down: Downstream): Effect.Effect<void, ForwardError> =>
    Effect.scoped(Effect.withFiber((fiber) => {
      if (down.method === "OPTIONS" && forwarding.maxForwards(down.headers) === 0) return answerOptions(down, via)
      const startNanos = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
      return Effect.flatMap(prepare(down, body), (prepared) => {
        const sticky = cookie === undefined
          ? undefined
          : forwarding.cookieOf(down.headers.get("cookie")?.join("; "), cookie)
        const exclude = new Set<string>()
        const state: State = {
          sticky,
          // As long as no target gets a second chance, those that were tried are those that are not asked again.
          tried: exclude,
          exclude,
          another: () => pool.balancer.findsUnsafe(fiber, state.exclude),
          touched: false,
          target: undefined,
          last: undefined
        }
        const answer = ask(down, prepared, state)
        proxyTimed(fiber, startNanos)
        return Effect.flatMap(answer, (answer) => reply(down, answer, state))
      })
    }))

  const settings = { service: "gateway", via, trusts, requestTimeout, trace: options.trace }
  return {
    handle: (request, response) =>
      Effect.suspend(() => {
        const down = new Downstream(request, response)
        return conduct(down, settings, forward(down))
      }),
    forward,
    memory
  }
}

interface State {
  /** What the client's cookie says. */
  readonly sticky: string | undefined
  readonly tried: Set<string>
  /** Those of them that are not asked again. */
  exclude: Set<string>
  /** Whether there is somebody left to ask. */
  readonly another: () => boolean
  /** A connection has stood: the target may have seen the request. */
  touched: boolean
  /** The one asked last. */
  target: Upstream | undefined
  last: SendError | undefined
}

/**
 * What the strategy has to know. A class, because the getter of a literal makes a hidden class of V8 for each request, which
 * is born in the old generation and keeps the whole request there until the next full collection.
 */
class Repeatable {
  readonly method: string
  readonly hasIdempotencyKey: boolean
  readonly endsAtDeadline = true
  private readonly prepared: Prepared
  private readonly state: State

  constructor(down: Downstream, prepared: Prepared, state: State) {
    this.method = down.method
    this.hasIdempotencyKey = down.headers.has("idempotency-key")
    this.prepared = prepared
    this.state = state
  }

  /** Asked after each attempt: what was never sent may be sent again, what has streamed away cannot. */
  get idempotent(): boolean | undefined {
    if (!this.state.another()) return false
    return !this.state.touched ? true : this.prepared.body._tag === "Stream" ? false : undefined
  }
}

const failedWith = (state: State, target: Upstream, error: SendError): Effect.Effect<void> => {
  state.last = error
  // The second chance is the only one: who breaks off each time has more to it than an old connection.
  if (error._tag === "UpstreamFailed" && error.kept === true && state.exclude === state.tried) {
    state.exclude = new Set(state.tried)
    state.exclude.delete(target.id)
  }
  return Effect.void
}

/** Says how long the body is. A body without a length is chunked, whatever the method: else it would look like a request. */
const frame = (headers: forwarding.Outgoing, method: string, { body }: Prepared): void => {
  if (body._tag === "Bytes") headers["content-length"] = String(body.bytes.length)
  else if (body._tag === "Empty") {
    delete headers["content-length"]
    if (method === "POST" || method === "PUT" || method === "PATCH") headers["content-length"] = "0"
  } else if (headers["content-length"] === undefined) headers["transfer-encoding"] = "chunked"
}

const earlyHints = (down: Downstream, info: InformationEvent): void => {
  const { link } = info.headers
  if (info.statusCode !== 103 || link === undefined || down.headSent || down.upgrade !== undefined) return
  try {
    down.response.writeEarlyHints({ link })
  } catch {
    // A link that Node would not write is no loss: the answer itself carries it too.
  }
}

const proxyTimed = (fiber: Fiber.Fiber<unknown, unknown>, startNanos: bigint): void =>
  fiber.getRef(Recorder.Current)?.({
    _tag: "StagesTimed",
    stages: [{
      _tag: "StageTimed",
      stage: "Proxy",
      name: "gateway/ReverseProxy",
      startNanos,
      endNanos: fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
    }]
  }, fiber)
