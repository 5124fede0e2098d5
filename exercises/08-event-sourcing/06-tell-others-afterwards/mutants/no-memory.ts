// fails: h - trusts that a message comes once
import type { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { addSeats, type Message } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

export const receive = (message: Message): Work => addSeats(message)
