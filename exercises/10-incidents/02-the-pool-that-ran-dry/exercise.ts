/**
 * 10.2 The pool that ran dry
 *
 * The incident of 10.1, one floor down. `orders` has five connections to its database; the database's administrator will not
 * give it more. At noon all five are in use by orders that do nothing with them, and everybody else waits. `place` below is
 * what they run. The fraud service that it asks was slow that day, and a book was sold out.
 *
 * Do
 * 1. Every lease goes back, exactly once, on every way out of `place`: a success, a book that is sold out, a statement that
 *    fails, a bug, a customer who leaves.
 * 2. Nobody holds a lease while the fraud service is asked. It only reads, and it may be asked between two leases.
 * 3. Nobody waits for a lease longer than a second: then the answer is 503 with `retry-after: 1`. The fraud service may take
 *    longer than that. A statement that fails is a 500, as before.
 * 4. `makeWithLibrary`: the same with a `Bulkhead` as the waiting line, so that nobody ever waits inside the pool. Its
 *    refusal says by itself when to come back: `retryAfterMillis`, which becomes whole seconds, rounded up, at least 1.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/10-incidents/02-the-pool-that-ran-dry/exercise.ts`.
 */
import { Effect } from "effect"
import { makePool, type World } from "./pool.ts"

/** So many connections there are. */
export const connections = 5

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** Places an order. */
export type Place = Effect.Effect<Answer>

const say = (status: number, headers: Record<string, string> = {}): Answer => ({ status, headers })

/** The handler. It is made once, and runs for every order. */
export const make = ({ fraud, pool }: World): Effect.Effect<Place> =>
  Effect.succeed(
    Effect.gen(function*() {
      const lease = yield* pool.take()
      const stock = yield* lease.stock
      if (stock === 0) return say(409)
      if (yield* fraud) return say(403)
      yield* lease.write
      yield* pool.give(lease)
      return say(201)
    }).pipe(
      Effect.catch(() => Effect.succeed(say(500)))
    )
  )

/** The same, with the library's waiting line. */
export const makeWithLibrary = (_world: World): Effect.Effect<Place> => Effect.succeed(Effect.succeed(say(501)))

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const statement = Effect.sleep("2 millis")
    const { inUse, pool } = makePool(connections, { stock: Effect.as(statement, 1), write: statement })
    const place = yield* make({ pool, fraud: Effect.as(Effect.sleep("30 millis"), false) })
    const answers = yield* Effect.forEach(
      Array.from({ length: 50 }),
      () => Effect.timeoutOption(place, "150 millis"),
      { concurrency: "unbounded" }
    )
    const placed = answers.filter((answer) => answer._tag === "Some" && answer.value.status === 201)
    console.log(`${placed.length} of 50 orders placed in 150 ms; ${inUse()} leases never came back`)
  })
  await Effect.runPromise(program)
}
