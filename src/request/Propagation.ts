/**
 * Everything a request carries from service to service, written and read in one place: deadline, priority, request id and
 * W3C trace context.
 *
 * {@link inject} writes what the running fiber knows into headers; {@link extract} reads it from a caller's headers under a
 * trust policy; {@link run} sets it for the work. Each hop passes on what is *left* of its deadline, so budgets shrink from
 * hop to hop and never grow. `RpcPropagation` does the same for `effect/rpc`, sockets and the cluster included.
 *
 * **What an untrusted hop may do** (the default; set `trusted` for callers behind your own door): bring a deadline, up to
 * your maximum; lower its priority; nothing else. Its request id is replaced, its trace is not continued, its service name
 * is not believed.
 *
 * A header that is present but unusable is treated as absent and reported as `HeaderIgnored`. It never fails the request.
 *
 * **Gotchas**
 *
 * - {@link run} informs, it does not interrupt: put `Deadline.enforce` inside it where the deadline must bite.
 * - The time on the network is not deducted. Set `margin` where it matters.
 * - {@link inject} never widens: a header that is already there keeps the smaller timeout and the lower priority.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Deadline, Priority, Propagation, RequestId } from "effect-lifecycle/request"
 * import assert from "node:assert/strict"
 *
 * const handler = Effect.gen(function*() {
 *   const headers = yield* Propagation.inject() // for the next call out
 *   return { id: yield* RequestId.Current, priority: yield* Priority.Current, headers }
 * })
 * const received = { "x-request-timeout": "2.5", "x-request-priority": "low", "x-request-id": "order-42" }
 *
 * const seen = await Effect.runPromise(
 *   Propagation.extract(received, { trusted: true, maximum: "1 second" }).pipe(
 *     Effect.flatMap((extracted) => handler.pipe(Deadline.enforce, Propagation.run(extracted)))
 *   )
 * )
 * assert.deepEqual(seen.id, Option.some("order-42"))
 * assert.equal(seen.priority, "low")
 * assert.equal(seen.headers["x-request-id"], "order-42")
 * assert.ok(Number(seen.headers["x-request-timeout"]) <= 1)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, type Fiber, Option, Result, Tracer } from "effect"
import { dual } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Recorder from "../lifecycle/Recorder.ts"
import * as Deadline from "./Deadline.ts"
import * as DeadlineCodec from "./DeadlineCodec.ts"
import * as header from "./internal/header.ts"
import { nanosOf } from "./internal/nanos.ts"
import * as Priority from "./Priority.ts"
import * as RequestId from "./RequestId.ts"
import * as TraceContext from "./TraceContext.ts"

/**
 * Headers as they come in: names in lower case, as Effect and Node give them.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeadersInput {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/**
 * How far a caller is believed, and what it is granted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** Whether the peer is one of your own: then its id, its priority and its service name count. `false` by default. */
  readonly trusted?: boolean | undefined
  /** Whether the caller's trace goes on. By default that of a trusted hop does, and others start a new one. */
  readonly trace?: "continue" | "restart" | undefined
  /** The longest deadline granted. By default that of `Deadline.Policy`. */
  readonly maximum?: Duration.Input | undefined
  /** The deadline of a request that brings none. By default that of `Deadline.Policy`. */
  readonly default?: Duration.Input | undefined
  /** A timeout header above this is a mistake and ignored, not cut. One hour by default. */
  readonly cap?: Duration.Input | undefined
  /** The request's id where it was decided before; then none is read and none made. */
  readonly requestId?: RequestId.RequestId | undefined
  /** When the request came in, on the monotonic clock; now by default. Time in a queue counts from here. */
  readonly receivedAtNanos?: bigint | undefined
  /** The timeout headers read; the smallest counts. `x-request-timeout` by default. */
  readonly deadlineCodecs?: ReadonlyArray<DeadlineCodec.DeadlineCodec> | undefined
  /** The priority headers read; the first usable one counts. `x-request-priority` by default. */
  readonly priorityCodecs?: ReadonlyArray<Priority.PriorityCodec> | undefined
  /** The request id headers read; the first usable one counts. `RequestId.defaultHeaders` by default. */
  readonly requestIdHeaders?: ReadonlyArray<string> | undefined
}

/**
 * What a request brought, or was given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Extracted {
  readonly deadline: Option.Option<Deadline.Deadline>
  readonly priority: Priority.Priority
  readonly requestId: RequestId.RequestId
  readonly trace: Option.Option<TraceContext.TraceContext>
  /** The caller's own name, in lower case. */
  readonly serviceName: Option.Option<string>
}

/**
 * What {@link inject} writes beside the values of the fiber.
 *
 * @category models
 * @since 0.1.0
 */
export interface InjectOptions {
  /** Taken off the time that is left, for the network and for reading the answer. Zero by default. */
  readonly margin?: Duration.Input | undefined
  /** Sent as `x-service-name`. */
  readonly serviceName?: string | undefined
  /** The timeout headers written. `x-request-timeout` by default. */
  readonly deadlineCodecs?: ReadonlyArray<DeadlineCodec.DeadlineCodec> | undefined
  /** The priority headers written. `x-request-priority` by default. */
  readonly priorityCodecs?: ReadonlyArray<Priority.PriorityCodec> | undefined
}

/**
 * The given headers with the deadline, priority, request id and trace context of the running fiber.
 *
 * A spent deadline is sent as `0`, so that the next hop refuses the work at once.
 *
 * @category combinators
 * @since 0.1.0
 */
export const inject = (headers?: Headers.Input, options?: InjectOptions): Effect.Effect<Headers.Headers> =>
  Effect.withFiber((fiber) => {
    const out: Record<string, string> = { ...Headers.fromInput(headers) }
    const deadline = fiber.getRef(Deadline.Current)
    if (Option.isSome(deadline)) {
      const margin = nanosOf(options?.margin ?? 0)
      const left = deadline.value.expiresAtNanos - fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe() - margin
      const remaining = Duration.nanos(left > 0n ? left : 0n)
      for (const codec of options?.deadlineCodecs ?? [DeadlineCodec.requestTimeout]) {
        const name = codec.header.toLowerCase()
        const there = codec.decode(out[name] ?? "", { maximum: Duration.infinity })
        out[name] = codec.encode(Result.isSuccess(there) ? Duration.min(there.success, remaining) : remaining)
      }
    }
    const priority = fiber.getRef(Priority.Current)
    for (const codec of options?.priorityCodecs ?? [Priority.xRequestPriority]) {
      const name = codec.header.toLowerCase()
      const there = codec.decode(out[name] ?? "")
      out[name] = codec.encode(Priority.combine(Result.getOrElse(there, () => undefined), priority))
    }
    const requestId = fiber.getRef(RequestId.Current)
    if (Option.isSome(requestId)) out["x-request-id"] = requestId.value
    if (options?.serviceName !== undefined) out["x-service-name"] = options.serviceName
    injectTrace(fiber, out)
    return Effect.succeed(Headers.fromRecordUnsafe(out))
  })

/**
 * Reads a caller's headers under `policy`. It never fails: what is unusable is reported as `HeaderIgnored` and absent.
 *
 * @category constructors
 * @since 0.1.0
 */
export const extract = (headers: HeadersInput, policy: Policy = {}): Effect.Effect<Extracted> =>
  Effect.withFiber((fiber) => {
    const trusted = policy.trusted === true
    const ignored = ignoredBy(fiber)
    const read = <A>(name: string, decode: (value: string) => Result.Result<A, string>): Option.Option<A> => {
      const text = header.read(headers, name)
      if (Result.isSuccess(text) && text.success === undefined) return Option.none()
      const value = Result.flatMap(text, (value) => decode(value ?? ""))
      if (Result.isFailure(value)) ignored(name, value.failure)
      return Result.getSuccess(value)
    }

    const known = {
      deadline: extractDeadline(fiber, policy, read),
      priority: Priority.combine(
        first(
          policy.priorityCodecs ?? [Priority.xRequestPriority],
          (codec) => read(codec.header.toLowerCase(), codec.decode)
        ),
        fiber.getRef(Priority.Current),
        { trusted }
      ),
      trace: (policy.trace ?? (trusted ? "continue" : "restart")) === "restart" ? Option.none() : extractTrace(read),
      serviceName: trusted
        ? Option.map(read("x-service-name", identifier), (name) => name.toLowerCase())
        : Option.none()
    }
    const requestId = policy.requestId ?? (trusted
      ? first(policy.requestIdHeaders ?? RequestId.defaultHeaders, (name) => read(name.toLowerCase(), identifier))
      : undefined)
    return requestId === undefined
      ? Effect.map(RequestId.generate, (requestId) => ({ ...known, requestId }))
      : Effect.succeed({ ...known, requestId })
  })

/**
 * Runs `self` as the request that was extracted: sets the current deadline (never later than one already set), priority,
 * request id with its log annotation, and trace.
 *
 * The caller's span becomes the parent, unless the fiber is in a span of the same trace already.
 *
 * @category combinators
 * @since 0.1.0
 */
export const run: {
  (extracted: Extracted): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, extracted: Extracted): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, extracted: Extracted): Effect.Effect<A, E, R> =>
    Effect.updateContext(self, (context: Context.Context<R>) => {
      let next = context.pipe(
        Context.add(Priority.Current, extracted.priority),
        Context.add(TraceContext.Current, extracted.trace)
      )
      const { deadline, requestId, trace } = extracted
      const id = Context.get(context, RequestId.Current)
      if (Option.isNone(id) || id.value !== requestId) next = RequestId.add(next, requestId)
      const current = Context.get(context, Deadline.Current)
      if (
        Option.isSome(deadline) &&
        (Option.isNone(current) || deadline.value.expiresAtNanos < current.value.expiresAtNanos)
      ) {
        next = Context.add(next, Deadline.Current, deadline)
      }
      const span = Context.getOption(context, Tracer.ParentSpan)
      if (Option.isSome(trace) && !(Option.isSome(span) && span.value.traceId === trace.value.traceId)) {
        next = Context.add(next, Tracer.ParentSpan, TraceContext.toExternalSpan(trace.value))
      }
      return next
    })
)

/**
 * A client that injects into every request it sends, each attempt of a retry anew.
 *
 * @category combinators
 * @since 0.1.0
 */
export const httpClient = <E, R>(
  client: HttpClient.HttpClient.With<E, R>,
  options?: InjectOptions
): HttpClient.HttpClient.With<E, R> =>
  HttpClient.mapRequestEffect(client, (request) =>
    Effect.map(
      inject(request.headers, options),
      (headers) => HttpClientRequest.updateHeaders(request, () => headers)
    ))

type Read = <A>(name: string, decode: (value: string) => Result.Result<A, string>) => Option.Option<A>

const ignoredBy = (fiber: Fiber.Fiber<unknown, unknown>) => {
  const recorder = fiber.getRef(Recorder.Current)
  return (header: string, reason: string): void => recorder?.({ _tag: "HeaderIgnored", header, reason }, fiber)
}

// Every candidate is read, so that an unusable one is reported whether or not another one counts.
const first = <A, B>(candidates: ReadonlyArray<A>, f: (a: A) => Option.Option<B>): B | undefined =>
  candidates.map(f).find(Option.isSome)?.value

const identifier = (value: string): Result.Result<RequestId.RequestId, string> => {
  const refused = header.refuse(value, 128)
  if (refused !== undefined) return Result.fail(refused)
  return Option.match(RequestId.parse(value), {
    onNone: () => Result.fail("not [A-Za-z0-9._-]{1,128}"),
    onSome: Result.succeed
  })
}

const extractDeadline = (
  fiber: Fiber.Fiber<unknown, unknown>,
  policy: Policy,
  read: Read
): Option.Option<Deadline.Deadline> => {
  const granted = fiber.getRef(Deadline.Policy)
  const asked = (policy.deadlineCodecs ?? [DeadlineCodec.requestTimeout]).flatMap((codec) => {
    const value = read(codec.header.toLowerCase(), (text) => codec.decode(text, { maximum: policy.cap }))
    return Option.isSome(value) ? [value.value] : []
  })
  const maximum = policy.maximum ?? Option.getOrUndefined(granted.maximum)
  const wanted = asked.length > 0
    ? asked.reduce((a, b) => Duration.min(a, b))
    : policy.default ?? Option.getOrUndefined(granted.default) ?? maximum
  if (wanted === undefined) return Option.none()
  return Option.some(Deadline.make({
    duration: nanosOf(wanted) < nanosOf(maximum ?? Duration.infinity) ? wanted : maximum ?? wanted,
    startedAtNanos: policy.receivedAtNanos ?? fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe(),
    origin: asked.length > 0 ? "inherited" : "default"
  }))
}

const extractTrace = (read: Read): Option.Option<TraceContext.TraceContext> => {
  const parent = read("traceparent", (value) => TraceContext.parse(value))
  if (Option.isNone(parent)) return parent
  const tracestate = read("tracestate", (value) => value === "" ? Result.fail("empty") : Result.succeed(value))
  return Option.some({ ...parent.value, tracestate })
}

const injectTrace = (fiber: Fiber.Fiber<unknown, unknown>, out: Record<string, string>): void => {
  if (fiber.getRef(Tracer.DisablePropagation)) return
  const received = Option.getOrUndefined(fiber.getRef(TraceContext.Current))
  const span = propagated(Context.getOrUndefined(fiber.context, Tracer.ParentSpan)) ?? received
  const traceparent = span === undefined ? Option.none() : TraceContext.encode(span)
  if (Option.isNone(traceparent)) return
  out["traceparent"] = traceparent.value
  delete out["tracestate"]
  if (received !== undefined && received.traceId === span?.traceId && Option.isSome(received.tracestate)) {
    out["tracestate"] = received.tracestate.value
  }
}

const propagated = (span: Tracer.AnySpan | undefined): Tracer.AnySpan | undefined =>
  span !== undefined && Context.get(span.annotations, Tracer.DisablePropagation)
    ? propagated(span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined)
    : span
