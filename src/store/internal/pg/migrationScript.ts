/** The statements of migrations, without running them. */
import { Effect, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, Statement } from "effect/sql"
import * as Migrations from "../../migrations/Migrations.ts"

/** A client that keeps what it is asked to execute, and answers with no rows. */
const recorder = (statements: Array<string>) => {
  const keep = (statement: string) =>
    Effect.sync(() => {
      statements.push(statement)
      return []
    })
  const connection: SqlConnection.Connection = {
    execute: keep,
    executeRaw: keep,
    executeStream: (statement) => Stream.fromEffectDrain(keep(statement)),
    executeUnprepared: keep,
    executeValues: keep,
    executeValuesUnprepared: keep
  }
  return Effect.provide(
    SqlClient.make({
      driver: "pg",
      acquirer: Effect.succeed(connection),
      compiler: Statement.makeCompilerSqlite(), // the statements of migrations come as text
      spanAttributes: []
    }),
    Reactivity.layer
  )
}

/** What `Migrations.run` does for these steps, for a person to read or for `psql` to run. */
export const migrationScript = Effect.fnUntraced(function*(schema: string, steps: ReadonlyArray<Migrations.Step>) {
  if (steps.length === 0) return []
  const quoted = `"${schema}"`
  const statements = ["begin", `select pg_advisory_xact_lock(hashtextextended('${Migrations.lockName(schema)}', 0))`]
  if (steps[0]?.id === 1) {
    statements.push(
      `create schema if not exists ${quoted}`,
      `create table ${quoted}.migrations (
  migration_id integer primary key,
  created_at timestamp with time zone not null default now(),
  name text not null
)`
    )
  }
  const migrations = new Map(
    Object.entries(Migrations.all(quoted)).map(([key, effect]) => [Number.parseInt(key), effect] as const)
  )
  const client = yield* recorder(statements)
  for (const { id, name } of steps) {
    yield* (migrations.get(id) ?? Effect.void).pipe(Effect.provideService(SqlClient.SqlClient, client), Effect.orDie)
    statements.push(`insert into ${quoted}.migrations (migration_id, name) values (${id}, '${name}')`)
  }
  return [...statements, "commit"]
})
