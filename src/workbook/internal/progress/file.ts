/** The progress of a workspace as a text file, which is read and written in one go. */
import { DateTime, Effect, Option, Schema } from "effect"
import { existsSync, readFileSync, renameSync } from "node:fs"
import { keptFile, type Workspace, WorkspaceProblem, writeFile } from "../../Workspace.ts"
import { empty, Entry, type Loaded, Prediction, type Progress } from "./model.ts"

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
