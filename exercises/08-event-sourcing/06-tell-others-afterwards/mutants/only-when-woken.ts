// fails: d - takes the bell for a promise
import { type Duration, Effect, Exit } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type Line, markSent, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

const round = (line: Line): Work =>
  Effect.gen(function*() {
    const heldBack = new Set<string>()
    for (const message of yield* unsent) {
      if (heldBack.has(message.show)) continue
      if (Exit.isSuccess(yield* Effect.exit(line.send(message)))) yield* markSent(message.id)
      else heldBack.add(message.show)
    }
  })

export const relay = (line: Line, _poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), line.heard))
