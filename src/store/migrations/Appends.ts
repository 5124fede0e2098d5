/** Migration 4: appends that happen once by the ids of their events, many appends in one statement, states of tenants. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** What a later migration changes in the functions of this one. */
export interface Form {
  /** Takes the place of a function that is there. */
  readonly replace: boolean
  /** A further column of the events: nothing, or a comma and an expression of what the row is made of. */
  readonly checksum: (
    stream: string,
    version: string,
    id: string,
    type: string,
    schemaVersion: string,
    data: string,
    meta: string
  ) => string
}

const plain: Form = { replace: false, checksum: () => "" }

const row = ["n.id", "n.type", "n.schema_version", "n.data", "n.meta"] as const

const columns = (form: Form): string =>
  `stream_id, version, event_id, type, schema_version, data, meta, at${form.replace ? ", checksum" : ""}`

/**
 * Takes the lock of one stream, or makes it, and decides. From `v_tenant`, `v_category`, `v_name`, `v_expect`, `v_command`,
 * `v_given`, `v_count` and `v_ids` to `v_outcome`, `v_stream` and `v_version` (before), and to `v_first`, `v_last` and
 * `v_position` where nothing is to be written. Every statement of a function sees what is committed when it begins, so
 * what follows the row lock sees what the holder before has written.
 */
const declarations = `
  v_outcome int;
  v_stream bigint;
  v_version bigint;
  v_archived boolean;
  v_taken boolean;
  v_first bigint;
  v_last bigint;
  v_position bigint;
  v_found int;
  v_base bigint;
  v_other bigint;`

const take = (schema: string): string => `
    v_outcome := 0;
    v_taken := false;
    -- The two usual cases in one statement; whatever they do not settle goes the long way.
    if v_expect = 0 then
      insert into ${schema}.streams (tenant, category, name, version)
        values (v_tenant, v_category, v_name, v_count)
        on conflict (tenant, category, name) do nothing returning id into v_stream;
      if found then
        v_version := 0;
        v_taken := true;
      end if;
    elsif v_command is null and v_given = 0 then
      update ${schema}.streams s set version = s.version + v_count
        where s.tenant = v_tenant and s.category = v_category and s.name = v_name and s.archived_at is null
          and (s.version = v_expect or v_expect = -1 or (v_expect = -2 and s.version > 0))
        returning s.id, s.version - v_count into v_stream, v_version;
      v_taken := found;
    end if;

    while not v_taken loop
      select s.id, s.version, s.archived_at is not null into v_stream, v_version, v_archived from ${schema}.streams s
        where s.tenant = v_tenant and s.category = v_category and s.name = v_name for no key update;
      exit when found;
      if v_expect > 0 or v_expect = -2 then
        v_outcome := 2; v_first := 0; v_last := 0; v_position := 0;
        exit;
      end if;
      insert into ${schema}.streams (tenant, category, name, version)
        values (v_tenant, v_category, v_name, v_count)
        on conflict (tenant, category, name) do nothing returning id into v_stream;
      if found then
        v_version := 0;
        v_taken := true;
      end if;
    end loop;

    if not v_taken and v_outcome = 0 then
      if v_command is not null then
        select a.first_version, a.version, a.position into v_first, v_last, v_position
          from ${schema}.appends a where a.stream_id = v_stream and a.command_id = v_command;
        if found then
          v_outcome := 1;
        end if;
      end if;
      if v_outcome = 0 and v_given > 0 then
        select count(*), min(e.version - g.place), max(e.version - g.place) into v_found, v_base, v_other
          from unnest(v_ids) with ordinality as g (id, place)
          join ${schema}.events e on e.stream_id = v_stream and e.event_id = g.id::uuid;
        if v_found = v_given and v_base = v_other and v_base >= 0 and v_base + v_count <= v_version then
          v_outcome := 1; v_first := v_base + 1; v_last := v_base + v_count;
          select e.position into v_position from ${schema}.events e where e.stream_id = v_stream and e.version = v_last;
        elsif v_found > 0 then
          v_outcome := 4; v_position := 0;
          select g.place, e.version into v_first, v_last
            from unnest(v_ids) with ordinality as g (id, place)
            join ${schema}.events e on e.stream_id = v_stream and e.event_id = g.id::uuid
            order by g.place limit 1;
        end if;
      end if;
      if v_outcome = 0 and v_archived then
        v_outcome := 5; v_first := 0; v_last := v_version; v_position := 0;
      end if;
      if v_outcome = 0 then
        if (v_expect >= 0 and v_expect <> v_version) or (v_expect = -2 and v_version = 0) then
          v_outcome := 2; v_first := 0; v_last := v_version; v_position := 0;
        else
          update ${schema}.streams set version = v_version + v_count where id = v_stream;
        end if;
      end if;
    end if;`

/**
 * One append. Outcomes: 0 appended, 1 happened before, 2 conflict (`last_version` is the actual version), 4 an event id is
 * taken (`first_version` is its place in the append, `last_version` its version), 5 the stream is archived. Expectations: -1 any, -2 the stream
 * exists, else the exact version. `p_given` counts the ids that came from the caller.
 */
export const append = (schema: string, form: Form = plain): string =>
  `create${form.replace ? " or replace" : ""} function ${schema}.append(
  p_tenant text, p_category text, p_name text, p_expect bigint, p_command text, p_given int,
  p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[],
  out outcome int, out first_version bigint, out last_version bigint, out last_position bigint
) language plpgsql as $$
#variable_conflict use_column
declare
  v_tenant text := p_tenant;
  v_category text := p_category;
  v_name text := p_name;
  v_expect bigint := p_expect;
  v_command text := p_command;
  v_given int := p_given;
  v_count int := cardinality(p_ids);
  v_ids text[] := case when p_given > 0 then p_ids end;
  v_at timestamptz;${declarations}
begin${take(schema)}
  outcome := v_outcome;
  if v_outcome <> 0 then
    first_version := v_first; last_version := v_last; last_position := v_position;
    return;
  end if;
  v_at := clock_timestamp();
  if v_count = 1 then
    insert into ${schema}.events as e (${columns(form)})
      values (v_stream, v_version + 1, p_ids[1]::uuid, p_types[1], p_schema_versions[1], p_data[1]::json, p_meta[1]::json, v_at${
    form.checksum(
      "v_stream",
      "v_version + 1",
      "p_ids[1]",
      "p_types[1]",
      "p_schema_versions[1]",
      "p_data[1]",
      "p_meta[1]"
    )
  })
      returning e.position into v_position;
  else
    insert into ${schema}.events as e (${columns(form)})
      select v_stream, v_version + n.place, n.id::uuid, n.type, n.schema_version, n.data::json, n.meta::json, v_at${
    form.checksum("v_stream", "v_version + n.place", ...row)
  }
      from unnest(p_ids, p_types, p_schema_versions, p_data, p_meta)
        with ordinality as n (id, type, schema_version, data, meta, place)
      order by n.place;
    v_position := currval('${schema}.events_position');
  end if;
  first_version := v_version + 1;
  last_version := v_version + v_count;
  last_position := v_position;
  if p_command is not null then
    insert into ${schema}.appends (stream_id, command_id, first_version, version, position, at)
      values (v_stream, p_command, v_version + 1, v_version + v_count, v_position, v_at);
  end if;
end $$`

/**
 * Many appends, each to a stream of its own and each by itself: a conflict is a place of the answer and leaves the others
 * alone. They come in the order of their streams' names, so two such statements wait for each other instead of
 * deadlocking: first they make the streams that are missing, then they lock all of them, both in that order. A statement
 * of many rows costs a third of as many statements, so each step is one; only appends that bring ids of events go singly.
 * `p_owners` says which append an event is of, from 1, and `p_befores` how many events come before those of an append.
 *
 * Three of the settings keep plans that were made while the tables were small from being used when they have grown. The
 * fourth keeps plans at all: the server would plan anew for every number of elements, which costs as much as eight appends.
 */
export const appendEach = (schema: string, form: Form = plain): string =>
  `create${form.replace ? " or replace" : ""} function ${schema}.append_each(
  p_tenants text[], p_categories text[], p_names text[], p_expects bigint[], p_commands text[], p_givens int[],
  p_counts int[], p_befores int[], p_owners int[],
  p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[],
  out outcomes int[], out first_versions bigint[], out last_versions bigint[], out last_positions bigint[]
) language plpgsql set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
  set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  v_streams bigint[];
  v_bases bigint[];
  v_positions bigint[];
  v_at timestamptz;
  v_done record;
  v_low int := 1;
  v_high int;
begin
  if 0 < any (p_givens) then
    for i in 1 .. cardinality(p_tenants) loop
      v_high := v_low + p_counts[i] - 1;
      select * into v_done from ${schema}.append(
        p_tenants[i], p_categories[i], p_names[i], p_expects[i], nullif(p_commands[i], ''), p_givens[i],
        p_ids[v_low:v_high], p_types[v_low:v_high], p_schema_versions[v_low:v_high],
        p_data[v_low:v_high], p_meta[v_low:v_high]);
      outcomes[i] := v_done.outcome;
      first_versions[i] := v_done.first_version;
      last_versions[i] := v_done.last_version;
      last_positions[i] := v_done.last_position;
      v_low := v_high + 1;
    end loop;
    return;
  end if;

  if 0 = any (p_expects) or -1 = any (p_expects) then
    insert into ${schema}.streams (tenant, category, name, version)
      select n.tenant, n.category, n.name, 0
      from unnest(p_tenants, p_categories, p_names, p_expects)
        with ordinality as n (tenant, category, name, expect, place)
      where n.expect in (0, -1) and not exists (
        select from ${schema}.streams s where s.tenant = n.tenant and s.category = n.category and s.name = n.name
      )
      order by n.place
      on conflict (tenant, category, name) do nothing;
  end if;
  -- A row is locked as its place is reached, because nothing but the place can drive a lateral query.
  select array_agg(n.stream), array_agg(n.version - n.before),
      array_agg(case when n.outcome = 0 then n.version + 1 else 0 end),
      array_agg(case when n.outcome = 0 then n.version + n.count else coalesce(n.version, 0) end),
      array_agg(n.outcome)
    into v_streams, v_bases, first_versions, last_versions, outcomes
    from (
      select s.id as stream, s.version, n.before, n.count,
        case when s.archived then 5
          when s.version = n.expect or n.expect = -1 or (n.expect = -2 and s.version > 0) then 0
          else 2 end as outcome
      from unnest(p_tenants, p_categories, p_names, p_expects, p_befores, p_counts)
        with ordinality as n (tenant, category, name, expect, before, count, place)
      left join lateral (
        select s.id, s.version, s.archived_at is not null as archived from ${schema}.streams s
          where s.tenant = n.tenant and s.category = n.category and s.name = n.name for no key update
      ) s on true
      order by n.place
    ) n;
  last_positions := array_fill(0::bigint, array[cardinality(p_tenants)]);

  -- A statement of its own, so that it sees what the holders of the locks before have written.
  if '' <> any (p_commands) then
    for v_done in
      select n.place, a.first_version, a.version, a.position
      from unnest(v_streams, p_commands) with ordinality as n (stream, command, place)
      join ${schema}.appends a on a.stream_id = n.stream and a.command_id = n.command
      where n.command <> ''
    loop
      outcomes[v_done.place] := 1;
      first_versions[v_done.place] := v_done.first_version;
      last_versions[v_done.place] := v_done.version;
      last_positions[v_done.place] := v_done.position;
    end loop;
  end if;
  if 0 <> all (outcomes) then
    return;
  end if;

  update ${schema}.streams s set version = n.version
    from unnest(v_streams, last_versions, outcomes) as n (stream, version, outcome)
    where s.id = n.stream and n.outcome = 0;
  v_at := clock_timestamp();
  with written as (
    insert into ${schema}.events as e (${columns(form)})
      select v_streams[n.owner], v_bases[n.owner] + n.place, n.id::uuid, n.type, n.schema_version, n.data::json,
        n.meta::json, v_at${form.checksum("v_streams[n.owner]", "v_bases[n.owner] + n.place", ...row)}
      from unnest(p_owners, p_ids, p_types, p_schema_versions, p_data, p_meta)
        with ordinality as n (owner, id, type, schema_version, data, meta, place)
      where outcomes[n.owner] = 0
      order by n.place
      returning e.position
  ) select array_agg(w.position order by w.position) into v_positions from written w;
  v_low := 0;
  for i in 1 .. cardinality(p_tenants) loop
    if outcomes[i] = 0 then
      v_low := v_low + p_counts[i];
      last_positions[i] := v_positions[v_low];
    end if;
  end loop;
  if '' <> any (p_commands) then
    insert into ${schema}.appends (stream_id, command_id, first_version, version, position, at)
      select n.stream, n.command, n.first_version, n.version, n.position, v_at
      from unnest(v_streams, p_commands, first_versions, last_versions, last_positions, outcomes)
        as n (stream, command, first_version, version, position, outcome)
      where n.command <> '' and n.outcome = 0;
  end if;
end $$`

/**
 * Several appends, all or none, in one statement. The rows of the streams are locked in the order of their names, so two
 * batches over the same streams wait for each other instead of deadlocking. One that cannot be undoes what the batch has
 * written; then its row says why, and the other rows say what their streams still have.
 */
const appendAll = (schema: string): string =>
  `create function ${schema}.append_all(
  p_tenants text[], p_categories text[], p_names text[], p_expects bigint[], p_commands text[], p_givens int[],
  p_counts int[],
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
        p_tenants[i], p_categories[i], p_names[i], p_expects[i], nullif(p_commands[i], ''), p_givens[i],
        p_ids[v_low:v_high], p_types[v_low:v_high], p_schema_versions[v_low:v_high],
        p_data[v_low:v_high], p_meta[v_low:v_high]);
      if v_done.outcome in (2, 4, 5) then
        v_blamed := i;
        raise exception 'refused' using errcode = 'ELC01';
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
      case when t.place = v_blamed then v_done.outcome when a.version is null then 3 else 1 end,
      case when t.place = v_blamed then v_done.first_version else coalesce(a.first_version, 0) end,
      case when t.place = v_blamed then v_done.last_version else coalesce(a.version, s.version, 0) end,
      coalesce(a.position, 0)
    from unnest(p_tenants, p_categories, p_names, p_commands)
      with ordinality as t (tenant, category, name, command, place)
    left join ${schema}.streams s on s.tenant = t.tenant and s.category = t.category and s.name = t.name
    left join ${schema}.appends a on a.stream_id = s.id and a.command_id = t.command;
end $$`

/** One partial expression index for each declared field, by tenant; `false` when writers were in the way for too long. */
const ensureIndex = (schema: string): string =>
  `create or replace function ${schema}.ensure_index(p_collection text, p_field text, p_wait int) returns boolean
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
    'create index if not exists %I on ${schema}.states (tenant, (coalesce(data -> %L, ''null''::jsonb)), id) where collection = %L',
    v_name, p_field, p_collection);
  return true;
exception when lock_not_available then
  return false;
end $$`

/** The indexes of collections are made again, with the tenant in front, when the collections are used. */
const dropIndexes = (schema: string): string =>
  `do $$
declare
  v_name text;
begin
  for v_name in
    select c.relname from pg_index x join pg_class c on c.oid = x.indexrelid
    where x.indrelid = '${schema}.states'::regclass and c.relname ~ '^states_[0-9a-f]{32}$'
  loop
    execute format('drop index ${schema}.%I', v_name);
  end loop;
end $$`

const statements = (schema: string): ReadonlyArray<string> => [
  `create unique index events_stream_event on ${schema}.events (stream_id, event_id)`,
  `drop function ${schema}.append_all`,
  `drop function ${schema}.append`,
  append(schema),
  appendEach(schema),
  appendAll(schema),
  `alter table ${schema}.states add column tenant text collate "C" not null default ''`,
  `alter table ${schema}.states drop constraint states_pkey, add primary key (tenant, collection, id)`,
  dropIndexes(schema),
  ensureIndex(schema)
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )
