import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Assignment, Catalogue, Gradebook } from "effect-lifecycle/workbook"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { lookIn } from "../../src/workbook/internal/submission.ts"
import { budget, course } from "./grader.ts"

const place = "02-deadlines/02-one-budget/exercise.ts"
const stub = readFileSync(join(course, place), "utf8")

const withFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "submission-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const put = (folder: string, path: string, text = "export const x = 1\n"): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** What is found for 02.2 where these files were handed in. */
const found = (files: Readonly<Record<string, string>>, prepare?: (folder: string) => void, more = false) =>
  Effect.gen(function*() {
    const folder = yield* withFolder
    const exercise = yield* budget
    const catalogue = yield* Effect.orDie(Catalogue.load(course))
    const other = Catalogue.find(catalogue, "03.5") ?? assert.fail("the course has no exercise 03.5")
    for (const [path, text] of Object.entries(files)) put(folder, path, text)
    prepare?.(folder)
    const { answers, notices } = lookIn(folder, more ? [exercise, other] : [exercise])
    const answer = answers.get(exercise) ?? assert.fail("nothing was said about the exercise")
    return { place: answer.place, untouched: answer.untouched, notices: answer.notices, rest: notices }
  }).pipe(Effect.scoped)

describe("what was handed in", () => {
  it.effect("is found where a workspace has it, and by its name; nothing is said where all is clear", () =>
    Effect.gen(function*() {
      for (const path of [place, `workspace/${place}`, "02-one-budget/exercise.ts", "02-one-budget.ts", "02.2.ts"]) {
        const one = yield* found({ [path]: "one", "README.md": "", "workspace/03-retries/01-x/exercise.ts": "" })
        assert.deepStrictEqual(one, { place: path, untouched: false, notices: [], rest: [] })
      }
    }))

  it.effect("counts where it is not the stub, whatever stands first", () =>
    Effect.gen(function*() {
      const both = yield* found({ [place]: stub.replaceAll("\n", "\r\n"), "02.2.ts": "mine" })
      assert.deepStrictEqual(both, {
        place: "02.2.ts",
        untouched: false,
        notices: [`${place} was not used: it is still the stub.`],
        rest: []
      })
      const only = yield* found({ [place]: stub })
      assert.deepInclude(only, { place, untouched: true, notices: [] })
      // Who hands in the whole folder hands in the course's own stub with it.
      const whole = yield* found({ [`exercises/${place}`]: stub, [`workspace/${place}`]: "mine" })
      assert.deepInclude(whole, { place: `workspace/${place}`, notices: [] })
    }))

  it.effect("is the first of several answers, and the others are named; equal ones are one", () =>
    Effect.gen(function*() {
      const several = yield* found({ [place]: "one", "02.2.ts": "two", "02-one-budget.ts": "one" })
      assert.deepInclude(several, {
        place,
        notices: [`There are several answers: ${place} was checked, and not 02.2.ts.`]
      })
    }))

  it.effect("is refused above 1 MB, as a link and as a folder, with the reason", () =>
    Effect.gen(function*() {
      const large = yield* found({ "02.2.ts": " ".repeat(1_000_001) })
      assert.deepInclude(large, { place: undefined, notices: ["02.2.ts was not used: it is larger than 1 MB."] })
      const link = yield* found({}, (folder) => symlinkSync("/etc/hosts", join(folder, "02.2.ts")))
      assert.deepInclude(link, {
        place: undefined,
        notices: ["02.2.ts was not used: it is a link, and links are not followed."]
      })
      const behind = yield* found({ "real/exercise.ts": "" }, (folder) =>
        symlinkSync(join(folder, "real"), join(folder, "02-one-budget")))
      assert.include(behind.notices[0], "02-one-budget/exercise.ts was not used: it is a link")
      const empty = yield* found({}, (folder) =>
        mkdirSync(join(folder, "02.2.ts")))
      assert.deepInclude(empty, { place: undefined, notices: ["02.2.ts was not used: it is no file."] })
    }))

  it.effect("may be a browser's second download, where it is the only one", () =>
    Effect.gen(function*() {
      for (const name of ["02.2 (1).ts", "02.2(2).ts", "02.2 copy.ts", "02.2 - Copy (2).ts"]) {
        const one = yield* found({ [name]: "mine" })
        assert.deepInclude(one, { place: name, notices: [`${name} was taken for the answer.`], rest: [] })
      }
      const beside = yield* found({ "02.2.ts": "mine", "02.2 (1).ts": "other" })
      assert.deepInclude(beside, {
        place: "02.2.ts",
        notices: ["There are several answers: 02.2.ts was checked, and not 02.2 (1).ts."]
      })
      const same = yield* found({ "02.2.ts": "mine", "02.2 (1).ts": "mine" })
      assert.deepInclude(same, { place: "02.2.ts", notices: [] })
      const later = yield* found({ "02.2.ts": stub, "02.2 (1).ts": "mine" })
      assert.deepInclude(later, { place: "02.2 (1).ts", untouched: false })
      const unclear = yield* found({ "02.2 (1).ts": "one", "02.2 (2).ts": "two" })
      assert.deepInclude(unclear, {
        place: undefined,
        notices: ["02.2 (1).ts and 02.2 (2).ts were not used: they differ, and nothing says which one counts."]
      })
    }))

  it.effect("may be called exercise.ts where one exercise was asked for, and is named where there are several", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* found({ "exercise.ts": "mine" })).place, "exercise.ts")
      const two = yield* found({ "exercise.ts": "mine" }, undefined, true)
      assert.deepInclude(two, {
        place: undefined,
        rest: ["exercise.ts was not used: neither name nor place is that of an answer."]
      })
    }))

  it.effect("is named where name or place is wrong, and never for what the course brought along", () =>
    Effect.gen(function*() {
      const wrong = yield* found({
        "my-02_2.ts": "",
        "homework/02.2.ts": "",
        "work.zip": "",
        "notes.txt": "",
        "exercises/02-deadlines/02-one-budget/solution.ts": "",
        "02-deadlines/02-one-budget/exercise.spec.ts": "",
        "support.ts": "",
        "node_modules/x/02.2.ts": "",
        ".cache/02.2.ts": ""
      })
      assert.deepStrictEqual(wrong.rest, [
        "homework/02.2.ts, my-02_2.ts and work.zip were not used: neither name nor place is that of an answer."
      ])
      const odd = yield* found({ "02.2\u001B[2J.js": "" })
      assert.deepStrictEqual(odd.rest, [
        "02.2\uFFFD[2J.js was not used: neither name nor place is that of an answer."
      ])
      const complete = yield* found({ "02.2.ts": "mine", "helper.ts": "", "12.21.ts": "" })
      assert.deepStrictEqual(complete.rest, [])
      const many = yield* found(Object.fromEntries(Array.from("abcdefgh", (name) => [`${name}.ts`, ""])))
      assert.include(many.rest[0], "d.ts, e.ts and 3 more were not used")
    }))
})

describe("beside the folders of students", () => {
  const week = Effect.gen(function*() {
    const catalogue = yield* Catalogue.load(course)
    return yield* Assignment.parse(`{ "title": "Week", "exercises": ["02.2"] }`, "week.json", catalogue)
  }).pipe(Effect.orDie)

  it.effect("files and links are named, and do not make one submission of a class", () =>
    Effect.gen(function*() {
      const folder = yield* withFolder
      const assignment = yield* week
      for (const path of ["ada/02.2.ts", "ben/02.2 (1).ts", "loose-02.2.ts", "02.2 (1).ts", "week.json"]) {
        put(folder, path)
      }
      symlinkSync(tmpdir(), join(folder, "cho"))
      const all = yield* Gradebook.submissions([folder], assignment)
      assert.deepStrictEqual(all.map((one) => one.learner), ["ada", "ben"])
      assert.deepStrictEqual(yield* Gradebook.unused([folder, join(folder, "ada")], assignment), [
        "02.2 (1).ts and loose-02.2.ts were not used: beside the folders of students nothing is looked for.",
        "cho was not used: links are not followed."
      ])
      const [ben] = yield* Gradebook.submissions([join(folder, "ben")], assignment)
      assert.strictEqual(ben?.learner, "ben")
    }).pipe(Effect.scoped))

  it.effect("a third of one name does not get the name that another has by itself", () =>
    Effect.gen(function*() {
      const folder = yield* withFolder
      for (const path of ["one/ada/02.2.ts", "two/ada (one, 2)/02.2.ts"]) put(folder, path)
      const [ada, own] = [join(folder, "one/ada"), join(folder, "two/ada (one, 2)")]
      const all = yield* Gradebook.submissions([own, ada, ada], yield* week)
      assert.deepStrictEqual(all.map((one) => one.learner), ["ada (one, 2)", "ada", "ada (one, 3)"])
    }).pipe(Effect.scoped))
})
