/** One exchange from its first header to its last byte: what it carries, who may end it, and what is said when it fails. */
import { Cause, Clock, type Duration, Effect, Exit, type Fiber, Option } from "effect"
import { METHODS } from "node:http"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as Deadline from "../../request/Deadline.ts"
import * as Priority from "../../request/Priority.ts"
import * as Propagation from "../../request/Propagation.ts"
import * as RequestId from "../../request/RequestId.ts"
import { defaults } from "../../server/SecurityHeaders.ts"
import * as Refusals from "../Refusals.ts"
import type { Downstream } from "./downstream.ts"
import { listBytes, maxForwards, passages } from "./forwarding.ts"
import { proxyStatus } from "./proxyStatus.ts"
import { isAmbiguous } from "./routing.ts"

export interface Settings {
  /** In reports. */
  readonly service: string
  readonly via: string
  readonly trusts: (address: string | undefined) => boolean
  readonly requestTimeout: Duration.Duration
  /** The most that the headers of a request over HTTP/2 may come to; over HTTP/1.1 the parser counts. */
  readonly headerBytes?: number | undefined
  /** Whether traces go on; those of trusted peers do when undefined. */
  readonly trace: Propagation.Policy["trace"]
}

/** How often one request may come by before it is a loop. */
const mostPassages = 8
/** How long what a refused client still sends is read, so that it gets to read its answer. */
const lingerMillis = 1000

export const conduct = (
  down: Downstream,
  settings: Settings,
  work: Effect.Effect<void, { readonly _tag: string }>
): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const startNanos = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
      const method = methodOf(down)
      fiber.getRef(Recorder.Current)?.(
        { _tag: "ServerRequestStarted", service: settings.service, method, scheme: schemeOf(down) },
        fiber
      )
      return Effect.flatMap(luggage(down, settings, startNanos), (extracted) => {
        down.requestId = extracted.requestId
        const exchange = Effect.andThen(sane(down, settings), work).pipe(
          Effect.catchCause((cause) => refuse(down, settings.via, cause)),
          Effect.withSpan("http.server", {
            kind: "server",
            attributes: { "http.request.method": method, "lifecycle.service": settings.service }
          }, { captureStackTrace: false }),
          Propagation.run(extracted)
        )
        const unwatch = watch(down, fiber)
        return Effect.flatMap(Effect.exit(restore(exchange)), (exit) => {
          unwatch()
          ended(down, settings.service, startNanos, exit, fiber)
          return Effect.void
        })
      })
    })
  )

/** What {@link Propagation.extract} reads. */
const carrying: ReadonlyArray<string> = [
  ...RequestId.defaultHeaders,
  "x-request-timeout",
  "x-request-priority",
  "x-service-name",
  "traceparent"
]

/** Most requests bring none of it, and to look for each would cost more than to route them. */
const luggage = (
  down: Downstream,
  settings: Settings,
  receivedAtNanos: bigint
): Effect.Effect<Propagation.Extracted> => {
  const { requestTimeout: duration } = settings
  if (carrying.some((name) => down.headers.has(name))) {
    return Propagation.extract(Object.fromEntries(down.headers), {
      trusted: settings.trusts(down.peer),
      trace: settings.trace,
      maximum: duration,
      default: duration,
      receivedAtNanos
    })
  }
  return Effect.withFiber((fiber) =>
    Effect.succeed({
      deadline: Option.some(Deadline.make({ duration, startedAtNanos: receivedAtNanos, origin: "default" })),
      priority: fiber.getRef(Priority.Current),
      requestId: RequestId.generateUnsafe(fiber),
      trace: Option.none(),
      serviceName: Option.none()
    })
  )
}

const known: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "CONNECT"
])

const methodOf = (down: Downstream): string => known.has(down.method) ? down.method : "_OTHER"

const schemeOf = (down: Downstream): "http" | "https" => down.secure ? "https" : "http"

/** Those that Node's parser knows, and so its client and its servers. */
const methods: ReadonlySet<string> = new Set(METHODS)

/** Refuses what the parser lets pass and another server could read differently. */
const sane = (
  down: Downstream,
  { headerBytes, via }: Settings
): Effect.Effect<void, { readonly _tag: string }> => {
  const { headers, method } = down
  const ambiguous = (reason: string) => Effect.fail(new Refusals.AmbiguousRequest({ reason }))
  // What a line without a version is to Node's parser.
  if (down.version === "0.9") return ambiguous("no usable version")
  if (!down.isHttp2 && !/^1\.[01]$/.test(down.version)) {
    return Effect.fail(new Refusals.VersionRefused({ version: down.version }))
  }
  if (down.isHttp2) {
    if (headerBytes !== undefined) {
      if (down.path.length > headerBytes) {
        down.overlong = true
        return Effect.fail({ _tag: "UriTooLong" })
      }
      if (listBytes(down.request.rawHeaders) > headerBytes) return Effect.fail({ _tag: "HeadersTooLarge" })
    }
    // Over HTTP/1.1 the parser takes no other, and these would come out of another parser as something else.
    if (!methods.has(method)) return Effect.fail({ _tag: "MethodUnknown" })
  }
  if (method === "TRACE" || method === "CONNECT") return Effect.fail(new Refusals.MethodRefused({ method }))
  if ((headers.get("host")?.length ?? 0) > 1) return ambiguous("more than one Host")
  // HTTP/1.0 knows no hosts, so a request may name none.
  const nameless = down.version === "1.0" && !headers.has("host")
  if ((down.authority === "" && !nameless) || /[\s/@?#\\]/.test(down.authority)) return ambiguous("no usable Host")
  if (headers.has("transfer-encoding")) {
    if (down.isHttp2 || headers.has("content-length")) return ambiguous("both Content-Length and Transfer-Encoding")
    if (headers.get("transfer-encoding")?.join(",").trim().toLowerCase() !== "chunked") {
      return ambiguous("a Transfer-Encoding other than chunked")
    }
  }
  if (
    (headers.get("content-length")?.length ?? 0) > 1 || !/^\d{0,15}$/.test(headers.get("content-length")?.[0] ?? "")
  ) {
    return ambiguous("an unusable Content-Length")
  }
  if (method === "OPTIONS" && Number.isNaN(maxForwards(headers))) return ambiguous("an unusable Max-Forwards")
  if (down.path !== "*" && !down.path.startsWith("/")) return ambiguous("an unusable target")
  if (isAmbiguous(down.path)) return ambiguous("a path with dot segments, backslashes or control characters")
  const times = passages(headers, via)
  return times >= mostPassages ? Effect.fail(new Refusals.LoopDetected({ passages: times })) : Effect.void
}

/** A client that leaves ends the work for it, down to the upstream. */
const watch = (down: Downstream, fiber: Fiber.Fiber<unknown, unknown>): () => void => {
  const { sink } = down
  const gone = () => {
    if (!down.ended && down.brokenBy === undefined && !down.tunnelled) fiber.interruptUnsafe(fiber.id)
  }
  sink.on("close", gone)
  // What breaks is told by `close`.
  sink.on("error", () => {})
  return () => void sink.off("close", gone)
}

const upstreamTags: ReadonlySet<string> = new Set(["UpstreamFailed", "UpstreamTimeout"])

const refuse = (down: Downstream, via: string, cause: Cause.Cause<{ readonly _tag: string }>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
  const error = Cause.hasDies(cause) ? undefined : Option.getOrUndefined(Cause.findErrorOption(cause))
  const problem = error === undefined ? undefined : Refusals.table.describe(error)
  const stage = error !== undefined && upstreamTags.has(error._tag) && down.tried > 1
    ? "Balancer"
    : problem?.stage ?? "Proxy"
  const report = problem !== undefined
    ? Effect.void
    : Recorder.report(() => ({ _tag: "DefectCaught", stage, requestId: down.requestId, cause }))
  if (down.headSent) return Effect.andThen(report, Effect.sync(() => down.sever("limit")))
  const status = problem?.status ?? 500
  const { title, type, ...rest } = problem?.document ?? { type: "about:blank", title: "Internal Server Error" }
  const { status: _status, ...members } = { status, ...rest }
  return Effect.andThen(
    report,
    answer(down, {
      status,
      stage,
      headers: { ...problem?.headers, via: `${down.version} ${via}`, "proxy-status": proxyStatus(via, error, status) }
    }, {
      type,
      title,
      status,
      ...members,
      instance: `urn:request:${down.requestId}`,
      requestId: down.requestId,
      stage
    })
  )
}

const answer = (
  down: Downstream,
  head: {
    readonly status: number
    readonly stage: Downstream["answeredBy"]
    readonly headers: Readonly<Record<string, string>>
  },
  document: Readonly<Record<string, unknown>>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const body = Buffer.from(JSON.stringify(document))
    const unread = down.hasBody && !down.request.complete
    // Nobody knows where the next request begins.
    if (unread || head.status === 400) down.closing = true
    down.answeredBy = head.stage
    down.head(head.status, {
      ...defaults,
      ...head.headers,
      "content-type": "application/problem+json",
      "content-length": String(body.length),
      "x-request-id": down.requestId
    })
    const { sink } = down
    // Who waits for `100 Continue` has sent nothing yet.
    if (!unread || down.awaitsContinue || down.isHttp2) {
      return Effect.callback<void>((resume) =>
        void sink.end(down.method === "HEAD" ? undefined : body, () => resume(Effect.void))
      )
    }
    // The answer is complete by its length. A connection that closes on unread bytes would be reset, and the answer lost.
    sink.write(body)
    const drained = Effect.callback<void>((resume) => {
      down.request.once("end", () => resume(Effect.void))
      down.request.resume()
    })
    return drained.pipe(
      Effect.timeoutOption(lingerMillis),
      Effect.andThen(Effect.sync(() => {
        sink.end()
        if (!down.request.complete) down.request.socket.destroySoon()
      }))
    )
  })

const ended = (
  down: Downstream,
  service: string,
  startNanos: bigint,
  exit: Exit.Exit<void>,
  fiber: Fiber.Fiber<unknown, unknown>
): void => {
  const recorder = fiber.getRef(Recorder.Current)
  if (recorder === undefined) return
  // As in the access log of `server`: who has left is 499, whatever was on its way.
  const aborted = Exit.isFailure(exit)
  recorder({
    _tag: "ServerRequestEnded",
    service,
    method: methodOf(down),
    scheme: schemeOf(down),
    route: down.route,
    path: down.overlong ? "" : down.path.split("?")[0] ?? "",
    status: aborted ? 499 : down.status,
    outcome: aborted ? "aborted" : down.status >= 500 || down.brokenBy !== undefined ? "failed" : "ok",
    stage: down.answeredBy ?? (down.brokenBy === undefined ? undefined : "Proxy"),
    requestId: down.requestId,
    userId: undefined,
    startNanos,
    endNanos: fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
  }, fiber)
}
