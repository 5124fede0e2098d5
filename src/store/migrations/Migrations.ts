/** Brings the schema of the store up to date; safe when several processes start at once. */
import { Cause, Effect } from "effect"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import { orUnavailable } from "../internal/pg/SqlFailure.ts"
import type { StoreUnavailable } from "../UnitOfWork.ts"
import * as Appends from "./Appends.ts"
import * as Checksums from "./Checksums.ts"
import * as Functions from "./Functions.ts"
import * as Letters from "./Letters.ts"
import * as Outbox from "./Outbox.ts"
import * as Partitions from "./Partitions.ts"
import * as Rows from "./Rows.ts"
import * as Sagas from "./Sagas.ts"
import * as Sealing from "./Sealing.ts"
import * as Snapshots from "./Snapshots.ts"
import * as Subscriptions from "./Subscriptions.ts"
import * as Tables from "./Tables.ts"
import * as Tags from "./Tags.ts"

/** Never edited once released: a change is a new entry. */
export const all = (schema: string): Record<string, Effect.Effect<void, unknown, SqlClient.SqlClient>> => ({
  "0001_tables": Tables.migration(schema),
  "0002_functions": Functions.migration(schema),
  "0003_subscriptions": Subscriptions.migration(schema),
  "0004_appends": Appends.migration(schema),
  "0005_partitions": Partitions.migration(schema),
  "0006_snapshots": Snapshots.migration(schema),
  "0007_outbox": Outbox.migration(schema),
  "0008_tags": Tags.migration(schema),
  "0009_sagas": Sagas.migration(schema),
  "0010_checksums": Checksums.migration(schema),
  "0011_sealing": Sealing.migration(schema),
  "0012_rows": Rows.migration(schema),
  "0013_letters": Letters.migration(schema)
})

interface Recorded {
  readonly migration_id: number
  readonly name: string
}

/** One step, by its number. */
export interface Step {
  readonly id: number
  readonly name: string
}

/** The steps of this version, in order. */
export const steps: ReadonlyArray<Step> = Object.keys(all("")).map((key) => ({
  id: Number.parseInt(key),
  name: key.slice(key.indexOf("_") + 1)
}))

/** What has been done to the schema; nothing where it has no store. */
const recorded = (sql: SqlClient.SqlClient, schema: string) =>
  Effect.flatMap(
    sql<{ readonly found: boolean }>`select to_regclass(${`"${schema}".migrations`}) is not null as found`,
    ([row]) =>
      row?.found === true
        ? sql.unsafe<Recorded>(`select migration_id, name from "${schema}".migrations order by migration_id`)
        : Effect.succeed<ReadonlyArray<Recorded>>([])
  )

/** Why this version of the library must not touch the schema: another version has done to it what this one does not know. */
const strange = (schema: string, found: ReadonlyArray<Recorded>): Migrator.MigrationError | undefined => {
  const known = new Map(steps.map(({ id, name }) => [id, name] as const))
  const unknown = found.find(({ migration_id, name }) => known.get(migration_id) !== name)
  return unknown === undefined ? undefined : new Migrator.MigrationError({
    kind: "BadState",
    message:
      `The schema "${schema}" was migrated by another version of effect-lifecycle: step ${unknown.migration_id} (${unknown.name}) is not one of this version, which knows ${known.size}. Run this process with the version that migrated it or a later one, or give it a schema of its own (PgStore.layer({ schema }))`
  })
}

/** Finds a schema that is older or newer than this version, without changing it. */
export const check = (
  client: SqlClient.SqlClient,
  schema: string
): Effect.Effect<void, StoreUnavailable | Migrator.MigrationError> =>
  recorded(client.withoutTransforms(), schema).pipe(
    orUnavailable("check migrations"),
    Effect.flatMap((found): Effect.Effect<void, Migrator.MigrationError> => {
      const refused = strange(schema, found)
      if (refused !== undefined) return Effect.fail(refused)
      const missing = steps.length - found.length
      return missing === 0 ? Effect.void : Effect.fail(
        new Migrator.MigrationError({
          kind: "BadState",
          message:
            `The schema "${schema}" lacks ${missing} of the store's migrations, and migrate is false. Migrate it first: \`npx lifecycle store migrate --schema ${schema}\`, or build PgStore.layer({ schema: "${schema}" }) once, with a user that owns it`
        })
      )
    })
  )

/** What is still to be done, without changing anything. */
export const pending = (
  client: SqlClient.SqlClient,
  schema: string
): Effect.Effect<ReadonlyArray<Step>, StoreUnavailable | Migrator.MigrationError> =>
  recorded(client.withoutTransforms(), schema).pipe(
    orUnavailable("look at migrations"),
    Effect.flatMap((found) => {
      const refused = strange(schema, found)
      const last = found.at(-1)?.migration_id ?? 0
      return refused === undefined ? Effect.succeed(steps.filter(({ id }) => id > last)) : Effect.fail(refused)
    })
  )

/** Whoever migrates a schema holds the advisory lock of this name. */
export const lockName = (schema: string): string => `effect-lifecycle/store/${schema}`

/**
 * One transaction under one advisory lock for the schema: who comes second waits, and then finds nothing to do. With
 * `upTo` the steps after that one are left for later.
 */
export const run = (
  client: SqlClient.SqlClient,
  schema: string,
  upTo = Infinity
): Effect.Effect<void, StoreUnavailable | Migrator.MigrationError> => {
  const sql = client.withoutTransforms()
  return sql.withTransaction(Effect.gen(function*() {
    yield* sql`select pg_advisory_xact_lock(hashtextextended(${lockName(schema)}, 0))`
    // Asked first, because `create schema if not exists` needs the right to create one even where it exists.
    const found = yield* sql`select 1 from pg_namespace where nspname = ${schema}`
    if (found.length === 0) yield* sql`create schema ${sql(schema)}`.unprepared
    const refused = strange(schema, yield* recorded(sql, schema))
    if (refused !== undefined) return yield* refused
    const wanted = Object.fromEntries(
      Object.entries(all(`"${schema}"`)).filter(([key]) => Number.parseInt(key) <= upTo)
    )
    yield* Migrator.make({})({ loader: Migrator.fromRecord(wanted), table: `${schema}.migrations` })
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
