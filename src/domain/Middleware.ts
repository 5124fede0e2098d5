/**
 * A function around every command and query of a `Domain.toLayer`, once per request on every way in, whatever fallbacks,
 * chains and retries are inside; and around every event at each handler.
 *
 * The first middleware is the outermost. It may refuse with `DomainError.Refused`, measure, or change the context; it cannot
 * change the result. Around a stream it holds while the stream is opened, not while it flows.
 *
 * **Gotchas**
 *
 * - It runs before `beforeCommand` and ends after `afterCommand`, outside the transaction and outside the attempts.
 * - A middleware that runs `self` twice runs the command twice; retries on conflict are already inside.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Middleware } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const names: Array<string> = []
 * const note = Middleware.make((command, self) => Effect.andThen(Effect.sync(() => names.push(command.name)), self))
 *
 * const answer = note({ name: "orders.ById", kind: "query", payload: {} }, Effect.succeed(42))
 * assert.equal(await Effect.runPromise(answer), 42)
 * assert.deepEqual(names, ["orders.ById"])
 * ```
 *
 * @since 0.1.0
 */
import type { Effect } from "effect"
import type { Refused } from "./DomainError.ts"

/**
 * What a middleware is told of the request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly name: string
  readonly kind: "command" | "query" | "stream" | "event"
  readonly payload: unknown
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Middleware {
  <A, E, R>(request: Request, self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Refused, R>
}

/**
 * Types a middleware.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (middleware: Middleware): Middleware => middleware
