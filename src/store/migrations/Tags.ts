/** Migration 8: tags of events, and appends on a condition about them. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** The second index is written at its right end only, because positions rise. */
const tables = (schema: string): ReadonlyArray<string> => [
  `create table ${schema}.event_tags (
    tenant text collate "C" not null,
    tag text collate "C" not null,
    position bigint not null,
    primary key (tenant, tag, position)
  )`,
  `create index event_tags_position on ${schema}.event_tags (position)`
]

/** Whether the event at a position has all tags of an item, and one of its types. The first tag has led to the position. */
const fits = (schema: string): string =>
  `(cardinality(i.tags) = 1 or cardinality(i.tags) = (
        select count(*) from ${schema}.event_tags u
        where u.tenant = p_tenant and u.tag = any(i.tags) and u.position = t.position))
      and (i.types is null or e.type = any(i.types))`

/**
 * An append under the locks of the tags of its events and of its condition, taken in one order from before the events have
 * positions until the commit. Outcomes are those of `append`, and 9: an event matches that was not seen; then
 * `last_position` and `found_type` say which. A repetition of an append is one, whatever has happened since.
 */
const appendTagged = (schema: string): string =>
  `create function ${schema}.append_tagged(
  p_tenant text, p_category text, p_name text, p_expect bigint, p_command text, p_given int,
  p_ids text[], p_types text[], p_schema_versions int[], p_data text[], p_meta text[],
  p_tags text[], p_owners int[], p_items jsonb,
  out outcome int, out first_version bigint, out last_version bigint, out last_position bigint, out found_type text
) language plpgsql as $$
#variable_conflict use_column
declare
  v_lock bigint;
  v_stream bigint;
  v_found record;
  v_done record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'an append on a condition needs the isolation level read committed, not %',
      current_setting('transaction_isolation')
      using hint = 'At other levels the transaction cannot see what was committed while it waited for a tag.';
  end if;
  for v_lock in
    select distinct hashtextextended(
      jsonb_build_array('tag', '${schema.replaceAll("\"", "")}', p_tenant, n.tag)::text, 0) as l
    from (
      select unnest(p_tags) as tag
      union
      select unnest(i.tags) from jsonb_to_recordset(p_items) as i (tags text[])
    ) n order by l
  loop
    perform pg_advisory_xact_lock(v_lock);
  end loop;

  select h.position, h.type into v_found
    from jsonb_to_recordset(p_items) as i (tags text[], types text[], after bigint)
    cross join lateral (
      select e.position, e.type
      from ${schema}.event_tags t join ${schema}.events e on e.position = t.position
      where t.tenant = p_tenant and t.tag = i.tags[1] and t.position > i.after and ${fits(schema)}
      order by t.position limit 1
    ) h
    order by h.position limit 1;
  if found then
    select s.id into v_stream from ${schema}.streams s
      where s.tenant = p_tenant and s.category = p_category and s.name = p_name;
    if v_stream is null or not (
      exists (select 1 from ${schema}.appends a where a.stream_id = v_stream and a.command_id = p_command)
      or (p_given > 0 and exists (
        select 1 from ${schema}.events e where e.stream_id = v_stream and e.event_id = any(p_ids::uuid[])))
    ) then
      outcome := 9; first_version := 0; last_version := 0;
      last_position := v_found.position;
      found_type := v_found.type;
      return;
    end if;
  end if;

  select * into v_done from ${schema}.append(
    p_tenant, p_category, p_name, p_expect, p_command, p_given, p_ids, p_types, p_schema_versions, p_data, p_meta);
  outcome := v_done.outcome;
  first_version := v_done.first_version;
  last_version := v_done.last_version;
  last_position := v_done.last_position;
  if v_done.outcome = 0 and cardinality(p_tags) > 0 then
    insert into ${schema}.event_tags (tenant, tag, position)
      select p_tenant, n.tag, e.position
      from unnest(p_tags, p_owners) as n (tag, owner)
      join ${schema}.streams s on s.tenant = p_tenant and s.category = p_category and s.name = p_name
      join ${schema}.events e on e.stream_id = s.id and e.version = v_done.first_version + n.owner - 1;
  end if;
end $$`

/** For each item a position: whoever writes one of its tags later gets a higher one. */
const bounds = (schema: string): string =>
  `create function ${schema}.tag_bounds(p_tenant text, p_items jsonb) returns table (bound bigint)
language sql stable as $$
  select coalesce((
    select max(m.position) from unnest(i.tags) as g (tag)
    cross join lateral (
      select t.position from ${schema}.event_tags t
      where t.tenant = p_tenant and t.tag = g.tag order by t.position desc limit 1
    ) m), 0)
  from rows from (jsonb_to_recordset(p_items) as (tags text[])) with ordinality as i (tags, place)
  order by i.place
$$`

/** A page of the events that match an item up to its bound. */
const readTagged = (schema: string): string =>
  `create function ${schema}.read_tagged(p_tenant text, p_items jsonb, p_after bigint, p_limit int)
returns table (
  "position" bigint, version bigint, event_id text, type text, schema_version int, data text, meta text, at timestamptz,
  tenant text, category text, name text, tags text[]
) language sql stable as $$
  with hit as (
    select distinct h.position
    from jsonb_to_recordset(p_items) as i (tags text[], types text[], bound bigint)
    cross join lateral (
      select t.position
      from ${schema}.event_tags t join ${schema}.events e on e.position = t.position
      where t.tenant = p_tenant and t.tag = i.tags[1] and t.position > p_after and t.position <= i.bound
        and ${fits(schema)}
      order by t.position limit p_limit
    ) h
    order by h.position limit p_limit
  )
  select e.position, e.version, e.event_id::text, e.type, e.schema_version, e.data::text, e.meta::text, e.at,
    s.tenant, s.category, s.name,
    array(select u.tag from ${schema}.event_tags u where u.position = e.position order by u.tag)
  from hit h
  join ${schema}.events e on e.position = h.position
  join ${schema}.streams s on s.id = e.stream_id
  order by e.position
$$`

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.forEach(
      [...tables(schema), appendTagged(schema), bounds(schema), readTagged(schema)],
      (statement) => sql.unsafe(statement).unprepared,
      { discard: true }
    ))
