import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Ended, lifecycle, root } from "./command.ts"
import { english, says } from "./english.ts"

interface Place {
  readonly folder: string
  readonly workspace: string
  readonly learn: (...args: ReadonlyArray<string>) => Effect.Effect<Ended>
  readonly file: (path: string) => string
  readonly progress: () => {
    readonly current?: string
    readonly paths: Record<string, ReadonlyArray<string>>
    readonly exercises: Record<string, Record<string, unknown>>
  }
}

const write = (folder: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(join(folder, name, ".."), { recursive: true })
    fs.writeFileSync(join(folder, name), text)
  }
}

const meta = (id: string, title: string, rest: object = {}): string =>
  JSON.stringify({
    id,
    title,
    level: 1,
    kind: "complete",
    teaches: ["adding"],
    needs: [],
    tasks: [{ id: "a", title: "it is a number", points: 0 }, { id: "b", title: "it is the sum", points: 2 }],
    ...rest
  })

const spec = `import { assert, it } from "@effect/vitest"
import { add } from "./exercise.ts"

it("a: number", () => assert.isNumber(add(1, 2), "It must be a number."))
it("b: sum", () => assert.strictEqual(add(1, 2), 3, "1 and 2 make 3."))
`
const stub = "export const add = (one: number, other: number): number => one - other\n"
const right = "export const add = (one: number, other: number): number => one + other\n"

const exercise = (id: string, title: string) => ({
  "meta.json": meta(id, title),
  "exercise.ts": stub,
  "exercise.spec.ts": spec,
  "solution.ts": right,
  "hints.md": "# Hints\n\n## b Sum\n\n1. What is between\n   the numbers?\n2. Not a minus.\n"
})

const under = (folder: string, files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]))

/** A course of three small exercises, and a folder to work in. */
const place = Effect.acquireRelease(
  Effect.sync((): Place => {
    const folder = fs.mkdtempSync(join(tmpdir(), "learn-"))
    write(folder, {
      "package.json": "{ \"type\": \"module\" }",
      ...under("exercises/01-numbers/01-add", exercise("01.1", "Add")),
      ...under("exercises/01-numbers/02-again", exercise("01.2", "Add again")),
      ...under("exercises/02-more/01-once-more", exercise("02.1", "Once more")),
      "lessons/01-numbers/lesson.md": "# 01 Numbers\n\nThey can be added.\n",
      "lessons/paths/short.json": JSON.stringify({
        title: "The short way",
        steps: [{ kind: "lesson", id: "01" }, { kind: "exercise", id: "02.1" }, { kind: "tour", id: "tour" }]
      })
    })
    fs.symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir")
    const workspace = join(folder, "mine")
    const progress = () => JSON.parse(fs.readFileSync(join(workspace, ".lifecycle", "progress.json"), "utf8"))
    const own = ["--course", join(folder, "exercises"), "--dir", workspace]
    return {
      folder,
      workspace,
      progress,
      learn: (...args) => lifecycle(["learn", ...args, ...own]),
      file: (path) => join(workspace, path, "exercise.ts")
    }
  }),
  ({ folder }) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

interface Screen {
  readonly out: () => string
  /** Waits until something new was said that holds a text. */
  readonly says: (text: string) => Effect.Effect<void>
  readonly press: (key: string) => void
  readonly ended: Effect.Effect<number | null>
}

/** The watch screen in a process of its own, with keys through a pipe. */
const screen = (
  { folder, workspace }: Place,
  ...args: ReadonlyArray<string>
): Effect.Effect<Screen, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const bin = join(root, "src", "cli", "bin.mjs")
      const own = ["--course", join(folder, "exercises"), "--dir", workspace]
      const child = spawn(process.execPath, [bin, "learn", ...args, ...own], {
        cwd: root,
        env: { PATH: process.env.PATH ?? "" },
        stdio: "pipe"
      })
      let out = ""
      let read = 0
      child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text))
      child.stderr.setEncoding("utf8").on("data", (text: string) => void (out += text))
      const ended = Effect.callback<number | null>((resume) => {
        if (child.exitCode !== null) resume(Effect.succeed(child.exitCode))
        else child.on("close", (code) => resume(Effect.succeed(code)))
      })
      const says = (text: string): Effect.Effect<void> =>
        Effect.suspend(() => {
          const at = out.indexOf(text, read)
          if (at < 0) return Effect.andThen(Effect.sleep("20 millis"), says(text))
          read = at + text.length
          return Effect.void
        })
      const waits = (text: string) =>
        says(text).pipe(
          Effect.timeoutOrElse({
            duration: "15 seconds",
            orElse: () => Effect.sync(() => assert.fail(`never said "${text}":\n${out.slice(read)}`))
          })
        )
      return { child, out: () => out, says: waits, press: (key: string) => void child.stdin.write(key), ended }
    }),
    ({ child }) => Effect.sync(() => void child.kill("SIGKILL"))
  )

// Every command is a process of its own, and a busy machine starts them slowly.
describe("learn", { timeout: 90_000 }, () => {
  it.live("checks: 1 for a stub, 0 for an answer, and counts both", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const before = yield* mine.learn("check")
      assert.strictEqual(before.code, 1)
      assert.match(before.out, /^01\.1 Add \(level 1, 2 points, complete\)\n/)
      assert.include(before.out, "passed a: it is a number (guard)\nFAILED b: it is the sum (0 of 2 points)\n")
      assert.include(before.out, "1 and 2 make 3. Seen: -1. Expected: 3.")
      assert.include(before.out, "Not passed yet: 0 of 2 points.")
      fs.writeFileSync(mine.file("01-numbers/01-add"), right)
      const after = yield* mine.learn("check", "01.1", "--json")
      assert.deepStrictEqual([after.code, after.err], [0, ""])
      assert.deepInclude(JSON.parse(after.out), { id: "01.1", passed: true, points: 2 })
      assert.deepInclude(mine.progress().exercises["01.1"], { solved: true, points: 2, attempts: 2 })

      fs.writeFileSync(
        mine.file("01-numbers/02-again"),
        "export const add = 1 as never as (...n: Array<number>) => number\n"
      )
      const summed = (yield* mine.learn("progress")).out
      assert.isTrue(summed.endsWith("\nNext: 01.2 Add again\n"), summed)
      const all = yield* mine.learn("check", "--all")
      assert.strictEqual(all.code, 1)
      assert.include(all.out, "1 of 2 changed exercises passed.")
      assert.notInclude(all.out, "02.1")
      assert.strictEqual(fs.readFileSync(join(mine.folder, "exercises/01-numbers/01-add/exercise.ts"), "utf8"), stub)
    }))

  it.live("lists the exercises as words and as JSON, and sums up", () =>
    Effect.gen(function*() {
      const mine = yield* place
      yield* mine.learn("hint", "01.2")
      const { code, out } = yield* mine.learn("list")
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(out.split("\n").slice(0, 6), [
        "Chapter 1: numbers",
        "01.1 Add: new, level 1, 0 of 2 points",
        "01.2 Add again: started, level 1, 0 of 2 points",
        "",
        "Chapter 2: more",
        "02.1 Once more: new, level 1, 0 of 2 points"
      ])
      const listed = JSON.parse((yield* mine.learn("list", "--json", "--pending")).out) as ReadonlyArray<object>
      assert.deepStrictEqual(listed[1], {
        id: "01.2",
        title: "Add again",
        chapter: "01-numbers",
        level: 1,
        points: 0,
        maximum: 2,
        status: "started",
        stale: false,
        stretch: false
      })
      const summed = JSON.parse((yield* mine.learn("progress", "--json")).out) as object
      assert.deepInclude(summed, { current: "01.1", solved: 0, exercises: 3, points: 0, maximum: 6 })
      assert.include((yield* mine.learn("progress")).out, "Level 1: 0 of 3 exercises, 0 of 6 points")
      const short = (yield* mine.learn("list", "--path", "short")).out
      assert.strictEqual(
        short,
        "Chapter 2: more\n02.1 Once more: new, level 1, 0 of 2 points\n\n0 of 1 solved, 0 of 2 points\n"
      )
    }))

  it.live("gives one hint after another, and keeps which", () =>
    Effect.gen(function*() {
      const mine = yield* place
      assert.include((yield* mine.learn("hint")).out, "Hint 1 of 2: What is between the numbers?")
      assert.include((yield* mine.learn("hint")).out, "Hint 2 of 2: Not a minus.")
      assert.include((yield* mine.learn("hint", "--task", "b", "--tier", "1")).out, "Hint 1 of 2")
      assert.deepStrictEqual(mine.progress().exercises["01.1"]?.hints, { b: 2 })
      assert.include((yield* mine.learn("hint", "01.1", "b")).out, "01.1 b it is the sum\nHint 2 of 2")
      const none = yield* mine.learn("hint", "--task", "a")
      assert.deepStrictEqual([none.code, none.out], [2, ""])
      assert.include(none.err, "There are hints for b (1 to 2).")
    }))

  it.live("puts the stub back, keeps what was written, and asks before it resets more than one", () =>
    Effect.gen(function*() {
      const mine = yield* place
      yield* mine.learn("open", "01.2")
      const file = mine.file("01-numbers/02-again")
      fs.writeFileSync(file, right)
      const many = yield* mine.learn("reset", "1")
      assert.deepStrictEqual([many.code, many.out, many.err], [2, "", "This puts 2 exercises back. Add --yes.\n"])
      assert.strictEqual(fs.readFileSync(file, "utf8"), right)
      const one = yield* mine.learn("reset")
      assert.strictEqual(one.code, 0)
      assert.strictEqual(fs.readFileSync(file, "utf8"), stub)
      const backup = /What you had is in (.*)\.\n/.exec(one.out)?.[1] ?? ""
      assert.strictEqual(fs.readFileSync(backup, "utf8"), right)
      assert.include((yield* mine.learn("reset", "--all", "--yes")).out, "3 exercises: the stubs are back.")
    }))

  it.live("shows a solution that was not earned only when told to, and notes it", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const refused = yield* mine.learn("solution", "01.1")
      assert.deepStrictEqual([refused.code, refused.out], [2, ""])
      assert.include((yield* mine.learn("solution", "01.1", "--yes")).out, "one + other")
      assert.isTrue(mine.progress().exercises["01.1"]?.seen)
      fs.writeFileSync(mine.file("01-numbers/02-again"), "export const add = (a: number, b: number): number => b + a\n")
      yield* mine.learn("check", "01.2")
      const { out } = yield* mine.learn("solution", "01.2")
      assert.include(out, "-export const add = (a: number, b: number): number => b + a\n+export const add = (one")
    }))

  it.live("keeps a prediction before anything runs, and compares", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const { code, out } = yield* mine.learn("predict", "01.1", "--passing", "a,b")
      assert.strictEqual(code, 0)
      assert.include(
        out,
        "right a it is a number: you said passes, it passes\nWRONG b it is the sum: you said passes, it"
      )
      assert.include(out, "You were right about 1 of 2 tasks.")
      const kept = mine.progress().exercises["01.1"]?.predictions as ReadonlyArray<object>
      assert.lengthOf(kept, 1)
      assert.deepInclude(kept[0], { said: { a: "passes", b: "passes" }, result: { right: 1, of: 2 } })
      assert.strictEqual((yield* mine.learn("predict", "01.1", "--passing", "z")).code, 2)
      assert.strictEqual((yield* mine.learn("predict", "01.1")).code, 2)
    }))

  it.live("opens an exercise with the editor that it is told, and prints a lesson", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const script = join(mine.folder, "editor.mjs")
      fs.writeFileSync(
        script,
        "import { appendFileSync } from 'node:fs'\nappendFileSync(process.argv[2], '// edited\\n')\n"
      )
      const opened = yield* mine.learn("open", "02.1", "--edit-cmd", `"${process.execPath}" "${script}"`)
      assert.deepStrictEqual([opened.code, opened.err], [0, ""])
      assert.strictEqual(fs.readFileSync(mine.file("02-more/01-once-more"), "utf8"), `${stub}// edited\n`)
      assert.strictEqual(mine.progress().current, "02.1")
      assert.include((yield* mine.learn("lesson", "1")).out, "# 01 Numbers\n\nThey can be added.")
      assert.include((yield* mine.learn("lesson", "01.2")).out, "# 01 Numbers")
      assert.strictEqual((yield* mine.learn("lesson", "7")).code, 2)
    }))

  it.live("names the nearest word, and ends with 2 where it cannot answer, with 3 where the course is broken", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const id = yield* mine.learn("check", "1.1")
      assert.deepStrictEqual([id.code, id.out], [2, ""])
      assert.match(id.err, /There is no exercise 1\.1\. Did you mean 01\.1 \(Add\)/)
      const command = yield* mine.learn("chek")
      assert.strictEqual(command.code, 2)
      assert.match(command.err, /Unknown subcommand "chek"[^]*Did you mean this\?\s+check/)
      assert.strictEqual((yield* mine.learn("list", "--jsn")).code, 2)
      assert.strictEqual((yield* mine.learn("--help")).code, 0)
      const path = yield* mine.learn("--path", "two-hours")
      assert.deepStrictEqual([path.code, path.err], [2, "There is no path two-hours. There is: short.\n"])
      fs.writeFileSync(join(mine.folder, "exercises/01-numbers/01-add/meta.json"), "{}")
      const broken = yield* mine.learn("list")
      assert.strictEqual(broken.code, 3)
      assert.include(broken.err, "01-numbers/01-add/meta.json")
    }))

  it.live("prints the one line that installs what a check needs", () =>
    Effect.gen(function*() {
      const mine = yield* place
      fs.unlinkSync(join(mine.folder, "node_modules"))
      for (const args of [["check"], ["--plain"]]) {
        const { code, err, out } = yield* mine.learn(...args)
        assert.deepStrictEqual([code, out], [4, ""])
        assert.match(err, /\nnpm install --save-dev "vitest@[^"]+" "@effect\/vitest@[^"]+" "typescript@[^"]+"\n$/)
      }
      assert.strictEqual((yield* mine.learn("list")).code, 0)
    }))

  it.live("writes a report of everything, or of an assignment", () =>
    Effect.gen(function*() {
      const mine = yield* place
      yield* mine.learn("open", "01.2")
      fs.writeFileSync(mine.file("01-numbers/02-again"), right)
      const out = join(mine.folder, "report.xml")
      const whole = yield* mine.learn("check", "--all", "--report", "junit", "--out", out)
      assert.deepStrictEqual(whole, { code: 1, out: "", err: "" })
      assert.include(fs.readFileSync(out, "utf8"), "1 and 2 make 3.")
      assert.isUndefined(mine.progress().exercises["01.1"])
      const task = join(mine.folder, "task.json")
      fs.writeFileSync(task, JSON.stringify({ title: "First week", exercises: ["01.2"] }))
      const part = yield* mine.learn("check", "--assignment", task, "--report", "json")
      assert.strictEqual(part.code, 0, part.err)
      const made = JSON.parse(part.out) as { readonly assignment: string; readonly totals: object }
      assert.strictEqual(made.assignment, "First week")
      assert.deepInclude(made.totals, { exercises: 1, passed: 1, points: 2, max: 2 })
    }))

  it.live("grades a real exercise: its stub, then its solution", () =>
    Effect.gen(function*() {
      const { workspace } = yield* place
      const learn = (...args: ReadonlyArray<string>) => lifecycle(["learn", ...args, "--dir", workspace])
      const before = yield* learn("check", "02.2")
      assert.strictEqual(before.code, 1)
      assert.include(before.out, "Not passed yet: 0 of 4 points.")
      const path = "02-deadlines/02-one-budget"
      fs.copyFileSync(join(root, "exercises", path, "solution.ts"), join(workspace, path, "exercise.ts"))
      const after = yield* learn("check", "02.2")
      assert.strictEqual(after.code, 0)
      assert.include(after.out, "Passed: 4 of 4 points.")
    }))
})

/** Sets an assignment, in the file that `learn` finds by itself. */
const set = ({ folder }: Place, assignment: object): void =>
  fs.writeFileSync(join(folder, "assignment.json"), JSON.stringify(assignment))

const hidden = {
  title: "First week",
  due: "Friday, 18:00",
  exercises: ["01.2", { id: "02.1", weight: 2 }],
  hideSolutions: true
}

describe("learn, with an assignment", { timeout: 90_000 }, () => {
  it.live("keeps the solutions back, also of what is solved, and says who did and what is due", () =>
    Effect.gen(function*() {
      const mine = yield* place
      set(mine, hidden)
      const asked = yield* mine.learn("solution", "01.2", "--yes")
      assert.deepStrictEqual([asked.code, asked.out], [2, ""])
      assert.strictEqual(
        asked.err,
        "The instructor has hidden the solutions of \"First week\".\n" +
          "It is due: Friday, 18:00. Ask your instructor when they will be shown.\n"
      )
      fs.writeFileSync(mine.file("01-numbers/02-again"), right)
      assert.strictEqual((yield* mine.learn("check", "01.2")).code, 0)
      const solved = yield* mine.learn("solution", "01.2")
      assert.deepStrictEqual([solved.code, solved.out], [2, ""])
      assert.isFalse(mine.progress().exercises["01.2"]?.seen)
      assert.include((yield* mine.learn("solution", "01.1", "--yes")).out, "one + other", "it is not in the assignment")
    }))

  it.live("lists, checks and sums up what was set, wherever the file is", () =>
    Effect.gen(function*() {
      const mine = yield* place
      fs.mkdirSync(mine.workspace)
      fs.writeFileSync(join(mine.workspace, "assignment.json"), JSON.stringify(hidden))
      const listed = yield* mine.learn("list")
      assert.match(listed.out, /^Assignment: First week\nDue: Friday, 18:00\n\nChapter 1: numbers\n01\.2 /)
      assert.notInclude(listed.out, "01.1")
      assert.include(listed.out, "0 of 2 solved, 0 of 4 points")
      fs.writeFileSync(mine.file("01-numbers/01-add"), right)
      fs.writeFileSync(mine.file("01-numbers/02-again"), right)
      const all = yield* mine.learn("check", "--all")
      assert.strictEqual(all.code, 0, all.err)
      assert.include(all.out, "1 of 1 changed exercise passed.")
      assert.notInclude(all.out, "01.1")
      const report = yield* mine.learn("check", "--all", "--report", "json")
      const made = JSON.parse(report.out) as { readonly due: string; readonly totals: object }
      assert.strictEqual(made.due, "Friday, 18:00")
      assert.deepInclude(made.totals, { exercises: 2, passed: 1, points: 2, max: 6 })
      assert.include((yield* mine.learn("progress")).out, "Next: 02.1 Once more")
    }))

  it.live("says what is wrong with the file, and ends with 2", () =>
    Effect.gen(function*() {
      const mine = yield* place
      set(mine, { title: "First week", exercises: ["1.2"] })
      const { code, err } = yield* mine.learn("list")
      assert.strictEqual(code, 2)
      assert.include(err, "assignment.json, exercises.0: there is no exercise 1.2; is 01.2 meant?")
      const gone = yield* mine.learn("list", "--assignment", join(mine.folder, "gone.json"))
      assert.strictEqual(gone.code, 2)
      assert.include(gone.err, "gone.json: it cannot be read")
    }))

  it.live("keeps them back on the watch screen, too", () =>
    Effect.gen(function*() {
      const mine = yield* place
      set(mine, hidden)
      const shown = yield* screen(mine)
      yield* shown.says("not passed yet")
      yield* shown.says("q quit")
      shown.press("s")
      yield* shown.says("The instructor has hidden the solutions of \"First week\".")
      yield* shown.says("q quit")
      assert.notInclude(shown.out(), "s solution")
      shown.press("l")
      yield* shown.says("2 exercises")
      shown.press("q")
      assert.strictEqual(yield* shown.ended, 0)
      assert.include(shown.out(), "0 of 2 exercises, 0 of 4 points.")
      assert.isFalse(mine.progress().exercises["01.2"]?.seen)
    }))
})

describe("learn, in another language", { timeout: 90_000 }, () => {
  it.live("says nothing in English but what the course says", () =>
    Effect.gen(function*() {
      const mine = yield* place
      fs.writeFileSync(join(mine.folder, "assignment.json"), JSON.stringify({ ...hidden, hideSolutions: false }))
      const sentences = english()
      const answers = [
        [0, yield* mine.learn("list", "--lang", "de")],
        [1, yield* mine.learn("check", "--lang", "de")],
        [0, yield* mine.learn("progress", "--lang", "de")],
        [0, yield* mine.learn("hint", "--lang", "de")],
        [0, yield* mine.learn("predict", "--passing", "a", "--lang", "de")],
        [2, yield* mine.learn("solution", "--lang", "de")],
        [2, yield* mine.learn("check", "99.9", "--lang", "de")],
        [2, yield* mine.learn("--path", "none", "--lang", "de")],
        [0, yield* mine.learn("progress", "--path", "short", "--lang", "de")],
        [0, yield* mine.learn("--plain", "--lang", "de")]
      ] as const
      for (const [code, answer] of answers) {
        const text = answer.out + answer.err
        assert.strictEqual(answer.code, code, text)
        assert.isNotEmpty(text)
        assert.deepStrictEqual(sentences.filter((one) => says(text, one)), [], text)
      }
      assert.include(answers[0][1].out, "0 von 2 gelöst, 0 von 4 Punkten")
      assert.include(answers[1][1].out, "FALSCH b: it is the sum (0 von 2 Punkten)")
      assert.include(answers[1][1].out, "1 and 2 make 3.", "the course's own words")
      assert.include(answers[3][1].out, "Tipp 1 von 2: What is between the numbers?")
      // The same sentences are there in English, so the list that is looked for is a good one.
      const text = (yield* mine.learn("check")).out + (yield* mine.learn("progress")).out
      assert.isAbove(sentences.filter((one) => says(text, one)).length, 8)
    }))

  it.live("takes the language from the environment, and its own key for yes", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const env = { LANG: "de_DE.UTF-8" }
      const own = ["--course", join(mine.folder, "exercises"), "--dir", mine.workspace]
      const { out } = yield* lifecycle(["learn", "list", ...own], { env })
      assert.include(out, "0 von 3 gelöst")
      assert.include((yield* lifecycle(["learn", "list", ...own, "--lang", "en"], { env })).out, "0 of 3 solved")
      const unknown = yield* mine.learn("list", "--lang", "xx")
      assert.strictEqual(unknown.code, 2)
      assert.match(unknown.err, /en[^]*de/)
      const shown = yield* screen(mine, "--lang", "de")
      yield* shown.says("noch nicht bestanden: 0 von 2 Punkten")
      yield* shown.says("q beenden")
      shown.press("s")
      yield* shown.says("(j/n)")
      yield* shown.says("j ja")
      shown.press("j")
      yield* shown.says("Die Lösung:")
      shown.press("q")
      assert.strictEqual(yield* shown.ended, 0)
    }))
})

describe("the watch screen, in a process", { timeout: 90_000 }, () => {
  it.live("checks after a save, stays on what is solved until n, and remembers where it was", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const shown = yield* screen(mine)
      yield* shown.says("not passed yet: 0 of 2 points")
      yield* shown.says("q quit")
      shown.press("n")
      yield* shown.says("Not solved yet.")
      shown.press("h")
      yield* shown.says("Hint 1 of 2 for b: What is between the numbers?")
      fs.writeFileSync(mine.file("01-numbers/01-add"), "export const add = (\n")
      yield* shown.says("It is not valid TypeScript.")
      fs.writeFileSync(mine.file("01-numbers/01-add"), right)
      yield* shown.says("Solved: 2 of 2 points, 1 hint.")
      yield* shown.says("progress: 1 of 3")
      yield* Effect.sleep("300 millis")
      assert.notInclude(shown.out(), "01.2 Add again")
      shown.press("n")
      yield* shown.says("01.2 Add again")
      yield* shown.says("not passed yet")
      shown.press("q")
      assert.strictEqual(yield* shown.ended, 0)
      assert.include(shown.out(), "1 of 3 exercises, 2 of 6 points.\nYour progress is kept")
      assert.strictEqual(mine.progress().current, "01.2")
    }))

  it.live("notices a save by polling, resets after a yes, and leads to another exercise by its list", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const shown = yield* screen(mine, "--poll", "--no-typecheck")
      yield* shown.says("types: not checked")
      yield* shown.says("q quit")
      fs.writeFileSync(mine.file("01-numbers/01-add"), `${right}while (true) {}\n`)
      yield* shown.says("The check was stopped after 5 s.")
      yield* shown.says("q quit")
      shown.press("x")
      yield* shown.says("(y/n)")
      shown.press("y")
      yield* shown.says("the stub is back")
      yield* shown.says("not passed yet")
      yield* shown.says("q quit")
      assert.strictEqual(fs.readFileSync(mine.file("01-numbers/01-add"), "utf8"), stub)
      shown.press("l")
      yield* shown.says("3 exercises; chosen: 01.1")
      shown.press("jj")
      yield* shown.says("> 02.1")
      shown.press("\r")
      yield* shown.says("02.1 Once more (")
      yield* shown.says("not passed yet")
      shown.press("q")
      assert.strictEqual(yield* shown.ended, 0)
    }))

  it.live("follows a path to its end, and prints the result", () =>
    Effect.gen(function*() {
      const mine = yield* place
      fs.mkdirSync(join(mine.workspace, "02-more/01-once-more"), { recursive: true })
      fs.writeFileSync(mine.file("02-more/01-once-more"), right)
      const shown = yield* screen(mine, "--path", "short")
      yield* shown.says("The short way")
      yield* shown.says("Lesson 01 Numbers")
      yield* shown.says("q quit")
      shown.press("n")
      yield* shown.says("02.1 Once more (")
      yield* shown.says("The short way: step 2 of 3")
      yield* shown.says("Solved: 2 of 2 points")
      yield* shown.says("q quit")
      shown.press("n")
      yield* shown.says("npm start")
      yield* shown.says("q quit")
      shown.press("n")
      assert.strictEqual(yield* shown.ended, 0)
      assert.include(shown.out(), "The short way: finished")
      assert.match(shown.out(), /2\. done {4}02\.1 Once more: 2 of 2 points, 1 attempt, solved on \d{4}-/)
      assert.deepStrictEqual(mine.progress().paths, { short: ["lesson:01", "tour:tour"] })
    }))

  it.live("ends with its input, after the check that was running", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const { code, out } = yield* mine.learn()
      assert.strictEqual(code, 0)
      assert.include(out, "checking 01.1")
      assert.include(out, "not passed yet: 0 of 2 points")
    }))
})
