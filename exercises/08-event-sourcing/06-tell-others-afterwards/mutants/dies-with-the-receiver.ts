// fails: g - lets the failure of the hall out, and is gone
import { type Duration, Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type Line, markSent, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

const round = (line: Line): Work =>
  Effect.gen(function*() {
    for (const message of yield* unsent) {
      yield* Effect.orDie(line.send(message))
      yield* markSent(message.id)
    }
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.timeoutOption(line.heard, poll)))
