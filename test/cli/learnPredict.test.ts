import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { predictionIn } from "../../src/cli/internal/learnPredict.ts"
import { lifecycle, root } from "./command.ts"

const place = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "predict-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => {
    const kept = join(folder, ".lifecycle", "progress.json")
    return {
      file: (path: string) => join(folder, path, "exercise.ts"),
      kept,
      learn: (...args: ReadonlyArray<string>) => lifecycle(["learn", ...args, "--dir", folder]),
      learnWith: (env: Record<string, string>, ...args: ReadonlyArray<string>) =>
        lifecycle(["learn", ...args, "--dir", folder], { env }),
      progress: () => JSON.parse(readFileSync(kept, "utf8"))
    }
  }
)

describe("learn predict", { timeout: 120_000 }, () => {
  it("finds the one question of every lesson, and the program that answers it", () => {
    const lessons = globSync("lessons/*/lesson.md", { cwd: root }).sort()
    assert.lengthOf(lessons, 11)
    for (const lesson of lessons) {
      const found = predictionIn(readFileSync(join(root, lesson), "utf8"))
      assert.include(found?.question ?? "", "?", lesson)
      assert.include(found?.program ?? "", "console.log", `${lesson}: the program says the answer when it runs`)
    }
  })

  it.live("keeps what is expected of a lesson's program, runs it, and never changes what was said", () =>
    Effect.gen(function*() {
      const mine = yield* place
      assert.strictEqual((yield* mine.learn("predict", "10")).code, 2, "somebody has to say something")
      const first = yield* mine.learn("predict", "10", "--answer", "four, one, none")
      assert.strictEqual(first.code, 0, first.err)
      assert.include(first.out, "How many are placed")
      assert.match(
        first.out,
        /before it was run:\n {2}four, one, none\nIt says:\n {2}2 placed, 1 too many, 2 waited too long/
      )
      const second = yield* mine.learn("predict", "10-incidents", "--answer", "two, one, two")
      assert.include(second.out, "four, one, none")
      assert.strictEqual(mine.progress().lessons["10-incidents"].said.answer, "four, one, none")
      assert.notInclude((yield* mine.learn("progress")).out, "changed afterwards")
      writeFileSync(mine.kept, readFileSync(mine.kept, "utf8").replace("four, one, none", "two, one, two"))
      assert.include((yield* mine.learn("progress")).out, "Predictions that were changed afterwards: 10-incidents.")
      assert.include((yield* mine.learn("predict", "77")).err, "There is no exercise 77")
    }))

  it.live("runs no exercise to predict before all of it is predicted", () =>
    Effect.gen(function*() {
      const mine = yield* place
      const early = yield* mine.learn("predict", "03.1")
      assert.strictEqual(early.code, 1)
      assert.include(
        early.out,
        "Nothing is run before it is predicted. Still open: exponential, spaced, fixed, upTo, max, library."
      )
      const file = mine.file("03-retries/01-read-the-schedule")
      const solution = readFileSync(join(root, "exercises/03-retries/01-read-the-schedule/solution.ts"), "utf8")
      writeFileSync(file, solution.replace("130, 260]", "130, 261]"))
      const checked = yield* mine.learn("check", "03.1")
      assert.strictEqual(checked.code, 1)
      assert.include(checked.out, "\"upTo\" does something else")
      writeFileSync(file, solution)
      const { code, out } = yield* mine.learn("predict", "03.1")
      assert.strictEqual(code, 0, "what was predicted is no failure")
      assert.include(out, "upTo: [0, 130, 261]", "the first prediction stays")
      assert.include(out, "What you predicted first was right about 1 of 2 tasks.")
      assert.include(out, "passed b")
      assert.isTrue(mine.progress().exercises["03.1"].solved)
    }))
})

describe("learn without PostgreSQL", { timeout: 120_000 }, () => {
  it.live("keeps the points open, and says so wherever it counts", () =>
    Effect.gen(function*() {
      const mine = yield* place
      yield* mine.learn("open", "08.3")
      const solution = readFileSync(
        join(root, "exercises/08-event-sourcing/03-append-where-you-stood/solution.ts"),
        "utf8"
      )
      writeFileSync(mine.file("08-event-sourcing/03-append-where-you-stood"), solution)
      const { code, out } = yield* mine.learnWith({ DATABASE_URL: "mysql://me:secret@db/x" }, "check", "08.3")
      assert.strictEqual(code, 4, "neither passed nor failed")
      assert.match(out.replaceAll(/\s+/g, " "), /Tasks a, b, c and d need PostgreSQL, .* \(it starts with mysql:/)
      assert.include(out, "1 of 4 points, 3 still open")
      assert.notInclude(out, "secret")
      assert.match((yield* mine.learn("list")).out, /08\.3 Append where you stood: open/)
      assert.include((yield* mine.learn("progress")).out, "Open, until they are checked where PostgreSQL is: 3 points.")
      assert.deepInclude(mine.progress().exercises["08.3"], { solved: false, points: 1, open: 3, failures: 0 })
    }))
})
