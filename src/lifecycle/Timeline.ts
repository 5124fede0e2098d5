/**
 * How long each of the fifteen stages of one request took, and three ways to show it.
 *
 * A timeline comes from a client's probe, from the server's `StagesTimed` reports, or from both merged. It is plain data
 * with pure functions: a waterfall for a terminal, an SVG for a page, and the `Server-Timing` header that carries the
 * server's part to the client.
 *
 * Times are milliseconds. `startMillis` counts from a zero that the maker of the timeline chose, usually the moment the
 * request began; the clocks of client and server are never compared, {@link merge} places the server's stages inside the
 * time that the client spent waiting.
 *
 * **Gotchas**
 *
 * - A stage may have several entries (three middlewares) or none: none means "not measured", which is not the same as
 *   {@link notOnRoad}.
 * - `Server-Timing` tells the reader about the inside of a server: send it to trusted callers only.
 * - `Server-Timing` has no start times. {@link toServerTiming} can add them as a parameter that browsers ignore; without
 *   them the parsed stages are laid one behind the other.
 *
 * @example
 * ```ts
 * import { Timeline } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 *
 * const client = Timeline.make([
 *   { stage: "Dns", startMillis: 0, durationMillis: 2 },
 *   { stage: "Connect", startMillis: 2, durationMillis: 3 },
 *   Timeline.notOnRoad("Tls", "the URL is http"),
 *   { stage: "Send", startMillis: 5, durationMillis: 1 },
 *   { stage: "Response", startMillis: 16, durationMillis: 1 }
 * ])
 * const server = Timeline.make(Timeline.parseServerTiming(`Handler;dur=6;desc="domain/Mediator"`))
 * const both = Timeline.merge(client, server)
 *
 * assert.deepEqual(Timeline.measuredStages(both), ["Dns", "Connect", "Send", "Handler", "Response"])
 * assert.deepEqual(Timeline.waiting(client), { startMillis: 6, durationMillis: 10 })
 * assert.equal(Timeline.totalMillis(both), 17)
 * assert.equal(Timeline.waterfall(both).split("\n").length, 17)
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { dual } from "effect/Function"
import * as ServerTiming from "./internal/serverTiming.ts"
import { renderSvg } from "./internal/timelineSvg.ts"
import { renderWaterfall } from "./internal/timelineText.ts"
import type { StagesTimed } from "./Recorder.ts"
import { StageName } from "./Stage.ts"

/**
 * One measured part of the road.
 *
 * @category models
 * @since 0.1.0
 */
export const Entry = Schema.Struct({
  stage: StageName,
  /** The module or party that did the work, such as `server/Authentication`. */
  name: Schema.optional(Schema.String),
  startMillis: Schema.Finite,
  durationMillis: Schema.Finite,
  /** What a reader should know, such as why the duration is 0. */
  note: Schema.optional(Schema.String)
})

/**
 * One measured part of the road.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry extends Schema.Schema.Type<typeof Entry> {}

/**
 * A stage that this request did not pass, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface NotOnRoad {
  readonly stage: StageName
  readonly why: string
}

/**
 * The stages of one request: what was measured, in the order of the road, and what was not on this road.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timeline {
  readonly entries: ReadonlyArray<Entry>
  readonly notOnRoad: ReadonlyArray<NotOnRoad>
}

/**
 * A stretch of time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Window {
  readonly startMillis: number
  readonly durationMillis: number
}

const order = new Map(StageName.literals.map((stage, index) => [stage, index]))
const place = (stage: StageName): number => order.get(stage) ?? 0

const byRoad = (a: Entry, b: Entry): number => place(a.stage) - place(b.stage) || a.startMillis - b.startMillis

const isEntry = (item: Entry | NotOnRoad): item is Entry => "durationMillis" in item

/**
 * Builds a timeline. A negative duration counts as 0, an entry whose times are not finite is left out, and a measured
 * stage is on the road whatever else is said about it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (items: Iterable<Entry | NotOnRoad>): Timeline => {
  const entries: Array<Entry> = []
  const absent = new Map<StageName, NotOnRoad>()
  for (const item of items) {
    if (!isEntry(item)) absent.set(item.stage, item)
    else if (Number.isFinite(item.startMillis) && Number.isFinite(item.durationMillis)) {
      entries.push(item.durationMillis < 0 ? { ...item, durationMillis: 0 } : item)
    }
  }
  for (const entry of entries) absent.delete(entry.stage)
  return {
    entries: entries.sort(byRoad),
    notOnRoad: Array.from(absent.values()).sort((a, b) => place(a.stage) - place(b.stage))
  }
}

/**
 * Says that a stage is not on this road: an item for {@link make}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const notOnRoad = (stage: StageName, why: string): NotOnRoad => ({ stage, why })

/**
 * Builds a timeline from a server's reports; its zero is the earliest start.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromReports = (reports: Iterable<StagesTimed>): Timeline => {
  const all = Array.from(reports).flatMap((report) => report.stages)
  const first = all.reduce<bigint | undefined>(
    (least, report) => least === undefined || report.startNanos < least ? report.startNanos : least,
    undefined
  )
  return make(all.map((report): Entry => ({
    stage: report.stage,
    name: report.name,
    startMillis: Number(report.startNanos - (first ?? 0n)) / 1e6,
    durationMillis: Number(report.endNanos - report.startNanos) / 1e6
  })))
}

/**
 * The stages that carry at least one measurement, in the order of the road.
 *
 * @category getters
 * @since 0.1.0
 */
export const measuredStages = (timeline: Timeline): ReadonlyArray<StageName> =>
  Array.from(new Set(timeline.entries.map((entry) => entry.stage)))

/**
 * From the earliest start to the latest end; 0 for an empty timeline.
 *
 * @category getters
 * @since 0.1.0
 */
export const totalMillis = (timeline: Timeline): number => {
  const { end, start } = bounds(timeline.entries)
  return end - start
}

/**
 * How long a stage was busy, where entries that overlap count once; `undefined` when it was not measured.
 *
 * @category getters
 * @since 0.1.0
 */
export const durationMillis = (timeline: Timeline, stage: StageName): number | undefined => {
  let sum: number | undefined
  let end = -Infinity
  for (const entry of timeline.entries) {
    if (entry.stage !== stage) continue
    const entryEnd = entry.startMillis + entry.durationMillis
    sum = (sum ?? 0) + Math.max(0, entryEnd - Math.max(entry.startMillis, end))
    end = Math.max(end, entryEnd)
  }
  return sum
}

/**
 * What a client saw of the server: from the end of `Send` to the start of `Response`. `undefined` when either is missing.
 *
 * @category getters
 * @since 0.1.0
 */
export const waiting = (timeline: Timeline): Window | undefined => {
  const sent = bounds(timeline.entries.filter((entry) => entry.stage === "Send")).end
  const received = bounds(timeline.entries.filter((entry) => entry.stage === "Response")).start
  if (!timeline.entries.some((entry) => entry.stage === "Send")) return undefined
  if (!timeline.entries.some((entry) => entry.stage === "Response")) return undefined
  return { startMillis: sent, durationMillis: Math.max(0, received - sent) }
}

/** What a server may not say about a request: these the client has measured itself. */
const clientSide: ReadonlySet<StageName> = new Set<StageName>(["Dns", "Connect", "Tls", "Send"])

/**
 * One road from two views: the client's waterfall, and the server's stages inside the part where the client waited.
 *
 * The time that no stage accounts for is the way there and back; half of it is placed before the server's first stage.
 * Durations are kept as measured. Where the server's stages last longer than the wait (they overlap, or the body was
 * already on its way), their starts are drawn together so that each still begins inside it. Without a waiting part
 * the server's stages follow the client's last entry. Entries that a server reports for the client's own stages are dropped.
 *
 * @category combinators
 * @since 0.1.0
 */
export const merge: {
  (server: Timeline): (client: Timeline) => Timeline
  (client: Timeline, server: Timeline): Timeline
} = dual(2, (client: Timeline, server: Timeline): Timeline => {
  const inner = server.entries.filter((entry) => !clientSide.has(entry.stage))
  const { end, start } = bounds(inner)
  const span = end - start
  const window = waiting(client)
  const spare = window === undefined ? 0 : window.durationMillis - span
  const zero = window === undefined
    ? bounds(client.entries).end
    : window.startMillis + Math.max(0, spare) / 2
  const scale = window === undefined || spare >= 0 ? 1 : window.durationMillis / span
  return make([
    ...client.notOnRoad,
    ...server.notOnRoad.filter((item) => !clientSide.has(item.stage)),
    ...client.entries,
    ...inner.map((entry) => ({ ...entry, startMillis: zero + (entry.startMillis - start) * scale }))
  ])
})

/**
 * The `Server-Timing` header of a timeline, such as `Handler;dur=1.234;desc="domain/Mediator"`; `""` when empty.
 *
 * With `starts`, each entry carries `;start=` too, so that our own client can draw stages where they happened. Characters
 * that a header may not hold are replaced by `?`.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toServerTiming = (timeline: Timeline, options?: { readonly starts?: boolean | undefined }): string =>
  ServerTiming.encode(timeline.entries, bounds(timeline.entries).start, options?.starts ?? false)

/**
 * The entries of a `Server-Timing` header that name one of the fifteen stages and a duration. Everything else in it is
 * skipped; nothing in it can throw.
 *
 * @category encoding
 * @since 0.1.0
 */
export const parseServerTiming = (header: string): ReadonlyArray<Entry> => ServerTiming.decode(header)

/**
 * What a waterfall looks like.
 *
 * @category models
 * @since 0.1.0
 */
export interface WaterfallOptions {
  /** Columns of the terminal; 100 when absent, never less than 60 or more than 300. */
  readonly width?: number | undefined
  /** Use ANSI colours; off when absent. */
  readonly color?: boolean | undefined
}

/**
 * A waterfall for a terminal: a heading, one line for each of the fifteen stages (number, name, who did the work or owns the
 * stage, a bar at its place in time, milliseconds), and a closing line with the totals.
 *
 * @category rendering
 * @since 0.1.0
 */
export const waterfall = (timeline: Timeline, options?: WaterfallOptions): string =>
  renderWaterfall({ ...rows(timeline), width: options?.width ?? 100, color: options?.color ?? false })

/**
 * The waterfall as one self-contained SVG with a title, a description and a text for every stage.
 *
 * @category rendering
 * @since 0.1.0
 */
export const toSvg = (timeline: Timeline, options?: { readonly title?: string | undefined }): string =>
  renderSvg({ ...rows(timeline), title: options?.title ?? "How long each stage of one request took" })

const bounds = (entries: ReadonlyArray<Entry>): { readonly start: number; readonly end: number } => {
  let start = Infinity
  let end = -Infinity
  for (const entry of entries) {
    start = Math.min(start, entry.startMillis)
    end = Math.max(end, entry.startMillis + entry.durationMillis)
  }
  return start === Infinity ? { start: 0, end: 0 } : { start, end }
}

const rows = (timeline: Timeline) => ({
  start: bounds(timeline.entries).start,
  total: totalMillis(timeline),
  waiting: waiting(timeline),
  rows: StageName.literals.map((stage, index) => ({
    number: index + 1,
    stage,
    entries: timeline.entries.filter((entry) => entry.stage === stage),
    busyMillis: durationMillis(timeline, stage),
    absent: timeline.notOnRoad.find((item) => item.stage === stage)?.why
  }))
})
