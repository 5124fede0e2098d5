/** What sagaCrash.test.ts and its processes agree on. */
import type { Where } from "./outbox.protocol.ts"

/** Before or after the effect of a step or of what undoes it; the step `c` has no effect, it fails. */
export const points = [
  "before:a",
  "after:a",
  "before:b",
  "after:b",
  "before:c",
  "before:undo-b",
  "after:undo-b",
  "before:undo-a",
  "after:undo-a"
] as const

export type Point = typeof points[number]

export interface Task {
  readonly where: Where
  readonly engine: "saga" | "workflow"
  /** Where the process kills itself. */
  readonly crash: Point | undefined
  /** A definition in which `b` has another id, or in which `b` cannot be undone. */
  readonly variant: "renamed" | "stuck" | undefined
  /** Effects are lines here. */
  readonly file: string
}

export const leaseMillis = 1000
