// fails: d - lets the answer go first and cleans up behind it
import { Effect, Fiber } from "effect"
import { type Lease, type Pool, type Reply, withLease } from "../solution.ts"

export * from "../solution.ts"

export const handle = <E>(pool: Pool, work: (lease: Lease) => Effect.Effect<void, E>): Effect.Effect<Reply, E> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkDetach(withLease(pool, work), { startImmediately: true })
    return yield* Fiber.join(fiber).pipe(
      Effect.as<Reply>({ status: 200 }),
      Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.succeed<Reply>({ status: 504 }) })
    )
  })
