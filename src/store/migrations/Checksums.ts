/** Migration 10: a checksum beside every event, so that a change or a damage of its row can be found. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { append, appendEach, type Form } from "./Appends.ts"

/**
 * SHA-256 of all that an append writes. It is kept by the functions that append, not as a generated column: the server would
 * make that anew for whoever changes the row. The numbers have fixed lengths and go in front, so no two events share a text.
 * It has no key: it finds accidents and hands in the wrong place, not somebody who makes the checksums anew as well.
 */
const sum = (
  ...[stream, version, id, type, schemaVersion, data, meta, at]: [...Parameters<Form["checksum"]>, at: string]
): string =>
  `sha256(int8send(${stream}) || int8send(${version}) || uuid_send(${id}::uuid) || int4send(${schemaVersion})
      || timestamptz_send(${at}) || int4send(length(${type})) || int4send(length(${data}))
      || convert_to(${type} || ${data} || ${meta}, 'UTF8'))`

/** For those who read events. The appends have the expression itself, because a call costs more than it. */
const checksum = (schema: string): string =>
  `create function ${schema}.event_checksum(
  p_stream bigint, p_version bigint, p_id uuid, p_type text, p_schema_version int, p_data text, p_meta text, p_at timestamptz
) returns bytea language sql stable parallel safe as $$
  select ${sum("p_stream", "p_version", "p_id", "p_type", "p_schema_version", "p_data", "p_meta", "p_at")}
$$`

const form: Form = {
  replace: true,
  checksum: (...columns) => `, ${sum(...columns, "v_at")}`
}

/** Events from before this migration have none until the next. */
const statements = (schema: string): ReadonlyArray<string> => [
  `alter table ${schema}.events add column checksum bytea`,
  checksum(schema),
  append(schema, form),
  appendEach(schema, form)
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )
