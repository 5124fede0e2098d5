/**
 * Checks a course: that right answers pass, wrong ones fail where they should, and no trick scores.
 *
 * Every file of an exercise is run against its spec: the stub, the solution and its alternatives many times in shuffled
 * order, the wrong answers, and copies of the solution with one small mistake each, made from its syntax tree. All of them
 * go through one vitest a process, which is why a whole course takes minutes and not hours. The cheats are put into the
 * stub of each exercise and go through the `Grader`, as a learner's file does.
 *
 * What does not hold is a `Fault` with the exercise, the gate, the file and a sentence. Nothing stops at the first one.
 *
 * **Gotchas**
 *
 * - The files of the course are trusted. Do not check the work of learners with it: that is what the `Grader` is for.
 * - A small mistake that no test notices is a survivor. It needs a reason in the exercise's `survivors.json`, under the
 *   name that the fault gives it; one in twenty may survive in all.
 * - The messages of wrong answers are compared with `MESSAGES.md` in the folder of the course; `review: "write"` writes it.
 * - `vitest`, `@effect/vitest` and `typescript` have to be installed.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Matrix } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const report = yield* Matrix.check({ course: "exercises", ids: ["03.4"], repeats: 2, automatic: false })
 *   assert.equal(report.exercises, 1)
 *   assert.deepEqual(report.faults.filter((fault) => fault.gate === "solution"), [])
 * })
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Effect, Option, Schema, type Scope } from "effect"
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import * as Catalogue from "./Catalogue.ts"
import { type BatchPlace, BatchUnavailable, prepareAll, runAll } from "./internal/batchProcess.ts"
import * as Gates from "./internal/gates.ts"
import * as Messages from "./internal/messages.ts"
import { chunks, plan, type Planned, type Role, verdictOf } from "./internal/plan.ts"
import { type Survivor, survivorsGate, withinBudget } from "./internal/survivors.ts"
import { tryCheats } from "./internal/tryCheats.ts"
import { checkAllTypes, type TypesUnavailable } from "./internal/typeGate.ts"
import type { Verdict } from "./Verdict.ts"

/**
 * What a fault belongs to.
 *
 * @category models
 * @since 0.1.0
 */
export type Gate = Gates.Gate

/**
 * One thing that does not hold.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault = Gates.Fault

/**
 * What a check of a course found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly exercises: number
  /** How many times a file was run against a spec. */
  readonly runs: number
  /** How many wrong answers there are. */
  readonly mutants: number
  /** How many small mistakes were made, and those that no test notices. */
  readonly automatic: { readonly made: number; readonly survivors: ReadonlyArray<Survivor> }
  /** How many cheats were tried, and how many of them got past the rules about their text. */
  readonly cheats: { readonly tried: number; readonly ran: number }
  readonly faults: ReadonlyArray<Fault>
  readonly durationMillis: number
}

/**
 * The exercises cannot be run: a package is missing, or a process does not start.
 *
 * @category errors
 * @since 0.1.0
 */
export class MatrixUnavailable extends Schema.TaggedError<MatrixUnavailable>()("MatrixUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The exercises cannot be run: ${this.reason}`
  }
}

/**
 * There is no exercise with that id.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoSuchExercise extends Schema.TaggedError<NoSuchExercise>()("NoSuchExercise", {
  id: Schema.String,
  nearest: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `There is no exercise ${this.id}.${this.nearest === undefined ? "" : ` Did you mean ${this.nearest}?`}`
  }
}

/**
 * What to check, and how much of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface MatrixOptions {
  /** The folder of the course; the folder above it has the packages. */
  readonly course: string
  /** Only these exercises or chapters; all of them unless said otherwise. */
  readonly ids?: ReadonlyArray<string> | undefined
  /** Whether small mistakes are made; yes unless said otherwise. */
  readonly automatic?: boolean | undefined
  /** How often a right answer is run; 20 unless said otherwise. */
  readonly repeats?: number | undefined
  /** A folder of cheats. Without one none is tried. */
  readonly cheats?: string | undefined
  /** Whether `MESSAGES.md` is compared, which is the default, or written. */
  readonly review?: "compare" | "write" | undefined
  /** How many processes run at once; one more than there are cores unless said otherwise, as tests also wait. */
  readonly processes?: number | undefined
  /** Hears what goes on, in a few words, now and then. */
  readonly onProgress?: ((words: string) => void) | undefined
}

const JsonText = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

const lessonsOf = (course: string): Gates.Lessons => {
  const file = join(course, "concepts.json")
  return existsSync(file)
    ? Option.getOrElse(Schema.decodeOption(JsonText)(readFileSync(file, "utf8")), () => ({}))
    : {}
}

const select = Effect.fnUntraced(function*(
  catalogue: Catalogue.Catalogue,
  ids: ReadonlyArray<string> | undefined
): Effect.fn.Return<ReadonlyArray<Catalogue.Exercise>, NoSuchExercise> {
  if (ids === undefined || ids.length === 0) return catalogue.exercises
  const chosen = new Set<Catalogue.Exercise>()
  for (const id of ids) {
    const one = Catalogue.find(catalogue, id)
    const some = one === undefined ? Catalogue.chapter(catalogue, id) : [one]
    const nearest = Catalogue.nearest(catalogue, id)
    if (some.length === 0) return yield* new NoSuchExercise({ id, ...nearest !== undefined && { nearest } })
    for (const exercise of some) chosen.add(exercise)
  }
  return catalogue.exercises.filter((exercise) => chosen.has(exercise))
})

/** Those small mistakes that the compiler does not notice either. */
const withTypes = Effect.fnUntraced(function*(place: Place, alive: ReadonlyArray<Planned>) {
  if (alive.length === 0) return alive
  const files = alive.map((one, index) => ({
    one,
    over: join(place.scratch, `${index}`),
    file: join(place.scratch, `${index}`, relative(place.course, one.file))
  }))
  for (const { file, one } of files) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, one.text ?? "")
  }
  const errors = yield* checkAllTypes({ ...place, over: files.map(({ over }) => over) }, files.map(({ file }) => file))
  return files.filter(({ file }) => !errors.has(file)).map(({ one }) => one)
})

/** What a small mistake is told; the tests behind the one that notices it are not run. */
const toldOf = (verdict: Verdict): string => {
  const messages = verdict.tasks.flatMap(({ message = "", passed }) => passed ? [] : [message])
  return verdict.problem ?? messages.find((message) => !message.startsWith("This task ")) ?? "by the compiler"
}

interface Place extends BatchPlace {
  readonly course: string
  readonly scratch: string
}

type Failure = Catalogue.CourseBroken | NoSuchExercise | BatchUnavailable | TypesUnavailable

const workplace = Effect.fnUntraced(function*(course: string): Effect.fn.Return<Place, BatchUnavailable, Scope.Scope> {
  const root = dirname(course)
  const scratch = yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        mkdirSync(join(root, ".lifecycle"), { recursive: true })
        return mkdtempSync(join(root, ".lifecycle", "matrix-"))
      },
      catch: () => new BatchUnavailable({ reason: `${root} cannot be written to.` })
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  )
  return { root, course, scratch, fromSource: existsSync(join(root, "src", "index.ts")) }
})

const checkAll = Effect.fnUntraced(function*(options: MatrixOptions): Effect.fn.Return<Report, Failure, Scope.Scope> {
  const {
    automatic = true,
    onProgress = () => {},
    processes = availableParallelism() + 1,
    repeats = 20,
    review = "compare"
  } = options
  const began = yield* Clock.currentTimeMillis
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - began)
  const report = (words: string) =>
    Effect.map(elapsed, (millis) => onProgress(`${(millis / 1000).toFixed(0).padStart(3)} s  ${words}`))
  const catalogue = yield* Catalogue.load(options.course)
  const exercises = yield* select(catalogue, options.ids)
  const whole = exercises.length === catalogue.exercises.length
  const cheats = options.cheats === undefined
    ? []
    : globSync("*.ts", { cwd: options.cheats }).sort().map((name) => resolve(options.cheats ?? "", name))
  const place = yield* workplace(catalogue.folder)

  const prepared = yield* prepareAll(place, {
    exercises: exercises.map(({ folder, given, manifest, solution, stub }) => ({
      id: manifest.id,
      folder,
      stub,
      solution: Option.getOrUndefined(solution),
      given,
      imports: manifest.imports ?? []
    })),
    cheats,
    rules: { support: join(catalogue.folder, "support.ts") }
  })
  const made = automatic ? prepared : prepared.map((one) => ({ ...one, mutations: [] }))
  const planned = plan(exercises, made, repeats)
  yield* report(`${exercises.length} exercises, ${planned.length} runs`)
  const files = exercises.flatMap(({ alternatives, mutants, solution, spec, stub }) => [
    stub,
    spec,
    ...Option.toArray(solution),
    ...alternatives,
    ...mutants
  ])
  const [results, errors] = yield* Effect.all([
    runAll(place, chunks(planned, { size: 350, sql: processes }), { processes, course: catalogue.folder }),
    checkAllTypes(place, files)
  ], { concurrency: 2 })
  const verdicts = planned.map((one) => ({ one, verdict: verdictOf(one, results.get(one.number)) }))
  const unnoticed = verdicts.filter(({ one, verdict }) => one.role === "automatic" && verdict.passed)
  const alive = yield* withTypes(place, unnoticed.map(({ one }) => one))
  yield* report(cheats.length === 0 ? "all files are run" : "all files are run; now the cheats")
  const tried = cheats.length === 0
    ? []
    : yield* tryCheats(place, { exercises, prepared, cheats, processes })
  yield* report("done")

  const faults = [...Gates.conceptsGate(catalogue, exercises, lessonsOf(catalogue.folder))]
  const survivors: Array<Survivor> = []
  const sections = new Map<string, string>()
  for (const exercise of exercises) {
    const mine = verdicts.filter(({ one }) => one.exercise === exercise)
    const inRole = (role: Role) => mine.filter(({ one }) => one.role === role)
    const wrong = new Map(inRole("mutant").map(({ one, verdict }) => [one.file, verdict]))
    const surviving = survivorsGate(
      exercise,
      alive.filter((one) => one.exercise === exercise).map((one) => one.name),
      new Map(inRole("automatic").map(({ one, verdict }) => [one.name, toldOf(verdict)]))
    )
    faults.push(
      ...Gates.filesGate(exercise),
      ...Gates.typesGate(exercise, errors),
      ...prepared.filter((one) => one.id === exercise.manifest.id).flatMap((one) => Gates.refusalsGate(exercise, one)),
      ...inRole("stub").flatMap(({ verdict }) => Gates.stubGate(exercise, verdict)),
      ...[...Map.groupBy(inRole("right"), ({ one }) => one.file)].flatMap(([file, runs]) =>
        Gates.rightGate(exercise, file, runs.map(({ verdict }) => verdict))
      ),
      ...Gates.mutantsGate(exercise, wrong),
      ...(automatic ? surviving.faults : [])
    )
    survivors.push(...surviving.survivors)
    sections.set(exercise.manifest.id, Messages.sectionOf(exercise, wrong))
  }
  faults.push(...tried.flatMap((one) => one.faults), ...reviewed(catalogue, sections, review))
  const count = (role: Role): number => planned.filter((one) => one.role === role).length
  if (whole && automatic && !withinBudget(count("automatic"), survivors.length)) {
    const share = (100 * survivors.length / count("automatic")).toFixed(1)
    const problem = `${survivors.length} of ${
      count("automatic")
    } small mistakes go unnoticed (${share} %); at most 5 % may`
    faults.push({ exercise: "", gate: "automatic", file: "", problem })
  }
  const order = catalogue.exercises.map((one) => one.manifest.id)
  return {
    exercises: exercises.length,
    runs: planned.length,
    mutants: count("mutant"),
    automatic: { made: count("automatic"), survivors },
    cheats: {
      tried: prepared.reduce((sum, one) => sum + one.cheats.length, 0),
      ran: tried.reduce((sum, one) => sum + one.ran, 0)
    },
    faults: faults.sort((one, other) => order.indexOf(one.exercise) - order.indexOf(other.exercise)),
    durationMillis: yield* elapsed
  }
})

/**
 * Checks a course, or some of its exercises.
 *
 * @category constructors
 * @since 0.1.0
 */
export const check = (
  options: MatrixOptions
): Effect.Effect<Report, Catalogue.CourseBroken | NoSuchExercise | MatrixUnavailable> =>
  checkAll(options).pipe(
    Effect.scoped,
    Effect.catchTags({
      BatchUnavailable: ({ reason }) => Effect.fail(new MatrixUnavailable({ reason })),
      TypesUnavailable: ({ reason }) => Effect.fail(new MatrixUnavailable({ reason }))
    }),
    Effect.withSpan("Matrix.check")
  )

/** Compares the messages with the page, or writes them there. */
const reviewed = (
  catalogue: Catalogue.Catalogue,
  sections: ReadonlyMap<string, string>,
  review: "compare" | "write"
): Array<Fault> => {
  const file = join(catalogue.folder, Messages.page)
  const known = Messages.sectionsOf(existsSync(file) ? readFileSync(file, "utf8") : "")
  const ids = catalogue.exercises.map((one) => one.manifest.id)
  if (review === "write") {
    const news = [...sections].filter(([id, section]) => !Messages.same(known.get(id) ?? "", section))
    writeFileSync(file, Messages.pageOf(new Map([...known, ...news]), ids))
    return []
  }
  return [...sections].flatMap(([id, section]) => {
    const before = known.get(id) ?? ""
    return Messages.same(before, section)
      ? []
      : [{
        exercise: id,
        gate: "messages" as const,
        file: Messages.page,
        problem: before === ""
          ? "nobody has reviewed the messages of its wrong answers yet: read them, and write the page"
          : `the messages are not those that were reviewed:\n${Messages.difference(before, section)}`
      }]
  })
}
