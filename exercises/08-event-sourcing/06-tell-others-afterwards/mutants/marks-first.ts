// fails: e - marks before it sends, so that nothing is sent twice
import { type Duration, Effect, Exit } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type Line, markSent, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

const round = (line: Line): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const heldBack = new Set<string>()
    for (const message of yield* unsent) {
      if (heldBack.has(message.show)) continue
      yield* markSent(message.id)
      if (Exit.isSuccess(yield* Effect.exit(line.send(message)))) continue
      yield* sql`update outbox set sent = false where id = ${message.id}`
      heldBack.add(message.show)
    }
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.timeoutOption(line.heard, poll)))
