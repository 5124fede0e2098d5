// fails: g - expects the failure that is in the type, and no other
import { type Duration, Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type Line, markSent, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

const round = (line: Line): Work =>
  Effect.gen(function*() {
    const heldBack = new Set<string>()
    for (const message of yield* unsent) {
      if (heldBack.has(message.show)) continue
      const arrived = yield* Effect.match(line.send(message), { onSuccess: () => true, onFailure: () => false })
      if (arrived) yield* markSent(message.id)
      else heldBack.add(message.show)
    }
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.timeoutOption(line.heard, poll)))
