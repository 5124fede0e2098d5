/** One PostgreSQL for the whole test run; each test that asks for a database gets its own on it (`PgTest`). */
import { Cause, Effect, Exit, Scope } from "effect"
import type { TestProject } from "vitest/node"
import { type Address, makeServer } from "../src/testing/Database.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where the run's PostgreSQL is, or why there is none. */
    readonly postgres: { readonly address: Address } | { readonly problem: string }
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scope = Scope.makeUnsafe()
  const server = await Effect.runPromiseExit(makeServer({ maxConnections: 400 }).pipe(Scope.provide(scope)))
  project.provide(
    "postgres",
    Exit.isSuccess(server)
      ? { address: server.value.address }
      : { problem: Cause.prettyErrors(server.cause).map((error) => error.message).join("; ") }
  )
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
