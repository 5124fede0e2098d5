/** Migration 6: snapshots, keys of subjects, archived and truncated streams. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * Truncation is the one way to remove events: its function has a setting of its own, which the trigger asks for, and
 * which ends with the function. Outcomes: 0 removed, 1 no stream, 2 nothing would be left, 3 no snapshot reaches so far, 4
 * the event is no such summary (`detail` is its type), 5 a subscription is not so far (`detail` is its name), 6 one of the
 * events has a tag, so that decisions over several streams count on it (`detail` is the tag). The table of tags comes with
 * a later migration; a function looks for it when it runs. Later migrations replace the function by one with more checks.
 */
export const truncate = (
  schema: string,
  later: { readonly replace: boolean; readonly checks: string } = { replace: false, checks: "" }
): string =>
  `create ${later.replace ? "or replace " : ""}function ${schema}.truncate_stream(
  p_tenant text, p_category text, p_name text, p_before bigint, p_aggregate text, p_fingerprint text, p_summary text,
  out outcome int, out detail text, out removed bigint
) language plpgsql set effect_lifecycle.truncating = '${schema.replaceAll("\"", "")}' as $$
declare
  v_stream bigint;
  v_version bigint;
  v_last bigint;
begin
  removed := 0;
  select s.id, s.version into v_stream, v_version from ${schema}.streams s
    where s.tenant = p_tenant and s.category = p_category and s.name = p_name for no key update;
  if not found then
    outcome := 1;
    return;
  end if;
  if p_before > v_version then
    outcome := 2;
    return;
  end if;
  if p_summary is not null then
    select e.type into detail from ${schema}.events e where e.stream_id = v_stream and e.version = p_before;
    if detail is distinct from p_summary then
      outcome := 4;
      return;
    end if;
  else
    perform 1 from ${schema}.snapshots n
      join ${schema}.events e on e.stream_id = n.stream_id and e.version = n.version and e.position = n.position
      where n.stream_id = v_stream and n.aggregate = p_aggregate and n.fingerprint = p_fingerprint
        and n.version >= p_before;
    if not found then
      outcome := 3;
      return;
    end if;
  end if;
  select max(e.position) into v_last from ${schema}.events e where e.stream_id = v_stream and e.version < p_before;
  select p.name into detail from ${schema}.subscription_partitions p where p.position < v_last order by p.position limit 1;
  if found then
    outcome := 5;
    return;
  end if;
  select t.tag into detail from ${schema}.events e join ${schema}.event_tags t on t.position = e.position
    where e.stream_id = v_stream and e.version < p_before order by e.version, t.tag limit 1;
  if found then
    outcome := 6;
    return;
  end if;${later.checks}
  delete from ${schema}.events e where e.stream_id = v_stream and e.version < p_before;
  get diagnostics removed = row_count;
  update ${schema}.streams set truncated_before = greatest(coalesce(truncated_before, 1), p_before) where id = v_stream;
  outcome := 0;
end $$`

const statements = (schema: string): ReadonlyArray<string> => [
  `create table ${schema}.snapshots (
    stream_id bigint not null,
    aggregate text collate "C" not null,
    fingerprint text collate "C" not null,
    version bigint not null,
    position bigint not null,
    data json not null,
    at timestamptz not null default clock_timestamp(),
    primary key (stream_id, aggregate, fingerprint)
  )`,
  `create table ${schema}.subject_keys (
    tenant text collate "C" not null,
    subject text collate "C" not null,
    wrapped text,
    master_key text,
    created_at timestamptz not null default clock_timestamp(),
    shredded_at timestamptz,
    primary key (tenant, subject),
    check ((wrapped is null) = (shredded_at is not null) and (wrapped is null) = (master_key is null))
  )`,
  `create index subject_keys_master_key on ${schema}.subject_keys (master_key) where wrapped is not null`,
  `create table ${schema}.subject_streams (
    tenant text collate "C" not null,
    subject text collate "C" not null,
    category text collate "C" not null,
    name text collate "C" not null,
    primary key (tenant, subject, category, name)
  )`,
  `create or replace function ${schema}.refuse_change() returns trigger language plpgsql as $$
  begin
    if tg_op = 'DELETE' and current_setting('effect_lifecycle.truncating', true) = tg_table_schema then
      return null;
    end if;
    raise exception '% on %.% is refused: events are append-only', tg_op, tg_table_schema, tg_table_name
      using errcode = 'restrict_violation', hint = 'Correct a mistake by appending an event that says so.';
  end $$`,
  truncate(schema)
]

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.forEach(statements(schema), (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )
