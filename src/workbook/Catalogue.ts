/**
 * The exercises of a course, as they lie in its folder.
 *
 * A folder `exercises/NN-chapter/NN-name/` with a `meta.json` is an exercise; there is no registry, so a set of one's own is
 * a folder of one's own. Everything is read and checked at once: a course with a fault names the file, the field and
 * what is wrong with it, for all its faults together.
 *
 * **Gotchas**
 *
 * - A catalogue is a picture of the moment it was loaded. Load it again after a file was added.
 * - Points, levels and totals count the core exercises; those marked `stretch` are listed and count for nothing.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const exercise = Catalogue.find(catalogue, "02.2")
 *   assert.equal(exercise?.manifest.title, "One budget, three calls")
 *   assert.equal(Catalogue.nearest(catalogue, "2.2"), "02.2")
 * })
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename, join, resolve, sep } from "node:path"
import { distance } from "./internal/distance.ts"

/**
 * One graded task. Without points it is a guard: a stub that does nothing may pass it, and where it fails the
 * points of the others are withheld.
 *
 * @category models
 * @since 0.1.0
 */
export const Task = Schema.Struct({
  id: Schema.String.check(Schema.isPattern(/^\w+$/)),
  title: Schema.String.check(Schema.isMinLength(1)),
  points: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 16 }))
})

/**
 * One graded task.
 *
 * @category models
 * @since 0.1.0
 */
export type Task = typeof Task.Type

/**
 * What `meta.json` holds.
 *
 * @category models
 * @since 0.1.0
 */
export const Manifest = Schema.Struct({
  id: Schema.String.check(Schema.isPattern(/^\d\d\.\d+$/)),
  title: Schema.String.check(Schema.isMinLength(1)),
  level: Schema.Literals([1, 2, 3]),
  kind: Schema.Literals(["predict", "identify", "complete", "repair", "build", "write-the-test"]),
  /** The folder of the chapter's lesson, from the root of the course's repository. */
  lesson: Schema.optionalKey(Schema.String),
  teaches: Schema.Array(Schema.String),
  needs: Schema.Array(Schema.String),
  tasks: Schema.NonEmptyArray(Task),
  /** The public modules of effect-lifecycle that the stub or the solution uses, such as `request/Deadline`. */
  modules: Schema.optionalKey(Schema.Array(Schema.String)),
  /** What an answer may import besides the usual: a name, or `name/*` for everything below it. */
  imports: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Says that the stub is not expected to type-check. */
  stub: Schema.optionalKey(Schema.Literal("does-not-compile")),
  /** How long one check may take, in seconds, where 5 are not enough. */
  timeLimit: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 120 }))),
  /** Whether PostgreSQL is needed: for all tasks, or for those that are named. */
  needsSql: Schema.optionalKey(Schema.Union([Schema.Boolean, Schema.Array(Schema.String)])),
  /** A bonus exercise: outside the totals. */
  stretch: Schema.optionalKey(Schema.Boolean)
})

/**
 * What `meta.json` holds.
 *
 * @category models
 * @since 0.1.0
 */
export type Manifest = typeof Manifest.Type

/**
 * An exercise of a course, with the paths of its files.
 *
 * @category models
 * @since 0.1.0
 */
export interface Exercise {
  readonly manifest: Manifest
  /** The folder with everything about it. */
  readonly folder: string
  /** The folder, from that of the course, with forward slashes: `02-deadlines/02-one-budget`. */
  readonly path: string
  /** The folder of the chapter: `02-deadlines`. */
  readonly chapter: string
  readonly stub: string
  readonly spec: string
  readonly solution: Option.Option<string>
  readonly hints: Option.Option<string>
  readonly alternatives: ReadonlyArray<string>
  readonly mutants: ReadonlyArray<string>
  /** Modules that the learner gets beside the stub, to read and import. */
  readonly given: ReadonlyArray<string>
  /** A hash of the stub and what is given with it: another one means that the course has changed. */
  readonly version: string
}

/**
 * All exercises of a course, in their order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Catalogue {
  /** The folder of the course. */
  readonly folder: string
  readonly exercises: ReadonlyArray<Exercise>
}

/**
 * One fault of a course.
 *
 * @category models
 * @since 0.1.0
 */
export const Fault = Schema.Struct({ file: Schema.String, field: Schema.String, problem: Schema.String })

/**
 * A course has no exercises, or some that are not complete.
 *
 * @category errors
 * @since 0.1.0
 */
export class CourseBroken extends Schema.TaggedError<CourseBroken>()("CourseBroken", {
  folder: Schema.String,
  faults: Schema.NonEmptyArray(Fault)
}) {
  override get message(): string {
    const lines = this.faults.map(({ field, file, problem }) =>
      `  ${file}${field === "" ? "" : `, ${field}`}: ${problem}`
    )
    return [`The course in ${this.folder} is broken:`, ...lines].join("\n")
  }
}

/**
 * The sums of some exercises.
 *
 * @category models
 * @since 0.1.0
 */
export interface Total {
  readonly exercises: number
  readonly points: number
}

/**
 * The sums of a course; stretch exercises are not in them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Totals extends Total {
  readonly byChapter: ReadonlyMap<string, Total>
  readonly byLevel: ReadonlyMap<Manifest["level"], Total>
}

type Fault = typeof Fault.Type

/**
 * Reads a course.
 *
 * @category constructors
 * @since 0.1.0
 */
export const load = Effect.fn("Catalogue.load")(
  function*(folder: string): Effect.fn.Return<Catalogue, CourseBroken> {
    const root = resolve(folder)
    const { exercises, faults } = yield* Effect.sync(() => read(root))
    const [first, ...rest] = faults
    if (first !== undefined) return yield* new CourseBroken({ folder: root, faults: [first, ...rest] })
    return { folder: root, exercises }
  }
)

/**
 * The exercise with an id.
 *
 * @category getters
 * @since 0.1.0
 */
export const find = (catalogue: Catalogue, id: string): Exercise | undefined =>
  catalogue.exercises.find((exercise) => exercise.manifest.id === id)

/**
 * The exercises of a chapter, by its folder or its number.
 *
 * @category getters
 * @since 0.1.0
 */
export const chapter = (catalogue: Catalogue, name: string): ReadonlyArray<Exercise> => {
  const number = /^\d{1,2}$/.test(name) ? name.padStart(2, "0") : name
  return catalogue.exercises.filter((one) => one.chapter === name || one.chapter.startsWith(`${number}-`))
}

/**
 * The id of the exercise whose id, folder or title is nearest to what somebody typed; `undefined` when nothing is near.
 *
 * @category getters
 * @since 0.1.0
 */
export const nearest = (catalogue: Catalogue, text: string): string | undefined => {
  const wanted = text.trim().toLowerCase()
  const scored = catalogue.exercises.map(({ manifest, path }) => {
    const names = [manifest.id, basename(path), basename(path).replace(/^\d+-/, ""), manifest.title.toLowerCase()]
    return { id: manifest.id, score: Math.min(...names.map((name) => distance(wanted, name))) }
  })
  const best = scored.reduce<{ id: string; score: number } | undefined>(
    (least, one) => least === undefined || one.score < least.score ? one : least,
    undefined
  )
  return best !== undefined && best.score <= Math.max(1, Math.floor(wanted.length / 3)) ? best.id : undefined
}

/**
 * All the points that there are in an exercise.
 *
 * @category getters
 * @since 0.1.0
 */
export const maximum = (manifest: Manifest): number => manifest.tasks.reduce((sum, task) => sum + task.points, 0)

/**
 * Exercises and points, in all, by chapter and by level.
 *
 * @category getters
 * @since 0.1.0
 */
export const totals = (catalogue: Catalogue): Totals => {
  const core = catalogue.exercises.filter(({ manifest }) => manifest.stretch !== true)
  const sum = (some: ReadonlyArray<Exercise>): Total => ({
    exercises: some.length,
    points: some.reduce((points, { manifest }) => points + maximum(manifest), 0)
  })
  return {
    ...sum(core),
    byChapter: new Map([...Map.groupBy(core, (one) => one.chapter)].map(([name, some]) => [name, sum(some)])),
    byLevel: new Map([...Map.groupBy(core, (one) => one.manifest.level)].map(([level, some]) => [level, sum(some)]))
  }
}

const decode = Schema.decodeUnknownResult(Manifest, { errors: "all", onExcessProperty: "error" })

/** The faults of a manifest, one a field. */
const faultsOf = (file: string, message: string): Array<Fault> =>
  message.split(/\n(?=\S)/).map((part) => {
    const [problem = "", ...at] = part.split(/\n\s+at /)
    const field = at.join("").replaceAll(/\[["']?([^\]"']+)["']?\]/g, ".$1").replace(/^\./, "")
    return { file, field, problem: problem.trim() }
  })

const read = (root: string): { readonly exercises: ReadonlyArray<Exercise>; readonly faults: ReadonlyArray<Fault> } => {
  const exercises: Array<Exercise> = []
  const faults: Array<Fault> = []
  const metas = existsSync(root) ? globSync("*/*/meta.json", { cwd: root }).sort() : []
  if (metas.length === 0) {
    faults.push({ file: root, field: "", problem: "there is no exercise (NN-chapter/NN-name/meta.json)" })
  }
  for (const meta of metas) {
    const path = meta.split(sep).slice(0, -1).join("/")
    const file = `${path}/meta.json`
    const fault = (field: string, problem: string): void => void faults.push({ file, field, problem })
    let json: unknown
    try {
      json = JSON.parse(readFileSync(join(root, meta), "utf8"))
    } catch (error) {
      fault("", `it is not JSON: ${error instanceof Error ? error.message : String(error)}`)
      continue
    }
    const decoded = decode(json)
    if (decoded._tag === "Failure") {
      faults.push(...faultsOf(file, decoded.failure.message))
      continue
    }
    const manifest = decoded.success
    const [one = "", other = ""] = path.split("/").map((name) => /^\d+/.exec(name)?.[0] ?? "")
    if (manifest.id !== `${one}.${Number(other)}`) fault("id", `the folder is that of ${one}.${Number(other)}`)
    const twice = exercises.find((earlier) => earlier.manifest.id === manifest.id)
    if (twice !== undefined) fault("id", `${twice.path} has the same one`)
    const ids = manifest.tasks.map((task) => task.id)
    if (new Set(ids).size < ids.length) fault("tasks", "two of them have the same id")
    if (typeof manifest.needsSql === "object") {
      for (const id of manifest.needsSql) if (!ids.includes(id)) fault("needsSql", `there is no task ${id}`)
    }
    const folder = join(root, path)
    for (const name of ["exercise.ts", "exercise.spec.ts"]) {
      if (!existsSync(join(folder, name))) {
        faults.push({ file: `${path}/${name}`, field: "", problem: "it is not there" })
      }
    }
    exercises.push(exerciseIn(folder, path, manifest))
  }
  return { exercises, faults }
}

const exerciseIn = (folder: string, path: string, manifest: Manifest): Exercise => {
  const files = (pattern: string): Array<string> =>
    globSync(pattern, { cwd: folder }).sort().map((name) => join(folder, name))
  const maybe = (name: string): Option.Option<string> => Option.fromNullishOr(files(name)[0])
  const own = new Set(["exercise.ts", "solution.ts"])
  const given = files("*.ts").filter((file) => !own.has(basename(file)) && !file.endsWith(".spec.ts"))
  const stub = join(folder, "exercise.ts")
  const hash = createHash("sha256")
  for (const file of [stub, ...given]) if (existsSync(file)) hash.update(basename(file)).update(readFileSync(file))
  return {
    manifest,
    folder,
    path,
    chapter: path.split("/")[0] ?? path,
    stub,
    spec: join(folder, "exercise.spec.ts"),
    solution: maybe("solution.ts"),
    hints: maybe("hints.md"),
    alternatives: files("alternatives/*.ts"),
    mutants: files("mutants/*.ts"),
    given,
    version: hash.digest("hex").slice(0, 16)
  }
}
