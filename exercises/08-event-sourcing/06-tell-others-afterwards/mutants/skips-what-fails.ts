// fails: f - goes on with the next one when one is refused
import { type Duration, Effect, Exit } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type Line, markSent, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

const round = (line: Line): Work =>
  Effect.gen(function*() {
    for (const message of yield* unsent) {
      if (Exit.isSuccess(yield* Effect.exit(line.send(message)))) yield* markSent(message.id)
    }
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.timeoutOption(line.heard, poll)))
