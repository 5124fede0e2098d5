/**
 * The reports of the last requests, as they came.
 */
import { Clock, type Fiber, References } from "effect"
import type * as Recorder from "../../lifecycle/Recorder.ts"
import type * as Story from "../../lifecycle/Story.ts"
import { StandingMemory } from "./journalStanding.ts"
import { partsOf } from "./journalParts.ts"

/**
 * How many reports one request keeps; further ones are counted.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxSteps = 256

type Noteworthy =
  | Recorder.CircuitCalled
  | Recorder.DeadlineMissed
  | Recorder.HeaderIgnored
  | Recorder.CircuitMoved
  | Recorder.BulkheadRefused
  | Recorder.BudgetDenied
  | Recorder.RetryDelayed
  | Recorder.RateLimitApplied
  | Recorder.FallbackUsed
  | Recorder.ChaosInjected
  | Recorder.HookFailed
  | Recorder.SnapshotIgnored

/** Something that happened at one moment, such as a call that a bulkhead turned away. A bug's cause is not kept. */
export interface Noted {
  readonly _tag: "Noted"
  readonly report: Noteworthy | Omit<Recorder.DefectCaught, "cause">
  readonly atNanos: bigint
}

/** A request has begun; how it ended stands in a report of its own. */
export interface Began {
  readonly _tag: "Began"
  readonly method: string
  readonly startNanos: bigint
}

/** What of `ServerRequestEnded` is kept: not its path. */
export interface Ended {
  readonly _tag: "Ended"
  readonly sequence: number
  readonly method: string
  readonly route: string | undefined
  readonly status: number
  readonly outcome: Recorder.ServerRequestEnded["outcome"]
  readonly stage: Recorder.ServerRequestEnded["stage"]
  readonly userId: string | undefined
  readonly startNanos: bigint
  readonly endNanos: bigint
}

/** What is kept of one request, beside the number of the fiber that reported it. */
export type Kept =
  | Recorder.StageTimed
  | Recorder.CommandEnded
  | Recorder.ClientRequestEnded
  | Recorder.ClientAttemptEnded
  | Recorder.SagaStepEnded
  | Noted
  | Began
  | Ended

/** Everything that is known of one request id. */
export interface Page {
  readonly requestId: string
  readonly kept: Array<Kept>
  /** The fiber of each entry of `kept`. */
  readonly fibers: Array<number>
  /** What separates the clock's two readings, in nanoseconds. */
  readonly toWall: bigint
  dropped: number
}

export interface MemoryOptions {
  readonly service: string
  readonly capacity: number
  readonly maximumBytes: number
  readonly ignores: (route: string) => boolean
}

/** What a page and each of its entries take, with room to spare; their names are shared by all requests. */
const pageBytes = 600
const entryBytes = 200

export class Memory {
  readonly options: MemoryOptions
  readonly standing: StandingMemory
  readonly listeners = new Set<(part: () => Story.Part) => void>()
  bytes = 0
  private readonly pages = new Map<string, Page>()
  private ended = 0
  /** A request's entries often come one after the other. */
  private latest: Page | undefined

  constructor(options: MemoryOptions) {
    this.options = options
    this.standing = new StandingMemory(options.service)
  }

  get requests(): number {
    return this.pages.size
  }

  readonly record: Recorder.Recorder = (report, fiber) => {
    switch (report._tag) {
      case "StagesTimed": {
        const requestId = annotated(fiber)
        for (const timed of report.stages) this.keep(requestId, timed, fiber)
        return
      }
      case "CommandEnded":
      case "ClientRequestEnded":
      case "ClientAttemptEnded":
        return this.keep(annotated(fiber), report, fiber)
      case "ServerRequestStarted":
        return this.keep(
          annotated(fiber),
          { _tag: "Began", method: cut(report.method), startNanos: now(fiber) },
          fiber
        )
      case "ServerRequestEnded":
        return this.end(report, fiber)
      case "SagaStepEnded":
        this.standing.record(report, fiber)
        return this.keep(report.requestId ?? annotated(fiber), report, fiber)
      case "DefectCaught": {
        const { _tag, requestId, stage } = report
        return this.note(requestId ?? annotated(fiber), { _tag, requestId, stage }, fiber)
      }
      default:
        this.standing.record(report, fiber)
        return isNoted(report) ? this.note(annotated(fiber), report, fiber) : undefined
    }
  }

  story(requestId: string, fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<Story.Part> {
    const page = this.pages.get(requestId)
    return page === undefined ? [] : partsOf(page, this.options.service, now(fiber))
  }

  /** The newest of the pages hold the newest requests: a page moves to the end when one of its requests has ended. */
  recent(limit: number, fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<Story.Part> {
    const found: Array<Story.Part> = []
    const at = now(fiber)
    for (const page of Array.from(this.pages.values()).toReversed()) {
      if (found.length >= limit) break
      if (!page.kept.some(({ _tag }) => _tag === "Ended")) continue
      found.push(...partsOf(page, this.options.service, at).filter(isEnded))
    }
    return found.sort((a, b) => b.startedAt + b.durationMillis - a.startedAt - a.durationMillis).slice(0, limit)
  }

  private end(report: Recorder.ServerRequestEnded, fiber: Fiber.Fiber<unknown, unknown>): void {
    const id = cut(report.requestId)
    if (report.route !== undefined && this.options.ignores(report.route)) return this.forget(id, fiber.id)
    const ended: Ended = {
      _tag: "Ended",
      sequence: this.ended++,
      method: cut(report.method),
      route: report.route,
      status: report.status,
      outcome: report.outcome,
      stage: report.stage,
      userId: report.userId === undefined ? undefined : cut(report.userId),
      startNanos: report.startNanos,
      endNanos: report.endNanos
    }
    this.keep(id, ended, fiber, true)
    const page = this.pages.get(id)
    if (page === undefined) return
    this.pages.delete(id)
    this.pages.set(id, page)
    if (this.listeners.size === 0) return
    const part = () => {
      const parts = partsOf(page, this.options.service, ended.endNanos)
      return parts.find(({ id }) => id === String(ended.sequence)) ?? partsOf(
        {
          ...page,
          kept: [ended],
          fibers: [fiber.id]
        },
        this.options.service,
        ended.endNanos
      )[0] as Story.Part
    }
    for (const listener of this.listeners) listener(part)
  }

  private note(
    requestId: string | undefined,
    report: Noted["report"],
    fiber: Fiber.Fiber<unknown, unknown>
  ): void {
    if (requestId !== undefined) this.keep(requestId, { _tag: "Noted", report, atNanos: now(fiber) }, fiber)
  }

  private keep(
    requestId: string | undefined,
    entry: Kept,
    fiber: Fiber.Fiber<unknown, unknown>,
    always = false
  ): void {
    if (requestId === undefined) return
    const page = this.latest?.requestId === requestId ? this.latest : this.open(requestId, fiber)
    if (page.kept.length >= maxSteps) {
      page.dropped++
      if (!always) return
      // How a request ended is worth more than the last of its steps.
      page.kept.pop()
      page.fibers.pop()
      this.bytes -= entryBytes
    }
    page.kept.push(entry)
    page.fibers.push(fiber.id)
    this.bytes += entryBytes
    if (this.bytes > this.options.maximumBytes) this.shrink(page)
  }

  private open(requestId: string, fiber: Fiber.Fiber<unknown, unknown>): Page {
    const known = this.pages.get(requestId)
    if (known !== undefined) return this.latest = known
    const clock = fiber.getRef(Clock.Clock)
    const page: Page = {
      requestId,
      kept: [],
      fibers: [],
      toWall: clock.currentTimeNanosUnsafe() - clock.monotonicTimeNanosUnsafe(),
      dropped: 0
    }
    this.pages.set(requestId, page)
    this.bytes += sizeOf(page)
    this.latest = page
    if (this.pages.size > this.options.capacity) this.shrink(page)
    return page
  }

  /** The oldest go, but not the one that is being written. */
  private shrink(writing: Page): void {
    for (const [id, page] of this.pages) {
      if (this.pages.size <= this.options.capacity && this.bytes <= this.options.maximumBytes) return
      if (page === writing) continue
      this.pages.delete(id)
      this.bytes -= sizeOf(page)
    }
  }

  /** Drops what one fiber has reported, and the page where nothing else is on it. */
  private forget(requestId: string, fiber: number): void {
    const page = this.pages.get(requestId)
    if (page === undefined) return
    this.bytes -= sizeOf(page)
    const others = page.kept.flatMap((entry, index) =>
      page.fibers[index] === fiber ? [] : [{ entry, fiber: page.fibers[index] ?? 0 }]
    )
    if (others.length === 0) {
      this.pages.delete(requestId)
      if (this.latest === page) this.latest = undefined
      return
    }
    page.kept.splice(0, page.kept.length, ...others.map(({ entry }) => entry))
    page.fibers.splice(0, page.fibers.length, ...others.map(({ fiber }) => fiber))
    this.bytes += sizeOf(page)
  }
}

const sizeOf = (page: Page): number => pageBytes + 2 * page.requestId.length + page.kept.length * entryBytes

const isEnded = (part: Story.Part): boolean => part.request !== null && part.request.status !== null

/** Others choose ids and names, and they may be long. */
const longest = 128

const cut = (text: string): string => text.length > longest ? text.slice(0, longest) : text

const now = (fiber: Fiber.Fiber<unknown, unknown>): bigint => fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()

const annotated = (fiber: Fiber.Fiber<unknown, unknown>): string | undefined => {
  const id = fiber.getRef(References.CurrentLogAnnotations)["requestId"]
  return typeof id === "string" ? cut(id) : undefined
}

/** What a request should remember of a guard; that a guard let it pass says nothing. */
const isNoted = (report: Recorder.Report): report is Noteworthy => {
  switch (report._tag) {
    case "CircuitCalled":
      return report.outcome === "rejected"
    case "DeadlineMissed":
    case "HeaderIgnored":
    case "CircuitMoved":
    case "BulkheadRefused":
    case "BudgetDenied":
    case "RetryDelayed":
    case "RateLimitApplied":
    case "FallbackUsed":
    case "ChaosInjected":
    case "HookFailed":
    case "SnapshotIgnored":
      return true
    default:
      return false
  }
}
