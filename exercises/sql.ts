/**
 * PostgreSQL for the specs of exercises that need it.
 *
 * The grader keeps one server warm (`postgres.mjs`), and gives each check a schema of its own there. Whatever else runs the
 * specs gives none: then the first spec that asks makes a database, on the server of `DATABASE_URL` or on an embedded one.
 * It stays warm between the specs of a process, and goes when nobody has used it for a while, or with the thread that
 * started it. Each task makes its tables anew.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { inject } from "vitest"

type Client = PgClient.PgClient | SqlClient.SqlClient

/** What the grader gives: a schema, or the news that there is no server. */
type Given =
  | {
    readonly _tag: "Place"
    readonly place:
      & { readonly schema: string }
      & (
        | { readonly url: string }
        | { readonly path: string; readonly username: string; readonly database: string }
      )
  }
  | { readonly _tag: "None" }

declare module "vitest" {
  interface ProvidedContext {
    readonly lifecycleSql?: Given
  }
}

interface Held {
  readonly client: Promise<Context.Context<Client>>
  readonly scope: Scope.Closeable
  users: number
  idle: ReturnType<typeof setTimeout> | undefined
}

// Specs that share a thread do not always share their modules.
const key = Symbol.for("effect-lifecycle/exercises/sql")
const shared = globalThis as { [key]?: Held | undefined }

// Only Linux stops a server whose starter is gone, so elsewhere it does not outlive its last user.
const idleMillis = process.platform === "linux" ? 3000 : 0

const ownDatabase = Layer.unwrap(Effect.promise(async () => {
  const { Database } = await import("effect-lifecycle/testing")
  return Database.layer({ maxConnections: 30, client: { minConnections: 4, maxConnections: 12 } })
}))

const start = (): Held => {
  const scope = Scope.makeUnsafe()
  const client = Effect.runPromise(Layer.buildWithScope(ownDatabase, scope))
  client.catch(() => shared[key] = undefined)
  return shared[key] = { client, scope, users: 0, idle: undefined }
}

const take = Effect.sync((): Held => {
  const held = shared[key] ?? start()
  clearTimeout(held.idle)
  held.users++
  return held
})

const giveBack = (held: Held) =>
  Effect.promise(async () => {
    if (--held.users > 0) return
    const stop = () => {
      if (shared[key] === held) shared[key] = undefined
      return Effect.runPromise(Scope.close(held.scope, Exit.void))
    }
    if (idleMillis === 0) await stop()
    else held.idle = setTimeout(stop, idleMillis).unref()
  })

const own: Layer.Layer<Client> = Layer.effectContext(
  Effect.flatMap(Effect.acquireRelease(take, giveBack), (held) => Effect.promise(() => held.client))
)

const layerOf = (given: Given | undefined): Layer.Layer<Client> => {
  if (given === undefined) return own
  // No task that needs it is run then; the others only have to get past this layer.
  if (given._tag === "None") return Layer.effectContext(Effect.succeed(Context.empty() as Context.Context<Client>))
  const { schema, ...address } = given.place
  return Layer.orDie(PgClient.layer({
    ...("url" in address ? { url: Redacted.make(address.url) } : address),
    maxConnections: 12,
    // By this name the grader ends what a check has left open.
    applicationName: schema,
    startupParameters: { search_path: schema }
  }))
}

/** The database. */
export const database: Layer.Layer<Client> = Layer.suspend(() => layerOf(inject("lifecycleSql")))

/** How a spec provides it: in real time, because the driver's timers are real. */
export const once = { excludeTestServices: true, timeout: "20 seconds" } as const

/** For the tasks of such a spec: a busy machine may need longer for a connection than a task is given otherwise. */
export const patient = { timeout: 15_000 } as const
