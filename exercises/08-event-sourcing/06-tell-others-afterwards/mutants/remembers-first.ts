// fails: h - writes down that it was handled, and then handles it
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { addSeats, type Message, remember } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

export const receive = (message: Message): Work =>
  Effect.gen(function*() {
    if (yield* remember(message.id)) yield* addSeats(message)
  })
