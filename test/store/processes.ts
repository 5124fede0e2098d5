/** Several processes over one database, as far as a store can tell. */
import { Clock, Effect, Layer, Schedule } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"

export const client = { maxConnections: 40 }

/** Until the condition holds; the last answer when it never does. */
export const eventually = <A, E, R>(self: Effect.Effect<A, E, R>, holds: (value: A) => boolean) =>
  self.pipe(Effect.repeat({ until: holds, schedule: Schedule.spaced("10 millis") }), Effect.timeout("15 seconds"))

/** The same store as another process sees it. */
export const elsewhere = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return yield* Layer.build(Layer.fresh(PgStore.layer()).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql))))
})

/** As a process that has stopped: what it has under way goes on, its timers do not. */
export const frozen = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    Clock.Clock,
    (clock) =>
      Effect.provideService(self, Clock.Clock, Object.assign(Object.create(clock), { sleep: () => Effect.never }))
  )
