/** `IdempotencyStore` over PostgreSQL; its time is the database's clock, so servers with wrong clocks agree. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { type Claim, IdempotencyStore, type Key } from "../../IdempotencyStore.ts"
import { millisOf } from "../duration.ts"
import { uuid } from "../uuid.ts"
import { pruneBatch, wholly } from "./pruning.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"

interface ClaimRow {
  readonly outcome: number
  readonly answer: string | null
}

/** As the function `claim` of the migrations numbers them. */
const outcomes = ["Claimed", "Completed", "InProgress", "Mismatch"] as const

export const make = (client: SqlClient.SqlClient, schema: string): IdempotencyStore["Service"] => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  // A hash, because clients choose their keys as long as they like.
  const id = "sha256(convert_to($1, 'UTF8'))"
  const text = {
    claim: `select outcome, answer from ${schema}.claim($1, $2, $3, $4::bigint, $5::bigint)`,
    complete: `update ${schema}.idempotency
      set answer = $3, expires_at = clock_timestamp() + time_to_live * interval '1 millisecond'
      where id = ${id} and token = $2 returning 1 as done`,
    release: `delete from ${schema}.idempotency where id = ${id} and token = $2 and answer is null`,
    prune: `delete from ${schema}.idempotency where id in (
        select id from ${schema}.idempotency
        where expires_at <= clock_timestamp() - $1::bigint * interval '1 millisecond'
        order by expires_at limit ${pruneBatch} for update skip locked
      ) returning 1 as done`
  }
  return IdempotencyStore.of({
    claim: (key, { fingerprint, lease, timeToLive }) =>
      Effect.withFiber((fiber) => {
        const token = uuid(fiber)
        return retried(
          sql.unsafe<ClaimRow>(text.claim, [keyOf(key), fingerprint, token, millisOf(lease), millisOf(timeToLive)])
        ).pipe(
          orUnavailable("claim"),
          Effect.map(([row]): Claim => {
            const outcome = outcomes[row?.outcome ?? -1]
            return outcome === "Claimed"
              ? { _tag: outcome, token }
              : outcome === "Completed"
              ? { _tag: outcome, answer: row?.answer ?? "" }
              : { _tag: outcome ?? "InProgress" }
          })
        )
      }),
    complete: (key, token, answer) =>
      retried(sql.unsafe(text.complete, [keyOf(key), token, answer])).pipe(
        orUnavailable("complete"),
        Effect.map((rows) => rows.length > 0)
      ),
    release: (key, token) =>
      retried(sql.unsafe(text.release, [keyOf(key), token])).pipe(orUnavailable("release"), Effect.asVoid),
    prune: ({ expiredFor = "1 day" } = {}) =>
      retried(sql.unsafe(text.prune, [millisOf(expiredFor)])).pipe(
        orUnavailable("prune"),
        Effect.map(({ length }) => length),
        wholly
      )
  })
}

/** JSON writes NUL and lone surrogates as escapes, so every key can be stored. */
const keyOf = ({ key, scope }: Key): string => JSON.stringify([scope, key])
