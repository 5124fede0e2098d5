/** Migration 7: messages to publish, and messages that were received. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * States of a message: 0 to publish, 1 published, 2 dead, 3 dead and its key waits, 4 discarded. `available_at` is when it
 * is due, or when its lease ends. A parked message waits for the one before it and is no candidate until that one is done,
 * so a claim does not look at it again and again. The token only rises: with every claim of the message.
 */
const tables = (schema: string): ReadonlyArray<string> => [
  `create sequence ${schema}.outbox_sequence as bigint cache 1`,
  `create table ${schema}.outbox (
    seq bigint not null default nextval('${schema}.outbox_sequence') primary key,
    tenant text collate "C" not null,
    id text collate "C" not null,
    topic text collate "C" not null,
    key text collate "C",
    payload json not null,
    headers json not null,
    state smallint not null default 0,
    parked boolean not null default false,
    leased boolean not null default false,
    available_at timestamptz not null,
    token bigint not null default 0,
    attempts int not null default 0,
    reason text not null default '',
    at timestamptz not null,
    settled_at timestamptz,
    unique (tenant, id)
  ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)`,
  `alter sequence ${schema}.outbox_sequence owned by ${schema}.outbox.seq`,
  `create index outbox_due on ${schema}.outbox (available_at, seq) where state = 0 and not parked`,
  `create index outbox_key on ${schema}.outbox (tenant, topic, key, seq) where state in (0, 3) and key is not null`,
  `create index outbox_open on ${schema}.outbox (seq) where state in (0, 2, 3)`,
  `create index outbox_settled on ${schema}.outbox (settled_at) where state in (1, 4)`,
  `create table ${schema}.inbox (
    tenant text collate "C" not null,
    source text collate "C" not null,
    id text collate "C" not null,
    at timestamptz not null default clock_timestamp(),
    primary key (tenant, source, id)
  )`,
  `create index inbox_at on ${schema}.inbox (at)`
]

/** What a transaction holds while it writes under a key. */
const lock = (schema: string, tenant: string, topic: string, key: string): string =>
  `hashtextextended(jsonb_build_array('outbox', '${
    schema.replaceAll("\"", "")
  }', ${tenant}, ${topic}, ${key})::text, 0)`

/**
 * Whoever writes under a key holds its lock from before the message has its place until the commit, so the places of a key
 * are in the order of the commits, and nothing appears before a message that can be seen.
 */
const enqueue = (schema: string): string =>
  `create function ${schema}.outbox_enqueue(
  p_tenant text, p_ids text[], p_topics text[], p_keys text[], p_payloads text[], p_headers text[], p_delays bigint[]
) returns void language plpgsql as $$
declare
  v_lock bigint;
  v_at timestamptz;
begin
  for v_lock in
    select distinct ${lock(schema, "p_tenant", "n.topic", "n.key")} as l
    from unnest(p_topics, p_keys) as n (topic, key) where n.key <> '' order by l
  loop
    perform pg_advisory_xact_lock(v_lock);
  end loop;
  v_at := clock_timestamp();
  insert into ${schema}.outbox (tenant, id, topic, key, payload, headers, available_at, at)
    select p_tenant, n.id, n.topic, nullif(n.key, ''), n.payload::json, n.headers::json,
      v_at + n.delay * interval '1 millisecond', v_at
    from unnest(p_ids, p_topics, p_keys, p_payloads, p_headers, p_delays)
      with ordinality as n (id, topic, key, payload, headers, delay, place)
    order by n.place
    on conflict (tenant, id) do nothing;
end $$`

/**
 * Claims what is due and first of its key. What is not first is parked, but only under the lock of the message before it:
 * whoever settles that one wakes the next, and either sees it parked or keeps it from being parked. No statement here waits
 * for the transactions of those who enqueue.
 */
const claim = (schema: string): string =>
  `create function ${schema}.outbox_claim(p_limit int, p_lease bigint, p_topics text[])
returns table (
  seq bigint, tenant text, id text, topic text, key text, payload text, headers text, token bigint, attempts int,
  at timestamptz
) language plpgsql as $$
#variable_conflict use_column
declare
  v_candidates bigint[];
  v_first bigint[];
  v_taken int := 0;
  v_parked int;
begin
  for v_pass in 1 .. 20 loop
    select array_agg(c.seq) into v_candidates from (
      select o.seq from ${schema}.outbox o
      where o.state = 0 and not o.parked and o.available_at <= clock_timestamp()
        and (p_topics is null or o.topic = any(p_topics))
      order by o.available_at, o.seq limit p_limit - v_taken for update skip locked
    ) c;
    exit when v_candidates is null;
    select coalesce(array_agg(o.seq), '{}') into v_first from ${schema}.outbox o
      where o.seq = any(v_candidates) and (o.key is null or not exists (
        select 1 from ${schema}.outbox b
        where b.tenant = o.tenant and b.topic = o.topic and b.key = o.key and b.seq < o.seq and b.state in (0, 3)));
    return query
      update ${schema}.outbox o set leased = true, token = o.token + 1, attempts = o.attempts + 1,
        available_at = clock_timestamp() + p_lease * interval '1 millisecond'
      where o.seq = any(v_first)
      returning o.seq, o.tenant, o.id, o.topic, o.key, o.payload::text, o.headers::text, o.token, o.attempts, o.at;
    v_taken := v_taken + cardinality(v_first);
    with waiting as (
      select o.seq, (
        select max(b.seq) from ${schema}.outbox b
        where b.tenant = o.tenant and b.topic = o.topic and b.key = o.key and b.seq < o.seq and b.state in (0, 3)
      ) as before
      from ${schema}.outbox o where o.seq = any(v_candidates) and o.seq <> all(v_first)
    ), held as (
      select b.seq from ${schema}.outbox b
      where b.seq in (select w.before from waiting w) and b.state in (0, 3) for no key update skip locked
    )
    update ${schema}.outbox o set parked = true
      from waiting w join held h on h.seq = w.before where o.seq = w.seq;
    get diagnostics v_parked = row_count;
    exit when v_taken >= p_limit or v_parked = 0;
  end loop;
end $$`

/** Lets the next message go after each of those that are done. */
const unpark = (schema: string): string =>
  `update ${schema}.outbox n set parked = false
    where n.parked and n.seq in (
      select (
        select min(a.seq) from ${schema}.outbox a
        where a.tenant = d.tenant and a.topic = d.topic and a.key = d.key and a.seq > d.seq and a.state in (0, 3)
      ) from ${schema}.outbox d where d.seq = any(v_done))`

/** Outcomes: 0 again, 1 published, 2 dead, 3 dead and its key waits, 4 given back untried. */
const settle = (schema: string): string =>
  `create function ${schema}.outbox_settle(
  p_seqs bigint[], p_tokens bigint[], p_outcomes int[], p_delays bigint[], p_reasons text[]
) returns void language plpgsql as $$
declare
  v_done bigint[];
begin
  with given as (
    select o.seq, n.outcome, n.delay, n.reason
    from unnest(p_seqs, p_tokens, p_outcomes, p_delays, p_reasons) as n (seq, token, outcome, delay, reason)
    join ${schema}.outbox o on o.seq = n.seq and o.token = n.token and o.state = 0 and o.leased
    order by o.seq for no key update of o
  ), changed as (
    update ${schema}.outbox o set
      state = case when g.outcome in (1, 2, 3) then g.outcome else 0 end,
      attempts = case when g.outcome = 4 then o.attempts - 1 else o.attempts end,
      available_at = clock_timestamp() + g.delay * interval '1 millisecond',
      leased = false, reason = g.reason, settled_at = clock_timestamp()
    from given g where o.seq = g.seq
    returning o.seq, o.state, o.key
  )
  select array_agg(c.seq) into v_done from changed c where c.state in (1, 2) and c.key is not null;
  if v_done is not null then
    ${unpark(schema)};
  end if;
end $$`

/** Both in one round trip: the next message of a key is claimed by the statement that settles the one before it. */
const advance = (schema: string): string =>
  `create function ${schema}.outbox_advance(
  p_seqs bigint[], p_tokens bigint[], p_outcomes int[], p_delays bigint[], p_reasons text[],
  p_limit int, p_lease bigint, p_topics text[]
) returns table (
  seq bigint, tenant text, id text, topic text, key text, payload text, headers text, token bigint, attempts int,
  at timestamptz
) language plpgsql as $$
begin
  perform ${schema}.outbox_settle(p_seqs, p_tokens, p_outcomes, p_delays, p_reasons);
  return query select * from ${schema}.outbox_claim(p_limit, p_lease, p_topics);
end $$`

/** A dead letter that nobody waits for comes after the later messages of its key: they have been published. */
const redeliver = (schema: string): string =>
  `create function ${schema}.outbox_redeliver(p_tenant text, p_id text) returns boolean language plpgsql as $$
declare
  v_found record;
begin
  select o.seq, o.topic, o.key, o.state into v_found from ${schema}.outbox o
    where o.tenant = p_tenant and o.id = p_id and o.state in (2, 3) for update;
  if not found then
    return false;
  end if;
  if v_found.state = 2 and v_found.key is not null then
    perform pg_advisory_xact_lock(${lock(schema, "p_tenant", "v_found.topic", "v_found.key")});
  end if;
  update ${schema}.outbox o set state = 0, parked = false, attempts = 0, available_at = clock_timestamp(),
    seq = case when v_found.state = 2 then nextval('${schema}.outbox_sequence') else o.seq end
    where o.seq = v_found.seq;
  return true;
end $$`

const discard = (schema: string): string =>
  `create function ${schema}.outbox_discard(p_tenant text, p_id text) returns boolean language plpgsql as $$
declare
  v_done bigint[];
begin
  with changed as (
    update ${schema}.outbox o set state = 4, settled_at = clock_timestamp()
    where o.tenant = p_tenant and o.id = p_id and o.state in (2, 3) returning o.seq
  )
  select array_agg(c.seq) into v_done from changed c;
  if v_done is null then
    return false;
  end if;
  ${unpark(schema)};
  return true;
end $$`

export const migration = (schema: string): Effect.Effect<void, unknown, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.forEach(
      [
        ...tables(schema),
        enqueue(schema),
        claim(schema),
        settle(schema),
        advance(schema),
        redeliver(schema),
        discard(schema)
      ],
      (statement) => sql.unsafe(statement).unprepared,
      { discard: true }
    ))
