/** Tells other processes that something was appended, and hears it from them. A hint only: a lost one costs a poll. */
import { Effect, Queue, Schedule, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { Signal } from "../Signal.ts"

export interface WakeUp {
  /** Something was appended here. */
  readonly appended: () => void
  /** Sends at once after a quiet time, and then at most once in `everyMillis`. */
  readonly send: Effect.Effect<never>
  /** Calls `heard` for what other processes have appended. */
  readonly listen: (heard: () => void) => Effect.Effect<void>
}

/** A `NOTIFY` inside the append would take a lock of the whole server at every commit: outside, one tells of many. */
const everyMillis = 10

/** What a client that can listen has; `PgClient` of `@effect/sql-pg` does. */
interface Listener {
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<{ readonly payload: string }, unknown>, unknown, Scope.Scope>
}

const listenerOf = (client: object): Listener | undefined => {
  if (!("listen" in client) || typeof client.listen !== "function") return undefined
  // A pool of one connection cannot spare it.
  const { config } = client as { readonly config?: { readonly maxConnections?: unknown } }
  return config?.maxConnections === 1 ? undefined : client as Listener
}

export const make = (client: SqlClient.SqlClient, schema: string, token: string): WakeUp => {
  const sql = client.withoutTransforms()
  const channel = `lifecycle_${schema}`
  const signal = new Signal()
  let dirty = false
  return {
    appended: () => {
      if (dirty) return
      dirty = true
      signal.notify()
    },
    send: Effect.gen(function*() {
      yield* signal.until(() => dirty)
      dirty = false
      yield* Effect.ignoreCause(sql.unsafe("select pg_notify($1, $2)", [channel, token]))
      yield* Effect.sleep(everyMillis)
    }).pipe(Effect.forever),
    listen: (heard) => {
      const listener = listenerOf(client)
      if (listener === undefined) return Effect.void
      return Effect.scoped(Effect.gen(function*() {
        const queue = yield* listener.listen(channel)
        heard() // what was appended before the server listened
        while (true) {
          const { payload } = yield* Queue.take(queue)
          if (payload !== token) heard()
        }
      })).pipe(
        Effect.sandbox,
        Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])),
        Effect.ignore
      )
    }
  }
}
