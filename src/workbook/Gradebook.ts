/**
 * The work of many students, graded: a report each, what a class found hard, and a page to hand back.
 *
 * `submissions` finds what was handed in, `grade` checks it, and the rest turns the gradebook into text: a row a student,
 * statistics of every task, rubric rows, and a page a student. Wrong answers that fail alike are counted together and named
 * by the wrong answer of the course that they resemble, so that an instructor reads "7 of 40 count the first attempt as a
 * retry" instead of forty files.
 *
 * Files with the same text are checked once, whoever handed them in. A file is looked for where a workspace has it
 * (`02-deadlines/02-one-budget/exercise.ts`), and also as `02-one-budget.ts` or `02.2.ts`. Links are not followed, and
 * files above 1 MB are not read. What was not used is named in the `notice` of the row and on the student's page. Of
 * several files for an exercise, the first in this order that is not the stub is the answer.
 *
 * **Gotchas**
 *
 * - A resemblance is a guess from which tasks failed and with which messages, not from reading the file.
 * - `couldNotFinish` is the grader's failure, never a student's: such a row asks for another run.
 * - Limits are real time. What ran into one is checked a second time, alone and with four times the limit; the better result counts.
 * - One grader checks one file at a time. Give `grade` two of them on two cores.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Assignment, Catalogue, Gradebook, Grader } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 * import { cpSync, mkdtempSync, rmSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const folder = mkdtempSync(join(tmpdir(), "submissions-"))
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const assignment = yield* Assignment.parse(`{ "title": "Week 1", "exercises": ["02.2"] }`, "week-1.json", catalogue)
 *   cpSync("exercises/02-deadlines/02-one-budget/solution.ts", join(folder, "ada", "02.2.ts"))
 *   const gradebook = yield* Gradebook.grade({
 *     catalogue,
 *     assignment,
 *     submissions: yield* Gradebook.submissions([folder], assignment),
 *     graders: [yield* Grader.Grader],
 *     course: { name: "effect-lifecycle", version: "0.1.0" }
 *   })
 *   assert.equal(gradebook.reports[0]?.totals.points, 4)
 *   assert.match(Gradebook.csv(gradebook), /^learner,02\.2,points,max,/)
 * })
 * const layer = Grader.Grader.layer({ course: "exercises" })
 * await Effect.runPromise(program.pipe(Effect.provide(layer))).finally(() => rmSync(folder, { recursive: true }))
 * ```
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { type Assignment, rubricOf, type RubricRow } from "./Assignment.ts"
import type { Catalogue, Exercise } from "./Catalogue.ts"
import type { Grader } from "./Grader.ts"
import { fileNames } from "./internal/fileNames.ts"
import { gradebookCsv, statisticsPage, studentHtml, studentMarkdown } from "./internal/gradePages.ts"
import { type Answer, isWrong, markOf, statisticsOf } from "./internal/markings.ts"
import type { Resemblance } from "./internal/resemblance.ts"
import { foldersIn, holdsAnswer, holdsCopy, lookIn, looseIn } from "./internal/submission.ts"
import * as Report from "./Report.ts"
import type { Verdict } from "./Verdict.ts"

/**
 * What somebody handed in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Submission {
  readonly learner: string
  readonly folder: string
}

/**
 * In the folders that were named, there is no file for an exercise of the assignment, or a folder cannot be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoSubmissions extends Schema.TaggedError<NoSubmissions>()("NoSubmissions", {
  folder: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.folder}: ${this.problem}`
  }
}

/**
 * Answers that are wrong in the same way.
 *
 * @category models
 * @since 0.1.0
 */
export interface WrongAnswer {
  readonly learners: ReadonlyArray<string>
  /** The tasks that fail. */
  readonly failing: ReadonlyArray<string>
  /** What the first of them said to the learner. */
  readonly message: string
  /** The wrong answers of the course that fail alike, the closest first. */
  readonly resembles: ReadonlyArray<Resemblance>
}

/**
 * How a class did in one exercise.
 *
 * @category models
 * @since 0.1.0
 */
export interface Statistics {
  readonly exercise: Exercise
  /** How many handed something in that is not the stub. */
  readonly answers: number
  readonly passed: number
  /** The mean of the points of those. */
  readonly mean: number
  readonly tasks: ReadonlyArray<{
    readonly id: string
    readonly title: string
    readonly points: number
    readonly passed: number
    readonly failed: number
    /** How often it could not be run. */
    readonly open: number
  }>
  /** The most frequent first. */
  readonly wrong: ReadonlyArray<WrongAnswer>
}

/**
 * A row of a rubric, for one student.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mark {
  readonly row: RubricRow
  /** 0 to 4, by the share of the points; `undefined` where a person decides, and where a task of the row is open. */
  readonly mark: number | undefined
  /** The tasks of the row that did not pass, by their titles. */
  readonly missing: ReadonlyArray<string>
}

/**
 * The rubric of one exercise, for one student.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rubric {
  readonly learner: string
  readonly exercise: Exercise
  readonly marks: ReadonlyArray<Mark>
}

/**
 * The graded work of many students.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gradebook {
  readonly assignment: Assignment
  /** One a student, in the order of the submissions. */
  readonly reports: ReadonlyArray<Report.Report & { readonly learner: string }>
  readonly statistics: ReadonlyArray<Statistics>
  readonly rubrics: ReadonlyArray<Rubric>
  /** Under which conditions it was graded, in sentences. */
  readonly conditions: ReadonlyArray<string>
  /** What was handed in and belongs to nobody, in sentences. */
  readonly unused: ReadonlyArray<string>
}

/**
 * What to grade, and with what.
 *
 * @category models
 * @since 0.1.0
 */
export interface GradeOptions {
  readonly catalogue: Catalogue
  readonly assignment: Assignment
  readonly submissions: ReadonlyArray<Submission>
  /** As many files are checked at once as there are graders. */
  readonly graders: readonly [Grader["Service"], ...ReadonlyArray<Grader["Service"]>]
  readonly course: { readonly name: string; readonly version: string }
  readonly conditions?: ReadonlyArray<string> | undefined
  /** What `unused` found beside the folders of students. */
  readonly unused?: ReadonlyArray<string> | undefined
  /** Whether wrong answers are compared with those of the course; yes unless said otherwise. */
  readonly resemblances?: boolean | undefined
  readonly onProgress?: ((done: number, all: number) => Effect.Effect<void>) | undefined
}

/**
 * Finds what was handed in. A folder is a submission when it has an answer, and else a folder of submissions.
 *
 * @category constructors
 * @since 0.1.0
 */
export const submissions = Effect.fn("Gradebook.submissions")(function*(
  folders: ReadonlyArray<string>,
  assignment: Assignment
): Effect.fn.Return<ReadonlyArray<Submission>, NoSubmissions> {
  const found: Array<Submission> = []
  for (const given of folders) {
    const folder = resolve(given)
    const people = yield* peopleIn(folder, assignment)
    if (people === undefined) {
      found.push({ learner: basename(folder), folder })
      continue
    }
    if (people.length === 0) {
      const problem = "there is neither an answer to an exercise of the assignment in it, nor a folder of a student"
      return yield* new NoSubmissions({ folder, problem })
    }
    // Archives often hold one more folder around everything.
    const exercises = exercisesOf(assignment)
    for (const learner of people) {
      const own = join(folder, learner)
      const inner = holdsAnswer(own, exercises)
        ? []
        : foldersIn(own).map((name) => join(own, name)).filter((one) => holdsAnswer(one, exercises))
      found.push({ learner, folder: inner.length === 1 && inner[0] !== undefined ? inner[0] : own })
    }
  }
  const used = new Set<string>()
  const free = (learner: string, folder: string, times = 1): string => {
    const name = times === 1 ? learner : `${learner} (${basename(dirname(folder))}, ${times})`
    return used.has(name) ? free(learner, folder, times + 1) : name
  }
  return found.map(({ folder, learner }) => {
    const name = free(learner, folder)
    used.add(name)
    return { learner: name, folder }
  })
})

/**
 * Says which files lie beside the folders of students, where nobody looks for an answer; sentences.
 *
 * @category getters
 * @since 0.1.0
 */
export const unused = Effect.fn("Gradebook.unused")(function*(
  folders: ReadonlyArray<string>,
  assignment: Assignment
): Effect.fn.Return<ReadonlyArray<string>, NoSubmissions> {
  const sentences: Array<string> = []
  for (const given of folders) {
    const folder = resolve(given)
    if ((yield* peopleIn(folder, assignment)) !== undefined) sentences.push(...looseIn(folder, exercisesOf(assignment)))
  }
  return sentences
})

const exercisesOf = ({ items }: Assignment): ReadonlyArray<Exercise> => items.map(({ exercise }) => exercise)

/** The folders of students in a folder; `undefined` where the folder is the submission of one. */
const peopleIn = (
  folder: string,
  assignment: Assignment
): Effect.Effect<ReadonlyArray<string> | undefined, NoSubmissions> =>
  Effect.try({
    try: () => {
      const exercises = exercisesOf(assignment)
      if (holdsAnswer(folder, exercises)) return undefined
      const names = foldersIn(folder)
      // A file with an unusual name is an answer where no folder holds one: beside folders of students it is nobody's.
      const empty = names.every((name) => !holdsAnswer(join(folder, name), exercises))
      return empty && holdsCopy(folder, exercises) ? undefined : names
    },
    catch: () => new NoSubmissions({ folder, problem: "there is no such folder, or it cannot be read" })
  })

/**
 * Checks everything that was handed in. Never fails: what cannot be checked is in the reports.
 *
 * @category constructors
 * @since 0.1.0
 */
export const grade = Effect.fn("Gradebook.grade")(function*(options: GradeOptions): Effect.fn.Return<Gradebook> {
  const { assignment, conditions = [], course, graders } = options
  const looked = yield* Effect.sync(() => options.submissions.map((one) => answersOf(one, assignment)))
  const answers = looked.flatMap((one) => one.answers)
  const pages = fileNames(options.submissions.map(({ learner }) => learner))
  const free = [...graders]
  const check = (exercise: Exercise, file: string, trusted: boolean, timeLimit?: Duration.Input) =>
    Effect.acquireUseRelease(
      Effect.sync(() => free.pop() ?? graders[0]),
      (grader) => grader.check({ exercise, file, trusted, types: !trusted, timeLimit }),
      (grader) => Effect.sync(() => void free.push(grader))
    )

  const distinct = [...new Map(answers.flatMap((one) => one.file === undefined ? [] : [[keyOf(one), one.file]]))]
  const byKey = new Map(answers.map((one) => [keyOf(one), one]))
  const verdicts = new Map<string, Verdict>()
  yield* Effect.forEach(distinct, ([key, file]) =>
    Effect.gen(function*() {
      const exercise = byKey.get(key)?.item.exercise
      if (exercise === undefined) return
      verdicts.set(key, yield* check(exercise, file, false))
      yield* options.onProgress?.(verdicts.size, distinct.length) ?? Effect.void
    }), { concurrency: graders.length, discard: true })

  // Limits are real time, and a busy machine is no fault of an answer: what ran into one is checked again, alone and longer.
  for (const [key, first] of verdicts) {
    const answer = byKey.get(key)
    if (answer?.file === undefined || !ranOut(first)) continue
    const { exercise } = answer.item
    const second = yield* check(exercise, answer.file, false, `${4 * (exercise.manifest.timeLimit ?? 5)} seconds`)
    if (second.points >= first.points) verdicts.set(key, second)
  }

  const verdictOf = (answer: Answer): Verdict | undefined => {
    const verdict = answer.file === undefined ? undefined : verdicts.get(keyOf(answer))
    return verdict === undefined || answer.file === undefined ? undefined : { ...verdict, file: answer.file }
  }
  const graded = answers.map((answer) => ({ ...answer, verdict: verdictOf(answer) }))

  const wanted = options.resemblances === false ?
    [] :
    assignment.items.filter(({ exercise }) => graded.some((one) => one.item.exercise === exercise && isWrong(one)))
  const mutants = wanted.flatMap(({ exercise }) => exercise.mutants.map((file) => ({ exercise, file })))
  const known = yield* Effect.forEach(
    mutants,
    ({ exercise, file }) =>
      Effect.map(check(exercise, file, true), (verdict) => ({
        id: exercise.manifest.id,
        name: basename(file, ".ts"),
        why: whyOf(file),
        verdict
      })),
    { concurrency: graders.length }
  )

  const reports = yield* Effect.forEach(options.submissions, ({ learner }, index) =>
    Effect.gen(function*() {
      const own = graded.filter((one) => one.learner === learner)
      const page = pages.get(learner)
      const entries = yield* Effect.forEach(own, ({ item, notices, place, untouched, verdict }) =>
        Report.entry(item.exercise, verdict, { weight: item.weight, file: place, untouched, notices }))
      return {
        ...Report.make({
          course,
          entries,
          page: page === learner ? undefined : page,
          notices: looked[index]?.notices,
          assignment: assignment.title,
          due: assignment.due,
          gradedBy: "instructor",
          conditions
        }),
        learner
      }
    }))

  return {
    assignment,
    reports,
    statistics: assignment.items.map((item) =>
      statisticsOf(
        item,
        graded.filter((one) => one.item === item),
        known.filter(({ id }) => id === item.exercise.manifest.id)
      )
    ),
    rubrics: graded.flatMap(({ item, learner, verdict }) => {
      const marks = rubricOf(item).map((row) => markOf(row, item.exercise, verdict))
      return marks.length === 0 ? [] : [{ learner, exercise: item.exercise, marks }]
    }),
    conditions,
    unused: options.unused ?? []
  }
})

/**
 * A row a student: the points of each exercise, the weighted sum, what needs a look, and the name of the student's page.
 *
 * @category rendering
 * @since 0.1.0
 */
export const csv = (gradebook: Gradebook): string => gradebookCsv(gradebook)

/**
 * Markdown for the instructor: each task, how many passed it, and the wrong answers by what they resemble.
 *
 * @category rendering
 * @since 0.1.0
 */
export const statistics = (gradebook: Gradebook): string => statisticsPage(gradebook)

/**
 * A page for one student, to read or to print; `undefined` when there is no such student.
 *
 * @category rendering
 * @since 0.1.0
 */
export const page = (gradebook: Gradebook, learner: string, format: "markdown" | "html"): string | undefined => {
  const report = gradebook.reports.find((one) => one.learner === learner)
  if (report === undefined) return undefined
  const rubrics = gradebook.rubrics.filter((one) => one.learner === learner)
  return format === "html" ? studentHtml(report, rubrics) : studentMarkdown(report, rubrics)
}

const keyOf = ({ hash, item }: Answer): string => `${item.exercise.manifest.id} ${hash}`

const answersOf = ({ folder, learner }: Submission, assignment: Assignment) => {
  const { answers, notices } = lookIn(folder, exercisesOf(assignment))
  return {
    answers: assignment.items.flatMap((item): ReadonlyArray<Answer> => {
      const found = answers.get(item.exercise)
      return found === undefined ? [] : [{ ...found, learner, item }]
    }),
    notices
  }
}

const ranOut = (verdict: Verdict): boolean =>
  verdict.outcome === "timedOut" || verdict.outcome === "crashed" || verdict.outcome === "couldNotFinish"
  || verdict.tasks.some((task) => task.message?.startsWith("This was still running after") === true)

/** The first line of a wrong answer says which task fails it, and why. */
const whyOf = (file: string): string =>
  /^\/\/ fails: [\w, ]+ - (.+)/.exec(readFileSync(file, "utf8").split("\n")[0] ?? "")?.[1] ?? ""
