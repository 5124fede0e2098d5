/**
 * The high-water mark of one process: the position below which nothing can appear any more.
 *
 * A writer gets its position from the default of a column, so it holds the `RowExclusiveLock` of the events table before
 * it has the position, and keeps it until its commit is visible. One statement reads the positions after the mark and
 * then, if they have a gap, the holders of that lock: `pg_locks` shows what is held now, later than the statement's
 * snapshot. So the owner of every missing position below the highest one seen has ended, or is among those holders. When
 * none of them is left, what is still missing will never come, and the mark steps over it. The holders of a fence are not
 * renewed while it stands, or a busy store would never get past it. No holders at all: the mark moves at once, also over
 * a million positions at a start.
 */
import { Cause, Clock, Effect, Latch } from "effect"
import type { SqlClient } from "effect/sql"
import type { HighWater } from "../../Subscription.ts"
import { StoreUnavailable } from "../../UnitOfWork.ts"
import { Signal } from "../Signal.ts"
import { orUnavailable } from "./SqlFailure.ts"

export interface HighWaterPg {
  readonly start: Effect.Effect<void>
  readonly state: Effect.Effect<HighWater>
  readonly markBeyond: (position: bigint) => Effect.Effect<bigint>
  /** Something was appended: look now. */
  readonly wake: () => void
  /** Follows the log from the first `start` on. */
  readonly follow: Effect.Effect<never>
}

interface LookRow {
  readonly settled: unknown
  readonly highest: unknown
  readonly standby: boolean
  readonly holders: ReadonlyArray<string> | null
}

interface Fence {
  readonly position: bigint
  readonly holders: ReadonlyArray<string>
}

/** So many positions are compared one by one; further ahead, only the fence moves the mark. */
const window = 1000
/** Between two looks at a busy store. */
const restMillis = 2
/** Between two looks at a gap, at least and at most. */
const gapMillis = { least: 2, most: 25 }

export const make = (client: SqlClient.SqlClient, schema: string, pollMillis: number): HighWaterPg => {
  const sql = client.withoutTransforms()
  const moved = new Signal()
  const woken = new Signal()
  const latch = Latch.makeUnsafe(false)
  let mark = 0n
  let highest = 0n
  let fence: Fence | undefined
  let gapSince: number | undefined
  let dirty = false
  let defect: { readonly error: unknown } | undefined

  const first = `select coalesce(max(position), 0) as position from ${schema}.subscription_partitions`
  const look = `with ahead as (
      select position, row_number() over (order by position) as n
      from (select position from ${schema}.events where position > $1::bigint order by position limit ${window}) as p
    ), seen as (
      select coalesce(max(position) filter (where position = $1::bigint + n), $1::bigint) as settled,
        (select coalesce(max(position), 0) from ${schema}.events) as highest
      from ahead
    )
    select settled, highest, pg_is_in_recovery() as standby,
      case when settled < highest then array(
        select virtualtransaction from pg_locks
        where locktype = 'relation' and relation = '${schema}.events'::regclass and granted
          and database = (select oid from pg_database where datname = current_database())
          and mode = 'RowExclusiveLock'
      ) end as holders
    from seen`

  const step = Effect.gen(function*() {
    const [row] = yield* sql.unsafe<LookRow>(look, [mark]).pipe(orUnavailable("high-water mark"))
    if (row === undefined) return
    if (row.standby) {
      return yield* new StoreUnavailable({
        operation: "high-water mark",
        reason: "this server is a standby, which does not show the locks of the writers"
      })
    }
    const holders = new Set(row.holders ?? [])
    highest = BigInt(String(row.highest))
    let next = BigInt(String(row.settled))
    if (fence !== undefined && !fence.holders.some((holder) => holders.has(holder))) {
      if (fence.position > next) next = fence.position
      fence = undefined
    } else if (fence !== undefined && fence.position <= next) fence = undefined
    if (next < highest && fence === undefined) {
      // `holders` belongs to this look, so it covers everything below `highest`.
      if (holders.size === 0) next = highest
      else fence = { position: highest, holders: [...holders] }
    }
    if (next !== mark || next >= highest) gapSince = undefined
    if (next < highest) gapSince ??= yield* Clock.currentTimeMillis
    if (next > mark) {
      mark = next
      moved.notify()
    }
  })

  const follow = Effect.gen(function*() {
    yield* latch.await
    // Every checkpoint was at or below a mark once.
    let ready = false
    let gapDelay = gapMillis.least
    let outageDelay = 50
    while (true) {
      dirty = false
      const before = mark
      const available = yield* Effect.gen(function*() {
        if (!ready) {
          const [row] = yield* sql.unsafe<{ readonly position: unknown }>(first).pipe(orUnavailable("high-water mark"))
          mark = BigInt(String(row?.position ?? 0))
          ready = true
          moved.notify()
        }
        yield* step
        return true
      }).pipe(Effect.catchTag("StoreUnavailable", () => Effect.succeed(false)))
      if (!available) {
        yield* Effect.sleep(outageDelay)
        outageDelay = Math.min(2000, outageDelay * 2)
        continue
      }
      outageDelay = 50
      yield* Effect.sleep(restMillis)
      if (fence === undefined && mark < highest) continue
      gapDelay = fence === undefined || mark > before ? gapMillis.least : Math.min(gapMillis.most, gapDelay * 2)
      yield* Effect.timeoutOption(woken.until(() => dirty), fence === undefined ? pollMillis : gapDelay)
    }
  }).pipe(
    Effect.onError((cause) =>
      Effect.sync(() => {
        if (Cause.hasInterruptsOnly(cause)) return
        defect = { error: Cause.squash(cause) }
        moved.notify()
      })
    )
  )

  return {
    start: Effect.asVoid(latch.open),
    state: Effect.map(Clock.currentTimeMillis, (now) => ({
      mark,
      highest: highest > mark ? highest : mark,
      gapMillis: gapSince === undefined ? undefined : Math.max(0, now - gapSince),
      holders: fence?.holders.length ?? 0
    })),
    markBeyond: (position) =>
      Effect.flatMap(
        moved.until(() => mark > position || defect !== undefined),
        () => mark > position ? Effect.succeed(mark) : Effect.die(defect?.error)
      ),
    wake: () => {
      dirty = true
      woken.notify()
    },
    follow
  }
}
