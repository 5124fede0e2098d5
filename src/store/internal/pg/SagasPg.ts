/** Sagas in PostgreSQL; their time is the database's clock, so workers with wrong clocks agree. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { ParkedFor, SagaRecord, State, StepRecord, StepState } from "../../SagaStore.ts"
import type { ClaimedSaga, Known, SagaBackend } from "../saga/SagaBackend.ts"
import { pruneBatch, wholly } from "./pruning.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"
import type { Channel } from "./WakeUp.ts"

interface StepRow {
  readonly place: number
  readonly step: string
  readonly state: StepState
  readonly attempt: number
  readonly fallback: boolean
  readonly result: string | null
  readonly failure: string | null
  readonly started_at: string
  readonly changed_at: string
}

interface SagaRow {
  readonly seq: unknown
  readonly tenant: string
  readonly name: string
  readonly id: string
  readonly version: number
  readonly input: string
  readonly meta: Readonly<Record<string, string>> | string
  readonly state: State
  readonly backward: boolean
  readonly failure: string | null
  readonly parked: string | null
  readonly wish: string | null
  readonly attempts: number
  readonly token: unknown
  readonly age: unknown
  readonly started_at: Date | string
  readonly changed_at: Date | string
  readonly steps: ReadonlyArray<StepRow> | string | null
}

const ended = "('completed', 'compensated', 'cancelled', 'abandoned')"

export const make = (client: SqlClient.SqlClient, schema: string, channel: Channel): SagaBackend => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const table = `${schema}.sagas`
  const row = `s.*, (extract(epoch from clock_timestamp() - s.started_at) * 1000)::float8 as age,
    (select json_agg(t order by t.place) from ${schema}.saga_steps t where t.saga = s.seq) as steps`
  const workable = `(
      exists (select 1 from unnest($1::text[], $2::int[]) as k (name, version)
        where k.name = s.name and k.version = s.version)
      or (exists (select 1 from unnest($1::text[]) as k (name) where k.name = s.name)
        and not exists (select 1 from unnest($1::text[], $2::int[]) as k (name, version)
          where k.name = s.name and k.version <= s.version)))`
  const orphaned = `case when exists (select 1 from unnest($1::text[], $2::int[]) as k (name, version)
      where k.name = s.name and k.version = s.version) then interval '0' else $3::bigint * interval '1 millisecond' end`
  const text = {
    insert: `insert into ${table} (tenant, name, id, version, input, meta, available_at)
      values ($1, $2, $3, $4, $5, $6::json, clock_timestamp() + $7::bigint * interval '1 millisecond')
      on conflict (tenant, name, id) do nothing returning seq`,
    find: `select ${row} from ${table} s where s.tenant = $1 and s.name = $2 and s.id = $3`,
    list: `select ${row} from ${table} s
      where ($1::text[] is null or s.name = any($1)) and ($2::text[] is null or s.state = any($2))
      order by s.changed_at, s.seq limit $3`,
    count: `select state, count(*) as count from ${table} where ($1::text[] is null or name = any($1)) group by state`,
    claim: `with due as materialized (
        select s.seq from ${table} s
        where s.state in ('running', 'compensating') and s.available_at <= clock_timestamp()
          and ${workable} and s.available_at + ${orphaned} <= clock_timestamp()
        order by s.available_at, s.seq limit $4 for update skip locked
      ), claimed as (
        update ${table} s set leased = true, token = s.token + 1, attempts = s.attempts + 1,
          available_at = clock_timestamp() + $5::bigint * interval '1 millisecond'
        from due where s.seq = due.seq returning s.*
      ) select ${row} from claimed s order by s.seq`,
    next: `select (extract(epoch from min(s.available_at + ${orphaned}) - clock_timestamp()) * 1000)::float8 as millis
      from ${table} s where s.state in ('running', 'compensating') and ${workable}`,
    extend: `update ${table} s set available_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
      from unnest($1::bigint[], $2::bigint[]) as n (seq, token)
      where s.seq = n.seq and s.token = n.token and s.leased returning s.seq`,
    // The row lock of `held` makes the token's check and the steps one decision.
    write: `with held as (
        update ${table} s set
          state = $3, backward = coalesce($4, s.backward), failure = coalesce($5, s.failure), parked = $6,
          wish = coalesce($7, s.wish), leased = $8::bigint is null,
          available_at = case when $8::bigint is null then s.available_at
            else clock_timestamp() + $8 * interval '1 millisecond' end,
          attempts = case when $9 then 0 else s.attempts end, changed_at = clock_timestamp()
        where s.seq = $1 and s.token = $2 and s.leased
        returning s.seq, s.wish, s.started_at
      ), written as (
        insert into ${schema}.saga_steps as t (saga, place, step, state, attempt, fallback, result, failure)
        select held.seq, n.place, n.step, n.state, n.attempt, n.fallback, nullif(n.result, ''), nullif(n.failure, '')
        from held cross join unnest($10::int[], $11::text[], $12::text[], $13::int[], $14::boolean[], $15::text[],
          $16::text[]) as n (place, step, state, attempt, fallback, result, failure)
        on conflict (saga, place) do update set step = excluded.step, state = excluded.state,
          attempt = excluded.attempt, fallback = excluded.fallback, result = excluded.result,
          failure = excluded.failure, changed_at = clock_timestamp()
      )
      select wish, (extract(epoch from clock_timestamp() - started_at) * 1000)::float8 as age from held`,
    release: `update ${table} set leased = false,
        available_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
      where seq = $1 and token = $2 and leased`,
    take: `with taken as (
        update ${table} s set leased = true, token = s.token + 1
        where s.tenant = $1 and s.name = $2 and s.id = $3 and s.state = any($4) returning s.*
      ) select ${row} from taken s`,
    cancel: `update ${table} set wish = coalesce(wish, $4),
        available_at = case when leased then available_at else clock_timestamp() end
      where tenant = $1 and name = $2 and id = $3 and state = 'running' returning 1 as done`,
    prune: `delete from ${table} where seq in (
        select seq from ${table}
        where state in ${ended} and changed_at <= clock_timestamp() - $1::bigint * interval '1 millisecond'
        order by changed_at limit ${pruneBatch} for update skip locked
      ) returning 1 as done`
  }
  const query = <Row extends object>(operation: string, statement: string, parameters: ReadonlyArray<unknown>) =>
    retried(sql.unsafe<Row>(statement, parameters)).pipe(orUnavailable(operation))
  const knownOf = ({ names, orphanMillis, versions }: Known) => [names, versions, orphanMillis]

  return {
    insert: ({ delayMillis, id, input, meta, name, tenant, version }) =>
      Effect.map(
        query("start saga", text.insert, [tenant, name, id, version, input, meta, delayMillis]),
        ({ length }) => length > 0
      ),
    find: ({ id, name, tenant }) =>
      Effect.map(
        query<SagaRow>("find saga", text.find, [tenant, name, id]),
        ([found]) => found === undefined ? undefined : sagaOf(found)
      ),
    list: ({ limit, names, states }) =>
      Effect.map(
        query<SagaRow>("list sagas", text.list, [names ?? null, states ?? null, limit]),
        (rows) => rows.map(sagaOf)
      ),
    count: (names) =>
      Effect.map(
        query<{ readonly state: State; readonly count: unknown }>("count sagas", text.count, [names ?? null]),
        (rows) => rows.map(({ count, state }) => [state, Number(count)] as const)
      ),
    claim: (known, limit, leaseMillis) =>
      Effect.map(
        query<SagaRow>("claim sagas", text.claim, [...knownOf(known), limit, leaseMillis]),
        (rows) => rows.map(claimedOf)
      ),
    next: (known) =>
      Effect.map(
        query<{ readonly millis: unknown }>("next saga", text.next, knownOf(known)),
        ([found]) => found?.millis === null || found === undefined ? undefined : Number(found.millis)
      ),
    extend: (held, leaseMillis) =>
      Effect.map(
        query<{ readonly seq: unknown }>("extend leases of sagas", text.extend, [
          held.map(({ sequence }) => sequence),
          held.map(({ token }) => token),
          leaseMillis
        ]),
        (rows) => new Set(rows.map(({ seq }) => BigInt(String(seq))))
      ),
    write: ({ sequence, token }, { backward, failure, parked, progress, releaseMillis, state, steps = [], wish }) =>
      Effect.map(
        query<{ readonly wish: string | null; readonly age: unknown }>("write saga", text.write, [
          sequence,
          token,
          state,
          backward ?? null,
          failure ?? null,
          parked === undefined ? null : JSON.stringify(parked),
          wish ?? null,
          releaseMillis ?? (state === "running" || state === "compensating" ? null : 0),
          progress,
          steps.map(({ place }) => place),
          steps.map(({ step }) => step),
          steps.map((step) => step.state),
          steps.map(({ attempt }) => attempt),
          steps.map(({ fallback }) => fallback),
          // JSON text is never empty, and an array of nulls alone has no type that the driver knows.
          steps.map(({ result }) => result ?? ""),
          steps.map((step) => step.failure ?? "")
        ]),
        ([written]) =>
          written === undefined ? undefined : { wish: written.wish ?? undefined, ageMillis: Number(written.age) }
      ),
    release: ({ sequence, token }, delayMillis) =>
      Effect.asVoid(query("release saga", text.release, [sequence, token, delayMillis])),
    take: ({ id, name, tenant }, states) =>
      Effect.map(
        query<SagaRow>("take saga", text.take, [tenant, name, id, states]),
        ([taken]) => taken === undefined ? undefined : claimedOf(taken)
      ),
    cancel: ({ id, name, tenant }, reason) =>
      Effect.map(query("cancel saga", text.cancel, [tenant, name, id, reason]), ({ length }) => length > 0),
    prune: (millis) => wholly(Effect.map(query("prune sagas", text.prune, [millis]), ({ length }) => length)),
    announce: channel.announce,
    listen: channel.listen,
    pollMillis: channel.pollMillis
  }
}

/** What the driver gives for `json` is a value, or its text where parsing is turned off. */
const parsed = <A>(json: A | string): A => typeof json === "string" ? JSON.parse(json) as A : json

const sagaOf = (row: SagaRow): SagaRecord => ({
  tenant: row.tenant,
  name: row.name,
  id: row.id,
  version: row.version,
  input: row.input,
  meta: parsed(row.meta),
  state: row.state,
  backward: row.backward,
  failure: row.failure ?? undefined,
  parked: row.parked === null ? undefined : JSON.parse(row.parked) as ParkedFor,
  wish: row.wish ?? undefined,
  attempts: row.attempts,
  token: BigInt(String(row.token)),
  steps: (row.steps === null ? [] : parsed(row.steps)).map((step): StepRecord => ({
    step: step.step,
    place: step.place,
    state: step.state,
    attempt: step.attempt,
    fallback: step.fallback,
    result: step.result ?? undefined,
    failure: step.failure ?? undefined,
    startedAt: new Date(step.started_at),
    changedAt: new Date(step.changed_at)
  })),
  startedAt: new Date(row.started_at),
  changedAt: new Date(row.changed_at)
})

const claimedOf = (row: SagaRow): ClaimedSaga => ({
  sequence: BigInt(String(row.seq)),
  token: BigInt(String(row.token)),
  saga: sagaOf(row),
  ageMillis: Number(row.age)
})
