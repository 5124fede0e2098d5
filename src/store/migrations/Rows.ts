/** Migration 12: a row of a projection belongs to the transaction that has touched it, so that writers of one row queue. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * Locks a row and answers it as it is then; nulls where there is none. A row that is there is locked itself, which takes no
 * room in the server's memory; only one that is missing has an advisory lock. What is read after a wait has been committed
 * meanwhile, because each statement of a function has a snapshot of its own.
 */
const lock = (schema: string): string =>
  `create function ${schema}.lock_state(
  p_tenant text, p_collection text, p_id text, out version bigint, out data text
) language plpgsql as $$
begin
  select s.version, s.data::text into version, data from ${schema}.states s
    where s.tenant = p_tenant and s.collection = p_collection and s.id = p_id for no key update;
  if found then return; end if;
  perform pg_advisory_xact_lock(hashtextextended(
    jsonb_build_array('state', '${schema.replaceAll("\"", "")}', p_tenant, p_collection, p_id)::text, 0));
  select s.version, s.data::text into version, data from ${schema}.states s
    where s.tenant = p_tenant and s.collection = p_collection and s.id = p_id for no key update;
end $$`

const remove = (schema: string): string =>
  `create function ${schema}.remove_state(p_tenant text, p_collection text, p_id text) returns void
language plpgsql as $$
begin
  perform ${schema}.lock_state(p_tenant, p_collection, p_id);
  delete from ${schema}.states s where s.tenant = p_tenant and s.collection = p_collection and s.id = p_id;
end $$`

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach([lock(schema), remove(schema)], (one) => sql.unsafe(one).unprepared, { discard: true })
  )
