/** A story as lines: what was done within something else stands below it. */
import type { Line, Part, Placed, Step, Story } from "../Story.ts"
import type { Entry } from "../Timeline.ts"

const headOf = ({ dropped, request, service }: Part): { readonly what: string; readonly outcome: string } => ({
  what: `${service} ${request === null ? "in the background" : `${request.method} ${request.route ?? "(no route)"}`}` +
    (dropped === 0 ? "" : ` (${dropped} more)`),
  outcome: request === null
    ? ""
    : request.status === null
    ? "running"
    : request.stage === null
    ? String(request.status)
    : `${request.status} by ${request.stage}`
})

/** Stretches of one stage that follow one another are one line. */
const stagesOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> => {
  const merged: Array<Entry> = []
  for (const entry of entries.toSorted((a, b) => a.startMillis - b.startMillis)) {
    const last = merged.at(-1)
    if (last?.stage !== entry.stage) merged.push(entry)
    else {
      const end = Math.max(last.startMillis + last.durationMillis, entry.startMillis + entry.durationMillis)
      merged[merged.length - 1] = { ...last, name: undefined, durationMillis: end - last.startMillis }
    }
  }
  return merged
}

const stepText = (step: Step): string =>
  step.kind === "call"
    ? `calls ${step.name} at ${step.call?.endpoint ?? "?"}`
    : step.kind === "attempt"
    ? `attempt ${step.call?.attempt ?? "?"}`
    : step.kind === "note"
    ? step.name
    : `${step.kind} ${step.name}`

const isWithin = (inner: Step, outer: Step): boolean =>
  inner.startMillis >= outer.startMillis &&
  inner.startMillis + inner.durationMillis <= outer.startMillis + outer.durationMillis

/** A call of one attempt says all there is to say about it. */
const shownOf = (steps: ReadonlyArray<Step>) => {
  const attempts = new Map<Step, Array<Step>>()
  for (const step of steps) {
    if (step.kind !== "attempt") continue
    const call = steps.findLast((each) => each.kind === "call" && each.name === step.name && isWithin(step, each))
    if (call !== undefined) attempts.set(call, [...(attempts.get(call) ?? []), step])
  }
  const hidden = new Set<Step>()
  const retried = new Set<Step>()
  for (const [call, made] of attempts) {
    if (made.length > 1) retried.add(call)
    else for (const only of made) hidden.add(only)
  }
  return { attempts, hidden, retried }
}

/** What a part did, each within the stretch that it lies in, and the parts it caused below their calls. */
const linesOf = (placed: Placed, story: Story, depth: number): ReadonlyArray<Line> => {
  const { part, startMillis } = placed
  const head = headOf(part)
  const failed = part.request !== null && part.request.outcome !== "ok" && part.request.outcome !== "running"
  const { service } = part
  const lines: Array<Line> = [
    { kind: "part", service, stage: null, startMillis, durationMillis: part.durationMillis, depth, ...head, failed }
  ]
  const stages = stagesOf(part.stages).map((entry) => ({
    startMillis: entry.startMillis,
    durationMillis: entry.durationMillis,
    what: entry.name === undefined ? entry.stage : `${entry.stage} (${entry.name})`,
    outcome: "",
    kind: "stage" as const,
    stage: entry.stage,
    failed: false,
    step: -1
  }))
  const { attempts, hidden, retried } = shownOf(part.steps)
  const steps = part.steps.flatMap((step, index) =>
    !hidden.has(step)
      ? [{
        startMillis: step.startMillis,
        durationMillis: step.durationMillis,
        what: stepText(step),
        outcome: step.outcome,
        kind: "step" as const,
        stage: null,
        failed: step.failed,
        step: index
      }]
      : []
  )
  const items = [...stages, ...steps].sort((a, b) =>
    a.startMillis - b.startMillis || b.durationMillis - a.durationMillis || a.step - b.step
  )
  const open: Array<{ readonly end: number; readonly isCall: boolean }> = []
  const told = new Set<Placed>()
  const caused = (isCause: (step: Step) => boolean, below: number): void => {
    for (const child of story.parts) {
      const { cause } = child
      if (cause === undefined || told.has(child) || cause.partId !== part.id || cause.service !== part.service) continue
      const step = part.steps[cause.step]
      if (step === undefined || !isCause(step)) continue
      told.add(child)
      lines.push(...linesOf(child, story, below))
    }
  }
  for (const item of items) {
    const end = item.startMillis + item.durationMillis
    const { step: index, ...line } = item
    const step = part.steps[index]
    const isCall = step?.kind === "call"
    // Calls that run at once lie beside one another, whichever is the longer.
    const isOver = (other: { readonly end: number; readonly isCall: boolean }) =>
      other.end < end || (isCall && other.isCall)
    for (let last = open.at(-1); last !== undefined && isOver(last); last = open.at(-1)) open.pop()
    const at = depth + 1 + open.length
    lines.push({ ...line, service, startMillis: startMillis + item.startMillis, depth: at })
    if (item.durationMillis > 0) open.push({ end, isCall })
    if (step?.call !== undefined && !retried.has(step)) {
      caused((each) => each === step || attempts.get(step)?.includes(each) === true, at + 1)
    }
  }
  caused(() => true, depth + 1)
  return lines
}

export const lines = (story: Story): ReadonlyArray<Line> =>
  story.parts.filter(({ cause }) => cause === undefined).flatMap((root) => linesOf(root, story, 0))
