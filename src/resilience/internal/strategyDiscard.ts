/**
 * Letting go of an HTTP response that nobody will read.
 */
import { Effect, Fiber } from "effect"
import type { HttpClientResponse } from "effect/http"

/**
 * Gives up the body of a response, so that its connection is closed or free again: what `discard` of a `RequestInfo` is for
 * clients whose requests have no `Scope`. Without it a rejected response keeps its connection until it is collected.
 *
 * @category combinators
 * @since 0.1.0
 */
export const discardResponse = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  // The client aborts a request whose body is being read when the reader is interrupted; there is no other handle on it.
  Effect.flatMap(Effect.forkDetach(Effect.exit(response.text), { startImmediately: true }), Fiber.interrupt)
