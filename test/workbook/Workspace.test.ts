import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Catalogue, Workspace } from "effect-lifecycle/workbook"
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { course } from "./grader.ts"

interface Places {
  readonly course: string
  readonly folder: string
  readonly load: Effect.Effect<Workspace.Workspace>
}

/** A copy of two chapters of the course, and an empty folder beside it. */
const withPlaces = <A, E>(use: (places: Places) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const place = mkdtempSync(join(tmpdir(), "workspace-"))
      for (const chapter of ["01-reading-a-failure", "02-deadlines"]) {
        cpSync(join(course, chapter), join(place, "exercises", chapter), { recursive: true })
      }
      return place
    }),
    (place) => {
      const folder = join(place, "workspace")
      const copied = join(place, "exercises")
      const load = Effect.orDie(
        Effect.flatMap(Catalogue.load(copied), (catalogue) => Workspace.open({ catalogue, folder }))
      )
      return use({ course: copied, folder, load })
    },
    (place) => Effect.sync(() => rmSync(place, { recursive: true }))
  )

const second = (workspace: Workspace.Workspace): Catalogue.Exercise =>
  Catalogue.find(workspace.catalogue, "01.2") ?? assert.fail("there is no 01.2")

describe("Workspace", () => {
  it.effect("holds the stubs, what is given with them, and its own folder", () =>
    withPlaces(({ course, folder, load }) =>
      Effect.gen(function*() {
        const workspace = yield* load
        const written = yield* Workspace.prepare(workspace)
        assert.lengthOf(written, workspace.catalogue.exercises.length)
        const expected = workspace.catalogue.exercises.flatMap((one) => [one.stub, ...one.given])
        const files = globSync("*/*/**", { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile())
        assert.lengthOf(files, expected.length)
        assert.deepStrictEqual(globSync("**/*{spec,solution}*", { cwd: folder }), [])
        const { stub } = second(workspace)
        assert.strictEqual(
          readFileSync(Workspace.fileOf(workspace, second(workspace)), "utf8"),
          readFileSync(stub, "utf8")
        )
        assert.strictEqual(
          Workspace.exerciseAt(workspace, join(folder, "01-reading-a-failure/02-a-classifier/x")),
          second(workspace)
        )
        assert.isTrue(existsSync(join(course, "01-reading-a-failure/02-a-classifier/solution.ts")))
        assert.deepStrictEqual(yield* Workspace.prepare(workspace), [])
      })
    ))

  it.effect("tells an editor which files are the learner's, though the course leaves that folder out", () =>
    withPlaces(({ course, folder, load }) =>
      Effect.gen(function*() {
        const settings = { compilerOptions: { strict: true }, include: ["exercises"], exclude: ["workspace"] }
        writeFileSync(join(course, "../tsconfig.json"), JSON.stringify(settings))
        const workspace = yield* load
        yield* Workspace.prepare(workspace)
        const tsc = join(import.meta.dirname, "../../node_modules/typescript/bin/tsc")
        const { stdout } = spawnSync(process.execPath, [tsc, "--project", folder, "--showConfig"], { encoding: "utf8" })
        const shown = JSON.parse(stdout) as { readonly files: ReadonlyArray<string>; readonly compilerOptions: object }
        assert.deepInclude(shown.compilerOptions, { strict: true })
        for (const { path } of workspace.catalogue.exercises) assert.include(shown.files, `./${path}/exercise.ts`)
      })
    ))

  it.effect("keeps what the learner wrote", () =>
    withPlaces(({ load }) =>
      Effect.gen(function*() {
        const workspace = yield* load
        const exercise = second(workspace)
        assert.strictEqual(yield* Workspace.stateOf(workspace, exercise), "missing")
        yield* Workspace.prepare(workspace)
        assert.strictEqual(yield* Workspace.stateOf(workspace, exercise), "untouched")
        writeFileSync(Workspace.fileOf(workspace, exercise), "mine")
        assert.strictEqual(yield* Workspace.stateOf(workspace, exercise), "changed")
        yield* Workspace.prepare(workspace)
        assert.strictEqual(readFileSync(Workspace.fileOf(workspace, exercise), "utf8"), "mine")
      })
    ))

  it.effect("resets with a backup, and never touches the course", () =>
    withPlaces(({ course, load }) =>
      Effect.gen(function*() {
        const before = globSync("**/*.ts", { cwd: course }).map((name) => readFileSync(join(course, name), "utf8"))
        const workspace = yield* load
        yield* Workspace.prepare(workspace)
        writeFileSync(Workspace.fileOf(workspace, second(workspace)), "mine")
        const chapter = Catalogue.chapter(workspace.catalogue, "01")
        const done = yield* Workspace.reset(workspace, chapter)
        const backups = done.flatMap(({ backup }) => backup ?? [])
        assert.deepStrictEqual(backups.map((path) => readFileSync(path, "utf8")), ["mine"])
        for (const exercise of chapter) assert.strictEqual(yield* Workspace.stateOf(workspace, exercise), "untouched")
        const after = globSync("**/*.ts", { cwd: course }).map((name) => readFileSync(join(course, name), "utf8"))
        assert.deepStrictEqual(after, before)
      })
    ))

  it.effect("follows a newer stub where nothing was changed, and asks where something was", () =>
    withPlaces(({ course, load }) =>
      Effect.gen(function*() {
        const old = yield* load
        yield* Workspace.prepare(old)
        writeFileSync(Workspace.fileOf(old, second(old)), "mine")
        for (const path of ["01-which-layer-spoke", "02-a-classifier"]) {
          writeFileSync(join(course, "01-reading-a-failure", path, "exercise.ts"), "newer")
        }
        const workspace = yield* load
        const written = yield* Workspace.prepare(workspace)
        assert.deepStrictEqual(written.map((one) => one.manifest.id), ["01.1"])
        assert.strictEqual(yield* Workspace.stateOf(workspace, second(workspace)), "outdated")
        yield* Workspace.keep(workspace, second(workspace))
        assert.strictEqual(yield* Workspace.stateOf(workspace, second(workspace)), "changed")
        assert.strictEqual(readFileSync(Workspace.fileOf(workspace, second(workspace)), "utf8"), "mine")
      })
    ))

  it.effect("refuses to be the course", () =>
    withPlaces(({ course, load }) =>
      Effect.gen(function*() {
        const { catalogue } = yield* load
        for (const folder of [course, join(course, "01-reading-a-failure")]) {
          const error = yield* Effect.flip(Workspace.open({ catalogue, folder }))
          assert.include(error.message, "this is the course itself")
        }
      })
    ))

  it.effect("takes a state file that cannot be read for none", () =>
    withPlaces(({ load }) =>
      Effect.gen(function*() {
        const workspace = yield* load
        yield* Workspace.prepare(workspace)
        writeFileSync(Workspace.keptFile(workspace, "stubs.json"), "{ half")
        writeFileSync(Workspace.fileOf(workspace, second(workspace)), "mine")
        assert.strictEqual(yield* Workspace.stateOf(workspace, second(workspace)), "changed")
        yield* Workspace.prepare(workspace)
        assert.strictEqual(readFileSync(Workspace.fileOf(workspace, second(workspace)), "utf8"), "mine")
      })
    ))
})
