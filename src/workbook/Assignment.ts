/**
 * What an instructor sets: some exercises of a course, what each counts, and what students get to see.
 *
 * An assignment is a JSON file that belongs to whoever teaches. `check`, `grade` and the packs follow it; without one, the
 * core exercises of the course are the assignment. Every fault is found at once, and names the file and the field.
 *
 * ```json
 * {
 *   "title": "Week 3: time and repetition",
 *   "due": "Friday 28 November, 18:00",
 *   "exercises": ["02.2", { "id": "03.5", "weight": 2 }],
 *   "hideSolutions": true,
 *   "rubric": {
 *     "03.5": [
 *       { "name": "Resilience", "tasks": ["b", "d", "e"] },
 *       { "name": "Clarity", "description": "Can a colleague follow it without the author?" }
 *     ]
 *   }
 * }
 * ```
 *
 * **Gotchas**
 *
 * - `due` is a note for people. Nothing is refused or cut for being late: that is the instructor's decision.
 * - A weight multiplies the points of an exercise. Points that a learner sees while working are never weighted.
 * - `hideSolutions` keeps solutions out of packs and of the course's commands; a clone of the whole course has them.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Assignment, Catalogue } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const text = JSON.stringify({ title: "Week 2", exercises: ["02.2", { id: "03.5", weight: 2 }] })
 *   const assignment = yield* Assignment.parse(text, "week-2.json", catalogue)
 *   assert.equal(Assignment.maximum(assignment), 4 + 2 * 8)
 *
 *   const typo = yield* Effect.flip(Assignment.parse(text.replace("03.5", "3.5"), "week-2.json", catalogue))
 *   assert.match(typo.message, /week-2\.json, exercises\.1\.id: there is no exercise 3\.5; is 03\.5 meant\?/)
 * })
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import { type Catalogue, type Exercise, Fault, find, maximum as pointsOf, nearest } from "./Catalogue.ts"

const Name = Schema.String.check(Schema.isMinLength(1))

/**
 * One row of a rubric: tasks that decide it, or a question for the person who reads the answer.
 *
 * @category models
 * @since 0.1.0
 */
export const RubricRow = Schema.Struct({
  name: Name,
  /** Tasks whose points decide the row; without them a person fills it in. */
  tasks: Schema.optionalKey(Schema.NonEmptyArray(Schema.String)),
  /** What a full mark means, for whoever reads the page. */
  description: Schema.optionalKey(Schema.String)
})

/**
 * One row of a rubric.
 *
 * @category models
 * @since 0.1.0
 */
export type RubricRow = typeof RubricRow.Type

const Weight = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))

/**
 * What an assignment file holds.
 *
 * @category models
 * @since 0.1.0
 */
export const File = Schema.Struct({
  /** Lets an editor find a schema; it is not read. */
  $schema: Schema.optionalKey(Schema.String),
  title: Name,
  exercises: Schema.NonEmptyArray(
    Schema.Union([Schema.String, Schema.Struct({ id: Schema.String, weight: Schema.optionalKey(Weight) })])
  ),
  /** When it is due, in words for people. */
  due: Schema.optionalKey(Schema.String),
  hideSolutions: Schema.optionalKey(Schema.Boolean),
  /** Rubrics of exercises, by their id. */
  rubric: Schema.optionalKey(Schema.Record(Schema.String, Schema.NonEmptyArray(RubricRow)))
})

/**
 * One exercise of an assignment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Item {
  readonly exercise: Exercise
  readonly weight: number
  /** Empty where the assignment has none for it. */
  readonly rubric: ReadonlyArray<RubricRow>
}

/**
 * An assignment whose exercises are in the course.
 *
 * @category models
 * @since 0.1.0
 */
export interface Assignment {
  readonly title: string
  readonly due: string | undefined
  readonly items: ReadonlyArray<Item>
  readonly hideSolutions: boolean
}

/**
 * An assignment file cannot be used.
 *
 * @category errors
 * @since 0.1.0
 */
export class AssignmentBroken extends Schema.TaggedError<AssignmentBroken>()("AssignmentBroken", {
  file: Schema.String,
  faults: Schema.NonEmptyArray(Fault)
}) {
  override get message(): string {
    const lines = this.faults.map(({ field, file, problem }) =>
      `  ${file}${field === "" ? "" : `, ${field}`}: ${problem}`
    )
    return [`The assignment cannot be used:`, ...lines].join("\n")
  }
}

type Fault = typeof Fault.Type

/**
 * Reads an assignment file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const load = Effect.fn("Assignment.load")(
  function*(file: string, catalogue: Catalogue): Effect.fn.Return<Assignment, AssignmentBroken> {
    const text = yield* Effect.try({
      try: () => readFileSync(file, "utf8"),
      catch: (error) => {
        const problem = `it cannot be read: ${error instanceof Error ? error.message : String(error)}`
        return new AssignmentBroken({ file, faults: [{ file, field: "", problem }] })
      }
    })
    return yield* parse(text, file, catalogue)
  }
)

/**
 * Reads the text of an assignment; `file` is what errors call it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (
  text: string,
  file: string,
  catalogue: Catalogue
): Effect.Effect<Assignment, AssignmentBroken> => {
  const broken = ([first, ...rest]: ReadonlyArray<Fault>): Effect.Effect<Assignment, AssignmentBroken> =>
    new AssignmentBroken({ file, faults: [first ?? { file, field: "", problem: "it cannot be used" }, ...rest] })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    const problem = `it is not JSON: ${error instanceof Error ? error.message : String(error)}`
    return broken([{ file, field: "", problem }])
  }
  const decoded = decode(json)
  if (decoded._tag === "Failure") return broken(faultsOf(file, decoded.failure.message))
  const { assignment, faults } = resolve(decoded.success, file, catalogue)
  return faults.length > 0 ? broken(faults) : Effect.succeed(assignment)
}

/**
 * All core exercises of a course, each counting once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const whole = (catalogue: Catalogue): Assignment => ({
  title: "The whole course",
  due: undefined,
  items: catalogue.exercises.filter(({ manifest }) => manifest.stretch !== true).map((exercise) => ({
    exercise,
    weight: 1,
    rubric: []
  })),
  hideSolutions: false
})

/**
 * All the weighted points that there are.
 *
 * @category getters
 * @since 0.1.0
 */
export const maximum = (assignment: Assignment): number =>
  assignment.items.reduce((sum, { exercise, weight }) => sum + weight * pointsOf(exercise.manifest), 0)

/**
 * The rows of an exercise's rubric: those of the assignment, else for level 3 one a scored task, and none below.
 *
 * @category getters
 * @since 0.1.0
 */
export const rubricOf = ({ exercise, rubric }: Item): ReadonlyArray<RubricRow> =>
  rubric.length > 0 || exercise.manifest.level < 3
    ? rubric
    : exercise.manifest.tasks.filter(({ points }) => points > 0).map(({ id, title }) => ({ name: title, tasks: [id] }))

const decode = Schema.decodeUnknownResult(File, { errors: "all", onExcessProperty: "error" })

/** The faults of a file, one a field. */
const faultsOf = (file: string, message: string): Array<Fault> =>
  message.split(/\n(?=\S)/).map((part) => {
    const [problem = "", ...at] = part.split(/\n\s+at /)
    const field = at.join("").replaceAll(/\[["']?([^\]"']+)["']?\]/g, ".$1").replace(/^\./, "")
    // A list that must not be empty is decoded as its first entry and the rest.
    return field.endsWith(".0") && problem.trim() === "Missing key"
      ? { file, field: field.slice(0, -2), problem: "the list is empty: it needs at least one entry" }
      : { file, field, problem: problem.trim() }
  })

const resolve = (
  given: typeof File.Type,
  file: string,
  catalogue: Catalogue
): { readonly assignment: Assignment; readonly faults: ReadonlyArray<Fault> } => {
  const faults: Array<Fault> = []
  const items: Array<Item> = []
  const fault = (field: string, problem: string): void => void faults.push({ file, field, problem })
  for (const [index, entry] of given.exercises.entries()) {
    const { id, weight = 1 } = typeof entry === "string" ? { id: entry } : entry
    const field = `exercises.${index}${typeof entry === "string" ? "" : ".id"}`
    const exercise = find(catalogue, id)
    if (exercise === undefined) {
      const meant = nearest(catalogue, id)
      fault(field, `there is no exercise ${id}${meant === undefined ? "" : `; is ${meant} meant?`}`)
    } else if (items.some((item) => item.exercise === exercise)) {
      fault(field, `${id} is in the list twice`)
    } else {
      items.push({ exercise, weight, rubric: given.rubric?.[id] ?? [] })
    }
  }
  for (const [id, rows] of Object.entries(given.rubric ?? {})) {
    const listed = given.exercises.some((entry) => (typeof entry === "string" ? entry : entry.id) === id)
    if (!listed) fault(`rubric.${id}`, "the assignment does not have this exercise")
    const tasks = find(catalogue, id)?.manifest.tasks
    for (const [index, row] of rows.entries()) {
      for (const task of row.tasks ?? []) {
        if (tasks !== undefined && !tasks.some((one) => one.id === task)) {
          fault(`rubric.${id}.${index}.tasks`, `exercise ${id} has no task ${task}`)
        }
      }
    }
  }
  return {
    assignment: { title: given.title, due: given.due, items, hideSolutions: given.hideSolutions ?? false },
    faults
  }
}
