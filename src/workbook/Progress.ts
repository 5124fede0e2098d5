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
export { checked, hinted, looked, movedTo, ticked } from "./internal/progress/changes.ts"
export { format, load, parse, update } from "./internal/progress/file.ts"
export { empty, Entry, entryOf, type Loaded, Prediction, type Progress, type Said } from "./internal/progress/model.ts"
export { brokenSeals, compared, predicted, predictedIn } from "./internal/progress/seals.ts"
export {
  hintsUsed,
  isStale,
  next,
  type Status,
  statusOf,
  type Sum,
  type Summary,
  summary
} from "./internal/progress/standing.ts"
