/** Migration 1: the tables of the store. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * Names compare by code point (`collate "C"`), so every server orders them alike. Positions come from a sequence without a
 * cache, as the column's default: a writer holds the lock of the table before it gets one. There is no foreign key from
 * events to streams, because only `append` writes them, and it holds the stream's lock.
 */
const statements = (schema: string): ReadonlyArray<string> => [
  `create table ${schema}.streams (
    id bigint generated always as identity primary key,
    tenant text collate "C" not null,
    category text collate "C" not null,
    name text collate "C" not null,
    version bigint not null,
    created_at timestamptz not null default clock_timestamp(),
    archived_at timestamptz,
    truncated_before bigint,
    unique (tenant, category, name)
  ) with (fillfactor = 70)`,
  `create sequence ${schema}.events_position as bigint cache 1`,
  `create table ${schema}.events (
    position bigint not null default nextval('${schema}.events_position') primary key,
    stream_id bigint not null,
    version bigint not null,
    event_id uuid not null,
    type text not null,
    schema_version int not null,
    data json not null,
    meta json not null,
    at timestamptz not null,
    unique (stream_id, version)
  )`,
  `alter sequence ${schema}.events_position owned by ${schema}.events.position`,
  `create function ${schema}.refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception '% on %.% is refused: events are append-only', tg_op, tg_table_schema, tg_table_name
      using errcode = 'restrict_violation', hint = 'Correct a mistake by appending an event that says so.';
  end $$`,
  `create trigger append_only before update or delete or truncate on ${schema}.events
    for each statement execute function ${schema}.refuse_change()`,
  `create table ${schema}.appends (
    stream_id bigint not null,
    command_id text collate "C" not null,
    first_version bigint not null,
    version bigint not null,
    position bigint not null,
    at timestamptz not null,
    primary key (stream_id, command_id)
  )`,
  `create table ${schema}.states (
    collection text collate "C" not null,
    id text collate "C" not null,
    version bigint not null,
    data jsonb not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (collection, id)
  )`,
  `create table ${schema}.idempotency (
    id bytea primary key,
    key text not null,
    fingerprint text not null,
    token text not null,
    answer text,
    time_to_live bigint not null,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
  )`,
  `create index idempotency_expires_at on ${schema}.idempotency (expires_at)`
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )
