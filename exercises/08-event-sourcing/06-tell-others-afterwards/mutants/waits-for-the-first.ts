// fails: g - keeps the order of all messages, and one hall that is closed stops every show
import { type Duration, Effect, Exit } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type Line, markSent, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

const round = (line: Line): Work =>
  Effect.gen(function*() {
    for (const message of yield* unsent) {
      if (Exit.isFailure(yield* Effect.exit(line.send(message)))) return
      yield* markSent(message.id)
    }
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.timeoutOption(line.heard, poll)))
