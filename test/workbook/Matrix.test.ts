import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Matrix } from "effect-lifecycle/workbook"
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll } from "vitest"
import { root } from "./grader.ts"

const home = mkdtempSync(join(tmpdir(), "matrix-"))
symlinkSync(join(root, "node_modules"), join(home, "node_modules"))
writeFileSync(join(home, "package.json"), "{ \"type\": \"module\" }\n")
const cheats = join(home, "cheats")
mkdirSync(cheats)
writeFileSync(join(cheats, "reads.ts"), "// outcome: cheated\nexport * from \"./solution.ts\"\n")
writeFileSync(
  join(cheats, "throws.ts"),
  "// outcome: failed\nthrow new Error(\"not today\")\nexport const price = () => 0\n"
)

afterAll(() => rmSync(home, { recursive: true, force: true }))

type Files = Readonly<Record<string, string | undefined>>

const meta = {
  id: "01.1",
  title: "Free from fifty",
  level: 2,
  kind: "repair",
  teaches: ["threshold"],
  needs: ["piping"],
  tasks: [
    { id: "a", title: "small orders pay for shipping", points: 0 },
    { id: "b", title: "orders of fifty and more do not", points: 2 }
  ]
}

const stub = `import { pipe } from "effect"

export const price = (total: number): number => pipe(total, (sum) => sum + 5)
`
const solution = stub.replace("sum + 5", "sum >= 50 ? sum : sum + 5")

/** An exercise that has nothing wrong with it. */
const sound: Files = {
  "meta.json": JSON.stringify(meta),
  "exercise.ts": stub,
  "solution.ts": solution,
  "alternatives/early.ts":
    "export const price = (total: number): number => {\n  if (total < 50) return total + 5\n  return total\n}\n",
  "mutants/more-than-fifty.ts": `// fails: b - takes "from fifty" for "more than fifty"\n${
    solution.replace(">=", ">")
  }`,
  "mutants/never-free.ts": `// fails: b - forgets the limit\n${stub}`,
  "hints.md": "# 01.1\n\n## b orders of fifty and more do not\n\n1. Where?\n2. What?\n3. How?\n",
  "exercise.spec.ts": `import { assert, it } from "@effect/vitest"
import { price } from "./exercise.ts"

it("a: small orders pay for shipping", () => assert.strictEqual(price(10), 15, "Ten and shipping are fifteen."))
it("b: orders of fifty and more do not", () => {
  assert.strictEqual(price(50), 50, "An order of fifty pays no shipping.")
  assert.strictEqual(price(60), 60, "An order of sixty pays no shipping.")
})
it("a: just below the limit it costs all of it", () => assert.strictEqual(price(49), 54, "Forty-nine is below fifty."))
`
}

/** A course of one exercise, with some files changed; and the page of messages, as it should be. */
const courseOf = (files: Files): string => {
  const course = join(mkdtempSync(join(home, "set-")), "exercises")
  symlinkSync(join(root, "node_modules"), join(dirname(course), "node_modules"))
  writeFileSync(join(dirname(course), "package.json"), "{ \"type\": \"module\" }\n")
  for (const [name, text] of Object.entries({ ...sound, ...files })) {
    if (text === undefined) continue
    const file = join(course, "01-prices/01-free-from-fifty", name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  writeFileSync(
    join(course, "concepts.json"),
    JSON.stringify({ piping: "lessons/01-prices#pipe", io: "lessons/02-io#io" })
  )
  mkdirSync(join(course, "../lessons/01-prices"), { recursive: true })
  writeFileSync(join(course, "../lessons/01-prices/lesson.md"), "# Prices\n\nHow to `pipe`.\n")
  return course
}

const check = (course: string, options?: Partial<Matrix.MatrixOptions>) =>
  Matrix.check({ course, repeats: 3, processes: 1, ...options })

/** The faults of a course, without those about messages that nobody has reviewed. Most show in the first run. */
const faultsOf = (files: Files, options?: Partial<Matrix.MatrixOptions>) =>
  Effect.map(
    check(courseOf(files), { automatic: false, repeats: 1, ...options }),
    ({ faults }) =>
      faults.filter(({ gate }) => gate !== "messages").map(({ file, gate, problem }) => `${gate}, ${file}: ${problem}`)
  )

const hasFault = (faults: ReadonlyArray<string>, pattern: RegExp): void =>
  assert.isTrue(faults.some((fault) => pattern.test(fault)), `none is like ${pattern}:\n${faults.join("\n")}`)

const spec = sound["exercise.spec.ts"] ?? ""

describe("Matrix", () => {
  it.live("finds nothing in a sound exercise, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const course = courseOf({})
      const first = yield* check(course, { review: "write", cheats })
      assert.deepStrictEqual(first.faults, [])
      assert.strictEqual(first.mutants, 2)
      assert.isAtLeast(first.automatic.made, 4)
      assert.deepStrictEqual(first.automatic.survivors, [])
      assert.deepStrictEqual(first.cheats, { tried: 2, ran: 1 })
      assert.strictEqual(first.runs, 1 + 2 * 3 + 2 + first.automatic.made)
      const page = readFileSync(join(course, "MESSAGES.md"), "utf8")
      assert.include(page, "\n\n```text\nmore-than-fifty, task b\n  An order of fifty pays no shipping.")
      const again = yield* check(course, { automatic: false })
      assert.deepStrictEqual(again.faults, [])
      const left = join(dirname(course), ".lifecycle")
      assert.deepStrictEqual(existsSync(left) ? globSync("*", { cwd: left }) : [], [])
    }), 60_000)

  it.live("wants every file, and a right answer in another style", () =>
    Effect.gen(function*() {
      const faults = yield* faultsOf({
        "solution.ts": undefined,
        "alternatives/early.ts": undefined,
        "hints.md": "# 01.1\n\n## b one\n\n1. Where?\n",
        "mutants/more-than-fifty.ts": "// no task\nexport const price = () => 0\n",
        "mutants/never-free.ts": undefined
      })
      hasFault(faults, /^files, solution\.ts: it is not there/)
      hasFault(faults, /^files, alternatives: there is none/)
      hasFault(faults, /^files, hints\.md: it needs three hints for task b/)
      hasFault(faults, /^mutants, mutants\/more-than-fifty\.ts: its first line/)
    }), 60_000)

  it.live("wants concepts to be taught before they are needed, and one at a time", () =>
    Effect.gen(function*() {
      const faults = yield* faultsOf({
        "meta.json": JSON.stringify({ ...meta, teaches: ["one", "two"], needs: ["piping", "monads", "io"] })
      })
      hasFault(faults, /teaches 2 concepts/)
      hasFault(faults, /needs monads, which no earlier exercise teaches/)
      hasFault(faults, /needs io, which is taught later, in lessons\/02-io/)
      assert.strictEqual(faults.length, 3)
    }), 60_000)

  it.live("wants the stub to type-check, to fail and to score nothing", () =>
    Effect.gen(function*() {
      const untyped = yield* faultsOf({ "exercise.ts": stub.replace("sum + 5", "sum + five") })
      hasFault(untyped, /^types, exercise\.ts: line 3: TS2304/)
      const solved = yield* faultsOf({ "exercise.ts": solution })
      hasFault(solved, /^stub, exercise\.ts: it passes/)
      hasFault(solved, /^stub, exercise\.ts: it scores: task b passes/)
      hasFault(solved, /^files, solution\.ts: it says what the stub says/)
    }), 60_000)

  it.live("wants right answers to pass each time, in whatever order", () =>
    Effect.gen(function*() {
      const faults = yield* faultsOf({
        "alternatives/early.ts": "export const price = (total: number): number => total < 40 ? total + 5 : total\n",
        "solution.ts": `let asked = 0\n${
          solution.replace("pipe(total", "asked++ === 0 && total > 50 ? 0 : pipe(total")
        }`
      }, { repeats: 20 })
      hasFault(faults, /^alternatives, alternatives\/early\.ts: it does not pass: a: Forty-nine is below fifty/)
      hasFault(
        yield* faultsOf({ "solution.ts": solution.replace(">=", ">") }),
        /^solution, solution\.ts: .* b: An order/
      )
    }), 60_000)

  it.live("notices a test that needs another one before it", () =>
    Effect.gen(function*() {
      const faults = yield* faultsOf({
        "exercise.spec.ts": spec
          .replace("\nit(", "\nlet warm = false\nit(")
          .replace("=> assert.strictEqual(price(10)", "=> void (warm = true) ?? assert.strictEqual(price(10)")
          .replace(
            "assert.strictEqual(price(50)",
            "assert.isTrue(warm, \"It is cold so far.\")\n  assert.strictEqual(price(50)"
          )
      }, { repeats: 20 })
      hasFault(faults, /^solution, solution\.ts: it does not pass in \d+ of 20 runs in shuffled order: b: It is cold/)
    }), 60_000)

  it.live("wants wrong answers to fail the task they name, with a sentence", () =>
    Effect.gen(function*() {
      const blind = yield* faultsOf({
        "exercise.spec.ts": spec.replace(/ {2}assert.strictEqual\(price\(50\).*\n/, ""),
        "mutants/never-free.ts": "// fails: c - no such task\nexport const price = () => 0\n"
      })
      hasFault(blind, /^mutants, mutants\/more-than-fifty\.ts: task b passes, so it does not notice this mistake/)
      hasFault(blind, /^mutants, mutants\/never-free\.ts: it names task c/)
      const mute = yield* faultsOf({
        "exercise.spec.ts": spec.replace(", \"An order of fifty pays no shipping.\"", "")
      })
      hasFault(mute, /^mutants, .*: the message is not a sentence for the learner: expected 5\d to equal 50/)
    }), 60_000)

  it.live("wants a wrong answer for every task with points", () =>
    Effect.gen(function*() {
      const tasks = [...meta.tasks, { id: "c", title: "nothing is free", points: 1 }]
      const faults = yield* faultsOf({
        "meta.json": JSON.stringify({ ...meta, tasks }),
        "exercise.spec.ts": spec.replace(
          "it(\"b",
          "it(\"c: nothing is free\", () => assert.isAbove(price(1), 0))\nit(\"b"
        ),
        "hints.md": `${sound["hints.md"]}\n## c nothing is free\n\n1. Where?\n2. What?\n3. How?\n`
      })
      hasFault(faults, /^mutants, mutants: none of them fails task c/)
      hasFault(faults, /^stub, exercise\.ts: it scores: task c passes/)
    }), 60_000)

  it.live("lists the small mistakes that no test notices, and wants a reason for each", () =>
    Effect.gen(function*() {
      const loose = spec.replace(/it\("a: just below.*\n/, "")
      const files = { "exercise.spec.ts": loose, "mutants/more-than-fifty.ts": undefined }
      const name = "price: 50 becomes 60"
      const told = "An order of fifty pays no shipping. Seen: 55. Expected: 50."
      const faults = yield* faultsOf(
        { ...files, "exercise.spec.ts": loose.replace("price(50), 50", "price(70), 70") },
        {
          automatic: true
        }
      )
      hasFault(faults, /^automatic, survivors\.json: no test notices "price: 50 becomes 60"/)
      hasFault(faults, /^automatic, : \d of \d small mistakes go unnoticed/)
      const stale = yield* faultsOf({ "survivors.json": JSON.stringify({ [name]: "nobody orders for fifty" }) }, {
        automatic: true
      })
      assert.deepStrictEqual(stale, [
        `automatic, survivors.json: "${name}" does not survive; take it off the list (${told})`
      ])
      const report = yield* check(
        courseOf({
          "exercise.spec.ts": spec.replace("price(50), 50", "price(70), 70"),
          "mutants/more-than-fifty.ts": undefined,
          "survivors.json": JSON.stringify({
            [name]: "there are no orders of exactly fifty",
            "price: >= becomes > in sum >= 50": "there are no orders of exactly fifty"
          })
        }),
        { automatic: true }
      )
      assert.deepStrictEqual(report.automatic.survivors.map((one) => one.reason?.slice(0, 9)), [
        "there are",
        "there are"
      ])
    }), 60_000)

  it.live("stops what never ends, and goes on", () =>
    Effect.gen(function*() {
      const faults = yield* faultsOf({
        "mutants/never-free.ts":
          "// fails: b - waits for the price to change\nexport const price = () => {\n  for (;;);\n}\n"
      })
      assert.deepStrictEqual(faults, [])
    }), 60_000)

  it.live("notices a cheat that scores", () =>
    Effect.gen(function*() {
      const generous = spec.replace(
        /assert\.strictEqual\(price\(50\)[^]*?\n\}\)/,
        "if (price(50) < 0) throw new Error(\"No.\")\n})"
      )
      const lies = join(home, "lies")
      mkdirSync(lies, { recursive: true })
      writeFileSync(
        join(lies, "anything.ts"),
        "// outcome: failed\nconst any = (total: number) => total + 5\nexport const price = any\n"
      )
      const faults = yield* faultsOf({ "exercise.spec.ts": generous }, { cheats: lies })
      hasFault(faults, /^cheats, anything: this cheat scores 2/)
    }), 60_000)

  it.live("compares the messages with those that were reviewed", () =>
    Effect.gen(function*() {
      const course = courseOf({})
      const messages = (options?: Partial<Matrix.MatrixOptions>) =>
        Effect.map(check(course, { automatic: false, ...options }), (report) =>
          report.faults.filter(({ gate }) => gate === "messages").map(({ problem }) => problem))
      assert.match((yield* messages())[0] ?? "", /^nobody has reviewed/)
      assert.deepStrictEqual(yield* messages({ review: "write" }), [])
      assert.deepStrictEqual(yield* messages(), [])
      const file = join(course, "01-prices/01-free-from-fifty/exercise.spec.ts")
      writeFileSync(file, spec.replace("An order of fifty pays", "Fifty pays"))
      assert.match((yield* messages())[0] ?? "", /- An order of fifty pays[^]*\+ Fifty pays no shipping/)
    }), 60_000)

  it.live("fences messages that have fences of their own with longer ones", () =>
    Effect.gen(function*() {
      const course = courseOf({
        "exercise.spec.ts": spec.replace("An order of fifty pays", "The page says ````, and an order of fifty pays")
      })
      yield* check(course, { automatic: false, review: "write" })
      const page = readFileSync(join(course, "MESSAGES.md"), "utf8")
      assert.match(page, /\n`{5}text\nmore-than-fifty[^]*The page says `{4}, [^]*\n`{5}\n$/)
    }), 60_000)

  it.live("says why exercises with SQL cannot be run", () =>
    Effect.gen(function*() {
      const course = courseOf({ "meta.json": JSON.stringify({ ...meta, needsSql: true }) })
      const error = yield* Effect.flip(check(course, { automatic: false }))
      assert.strictEqual(
        error.message,
        "The exercises cannot be run: some of them need PostgreSQL, and there is none. "
          + "The course has no postgres.mjs that starts one."
      )
    }), 60_000)

  it.live("says which exercise was meant", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(check(courseOf({}), { ids: ["1.1"] }))
      assert.strictEqual(error.message, "There is no exercise 1.1. Did you mean 01.1?")
    }), 60_000)
})
