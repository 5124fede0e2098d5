/** What a key of the watch screen and a command have in common. */
import { Effect, Option, TextDiff } from "effect"
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import type { Exercise } from "../../workbook/Catalogue.ts"
import type { TaskVerdict } from "../../workbook/Verdict.ts"
import * as Workspace from "../../workbook/Workspace.ts"
import type { Messages } from "../messages/Messages.ts"
import { isHidden, near, type Options, type Session } from "./learnSession.ts"

/** Says that the instructor keeps a solution back, and until when, as far as the assignment tells. */
export const hiddenLines = ({ assignment, words }: Session): ReadonlyArray<string> => [
  words.hidden(assignment?.title ?? ""),
  assignment?.due === undefined ? words.hiddenNoDue : words.hiddenDue(assignment.due)
]

/** A file as lines, however its editor ends them. */
const linesOf = (file: string): string => readFileSync(file, "utf8").replaceAll("\r\n", "\n")

/** The solution as lines: what is different from the learner's file first, then the other ways that pass. */
export const solutionLines = (session: Session, exercise: Exercise, passed: boolean): ReadonlyArray<string> => {
  const { words } = session
  if (isHidden(session, exercise)) return hiddenLines(session)
  if (Option.isNone(exercise.solution)) return [words.noSolution]
  const solution = linesOf(exercise.solution.value)
  const file = Workspace.fileOf(session.workspace, exercise)
  const others = exercise.alternatives.map((one) => words.anotherWay(near(one)))
  const whole = [words.solutionIs(near(exercise.solution.value)), ...others, ""]
  if (!passed || !existsSync(file)) return [...whole, ...solution.trimEnd().split("\n")]
  const edits = TextDiff.lines(linesOf(file), solution, { maxEdits: 2000 })
  if (edits.every((edit) => edit._tag === "Equal")) return [...whole, words.sameAsYours]
  const diff = TextDiff.unified(edits, { fromFile: words.diffYours, toFile: words.diffSolution })
  return [...whole, words.diffLegend, "", ...diff.trimEnd().split("\n")]
}

/**
 * The command that opens a file in an editor, where one is known.
 *
 * npm tells its scripts `EDITOR=vi` where nobody chose an editor, and whoever chose none may not know how to leave that one.
 */
export const editorOf = (
  options: Pick<Options, "editCmd">,
  env: Readonly<Record<string, string | undefined>> = process.env
): string | undefined => {
  const { EDITOR, VISUAL, npm_lifecycle_event } = env
  const chosen = npm_lifecycle_event !== undefined && EDITOR === "vi" ? undefined : EDITOR
  return Option.getOrUndefined(options.editCmd) ?? (VISUAL || chosen || undefined)
}

/** A path as one word of a command line. */
const quoted = (file: string): string =>
  process.platform === "win32" ? `"${file}"` : `'${file.replaceAll("'", `'\\''`)}'`

/** Opens a file in an editor and waits for it; the sentence says what is wrong, if anything is. */
export const edit = ({ options, words }: Session, file: string): Effect.Effect<string | undefined> =>
  Effect.sync(() => {
    const editor = editorOf(options)
    if (editor === undefined) return words.noEditor(near(file))
    // An editor in the same terminal needs it for itself, so nothing else happens until it ends.
    const { error, status } = spawnSync(`${editor} ${quoted(file)}`, { shell: true, stdio: "inherit" })
    return error === undefined && status === 0
      ? undefined
      : words.editorFailed(editor, error?.message ?? words.exitCode(String(status)), near(file))
  })

/** Says where the old file is after a reset. */
export const resetSentence = (words: Messages, { backup, exercise, file }: Workspace.Reset): string =>
  backup === undefined
    ? words.wasStub(exercise.manifest.id, basename(file))
    : words.stubBack(exercise.manifest.id, near(backup))

/** Compares what was predicted with what happened: a line for each task, and how many were right. */
export const comparePrediction = (
  words: Messages,
  passing: ReadonlyArray<string>,
  tasks: ReadonlyArray<TaskVerdict>
): { readonly lines: ReadonlyArray<string>; readonly right: number } => {
  const lines = tasks.map((task) => {
    const said = passing.includes(task.id)
    const judged = said === task.passed ? words.right : words.wrong
    return `${judged} ${task.id} ${task.title}: ${words.youSaid(said, task.passed)}`
  })
  return { lines, right: tasks.filter((task) => passing.includes(task.id) === task.passed).length }
}
