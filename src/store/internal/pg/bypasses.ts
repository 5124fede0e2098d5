/** Tells of inline projections that the appends of this process go past, because no layer of it keeps them. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { Signal } from "../Signal.ts"

/** A process that begins may append before it has all its layers. */
const patienceMillis = 1000
/** How often a process that appends looks; it costs its appends nothing. */
const everyMillis = 60_000

export interface Bypasses {
  /** This process keeps the projection from now on. */
  readonly keeps: (name: string) => void
  readonly appended: () => void
  /** Looks for as long as it runs, and says each name once. */
  readonly watch: Effect.Effect<never>
}

export const make = (client: SqlClient.SqlClient, schema: string): Bypasses => {
  const sql = client.withoutTransforms()
  const kept = new Set<string>()
  const signal = new Signal()
  let wrote = false
  const look = Effect.gen(function*() {
    const live = yield* sql.unsafe<{ readonly name: string }>(
      `select name from ${schema}.projections where status = 'live' and mode = 'inline' order by name`
    )
    for (const { name } of live) {
      if (kept.has(name)) continue
      kept.add(name)
      yield* Effect.logWarning(
        `The projection "${name}" is kept in the transaction of every append, and this process appends without it: its rows miss those events. Give the process Projection.layerInline with the live version, then raise the version to build it anew; nothing is wrong if this process never appends what the projection handles`
      )
    }
  })
  return {
    keeps: (name) => {
      kept.add(name)
    },
    appended: () => {
      if (wrote) return
      wrote = true
      signal.notify()
    },
    watch: Effect.gen(function*() {
      yield* signal.until(() => wrote)
      yield* Effect.sleep(patienceMillis)
      wrote = false
      yield* Effect.ignoreCause(look, { log: "Debug" })
      yield* Effect.sleep(everyMillis)
    }).pipe(Effect.forever)
  }
}
