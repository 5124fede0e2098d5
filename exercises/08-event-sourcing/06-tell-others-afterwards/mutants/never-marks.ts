// fails: e - keeps in memory what it has sent, and a crash takes that away
import { type Duration, Effect, Exit } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type Line, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.gen(function*() {
    const done = new Set<number>()
    const round = Effect.gen(function*() {
      const heldBack = new Set<string>()
      for (const message of yield* unsent) {
        if (done.has(message.id) || heldBack.has(message.show)) continue
        if (Exit.isSuccess(yield* Effect.exit(line.send(message)))) done.add(message.id)
        else heldBack.add(message.show)
      }
    })
    yield* Effect.forever(Effect.andThen(round, Effect.timeoutOption(line.heard, poll)))
  })
