/** The rows of subscriptions in PostgreSQL. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { Division } from "../subscription/division.ts"
import type { SubscriptionBackend } from "../subscription/SubscriptionBackend.ts"
import { isStorable } from "../text.ts"
import type { HighWaterPg } from "./HighWaterPg.ts"
import { orUnavailable, outage, retrying } from "./SqlFailure.ts"
import type { Channel } from "./WakeUp.ts"

/** A partition, beside what is common to all of them. */
interface DivisionRow {
  readonly generation: number
  readonly plan_count: number | null
  readonly plan_at: unknown
  readonly owners: ReadonlyArray<string> | null
  readonly partition: number
  readonly position: unknown
  readonly paused_position: unknown
  readonly paused_reason: string | null
  readonly owner: string | null
  readonly token: unknown
}

interface LetterRow {
  readonly position: unknown
  /** These are of the event, and null where it is not there any more. */
  readonly tenant: string | null
  readonly category: string | null
  readonly name: string | null
  readonly version: unknown
  readonly event_id: string | null
  readonly type: string | null
  readonly reason: string
  readonly attempts: number
  readonly at: Date | string
}

export const make = (
  client: SqlClient.SqlClient,
  schema: string,
  highWater: HighWaterPg,
  channel: Channel
): SubscriptionBackend => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const subscriptions = `${schema}.subscriptions`
  const partitions = `${schema}.subscription_partitions`
  const owners = `${schema}.subscription_owners`
  const text = {
    find: `select s.generation, s.plan_count, s.plan_at, p.partition, p.position, p.paused_position, p.paused_reason,
        p.owner, p.token, array(
          select o.owner from ${owners} o where o.name = s.name and o.expires_at > clock_timestamp() order by o.owner
        ) as owners
      from ${subscriptions} s join ${partitions} p on p.name = s.name
      where s.name = $1 order by p.partition`,
    lock: `select 1 from ${subscriptions} where name = $1 for no key update`,
    open: `with made as (
        insert into ${subscriptions} (name) values ($1) on conflict (name) do nothing returning name
      ) insert into ${partitions} (name, partition, position)
        select name, partition, $3::bigint from made, generate_series(0, $2::int - 1) as partition`,
    attend: `with gone as (delete from ${owners} where name = $1 and owner <> $2 and expires_at <= clock_timestamp())
      insert into ${owners} (name, owner, expires_at)
        values ($1, $2, clock_timestamp() + $3::bigint * interval '1 millisecond')
        on conflict (name, owner) do update set expires_at = excluded.expires_at`,
    renew: `update ${owners} set expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
      where name = $1 and owner = $2 returning 1 as done`,
    leave: `delete from ${owners} where name = $1 and owner = $2`,
    assign: `update ${partitions} set owner = $3, token = token + 1 where name = $1 and partition = $2::int`,
    plan: `update ${subscriptions} set plan_count = $2::int, plan_at = $3::bigint where name = $1`,
    divide: `with gone as (
        delete from ${partitions} where name = $1 returning token
      ), changed as (
        update ${subscriptions} set generation = generation + 1, plan_count = null, plan_at = null where name = $1
      ) select coalesce(max(token), 0) + 1 as token from gone`,
    refill: `insert into ${partitions} (name, partition, position, token)
      select $1, partition, $3::bigint, $4::bigint from generate_series(0, $2::int - 1) as partition`,
    // Who holds the row is taking the partition away, and may be waiting for what this transaction wrote: never wait for it.
    move: `update ${partitions} p set position = $5::bigint, paused_position = $6::bigint, paused_reason = $7,
        updated_at = clock_timestamp()
      from (
        select name, partition from ${partitions}
        where name = $1 and partition = $2::int and token = $3::bigint and position = $4::bigint
          and paused_position is null
        for no key update skip locked
      ) held
      where p.name = held.name and p.partition = held.partition
      returning 1 as done`,
    resume: `update ${partitions} set paused_position = null, paused_reason = null, updated_at = clock_timestamp()
      where name = $1 and paused_position is not null returning 1 as done`,
    remove: [
      `delete from ${schema}.dead_letters where subscription = $1`,
      `delete from ${owners} where name = $1`,
      `delete from ${partitions} where name = $1`,
      `delete from ${subscriptions} where name = $1`
    ],
    bury: `insert into ${schema}.dead_letters (subscription, position, reason, attempts)
      values ($1, $2::bigint, $3, $4::int)
      on conflict (subscription, position) do update
      set reason = excluded.reason, attempts = excluded.attempts, at = excluded.at`,
    unbury: `delete from ${schema}.dead_letters where subscription = $1 and position = $2::bigint returning 1 as done`,
    buried: `select d.position, s.tenant, s.category, s.name, e.version, e.event_id, e.type, d.reason, d.attempts, d.at
      from ${schema}.dead_letters d
      left join ${schema}.events e on e.position = d.position
      left join ${schema}.streams s on s.id = e.stream_id
      where d.subscription = $1 order by d.position`,
    countBuried: `select count(*) as n from ${schema}.dead_letters where subscription = $1`,
    highest: `select coalesce(max(position), 0) as position from ${schema}.events`,
    ageAfter: `select extract(epoch from clock_timestamp() - at) * 1000 as age
      from ${schema}.events where position > $1::bigint order by position limit 1`
  }
  const query = <Row extends object>(operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    retried(sql.unsafe<Row>(statement, parameters)).pipe(orUnavailable(operation))
  const done = (operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    Effect.asVoid(query(operation, statement, parameters))
  const find = (name: string) =>
    isStorable(name)
      ? Effect.map(query<DivisionRow>("find subscription", text.find, [name]), divisionOf)
      : Effect.void as Effect.Effect<undefined>

  return {
    start: Effect.andThen(highWater.start, channel.listen(highWater.wake)),
    highWater: highWater.state,
    markBeyond: highWater.markBeyond,
    highest: Effect.map(
      query<{ readonly position: unknown }>("highest position", text.highest, []),
      ([row]) => BigInt(String(row?.position ?? 0))
    ),
    ageAfter: (position) =>
      Effect.map(
        query<{ readonly age: unknown }>("age of the next event", text.ageAfter, [position]),
        ([row]) => Math.max(0, Math.round(Number(row?.age ?? 0)))
      ),
    find,
    open: (name, count, position) => done("open subscription", text.open, [name, count, position]),
    lock: (name) => Effect.andThen(query("lock subscription", text.lock, [name]), find(name)),
    attend: (name, owner, leaseMillis) => done("attend subscription", text.attend, [name, owner, leaseMillis]),
    renew: (name, owner, leaseMillis) =>
      Effect.map(query("renew lease", text.renew, [name, owner, leaseMillis]), (rows) => rows.length > 0),
    leave: (name, owner) => done("leave subscription", text.leave, [name, owner]),
    assign: (name, index, owner) => done("assign partition", text.assign, [name, index, owner ?? null]),
    plan: (name, plan) => done("plan partitions", text.plan, [name, plan?.count ?? null, plan?.at ?? null]),
    divide: (name, { at, count }) =>
      Effect.flatMap(
        query<{ readonly token: unknown }>("divide subscription", text.divide, [name]),
        ([row]) => done("divide subscription", text.refill, [name, count, at, String(row?.token ?? 0)])
      ),
    move: ({ index, name, token }, from, { paused, position }) =>
      Effect.map(
        query("move checkpoint", text.move, [
          name,
          index,
          token,
          from,
          position,
          paused?.position ?? null,
          paused?.reason ?? null
        ]),
        (rows) => rows.length > 0
      ),
    resume: (name) =>
      isStorable(name)
        ? Effect.map(query("resume subscription", text.resume, [name]), (rows) => rows.length > 0)
        : Effect.succeed(false),
    remove: (name) =>
      Effect.forEach(text.remove, (statement) => done("remove subscription", statement, [name]), { discard: true }),
    outageOf: (error) => outage("subscription handler", error),
    bury: (name, { position }, reason, attempts) =>
      Effect.asVoid(query("keep dead letter", text.bury, [name, position, reason, attempts])),
    unbury: (name, position) =>
      isStorable(name)
        ? Effect.map(query("redeliver", text.unbury, [name, position]), (rows) => rows.length > 0)
        : Effect.succeed(false),
    countBuried: (name) =>
      Effect.map(
        query<{ readonly n: unknown }>("count dead letters", text.countBuried, [name]),
        ([row]) => Number(row?.n ?? 0)
      ),
    buried: (name) =>
      !isStorable(name) ?
        Effect.succeed([]) :
        Effect.map(query<LetterRow>("dead letters", text.buried, [name]), (rows) =>
          rows.map((row) => ({
            position: BigInt(String(row.position)),
            stream: { tenant: row.tenant ?? "", category: row.category ?? "", id: row.name ?? "" },
            version: Number(row.version ?? 0),
            eventId: row.event_id ?? "",
            type: row.type ?? "",
            truncated: row.event_id === null,
            reason: row.reason,
            attempts: row.attempts,
            at: new Date(row.at)
          })))
  }
}

const divisionOf = (rows: ReadonlyArray<DivisionRow>): Division | undefined => {
  const [first] = rows
  return first === undefined ? undefined : {
    generation: first.generation,
    plan: first.plan_count === null ? undefined : { count: first.plan_count, at: bigintOf(first.plan_at) },
    owners: first.owners ?? [],
    partitions: rows.map((row) => ({
      index: row.partition,
      position: bigintOf(row.position),
      paused: row.paused_position === null
        ? undefined
        : { position: bigintOf(row.paused_position), reason: row.paused_reason ?? "" },
      owner: row.owner ?? undefined,
      token: bigintOf(row.token)
    }))
  }
}

const bigintOf = (value: unknown): bigint => BigInt(String(value))
