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
  /** Tasks that could not be run here, and why: a sentence. */
  readonly open?: { readonly tasks: ReadonlyArray<string>; readonly reason: string } | undefined
}

/** Names a task that a test belongs to: the first word of its name. */
const taskOf = (test: Ran): string => /^\w+/.exec(test.name)?.[0] ?? ""

const notRun = "This task did not run."

const taskVerdicts = (
  { exercise, open }: Checked,
  tests: ReadonlyArray<Ran>
): Array<TaskVerdict> =>
  exercise.manifest.tasks.map((task) => {
    if (open?.tasks.includes(task.id) === true) {
      return { ...task, passed: false, open: true, message: "This task is open: it needs PostgreSQL." }
    }
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

/** Names in words: "a", "a and b", "a, b and c". */
const listed = (names: ReadonlyArray<string>): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

const openSentence = ({ exercise, open }: Checked): string | undefined => {
  if (open === undefined) return undefined
  const { tasks } = exercise.manifest
  const which = open.tasks.length === tasks.length
    ? "This exercise needs"
    : open.tasks.length === 1
    ? `Task ${open.tasks[0]} needs`
    : `Tasks ${listed(open.tasks)} need`
  const points = tasks.reduce((sum, task) => sum + (open.tasks.includes(task.id) ? task.points : 0), 0)
  return `${which} PostgreSQL, and there is none. ${open.reason} `
    + `${points === 1 ? "1 point stays" : `${points} points stay`} open: neither won nor lost.`
}

/** What is said of a file that ended the process around it. */
export const tookDown = (how: string): string =>
  `Your file took down the process that ran it (${how}). Does it end the program, or fill the memory?`

/** Why a file cannot be loaded; what it threw itself is told as that. */
const brokenSentence = ({ message, thrown }: NonNullable<Answer["broken"]>): string => {
  const words = sentence(message)
  // An error of the language keeps its name, and some have a sentence of their own, such as a change of what is locked.
  const told = /^A check was ended by a ([^]*)$/.exec(words)?.[1] ?? words
  return thrown === true && !/^It (?:changes|calls|failed) /.test(words) ? `It throws: ${told}` : words
}

const once = "they count once"

/** Whether the problem of a verdict says what withholds its points. */
export const saysWithheld = ({ problem }: Pick<Verdict, "problem">): boolean => problem?.includes(once) === true

/** A verdict for a file that was not run to its end. */
export const stopped = (
  checked: Checked,
  outcome: Exclude<Outcome, "passed">,
  problem: string,
  rest?: { readonly output?: string; readonly tampered?: boolean; readonly line?: number | undefined }
): Verdict => ({
  id: checked.exercise.manifest.id,
  file: checked.file,
  outcome,
  passed: false,
  points: 0,
  maximum: maximum(checked.exercise.manifest),
  // Nothing is open for a file that cannot be run at all.
  tasks: taskVerdicts({ ...checked, open: undefined }, []),
  types: checked.types,
  problem,
  ...rest?.line !== undefined && { line: rest.line },
  output: rest?.output ?? "",
  tampered: rest?.tampered ?? false,
  ignored: [],
  durationMillis: checked.durationMillis
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
    const problem = `Your file cannot be loaded. ${brokenSentence(answer.broken)}`
    return stopped(checked, "failed", problem, { output: answer.output, line: answer.broken.line })
  }
  if (answer.ended !== undefined) {
    return stopped(checked, "crashed", tookDown(answer.ended), { output: answer.output })
  }

  const tasks = taskVerdicts(checked, answer.tests)
  const all = tasks.every((task) => task.passed || task.open === true)
  const typed = types.status !== "failed"
  const quiet = answer.outside.length === 0
  const earned = tasks.reduce((sum, task) => sum + (task.passed ? task.points : 0), 0)
  // A guard has no points to lose, so without it the others count for nothing: else a wrong answer would have them all.
  const guards = tasks.filter((task) => task.points === 0 && !task.passed && task.open !== true).map(({ id }) => id)
  const fine = all && typed && quiet
  const passed = fine && checked.open === undefined
  const found = quiet ?
    undefined :
    `Something failed that nobody was waiting for. Seen: ${
      [...new Set(answer.outside.map((one) => `"${sentence(one)}"`))].join(", ")
    }.`
  // Where nothing but a guard fails, its own message stands beside it.
  const counts = earned === 0 || (typed && quiet) ?
    undefined :
    `The tests give ${earned} ${earned === 1 ? "point" : "points"}; ${once} ${
      listed([
        ...typed ? [] : ["the types hold"],
        ...quiet ? [] : ["nothing fails outside of the tests"],
        ...guards.length === 0 ? [] : [`${listed(guards)} ${guards.length === 1 ? "passes" : "pass"}`]
      ])
    }.`
  const problem = [found, counts, openSentence(checked)].filter((one) => one !== undefined).join("\n")
  return {
    id: exercise.manifest.id,
    file,
    outcome: passed ? "passed" : fine ? "open" : "failed",
    passed,
    points: typed && quiet && guards.length === 0 ? earned : 0,
    maximum: maximum(exercise.manifest),
    tasks,
    types,
    ...problem !== "" && { problem },
    output: answer.output,
    tampered: false,
    ignored: answer.tests.filter((test) => !exercise.manifest.tasks.some((task) => task.id === taskOf(test)))
      .map((test) => test.name),
    durationMillis
  }
}
