import { Array, type Duration, Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { enqueue, type Line, markSent, type Reserved, store, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

export const record = (line: Line, events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.afterCommit(line.ring)
    yield* Effect.forEach(events, enqueue, { discard: true })
    yield* Effect.forEach(events, store, { discard: true })
  }).pipe((work) => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(work)))

/** The first failure ends the round for its show alone. */
const round = (line: Line): Work =>
  Effect.gen(function*() {
    const shows = Object.values(Array.groupBy(yield* unsent, (message) => message.show))
    yield* Effect.forEach(
      shows,
      (messages) =>
        Effect.ignoreCause(Effect.forEach(
          messages,
          (message) => Effect.andThen(line.send(message), markSent(message.id)),
          { discard: true }
        )),
      { concurrency: 4, discard: true }
    )
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.race(line.heard, Effect.sleep(poll))))
