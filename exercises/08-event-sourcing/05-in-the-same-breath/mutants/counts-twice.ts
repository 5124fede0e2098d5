// fails: c - adds whatever comes
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { OutOfOrder, rowOf, setRow, type Stored } from "../tables.ts"

export * from "../solution.ts"

type Work = Effect.Effect<void, SqlError.SqlError | OutOfOrder, SqlClient.SqlClient>

export const apply = ({ seats, show, version }: Stored): Work =>
  Effect.gen(function*() {
    const row = yield* rowOf(show)
    if (version > row.version + 1) return yield* new OutOfOrder({ show, wanted: row.version + 1, got: version })
    yield* setRow(show, { version, seats: row.seats + seats })
  })
