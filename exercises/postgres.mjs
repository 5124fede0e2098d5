/**
 * PostgreSQL for the exercises that need it, in a process of its own, which the grader starts and keeps warm.
 *
 * It is the server of `DATABASE_URL`, or an embedded one. There it makes one database; each check gets a schema in it, made
 * when the check begins and dropped when it has ended. All of it goes when the process that started this one is gone.
 *
 * It is plain JavaScript, because Node strips no types from what lies in `node_modules`.
 */
import { Cause, Effect, Exit, Scope } from "effect"
import { Database } from "effect-lifecycle/testing"
import { Reactivity } from "effect/reactivity"

const scope = Scope.makeUnsafe()
const taken = new Set()

const reasonOf = (cause) => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

const opening = Effect.gen(function*() {
  const server = yield* Database.makeServer({ maxConnections: 60 })
  const sql = yield* Database.make(server.address, { client: { maxConnections: 2 } })
  const [{ database, home }] = yield* sql`select current_database() as database, current_schema() as home`
  const { address } = server
  if (!("url" in address)) return { home, sql, connection: { ...address, database } }
  const url = new URL(address.url)
  url.pathname = `/${database}`
  return { home, sql, connection: { url: url.href } }
}).pipe(Effect.provideService(Scope.Scope, scope), Effect.provide(Reactivity.layer))

const opened = Effect.runPromiseExit(opening)

const say = (message) => {
  if (process.connected) process.send(message)
}

const end = async () => {
  await opened
  await Promise.all([...taken].map(giveBack))
  await Effect.runPromiseExit(Scope.close(scope, Exit.void))
  process.exit(0)
}

// Where the user may make no database, `home` is a schema, and what is made beside it has to be told apart from the rest.
const schemaOf = (home, number) => `${home === "public" ? "check" : home}_${number}`

const take = async (number) => {
  const ready = await opened
  if (Exit.isFailure(ready)) return say({ _tag: "Refused", number, reason: reasonOf(ready.cause) })
  const { connection, home, sql } = ready.value
  const schema = schemaOf(home, number)
  taken.add(number)
  const made = await Effect.runPromiseExit(sql.unsafe(`create schema "${schema}"`))
  if (Exit.isFailure(made)) return say({ _tag: "Refused", number, reason: reasonOf(made.cause) })
  say({ _tag: "Taken", number, place: { ...connection, schema } })
}

/** What a check has left open is ended first: it would hold the tables. */
const giveBack = async (number) => {
  const ready = await opened
  if (Exit.isFailure(ready) || !taken.delete(number)) return
  const { home, sql } = ready.value
  const schema = schemaOf(home, number)
  await Effect.runPromiseExit(
    sql`select pg_terminate_backend(pid, 1000) from pg_stat_activity where application_name = ${schema}`.pipe(
      Effect.andThen(sql.unsafe(`drop schema if exists "${schema}" cascade`))
    )
  )
}

process.on("message", ({ _tag, number }) => void (_tag === "Take" ? take(number) : giveBack(number)))
process.on("disconnect", end)
// Ctrl-C reaches the whole group of a terminal. The process that started this one ends it when it ends itself.
process.on("SIGINT", () => {})
process.on("SIGTERM", end)
