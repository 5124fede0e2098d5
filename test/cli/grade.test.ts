import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
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

/** A course of one exercise, and somebody's answer, in a folder that has its packages by a link. */
const linked = (link: (modules: string) => void) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "linked-"))
      const exercise = join(folder, "exercises/01-numbers/01-one")
      mkdirSync(exercise, { recursive: true })
      mkdirSync(join(folder, "ada"))
      const files = {
        "package.json": "{ \"type\": \"module\" }",
        "exercises/01-numbers/01-one/meta.json": JSON.stringify({
          id: "01.1",
          title: "One",
          level: 1,
          kind: "complete",
          teaches: ["counting"],
          needs: [],
          tasks: [{ id: "a", title: "it is one", points: 2 }]
        }),
        "exercises/01-numbers/01-one/exercise.ts": "export const one: number = 0\n",
        "exercises/01-numbers/01-one/exercise.spec.ts": "import { assert, it } from \"@effect/vitest\"\n"
          + "import { one } from \"./exercise.ts\"\nit(\"a\", () => assert.strictEqual(one, 1, \"It must be one.\"))\n",
        "ada/01.1.ts": "export const one: number = 1\n"
      }
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
      link(join(folder, "node_modules"))
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

describe("lifecycle grade", () => {
  it.live("grades where node_modules is a link to another folder", () =>
    Effect.gen(function*() {
      const folder = yield* linked((modules) => symlinkSync(join(root, "node_modules"), modules, "dir"))
      const args = ["grade", join(folder, "ada"), "--course", join(folder, "exercises"), "--report", "csv"]
      const { code, err, out } = yield* lifecycle(args)
      assert.strictEqual(code, 0, err)
      assert.match(out, /\r\nada,01\.1,One,1,passed,2,2,1,passed,/)
    }), 120_000)

  it.live(
    "grades where single packages are links",
    () =>
      Effect.gen(function*() {
        const folder = yield* linked((modules) => {
          mkdirSync(join(modules, "@effect"), { recursive: true })
          for (const name of ["effect", "vitest", "@effect/vitest", "typescript"]) {
            symlinkSync(join(root, "node_modules", name), join(modules, name), "dir")
          }
        })
        const args = ["grade", join(folder, "ada"), "--course", join(folder, "exercises"), "--report", "csv"]
        const { code, err, out } = yield* lifecycle(args)
        assert.strictEqual(code, 0, err)
        assert.match(out, /\r\nada,01\.1,One,1,passed,2,2,1,passed,/)
      }),
    120_000
  )

  it.live(
    "says so, and fails nobody, where the course has packages of its own",
    () =>
      Effect.gen(function*() {
        const folder = yield* linked((modules) => {
          mkdirSync(join(modules, "effect"), { recursive: true })
          symlinkSync(join(root, "node_modules/vitest"), join(modules, "vitest"), "dir")
        })
        const { code, err, out } = yield* lifecycle([
          "grade",
          join(folder, "ada"),
          "--course",
          join(folder, "exercises")
        ])
        assert.deepStrictEqual([code, out], [4, ""])
        assert.include(err, `Nothing can be graded here: ${folder} has effect from another place than this command`)
        assert.include(err, `cd ${folder} && npx lifecycle grade`)
      }),
    120_000
  )

  it.live("gives every student a page of their own, and names what was not used", () =>
    Effect.gen(function*() {
      const folder = yield* linked((modules) => symlinkSync(join(root, "node_modules"), modules, "dir"))
      const course = join(folder, "exercises")
      const right = "export const one: number = 1\n"
      const fills = `${right}const all: Array<unknown> = []\nfor (;;) all.push(new Array(1e6).fill(1))\n`
      const put = (path: string, text: string) => {
        mkdirSync(dirname(join(folder, "class", path)), { recursive: true })
        writeFileSync(join(folder, "class", path), text)
      }
      put("a+b/01.1.ts", right)
      put("a@b/01.1.ts", "export const one: number = 2\n")
      put("Cho/01.1.ts", right)
      put("cho/01.1.ts", "export const one: number = 3\n")
      put("dee/01.1.ts", fills)
      put("eve/01.1.ts", " ".repeat(1_000_001))
      put("fay/01.1.ts", right)
      put("fay/01-numbers/01-one/exercise.ts", "export const one: number = 0\n")
      put("loose-01.1.ts", right)
      const out = join(folder, "grades")
      const { code, err } = yield* lifecycle(["grade", join(folder, "class"), "--course", course, "--out", out])
      assert.strictEqual(code, 0, err)
      assert.include(err, "loose-01.1.ts was not used")
      assert.include(err, "see the column \"notice\" (eve, fay)")
      const rows = readFileSync(join(out, "gradebook.csv"), "utf8").trim().split("\r\n").slice(1)
        .map((row) => row.split(","))
      const pages = readdirSync(join(out, "pages"))
      assert.strictEqual(new Set(pages.map((name) => name.toLowerCase())).size, 2 * 7)
      for (const row of rows) {
        const [learner = "", , points] = row
        const page = readFileSync(join(out, "pages", `${row.at(-1)}.md`), "utf8")
        assert.include(page, `# ${learner}\n`)
        assert.include(page, `**${Number(points)} of 2 points`)
        assert.include(readFileSync(join(out, "reports", `${row.at(-1)}.json`), "utf8"), `"learner": "${learner}"`)
      }
      const text = rows.map((row) => row.join(",")).join("\n")
      assert.match(text, /^a\+b,2,.*\na@b,0,/m)
      assert.match(text, /^eve,,0,2,0,01\.1: 01\.1\.ts was not used: it is larger than 1 MB,eve$/m)
      assert.match(
        text,
        /^fay,2,2,2,1,01\.1: 01-numbers\/01-one\/exercise\.ts was not used: it is still the stub,fay$/m
      )
      const statistics = readFileSync(join(out, "statistics.md"), "utf8")
      assert.match(statistics, /Your file took down the process that ran it \(it was ended by SIG\w+\)\. Does it end/)
      assert.notInclude(statistics, "vitest")
      assert.include(statistics, "## Not used\n\n- loose-01.1.ts")
    }), 120_000)

  it.live(
    "finds out before the work whether it can write, and prints the gradebook where it cannot in the end",
    () =>
      Effect.gen(function*() {
        const folder = yield* linked((modules) => symlinkSync(join(root, "node_modules"), modules, "dir"))
        const grade = (out: string, ...more: ReadonlyArray<string>) =>
          lifecycle(
            ["grade", join(folder, "ada"), "--course", join(folder, "exercises"), "--out", join(folder, out), ...more]
          )
        const file = yield* grade("package.json")
        assert.deepStrictEqual([file.code, file.out], [2, ""])
        assert.include(file.err, "package.json is a file, and a folder is needed. Nothing was graded.")
        assert.notInclude(file.err, "checked 1")

        mkdirSync(join(folder, "grades/statistics.md"), { recursive: true })
        const late = yield* grade("grades")
        assert.strictEqual(late.code, 2)
        assert.include(late.err, "Not everything could be written to")
        assert.match(late.out, /^learner,01\.1,points,max,passed,notice,page\r\nada,2,2,2,1,,ada\r?\n$/)
        const report = yield* grade("grades", "--report", "json")
        assert.strictEqual((JSON.parse(report.out) as { readonly learner: string }).learner, "ada")
        assert.include(report.err, "ada,2,2,2,1,,ada")
      }),
    120_000
  )

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
      assert.strictEqual(readFileSync(join(out, "gradebook.csv"), "utf8").split("\r\n")[1], "ada,4,4,4,1,,ada")
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
