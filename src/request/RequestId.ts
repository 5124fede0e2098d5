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
import { Clock, Context, Effect, type Fiber, Option, Random, References, Result, Schema } from "effect"
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
export const generate: Effect.Effect<RequestId> = Effect.withFiber((fiber) => Effect.succeed(generateUnsafe(fiber)))

/** @internal */
export const generateUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): RequestId => {
  const random = fiber.getRef(Random.Random)
  const bits = () => Math.floor(random.nextDoubleUnsafe() * 0x1_0000_0000)
  const millis = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  const high = Math.floor(millis / 0x1_0000)
  const [a, b, c] = [bits(), bits(), bits()]
  const text = `${hex(high >>> 16)}${hex(high)}-${hex(millis)}-${hex(0x7000 | (a & 0xfff))}-` +
    `${hex(0x8000 | (a >>> 18))}-${hex(b >>> 16)}${hex(b)}${hex(c)}`
  // Hexadecimal digits and dashes fit the pattern; every request would pay for checking it.
  return text as RequestId
}

const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** The lowest sixteen bits, in four digits: a table is five times as fast as `toString(16)`. */
const hex = (value: number): string => `${bytes[(value >>> 8) & 0xff]}${bytes[value & 0xff]}`

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
