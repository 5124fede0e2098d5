/**
 * The care of a store on PostgreSQL: bring its schema up to date, look whether everything in it holds, and carry it to
 * another place. `npx lifecycle store` is this on the command line.
 *
 * {@link verify} reads the whole store in one snapshot, while others write, and says of every fault which stream, version
 * and event it is. {@link exportTo} writes all rows as lines of JSON, as of one moment: events with their positions,
 * tenants and tags, archived and truncated streams, keys of people as they are wrapped, checkpoints, states, outbox and
 * sagas. {@link importFrom} reads them into a schema that has no tables, in one transaction: all of them or nothing. What
 * is read has the same positions, so subscriptions go on where they were.
 *
 * **Gotchas**
 *
 * - Checksums have no key: they find damage and careless hands, not somebody who makes them anew. Keep the checksum of an
 *   export elsewhere and give it to `importFrom`, which finds that too.
 * - An export holds wrapped keys and everything else of the store: it is as secret as the store, and what was shredded
 *   later is readable in it for who has the master key.
 * - Both read or write in one transaction. A long export keeps a vacuum from removing what has died since it began.
 * - An export that was cut off is of no use; write it to a new name, and rename it when it is done.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { Maintenance } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * // In a job of a service, with a `PgClient`: how many faults are there?
 * const nightly = Effect.map(Maintenance.verify({ schema: "orders" }), ({ faults }) => faults.length)
 *
 * const refused = Maintenance.verify({ schema: "not a name" }).pipe(
 *   Effect.provide(Layer.succeed(SqlClient.SqlClient, {} as SqlClient.SqlClient))
 * )
 * assert.ok(Effect.isEffect(nightly))
 * await assert.rejects(Effect.runPromise(refused), /schema must be/)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, type Stream } from "effect"
import { type Migrator, SqlClient, type SqlError } from "effect/sql"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { StoredEvent } from "./EventStore.ts"
import { InvalidExport, SchemaNotEmpty } from "./internal/exportErrors.ts"
import { exportRows } from "./internal/pg/exporting.ts"
import { importRows } from "./internal/pg/importing.ts"
import { migrationScript } from "./internal/pg/migrationScript.ts"
import { invalidSchema } from "./internal/pg/schemaName.ts"
import { orUnavailable } from "./internal/pg/SqlFailure.ts"
import * as Verification from "./internal/pg/verification.ts"
import * as Migrations from "./migrations/Migrations.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

export { InvalidExport, SchemaNotEmpty }

/**
 * Which store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** As in `PgStore.layer`; `es` when absent. */
  readonly schema?: string | undefined
}

/**
 * A step that brings the schema up to date.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly id: number
  readonly name: string
}

/**
 * Something that does not hold.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  /** The name of the check that found it. */
  readonly check: string
  readonly problem: string
  /** Where it is, as far as that is known. */
  readonly stream: StoredEvent["stream"] | undefined
  readonly version: number | undefined
  readonly position: bigint | undefined
  readonly eventId: string | undefined
}

/**
 * What was looked at and what was found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly schema: string
  readonly streams: number
  readonly events: number
  /** `more` when there are more faults than were asked for. */
  readonly checks: ReadonlyArray<{
    readonly name: string
    readonly about: string
    readonly faults: number
    readonly more: boolean
  }>
  readonly faults: ReadonlyArray<Fault>
}

/**
 * What was written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Exported {
  readonly schema: string
  /** How many rows of each table. */
  readonly rows: Readonly<Record<string, number>>
  /** The checksum of the whole. */
  readonly sha256: string
}

/**
 * What was read.
 *
 * @category models
 * @since 0.1.0
 */
export type Imported = Exported

const withStore = <A, E, R>(
  operation: string,
  { schema = "es" }: Options,
  use: (sql: SqlClient.SqlClient, schema: string) => Effect.Effect<A, E, R>
): Effect.Effect<
  A,
  Exclude<E, SqlError.SqlError> | StoreUnavailable | InvalidOption,
  R | SqlClient.SqlClient
> => {
  const refused = invalidSchema("Maintenance", schema)
  return refused === undefined
    ? Effect.flatMap(SqlClient.SqlClient, (sql) => use(sql.withoutTransforms(), schema)).pipe(orUnavailable(operation))
    : Effect.fail(refused)
}

/**
 * The steps that the schema lacks.
 *
 * @category migrating
 * @since 0.1.0
 */
export const pending = (
  options: Options = {}
): Effect.Effect<
  ReadonlyArray<Step>,
  StoreUnavailable | Migrator.MigrationError | InvalidOption,
  SqlClient.SqlClient
> => withStore("look at migrations", options, Migrations.pending)

/**
 * The statements of the steps that the schema lacks, for a person to read or for `psql` to run; none when it lacks none.
 *
 * @category migrating
 * @since 0.1.0
 */
export const script = (
  options: Options = {}
): Effect.Effect<
  ReadonlyArray<string>,
  StoreUnavailable | Migrator.MigrationError | InvalidOption,
  SqlClient.SqlClient
> =>
  withStore(
    "look at migrations",
    options,
    (sql, schema) => Effect.flatMap(Migrations.pending(sql, schema), (steps) => migrationScript(schema, steps))
  )

/**
 * Brings the schema up to date, as `PgStore.layer` does when it is built; the steps that it lacked.
 *
 * @category migrating
 * @since 0.1.0
 */
export const migrate = (
  options: Options = {}
): Effect.Effect<
  ReadonlyArray<Step>,
  StoreUnavailable | Migrator.MigrationError | InvalidOption,
  SqlClient.SqlClient
> =>
  withStore(
    "migrate",
    options,
    (sql, schema) => Effect.tap(Migrations.pending(sql, schema), () => Migrations.run(sql, schema))
  )

/**
 * Looks whether everything in the store holds, in one snapshot and without changing anything.
 *
 * @category verifying
 * @since 0.1.0
 */
export const verify = (
  options: Options & {
    /** How many faults of each kind are told at most; 100 when absent. */
    readonly most?: number | undefined
  } = {}
): Effect.Effect<Report, StoreUnavailable | Migrator.MigrationError | InvalidOption, SqlClient.SqlClient> =>
  withStore("verify", options, (sql, schema) =>
    Effect.gen(function*() {
      const { most = 100 } = options
      if (!Number.isSafeInteger(most) || most < 1) {
        return yield* new InvalidOption({
          module: "Maintenance.verify",
          option: "most",
          value: String(most),
          allowed: "a whole number from 1"
        })
      }
      yield* Migrations.check(sql, schema)
      return yield* Verification.verify(sql, schema, most)
    }))

/**
 * Writes the whole store as lines of JSON, in pages of about a megabyte: one moment of it, while others write.
 *
 * @category moving
 * @since 0.1.0
 */
export const exportTo = <E, R>(
  write: (lines: ReadonlyArray<string>) => Effect.Effect<void, E, R>,
  options: Options = {}
): Effect.Effect<
  Exported,
  Exclude<E, SqlError.SqlError> | StoreUnavailable | Migrator.MigrationError | InvalidOption,
  R | SqlClient.SqlClient
> =>
  withStore(
    "export",
    options,
    (sql, schema) => Effect.andThen(Migrations.check(sql, schema), exportRows(sql, schema, write))
  )

/**
 * Reads the lines of an export into a schema that has no tables, and brings it up to date: all of it or nothing.
 *
 * @category moving
 * @since 0.1.0
 */
export const importFrom = <E, R>(
  lines: Stream.Stream<string, E, R>,
  options: Options & {
    /** The checksum that `exportTo` has answered with; any when absent. */
    readonly sha256?: string | undefined
    /**
     * New events get positions above this one. After a restore of an older state, give the highest position that anybody
     * outside has seen, so that none of those is given out again.
     */
    readonly above?: bigint | undefined
  } = {}
): Effect.Effect<
  Imported,
  | Exclude<E, SqlError.SqlError>
  | InvalidExport
  | SchemaNotEmpty
  | StoreUnavailable
  | Migrator.MigrationError
  | InvalidOption,
  R | SqlClient.SqlClient
> => withStore("import", options, (sql, schema) => importRows(sql, schema, lines, options))
