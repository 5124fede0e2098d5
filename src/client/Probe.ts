/**
 * One real request on a fresh connection, with DNS, TCP, TLS, sending, waiting and body timed apart.
 *
 * Use it to see where the time of a request goes, or at which stage it ends: it is `curl -v` with a stopwatch, as an
 * effect. It never reuses a connection, follows no redirect, retries nothing and reads at most `maxBodyBytes` of the
 * answer. When the answer's `Server-Timing` names stages of this library, they are drawn inside the time spent waiting.
 *
 * The clock is the fiber's `Clock`, read as monotonic time. The whole trip has one `timeout`. When it passes, or when the
 * fiber is interrupted, the socket is destroyed at once.
 *
 * **Gotchas**
 *
 * - This module needs Node: it listens to real sockets. Send production traffic through `ClientStack`.
 * - "Sent" means that the operating system took the bytes, not that the server has read them.
 * - The wait is the way there, everything the server did until the head of its answer was complete, and the way back.
 * - A name in the hosts file or a resolver's cache makes `Dns` look fast. For an IP address it is 0 and says so.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Probe } from "effect-lifecycle/client"
 * import { Timeline } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 * import { createServer } from "node:http"
 * import type { AddressInfo } from "node:net"
 *
 * const server = createServer((_, response) => {
 *   response.setHeader("Server-Timing", "Handler;dur=0.2").end("hello")
 * })
 * await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
 * const { port } = server.address() as AddressInfo
 *
 * const result = await Effect.runPromise(Probe.probe({ url: `http://127.0.0.1:${port}/` }))
 * assert.equal(result.status, 200)
 * assert.equal(result.body, "hello")
 * assert.deepEqual(Timeline.measuredStages(result.timeline), ["Dns", "Connect", "Send", "Handler", "Response"])
 *
 * await new Promise((resolve) => server.close(resolve))
 * const error = await Effect.runPromise(Effect.flip(Probe.probe({ url: `http://127.0.0.1:${port}/` })))
 * assert.equal(error.stage, "Connect")
 * assert.equal(error.code, "ECONNREFUSED")
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Duration, Effect, Schema } from "effect"
import { StageName } from "../lifecycle/Stage.ts"
import * as Timeline from "../lifecycle/Timeline.ts"
import { type Answer, Trip } from "./internal/trip.ts"

/**
 * The request did not come back: at which stage, why, and what had been measured until then.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProbeError extends Schema.TaggedError<ProbeError>()("ProbeError", {
  /** The first stage that was not finished. `Server` stands for everything between the last byte sent and the answer. */
  stage: StageName,
  /** Node's error code, such as `ECONNREFUSED`; `ETIMEDOUT` when the probe's own time was up. */
  code: Schema.String,
  /** Host and port; never the path. */
  host: Schema.String,
  detail: Schema.String,
  /** The stages that were finished, and the one that was not with the time spent in it. */
  entries: Schema.Array(Timeline.Entry),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `${this.stage} failed for ${this.host}: ${this.code} (${this.detail}). ${advice(this.stage, this.code)}`
  }

  /** The timeline up to the failure. */
  get timeline(): Timeline.Timeline {
    return Timeline.make(this.entries)
  }
}

/**
 * What to ask, and how long to wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProbeOptions {
  /** An absolute `http:` or `https:` URL. */
  readonly url: string | URL
  /** `GET` when absent. */
  readonly method?: string | undefined
  /** A header with several values is sent once for each of them. */
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>> | undefined
  readonly body?: string | Uint8Array | undefined
  /** For the whole trip; 30 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
  /** How much of the answer's body to keep; 1 MiB when absent. A longer one is cut and its connection closed. */
  readonly maxBodyBytes?: number | undefined
  /** Certificates to trust instead of the system's, as PEM. */
  readonly ca?: string | Uint8Array | undefined
  /** Refuse a certificate that cannot be verified; `true` when absent. */
  readonly rejectUnauthorized?: boolean | undefined
}

/**
 * An answer and the time each part of it took.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProbeResult {
  readonly status: number
  /** Lower-case names; values of a repeated header are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly bodyBytes: number
  /** The body was longer than `maxBodyBytes`. */
  readonly bodyTruncated: boolean
  readonly httpVersion: string
  readonly remoteAddress: string | undefined
  /** Such as `TLSv1.3`; `undefined` over plain HTTP. */
  readonly tlsVersion: string | undefined
  /** What the client measured: `Dns`, `Connect`, `Tls`, `Send` and `Response`. */
  readonly entries: ReadonlyArray<Timeline.Entry>
  /** From the last byte sent to the head of the answer. */
  readonly waitingMillis: number
  readonly totalMillis: number
  /** The client's entries and, where the server told them, its own. */
  readonly timeline: Timeline.Timeline
}

/**
 * Sends one request and times it.
 *
 * Any status is a result. Fails with {@link ProbeError} when no complete answer came: an unknown host, a refused or silent
 * port, a certificate that cannot be verified, a connection that was closed, a timeout, or a URL, method or header that
 * cannot be sent.
 *
 * @category constructors
 * @since 0.1.0
 */
export const probe: (options: ProbeOptions) => Effect.Effect<ProbeResult, ProbeError> = Effect.fn("Probe.probe")(
  function*(options: ProbeOptions): Effect.fn.Return<ProbeResult, ProbeError> {
    const url = URL.parse(String(options.url))
    if (url === null) {
      return yield* notSent("Dns", "ERR_INVALID_URL", "unknown host", "the URL is not absolute or cannot be parsed")
    }
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      const detail = `a probe speaks http: and https:, not ${url.protocol}`
      return yield* notSent("Dns", "ERR_INVALID_PROTOCOL", url.host, detail)
    }
    const timeout = Duration.fromInputUnsafe(options.timeout ?? "30 seconds")
    const trip = new Trip(yield* Clock.Clock, {
      url,
      method: options.method ?? "GET",
      headers: options.headers ?? {},
      body: options.body,
      maxBodyBytes: options.maxBodyBytes ?? 1_048_576,
      ca: options.ca,
      rejectUnauthorized: options.rejectUnauthorized ?? true
    })
    const host = `${url.hostname}:${trip.remotePort}`
    const failed = (code: string, detail: string, cause?: unknown) =>
      new ProbeError({
        stage: trip.stage,
        code,
        host,
        detail,
        entries: trip.entries(code),
        ...(cause === undefined ? {} : { cause })
      })

    const answer = yield* Effect.callback<Answer, ProbeError>((resume) => {
      try {
        trip.run(
          (answer) => resume(Effect.succeed(answer)),
          (error) => resume(Effect.fail(failed(codeOf(error), detailOf(error), error)))
        )
      } catch (cause) {
        trip.destroy()
        resume(notSent("Send", codeOf(cause), host, detailOf(cause), cause))
      }
      return Effect.sync(() => trip.destroy())
    }).pipe(Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(failed("ETIMEDOUT", `no complete answer within ${Duration.format(timeout)}`))
    }))

    const entries = trip.entries()
    const told = [answer.headers["server-timing"], answer.trailers["server-timing"]]
      .flatMap((header) => header === undefined ? [] : Timeline.parseServerTiming(header))
    return {
      status: answer.status,
      headers: answer.headers,
      body: answer.body,
      bodyBytes: answer.bodyBytes,
      bodyTruncated: answer.bodyTruncated,
      httpVersion: answer.httpVersion,
      remoteAddress: answer.remoteAddress,
      tlsVersion: answer.tlsVersion,
      entries,
      waitingMillis: trip.waitingMillis,
      totalMillis: trip.totalMillis,
      timeline: Timeline.merge(
        Timeline.make(url.protocol === "http:" ? [...entries, Timeline.notOnRoad("Tls", "the URL is http")] : entries),
        Timeline.make(told)
      )
    }
  }
)

const notSent = (stage: StageName, code: string, host: string, detail: string, cause?: unknown) =>
  Effect.fail(new ProbeError({ stage, code, host, detail, entries: [], ...(cause === undefined ? {} : { cause }) }))

const codeOf = (error: unknown): string =>
  error instanceof Error
    ? "code" in error && typeof error.code === "string" ? error.code : error.name
    : "UNKNOWN"

/** A host with several addresses fails with one error each and no message of its own. */
const detailOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(detailOf).join("; ")
  return error instanceof Error && error.message !== "" ? error.message : String(error)
}

const advice = (stage: StageName, code: string): string => {
  if (code.startsWith("ERR_INVALID") || code === "ERR_UNESCAPED_CHARACTERS") {
    return "Nothing was sent: correct the URL, method or header"
  }
  switch (stage) {
    case "Dns":
      return "No server has seen this request: check the host's name and this machine's resolver"
    case "Connect":
      return code === "ECONNREFUSED"
        ? "The machine is up but nothing listens there: check the port, and that the service runs"
        : "No answer from that address: check the network, the firewall and whether the machine is up"
    case "Tls":
      return "The connection is up but not trusted: check the certificate's date, host name and issuer, and that the port speaks TLS"
    case "Send":
      return "The connection broke while the request was written: check limits on its size, and the server's log"
    case "Response":
      return "The answer began and was cut: check the server's log for a crash, and the proxy's timeouts"
    default:
      return "The request was sent and no answer came: check the server's log, its load and the proxy's timeouts"
  }
}
