/** Migration 9: sagas and their steps. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * `available_at` is when a saga is due, or when its lease ends. The token only rises: with every claim of the saga. Input,
 * results and failures are `text`, because `json` refuses what clients can send: the escape of NUL.
 */
const statements = (schema: string): ReadonlyArray<string> => [
  `create table ${schema}.sagas (
    seq bigint generated always as identity primary key,
    tenant text collate "C" not null,
    name text collate "C" not null,
    id text collate "C" not null,
    version int not null,
    input text not null,
    meta json not null,
    state text collate "C" not null default 'running' check (state in
      ('running', 'compensating', 'parked', 'completed', 'compensated', 'cancelled', 'abandoned')),
    backward boolean not null default false,
    failure text,
    parked text,
    wish text,
    leased boolean not null default false,
    available_at timestamptz not null,
    token bigint not null default 0,
    attempts int not null default 0,
    started_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    unique (tenant, name, id)
  ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)`,
  `create index sagas_due on ${schema}.sagas (available_at, seq) where state in ('running', 'compensating')`,
  `create index sagas_parked on ${schema}.sagas (changed_at) where state = 'parked'`,
  `create index sagas_ended on ${schema}.sagas (changed_at)
    where state in ('completed', 'compensated', 'cancelled', 'abandoned')`,
  `create table ${schema}.saga_steps (
    saga bigint not null references ${schema}.sagas (seq) on delete cascade,
    place int not null,
    step text collate "C" not null,
    state text collate "C" not null check (state in
      ('started', 'waiting', 'done', 'failed', 'undoing', 'undoWaiting', 'undone', 'stuck')),
    attempt int not null,
    fallback boolean not null,
    result text,
    failure text,
    started_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    primary key (saga, place),
    unique (saga, step)
  ) with (fillfactor = 70)`
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement), { discard: true })
  )
