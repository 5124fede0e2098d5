/** The outbox in PostgreSQL; its time is the database's clock, so workers with wrong clocks agree. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { DeadLetter, Message } from "../../Outbox.ts"
import type { OutboxBackend, Settlement } from "../outbox/OutboxBackend.ts"
import { pruneBatch, wholly } from "./pruning.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"
import type { Channel } from "./WakeUp.ts"

interface MessageRow {
  readonly seq: unknown
  readonly tenant: string
  readonly id: string
  readonly topic: string
  readonly key: string | null
  readonly payload: string
  readonly headers: string
  readonly attempts: number
  readonly at: Date | string
}

interface ClaimedRow extends MessageRow {
  readonly token: unknown
}

interface LetterRow extends MessageRow {
  readonly state: number
  readonly reason: string
  readonly settled_at: Date | string
}

interface StatusRow {
  readonly pending: unknown
  readonly in_flight: unknown
  readonly dead: unknown
  readonly paused: unknown
  readonly oldest: unknown
}

/** As the function `outbox_settle` of the migrations numbers them. */
const outcomes: Readonly<Record<Settlement["outcome"], number>> = {
  again: 0,
  published: 1,
  dead: 2,
  paused: 3,
  released: 4
}

export const make = (client: SqlClient.SqlClient, schema: string, channel: Channel): OutboxBackend => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const table = `${schema}.outbox`
  const ofTopics = "($1::text[] is null or topic = any($1))"
  const text = {
    enqueue:
      `select ${schema}.outbox_enqueue($1, $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])`,
    claim: `select * from ${schema}.outbox_claim($1::int, $2::bigint, $3::text[]) order by seq`,
    advance: `select * from ${schema}.outbox_advance(
      $1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::text[], $6::int, $7::bigint, $8::text[]) order by seq`,
    next: `select (extract(epoch from min(available_at) - clock_timestamp()) * 1000)::float8 as millis
      from ${table} where state = 0 and not parked and ${ofTopics}`,
    extend: `update ${table} o set available_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
      from unnest($1::bigint[], $2::bigint[]) as n (seq, token)
      where o.seq = n.seq and o.token = n.token and o.state = 0 and o.leased returning o.seq`,
    settle: `select ${schema}.outbox_settle($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::text[])`,
    status: `select count(*) filter (where state = 0) as pending,
        count(*) filter (where state = 0 and leased and available_at > clock_timestamp()) as in_flight,
        count(*) filter (where state in (2, 3)) as dead,
        count(*) filter (where state = 3) as paused,
        (extract(epoch from clock_timestamp() - min(at) filter (where state = 0)) * 1000)::float8 as oldest
      from ${table} where state in (0, 2, 3) and ${ofTopics}`,
    deadLetters: `select seq, tenant, id, topic, key, payload::text as payload, headers::text as headers, attempts, at,
        state, reason, settled_at
      from ${table} where state in (0, 2, 3) and state <> 0 and ${ofTopics} order by seq limit $2::int`,
    redeliver: `select ${schema}.outbox_redeliver($1, $2) as done`,
    discard: `select ${schema}.outbox_discard($1, $2) as done`,
    prune: `delete from ${table} where seq in (
        select seq from ${table}
        where state in (1, 4) and settled_at <= clock_timestamp() - $1::bigint * interval '1 millisecond'
        order by settled_at limit ${pruneBatch} for update skip locked
      ) returning 1 as done`
  }
  const query = <Row extends object>(operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    retried(sql.unsafe<Row>(statement, parameters)).pipe(orUnavailable(operation))
  const done = (operation: string, statement: string) => (tenant: string, id: string) =>
    Effect.map(
      query<{ readonly done: boolean }>(operation, statement, [tenant, id]),
      ([row]) => row?.done === true
    )

  return {
    enqueue: (messages) =>
      Effect.asVoid(query("enqueue", text.enqueue, [
        messages[0]?.tenant ?? "",
        messages.map(({ id }) => id),
        messages.map(({ topic }) => topic),
        messages.map(({ key }) => key ?? ""),
        messages.map(({ payload }) => payload),
        messages.map(({ headers }) => headers),
        messages.map(({ delayMillis }) => BigInt(delayMillis))
      ])),
    advance: (settlements, limit, leaseMillis, topics) =>
      Effect.map(
        settlements.length === 0
          ? query<ClaimedRow>("claim messages", text.claim, [limit, leaseMillis, topics ?? null])
          : query<ClaimedRow>("settle and claim messages", text.advance, [
            ...settlementArrays(settlements),
            limit,
            leaseMillis,
            topics ?? null
          ]),
        (rows) => rows.map(messageOf)
      ),
    next: (topics) =>
      Effect.map(
        query<{ readonly millis: unknown }>("next message", text.next, [topics ?? null]),
        ([row]) => numberOf(row?.millis)
      ),
    extend: (held, leaseMillis) =>
      Effect.map(
        query<{ readonly seq: unknown }>("extend leases", text.extend, [
          held.map(({ sequence }) => sequence),
          held.map(({ token }) => token),
          leaseMillis
        ]),
        (rows) => new Set(rows.map(({ seq }) => BigInt(String(seq))))
      ),
    settle: (settlements) => Effect.asVoid(query("settle messages", text.settle, settlementArrays(settlements))),
    status: (topics) =>
      Effect.map(query<StatusRow>("outbox status", text.status, [topics ?? null]), ([row]) => ({
        pending: Number(row?.pending ?? 0),
        inFlight: Number(row?.in_flight ?? 0),
        dead: Number(row?.dead ?? 0),
        pausedKeys: Number(row?.paused ?? 0),
        oldestMillis: numberOf(row?.oldest)
      })),
    deadLetters: (topics, limit) =>
      Effect.map(
        query<LetterRow>("dead letters", text.deadLetters, [topics ?? null, limit]),
        (rows) => rows.map(letterOf)
      ),
    redeliver: done("redeliver", text.redeliver),
    discard: done("discard", text.discard),
    prune: (millis) => wholly(Effect.map(query("prune outbox", text.prune, [millis]), ({ length }) => length)),
    announce: channel.announce,
    listen: channel.listen,
    pollMillis: channel.pollMillis
  }
}

const settlementArrays = (settlements: ReadonlyArray<Settlement>): ReadonlyArray<unknown> => [
  settlements.map(({ sequence }) => sequence),
  settlements.map(({ token }) => token),
  settlements.map(({ outcome }) => outcomes[outcome]),
  settlements.map(({ delayMillis }) => BigInt(delayMillis)),
  settlements.map(({ reason }) => reason)
]

const numberOf = (value: unknown): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)

const base = (row: MessageRow) => ({
  id: row.id,
  tenant: row.tenant,
  topic: row.topic,
  key: row.key ?? undefined,
  payload: JSON.parse(row.payload) as unknown,
  headers: JSON.parse(row.headers) as Readonly<Record<string, string>>,
  sequence: BigInt(String(row.seq)),
  at: new Date(row.at)
})

const messageOf = (row: ClaimedRow): Message => ({
  ...base(row),
  attempt: row.attempts,
  token: BigInt(String(row.token))
})

const letterOf = (row: LetterRow): DeadLetter => ({
  ...base(row),
  attempts: row.attempts,
  reason: row.reason,
  diedAt: new Date(row.settled_at),
  pausesKey: row.state === 3
})
