/**
 * How far a learner is: what was tried, solved, looked up and predicted, in one text file.
 *
 * The file is `.lifecycle/progress.json` in the workspace. It goes by the ids of the exercises, so it survives an update of
 * the course: what the course no longer has is kept as it is, and comes back when the exercise does. Points never go down; a
 * solved exercise stays solved when the file is changed afterwards, and is `stale` when its stub has changed since.
 *
 * A prediction is kept before its result is shown, with a seal over what was said. A later one is added behind it.
 *
 * Everything but `load` and `update` is a pure function of a `Progress`. `update` reads the file, changes it and writes it
 * in one go, so a watch screen and a command in another terminal do not undo each other.
 *
 * **Gotchas**
 *
 * - Two updates in the very same moment, from two processes, may lose one of the two; the file stays whole.
 * - A file that cannot be read is moved aside, never overwritten; `load` says where it went.
 * - A check that could not be made is no attempt.
 * - `open` is an exercise that passed as far as it could be run, without PostgreSQL: its points so far count, and the rest
 *   waits for a check where PostgreSQL is.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue, Progress, Workspace } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 * import { mkdtempSync, rmSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const folder = mkdtempSync(join(tmpdir(), "progress-"))
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const workspace = yield* Workspace.open({ catalogue, folder })
 *   yield* Progress.update(workspace, Progress.hinted("02.2", "b", 1))
 *   const { progress } = yield* Progress.load(workspace)
 *   assert.deepEqual(Progress.entryOf(progress, "02.2").hints, { b: 1 })
 *   assert.equal(Progress.summary(progress, catalogue).solved, 0)
 *   assert.equal(Progress.next(progress, catalogue.exercises)?.manifest.id, "01.1")
 * })
 * await Effect.runPromise(program).finally(() => rmSync(folder, { recursive: true }))
 * ```
 *
 * @since 0.1.0
 */
import { DateTime, Effect, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, renameSync } from "node:fs"
import { type Catalogue, type Exercise, type Manifest, maximum } from "./Catalogue.ts"
import { openPoints, type Verdict } from "./Verdict.ts"
import { keptFile, type Workspace, WorkspaceProblem, writeFile } from "./Workspace.ts"

/**
 * What somebody said would happen, before it was run.
 *
 * @category models
 * @since 0.1.0
 */
export const Prediction = Schema.Struct({
  at: Schema.String,
  /** What was said, by the question: a task and whether it passes, a question of the exercise and its answer. */
  said: Schema.Record(Schema.String, Schema.String),
  /** A hash over all of that, over what it is about, and over the prediction before it. */
  seal: Schema.String,
  /** About how many it was right, and of how many; not there before the result was shown. */
  result: Schema.optionalKey(Schema.Struct({ right: Schema.Int, of: Schema.Int }))
})

/**
 * What somebody said would happen, before it was run.
 *
 * @category models
 * @since 0.1.0
 */
export type Prediction = typeof Prediction.Type

/**
 * What somebody says, before it has a seal.
 *
 * @category models
 * @since 0.1.0
 */
export type Said = Pick<Prediction, "at" | "said">

/**
 * What is kept about one exercise.
 *
 * @category models
 * @since 0.1.0
 */
export const Entry = Schema.Struct({
  solved: Schema.Boolean,
  /** The most points so far. */
  points: Schema.Int,
  attempts: Schema.Int,
  /** How many checks in a row did not pass. */
  failures: Schema.Int,
  /** The highest tier of hints that was read, for each task. */
  hints: Schema.Record(Schema.String, Schema.Int),
  /** Whether the solution was looked at before the exercise was solved. */
  seen: Schema.Boolean,
  firstSolved: Schema.optionalKey(Schema.String),
  /** The version of the stub that was last checked. */
  courseVersion: Schema.optionalKey(Schema.String),
  predictions: Schema.Array(Prediction),
  /** The points that the last check could not decide. */
  open: Schema.optionalKey(Schema.Int),
  /** The tasks that the last check found wrong. */
  failing: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * What is kept about one exercise.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = typeof Entry.Type

/**
 * How far a learner is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** The exercise that the learner is at. */
  readonly current: string | undefined
  readonly entries: ReadonlyMap<string, Entry>
  /** Steps of a path that were ticked off, by the path's name. */
  readonly paths: Readonly<Record<string, ReadonlyArray<string>>>
  /** The predictions of the lessons, by their folders. */
  readonly lessons: Readonly<Record<string, Prediction>>
  /** Entries that this version does not understand: they are written back as they were. */
  readonly unknown: Readonly<Record<string, unknown>>
}

/**
 * A progress that was read, and where a file that could not be read was moved.
 *
 * @category models
 * @since 0.1.0
 */
export interface Loaded {
  readonly progress: Progress
  readonly setAside: string | undefined
}

/**
 * How an exercise stands.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "new" | "started" | "open" | "solved"

/**
 * The sums of some exercises.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sum {
  readonly solved: number
  readonly exercises: number
  readonly points: number
  readonly maximum: number
  /** Points that could not be decided where they were checked. */
  readonly open: number
}

/**
 * The sums of a course; stretch exercises are not in them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary extends Sum {
  readonly byChapter: ReadonlyMap<string, Sum>
  readonly byLevel: ReadonlyMap<Manifest["level"], Sum & { /** 80 % of the points. */ readonly mastered: boolean }>
}

/**
 * Nothing done yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: Progress = { current: undefined, entries: new Map(), paths: {}, lessons: {}, unknown: {} }

const noEntry: Entry = {
  solved: false,
  points: 0,
  attempts: 0,
  failures: 0,
  hints: {},
  seen: false,
  predictions: []
}

const File = Schema.Struct({
  version: Schema.Int,
  current: Schema.optionalKey(Schema.String),
  paths: Schema.optionalKey(Schema.Record(Schema.String, Schema.Array(Schema.String))),
  lessons: Schema.optionalKey(Schema.Record(Schema.String, Prediction)),
  exercises: Schema.Record(Schema.String, Schema.Unknown)
})
const readJson = Schema.decodeUnknownOption(Schema.fromJsonString(File))
const readEntry = Schema.decodeUnknownOption(Entry)

/**
 * Reads the text of a progress file.
 *
 * @category conversions
 * @since 0.1.0
 */
export const parse = (text: string): Option.Option<Progress> =>
  Option.map(readJson(text), ({ current, exercises, lessons = {}, paths = {} }) => {
    const entries = new Map<string, Entry>()
    const unknown: Record<string, unknown> = {}
    for (const [id, value] of Object.entries(exercises)) {
      const entry = readEntry(value)
      if (Option.isSome(entry)) entries.set(id, entry.value)
      else unknown[id] = value
    }
    return { current, entries, paths, lessons, unknown }
  })

/**
 * The text of a progress file: JSON that a person can read, ids in their order.
 *
 * @category conversions
 * @since 0.1.0
 */
export const format = ({ current, entries, lessons, paths, unknown }: Progress): string => {
  const all = { ...unknown, ...Object.fromEntries(entries) }
  const exercises = Object.fromEntries(Object.entries(all).sort(([one], [other]) => one < other ? -1 : 1))
  const file = {
    version: 1,
    ...current !== undefined && { current },
    paths,
    ...Object.keys(lessons).length > 0 && { lessons },
    exercises
  }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

const fileOf = (workspace: Workspace): string => keptFile(workspace, "progress.json")

/**
 * Reads the progress of a workspace. There is none in a new one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const load = Effect.fn("Progress.load")(
  function*(workspace: Workspace): Effect.fn.Return<Loaded, WorkspaceProblem> {
    const path = fileOf(workspace)
    const touch = <A>(work: () => A): Effect.Effect<A, WorkspaceProblem> =>
      Effect.try({
        try: work,
        catch: (error) =>
          new WorkspaceProblem({ path, problem: error instanceof Error ? error.message : String(error) })
      })
    const text = yield* touch(() => existsSync(path) ? readFileSync(path, "utf8") : undefined)
    if (text === undefined) return { progress: empty, setAside: undefined }
    const parsed = parse(text)
    if (Option.isSome(parsed)) return { progress: parsed.value, setAside: undefined }
    const moment = DateTime.formatIso(yield* DateTime.now).replaceAll(/[:.]/g, "-")
    const setAside = keptFile(workspace, `progress-unreadable-${moment}.json`)
    yield* touch(() => renameSync(path, setAside))
    return { progress: empty, setAside }
  }
)

/**
 * Changes the progress of a workspace, and gives what it is then.
 *
 * @category combinators
 * @since 0.1.0
 */
export const update = Effect.fn("Progress.update")(
  function*(
    workspace: Workspace,
    change: (progress: Progress) => Progress
  ): Effect.fn.Return<Progress, WorkspaceProblem> {
    const { progress } = yield* load(workspace)
    const changed = change(progress)
    const text = format(changed)
    if (text !== format(progress)) yield* writeFile(fileOf(workspace), text)
    return changed
  }
)

/**
 * What is kept about an exercise; an empty entry where nothing is.
 *
 * @category getters
 * @since 0.1.0
 */
export const entryOf = (progress: Progress, id: string): Entry => progress.entries.get(id) ?? noEntry

/**
 * How an exercise stands.
 *
 * @category getters
 * @since 0.1.0
 */
export const statusOf = (progress: Progress, id: string): Status => {
  const { attempts, failures, hints, open = 0, predictions, seen, solved } = entryOf(progress, id)
  if (solved) return "solved"
  if (open > 0 && failures === 0) return "open"
  return attempts > 0 || seen || predictions.length > 0 || Object.keys(hints).length > 0 ? "started" : "new"
}

/**
 * Whether the stub has changed since the exercise was solved.
 *
 * @category getters
 * @since 0.1.0
 */
export const isStale = (progress: Progress, exercise: Exercise): boolean => {
  const { courseVersion, solved } = entryOf(progress, exercise.manifest.id)
  return solved && courseVersion !== undefined && courseVersion !== exercise.version
}

/**
 * How many hints of an exercise were read.
 *
 * @category getters
 * @since 0.1.0
 */
export const hintsUsed = ({ hints }: Entry): number => Object.values(hints).reduce((sum, tier) => sum + tier, 0)

/**
 * The exercise to do after another one: the first after it that is not solved, else the first of all that is not.
 *
 * @category getters
 * @since 0.1.0
 */
export const next = (progress: Progress, exercises: ReadonlyArray<Exercise>, after?: string): Exercise | undefined => {
  const at = exercises.findIndex(({ manifest }) => manifest.id === after)
  const open = ({ manifest }: Exercise): boolean => manifest.id !== after && !entryOf(progress, manifest.id).solved
  const core = (one: Exercise): boolean => open(one) && one.manifest.stretch !== true
  return exercises.slice(at + 1).find(core) ?? exercises.find(core) ?? exercises.slice(at + 1).find(open)
    ?? exercises.find(open)
}

const sumOf = (progress: Progress, some: ReadonlyArray<Exercise>): Sum => {
  let solved = 0
  let points = 0
  let most = 0
  let undecided = 0
  for (const { manifest } of some) {
    const entry = entryOf(progress, manifest.id)
    const all = maximum(manifest)
    if (entry.solved) solved++
    // A solved exercise keeps all its points when an update of the course gives it more, or fewer.
    points += entry.solved ? all : Math.min(entry.points, all)
    most += all
    if (!entry.solved) undecided += Math.min(entry.open ?? 0, all - Math.min(entry.points, all))
  }
  return { solved, exercises: some.length, points, maximum: most, open: undecided }
}

/**
 * What is done, and what there is.
 *
 * @category getters
 * @since 0.1.0
 */
export const summary = (progress: Progress, { exercises }: Pick<Catalogue, "exercises">): Summary => {
  const core = exercises.filter(({ manifest }) => manifest.stretch !== true)
  const chapters = Map.groupBy(core, (one) => one.chapter)
  const levels = Map.groupBy(core, (one) => one.manifest.level)
  return {
    ...sumOf(progress, core),
    byChapter: new Map(Array.from(chapters, ([name, some]) => [name, sumOf(progress, some)])),
    byLevel: new Map(
      Array.from(levels, ([level, some]) => {
        const sum = sumOf(progress, some)
        return [level, { ...sum, mastered: sum.points >= 0.8 * sum.maximum }]
      })
    )
  }
}

const withEntry = (id: string, change: (entry: Entry) => Entry) => (progress: Progress): Progress => ({
  ...progress,
  entries: new Map(progress.entries).set(id, change(entryOf(progress, id)))
})

/**
 * Makes an exercise the current one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const movedTo = (id: string) => (progress: Progress): Progress => ({ ...progress, current: id })

/**
 * Adds a check to what is kept.
 *
 * @category combinators
 * @since 0.1.0
 */
export const checked = (exercise: Exercise, verdict: Verdict, now: DateTime.Utc) => (progress: Progress): Progress =>
  verdict.outcome === "couldNotFinish" ?
    progress :
    withEntry(exercise.manifest.id, ({ failing: _, open: __, ...entry }) => {
      const open = openPoints(verdict)
      const failing = verdict.tasks.flatMap((task) => task.passed || task.open === true ? [] : [task.id])
      return {
        ...entry,
        // What is solved is not tried again, only looked at.
        attempts: entry.attempts + (entry.solved ? 0 : 1),
        failures: verdict.passed || verdict.outcome === "open" ? 0 : entry.failures + 1,
        points: Math.max(entry.points, verdict.points),
        ...verdict.passed && { solved: true, firstSolved: entry.firstSolved ?? DateTime.formatIso(now) },
        ...(verdict.passed || !entry.solved) && { courseVersion: exercise.version },
        ...open > 0 && !entry.solved && { open },
        ...failing.length > 0 && !verdict.passed && { failing }
      }
    })(progress)

/**
 * Notes that a hint was read.
 *
 * @category combinators
 * @since 0.1.0
 */
export const hinted = (id: string, task: string, tier: number) =>
  withEntry(id, (entry) => ({
    ...entry,
    hints: { ...entry.hints, [task]: Math.max(entry.hints[task] ?? 0, tier) }
  }))

/**
 * Notes that the solution was looked at; after the exercise is solved this changes nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const looked = (id: string) => withEntry(id, (entry) => entry.solved ? entry : { ...entry, seen: true })

const sealOf = (about: string, { at, said }: Said, before: string): string =>
  createHash("sha256")
    .update(JSON.stringify([about, at, Object.entries(said).sort(([one], [other]) => one < other ? -1 : 1), before]))
    .digest("hex")

/**
 * Adds a prediction, with its seal. What was said before stays as it is.
 *
 * @category combinators
 * @since 0.1.0
 */
export const predicted = (id: string, { at, said }: Said) =>
  withEntry(id, (entry) => {
    const seal = sealOf(id, { at, said }, entry.predictions.at(-1)?.seal ?? "")
    return { ...entry, failures: 0, predictions: [...entry.predictions, { at, said, seal }] }
  })

/**
 * Notes about how much the prediction of a moment was right. Where that is known already it changes nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const compared = (id: string, at: string, result: { readonly right: number; readonly of: number }) =>
  withEntry(id, (entry) => ({
    ...entry,
    predictions: entry.predictions.map((one) => one.at === at && one.result === undefined ? { ...one, result } : one)
  }))

/**
 * Keeps the prediction of a lesson, with its seal. A lesson has one: a second one changes nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const predictedIn = (lesson: string, { at, said }: Said) => (progress: Progress): Progress =>
  progress.lessons[lesson] !== undefined ? progress : {
    ...progress,
    lessons: { ...progress.lessons, [lesson]: { at, said, seal: sealOf(lesson, { at, said }, "") } }
  }

/**
 * What was predicted and changed in the file afterwards: ids of exercises, and folders of lessons. A seal that fits does not
 * prove anything about somebody who makes it anew: it is their own file.
 *
 * @category getters
 * @since 0.1.0
 */
export const brokenSeals = ({ entries, lessons }: Progress): ReadonlyArray<string> => [
  ...Array.from(entries).filter(([id, { predictions }]) =>
    predictions.some((one, index) => one.seal !== sealOf(id, one, predictions[index - 1]?.seal ?? ""))
  ).map(([id]) => id),
  ...Object.entries(lessons).filter(([name, one]) => one.seal !== sealOf(name, one, "")).map(([name]) => name)
]

/**
 * Ticks off a step of a path.
 *
 * @category combinators
 * @since 0.1.0
 */
export const ticked = (path: string, step: string) => (progress: Progress): Progress => {
  const steps = progress.paths[path] ?? []
  return steps.includes(step) ? progress : { ...progress, paths: { ...progress.paths, [path]: [...steps, step] } }
}
