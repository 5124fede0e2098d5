/** What a key of the watch screen and a command have in common. */
import { Effect, Option, TextDiff } from "effect"
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import type { Exercise } from "../../workbook/Catalogue.ts"
import type { TaskVerdict } from "../../workbook/Verdict.ts"
import * as Workspace from "../../workbook/Workspace.ts"
import { near, type Options, type Session } from "./learnSession.ts"

/** The solution as lines: what is different from the learner's file first, then the other ways that pass. */
export const solutionLines = (session: Session, exercise: Exercise, passed: boolean): ReadonlyArray<string> => {
  if (Option.isNone(exercise.solution)) return ["This course holds no solution of it."]
  const solution = readFileSync(exercise.solution.value, "utf8")
  const file = Workspace.fileOf(session.workspace, exercise)
  const others = exercise.alternatives.map((one) => `Another way that passes: ${near(one)}`)
  const whole = [`The solution: ${near(exercise.solution.value)}`, ...others, ""]
  if (!passed || !existsSync(file)) return [...whole, ...solution.trimEnd().split("\n")]
  const edits = TextDiff.lines(readFileSync(file, "utf8"), solution, { maxEdits: 2000 })
  if (edits.every((edit) => edit._tag === "Equal")) return [...whole, "Yours is the same, line for line."]
  const diff = TextDiff.unified(edits, { fromFile: "yours", toFile: "solution" })
  return [...whole, "Lines with - are yours, lines with + are the solution's.", "", ...diff.trimEnd().split("\n")]
}

/** The command that opens a file in an editor, where one is known. */
export const editorOf = (options: Options): string | undefined =>
  Option.getOrUndefined(options.editCmd) ?? (process.env.VISUAL || process.env.EDITOR || undefined)

/** Opens a file in an editor and waits for it; the sentence says what is wrong, if anything is. */
export const edit = (options: Options, file: string): Effect.Effect<string | undefined> =>
  Effect.sync(() => {
    const editor = editorOf(options)
    if (editor === undefined) {
      return `No editor is known: start with --edit-cmd, such as --edit-cmd "code --goto", or set EDITOR. The file: ${
        near(file)
      }`
    }
    // An editor in the same terminal needs it for itself, so nothing else happens until it ends.
    const { error, status } = spawnSync(`${editor} "${file}"`, { shell: true, stdio: "inherit" })
    return error === undefined && status === 0
      ? undefined
      : `\`${editor}\` did not work (${error?.message ?? `exit code ${status}`}). The file: ${near(file)}`
  })

/** Says where the old file is after a reset. */
export const resetSentence = ({ backup, exercise, file }: Workspace.Reset): string =>
  backup === undefined
    ? `${exercise.manifest.id}: ${basename(file)} was the stub already.`
    : `${exercise.manifest.id}: the stub is back. What you had is in ${near(backup)}.`

/** Compares what was predicted with what happened: a line for each task, and how many were right. */
export const comparePrediction = (
  passing: ReadonlyArray<string>,
  tasks: ReadonlyArray<TaskVerdict>
): { readonly lines: ReadonlyArray<string>; readonly right: number } => {
  const lines = tasks.map((task) => {
    const said = passing.includes(task.id)
    const words = `you said ${said ? "passes" : "fails"}, it ${task.passed ? "passes" : "fails"}`
    return `${said === task.passed ? "right" : "WRONG"} ${task.id} ${task.title}: ${words}`
  })
  return { lines, right: tasks.filter((task) => passing.includes(task.id) === task.passed).length }
}
