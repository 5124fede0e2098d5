import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { lifecycle, root } from "./command.ts"

const handedIn = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "handed-in-"))
    writeFileSync(join(folder, "week.json"), `{ "title": "Week", "exercises": ["02.2"] }`)
    writeFileSync(join(folder, "wrong.json"), `{ "title": "Week", "exercises": ["2.2"] }`)
    const exercise = join(root, "exercises/02-deadlines/02-one-budget")
    cpSync(join(exercise, "solution.ts"), join(folder, "class/ada/02.2.ts"))
    cpSync(join(exercise, "exercise.ts"), join(folder, "class/ben/02.2.ts"))
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

describe("lifecycle grade", () => {
  it.live("prints nothing but the report, and says how the work was locked in", () =>
    Effect.gen(function*() {
      const folder = yield* handedIn
      const assignment = ["--assignment", join(folder, "week.json")]
      const { code, err, out } = yield* lifecycle([
        "grade",
        join(folder, "class/ada"),
        ...assignment,
        "--report",
        "gradescope"
      ])
      assert.strictEqual(code, 0, err)
      const report = JSON.parse(out) as { readonly score: number; readonly output: string }
      assert.strictEqual(report.score, 4)
      assert.match(report.output, /The network was (open|closed)/)
      assert.include(err, "checked 1 of 1 files")
    }), 120_000)

  it.live("writes the gradebook, the statistics, and a page and a report a student", () =>
    Effect.gen(function*() {
      const folder = yield* handedIn
      const out = join(folder, "grades")
      const ended = yield* lifecycle(
        ["grade", join(folder, "class"), "--assignment", join(folder, "week.json"), "--out", out, "--report", "csv"]
      )
      assert.strictEqual(ended.code, 0, ended.err)
      assert.match(ended.out, /^learner,id,[^]*ada,02\.2,/)
      assert.strictEqual(readFileSync(join(out, "gradebook.csv"), "utf8").split("\r\n")[1], "ada,4,4,4,1,")
      assert.deepStrictEqual(readdirSync(join(out, "pages")), ["ada.html", "ada.md", "ben.html", "ben.md"])
      assert.isTrue(existsSync(join(out, "reports/ben.json")))
      assert.isTrue(existsSync(join(out, "results.csv")))
    }), 120_000)

  it.live(
    "ends with 2 where it was asked in a wrong way, and with 3 where the course is broken",
    () =>
      Effect.gen(function*() {
        const folder = yield* handedIn
        const typo = yield* lifecycle(["grade", join(folder, "class"), "--assignment", join(folder, "wrong.json")])
        assert.strictEqual(typo.code, 2)
        assert.include(typo.err, "wrong.json, exercises.0: there is no exercise 2.2; is 02.2 meant?")
        const two = yield* lifecycle(
          ["grade", join(folder, "class"), "--assignment", join(folder, "week.json"), "--report", "exercism"]
        )
        assert.strictEqual(two.code, 2)
        assert.include(two.err, "holds one submission, not 2")
        const broken = yield* lifecycle(["grade", join(folder, "class"), "--course", folder])
        assert.strictEqual(broken.code, 3)
      }),
    60_000
  )
})
