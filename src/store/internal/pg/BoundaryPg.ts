/** Dynamic consistency boundaries in PostgreSQL: the locks of tags are advisory locks of the transaction. */
import { Effect, Exit } from "effect"
import type { SqlClient } from "effect/sql"
import type { AppendResult, TaggedEvent } from "../../DynamicConsistencyBoundary.ts"
import type { InvalidAppend, StreamArchived } from "../../EventStore.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import type { BoundaryBackend } from "../BoundaryBackend.ts"
import { eventOf, type EventRow, toBigInt } from "./eventRows.ts"
import { answerOf, codeOf, eventArrays, type ResultRow } from "./EventStorePg.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"

interface TaggedRow extends EventRow {
  readonly tenant: string
  readonly category: string
  readonly name: string
  readonly tags: ReadonlyArray<string>
}

interface TaggedResultRow extends ResultRow {
  readonly found_type: string | null
}

const pageSize = 1000

/** `appended` is called after the commit of an append that wrote something. */
export const make = (
  client: SqlClient.SqlClient,
  schema: string,
  unit: UnitOfWork["Service"],
  appended: () => void
): BoundaryBackend => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const told = unit.afterCommit(Effect.sync(appended))
  const text = {
    bounds: `select bound from ${schema}.tag_bounds($1, $2::jsonb)`,
    read: `select * from ${schema}.read_tagged($1, $2::jsonb, $3::bigint, ${pageSize}) order by position`,
    append: `select * from ${schema}.append_tagged($1, $2, $3, $4::bigint, $5, $6::int,
      $7::text[], $8::text[], $9::int[], $10::text[], $11::text[], $12::text[], $13::int[], $14::jsonb)`
  }
  return {
    read: (tenant, items) =>
      Effect.gen(function*() {
        // First how far, then the events up to there: what is written between the two is beyond the bounds.
        const bounds = yield* sql.unsafe<{ readonly bound: unknown }>(text.bounds, [tenant, JSON.stringify(items)])
          .pipe(
            orUnavailable("read boundary"),
            Effect.map((rows) => rows.map(({ bound }) => toBigInt(bound)))
          )
        const bounded = JSON.stringify(items.map((item, index) => ({ ...item, bound: String(bounds[index] ?? 0n) })))
        const events: Array<TaggedEvent> = []
        while (true) {
          const page = yield* sql.unsafe<TaggedRow>(text.read, [tenant, bounded, events.at(-1)?.position ?? 0n]).pipe(
            orUnavailable("read boundary")
          )
          for (const row of page) {
            const stream = { tenant: row.tenant, category: row.category, id: row.name }
            events.push({ ...eventOf(row, stream), tags: row.tags })
          }
          if (page.length < pageSize) return { events, bounds }
        }
      }),
    append: (prepared, tags, items) =>
      retried(sql.unsafe<TaggedResultRow>(text.append, [
        prepared.stream.tenant,
        prepared.stream.category,
        prepared.stream.id,
        codeOf(prepared.expect),
        prepared.commandId ?? null,
        prepared.given,
        ...eventArrays(prepared.events),
        tags.flat(),
        tags.flatMap((names, index) => names.map(() => index + 1)),
        JSON.stringify(items.map((item) => ({ ...item, after: String(item.after) })))
      ])).pipe(
        orUnavailable("append"),
        Effect.flatMap(([row]): Exit.Exit<AppendResult, InvalidAppend | StreamArchived | Effect.Error<typeof told>> =>
          row === undefined
            ? Exit.die(new Error("append_tagged answered without a row: the functions of the schema have been changed"))
            : row.outcome === 9
            ? Exit.succeed({
              _tag: "ConditionFailed",
              position: toBigInt(row.last_position),
              type: row.found_type ?? ""
            })
            : answerOf(prepared, row) as Exit.Exit<AppendResult, InvalidAppend | StreamArchived>
        ),
        Effect.tap((result) => result._tag === "Appended" && !result.replayed ? told : Effect.void)
      )
  }
}
