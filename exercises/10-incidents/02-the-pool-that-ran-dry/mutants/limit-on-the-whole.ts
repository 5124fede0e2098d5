// fails: c - puts the limit around the whole order
import { Effect } from "effect"
import { Bulkhead } from "effect-lifecycle/resilience"
import type { Lease, World } from "../pool.ts"

export const connections = 5

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

export type Place = Effect.Effect<Answer>

const say = (status: number, headers: Record<string, string> = {}): Answer => ({ status, headers })

const wait = 1000

export const make = ({ fraud, pool }: World): Effect.Effect<Place> => {
  const withLease = <A, E>(use: (lease: Lease) => Effect.Effect<A, E>) =>
    Effect.acquireUseRelease(pool.take(), use, (lease) => pool.give(lease))

  return Effect.succeed(
    Effect.gen(function*() {
      const stock = yield* withLease((lease) => lease.stock)
      if (stock === 0) return say(409)
      if (yield* fraud) return say(403)
      yield* withLease((lease) => lease.write)
      return say(201)
    }).pipe(
      Effect.catch(() => Effect.succeed(say(500))),
      Effect.timeoutOrElse({ duration: wait, orElse: () => Effect.succeed(say(503, { "retry-after": "1" })) })
    )
  )
}

export const makeWithLibrary = ({ fraud, pool }: World): Effect.Effect<Place> =>
  Effect.map(
    Bulkhead.make({ name: "database", permits: connections, queue: 200, maxWait: wait }),
    (line) => {
      const withLease = <A, E>(use: (lease: Lease) => Effect.Effect<A, E>) =>
        line.run(Effect.acquireUseRelease(pool.take(), use, (lease) => pool.give(lease)))

      return Effect.gen(function*() {
        const stock = yield* withLease((lease) => lease.stock)
        if (stock === 0) return say(409)
        if (yield* fraud) return say(403)
        yield* withLease((lease) => lease.write)
        return say(201)
      }).pipe(
        Effect.catchTag("BulkheadRejected", ({ retryAfterMillis }) =>
          Effect.succeed(say(503, { "retry-after": String(Math.max(1, Math.ceil(retryAfterMillis / 1000))) }))),
        Effect.catch(() =>
          Effect.succeed(say(500))
        )
      )
    }
  )
