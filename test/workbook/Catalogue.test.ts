import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Catalogue } from "effect-lifecycle/workbook"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { course } from "./grader.ts"

const manifest = {
  id: "01.1",
  title: "First",
  level: 1,
  kind: "identify",
  teaches: ["one"],
  needs: [],
  tasks: [{ id: "a", title: "it works", points: 2 }]
}

/** A course with these files, for as long as the effect runs. */
const withCourse = <A, E, R>(
  files: Readonly<Record<string, unknown>>,
  use: (folder: string) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "course-"))
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true })
        writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content))
      }
      return folder
    }),
    use,
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const exercise = (path: string, meta: unknown): Record<string, unknown> => ({
  [`${path}/meta.json`]: meta,
  [`${path}/exercise.ts`]: "export const a = 1\n",
  [`${path}/exercise.spec.ts`]: ""
})

const faults = (files: Readonly<Record<string, unknown>>): Effect.Effect<Array<string>> =>
  withCourse(files, (folder) =>
    Catalogue.load(folder).pipe(
      Effect.flip,
      Effect.map((error) => error.faults.map(({ field, file, problem }) => `${file} | ${field} | ${problem}`)),
      Effect.orDie
    ))

describe("Catalogue", () => {
  it.effect("reads the course of this repository", () =>
    Effect.gen(function*() {
      const catalogue = yield* Catalogue.load(course)
      const found = Catalogue.find(catalogue, "02.2") ?? assert.fail("there is no 02.2")
      assert.strictEqual(found.path, "02-deadlines/02-one-budget")
      assert.strictEqual(found.chapter, "02-deadlines")
      assert.isTrue(Option.isSome(found.solution))
      assert.isAtLeast(found.mutants.length, 2)
      const { byChapter, byLevel, exercises, points } = Catalogue.totals(catalogue)
      assert.strictEqual(exercises, catalogue.exercises.filter((one) => one.manifest.stretch !== true).length)
      assert.deepStrictEqual([exercises, points], [45, 216], "the core")
      const stretch = catalogue.exercises.filter((one) => one.manifest.stretch === true)
      assert.strictEqual(stretch.length, 12)
      for (const one of stretch) assert.strictEqual(Catalogue.maximum(one.manifest), 4, one.manifest.id)
      for (const groups of [byChapter, byLevel]) {
        assert.strictEqual([...groups.values()].reduce((sum, one) => sum + one.points, 0), points)
      }
    }))

  it.effect("takes a folder for an exercise, and its other modules for given", () =>
    withCourse({
      ...exercise("01-one/02-second", { ...manifest, id: "01.2", stretch: true }),
      ...exercise("01-one/01-first", {
        ...manifest,
        timeLimit: 10,
        imports: ["@effect/platform-node/*"],
        needsSql: ["a"]
      }),
      "01-one/01-first/data.ts": "export const data = 1\n",
      "01-one/01-first/mutants/wrong.ts": ""
    }, (folder) =>
      Effect.gen(function*() {
        const catalogue = yield* Catalogue.load(folder)
        assert.deepStrictEqual(catalogue.exercises.map((one) => one.manifest.id), ["01.1", "01.2"])
        const [first] = catalogue.exercises
        assert.deepStrictEqual(first?.given, [join(folder, "01-one/01-first/data.ts")])
        assert.deepStrictEqual(first?.mutants, [join(folder, "01-one/01-first/mutants/wrong.ts")])
        assert.deepStrictEqual(Catalogue.totals(catalogue).points, 2)
        assert.lengthOf(Catalogue.chapter(catalogue, "1"), 2)
      })))

  it.effect("has another version when the stub or what is given has changed", () =>
    withCourse(
      { ...exercise("01-one/01-first", manifest), "01-one/01-first/data.ts": "1" },
      (folder) =>
        Effect.gen(function*() {
          const versions: Array<string | undefined> = []
          for (const [name, text] of [["exercise.ts", "2"], ["data.ts", "3"], ["exercise.spec.ts", "4"]] as const) {
            versions.push((yield* Catalogue.load(folder)).exercises[0]?.version)
            writeFileSync(join(folder, "01-one/01-first", name), text)
          }
          versions.push((yield* Catalogue.load(folder)).exercises[0]?.version)
          assert.strictEqual(new Set(versions).size, 3)
          assert.strictEqual(versions[2], versions[3], "the spec is not the learner's")
        })
    ))

  it.effect("names every fault with its file and its field", () =>
    Effect.gen(function*() {
      const found = yield* faults({
        ...exercise("01-one/01-first", { ...manifest, level: 4, tasks: [{ id: "a", title: "x", points: -1 }] }),
        ...exercise("01-one/02-second", { ...manifest, id: "01.3" }),
        ...exercise("01-one/03-third", "{ not json"),
        ...exercise("01-one/04-fourth", { ...manifest, id: "01.4", needsSql: ["z"], point: 3 }),
        "01-one/05-fifth/meta.json": { ...manifest, id: "01.5" }
      })
      const all = found.join("\n")
      assert.match(all, /01-one\/01-first\/meta\.json \| level \| /)
      assert.match(all, /01-one\/01-first\/meta\.json \| tasks\.0\.points \| /)
      assert.match(all, /01-one\/02-second\/meta\.json \| id \| the folder is that of 01\.2/)
      assert.match(all, /01-one\/03-third\/meta\.json \| {2}\| it is not JSON/)
      assert.match(all, /01-one\/04-fourth\/meta\.json \| point \| /)
      assert.match(all, /01-one\/05-fifth\/exercise\.ts \| {2}\| it is not there/)
    }))

  it.effect("says so when there is nothing", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Catalogue.load(join(tmpdir(), "no-such-course")))
      assert.include(error.message, "there is no exercise")
    }))

  it.effect("knows what somebody meant", () =>
    Effect.gen(function*() {
      const catalogue = yield* Catalogue.load(course)
      for (const text of ["2.2", "02.2", "one-budget", "One budget, three call"]) {
        assert.strictEqual(Catalogue.nearest(catalogue, text), "02.2", text)
      }
      assert.isUndefined(Catalogue.nearest(catalogue, "something else altogether"))
    }))
})
