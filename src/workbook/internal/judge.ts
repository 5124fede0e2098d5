/** Makes a verdict from what a check showed. Pure: the manifest decides what counts. */
import type { Exercise } from "../Catalogue.ts"
import { maximum } from "../Catalogue.ts"
import { type Outcome, sentence, type TaskVerdict, type TypeVerdict, type Verdict } from "../Verdict.ts"
import type { Answer, Ran } from "./protocol.ts"

/** What does not depend on how the check went. */
export interface Checked {
  readonly exercise: Exercise
  readonly file: string
  readonly types: TypeVerdict
  readonly durationMillis: number
}

/** Names a task that a test belongs to: the first word of its name. */
const taskOf = (test: Ran): string => /^\w+/.exec(test.name)?.[0] ?? ""

const notRun = "This task did not run."

const taskVerdicts = (exercise: Exercise, tests: ReadonlyArray<Ran>): Array<TaskVerdict> =>
  exercise.manifest.tasks.map((task) => {
    const mine = tests.filter((test) => taskOf(test) === task.id)
    const failed = mine.find((test) => !test.passed)
    if (failed === undefined) {
      return mine.length > 0
        ? { ...task, passed: true }
        : { ...task, passed: false, message: notRun }
    }
    return {
      ...task,
      passed: false,
      message: sentence(failed.message ?? "This task did not run to its end."),
      ...failed.line !== undefined && { line: failed.line }
    }
  })

/** A verdict for a file that was not run to its end. */
export const stopped = (
  { durationMillis, exercise, file, types }: Checked,
  outcome: Exclude<Outcome, "passed">,
  problem: string,
  rest?: { readonly output?: string; readonly tampered?: boolean; readonly line?: number | undefined }
): Verdict => ({
  id: exercise.manifest.id,
  file,
  outcome,
  passed: false,
  points: 0,
  maximum: maximum(exercise.manifest),
  tasks: taskVerdicts(exercise, []),
  types,
  problem,
  ...rest?.line !== undefined && { line: rest.line },
  output: rest?.output ?? "",
  tampered: rest?.tampered ?? false,
  ignored: [],
  durationMillis
})

/** The verdict for a file that was run, or refused. */
export const judge = (checked: Checked, answer: Answer): Verdict => {
  const { durationMillis, exercise, file, types } = checked
  const [refusal] = answer.refusals
  if (refusal !== undefined) {
    const problem = answer.refusals.map((one) => one.sentence).join("\n")
    const cheating = answer.refusals.some((one) => one.cheating)
    return stopped(checked, cheating ? "cheated" : "failed", problem, { tampered: cheating, line: refusal.line })
  }
  if (answer.tampered.length > 0) {
    const problem = `The results of this check were changed from inside (${answer.tampered.join("; ")}). `
      + "It counts for nothing: an answer has to pass the check, not to change it."
    return stopped(checked, "cheated", problem, { output: answer.output, tampered: true })
  }
  if (answer.broken !== undefined) {
    const { line, message } = answer.broken
    const problem = `Your file cannot be loaded. ${sentence(message)}`
    return stopped(checked, "failed", problem, { output: answer.output, line })
  }

  const tasks = taskVerdicts(exercise, answer.tests)
  const all = tasks.every((task) => task.passed)
  const typed = types.status !== "failed"
  const earned = tasks.reduce((sum, task) => sum + (task.passed ? task.points : 0), 0)
  const passed = all && typed && answer.outside.length === 0
  const problem = answer.outside.length > 0
    ? `Something failed that nobody was waiting for. Seen: ${
      answer.outside.map((one) => `"${sentence(one)}"`).join(", ")
    }.`
    : !typed && earned > 0
    ? `The tests give ${earned} ${earned === 1 ? "point" : "points"}; they count once the types hold.`
    : undefined
  return {
    id: exercise.manifest.id,
    file,
    outcome: passed ? "passed" : "failed",
    passed,
    points: typed ? earned : 0,
    maximum: maximum(exercise.manifest),
    tasks,
    types,
    ...problem !== undefined && { problem },
    output: answer.output,
    tampered: false,
    ignored: answer.tests.filter((test) => !exercise.manifest.tasks.some((task) => task.id === taskOf(test)))
      .map((test) => test.name),
    durationMillis
  }
}
