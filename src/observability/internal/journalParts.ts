/**
 * What was kept of a request, as the parts of its story. Nothing of this runs before somebody looks.
 */
import type * as Story from "../../lifecycle/Story.ts"
import type { Entry } from "../../lifecycle/Timeline.ts"
import type { Began, Ended, Kept, Noted, Page } from "./journalMemory.ts"

/** One request that was answered under the id, with what was done for it. */
interface Open {
  readonly fiber: number
  readonly id: string
  readonly answered: Story.Answered | null
  readonly startNanos: bigint
  readonly endNanos: bigint
  readonly entries: Array<Exclude<Kept, Began | Ended>>
}

export const partsOf = (page: Page, service: string, now: bigint): ReadonlyArray<Story.Part> => {
  const requests: Array<Open> = []
  const over = new Set<number>()
  page.kept.forEach((entry, index) => {
    if (entry._tag === "Ended") {
      const fiber = page.fibers[index] ?? 0
      over.add(fiber)
      requests.push({ fiber, id: String(entry.sequence), answered: answered(entry), ...timesOf(entry), entries: [] })
    }
  })
  page.kept.forEach((entry, index) => {
    const fiber = page.fibers[index] ?? 0
    if (entry._tag !== "Began" || over.has(fiber)) return
    requests.push({
      fiber,
      id: `running-${fiber}`,
      answered: running(entry),
      startNanos: entry.startNanos,
      endNanos: now,
      entries: []
    })
  })
  requests.sort((a, b) => a.startNanos < b.startNanos ? -1 : 1)

  const background: Array<Open["entries"][number]> = []
  page.kept.forEach((entry, index) => {
    if (entry._tag === "Began" || entry._tag === "Ended") return
    const { startNanos } = spanOf(entry)
    const fiber = page.fibers[index]
    const owner = requests.find((request) => request.fiber === fiber) ??
      requests.findLast((request) => request.startNanos <= startNanos && startNanos <= request.endNanos)
    const entries = owner === undefined ? background : owner.entries
    entries.push(entry)
  })
  const parts = requests.map((request) => partOf(request, page, service))
  if (background.length > 0) {
    const spans = background.map(spanOf)
    parts.push(partOf(
      {
        fiber: -1,
        id: "background",
        answered: null,
        startNanos: spans.reduce((least, { startNanos }) => startNanos < least ? startNanos : least, now),
        endNanos: spans.reduce((most, { endNanos }) => endNanos > most ? endNanos : most, 0n),
        entries: background
      },
      page,
      service
    ))
  }
  const [first] = parts
  if (first !== undefined && page.dropped > 0) parts[0] = { ...first, dropped: page.dropped }
  return parts.sort((a, b) => a.startedAt - b.startedAt)
}

const partOf = (open: Open, page: Page, service: string): Story.Part => {
  const since = (nanos: bigint): number => Number(nanos - open.startNanos) / 1e6
  const stages: Array<Entry> = []
  const steps: Array<Story.Step> = []
  for (const entry of open.entries) {
    const { endNanos, startNanos } = spanOf(entry)
    const times = {
      startMillis: since(startNanos),
      durationMillis: Math.max(0, Number(endNanos - startNanos) / 1e6)
    }
    if (entry._tag === "StageTimed") stages.push({ stage: entry.stage, name: entry.name, ...times })
    else steps.push({ ...stepOf(entry), ...times })
  }
  return {
    id: open.id,
    service,
    requestId: page.requestId,
    startedAt: Number((open.startNanos + page.toWall) / 1000n) / 1000,
    durationMillis: Math.max(0, since(open.endNanos)),
    request: open.answered,
    stages: stages.sort(byStart),
    steps: steps.sort(byStart),
    dropped: 0
  }
}

const byStart = (a: { readonly startMillis: number }, b: { readonly startMillis: number }): number =>
  a.startMillis - b.startMillis

const timesOf = ({ endNanos, startNanos }: { readonly startNanos: bigint; readonly endNanos: bigint }) => ({
  startNanos,
  endNanos
})

const spanOf = (entry: Open["entries"][number]): { readonly startNanos: bigint; readonly endNanos: bigint } =>
  entry._tag === "Noted" ? { startNanos: entry.atNanos, endNanos: entry.atNanos } : entry

const answered = (entry: Ended): Story.Answered => ({
  method: entry.method,
  route: entry.route ?? null,
  status: entry.status,
  outcome: entry.outcome,
  stage: entry.stage ?? null,
  userId: entry.userId ?? null
})

const running = (entry: Began): Story.Answered => ({
  method: entry.method,
  route: null,
  status: null,
  outcome: "running",
  stage: null,
  userId: null
})

type Step = Omit<Story.Step, "startMillis" | "durationMillis">

const stepOf = (entry: Exclude<Open["entries"][number], { readonly _tag: "StageTimed" }>): Step => {
  switch (entry._tag) {
    case "Noted":
      return { kind: "note", name: noteOf(entry.report), outcome: "", failed: entry.report._tag === "DefectCaught" }
    case "CommandEnded":
      return {
        kind: entry.kind,
        name: entry.name,
        outcome: entry.errorTag ?? entry.outcome,
        failed: entry.outcome !== "success"
      }
    case "SagaStepEnded":
      return {
        kind: "saga",
        name: `${entry.saga}: ${entry.action === "compensate" ? "undo " : ""}${entry.step}` +
          (entry.attempt > 1 ? `, attempt ${entry.attempt}` : ""),
        outcome: entry.outcome === "inDoubt" ? "in doubt" : entry.outcome,
        failed: entry.outcome !== "success"
      }
    case "ClientRequestEnded":
      return callOf(entry, "call", entry.attempts === 1 ? "" : ` in ${entry.attempts} attempts`, null)
    case "ClientAttemptEnded":
      return callOf(entry, "attempt", "", entry.attempt)
  }
}

const callOf = (
  entry: {
    readonly method: string
    readonly endpoint: string
    readonly route: string | undefined
    readonly status: number | undefined
    readonly errorTag?: string | undefined
  },
  kind: "call" | "attempt",
  more: string,
  attempt: number | null
): Step => ({
  kind,
  name: entry.route === undefined ? entry.method : `${entry.method} ${entry.route}`,
  outcome: `${entry.status ?? entry.errorTag ?? "no answer"}${more}`,
  failed: entry.status === undefined || entry.status >= 500,
  call: { method: entry.method, endpoint: entry.endpoint, route: entry.route ?? null, attempt }
})

const noteOf = (report: Noted["report"]): string => {
  switch (report._tag) {
    case "DefectCaught":
      return `a bug, caught in ${report.stage}`
    case "DeadlineMissed":
      return `deadline of ${Math.round(report.budgetMillis)} ms missed`
    case "HeaderIgnored":
      return `header ${report.header} ignored`
    case "CircuitCalled":
      return `refused by the circuit ${report.name}`
    case "CircuitMoved":
      return `circuit ${report.name}: ${report.from} to ${report.to}`
    case "BulkheadRefused":
      return `refused by the bulkhead ${report.name}: ${report.reason}`
    case "BudgetDenied":
      return `no ${report.kind}: the budget ${report.name} is spent`
    case "RetryDelayed":
      return `retry ${report.retry} after ${Math.round(report.delayMillis)} ms`
    case "RateLimitApplied":
      return `rate limit ${report.policy}: ${report.outcome}`
    case "FallbackUsed":
      return `fallback ${report.name} after ${report.trigger}`
    case "ChaosInjected":
      return `chaos ${report.name}: ${report.kind}`
    case "HookFailed":
      return `hook ${report.hook} failed${report.willRetry ? ", and is tried again" : ""}`
    case "SnapshotIgnored":
      return `snapshot of ${report.aggregate} ignored: ${report.reason}`
  }
}
