/** What a saga does next: a pure function of its definition and its journal. */
import type { SagaRecord, StepRecord } from "../../../store/SagaStore.ts"

/** What the plan has to know of a step. */
export interface PlannedStep {
  readonly id: string
  readonly pivot: boolean
  /** Whether the step, or the fallback that ran instead of it, has a compensation. */
  readonly compensates: (fallback: boolean) => boolean
}

export interface Planned {
  readonly steps: ReadonlyArray<PlannedStep>
  readonly whenCompensationFails: "continue" | "stop"
}

export type Action =
  | { readonly _tag: "Run"; readonly index: number; readonly attempt: number }
  /** It began and nobody knows how it ended. */
  | { readonly _tag: "Resolve"; readonly index: number; readonly record: StepRecord }
  | { readonly _tag: "Undo"; readonly index: number; readonly attempt: number; readonly record: StepRecord }
  /** Go back, because somebody wants it or the time is up. */
  | { readonly _tag: "TurnBack"; readonly why: "wish" | "overdue" }
  | { readonly _tag: "Complete" }
  /** All is undone that can be. */
  | { readonly _tag: "Undone" }
  | { readonly _tag: "Park"; readonly reason: "CompensationFailed" | "StepFailed"; readonly step: string }
  /** The journal is not one of this definition. */
  | { readonly _tag: "Misfit"; readonly step: string }

export const next = (
  definition: Planned,
  saga: Pick<SagaRecord, "steps" | "backward" | "wish">,
  overdue: boolean
): Action => {
  const misfit = saga.steps.find(({ place, step }) => definition.steps[place]?.id !== step)
  if (misfit !== undefined) return { _tag: "Misfit", step: misfit.step }
  return saga.backward ? back(definition, saga.steps) : forth(definition, saga, overdue)
}

/** Whether a step has ended after which there is no way back. */
export const isBeyondPivot = ({ steps }: Planned, records: SagaRecord["steps"]): boolean =>
  records.some(({ place, state }) => state === "done" && steps[place]?.pivot === true)

const forth = (
  definition: Planned,
  { steps, wish }: Pick<SagaRecord, "steps" | "wish">,
  overdue: boolean
): Action => {
  const open = steps.find(({ state }) => state !== "done")
  if (open?.state === "started") return { _tag: "Resolve", index: open.place, record: open }
  const beyond = isBeyondPivot(definition, steps)
  if (open?.state === "failed" && beyond) return { _tag: "Park", reason: "StepFailed", step: open.step }
  const index = open?.place ?? steps.length
  if (index >= definition.steps.length) return { _tag: "Complete" }
  if (!beyond && wish !== undefined) return { _tag: "TurnBack", why: "wish" }
  if (!beyond && overdue) return { _tag: "TurnBack", why: "overdue" }
  return { _tag: "Run", index, attempt: (open?.attempt ?? 0) + 1 }
}

const back = ({ steps, whenCompensationFails }: Planned, records: SagaRecord["steps"]): Action => {
  for (const record of records.toReversed()) {
    const { place: index, state } = record
    if (state === "started") return { _tag: "Resolve", index, record }
    if (state === "done" && steps[index]?.compensates(record.fallback) === true) {
      return { _tag: "Undo", index, attempt: 1, record }
    }
    if (state === "undoing" || state === "undoWaiting") {
      return { _tag: "Undo", index, attempt: record.attempt + 1, record }
    }
    if (state === "stuck" && whenCompensationFails === "stop") break
  }
  const stuck = records.findLast(({ state }) => state === "stuck")
  return stuck === undefined ? { _tag: "Undone" } : { _tag: "Park", reason: "CompensationFailed", step: stuck.step }
}
