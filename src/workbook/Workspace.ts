/**
 * The folder in which a learner works: copies of the stubs, and what is kept beside them.
 *
 * A workspace has the shape of the course (`02-deadlines/02-one-budget/exercise.ts`), holds the stubs with the modules
 * that are given with them, a `tsconfig.json` for the editor, and `.lifecycle/`: progress, the versions of the stubs and
 * backups. Specs, solutions and wrong answers stay in the course, which a workspace reads and never writes.
 *
 * A stub that the learner has not touched follows the course by itself. One that was changed, and whose original has
 * changed since, is `outdated` until the learner keeps it or resets it. `reset` moves the old file to a backup first.
 *
 * **Gotchas**
 *
 * - A folder that lies inside the course is refused.
 * - Files are written beside their place and then moved there, so a crash leaves the old file or the new one.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue, Workspace } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 * import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const folder = mkdtempSync(join(tmpdir(), "workspace-"))
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const workspace = yield* Workspace.open({ catalogue, folder })
 *   const [first] = catalogue.exercises
 *   assert.ok(first)
 *   yield* Workspace.prepare(workspace, [first])
 *   const file = Workspace.fileOf(workspace, first)
 *   writeFileSync(file, "export const mine = true\n")
 *   assert.equal(yield* Workspace.stateOf(workspace, first), "changed")
 *   const [done] = yield* Workspace.reset(workspace, [first])
 *   assert.equal(readFileSync(file, "utf8"), readFileSync(first.stub, "utf8"))
 *   assert.equal(readFileSync(done?.backup ?? "", "utf8"), "export const mine = true\n")
 * })
 * await Effect.runPromise(program).finally(() => rmSync(folder, { recursive: true }))
 * ```
 *
 * @since 0.1.0
 */
import { DateTime, Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path"
import type { Catalogue, Exercise } from "./Catalogue.ts"

/**
 * A workspace cannot be read or written.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkspaceProblem extends Schema.TaggedError<WorkspaceProblem>()("WorkspaceProblem", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.problem}`
  }
}

/**
 * A learner's folder, for a course.
 *
 * @category models
 * @since 0.1.0
 */
export interface Workspace {
  readonly folder: string
  readonly catalogue: Catalogue
}

/**
 * How the learner's file stands to the stub: not there, as it was given, changed by the learner, or changed by the learner
 * while the course has a newer stub.
 *
 * @category models
 * @since 0.1.0
 */
export type State = "missing" | "untouched" | "changed" | "outdated"

/**
 * What a reset did to one exercise.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reset {
  readonly exercise: Exercise
  readonly file: string
  /** Where the old file is; `undefined` when there was none, or it was the stub. */
  readonly backup: string | undefined
}

const Given = Schema.Struct({ version: Schema.String, hash: Schema.String })
const Stubs = Schema.fromJsonString(
  Schema.Struct({ version: Schema.Literal(1), stubs: Schema.Record(Schema.String, Given) })
)
type Stubs = typeof Stubs.Type
const JsonText = Schema.fromJsonString(Schema.Unknown)

/**
 * Opens a folder as a workspace, and makes it when it is not there. Nothing is copied yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = Effect.fn("Workspace.open")(function*(options: {
  readonly catalogue: Catalogue
  readonly folder: string
}): Effect.fn.Return<Workspace, WorkspaceProblem> {
  const folder = resolve(options.folder)
  const inside = relative(options.catalogue.folder, folder)
  if (inside !== ".." && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)) {
    return yield* new WorkspaceProblem({
      path: folder,
      problem: "this is the course itself; work in a folder of your own"
    })
  }
  const workspace = { folder, catalogue: options.catalogue }
  yield* touch(folder, () => mkdirSync(join(folder, ".lifecycle"), { recursive: true }))
  return workspace
})

/**
 * The file in which the learner writes the answer.
 *
 * @category getters
 * @since 0.1.0
 */
export const fileOf = (workspace: Workspace, exercise: Exercise): string =>
  join(workspace.folder, ...exercise.path.split("/"), basename(exercise.stub))

/**
 * A file that the workspace keeps for its tools, such as `progress.json`.
 *
 * @category getters
 * @since 0.1.0
 */
export const keptFile = (workspace: Workspace, name: string): string => join(workspace.folder, ".lifecycle", name)

/**
 * The exercise that a path in the workspace belongs to.
 *
 * @category getters
 * @since 0.1.0
 */
export const exerciseAt = (workspace: Workspace, path: string): Exercise | undefined => {
  const near = relative(workspace.folder, resolve(path)).split(sep).join("/")
  return workspace.catalogue.exercises.find((one) => near === one.path || near.startsWith(`${one.path}/`))
}

/**
 * How the learner's file stands to the stub.
 *
 * @category getters
 * @since 0.1.0
 */
export const stateOf = Effect.fn("Workspace.stateOf")(
  function*(workspace: Workspace, exercise: Exercise): Effect.fn.Return<State, WorkspaceProblem> {
    return yield* stateWith(workspace, exercise, yield* readStubs(workspace))
  }
)

/**
 * Copies the stubs that are missing, and brings those up to date that the learner has not changed. Gives the exercises
 * whose files were written.
 *
 * @category combinators
 * @since 0.1.0
 */
export const prepare = Effect.fn("Workspace.prepare")(function*(
  workspace: Workspace,
  exercises: ReadonlyArray<Exercise> = workspace.catalogue.exercises
): Effect.fn.Return<ReadonlyArray<Exercise>, WorkspaceProblem> {
  let known = yield* readStubs(workspace)
  const written: Array<Exercise> = []
  yield* writeConfig(workspace)
  for (const exercise of exercises) {
    const state = yield* stateWith(workspace, exercise, known)
    const old = known.stubs[exercise.manifest.id]?.version !== exercise.version
    if (state === "missing" || (state === "untouched" && old)) {
      known = yield* copy(workspace, exercise, known)
      written.push(exercise)
    }
  }
  if (written.length > 0) yield* writeStubs(workspace, known)
  return written
})

/**
 * Puts the stubs back. What the learner wrote goes to `.lifecycle/backups/` first.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reset = Effect.fn("Workspace.reset")(function*(
  workspace: Workspace,
  exercises: ReadonlyArray<Exercise>
): Effect.fn.Return<ReadonlyArray<Reset>, WorkspaceProblem> {
  const moment = DateTime.formatIso(yield* DateTime.now).replaceAll(/[:.]/g, "-")
  let known = yield* readStubs(workspace)
  const done: Array<Reset> = []
  for (const exercise of exercises) {
    const file = fileOf(workspace, exercise)
    const state = yield* stateWith(workspace, exercise, known)
    const kept = state === "changed" || state === "outdated"
    const backup = join(workspace.folder, ".lifecycle", "backups", moment, ...exercise.path.split("/"), basename(file))
    if (kept) yield* touch(backup, () => writeAtomically(backup, readFileSync(file)))
    known = yield* copy(workspace, exercise, known)
    done.push({ exercise, file, backup: kept ? backup : undefined })
  }
  yield* writeStubs(workspace, known)
  return done
})

/**
 * Keeps the learner's file although the course has a newer stub, and stops saying so.
 *
 * @category combinators
 * @since 0.1.0
 */
export const keep = Effect.fn("Workspace.keep")(
  function*(workspace: Workspace, exercise: Exercise): Effect.fn.Return<void, WorkspaceProblem> {
    const known = yield* readStubs(workspace)
    yield* writeStubs(workspace, remember(known, exercise, hashOf(readFileSync(exercise.stub))))
  }
)

/**
 * Writes a file so that a reader sees the old text or the new one, never a part.
 *
 * @category combinators
 * @since 0.1.0
 */
export const writeFile = (path: string, text: string): Effect.Effect<void, WorkspaceProblem> =>
  touch(path, () => writeAtomically(path, text))

const hashOf = (text: string | Uint8Array): string => createHash("sha256").update(text).digest("hex").slice(0, 16)

const touch = <A>(path: string, work: () => A): Effect.Effect<A, WorkspaceProblem> =>
  Effect.try({
    try: work,
    catch: (error) => new WorkspaceProblem({ path, problem: error instanceof Error ? error.message : String(error) })
  })

const writeAtomically = (path: string, text: string | Uint8Array): void => {
  mkdirSync(dirname(path), { recursive: true })
  const beside = `${path}.${process.pid}.new`
  try {
    writeFileSync(beside, text)
    renameSync(beside, path)
  } finally {
    rmSync(beside, { force: true })
  }
}

// A state file that cannot be read is as good as none: files that differ from the stub then count as the learner's own.
const readStubs = (workspace: Workspace): Effect.Effect<Stubs, WorkspaceProblem> => {
  const path = keptFile(workspace, "stubs.json")
  const none: Stubs = { version: 1, stubs: {} }
  return Effect.flatMap(
    touch(path, () => existsSync(path) ? readFileSync(path, "utf8") : undefined),
    (text) =>
      text === undefined
        ? Effect.succeed(none)
        : Effect.orElseSucceed(Schema.decodeEffect(Stubs)(text), () => none)
  )
}

const writeStubs = (workspace: Workspace, stubs: Stubs): Effect.Effect<void, WorkspaceProblem> =>
  writeFile(keptFile(workspace, "stubs.json"), `${Schema.encodeSync(Stubs)(stubs)}\n`)

const remember = (known: Stubs, exercise: Exercise, hash: string): Stubs => ({
  ...known,
  stubs: { ...known.stubs, [exercise.manifest.id]: { version: exercise.version, hash } }
})

const stateWith = (workspace: Workspace, exercise: Exercise, known: Stubs): Effect.Effect<State, WorkspaceProblem> => {
  const file = fileOf(workspace, exercise)
  return touch(file, () => {
    if (!existsSync(file)) return "missing"
    const hash = hashOf(readFileSync(file))
    const given = known.stubs[exercise.manifest.id]
    if (hash === given?.hash || hash === hashOf(readFileSync(exercise.stub))) return "untouched"
    return given !== undefined && given.version !== exercise.version ? "outdated" : "changed"
  })
}

const copy = (workspace: Workspace, exercise: Exercise, known: Stubs): Effect.Effect<Stubs, WorkspaceProblem> => {
  const file = fileOf(workspace, exercise)
  return touch(file, () => {
    for (const given of exercise.given) writeAtomically(join(dirname(file), basename(given)), readFileSync(given))
    const text = readFileSync(exercise.stub)
    writeAtomically(file, text)
    return remember(known, exercise, hashOf(text))
  })
}

/** Gives an editor the settings that the check uses; a file that is there already stays. */
const writeConfig = (workspace: Workspace): Effect.Effect<void, WorkspaceProblem> => {
  const path = join(workspace.folder, "tsconfig.json")
  const base = relative(workspace.folder, join(dirname(workspace.catalogue.folder), "tsconfig.json")).split(sep).join(
    "/"
  )
  const near = base === "../tsconfig.json" && existsSync(join(workspace.folder, base))
  const config = near
    // What is excluded is inherited, too, and the course leaves the workspace out.
    ? {
      extends: base,
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["."],
      exclude: []
    }
    : {
      compilerOptions: {
        target: "ES2024",
        module: "NodeNext",
        moduleDetection: "force",
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        verbatimModuleSyntax: true,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
        noEmit: true
      },
      include: ["."]
    }
  return existsSync(path) ? Effect.void : writeFile(path, `${Schema.encodeSync(JsonText)(config)}\n`)
}
