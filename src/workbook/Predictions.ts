/**
 * Keeps what somebody predicts before it is run.
 *
 * The stub of an exercise of the kind `predict` has its questions in one object, `export const predictions = { name: answer }`,
 * each with an answer that nobody means. As long as one of them still stands there, {@link guard} lets nothing run. When
 * all are answered they are stored in the progress, with a seal, and only then the check is made. Whatever is corrected
 * afterwards, the first prediction stays, and so does how much of it was right.
 *
 * **Gotchas**
 *
 * - The answers are read from the text, so they have to stand in the object itself, not in a constant that it names.
 * - A file without such an object is checked as it is.
 * - Only the learner's own file in the workspace is guarded. What an instructor grades is graded.
 *
 * @example
 * ```ts
 * import { Predictions } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * const stub = Predictions.answersIn("export const predictions = { spaced: [0], fixed: [0] }\n")
 * const mine = Predictions.answersIn("export const predictions = { spaced: [0, 130], fixed: [0] }\n")
 * assert.ok(stub && mine)
 * assert.deepEqual(mine, { spaced: "[0, 130]", fixed: "[0]" })
 * assert.deepEqual(Predictions.open(mine, stub), ["fixed"])
 * ```
 *
 * @since 0.1.0
 */
import { DateTime, Effect, Result } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import type { Exercise } from "./Catalogue.ts"
import type { Grader } from "./Grader.ts"
import { type Checked, stopped } from "./internal/judge.ts"
import { answersOf, openQuestions } from "./internal/predictions.ts"
import * as Progress from "./Progress.ts"
import type { Verdict } from "./Verdict.ts"
import { fileOf, type Workspace, type WorkspaceProblem } from "./Workspace.ts"

/**
 * Each question, with a dot where an answer has several parts, and the text of its answer.
 *
 * @category models
 * @since 0.1.0
 */
export type Answers = Readonly<Record<string, string>>

/**
 * The answers in the text of a file; `undefined` where it has no object of that name.
 *
 * @category conversions
 * @since 0.1.0
 */
export const answersIn = (text: string): Answers | undefined => answersOf(text)

/**
 * The questions that nobody has answered: those that still have the answer of the stub.
 *
 * @category getters
 * @since 0.1.0
 */
export const open = (answers: Answers, stub: Answers): ReadonlyArray<string> => openQuestions(answers, stub)

/**
 * The prediction of an exercise that was kept, with its result once there is one.
 *
 * @category getters
 * @since 0.1.0
 */
export const kept = (progress: Progress.Progress, exercise: Exercise): Progress.Prediction | undefined => {
  const stub = answersIn(textOf(exercise.stub))
  return stub === undefined
    ? undefined
    : Progress.entryOf(progress, exercise.manifest.id).predictions.find(({ said }) =>
      Object.keys(stub).every((question) => said[question] !== undefined)
    )
}

const textOf = (file: string): string => existsSync(file) ? readFileSync(file, "utf8") : ""

const shown = 6

/** The first parts of names, each once, in words. */
const listed = (questions: ReadonlyArray<string>): string => {
  const names = [...new Set(questions.map((question) => question.split(".")[0] ?? question))]
  const rest = names.length - shown
  return rest > 1 ? `${names.slice(0, shown).join(", ")} and ${rest} more` : names.join(", ")
}

/**
 * A grader that runs nothing of an exercise to predict before all of it is predicted, and keeps what was.
 *
 * @category combinators
 * @since 0.1.0
 */
export const guard = (grader: Grader["Service"], workspace: Workspace): Grader["Service"] => {
  const notRun = (exercise: Exercise, file: string, outcome: "failed" | "couldNotFinish", problem: string): Verdict => {
    const types: Checked["types"] = { status: "notChecked", errors: [], durationMillis: 0 }
    return stopped({ exercise, file, types, durationMillis: 0 }, outcome, problem)
  }

  const guarded = Effect.fnUntraced(function*(
    exercise: Exercise,
    file: string,
    check: Effect.Effect<Verdict>
  ): Effect.fn.Return<Verdict, WorkspaceProblem> {
    const { id } = exercise.manifest
    const stub = answersIn(textOf(exercise.stub))
    const said = answersIn(textOf(file))
    if (stub === undefined || said === undefined) return yield* check
    const { progress } = yield* Progress.load(workspace)
    const before = kept(progress, exercise)
    const left = open(said, stub)
    if (before === undefined && left.length > 0) {
      return notRun(exercise, file, "failed", `Nothing is run before it is predicted. Still open: ${listed(left)}.`)
    }
    const at = before?.at ?? DateTime.formatIso(yield* DateTime.now)
    if (before === undefined) yield* Progress.update(workspace, Progress.predicted(id, { at, said }))
    const verdict = yield* check
    const same = before === undefined || Object.entries(before.said).every(([name, text]) => said[name] === text)
    if (same && verdict.outcome !== "couldNotFinish") {
      const result = { right: verdict.tasks.filter((task) => task.passed).length, of: verdict.tasks.length }
      yield* Progress.update(workspace, Progress.compared(id, at, result))
    }
    return verdict
  })

  return {
    ...grader,
    check: (subject) => {
      const { exercise, file } = subject
      const check = grader.check(subject)
      if (exercise.manifest.kind !== "predict" || resolve(file) !== resolve(fileOf(workspace, exercise))) return check
      return Effect.map(
        Effect.result(guarded(exercise, file, check)),
        Result.getOrElse(({ message }) => notRun(exercise, file, "couldNotFinish", message))
      )
    }
  }
}
