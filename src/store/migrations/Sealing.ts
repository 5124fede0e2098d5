/**
 * Migration 11: every event has a checksum. Those from before migration 10 get theirs now, as they are; from here on an
 * event without one cannot be written, so taking a checksum away hides nothing.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

const statements = (schema: string): ReadonlyArray<string> => [
  `alter table ${schema}.events disable trigger append_only`,
  `update ${schema}.events e set checksum = ${schema}.event_checksum(
    e.stream_id, e.version, e.event_id, e.type, e.schema_version, e.data::text, e.meta::text, e.at)
    where e.checksum is null`,
  `alter table ${schema}.events enable trigger append_only`,
  `alter table ${schema}.events alter column checksum set not null`
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )
