import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { lifecycle, root } from "./command.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => {
    const made = fs.mkdtempSync(join(tmpdir(), "dev-pack-"))
    const week = { title: "Week 3", due: "Friday", exercises: ["02.2", { id: "03.5", weight: 2 }], hideSolutions: true }
    fs.writeFileSync(join(made, "week.json"), JSON.stringify(week))
    return made
  }),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

const pack = (...args: ReadonlyArray<string>) => lifecycle(["dev", "pack", ...args])

// A copy by links is quick, and the locked check may read it: a link to the folder would lead out of the course.
const givePackages = (home: string): void => {
  const linked = spawnSync("cp", ["-al", join(root, "node_modules"), join(home, "node_modules")])
  if (linked.status !== 0) fs.cpSync(join(root, "node_modules"), join(home, "node_modules"), { recursive: true })
}

describe("lifecycle dev pack", { timeout: 120_000 }, () => {
  it.live("says what to do where it was asked in a wrong way, and ends with 2", () =>
    Effect.gen(function*() {
      const made = yield* folder
      const week = join(made, "week.json")
      fs.writeFileSync(join(made, "typo.json"), `{ "title": "Week", "exercises": ["2.2"] }`)
      const out = join(made, "full")
      fs.mkdirSync(out)
      fs.writeFileSync(join(out, "mine.txt"), "")
      const cases = [
        [[], "Say what to make: --gradescope"],
        [["--gradescope", "--no-solutions"], "Say what to make: --gradescope"],
        [["--no-solutions", "--assignment", join(made, "none.json")], "none.json: it cannot be read"],
        [["--no-solutions", "--assignment", join(made, "typo.json")], "there is no exercise 2.2; is 02.2 meant?"],
        [["--no-solutions", "--assignment", week, "--out", out], "The folder has something in it already."],
        [["--gradescope", "--assignment", week, "--node", "24"], "--node wants a whole version"]
      ] as const
      for (const [args, sentence] of cases) {
        const { code, err, out } = yield* pack(...args)
        assert.deepStrictEqual([code, out], [2, ""], args.join(" "))
        assert.include(err, sentence)
      }
      const broken = yield* pack("--no-solutions", "--course", made, "--out", join(made, "x"))
      assert.strictEqual(broken.code, 3)
    }))

  it.live("makes a students' copy that checks itself and keeps the solutions back", () =>
    Effect.gen(function*() {
      const made = yield* folder
      const out = join(made, "students")
      const packed = yield* pack("--no-solutions", "--assignment", join(made, "week.json"), "--out", out)
      assert.strictEqual(packed.code, 0, packed.err)
      assert.match(packed.out, /^.*students: the students' copy of "Week 3", \d+ files\.\nExercises: 02\.2, 03\.5\n/)
      assert.deepStrictEqual(fs.globSync("**/{solution.ts,mutants,alternatives,MESSAGES.md}", { cwd: out }), [])
      givePackages(out)
      const learn = (...args: ReadonlyArray<string>) => lifecycle(["learn", ...args], { home: out, cwd: out })
      assert.match((yield* learn("list")).out, /^Assignment: Week 3\nDue: Friday\n/)
      const stub = yield* learn("check", "02.2")
      assert.deepStrictEqual([stub.code, stub.err], [1, ""])
      const path = "02-deadlines/02-one-budget"
      fs.copyFileSync(join(root, "exercises", path, "solution.ts"), join(out, "workspace", path, "exercise.ts"))
      assert.include((yield* learn("check", "02.2")).out, "Passed: 4 of 4 points.")
      const solution = yield* learn("solution", "02.2")
      assert.strictEqual(solution.code, 2)
      assert.include(solution.err, "The instructor has hidden the solutions of \"Week 3\".")
    }))

  const unzip = spawnSync("unzip", ["-v"]).error === undefined && process.platform !== "win32"
  it.live.skipIf(!unzip)("makes an autograder that grades what is handed in", () =>
    Effect.gen(function*() {
      const made = yield* folder
      const zip = join(made, "autograder.zip")
      const packed = yield* pack("--gradescope", "--assignment", join(made, "week.json"), "--out", zip)
      assert.strictEqual(packed.code, 0, packed.err)
      assert.include(packed.out, "a programming assignment of 20 points")
      const again = yield* pack("--gradescope", "--assignment", join(made, "week.json"), "--out", zip)
      assert.strictEqual(again.code, 2)
      assert.include(again.err, "is there already")

      const source = join(made, "root", "source")
      const submission = join(made, "root", "submission")
      fs.mkdirSync(submission, { recursive: true })
      assert.strictEqual(spawnSync("unzip", ["-q", zip, "-d", source]).status, 0)
      givePackages(source)
      const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`
      const results = () => {
        // As Gradescope starts it: the program itself, with nothing of this test's environment.
        const env = { PATH: path, AUTOGRADER: join(made, "root") }
        const ran = spawnSync(join(source, "run_autograder"), { env, encoding: "utf8", cwd: "/" })
        assert.strictEqual(ran.status, 0, ran.stderr)
        const text = fs.readFileSync(join(made, "root", "results", "results.json"), "utf8")
        return JSON.parse(text) as { readonly score: number; readonly output: string; readonly tests?: object }
      }
      const nothing = results()
      assert.strictEqual(nothing.score, 0)
      const solution = join(root, "exercises", "02-deadlines", "02-one-budget", "solution.ts")
      fs.copyFileSync(solution, join(submission, "02.2.ts"))
      const graded = results()
      assert.strictEqual(graded.score, 4, graded.output)
      assert.include(graded.output, "There is no file for this exercise.")
      assert.isNotEmpty(graded.tests)
    }))
})
