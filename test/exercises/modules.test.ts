import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Catalogue } from "effect-lifecycle/workbook"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const { exercises } = await Effect.runPromise(Catalogue.load(join(root, "exercises")))

const imports = /^import\s+(?:type\s+)?(?:\{([^}]*)\}|\* as \w+)\s+from\s+"effect-lifecycle\/([^"]+)"/gm

/** The public modules that a text imports, such as `request/Deadline`. */
const modulesOf = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(imports), ([, names = "", path = ""]) =>
    path.includes("/")
      ? [path]
      : names.split(",").map((name) => name.trim().replace(/^type /, "").split(" ")[0] ?? "").filter((name) =>
        name !== ""
      ).map((name) => `${path}/${name}`)).flat()

const used = (files: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(files.flatMap((file) => modulesOf(readFileSync(file, "utf8"))))

const written = (exercise: Catalogue.Exercise) => used([exercise.stub, ...Option.toArray(exercise.solution)])
const all = (exercise: Catalogue.Exercise) =>
  used([exercise.stub, ...Option.toArray(exercise.solution), exercise.spec, ...exercise.given])

describe("the modules that the course is about", () => {
  it("is imported by the stub or the solution of at least 36 of 45 core exercises", () => {
    const core = exercises.filter(({ manifest }) => manifest.stretch !== true)
    assert.strictEqual(core.length, 45)
    const without = core.filter((exercise) => written(exercise).size === 0).map(({ manifest }) => manifest.id)
    assert.isAtMost(without.length, 9, `without a module of the library: ${without.join(", ")}`)
  })

  for (const exercise of exercises) {
    const { id, modules = [] } = exercise.manifest
    it(`${id} names in meta.json what its stub and its solution import, and nothing that none of its files does`, () => {
      assert.deepStrictEqual([...written(exercise)].filter((name) => !modules.includes(name)), [], "not named")
      assert.deepStrictEqual(modules.filter((name) => !all(exercise).has(name)), [], "named, and not used")
    })
  }

  for (const lesson of globSync("lessons/*/lesson.md", { cwd: root }).sort()) {
    it(`${lesson} introduces nothing that no exercise uses`, () => {
      const practised = new Set(exercises.flatMap((exercise) => [...all(exercise)]))
      const introduced = new Set(modulesOf(readFileSync(join(root, lesson), "utf8")))
      assert.deepStrictEqual([...introduced].filter((name) => !practised.has(name)), [])
    })
  }
})
