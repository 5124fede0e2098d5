/** What checked answers come to: how a class did in an exercise, and the marks of a rubric. Pure. */
import type { Item, RubricRow } from "../Assignment.ts"
import type { Exercise } from "../Catalogue.ts"
import type { Mark, Statistics, WrongAnswer } from "../Gradebook.ts"
import type { Verdict } from "../Verdict.ts"
import { failing, type Known, resemble, signature } from "./resemblance.ts"
import type { Answer as Found } from "./submission.ts"

/** What a learner handed in for an exercise. */
export interface Answer extends Found {
  readonly learner: string
  readonly item: Item
}

/** An answer, and how its check went. */
export type Graded = Answer & { readonly verdict: Verdict | undefined }

/** Whether somebody tried, and it does not pass. */
export const isWrong = ({ untouched, verdict }: Graded): boolean =>
  verdict !== undefined && !untouched && !verdict.passed
  && verdict.outcome !== "couldNotFinish" && verdict.outcome !== "open"

/** How a class did in one exercise. */
export const statisticsOf = (
  { exercise }: Item,
  all: ReadonlyArray<Graded>,
  known: ReadonlyArray<Known>
): Statistics => {
  const answers = all.flatMap((one) => one.verdict === undefined || one.untouched ? [] : [one.verdict])
  const groups = Map.groupBy(
    all.flatMap((one) => one.verdict !== undefined && isWrong(one) ? [{ ...one, verdict: one.verdict }] : []),
    ({ verdict }) => signature(verdict)
  )
  const wrong = [...groups.values()].flatMap((group): ReadonlyArray<WrongAnswer> => {
    const verdict = group[0]?.verdict
    if (verdict === undefined) return []
    const typed = verdict.types.errors[0]
    const message = verdict.tasks.find((task) =>
      !task.passed && task.open !== true && task.message !== "This task did not run."
    )?.message
    return [{
      learners: group.map((one) => one.learner),
      failing: failing(verdict),
      message: verdict.problem ?? message ??
        (typed === undefined ? "" : `The types fail: ${typed.code} ${typed.message}`),
      resembles: failing(verdict).length === 0 ? [] : resemble(verdict, known)
    }]
  })
  return {
    exercise,
    answers: answers.length,
    passed: answers.filter((one) => one.passed).length,
    mean: answers.length === 0 ? 0 : answers.reduce((sum, one) => sum + one.points, 0) / answers.length,
    tasks: exercise.manifest.tasks.map(({ id, points, title }) => {
      const passed = answers.filter((one) => one.tasks.some((task) => task.id === id && task.passed)).length
      const open = answers.filter((one) => one.tasks.some((task) => task.id === id && task.open === true)).length
      return { id, title, points, passed, failed: answers.length - passed - open, open }
    }),
    wrong: wrong.toSorted((a, b) => b.learners.length - a.learners.length)
  }
}

/** The mark of one row of a rubric, for one learner. */
export const markOf = (row: RubricRow, exercise: Exercise, verdict: Verdict | undefined): Mark => {
  const tasks = exercise.manifest.tasks.filter(({ id }) => row.tasks?.includes(id) === true)
  const counts = (verdict?.points ?? 0) > 0
  const won = tasks.filter(({ id }) => counts && verdict?.tasks.some((task) => task.id === id && task.passed) === true)
  const open = tasks.some(({ id }) => verdict?.tasks.some((task) => task.id === id && task.open === true) === true)
  // A guard has no points, and a row of guards alone is counted by their number.
  const size = (some: typeof tasks): number =>
    tasks.every(({ points }) => points === 0) ? some.length : some.reduce((sum, { points }) => sum + points, 0)
  return {
    row,
    mark: row.tasks === undefined || open ? undefined : Math.floor((4 * size(won)) / Math.max(1, size(tasks))),
    missing: tasks.filter((task) => !won.includes(task)).map(({ title }) => title)
  }
}
