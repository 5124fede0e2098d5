/**
 * PostgreSQL for the specs of exercises that need it: one database for a process that grades, made when the first spec asks.
 *
 * It lies on the server of `DATABASE_URL`, or on an embedded one. It stays warm between the specs, and goes when nobody
 * has used it for a while, or with the thread that started it. Each check makes its tables anew.
 */
import type { PgClient } from "@effect/sql-pg"
import { type Context, Effect, Exit, Layer, Scope } from "effect"
import { Database } from "effect-lifecycle/testing"
import type { SqlClient } from "effect/sql"

type Client = PgClient.PgClient | SqlClient.SqlClient

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

const start = (): Held => {
  const scope = Scope.makeUnsafe()
  const layer = Database.layer({ maxConnections: 30, client: { minConnections: 4, maxConnections: 12 } })
  const client = Effect.runPromise(Layer.buildWithScope(layer, scope))
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

/** The database. Building it for the first time takes a second or more. */
export const database: Layer.Layer<Client> = Layer.effectContext(
  Effect.flatMap(Effect.acquireRelease(take, giveBack), (held) => Effect.promise(() => held.client))
)

/** How a spec provides it: in real time, because the driver's timers are real. */
export const once = { excludeTestServices: true, timeout: "20 seconds" } as const

/** For the tasks of such a spec: a busy machine may need longer for a connection than a task is given otherwise. */
export const patient = { timeout: 15_000 } as const
