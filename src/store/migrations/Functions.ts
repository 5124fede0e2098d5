/** Migration 2: what has to happen in one round trip, as functions. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * One append. Outcomes: 0 appended, 1 happened before under this command id, 2 conflict; then `last_version` is the actual
 * version. Expectations: -1 any, -2 the stream exists, else the exact version. Every statement of a function sees what is
 * committed when it begins, so what follows the row lock sees what the holder before has written.
 */
const append = (schema: string): string =>
  `create function ${schema}.append(
  p_tenant text, p_category text, p_name text, p_expect bigint, p_command text,
  p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[],
  out outcome int, out first_version bigint, out last_version bigint, out last_position bigint
) language plpgsql as $$
declare
  v_stream bigint;
  v_version bigint;
  v_count int := cardinality(p_ids);
  v_at timestamptz;
  v_taken boolean := false;
begin
  -- The two usual cases in one statement; whatever they do not settle goes the long way.
  if p_expect = 0 then
    insert into ${schema}.streams (tenant, category, name, version)
      values (p_tenant, p_category, p_name, v_count)
      on conflict (tenant, category, name) do nothing returning id into v_stream;
    if found then
      v_version := 0;
      v_taken := true;
    end if;
  elsif p_command is null then
    update ${schema}.streams s set version = s.version + v_count
      where s.tenant = p_tenant and s.category = p_category and s.name = p_name
        and (s.version = p_expect or p_expect = -1 or (p_expect = -2 and s.version > 0))
      returning s.id, s.version - v_count into v_stream, v_version;
    v_taken := found;
  end if;

  while not v_taken loop
    select s.id, s.version into v_stream, v_version from ${schema}.streams s
      where s.tenant = p_tenant and s.category = p_category and s.name = p_name for no key update;
    exit when found;
    if p_expect > 0 or p_expect = -2 then
      outcome := 2; first_version := 0; last_version := 0; last_position := 0;
      return;
    end if;
    insert into ${schema}.streams (tenant, category, name, version)
      values (p_tenant, p_category, p_name, v_count)
      on conflict (tenant, category, name) do nothing returning id into v_stream;
    if found then
      v_version := 0;
      v_taken := true;
      exit;
    end if;
  end loop;

  if not v_taken then
    if p_command is not null then
      select 1, a.first_version, a.version, a.position into outcome, first_version, last_version, last_position
        from ${schema}.appends a where a.stream_id = v_stream and a.command_id = p_command;
      if found then
        return;
      end if;
    end if;
    if (p_expect >= 0 and p_expect <> v_version) or (p_expect = -2 and v_version = 0) then
      outcome := 2; first_version := 0; last_version := v_version; last_position := 0;
      return;
    end if;
    update ${schema}.streams set version = v_version + v_count where id = v_stream;
  end if;

  v_at := clock_timestamp();
  if v_count = 1 then
    insert into ${schema}.events (stream_id, version, event_id, type, schema_version, data, meta, at)
      values (v_stream, v_version + 1, p_ids[1]::uuid, p_types[1], p_schema_versions[1], p_data[1]::json, p_meta[1]::json, v_at)
      returning position into last_position;
  else
    with written as (
      insert into ${schema}.events (stream_id, version, event_id, type, schema_version, data, meta, at)
        select v_stream, v_version + e.place, e.id::uuid, e.type, e.schema_version, e.data::json, e.meta::json, v_at
        from unnest(p_ids, p_types, p_schema_versions, p_data, p_meta)
          with ordinality as e (id, type, schema_version, data, meta, place)
        order by e.place
        returning position
    ) select max(position) into last_position from written;
  end if;
  outcome := 0;
  first_version := v_version + 1;
  last_version := v_version + v_count;
  if p_command is not null then
    insert into ${schema}.appends (stream_id, command_id, first_version, version, position, at)
      values (v_stream, p_command, first_version, last_version, last_position, v_at);
  end if;
end $$`

/**
 * Several appends, all or none, in one statement. The rows of the streams are locked in the order of their names, so two
 * batches over the same streams wait for each other instead of deadlocking. One that conflicts undoes what the batch has
 * written; then its row says the version it met, and the other rows say what their streams still have.
 */
const appendAll = (schema: string): string =>
  `create function ${schema}.append_all(
  p_tenants text[], p_categories text[], p_names text[], p_expects bigint[], p_commands text[], p_counts int[],
  p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[]
) returns table (append_index int, outcome int, first_version bigint, last_version bigint, last_position bigint)
language plpgsql as $$
declare
  v_low int := 1;
  v_high int;
  v_done record;
  v_rows int[] := '{}';
  v_firsts bigint[] := '{}';
  v_lasts bigint[] := '{}';
  v_positions bigint[] := '{}';
  v_blamed int := 0;
  v_actual bigint := 0;
begin
  begin
    insert into ${schema}.streams (tenant, category, name, version)
      select distinct t.tenant collate "C", t.category collate "C", t.name collate "C", 0
      from unnest(p_tenants, p_categories, p_names, p_expects) as t (tenant, category, name, expect)
      where t.expect in (0, -1)
      order by 1, 2, 3
      on conflict (tenant, category, name) do nothing;
    perform 1 from ${schema}.streams s
      where (s.tenant, s.category, s.name) in (select * from unnest(p_tenants, p_categories, p_names))
      order by s.tenant, s.category, s.name for no key update;
    for i in 1 .. cardinality(p_tenants) loop
      v_high := v_low + p_counts[i] - 1;
      select * into v_done from ${schema}.append(
        p_tenants[i], p_categories[i], p_names[i], p_expects[i], nullif(p_commands[i], ''),
        p_ids[v_low:v_high], p_types[v_low:v_high], p_schema_versions[v_low:v_high],
        p_data[v_low:v_high], p_meta[v_low:v_high]);
      if v_done.outcome = 2 then
        v_blamed := i;
        v_actual := v_done.last_version;
        raise exception 'conflict' using errcode = 'ELC01';
      end if;
      v_rows := v_rows || v_done.outcome;
      v_firsts := v_firsts || v_done.first_version;
      v_lasts := v_lasts || v_done.last_version;
      v_positions := v_positions || v_done.last_position;
      v_low := v_high + 1;
    end loop;
  exception when sqlstate 'ELC01' then
    null;
  end;
  if v_blamed = 0 then
    return query select t.place::int, t.outcome, t.first_version, t.last_version, t.last_position
      from unnest(v_rows, v_firsts, v_lasts, v_positions)
        with ordinality as t (outcome, first_version, last_version, last_position, place);
    return;
  end if;
  return query
    select t.place::int,
      case when t.place = v_blamed then 2 when a.version is null then 3 else 1 end,
      coalesce(a.first_version, 0),
      case when t.place = v_blamed then v_actual else coalesce(a.version, s.version, 0) end,
      coalesce(a.position, 0)
    from unnest(p_tenants, p_categories, p_names, p_commands)
      with ordinality as t (tenant, category, name, command, place)
    left join ${schema}.streams s on s.tenant = t.tenant and s.category = t.category and s.name = t.name
    left join ${schema}.appends a on a.stream_id = s.id and a.command_id = t.command;
end $$`

/** Outcomes: 0 claimed, 1 completed, 2 in progress, 3 mismatch. Reads first, so that nobody waits for a running holder. */
const claim = (schema: string): string =>
  `create function ${schema}.claim(
  p_key text, p_fingerprint text, p_token text, p_lease bigint, p_time_to_live bigint, out outcome int, out answer text
) language plpgsql as $$
declare
  v_id bytea := sha256(convert_to(p_key, 'UTF8'));
  v_found record;
begin
  loop
    select i.fingerprint, i.answer into v_found from ${schema}.idempotency i
      where i.id = v_id and i.expires_at > clock_timestamp();
    if found then
      if v_found.fingerprint <> p_fingerprint then
        outcome := 3;
      elsif v_found.answer is null then
        outcome := 2;
      else
        outcome := 1;
        answer := v_found.answer;
      end if;
      return;
    end if;
    insert into ${schema}.idempotency as i (id, key, fingerprint, token, time_to_live, expires_at)
      values (v_id, p_key, p_fingerprint, p_token, p_time_to_live, clock_timestamp() + p_lease * interval '1 millisecond')
      on conflict (id) do update set fingerprint = excluded.fingerprint, token = excluded.token, answer = null,
        time_to_live = excluded.time_to_live, created_at = excluded.created_at, expires_at = excluded.expires_at
      where i.expires_at <= clock_timestamp();
    if found then
      outcome := 0;
      return;
    end if;
  end loop;
end $$`

/** One partial expression index for each declared field; \`false\` when writers were in the way for too long. */
const ensureIndex = (schema: string): string =>
  `create function ${schema}.ensure_index(p_collection text, p_field text, p_wait int) returns boolean
language plpgsql as $$
declare
  v_name text := 'states_' || md5(length(p_collection) || ':' || p_collection || p_field);
begin
  if to_regclass('${schema}.' || v_name) is not null then
    return true;
  end if;
  perform set_config('lock_timeout', p_wait || 'ms', true);
  perform pg_advisory_xact_lock(hashtextextended('${schema}.' || v_name, 0));
  execute format(
    'create index if not exists %I on ${schema}.states ((coalesce(data -> %L, ''null''::jsonb)), id) where collection = %L',
    v_name, p_field, p_collection);
  return true;
exception when lock_not_available then
  return false;
end $$`

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.forEach(
      [append(schema), appendAll(schema), claim(schema), ensureIndex(schema)],
      (statement) => sql.unsafe(statement).unprepared,
      { discard: true }
    ))
