/** Migration 5: partitions and owners of subscriptions, and versions of projections. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * A subscription's own row is the lock of its division; its checkpoints move to the partitions, whose rows change with
 * every batch and have room for it in their page. An owner's lease is one row, whatever it owns.
 */
const statements = (schema: string): ReadonlyArray<string> => [
  `create table ${schema}.subscription_partitions (
    name text collate "C" not null,
    partition int not null,
    position bigint not null,
    paused_position bigint,
    paused_reason text,
    owner text,
    token bigint not null default 0,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (name, partition)
  ) with (fillfactor = 20)`,
  `insert into ${schema}.subscription_partitions (name, partition, position, paused_position, paused_reason)
    select name, 0, position, paused_position, paused_reason from ${schema}.subscriptions`,
  `alter table ${schema}.subscriptions
    drop column position, drop column paused_position, drop column paused_reason, drop column updated_at,
    add column generation int not null default 1,
    add column plan_count int,
    add column plan_at bigint`,
  `create table ${schema}.subscription_owners (
    name text collate "C" not null,
    owner text collate "C" not null,
    expires_at timestamptz not null,
    primary key (name, owner)
  ) with (fillfactor = 50)`,
  `create table ${schema}.projections (
    name text collate "C" not null,
    version int not null,
    mode text not null check (mode in ('inline', 'async')),
    status text not null check (status in ('building', 'live', 'retired')),
    created_at timestamptz not null default clock_timestamp(),
    live_at timestamptz,
    retired_at timestamptz,
    primary key (name, version)
  )`,
  `create unique index projections_live on ${schema}.projections (name) where status = 'live'`
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )
