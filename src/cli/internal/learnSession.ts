/** What every `learn` command works with: the course, the learner's folder, the progress, and how things are said. */
import { DateTime, Effect, Option, Runtime, Schema } from "effect"
import { existsSync, globSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import * as Assignment from "../../workbook/Assignment.ts"
import * as Catalogue from "../../workbook/Catalogue.ts"
import * as Progress from "../../workbook/Progress.ts"
import type { Verdict } from "../../workbook/Verdict.ts"
import * as Workspace from "../../workbook/Workspace.ts"
import { choose, type Language, type Messages } from "../messages/Messages.ts"
import { PackageNotInstalled } from "../optional.ts"
import { hintCount, hintsOf } from "./learnHints.ts"
import type { Row, ScreenState } from "./learnScreen.ts"
import type { Look } from "./learnText.ts"
import { installLine, versionOf } from "./packages.ts"

/** The exit codes: passed is 0. */
export const exitCodes = { notPassed: 1, usage: 2, courseBroken: 3, couldNotFinish: 4 } as const

/** A command cannot go on; the sentence says why. */
export class LearnProblem extends Schema.TaggedError<LearnProblem>()("LearnProblem", {
  problem: Schema.String,
  code: Schema.Int
}) {
  override readonly [Runtime.errorExitCode] = this.code
  override get message(): string {
    return this.problem
  }
}

/** The command has said everything; only the exit code is left to give. */
export class Ended extends Schema.TaggedError<Ended>()("Ended", { code: Schema.Int }) {
  override readonly [Runtime.errorExitCode] = this.code
  override readonly [Runtime.errorReported] = false
}

/** What the flags say. */
export interface Options {
  readonly plain: boolean
  readonly poll: boolean
  readonly editCmd: Option.Option<string>
  readonly json: boolean
  readonly dir: Option.Option<string>
  readonly course: Option.Option<string>
  readonly typecheck: boolean
  readonly path: Option.Option<string>
  readonly assignment: Option.Option<string>
  readonly lang: Option.Option<Language>
}

/** What a command works with. */
export interface Session {
  readonly options: Options
  readonly words: Messages
  /** What the instructor has set, where there is such a thing. */
  readonly assignment: Assignment.Assignment | undefined
  /** The exercises to do: those of the assignment, else all. */
  readonly exercises: ReadonlyArray<Catalogue.Exercise>
  readonly catalogue: Catalogue.Catalogue
  readonly workspace: Workspace.Workspace
  /** The folder above the course, with the lessons. */
  readonly root: string
}

/** A usage error: nothing was done. */
export const usage = (problem: string): LearnProblem => new LearnProblem({ problem, code: exitCodes.usage })

/** Gives the errors of the workbook the exit codes of the command. */
export const withCodes = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  words: Messages
): Effect.Effect<
  A,
  LearnProblem | Exclude<E, Catalogue.CourseBroken | Workspace.WorkspaceProblem | PackageNotInstalled>,
  R
> =>
  Effect.mapError(self, (error) => {
    if (error instanceof Catalogue.CourseBroken) {
      return new LearnProblem({ problem: error.message, code: exitCodes.courseBroken })
    }
    if (error instanceof PackageNotInstalled) {
      return new LearnProblem({ problem: words.packageMissing(error.name), code: exitCodes.couldNotFinish })
    }
    if (error instanceof Workspace.WorkspaceProblem) return usage(error.message)
    return error as Exclude<E, Catalogue.CourseBroken | Workspace.WorkspaceProblem | PackageNotInstalled>
  })

/** Both `src/cli/internal` and `dist/cli/internal` lie three folders below the package. */
export const home = fileURLToPath(new URL("../../..", import.meta.url))

/** The workspace that a folder lies in. */
const workspaceAround = (folder: string): string | undefined => {
  if (existsSync(join(folder, ".lifecycle", "stubs.json"))) return folder
  const above = dirname(folder)
  return above === folder ? undefined : workspaceAround(above)
}

const inside = (folder: string, parent: string): boolean => {
  const way = relative(parent, folder)
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && resolve(parent, way) === folder)
}

/** The folder to work in: the named one, the one around this place, or `workspace` in the clone or here. */
export const folderOf = (dir: Option.Option<string>): string => {
  const here = process.cwd()
  return Option.match(dir, {
    onNone: () => workspaceAround(here) ?? join(inside(here, resolve(home)) ? home : here, "workspace"),
    onSome: (name) => resolve(name)
  })
}

/** The words that are wanted, by the flag or by the environment. */
export const wordsOf = (lang: Option.Option<Language>): Messages => choose(Option.getOrUndefined(lang), process.env)

/** The assignment file: the named one, else the one that lies beside the course, as in a pack, or in the workspace. */
const assignmentFile = (options: Options, folders: ReadonlyArray<string>): string | undefined =>
  Option.match(options.assignment, {
    onNone: () => folders.map((folder) => join(folder, "assignment.json")).find((file) => existsSync(file)),
    onSome: (name) => resolve(name)
  })

/** Loads the course and opens the workspace. */
export const open = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<
  Session,
  Catalogue.CourseBroken | Workspace.WorkspaceProblem | LearnProblem
> {
  const course = Option.match(options.course, {
    onNone: () => join(home, "exercises"),
    onSome: (name) => resolve(name)
  })
  const catalogue = yield* Catalogue.load(course)
  const root = dirname(catalogue.folder)
  const workspace = yield* Workspace.open({ catalogue, folder: folderOf(options.dir) })
  yield* Workspace.prepare(workspace)
  const file = assignmentFile(options, [root, workspace.folder])
  const assignment = file === undefined
    ? undefined
    : yield* Effect.mapError(Assignment.load(file, catalogue), (error) => usage(error.message))
  const exercises = assignment?.items.map((item) => item.exercise) ?? catalogue.exercises
  return { options, words: wordsOf(options.lang), assignment, exercises, catalogue, workspace, root }
})

/** The progress; a file that could not be read is mentioned. */
export const progressOf = Effect.fnUntraced(function*(
  session: Session
): Effect.fn.Return<
  { readonly progress: Progress.Progress; readonly notice: string | undefined },
  Workspace.WorkspaceProblem
> {
  const { progress, setAside } = yield* Progress.load(session.workspace)
  const notice = setAside === undefined
    ? undefined
    : session.words.progressSetAside(near(setAside))
  return { progress, notice }
})

/** A path as it is shown: from where the learner is. */
export const near = (path: string): string => {
  const way = relative(process.cwd(), path)
  return (way === "" || way.startsWith("..") ? path : way).split(sep).join("/")
}

/** The lesson of a chapter: by its number, its folder, or the id of one of its exercises. */
export const lessonFile = (session: Session, word: string): string | undefined => {
  const number = /^\d+/.exec(word)?.[0]
  const ofExercise = Catalogue.find(session.catalogue, word)?.manifest.lesson
  const names = [
    ...ofExercise === undefined ? [] : [ofExercise],
    ...number === undefined ? [] : globSync(`lessons/${number.padStart(2, "0")}-*`, { cwd: session.root }),
    `lessons/${word}`
  ]
  return names.map((name) => join(session.root, name, "lesson.md")).find((file) => existsSync(file))
}

/** How this command is called from where the learner is; npm takes flags for itself that do not follow `--`. */
export const command = (words = ""): string => {
  const clone = inside(process.cwd(), resolve(home)) && existsSync(join(home, "src", "index.ts"))
  const call = clone ? "npm run learn" : "npx effect-lifecycle learn"
  return words === "" ? call : `${call}${clone ? " --" : ""} ${words}`
}

/** The exercise with an id, or the current one. */
export const exerciseFor = Effect.fnUntraced(function*(
  { catalogue, exercises, words, workspace }: Session,
  id: Option.Option<string>,
  progress: Progress.Progress
): Effect.fn.Return<Catalogue.Exercise, LearnProblem> {
  if (Option.isNone(id)) {
    const current = exercises.find(({ manifest }) => manifest.id === progress.current)
    const exercise = current ?? Progress.next(progress, exercises) ?? exercises[0]
    return exercise ?? (yield* usage(words.emptyCourse))
  }
  const path = id.value.replaceAll("\\", "/")
  const found = Catalogue.find(catalogue, id.value)
    ?? catalogue.exercises.find((one) => one.path === path || one.path.endsWith(`/${path}`))
    ?? Workspace.exerciseAt(workspace, id.value)
  if (found !== undefined) return found
  const meant = Catalogue.nearest(catalogue, id.value)
  const exercise = meant === undefined ? undefined : Catalogue.find(catalogue, meant)
  return yield* usage(
    exercise === undefined
      ? words.noExercise(id.value, command("list"))
      : words.didYouMean(id.value, exercise.manifest.id, exercise.manifest.title)
  )
})

/** The exercises of a chapter, or the one with an id. */
export const someFor = Effect.fnUntraced(function*(
  session: Session,
  word: string,
  progress: Progress.Progress
): Effect.fn.Return<ReadonlyArray<Catalogue.Exercise>, LearnProblem> {
  const chapter = Catalogue.chapter(session.catalogue, word)
  return chapter.length > 0 ? chapter : [yield* exerciseFor(session, Option.some(word), progress)]
})

/** The exercises as the rows of a list. */
export const rowsOf = (exercises: ReadonlyArray<Catalogue.Exercise>, progress: Progress.Progress): Array<Row> =>
  exercises.map((exercise) => {
    const { id, level, stretch, title } = exercise.manifest
    const all = Catalogue.maximum(exercise.manifest)
    const entry = Progress.entryOf(progress, id)
    return {
      id,
      title,
      chapter: exercise.chapter,
      level,
      points: entry.solved ? all : Math.min(entry.points, all),
      maximum: all,
      status: Progress.statusOf(progress, id),
      stale: Progress.isStale(progress, exercise),
      stretch: stretch === true
    }
  })

/** Whether words alone are wanted: asked for, or the output is no terminal that a person looks at. */
export const lookOf = ({ options, words }: Session): Look => {
  const { CI, NO_COLOR, TERM } = process.env
  const set = (value: string | undefined): boolean => value !== undefined && value !== ""
  const plain = options.plain || process.stdout.isTTY !== true || set(NO_COLOR) || TERM === "dumb" || set(CI)
  const columns = process.stdout.isTTY === true ? process.stdout.columns || 80 : 80
  return { columns: Math.max(40, Math.min(columns, 100)), plain, words }
}

/** Notes what a check found. */
export const record = Effect.fnUntraced(function*(
  session: Session,
  exercise: Catalogue.Exercise,
  verdict: Verdict
): Effect.fn.Return<Progress.Progress, Workspace.WorkspaceProblem> {
  const now = yield* DateTime.now
  return yield* Progress.update(session.workspace, Progress.checked(exercise, verdict, now))
})

/** What is done of what there is to do. */
export const summaryOf = ({ catalogue, exercises }: Session, progress: Progress.Progress): Progress.Summary =>
  Progress.summary(progress, { ...catalogue, exercises })

/** Whether the instructor keeps the solution of an exercise back. */
export const isHidden = ({ assignment }: Session, exercise: Catalogue.Exercise): boolean =>
  assignment?.hideSolutions === true && assignment.items.some((item) => item.exercise === exercise)

/** The part of the screen that is known without a check. */
export const stateOf = (
  session: Session,
  exercise: Catalogue.Exercise,
  progress: Progress.Progress
): ScreenState => {
  const entry = Progress.entryOf(progress, exercise.manifest.id)
  const [, hints] = hintCount(hintsOf(exercise), entry)
  const lesson = lessonFile(session, exercise.manifest.id)
  return {
    exercise,
    file: near(Workspace.fileOf(session.workspace, exercise)),
    lesson: lesson === undefined ? undefined : near(lesson),
    entry,
    summary: summaryOf(session, progress),
    hints,
    solutions: !isHidden(session, exercise) && Option.isSome(exercise.solution),
    checking: false,
    verdict: undefined,
    checkedAt: "",
    next: Progress.next(progress, session.exercises, exercise.manifest.id)?.manifest.id,
    notices: [],
    panel: { _tag: "None" },
    path: undefined
  }
}

/** Says how to install what a check needs, where it is not there. */
export const needsPackages = Effect.fnUntraced(function*(session: Session): Effect.fn.Return<void, LearnProblem> {
  const needed = ["vitest", "@effect/vitest", ...session.options.typecheck ? ["typescript"] : []]
  const missing = needed.filter((name) => versionOf(name, session.root) === undefined)
  if (missing.length === 0) return
  return yield* new LearnProblem({
    problem: `${session.words.packagesMissing(missing)}\n${installLine(needed)}`,
    code: exitCodes.couldNotFinish
  })
})
