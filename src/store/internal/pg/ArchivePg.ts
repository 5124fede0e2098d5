/** `Archive` over the rows of streams and the function that truncates. */
import { Effect, Option } from "effect"
import type { SqlClient } from "effect/sql"
import { Archive, type Status } from "../../Archive.ts"
import type { StoredEvent, StreamId } from "../../EventStore.ts"
import { fullStream, isPossible } from "../appends.ts"
import { cannot, invalidBefore, problems } from "../archives.ts"
import { orUnavailable, retrying } from "./SqlFailure.ts"

interface StatusRow {
  readonly version: unknown
  readonly archived_at: Date | string | null
  readonly truncated_before: unknown
}

interface TruncatedRow {
  readonly outcome: number
  readonly detail: string | null
  readonly removed: unknown
}

export const make = (client: SqlClient.SqlClient, schema: string): Archive["Service"] => {
  const sql = client.withoutTransforms()
  const retried = retrying(sql)
  const where = "where tenant = $1 and category = $2 and name = $3"
  const text = {
    archive:
      `update ${schema}.streams set archived_at = coalesce(archived_at, clock_timestamp()) ${where} returning 1 as done`,
    restore: `update ${schema}.streams set archived_at = null ${where} returning 1 as done`,
    status: `select version, archived_at, truncated_before from ${schema}.streams ${where}`,
    truncate: `select outcome, detail, removed from ${schema}.truncate_stream($1, $2, $3, $4::bigint, $5, $6, $7)`
  }
  const named = <A, E>(given: StreamId, none: A, use: (stream: StoredEvent["stream"]) => Effect.Effect<A, E>) =>
    Effect.withFiber<A, E>((fiber) => {
      const stream = fullStream(given, fiber)
      return isPossible(stream) ? use(stream) : Effect.succeed(none)
    })
  const change = (statement: string, operation: string) => (stream: StreamId) =>
    named(stream, false, ({ category, id, tenant }) =>
      retried(sql.unsafe(statement, [tenant, category, id])).pipe(
        orUnavailable(operation),
        Effect.map((rows) => rows.length > 0)
      ))
  return Archive.of({
    archive: change(text.archive, "archive"),
    restore: change(text.restore, "restore"),
    status: (stream) =>
      named(
        stream,
        Option.none<Status>(),
        ({ category, id, tenant }) =>
          sql.unsafe<StatusRow>(text.status, [tenant, category, id]).pipe(
            orUnavailable("status of a stream"),
            Effect.map(([row]) =>
              row === undefined ? Option.none() : Option.some({
                version: Number(row.version),
                archivedAt: row.archived_at === null ? undefined : new Date(row.archived_at),
                firstVersion: Number(row.truncated_before ?? 1)
              })
            )
          )
      ),
    truncate: (given, { before, keeps }) =>
      Effect.withFiber((fiber) => {
        const stream = fullStream(given, fiber)
        const invalid = invalidBefore(stream, before)
        if (invalid !== undefined) return Effect.fail(invalid)
        if (!isPossible(stream)) return Effect.fail(cannot(stream, before, keeps, "noStream", ""))
        const snapshot = "snapshot" in keeps ? keeps.snapshot : undefined
        return retried(sql.unsafe<TruncatedRow>(text.truncate, [
          stream.tenant,
          stream.category,
          stream.id,
          before,
          snapshot?.aggregate ?? null,
          snapshot?.fingerprint ?? null,
          "summary" in keeps ? keeps.summary : null
        ])).pipe(
          orUnavailable("truncate"),
          Effect.flatMap(([row]) => {
            const problem = problems[(row?.outcome ?? 0) - 1]
            return problem === undefined
              ? Effect.succeed(Number(row?.removed ?? 0))
              : Effect.fail(cannot(stream, before, keeps, problem, row?.detail ?? ""))
          })
        )
      })
  })
}
