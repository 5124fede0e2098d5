/**
 * The name of one request, the same in every service it reaches, in every log line and in the answer.
 *
 * An id is 1 to 128 characters of `[A-Za-z0-9._-]`, so it can stand in a header, a log line and a URL without escaping and
 * cannot forge any of them. An id from outside counts only when it comes from a trusted hop and has that shape;
 * otherwise a new one is made.
 *
 * **Gotchas**
 *
 * - It correlates. It does not authorise, and it is no idempotency key: a client may repeat or invent one.
 * - {@link generate} draws from Effect's `Random`, which a test can seed. It is not a secret.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { RequestId } from "effect-lifecycle/request"
 * import assert from "node:assert/strict"
 *
 * const headers = { "x-request-id": "order-42" }
 * const id = RequestId.fromHeaders(headers, { trusted: true })
 * assert.deepEqual(id, Option.some("order-42"))
 * assert.deepEqual(RequestId.fromHeaders(headers, { trusted: false }), Option.none())
 * assert.deepEqual(RequestId.parse("two\nlines"), Option.none())
 *
 * const made = await Effect.runPromise(RequestId.generate)
 * assert.match(made, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Effect, Option, Random, References, Result, Schema } from "effect"
import { dual } from "effect/Function"
import * as header from "./internal/header.ts"

/**
 * A checked request id.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RequestId = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{1,128}$/)).pipe(
  Schema.brand("effect-lifecycle/RequestId")
)

/**
 * A checked request id.
 *
 * @category models
 * @since 0.1.0
 */
export type RequestId = typeof RequestId.Type

/**
 * The id of the running request; none by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<Option.Option<RequestId>>("effect-lifecycle/request/RequestId", {
  defaultValue: () => Option.none()
})

/**
 * The headers an id is read from, the first that has a usable one.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultHeaders: ReadonlyArray<string> = ["x-request-id", "x-kong-request-id"]

/**
 * The id, where `value` is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse: (value: string) => Option.Option<RequestId> = Schema.decodeOption(RequestId)

/**
 * A new id: a UUID of version 7, so ids sort by the time they were made.
 *
 * @category constructors
 * @since 0.1.0
 */
export const generate: Effect.Effect<RequestId> = Effect.withFiber((fiber) => {
  const random = fiber.getRef(Random.Random)
  const time = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe().toString(16).padStart(12, "0")
  const hex = (digits: number) =>
    Math.floor(random.nextDoubleUnsafe() * 16 ** digits).toString(16).padStart(digits, "0")
  const variant = "89ab"[Math.floor(random.nextDoubleUnsafe() * 4)]
  const text = `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-${variant}${hex(3)}-${hex(12)}`
  // Hexadecimal digits and dashes fit the pattern; every request would pay for checking it.
  return Effect.succeed(text as RequestId)
})

/**
 * The id a caller sent, or none: nothing from an untrusted hop, and nothing that is not an id.
 *
 * Names are in lower case, as Effect and Node give them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromHeaders = (
  headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined },
  options: {
    readonly headers?: ReadonlyArray<string> | undefined
    readonly trusted: boolean
  }
): Option.Option<RequestId> => {
  if (!options.trusted) return Option.none()
  return Option.firstSomeOf((options.headers ?? defaultHeaders).map((name) => {
    const value = header.read(headers, name)
    return Result.isSuccess(value) && value.success !== undefined ? parse(value.success) : Option.none()
  }))
}

/**
 * Runs `self` as the request `id`: sets {@link Current} and the log annotation `requestId`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const provide: {
  (id: RequestId): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, id: RequestId): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, id: RequestId): Effect.Effect<A, E, R> =>
    Effect.updateContext(self, (context: Context.Context<R>) => add(context, id))
)

/** @internal */
export const add = <R>(context: Context.Context<R>, id: RequestId): Context.Context<R> =>
  context.pipe(
    Context.add(Current, Option.some(id)),
    Context.add(References.CurrentLogAnnotations, {
      ...Context.get(context, References.CurrentLogAnnotations),
      requestId: id
    })
  )
