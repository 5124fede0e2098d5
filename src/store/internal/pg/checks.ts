/**
 * What must hold in the tables of a store. Each check is one query for the rows that break it: `problem`, and, where they
 * are known, the stream, the version, the position and the id of the event.
 */

export interface Check {
  readonly name: string
  /** What is looked at, for a person. */
  readonly about: string
  readonly query: (schema: string) => string
}

const stream = "s.tenant, s.category, s.name"
const event = "e.version, e.position, e.event_id::text as event_id"

/** `first` is what a truncation has left a stream to begin with. */
const first = "coalesce(s.truncated_before, 1)"

const log: ReadonlyArray<Check> = [
  {
    name: "versions",
    about: "versions follow each other without a gap, and positions rise with them",
    query: (schema) =>
      `select ${stream}, ${event}, case
          when e.version = coalesce(e.before + 1, ${first}) then
            'it has a lower position than the event before it, ' || e.position_before
          when e.before is null then 'the stream begins with version ' || e.version || ' instead of ' || ${first}
          else 'version ' || e.before || ' comes before it: ' || e.version - e.before - 1 || ' missing'
        end as problem
      from (
        select stream_id, version, position, event_id,
          lag(version) over w as before, lag(position) over w as position_before
        from ${schema}.events window w as (partition by stream_id order by version)
      ) e join ${schema}.streams s on s.id = e.stream_id
      where e.version <> coalesce(e.before + 1, ${first}) or e.position < e.position_before
      order by e.position`
  },
  {
    name: "streams",
    about: "a stream's version is that of its last event, and every event has a stream",
    query: (schema) =>
      `select ${stream}, ${event}, 'the stream is at version ' || s.version || ', but ' ||
          coalesce('its last event has version ' || e.version, 'it has no events') as problem
      from ${schema}.streams s left join lateral (
        select version, position, event_id from ${schema}.events where stream_id = s.id order by version desc limit 1
      ) e on true
      where s.version <> coalesce(e.version, 0)
      union all
      select null, null, null, ${event}, 'it belongs to the stream number ' || e.stream_id || ', which is not there'
      from ${schema}.events e where not exists (select 1 from ${schema}.streams s where s.id = e.stream_id)
      order by 5`
  },
  {
    name: "checksums",
    about: "events are as they were appended",
    query: (schema) =>
      `select ${stream}, ${event}, case when e.checksum is null then 'its checksum was removed'
          else 'its checksum does not fit: it was changed after it was appended, or is damaged' end as problem
      from ${schema}.events e left join ${schema}.streams s on s.id = e.stream_id
      where e.checksum is distinct from ${schema}.event_checksum(
          e.stream_id, e.version, e.event_id, e.type, e.schema_version, e.data::text, e.meta::text, e.at)
      order by e.position`
  },
  {
    name: "protection",
    about: "the trigger that keeps events from being changed is on, and no index is broken",
    query: (schema) =>
      `select null as tenant, null as category, null as name, null::bigint as version, null::bigint as position,
        null as event_id, 'the trigger "append_only" of the events is off or missing: events can be changed' as problem
      where not exists (select 1 from pg_trigger
        where tgrelid = '${schema}.events'::regclass and tgname = 'append_only' and tgenabled in ('O', 'A'))
      union all
      select null, null, null, null, null, null, 'the index ' || c.relname || ' is not valid: reindex it'
      from pg_index x join pg_class c on c.oid = x.indexrelid
      where c.relnamespace = '${schema.replaceAll("'", "''")}'::regnamespace and not (x.indisvalid and x.indisready)`
  }
]

const besides: ReadonlyArray<Check> = [
  {
    name: "commands",
    about: "the ids of commands point to the events that they appended",
    query: (schema) =>
      `select ${stream}, a.version, a.position, e.event_id::text as event_id, 'the append of the command "' ||
          a.command_id || '" ' || case
          when s.id is null then 'is of the stream number ' || a.stream_id || ', which is not there'
          when a.first_version < 1 or a.first_version > a.version then
            'has the versions ' || a.first_version || ' to ' || a.version
          when a.version > s.version then 'ends with version ' || a.version || ' of a stream at version ' || s.version
          else 'says position ' || a.position || ', but its event has ' || coalesce(e.position::text, 'none')
        end as problem
      from ${schema}.appends a
      left join ${schema}.streams s on s.id = a.stream_id
      left join ${schema}.events e on e.stream_id = a.stream_id and e.version = a.version
      where s.id is null or a.first_version < 1 or a.first_version > a.version or a.version > s.version
        or (a.version >= ${first} and e.position is distinct from a.position)
      order by a.position`
  },
  {
    name: "tags",
    about: "tags are those of events that are there, of the same tenant",
    query: (schema) =>
      `select t.tenant, s.category, s.name, e.version, t.position, e.event_id::text as event_id, 'the tag "' || t.tag || '" ' ||
          case when e.position is null then 'is of an event that is not there'
          else 'is of the tenant "' || t.tenant || '", its event of "' || coalesce(s.tenant, '') || '"' end as problem
      from ${schema}.event_tags t
      left join ${schema}.events e on e.position = t.position
      left join ${schema}.streams s on s.id = e.stream_id
      where e.position is null or s.tenant is distinct from t.tenant
      order by t.position`
  },
  {
    name: "snapshots",
    about: "snapshots are of versions that the streams have had",
    query: (schema) =>
      `select ${stream}, n.version, n.position, e.event_id::text as event_id, 'the snapshot of "' || n.aggregate || '" ' || case
          when s.id is null then 'is of the stream number ' || n.stream_id || ', which is not there'
          when n.version > s.version then 'is of version ' || n.version || ', the stream is at ' || s.version
          else 'is of position ' || n.position || ', its event has ' || coalesce(e.position::text, 'none')
        end as problem
      from ${schema}.snapshots n
      left join ${schema}.streams s on s.id = n.stream_id
      left join ${schema}.events e on e.stream_id = n.stream_id and e.version = n.version
      where s.id is null or n.version > s.version
        or (n.version >= ${first} and e.position is distinct from n.position)
      order by n.position`
  },
  {
    name: "keys",
    about: "every person whose data is sealed has a key, or a mark that it was shredded",
    query: (schema) =>
      `select p.tenant, p.category, p.name, null::bigint as version, null::bigint as position, null as event_id,
        'the row of the key of "' || p.subject || '" is gone: the data of this person cannot be read, and nobody has shredded it'
          as problem
      from ${schema}.subject_streams p
      where exists (select 1 from ${schema}.streams s
          where s.tenant = p.tenant and s.category = p.category and s.name = p.name)
        and not exists (select 1 from ${schema}.subject_keys k where k.tenant = p.tenant and k.subject = p.subject)
      order by 1, 2, 3`
  }
]

const nothing = "null as tenant, null as category, null as name, null::bigint as version"

const followers: ReadonlyArray<Check> = [
  {
    name: "subscriptions",
    about: "checkpoints are not ahead of the log, and partitions are complete",
    query: (schema) =>
      `with highest as (select coalesce(max(position), 0) as position from ${schema}.events)
      select ${nothing}, p.position, null as event_id, 'the subscription "' || p.name || '" has handled everything up to ' ||
        p.position || ', but the last event has ' || h.position || ': what comes next will be left out' as problem
      from ${schema}.subscription_partitions p cross join highest h where p.position > h.position
      union all
      select ${nothing}, d.position, null, 'the subscription "' || d.subscription || '" has a dead letter of position ' ||
        d.position || ', but the last event has ' || h.position
      from ${schema}.dead_letters d cross join highest h where d.position > h.position
      union all
      select ${nothing}, null, null, 'the subscription "' || s.name || '" has the partitions ' ||
        coalesce(p.found, 'none') || ', which are not all of them'
      from ${schema}.subscriptions s left join lateral (
        select string_agg(partition::text, ', ' order by partition) as found, count(*) as n, max(partition) as highest
        from ${schema}.subscription_partitions where name = s.name
      ) p on true
      where p.n = 0 or p.highest <> p.n - 1
      union all
      select ${nothing}, p.position, null, 'partition ' || p.partition || ' is of the subscription "' || p.name ||
        '", which is not there'
      from ${schema}.subscription_partitions p
      where not exists (select 1 from ${schema}.subscriptions s where s.name = p.name)`
  },
  {
    name: "projections",
    about: "versions of projections have their checkpoints, and no rows are left of versions that were dropped",
    query: (schema) =>
      `select ${nothing}, null::bigint as position, null as event_id, 'version ' || p.version || ' of the projection "' ||
        p.name || '" is live, but its subscription is not there' as problem
      from ${schema}.projections p
      where p.status = 'live' and p.mode = 'async' and not exists (
        select 1 from ${schema}.subscriptions s where s.name = 'projection:' || p.name || '@' || p.version)
      union all
      select ${nothing}, null, null, 'there are rows of "' || c.collection || '", which is no version of that projection'
      from (select distinct collection from ${schema}.states) c
      where exists (select 1 from ${schema}.projections p where c.collection ~ '@[0-9]+$'
          and p.name = regexp_replace(c.collection, '@[0-9]+$', ''))
        and not exists (select 1 from ${schema}.projections p where c.collection = p.name || '@' || p.version)`
  }
]

export const checks: ReadonlyArray<Check> = [...log, ...besides, ...followers]
