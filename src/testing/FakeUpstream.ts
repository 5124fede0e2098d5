/**
 * An HTTP server that answers from a script, and breaks as real ones do, for the tests of whatever calls it.
 *
 * {@link make} listens on a real socket, on a free port, as long as its scope lives. {@link client} is an `HttpClient`
 * that answers from the same scripts without a socket. Both keep a log of what they received and how it ended.
 *
 * All waiting is done on the `Clock` of the effect that makes the upstream or, without a socket, of the effect that calls
 * it, so `TestClock` drives latency, trickling bodies and arrival times.
 *
 * **Gotchas**
 *
 * - With real sockets run the test on the real clock (`it.live`): `TestClock` does not wait for bytes on their way.
 * - The upstream reads the whole request before it begins its answer.
 * - A client that stops waiting shows as `aborted` when the upstream learns of it: wait for that with `when`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { FetchHttpClient, HttpClient } from "effect/http"
 * import { FakeUpstream } from "effect-lifecycle/testing"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const upstream = yield* FakeUpstream.make([FakeUpstream.reset(), FakeUpstream.json({ ok: true })])
 *   const client = yield* HttpClient.HttpClient
 *   const failed = yield* Effect.flip(client.get(`${upstream.url}/first`))
 *   assert.equal(failed.reason._tag, "TransportError")
 *   const answer = yield* client.get(`${upstream.url}/second`)
 *   assert.deepEqual(yield* answer.json, { ok: true })
 *   assert.deepEqual((yield* upstream.requests).map((request) => request.path), ["/first", "/second"])
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))
 * ```
 *
 * @since 0.1.0
 */
import { type Duration, Effect, type Scope } from "effect"
import type * as HttpClient from "effect/http/HttpClient"
import type { Answer, Script } from "./internal/upstreamAnswer.ts"
import { offline } from "./internal/upstreamClient.ts"
import { Journal, type Received } from "./internal/upstreamJournal.ts"
import { listen } from "./internal/upstreamServer.ts"

export type { Answer, Script } from "./internal/upstreamAnswer.ts"
export type { Received } from "./internal/upstreamJournal.ts"

/**
 * What both forms have.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeUpstream {
  /** What has been received until now, in order of arrival. */
  readonly requests: Effect.Effect<ReadonlyArray<Received>>
  /** Waits until the log is as `predicate` wants it, and gives the log. */
  readonly when: (
    predicate: (requests: ReadonlyArray<Received>) => boolean
  ) => Effect.Effect<ReadonlyArray<Received>>
  /** Answers from another script from now on; its counting starts anew. */
  readonly rescript: (script: Script) => Effect.Effect<void>
}

/**
 * An upstream on a socket.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listening extends FakeUpstream {
  readonly host: string
  readonly port: number
  /** Such as `http://127.0.0.1:40123`, without a slash at its end. */
  readonly url: string
}

/**
 * An upstream without a socket.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offline extends FakeUpstream {
  readonly client: HttpClient.HttpClient
}

/**
 * Starts an upstream on a free port of `127.0.0.1`. When the scope closes, its connections are cut.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (script: Script): Effect.Effect<Listening, never, Scope.Scope> =>
  Effect.gen(function*() {
    const journal = new Journal(script)
    const port = yield* listen(journal)
    return { ...common(journal), host: "127.0.0.1", port, url: `http://127.0.0.1:${port}` }
  })

/**
 * An upstream without a socket: its `client` answers every URL from the script.
 *
 * @category constructors
 * @since 0.1.0
 */
export const client = (script: Script): Effect.Effect<Offline> =>
  Effect.sync(() => {
    const journal = new Journal(script)
    return { ...common(journal), client: offline(journal) }
  })

/**
 * A complete answer: status 200 and no body, where nothing else is said.
 *
 * @category answers
 * @since 0.1.0
 */
export const respond = (options: {
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
  /** From the end of the request to the head of the answer. */
  readonly latency?: Duration.Input | undefined
} = {}): Answer => ({
  _tag: "Respond",
  status: options.status ?? 200,
  headers: options.headers ?? {},
  body: bytesOf(options.body),
  latency: options.latency ?? 0
})

/**
 * A complete answer with a JSON body.
 *
 * @category answers
 * @since 0.1.0
 */
export const json = (value: unknown, options: Omit<NonNullable<Parameters<typeof respond>[0]>, "body"> = {}): Answer =>
  respond({
    ...options,
    headers: { "content-type": "application/json", ...options.headers },
    body: JSON.stringify(value)
  })

/**
 * The head announces the whole body, then only `bytes` of it come (half of it by default) and the connection is reset.
 *
 * @category answers
 * @since 0.1.0
 */
export const half = (
  options: NonNullable<Parameters<typeof respond>[0]> & { readonly bytes?: number | undefined } = {}
): Answer => {
  const body = bytesOf(options.body ?? "0123456789")
  return { ...asResponse(respond({ ...options, body })), _tag: "Half", bytes: options.bytes ?? body.length >> 1 }
}

/**
 * A complete answer whose body comes in pieces of `bytes` (1 by default), one `every` so often.
 *
 * @category answers
 * @since 0.1.0
 */
export const trickle = (
  options: NonNullable<Parameters<typeof respond>[0]> & {
    readonly every: Duration.Input
    readonly bytes?: number | undefined
  }
): Answer => ({
  ...asResponse(respond({ ...options, body: options.body ?? "0123456789" })),
  _tag: "Trickle",
  every: options.every,
  bytes: Math.max(1, options.bytes ?? 1)
})

/**
 * The connection is reset before any byte of an answer.
 *
 * @category answers
 * @since 0.1.0
 */
export const reset = (options: { readonly latency?: Duration.Input | undefined } = {}): Answer => ({
  _tag: "Reset",
  latency: options.latency ?? 0
})

/**
 * The connection is closed in good order, but without an answer.
 *
 * @category answers
 * @since 0.1.0
 */
export const close = (options: { readonly latency?: Duration.Input | undefined } = {}): Answer => ({
  _tag: "Close",
  latency: options.latency ?? 0
})

/**
 * The request is taken and never answered.
 *
 * @category answers
 * @since 0.1.0
 */
export const never: Answer = { _tag: "Never" }

const common = (journal: Journal): FakeUpstream => ({
  requests: Effect.sync(() => journal.snapshot()),
  when: (predicate) => journal.when(predicate),
  rescript: (script) => Effect.sync(() => journal.rescript(script))
})

const bytesOf = (body: string | Uint8Array | undefined): Uint8Array =>
  body instanceof Uint8Array ? body : new TextEncoder().encode(body ?? "")

const asResponse = (answer: Answer) => {
  if (answer._tag !== "Respond") throw new Error(`not a complete answer: ${answer._tag}`)
  return answer
}
