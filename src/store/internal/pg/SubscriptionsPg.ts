/** The rows of subscriptions in PostgreSQL. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { Checkpoint, SubscriptionBackend } from "../SubscriptionBackend.ts"
import { isStorable } from "../text.ts"
import type { HighWaterPg } from "./HighWaterPg.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"

interface CheckpointRow {
  readonly position: unknown
  readonly paused_position: unknown
  readonly paused_reason: string | null
}

interface LetterRow {
  readonly position: unknown
  readonly tenant: string
  readonly category: string
  readonly name: string
  readonly version: unknown
  readonly event_id: string
  readonly type: string
  readonly reason: string
  readonly attempts: number
  readonly at: Date | string
}

export const make = (client: SqlClient.SqlClient, schema: string, highWater: HighWaterPg): SubscriptionBackend => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const table = `${schema}.subscriptions`
  const text = {
    find: `select position, paused_position, paused_reason from ${table} where name = $1`,
    lock: `select position, paused_position, paused_reason from ${table} where name = $1 for no key update`,
    open: `insert into ${table} (name, position) values ($1, $2::bigint) on conflict (name) do nothing`,
    save: `update ${table} set position = $2::bigint, updated_at = clock_timestamp() where name = $1`,
    pause: `update ${table} set paused_position = $2::bigint, paused_reason = $3, updated_at = clock_timestamp()
      where name = $1`,
    resume: `update ${table} set paused_position = null, paused_reason = null, updated_at = clock_timestamp()
      where name = $1 and paused_position is not null returning 1 as done`,
    bury: `insert into ${schema}.dead_letters (subscription, position, reason, attempts)
      values ($1, $2::bigint, $3, $4::int)
      on conflict (subscription, position) do update
      set reason = excluded.reason, attempts = excluded.attempts, at = excluded.at`,
    unbury: `delete from ${schema}.dead_letters where subscription = $1 and position = $2::bigint returning 1 as done`,
    buried: `select d.position, s.tenant, s.category, s.name, e.version, e.event_id, e.type, d.reason, d.attempts, d.at
      from ${schema}.dead_letters d
      join ${schema}.events e on e.position = d.position
      join ${schema}.streams s on s.id = e.stream_id
      where d.subscription = $1 order by d.position`,
    countBuried: `select count(*) as n from ${schema}.dead_letters where subscription = $1`,
    highest: `select coalesce(max(position), 0) as position from ${schema}.events`
  }
  const query = <Row extends object>(operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    retried(sql.unsafe<Row>(statement, parameters)).pipe(orUnavailable(operation))
  const find = (name: string) =>
    isStorable(name)
      ? Effect.map(query<CheckpointRow>("find subscription", text.find, [name]), checkpointOf)
      : Effect.void as Effect.Effect<undefined>

  return {
    start: highWater.start,
    highWater: highWater.state,
    markBeyond: highWater.markBeyond,
    highest: Effect.map(
      query<{ readonly position: unknown }>("highest position", text.highest, []),
      ([row]) => BigInt(String(row?.position ?? 0))
    ),
    find,
    lock: (name) => Effect.map(query<CheckpointRow>("lock subscription", text.lock, [name]), checkpointOf),
    open: (name, position) =>
      query("open subscription", text.open, [name, position]).pipe(
        Effect.andThen(find(name)),
        Effect.map((found) => found ?? { position, paused: undefined })
      ),
    save: (name, position) => Effect.asVoid(query("save checkpoint", text.save, [name, position])),
    pause: (name, position, reason) => Effect.asVoid(query("pause subscription", text.pause, [name, position, reason])),
    resume: (name) =>
      isStorable(name)
        ? Effect.map(query("resume subscription", text.resume, [name]), (rows) => rows.length > 0)
        : Effect.succeed(false),
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
            stream: { tenant: row.tenant, category: row.category, id: row.name },
            version: Number(row.version),
            eventId: row.event_id,
            type: row.type,
            reason: row.reason,
            attempts: row.attempts,
            at: new Date(row.at)
          })))
  }
}

const checkpointOf = ([row]: ReadonlyArray<CheckpointRow>): Checkpoint | undefined =>
  row === undefined ? undefined : {
    position: BigInt(String(row.position)),
    paused: row.paused_position === null
      ? undefined
      : { position: BigInt(String(row.paused_position)), reason: row.paused_reason ?? "" }
  }
