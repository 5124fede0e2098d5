import { assert, describe, it, layer as withLayer } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { Catalogue, Grader, Verdict } from "effect-lifecycle/workbook"
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { budget, check, course, layer, root } from "./grader.ts"

const folder = mkdtempSync(join(tmpdir(), "grader-"))
const solution = readFileSync(join(course, "02-deadlines/02-one-budget/solution.ts"), "utf8")

const write = (text: string): string => {
  const file = join(folder, "exercise.ts")
  writeFileSync(file, text)
  return file
}

const took = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, number], E, R> =>
  Effect.gen(function*() {
    const start = performance.now()
    const value = yield* effect
    return [value, Math.round(performance.now() - start)] as const
  })

// oxlint-disable-next-line no-console -- the times are to be read, not asserted
const say = (line: string): void => console.log(`grader: ${line}`)

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0

withLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Grader", (it) => {
  it.effect("prints how long things take", () =>
    Effect.gen(function*() {
      const grader = yield* Grader.Grader
      const [, ready] = yield* took(grader.ready)
      const file = write(solution)
      const [first, cold] = yield* took(check(file))
      assert.isTrue(first.passed, JSON.stringify(first))
      const warm: Array<number> = []
      for (let run = 0; run < 7; run++) warm.push((yield* took(check(file)))[1])
      const [typed, both] = yield* took(check(file, { types: true }))
      say(
        `host ready ${ready} ms, first check ${cold} ms, re-check median ${median(warm)} ms, `
          + `with types ${both} ms (compiler alone ${typed.types.durationMillis} ms)`
      )
    }))

  it.effect("gives the stub no points, and says why in a sentence", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const verdict = yield* check(exercise.stub, { types: true })
      assert.strictEqual(verdict.outcome, "failed")
      assert.strictEqual(verdict.points, 0)
      assert.strictEqual(verdict.maximum, 4)
      assert.strictEqual(verdict.types.status, "passed")
      assert.deepStrictEqual(verdict.tasks.map((task) => task.id), ["a", "b", "c", "d", "e"])
      const b = verdict.tasks[1]
      assert.match(b?.message ?? "", /^Two calls of 3 s each do not fit into 5 s/)
      assert.deepStrictEqual(verdict.ignored, [])
    }))

  it.effect("gives a file outside of the clone all points, as plain data", () =>
    Effect.gen(function*() {
      const verdict = yield* check(write(solution), { types: true })
      assert.strictEqual(verdict.outcome, "passed", verdict.problem)
      assert.strictEqual(verdict.points, 4)
      assert.strictEqual(verdict.types.status, "passed", JSON.stringify(verdict.types))
      const text = yield* Schema.encodeEffect(Schema.fromJsonString(Verdict.Verdict))(verdict)
      assert.deepStrictEqual(yield* Schema.decodeEffect(Schema.fromJsonString(Verdict.Verdict))(text), verdict)
    }))

  it.effect("grades what the file says now, not what it said before", () =>
    Effect.gen(function*() {
      for (const wrong of [true, false, true, false]) {
        const file = write(wrong ? solution.replace("within(\"5 seconds\")", "within(\"9 seconds\")") : solution)
        const verdict = yield* check(file)
        assert.strictEqual(verdict.passed, !wrong)
      }
    }))

  it.effect("says nothing of the compiler's settings in a type error", () =>
    Effect.gen(function*() {
      const wrong = "const one: { a?: string } = { a: undefined as string | undefined }\nexport const two = one\n"
      const verdict = yield* check(write(`${solution}\n${wrong}`), { types: true })
      assert.strictEqual(verdict.types.errors[0]?.code, "TS2375")
      assert.match(verdict.types.errors[0]?.message ?? "", /^Type [^]* is not assignable to type '\{ a\?: string[^]*$/)
      assert.notInclude(verdict.types.errors[0]?.message, "exactOptional")
    }))

  it.effect("withholds the points while the types do not hold", () =>
    Effect.gen(function*() {
      const verdict = yield* check(write(`${solution}\nexport const wrong: string = 1\n`), { types: true })
      assert.strictEqual(verdict.outcome, "failed")
      assert.strictEqual(verdict.points, 0)
      assert.isTrue(verdict.tasks.every((task) => task.passed))
      assert.strictEqual(verdict.problem, "The tests give 4 points; they count once the types hold.")
      assert.strictEqual(verdict.types.errors[0]?.code, "TS2322")
      assert.strictEqual(verdict.types.errors[0]?.line, solution.split("\n").length + 1)
    }))

  it.effect("names the line of a syntax error", () =>
    Effect.gen(function*() {
      const verdict = yield* check(write("export const a = 1\nexport const = 2\n"))
      assert.strictEqual(verdict.outcome, "failed")
      assert.strictEqual(verdict.line, 2)
      assert.match(verdict.problem ?? "", /^Your file cannot be loaded. It is not valid TypeScript/)
    }))

  it.effect("names the line that threw while the file was loaded", () =>
    Effect.gen(function*() {
      const verdict = yield* check(
        write("import { Effect } from \"effect\"\n\nconst no: string = Effect.fork(Effect.void)\n")
      )
      assert.strictEqual(verdict.line, 3)
      assert.match(verdict.problem ?? "", /In Effect 4 it is `Effect.forkChild`\.$/)
      const own = yield* check(write("export const a = 1\nthrow new Error(\"at import\")\n"))
      assert.strictEqual(own.problem, "Your file cannot be loaded. It throws: at import")
      const binary = yield* check(write("a\u0000b"))
      assert.match(binary.problem ?? "", /^Your file cannot be loaded\. It is not a text file/)
    }))

  it.effect("withholds the points where something fails outside of the tests", () =>
    Effect.gen(function*() {
      const verdict = yield* check(write(`${solution}\nvoid Promise.reject(new Error("later"))\n`))
      assert.deepStrictEqual([verdict.outcome, verdict.points], ["failed", 0])
      assert.match(verdict.problem ?? "", /Seen: "later"\.\nThe tests give 4 points; they count once nothing fails/)
    }))

  it.effect("shows what the file prints, also through Effect", () =>
    Effect.gen(function*() {
      const talking = solution.replace(
        "Effect.gen(function*() {\n    const by",
        "Effect.gen(function*() {\n    yield* Console.log(\"asked\", name)\n    yield* Effect.log(\"and logged\")\n    const by"
      ).replace("{ Clock,", "{ Clock, Console,")
      const verdict = yield* check(write(`console.log("loaded", { a: [1] })\n${talking}`))
      assert.isTrue(verdict.passed, JSON.stringify(verdict))
      assert.match(verdict.output, /^loaded \{ a: \[ 1 \] \}\n/)
      assert.include(verdict.output, "asked")
      assert.include(verdict.output, "and logged")
    }))

  it.effect("shows what an endless file printed, and is ready again", () =>
    Effect.gen(function*() {
      const endless = write("console.log(\"turning\")\nfor (;;) {}\n")
      const [verdict, time] = yield* took(check(endless, { timeLimit: "1 second" }))
      assert.strictEqual(verdict.outcome, "timedOut")
      assert.include(verdict.output, "turning")
      assert.strictEqual(
        verdict.problem,
        "The check was stopped after 1 s. Is there a loop without an exit? If not, the machine was busy: check again."
      )
      const [next, after] = yield* took(check(write(solution)))
      assert.isTrue(next.passed)
      say(`an endless loop was stopped after ${time} ms, the next check took ${after} ms`)
    }))

  it.effect("drops a check that nobody waits for, and does the next one", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(check(write("for (;;) {}\n")), { startImmediately: true })
      yield* Effect.sleep("300 millis")
      yield* Fiber.interrupt(fiber)
      const verdict = yield* check(write(solution))
      assert.isTrue(verdict.passed)
    }))

  it.effect("does checks that are asked for at once one after another", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const verdicts = yield* Effect.all([
        check(write(solution)),
        check(exercise.stub),
        check(join(folder, "exercise.ts")),
        check(exercise.stub)
      ], { concurrency: "unbounded" })
      assert.deepStrictEqual(verdicts.map((verdict) => verdict.points), [4, 0, 4, 0])
    }))

  it.effect("starts again after a rest", () =>
    Effect.gen(function*() {
      const grader = yield* Grader.Grader
      yield* grader.rest
      assert.isTrue((yield* check(write(solution))).passed)
    }))

  it.effect("says so when there is no file", () =>
    Effect.gen(function*() {
      const verdict = yield* check(join(folder, "nowhere.ts"))
      assert.strictEqual(verdict.outcome, "couldNotFinish")
      assert.match(verdict.problem ?? "", /^There is no file /)
    }))

  it.effect("lets a file import what is given with the exercise, from wherever it lies", () =>
    Effect.gen(function*() {
      const catalogue = yield* Catalogue.load(course)
      const exercise = Catalogue.find(catalogue, "01.2") ?? assert.fail("the course has no exercise 01.2")
      const answer = readFileSync(join(exercise.folder, "solution.ts"), "utf8")
      const verdict = yield* check(write(answer), { exercise, types: true })
      assert.strictEqual(verdict.outcome, "passed", JSON.stringify(verdict))
    }))
})

describe("Grader", () => {
  it.live("leaves no folder behind when it ends", () =>
    Effect.gen(function*() {
      const scratch = join(folder, "scratch")
      yield* Effect.scoped(Effect.gen(function*() {
        const grader = yield* Grader.make({ course, scratch })
        yield* grader.ready
        assert.lengthOf(globSync("check-*", { cwd: scratch }), 1)
      }))
      assert.lengthOf(globSync("check-*", { cwd: scratch }), 0)
      rmSync(folder, { recursive: true, force: true })
      assert.isFalse(existsSync(folder))
    }), 60_000)

  it.live("calls a file that fills the memory crashed, and is ready again", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const grader = yield* Grader.make({ course, execArgv: ["--max-old-space-size=128"] })
      const file = join(mkdtempSync(join(tmpdir(), "grader-")), "exercise.ts")
      writeFileSync(file, "const all: Array<unknown> = []\nfor (;;) all.push(new Array(10_000).fill(all.length))\n")
      const verdict = yield* grader.check({ exercise, file, types: false, timeLimit: "20 seconds" })
      assert.strictEqual(verdict.outcome, "crashed")
      assert.match(verdict.problem ?? "", /^Your file took down the process that ran it/)
      const next = yield* grader.check({ exercise, file: exercise.stub, types: false })
      assert.strictEqual(next.outcome, "failed")
    }).pipe(Effect.scoped), 60_000)

  it.live("says why it cannot work where nothing can be written", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const scratch = join(root, "package.json", "below-a-file")
      const grader = yield* Grader.make({ course, scratch })
      const error = yield* Effect.flip(grader.ready)
      assert.match(error.message, /^The grader could not start: There is no place to work/)
      const verdict = yield* grader.check({ exercise, file: exercise.stub })
      assert.strictEqual(verdict.outcome, "couldNotFinish")
      assert.strictEqual(verdict.points, 0)
    }).pipe(Effect.scoped))
})
