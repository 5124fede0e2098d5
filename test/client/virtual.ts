import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

/** Runs `self` to its end, a millisecond of virtual time after the other. */
export const inVirtualTime = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(self)
    for (let step = 0; step < 60_000 && fiber.pollUnsafe() === undefined; step++) {
      yield* TestClock.adjust("1 millis")
    }
    return yield* Fiber.join(fiber)
  })
