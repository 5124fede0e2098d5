/** Migration 3: checkpoints and dead letters of subscriptions. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** A checkpoint's row changes with every batch: the room left in its page keeps those changes out of the index. */
const statements = (schema: string): ReadonlyArray<string> => [
  `create table ${schema}.subscriptions (
    name text collate "C" primary key,
    position bigint not null,
    paused_position bigint,
    paused_reason text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
  ) with (fillfactor = 20)`,
  `create table ${schema}.dead_letters (
    subscription text collate "C" not null,
    position bigint not null,
    reason text not null,
    attempts int not null,
    at timestamptz not null default clock_timestamp(),
    primary key (subscription, position)
  )`
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )
