/**
 * What a check of many exercises found, as data with a published schema, and in the formats of others.
 *
 * A report is made from verdicts (`make`), and everything else from the report (`render`): its own JSON, JUnit XML,
 * Gradescope's and Exercism's `results.json`, lines and a summary for GitHub Actions, and CSV. `jsonSchema` describes the
 * JSON.
 *
 * Points are counted once, here: a task that passed while the types, a guard or something outside of the tests fails is
 * `withheld` and counts nothing, and the scores of the tasks always add up to that of the exercise. Tasks stand in the order
 * of the spec.
 *
 * **Gotchas**
 *
 * - A learner's own report is advice; `gradedBy` says who ran it, and nothing proves it.
 * - `totals` are weighted, the points of an exercise are not. Stretch exercises weigh nothing unless an assignment says so.
 * - Exercism and Gradescope know one submission a file. Of several reports, the learner's name is put before each test.
 * - Exercism shows the text of a test: give `make` the specs and `testCode` only where students may see them.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue, Report } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const entries = catalogue.exercises.slice(0, 2).map((exercise) => ({ exercise, verdict: undefined }))
 *   const report = Report.make({ course: { name: "effect-lifecycle", version: "0.1.0" }, learner: "ada", entries })
 *   assert.equal(report.totals.points, 0)
 *   assert.equal(report.exercises[0]?.status, "missing")
 *   assert.match(Report.render("csv", report), /^learner,id,title,/)
 * })
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import type { Exercise } from "./Catalogue.ts"
import { maximum } from "./Catalogue.ts"
import { csv, exercism, githubAnnotations, githubSummary, gradescope, junit } from "./internal/reportFormats.ts"
import { specTests } from "./internal/specTests.ts"
import { openPoints, Outcome, type Verdict } from "./Verdict.ts"

/**
 * How one task went, and what it counts.
 *
 * @category models
 * @since 0.1.0
 */
export const TaskReport = Schema.Struct({
  id: Schema.String,
  title: Schema.String,
  /** `withheld` passed, and counts nothing before the types and the guards hold and nothing fails outside. `open` could not be run where it was graded. */
  status: Schema.Literals(["passed", "failed", "withheld", "open"]),
  points: Schema.Int,
  max: Schema.Int,
  message: Schema.optionalKey(Schema.String),
  /** The line of the learner's file. */
  line: Schema.optionalKey(Schema.Int),
  /** The text of the task's tests, where the report was asked for it. */
  testCode: Schema.optionalKey(Schema.String)
})

/**
 * How one exercise went.
 *
 * @category models
 * @since 0.1.0
 */
export const ExerciseReport = Schema.Struct({
  id: Schema.String,
  title: Schema.String,
  chapter: Schema.String,
  level: Schema.Literals([1, 2, 3]),
  /** How the check ended; `missing` where there was no file. */
  status: Schema.Literals([...Outcome.literals, "missing"]),
  points: Schema.Int,
  max: Schema.Int,
  /** Points that are neither won nor lost, because their tasks could not be run. */
  open: Schema.Int,
  /** What the points are multiplied by in the totals. */
  weight: Schema.Finite,
  tasks: Schema.Array(TaskReport),
  types: Schema.Literals(["passed", "failed", "notChecked"]),
  typeErrors: Schema.Array(Schema.Struct({ line: Schema.Int, code: Schema.String, message: Schema.String })),
  /** What concerns the file as a whole. */
  problem: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int),
  /** What the file printed. */
  output: Schema.String,
  tampered: Schema.Boolean,
  /** Whether the file is still the stub. */
  untouched: Schema.optionalKey(Schema.Boolean),
  hintsUsed: Schema.optionalKey(Schema.Int),
  /** Whose machine it was: a learner's result is advice. */
  gradedBy: Schema.Literals(["learner", "instructor"]),
  /** Hashes of the spec and of the file: the same ones mean the same check. */
  specHash: Schema.optionalKey(Schema.String),
  subjectHash: Schema.optionalKey(Schema.String),
  /** The file, as the learner knows it. */
  file: Schema.optionalKey(Schema.String),
  /** Files for this exercise that were not used, and why; sentences. */
  notices: Schema.optionalKey(Schema.Array(Schema.String)),
  durationMs: Schema.Finite
})

const Sum = {
  exercises: Schema.Int,
  passed: Schema.Int,
  points: Schema.Finite,
  max: Schema.Finite,
  open: Schema.Finite
}

/**
 * What a check of many exercises found.
 *
 * @category models
 * @since 0.1.0
 */
export const Report = Schema.Struct({
  /** The version of this format. */
  version: Schema.Literal(1),
  course: Schema.Struct({ name: Schema.String, version: Schema.String }),
  learner: Schema.optionalKey(Schema.String),
  assignment: Schema.optionalKey(Schema.String),
  due: Schema.optionalKey(Schema.String),
  exercises: Schema.Array(ExerciseReport),
  /** Weighted sums. */
  totals: Schema.Struct({
    ...Sum,
    byLevel: Schema.Array(Schema.Struct({ level: Schema.Literals([1, 2, 3]), ...Sum })),
    byChapter: Schema.Array(Schema.Struct({ chapter: Schema.String, ...Sum }))
  }),
  /** The name of the learner's page, where it is not the learner's own name. */
  page: Schema.optionalKey(Schema.String),
  /** Files that belong to no exercise and were not used; sentences. */
  notices: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Under which conditions it was made, in sentences. */
  conditions: Schema.optionalKey(Schema.Array(Schema.String))
}).annotate({ identifier: "Report", title: "A report of effect-lifecycle's workbook, version 1" })

/**
 * What a check of many exercises found.
 *
 * @category models
 * @since 0.1.0
 */
export type Report = typeof Report.Type

/**
 * How one exercise went.
 *
 * @category models
 * @since 0.1.0
 */
export type ExerciseReport = typeof ExerciseReport.Type

/**
 * How one task went, and what it counts.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskReport = typeof TaskReport.Type

/**
 * One exercise for a report: the verdict on it, and what else is known.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly exercise: Exercise
  /** `undefined` where there was no file to check. */
  readonly verdict: Verdict | undefined
  /** 1 unless said otherwise, and 0 for a stretch exercise. */
  readonly weight?: number | undefined
  /** The text of the spec, for the order of the tasks, its hash and the tests' text. */
  readonly spec?: string | undefined
  /** The text of the learner's file, for its hash. */
  readonly subject?: string | undefined
  /** What to call the learner's file; nothing is said about it when absent. */
  readonly file?: string | undefined
  readonly hintsUsed?: number | undefined
  readonly untouched?: boolean | undefined
  /** Files for this exercise that were not used, and why; sentences. */
  readonly notices?: ReadonlyArray<string> | undefined
}

/**
 * What a report is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReportOptions {
  readonly course: { readonly name: string; readonly version: string }
  readonly entries: ReadonlyArray<Entry>
  readonly learner?: string | undefined
  /** The name of the learner's page, where it is not the learner's own name. */
  readonly page?: string | undefined
  /** Files that belong to no exercise and were not used; sentences. */
  readonly notices?: ReadonlyArray<string> | undefined
  readonly assignment?: string | undefined
  readonly due?: string | undefined
  /** `learner` unless said otherwise. */
  readonly gradedBy?: "learner" | "instructor" | undefined
  readonly conditions?: ReadonlyArray<string> | undefined
  /** Whether the text of the tests goes into the report; no unless said otherwise. */
  readonly testCode?: boolean | undefined
}

/**
 * The formats of a report.
 *
 * @category models
 * @since 0.1.0
 */
export const Kind = Schema.Literals(["json", "junit", "gradescope", "exercism", "github", "csv"])

/**
 * The formats of a report.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = typeof Kind.Type

/**
 * Puts verdicts together.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: ReportOptions): Report => {
  const { assignment, conditions, course, due, entries, learner, notices = [], page } = options
  const exercises = entries.map((entry) => exerciseReport(entry, options))
  return {
    version: 1,
    course,
    ...learner !== undefined && { learner },
    ...assignment !== undefined && { assignment },
    ...due !== undefined && { due },
    exercises,
    totals: {
      ...sum(exercises),
      byLevel: [...Map.groupBy(exercises, (one) => one.level)].sort(([a], [b]) => a - b)
        .map(([level, some]) => ({ level, ...sum(some) })),
      byChapter: [...Map.groupBy(exercises, (one) => one.chapter)].map(([chapter, some]) => ({ chapter, ...sum(some) }))
    },
    ...page !== undefined && { page },
    ...notices.length > 0 && { notices },
    ...conditions !== undefined && { conditions }
  }
}

/**
 * An entry with the texts of the spec and of the file that was checked; a text that cannot be read is left out.
 *
 * @category constructors
 * @since 0.1.0
 */
export const entry = (
  exercise: Exercise,
  verdict: Verdict | undefined,
  rest?: Omit<Entry, "exercise" | "verdict" | "spec" | "subject">
): Effect.Effect<Entry> =>
  Effect.sync(() => ({
    exercise,
    verdict,
    spec: textOf(exercise.spec),
    subject: verdict === undefined ? undefined : textOf(verdict.file),
    ...rest
  }))

/**
 * A report as text. For `github`, what `githubAnnotations` and `githubSummary` give, one after the other.
 *
 * @category rendering
 * @since 0.1.0
 */
export const render = (kind: Kind, reports: Report | ReadonlyArray<Report>): string => {
  const all: ReadonlyArray<Report> = isOne(reports) ? [reports] : reports
  switch (kind) {
    case "json":
      return `${JSON.stringify(isOne(reports) ? encode(reports) : reports.map((one) => encode(one)), undefined, 2)}\n`
    case "junit":
      return junit(all)
    case "gradescope":
      return `${JSON.stringify(gradescope(all), undefined, 2)}\n`
    case "exercism":
      return `${JSON.stringify(exercism(all), undefined, 2)}\n`
    case "github":
      return `${githubAnnotations(all)}${githubSummary(all)}`
    case "csv":
      return csv(all)
  }
}

export {
  /**
   * Lines that GitHub Actions turns into marks beside the code; they belong on standard output.
   *
   * @category rendering
   * @since 0.1.0
   */
  githubAnnotations,
  /**
   * Markdown for the page of a workflow's run; it belongs into the file that `GITHUB_STEP_SUMMARY` names.
   *
   * @category rendering
   * @since 0.1.0
   */
  githubSummary
}

/**
 * The JSON schema of a report, draft 2020-12.
 *
 * @category schemas
 * @since 0.1.0
 */
export const jsonSchema = (): Record<string, unknown> => {
  const { definitions, schema } = Schema.toJsonSchemaDocument(Report)
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, $defs: definitions }
}

const encode = Schema.encodeSync(Report)

const isOne = (reports: Report | ReadonlyArray<Report>): reports is Report => !Array.isArray(reports)

const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16)

const sum = (some: ReadonlyArray<ExerciseReport>) => ({
  exercises: some.length,
  passed: some.filter(({ status }) => status === "passed").length,
  points: rounded(some.reduce((all, { points, weight }) => all + points * weight, 0)),
  max: rounded(some.reduce((all, { max, weight }) => all + max * weight, 0)),
  open: rounded(some.reduce((all, { open, weight }) => all + open * weight, 0))
})

// Weights such as 0.1 leave dust behind.
const rounded = (points: number): number => Math.round(points * 1000) / 1000

const exerciseReport = (given: Entry, { gradedBy = "learner", testCode = false }: ReportOptions): ExerciseReport => {
  const { exercise, file, hintsUsed, notices = [], spec, subject, untouched, verdict } = given
  const { manifest } = exercise
  return {
    id: manifest.id,
    title: manifest.title,
    chapter: exercise.chapter,
    level: manifest.level,
    status: verdict?.outcome ?? "missing",
    points: verdict?.points ?? 0,
    max: maximum(manifest),
    open: verdict === undefined ? 0 : openPoints(verdict),
    weight: given.weight ?? (manifest.stretch === true ? 0 : 1),
    tasks: taskReports(given, testCode),
    types: verdict?.types.status ?? "notChecked",
    typeErrors: verdict?.types.errors ?? [],
    ...verdict?.problem !== undefined && { problem: verdict.problem },
    ...verdict?.line !== undefined && { line: verdict.line },
    ...verdict === undefined && { problem: "There is no file for this exercise." },
    output: verdict?.output ?? "",
    tampered: verdict?.tampered ?? false,
    ...untouched !== undefined && { untouched },
    ...hintsUsed !== undefined && { hintsUsed },
    gradedBy,
    ...spec !== undefined && { specHash: hashOf(spec) },
    ...subject !== undefined && { subjectHash: hashOf(subject) },
    ...file !== undefined && { file },
    ...notices.length > 0 && { notices },
    durationMs: verdict?.durationMillis ?? 0
  }
}

const taskReports = ({ exercise, spec, verdict }: Entry, testCode: boolean): ReadonlyArray<TaskReport> => {
  const { tasks } = exercise.manifest
  const tests = spec === undefined ? [] : specTests(spec, tasks.map(({ id }) => id))
  const place = (id: string): number => {
    const index = tests.findIndex((test) => test.task === id)
    return index < 0 ? tests.length : index
  }
  const reports = tasks.map(({ id, points, title }): TaskReport => {
    const went = verdict?.tasks.find((task) => task.id === id)
    const passed = went?.passed === true
    // A verdict gives all the points of its tasks, or none.
    const counts = passed && (points === 0 || (verdict?.points ?? 0) > 0)
    const code = tests.filter((test) => test.task === id).map((test) => test.code).join("\n\n")
    const message = went?.message ?? (passed ? undefined : "This task did not run.")
    return {
      id,
      title,
      status: passed ? counts ? "passed" : "withheld" : went?.open === true ? "open" : "failed",
      points: counts ? points : 0,
      max: points,
      ...message !== undefined && { message },
      ...went?.line !== undefined && { line: went.line },
      ...testCode && code !== "" && { testCode: code }
    }
  })
  return reports.toSorted((a, b) => place(a.id) - place(b.id))
}
