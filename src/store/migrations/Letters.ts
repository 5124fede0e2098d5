/** Migration 13: an event that a subscription keeps as a dead letter is not truncated, because nothing has handled it. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { truncate } from "./Snapshots.ts"

/** Read after the checkpoints: a subscription writes the letter and moves on in one transaction. */
const letters = (schema: string): string => `
  select d.subscription into detail from ${schema}.dead_letters d join ${schema}.events e on e.position = d.position
    where e.stream_id = v_stream and e.version < p_before order by d.position, d.subscription limit 1;
  if found then
    outcome := 7;
    return;
  end if;`

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.asVoid(sql.unsafe(truncate(schema, { replace: true, checks: letters(schema) })).unprepared)
  )
