/** PostgreSQL for tests: a new database for each layer build, dropped when the layer's scope closes. */
import type { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { inject, type ProvidedContext } from "vitest"
import { Database } from "../src/testing/index.ts"

/** Fails the test, and says why, when the run has no PostgreSQL. */
export const address: Effect.Effect<Database.Address> = Effect.suspend(() => {
  const postgres: ProvidedContext["postgres"] | undefined = inject("postgres")
  if (postgres === undefined) {
    return Effect.die(new Error("This test needs PostgreSQL, but test/globalSetup.ts did not run"))
  }
  return "address" in postgres
    ? Effect.succeed(postgres.address)
    : Effect.die(new Error(`This test needs PostgreSQL. ${postgres.problem}`))
})

/** `PgTest` with options, such as the size of its pool. */
export const pgTest = (
  options?: Database.Options
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, Database.DatabaseError> =>
  Layer.unwrap(Effect.map(address, (address) => Database.layerAt(address, options)))

/** A database of its own for each build. */
export const PgTest = pgTest()
