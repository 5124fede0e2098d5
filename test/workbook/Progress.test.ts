import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Option } from "effect"
import { Catalogue, Progress, type Verdict, Workspace } from "effect-lifecycle/workbook"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { course } from "./grader.ts"

const now = DateTime.makeUnsafe("2026-03-01T10:00:00Z")

const withWorkspace = <A, E>(
  use: (workspace: Workspace.Workspace, file: string) => Effect.Effect<A, E>
): Effect.Effect<A, E | Workspace.WorkspaceProblem | Catalogue.CourseBroken> =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "progress-"))),
    (folder) =>
      Effect.gen(function*() {
        const catalogue = yield* Catalogue.load(course)
        const workspace = yield* Workspace.open({ catalogue, folder })
        return yield* use(workspace, Workspace.keptFile(workspace, "progress.json"))
      }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const exerciseOf = ({ catalogue }: Workspace.Workspace, id: string): Catalogue.Exercise =>
  Catalogue.find(catalogue, id) ?? assert.fail(`there is no ${id}`)

const verdict = (
  exercise: Catalogue.Exercise,
  points: number,
  outcome: Verdict.Outcome = "failed"
): Verdict.Verdict => ({
  id: exercise.manifest.id,
  file: "exercise.ts",
  outcome,
  passed: outcome === "passed",
  points,
  maximum: Catalogue.maximum(exercise.manifest),
  tasks: [],
  types: { status: "passed", errors: [], durationMillis: 1 },
  output: "",
  tampered: false,
  ignored: [],
  durationMillis: 1
})

describe("Progress", () => {
  it.effect("is empty in a new workspace, and writes no file before there is something to keep", () =>
    withWorkspace((workspace, file) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Progress.load(workspace), { progress: Progress.empty, setAside: undefined })
        yield* Progress.update(workspace, (progress) => progress)
        assert.isFalse(existsSync(file))
      })
    ))

  it.effect("comes back as it was written", () =>
    withWorkspace((workspace) =>
      Effect.gen(function*() {
        const exercise = exerciseOf(workspace, "02.2")
        const at = "2026-03-01T10:00:00.000Z"
        const said = { a: "passes", b: "fails" }
        for (
          const change of [
            Progress.movedTo("02.2"),
            Progress.hinted("02.2", "b", 2),
            Progress.hinted("02.2", "b", 1),
            Progress.checked(exercise, verdict(exercise, 2), now),
            Progress.looked("01.1"),
            Progress.predicted("01.1", { at, said }),
            Progress.compared("01.1", at, { right: 3, of: 5 }),
            Progress.predictedIn("03-retries", { at, said: { answer: "four" } }),
            Progress.ticked("two-hours", "lesson:00"),
            Progress.ticked("two-hours", "lesson:00")
          ]
        ) yield* Progress.update(workspace, change)
        const { progress } = yield* Progress.load(workspace)
        assert.strictEqual(progress.current, "02.2")
        assert.deepStrictEqual(progress.paths, { "two-hours": ["lesson:00"] })
        assert.deepStrictEqual(Progress.entryOf(progress, "02.2"), {
          solved: false,
          points: 2,
          attempts: 1,
          failures: 1,
          hints: { b: 2 },
          seen: false,
          courseVersion: exercise.version,
          predictions: []
        })
        assert.isTrue(Progress.entryOf(progress, "01.1").seen)
        const [prediction] = Progress.entryOf(progress, "01.1").predictions
        assert.deepInclude(prediction, { at, said, result: { right: 3, of: 5 } })
        assert.deepInclude(progress.lessons["03-retries"], { at, said: { answer: "four" } })
        assert.deepStrictEqual(Progress.parse(Progress.format(progress)), Option.some(progress))
      })
    ))

  it.effect("keeps what it does not know: exercises that are gone, and entries of another version", () =>
    withWorkspace((workspace, file) =>
      Effect.gen(function*() {
        const gone = { solved: true, points: 4, attempts: 2, failures: 0, hints: {}, seen: false, predictions: [] }
        const strange = { stars: 3 }
        writeFileSync(file, JSON.stringify({ version: 1, exercises: { "77.7": gone, "01.1": strange } }))
        const changed = yield* Progress.update(workspace, Progress.movedTo("01.2"))
        assert.strictEqual(Progress.summary(changed, workspace.catalogue).solved, 0)
        assert.deepStrictEqual(JSON.parse(readFileSync(file, "utf8")), {
          version: 1,
          current: "01.2",
          paths: {},
          exercises: { "01.1": strange, "77.7": gone }
        })
      })
    ))

  it.effect("moves a file aside that it cannot read, and leaves nothing else behind", () =>
    withWorkspace((workspace, file) =>
      Effect.gen(function*() {
        writeFileSync(file, "{ half a fi")
        const { progress, setAside } = yield* Progress.load(workspace)
        assert.deepStrictEqual(progress, Progress.empty)
        assert.strictEqual(readFileSync(setAside ?? "", "utf8"), "{ half a fi")
        yield* Progress.update(workspace, Progress.movedTo("01.1"))
        const names = readdirSync(join(workspace.folder, ".lifecycle")).sort()
        assert.lengthOf(names, 2)
        assert.strictEqual(names[1], "progress.json")
      })
    ))

  it.effect("never takes points or a pass away", () =>
    withWorkspace((workspace) =>
      Effect.sync(() => {
        const exercise = exerciseOf(workspace, "02.2")
        const later = DateTime.makeUnsafe("2026-04-01T10:00:00Z")
        const solved = Progress.checked(exercise, verdict(exercise, 4, "passed"), now)(Progress.empty)
        const tasks = exercise.manifest.tasks.map((task) => ({ ...task, passed: task.id !== "d" }))
        const broken = Progress.checked(exercise, { ...verdict(exercise, 0), tasks }, later)(solved)
        const again = Progress.checked(exercise, verdict(exercise, 4, "passed"), later)(broken)
        assert.deepInclude(Progress.entryOf(broken, "02.2"), { solved: true, points: 4, attempts: 1, failures: 1 })
        assert.deepStrictEqual(Progress.entryOf(broken, "02.2").failing, ["d"])
        assert.isUndefined(Progress.entryOf(again, "02.2").failing)
        assert.strictEqual(Progress.entryOf(again, "02.2").firstSolved, "2026-03-01T10:00:00.000Z")
        assert.strictEqual(Progress.entryOf(again, "02.2").failures, 0)
        const newer = { ...exercise, version: "other" }
        assert.isFalse(Progress.isStale(again, exercise))
        assert.isTrue(Progress.isStale(again, newer))
        assert.isTrue(Progress.isStale(Progress.checked(newer, verdict(newer, 0), later)(again), newer))
        assert.isFalse(Progress.looked("02.2")(solved).entries.get("02.2")?.seen)
      })
    ))

  it.effect("does not count a check that could not be made", () =>
    withWorkspace((workspace) =>
      Effect.sync(() => {
        const exercise = exerciseOf(workspace, "02.2")
        const checked = Progress.checked(exercise, verdict(exercise, 0, "couldNotFinish"), now)(Progress.empty)
        assert.strictEqual(Progress.statusOf(checked, "02.2"), "new")
      })
    ))

  it.effect("goes to the first exercise that is left, after this one and then from the start", () =>
    withWorkspace((workspace) =>
      Effect.sync(() => {
        const three = workspace.catalogue.exercises.slice(0, 3)
        const [one, two, last] = three.map(({ manifest }) => manifest.id)
        const solve = (progress: Progress.Progress, id = "") => {
          const exercise = exerciseOf(workspace, id)
          return Progress.checked(exercise, verdict(exercise, 2, "passed"), now)(progress)
        }
        const after = (progress: Progress.Progress, id?: string) => Progress.next(progress, three, id)?.manifest.id
        const second = solve(Progress.empty, two)
        assert.strictEqual(after(second), one)
        assert.strictEqual(after(second, one), last)
        assert.strictEqual(after(second, last), one)
        assert.isUndefined(after([one, two, last].reduce(solve, Progress.empty), last))
        const bonus = three.map((exercise, index) =>
          index === 1 ? { ...exercise, manifest: { ...exercise.manifest, stretch: true } } : exercise
        )
        assert.strictEqual(Progress.next(Progress.empty, bonus, one)?.manifest.id, last)
        assert.strictEqual(Progress.summary(Progress.empty, { exercises: bonus }).exercises, 2)
      })
    ))

  it("keeps the first prediction, and what came of it, whatever is said later", () => {
    const first = { at: "2026-03-01T10:00:00.000Z", said: { spaced: "[0, 130]" } }
    const later = { at: "2026-03-02T10:00:00.000Z", said: { spaced: "[0, 100]" } }
    const progress = [
      Progress.predicted("03.1", first),
      Progress.compared("03.1", first.at, { right: 1, of: 2 }),
      Progress.compared("03.1", first.at, { right: 2, of: 2 }),
      Progress.predicted("03.1", later),
      Progress.predictedIn("03-retries", first),
      Progress.predictedIn("03-retries", later)
    ].reduce((all, change) => change(all), Progress.empty)
    const { predictions } = Progress.entryOf(progress, "03.1")
    assert.deepStrictEqual(predictions.map((one) => one.said), [first.said, later.said])
    assert.deepStrictEqual(predictions[0]?.result, { right: 1, of: 2 })
    assert.isUndefined(predictions[1]?.result)
    assert.deepStrictEqual(progress.lessons["03-retries"]?.said, first.said)
  })

  it("sees what was changed in the file after it was predicted", () => {
    const at = "2026-03-01T10:00:00.000Z"
    const progress = [
      Progress.predicted("03.1", { at, said: { spaced: "[0, 130]", fixed: "[0]" } }),
      Progress.predicted("03.1", { at: "2026-03-02T10:00:00.000Z", said: { spaced: "[0]" } }),
      Progress.predictedIn("03-retries", { at: "2026-03-03T10:00:00.000Z", said: { answer: "four" } })
    ].reduce((all, change) => change(all), Progress.empty)
    const text = Progress.format(progress)
    const broken = (from: string, to: string): ReadonlyArray<string> => {
      assert.include(text, from)
      return Progress.brokenSeals(Option.getOrThrow(Progress.parse(text.replace(from, to))))
    }
    assert.deepStrictEqual(Progress.brokenSeals(progress), [])
    assert.deepStrictEqual(broken("[0, 130]", "[0, 131]"), ["03.1"])
    assert.deepStrictEqual(broken("2026-03-01", "2026-02-01"), ["03.1"])
    assert.deepStrictEqual(broken("\"four\"", "\"five\""), ["03-retries"])
    const entry = Progress.entryOf(progress, "03.1")
    const cut = new Map(progress.entries).set("03.1", { ...entry, predictions: entry.predictions.slice(1) })
    assert.deepStrictEqual(Progress.brokenSeals({ ...progress, entries: cut }), ["03.1"], "the first one is left out")
  })

  it.effect("leaves points open that could not be decided, and forgets that when they are", () =>
    withWorkspace((workspace) =>
      Effect.sync(() => {
        const exercise = exerciseOf(workspace, "02.2")
        const { id, tasks } = exercise.manifest
        const half = {
          ...verdict(exercise, 1, "open"),
          tasks: tasks.map((task) => ({ ...task, passed: false, ...task.id === "b" && { open: true as const } }))
        }
        const worth = tasks.find((task) => task.id === "b")?.points ?? 0
        assert.isAbove(worth, 0)
        const open = Progress.checked(exercise, half, now)(Progress.empty)
        assert.strictEqual(Progress.statusOf(open, id), "open")
        assert.deepInclude(Progress.entryOf(open, id), {
          solved: false,
          points: 1,
          attempts: 1,
          failures: 0,
          open: worth
        })
        assert.strictEqual(Progress.summary(open, workspace.catalogue).open, worth)
        assert.deepStrictEqual(Progress.parse(Progress.format(open)), Option.some(open))
        const failed = Progress.checked(exercise, { ...half, outcome: "failed" }, now)(open)
        assert.strictEqual(Progress.statusOf(failed, id), "started")
        const solved = Progress.checked(exercise, verdict(exercise, 4, "passed"), now)(open)
        assert.isUndefined(Progress.entryOf(solved, id).open)
        assert.strictEqual(Progress.summary(solved, workspace.catalogue).open, 0)
      })
    ))

  it.effect("adds up chapters and levels, and calls a level mastered at four fifths of its points", () =>
    withWorkspace((workspace) =>
      Effect.sync(() => {
        const made = (id: string, points: number): Catalogue.Exercise => {
          const exercise = exerciseOf(workspace, "02.2")
          const tasks = [{ id: "a", title: "a", points }] as const
          return { ...exercise, manifest: { ...exercise.manifest, id, level: 2, tasks } }
        }
        const exercises = [made("02.1", 8), made("02.2", 2)]
        const [big, small] = exercises
        assert.ok(big && small)
        const partly = Progress.checked(big, verdict(big, 7), now)(Progress.empty)
        assert.deepStrictEqual(Progress.summary(partly, { exercises }).byLevel.get(2), {
          solved: 0,
          exercises: 2,
          points: 7,
          maximum: 10,
          open: 0,
          mastered: false
        })
        const most = Progress.checked(big, verdict(big, 8, "passed"), now)(partly)
        assert.isTrue(Progress.summary(most, { exercises }).byLevel.get(2)?.mastered)
        assert.strictEqual(Progress.summary(most, { exercises }).byChapter.get(big.chapter)?.solved, 1)
      })
    ))
})
