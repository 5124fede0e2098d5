/** Which wrong answer of the course a wrong answer of a learner is like. Pure. */
import type { Verdict } from "../Verdict.ts"

/** A wrong answer of the course, and how its check went. */
export interface Known {
  readonly name: string
  /** What it does wrong, in words; empty where its file does not say. */
  readonly why: string
  readonly verdict: Verdict
}

/** A wrong answer of the course that a learner's is like. */
export interface Resemblance {
  readonly name: string
  readonly why: string
  /** Whether the messages are the same too, and not only the tasks that fail. */
  readonly sameMessages: boolean
}

/** The tasks that fail. */
export const failing = (verdict: Verdict): ReadonlyArray<string> =>
  verdict.tasks.filter((task) => !task.passed && task.open !== true).map((task) => task.id)

// How a check ended counts too: a file that hangs fails every task, and so does one that cannot be loaded.
const shape = (verdict: Verdict): string => `${verdict.outcome}:${failing(verdict).join(",")}`

const messages = (verdict: Verdict): string =>
  JSON.stringify(verdict.tasks.flatMap((task) => task.passed || task.open === true ? [] : [task.message ?? ""]))

/** Two answers with the same signature are wrong in the same way, as far as a check can see. */
export const signature = (verdict: Verdict): string =>
  verdict.outcome === "failed" && verdict.problem !== undefined
    ? `${shape(verdict)} ${verdict.problem}`
    : `${shape(verdict)} ${messages(verdict)}`

/** Those with the same tasks and messages; where there is none, those with the same tasks; at most three. */
export const resemble = (verdict: Verdict, known: ReadonlyArray<Known>): ReadonlyArray<Resemblance> => {
  // A file that cannot be loaded is like every other one of its kind: that says nothing.
  const loaded = verdict.tasks.some((task) => task.passed || task.message !== "This task did not run.")
  if (!loaded && verdict.outcome !== "timedOut") return []
  const alike = known.filter((one) => shape(one.verdict) === shape(verdict))
  const same = alike.filter((one) => messages(one.verdict) === messages(verdict))
  return (same.length > 0 ? same : alike).slice(0, 3).map(({ name, why }) => ({
    name,
    why,
    sameMessages: same.length > 0
  }))
}
