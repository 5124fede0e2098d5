import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { lifecycle, root } from "./command.ts"

const home = Effect.acquireRelease(
  Effect.sync(() => {
    const path = mkdtempSync(join(tmpdir(), "dev-"))
    mkdirSync(join(path, "exercises"))
    symlinkSync(join(root, "node_modules"), join(path, "node_modules"))
    writeFileSync(join(path, "package.json"), "{ \"type\": \"module\" }\n")
    return path
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("lifecycle dev", () => {
  it.live("begins an exercise of which check says what is missing", () =>
    Effect.gen(function*() {
      const cwd = yield* home
      const begun = yield* lifecycle(["dev", "new", "01.1", "wait-for-less", "--chapter", "waiting"], { cwd })
      assert.strictEqual(begun.code, 0, begun.err)
      const folder = "exercises/01-waiting/01-wait-for-less"
      assert.include(begun.out, `${folder} is there`)
      assert.isTrue(existsSync(join(cwd, folder, "exercise.spec.ts")))

      const checked = yield* lifecycle(["dev", "check", "01.1", "--no-auto", "--repeats", "2"], { cwd })
      assert.strictEqual(checked.code, 1, checked.err)
      for (
        const missing of [
          "concepts, meta.json: it teaches 0 concepts",
          "solution.ts: it says what the stub says",
          "solution, solution.ts: it does not pass: b: The answer has to be the one that was asked for.",
          "alternatives: there is none",
          "mutants: there is none",
          "hints.md: it needs three hints for task b"
        ]
      ) assert.include(checked.out, missing)
      assert.notInclude(checked.out, "types")
      assert.notInclude(checked.out, "stub, ")
      assert.match(checked.out, /1 exercises?, 0 wrong answers, 3 runs in \d+\.\d s\./)
      assert.match(checked.err, /\d+ faults found\./)
    }), 60_000)

  it.live(
    "refuses numbers that are taken, chapters that are not there, and names that are none",
    () =>
      Effect.gen(function*() {
        const cwd = yield* home
        const course = join(cwd, "exercises")
        mkdirSync(join(course, "01-waiting/01-wait-for-less"), { recursive: true })
        const refused = (...args: ReadonlyArray<string>) =>
          Effect.map(lifecycle(["dev", "new", ...args], { cwd }), ({ code, err }) => {
            assert.strictEqual(code, 1)
            return err.trim()
          })
        assert.strictEqual(
          yield* refused("01.1", "again"),
          "01.1 is there already: exercises/01-waiting/01-wait-for-less."
        )
        assert.match(
          yield* refused("02.1", "again"),
          /^There is no chapter 02 in exercises: name it with --chapter NAME\.$/
        )
        assert.match(yield* refused("two", "again"), /^"two" is not a number such as 03\.6/)
        assert.match(yield* refused("01.2", "../up"), /^"\.\.\/up" is not a name such as wait-for-less/)
        assert.deepStrictEqual(globSync("*/*", { cwd: course }), ["01-waiting/01-wait-for-less"])
      }),
    60_000
  )
})
