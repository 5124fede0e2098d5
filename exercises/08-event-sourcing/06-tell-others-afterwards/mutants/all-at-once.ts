// fails: f - sends everything that waits at once, to be quick
import { type Duration, Effect, Exit } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type Line, markSent, unsent } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

const round = (line: Line): Work =>
  Effect.gen(function*() {
    yield* Effect.forEach(
      yield* unsent,
      Effect.fnUntraced(function*(message) {
        if (Exit.isSuccess(yield* Effect.exit(line.send(message)))) yield* markSent(message.id)
      }),
      { concurrency: "unbounded", discard: true }
    )
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.timeoutOption(line.heard, poll)))
