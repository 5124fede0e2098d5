/** Tells other processes that there is something to do, and hears it from them. A hint only: a lost one costs a poll. */
import { Duration, Effect, Queue, RcRef, Schedule, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { loud } from "../background.ts"
import { Signal } from "../Signal.ts"

/** One kind of what there is to do. All kinds share a channel of the server, and the connection that listens on it. */
export interface Channel {
  /** There is something to do here. */
  readonly announce: () => void
  /** Hears the announcements of other processes until the scope closes. */
  readonly listen: (heard: () => void) => Effect.Effect<void, never, Scope.Scope>
  /** How long something of another process can stay unnoticed. */
  readonly pollMillis: number
}

export interface WakeUp {
  readonly events: Channel
  readonly outbox: Channel
  readonly sagas: Channel
}

interface Options {
  readonly schema: string
  /** Of this process, which does not listen to itself. */
  readonly token: string
  readonly notify: boolean
  readonly listen: boolean
  readonly pollMillis: number
}

type Kind = keyof WakeUp

/** A `NOTIFY` inside the append would take a lock of the whole server at every commit: outside, one tells of many. */
const everyMillis = 10
/** Who waits for one saga listens for a moment: the next one finds the connection still there. */
const idleMillis = 2000
/** Below this a listener would take half of the pool or all of it. */
const leastConnections = 3

/** What a client that can listen has; `PgClient` of `@effect/sql-pg` does. */
interface Listener {
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<{ readonly payload: string }, unknown>, unknown, Scope.Scope>
}

/** The client as one that listens, or why it does not. */
const listenerOf = (client: object): Listener | string => {
  if (!("listen" in client) || typeof client.listen !== "function") return "its SQL client cannot listen"
  const { config } = client as { readonly config?: { readonly maxConnections?: unknown } }
  const most = config?.maxConnections
  return typeof most === "number" && most < leastConnections
    ? `a pool of ${most} has no connection to spare for listening, one of ${leastConnections} has`
    : client as Listener
}

/** For as long as the scope. Nothing is listened to before somebody listens, or after the last one has left. */
export const make = (client: SqlClient.SqlClient, options: Options): Effect.Effect<WakeUp, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { pollMillis, schema, token } = options
    const sql = client.withoutTransforms()
    const channel = `lifecycle_${schema}`
    const signal = new Signal()
    const dirty = new Set<Kind>()
    const listeners = new Set<{ readonly kind: Kind; readonly heard: () => void }>()
    const listener = options.listen ? listenerOf(client) : undefined
    let told = false

    const send = Effect.gen(function*() {
      yield* signal.until(() => dirty.size > 0)
      const kinds = [...dirty]
      dirty.clear()
      const statement = "select pg_notify($1::text, kind || ' ' || $2::text) from unnest($3::text[]) as kind"
      yield* Effect.ignoreCause(sql.unsafe(statement, [channel, token, kinds]))
      yield* Effect.sleep(everyMillis)
    }).pipe(Effect.forever)

    const wake = (kind?: string): void => {
      for (const one of listeners) if (kind === undefined || kind === one.kind) one.heard()
    }

    const listening = (listener: Listener) =>
      Effect.scoped(Effect.gen(function*() {
        const queue = yield* listener.listen(channel)
        wake() // what was written before the server listened
        while (true) {
          const { payload } = yield* Queue.take(queue)
          const [kind, from] = payload.split(" ")
          if (from !== token) wake(kind)
        }
      })).pipe(
        Effect.sandbox,
        Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])),
        Effect.ignore,
        loud(`Listening on ${channel}`)
      )

    const connection = listener === undefined || typeof listener === "string" ? undefined : yield* RcRef.make({
      acquire: Effect.forkScoped(listening(listener)),
      idleTimeToLive: idleMillis
    })

    const without = Effect.suspend(() => {
      if (typeof listener !== "string" || told) return Effect.void
      told = true
      const poll = Duration.format(Duration.millis(pollMillis))
      return Effect.logInfo(
        `The store "${schema}" does not listen, because ${listener}: what other processes write is found by a poll every ${poll}`
      )
    })

    if (options.notify) yield* Effect.forkScoped(loud(`Notifying on ${channel}`)(send))

    const of = (kind: Kind): Channel => ({
      announce: () => {
        if (dirty.has(kind)) return
        dirty.add(kind)
        signal.notify()
      },
      listen: (heard) =>
        Effect.gen(function*() {
          const one = { kind, heard }
          yield* Effect.acquireRelease(
            Effect.sync(() => listeners.add(one)),
            () => Effect.sync(() => listeners.delete(one))
          )
          yield* connection === undefined ? without : RcRef.get(connection)
        }),
      pollMillis
    })
    return { events: of("events"), outbox: of("outbox"), sagas: of("sagas") }
  })
