/** Brings the schema of the store up to date; safe when several processes start at once. */
import { Cause, Effect } from "effect"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import { orUnavailable } from "../internal/pg/SqlFailure.ts"
import type { StoreUnavailable } from "../UnitOfWork.ts"
import * as Functions from "./Functions.ts"
import * as Subscriptions from "./Subscriptions.ts"
import * as Tables from "./Tables.ts"

/** Never edited once released: a change is a new entry. */
const all = (schema: string): Record<string, Effect.Effect<void, unknown, SqlClient.SqlClient>> => ({
  "0001_tables": Tables.migration(schema),
  "0002_functions": Functions.migration(schema),
  "0003_subscriptions": Subscriptions.migration(schema)
})

/**
 * One transaction under one advisory lock for the schema: who comes second waits, and then finds nothing to do.
 */
export const run = (
  client: SqlClient.SqlClient,
  schema: string
): Effect.Effect<void, StoreUnavailable | Migrator.MigrationError> => {
  const sql = client.withoutTransforms()
  return sql.withTransaction(Effect.gen(function*() {
    yield* sql`select pg_advisory_xact_lock(hashtextextended(${`effect-lifecycle/store/${schema}`}, 0))`
    // Asked first, because `create schema if not exists` needs the right to create one even where it exists.
    const found = yield* sql`select 1 from pg_namespace where nspname = ${schema}`
    if (found.length === 0) yield* sql`create schema ${sql(schema)}`.unprepared
    yield* Migrator.make({})({ loader: Migrator.fromRecord(all(`"${schema}"`)), table: `${schema}.migrations` })
  })).pipe(
    Effect.provideService(SqlClient.SqlClient, sql),
    Effect.catchTag("MigrationError", (error) => Effect.failCause(causeOf(error))),
    orUnavailable("migrate"),
    Effect.catchDefect((defect) =>
      Effect.fail(
        new Migrator.MigrationError({
          kind: "Failed",
          cause: defect,
          message: `The schema "${schema}" of the store could not be brought up to date: ${
            Cause.pretty(Cause.die(defect))
          }`
        })
      )
    )
  )
}

/** A migration that failed because of the database fails as the database did. */
const causeOf = (error: Migrator.MigrationError): Cause.Cause<Migrator.MigrationError | SqlError.SqlError> =>
  isSqlError(error.cause) ? Cause.fail(error.cause) : Cause.fail(error)

const isSqlError = (cause: unknown): cause is SqlError.SqlError =>
  typeof cause === "object" && cause !== null && "_tag" in cause && cause._tag === "SqlError"
