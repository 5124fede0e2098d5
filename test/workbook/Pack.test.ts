import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Assignment, Catalogue, Pack } from "effect-lifecycle/workbook"
import { spawnSync } from "node:child_process"
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { course } from "./grader.ts"

const inFolder = <A, E>(use: (folder: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "pack-"))),
    use,
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const week = Effect.gen(function*() {
  const catalogue = yield* Catalogue.load(course)
  const text = JSON.stringify({ title: "Week", exercises: ["02.2", { id: "03.5", weight: 2 }] })
  return { catalogue, assignment: yield* Assignment.parse(text, "week.json", catalogue) }
})

const givenAway = "{exercises/**/{solution.ts,mutants,alternatives},**/TEACHING.md,**/MESSAGES.md,test,**/node_modules}"

describe("Pack", () => {
  it.effect("gives a student the exercises without an answer to any of them", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const { assignment, catalogue } = yield* week
        const pack = yield* Pack.noSolutions({ catalogue, assignment, out: join(folder, "students") })
        assert.deepStrictEqual(globSync(givenAway, { cwd: pack.folder }), [])
        const copy = yield* Catalogue.load(join(pack.folder, "exercises"))
        assert.deepStrictEqual(copy.exercises.map((one) => one.manifest.id), ["02.2", "03.5"])
        assert.isTrue(existsSync(join(pack.folder, "exercises/02-deadlines/02-one-budget/hints.md")))
        assert.isTrue(existsSync(join(pack.folder, "exercises/support.ts")))
        const again = yield* Assignment.load(join(pack.folder, "assignment.json"), copy)
        assert.strictEqual(Assignment.maximum(again), Assignment.maximum(assignment))
      })
    ))

  it.effect("makes an autograder whose scripts are at the root of the zip and can be run", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const { assignment, catalogue } = yield* week
        const pack = yield* Pack.gradescope({ catalogue, assignment, out: join(folder, "autograder"), node: "24.21.0" })
        assert.deepStrictEqual(globSync(givenAway, { cwd: pack.folder }), [])
        for (const name of ["setup.sh", "run_autograder"]) {
          const file = join(pack.folder, name)
          assert.notStrictEqual(statSync(file).mode & 0o100, 0, name)
          const syntax = spawnSync("bash", ["-n", file], { encoding: "utf8" })
          if (syntax.error === undefined) assert.strictEqual(syntax.status, 0, syntax.stderr)
        }
        assert.include(readFileSync(join(pack.folder, "setup.sh"), "utf8"), "version=\"24.21.0\"")
        const file = yield* Pack.zip(pack, join(folder, "made", "autograder.zip"))
        const listed = spawnSync("unzip", ["-tq", file], { encoding: "utf8" })
        if (listed.error === undefined) {
          assert.strictEqual(listed.status, 0, listed.stdout + listed.stderr)
          const unpacked = join(folder, "unpacked")
          spawnSync("unzip", ["-q", file, "-d", unpacked])
          const compared = spawnSync("diff", ["-r", pack.folder, unpacked], { encoding: "utf8" })
          if (compared.error === undefined) assert.strictEqual(compared.stdout, "")
          assert.notStrictEqual(statSync(join(unpacked, "run_autograder")).mode & 0o100, 0)
          assert.strictEqual(statSync(join(unpacked, "package.json")).mode & 0o100, 0)
        }
        const again = readFileSync(yield* Pack.zip(pack, join(folder, "again.zip")))
        assert.isTrue(again.equals(readFileSync(file)), "the same folder makes the same bytes")
      })
    ))

  it.effect("does not write into a folder that has something in it", () =>
    Effect.gen(function*() {
      const { assignment, catalogue } = yield* week
      const error = yield* Effect.flip(Pack.noSolutions({ catalogue, assignment, out: join(course, "02-deadlines") }))
      assert.strictEqual(error._tag, "PackProblem")
      assert.include(error.message, "has something in it")
    }))
})
