import { assert, describe, it, layer as withLayer } from "@effect/vitest"
import { Effect } from "effect"
import { Assignment, Catalogue, Gradebook, Grader, Locks, Report } from "effect-lifecycle/workbook"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { course, layer } from "./grader.ts"

const about = { name: "effect-lifecycle", version: "0.1.0" }
const budget = join(course, "02-deadlines/02-one-budget")
const told = join(course, "03-retries/05-do-as-you-are-told")

const put = (folder: string, path: string, text: string): void => {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

const read = (...path: ReadonlyArray<string>): string => readFileSync(join(...path), "utf8")

/** Five students: all right, one mistake in a workspace, the same mistake in a flat file, nothing done, and a cheat. */
const handedIn = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "submissions-"))
  const mistake = read(budget, "mutants/outer-only.ts")
  cpSync(join(budget, "solution.ts"), join(folder, "ada/02.2.ts"))
  cpSync(join(told, "solution.ts"), join(folder, "ada/03.5.ts"))
  put(folder, "ben/02-deadlines/02-one-budget/exercise.ts", mistake)
  put(folder, "cho/02.2.ts", `${mistake}// my own\n`)
  put(folder, "dee/02.2.ts", read(budget, "exercise.ts"))
  symlinkSync(join(told, "solution.ts"), join(folder, "dee/03.5.ts"))
  put(folder, "<eve>/02.2.ts", "import { readFileSync } from \"node:fs\"\nexport const x = readFileSync\n")
  return folder
}

const folder = handedIn()

const week = Effect.gen(function*() {
  const catalogue = yield* Catalogue.load(course)
  const assignment = yield* Assignment.parse(
    JSON.stringify({
      title: "Week 3",
      exercises: ["02.2", { id: "03.5", weight: 2 }],
      rubric: {
        "03.5": [{ name: "Obedience", tasks: ["b", "c"] }, { name: "Clarity", description: "Can it be read?" }]
      }
    }),
    "week.json",
    catalogue
  )
  return { catalogue, assignment }
}).pipe(Effect.orDie)

describe("Gradebook.submissions", () => {
  it.effect("takes a folder of folders, one folder, and an archive's extra folder", () =>
    Effect.gen(function*() {
      const { assignment } = yield* week
      const all = yield* Gradebook.submissions([folder], assignment)
      assert.deepStrictEqual(all.map((one) => one.learner), ["<eve>", "ada", "ben", "cho", "dee"])
      const one = yield* Gradebook.submissions([join(folder, "ada")], assignment)
      assert.deepStrictEqual(one, [{ learner: "ada", folder: join(folder, "ada") }])

      const wrapped = mkdtempSync(join(tmpdir(), "wrapped-"))
      put(wrapped, "ada/homework/02.2.ts", "")
      const inner = yield* Gradebook.submissions([wrapped], assignment)
      assert.deepStrictEqual(inner, [{ learner: "ada", folder: join(wrapped, "ada/homework") }])
      rmSync(wrapped, { recursive: true })
    }))

  it.effect("names the folder that is not there, and the one with nothing in it", () =>
    Effect.gen(function*() {
      const { assignment } = yield* week
      const gone = yield* Effect.flip(Gradebook.submissions([join(folder, "nobody")], assignment))
      assert.match(gone.message, /nobody: there is no such folder/)
      const empty = mkdtempSync(join(tmpdir(), "empty-"))
      const nothing = yield* Effect.flip(Gradebook.submissions([empty], assignment))
      assert.include(nothing.message, "neither an answer")
      rmSync(empty, { recursive: true })
    }))

  it.effect("keeps two students of one name apart", () =>
    Effect.gen(function*() {
      const { assignment } = yield* week
      const twice = yield* Gradebook.submissions([join(folder, "ada"), join(folder, "ada")], assignment)
      assert.strictEqual(new Set(twice.map((one) => one.learner)).size, 2)
    }))
})

withLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Gradebook", (it) => {
  it.effect("grades five submissions of two exercises", () =>
    Effect.gen(function*() {
      const { assignment, catalogue } = yield* week
      const grader = yield* Grader.Grader
      let checks = 0
      const counting: Grader.Grader["Service"] = {
        ...grader,
        check: (subject) =>
          Effect.suspend(() => grader.check({ ...subject, types: subject.types === true && checks++ < 1 }))
      }
      const gradebook = yield* Gradebook.grade({
        catalogue,
        assignment,
        submissions: yield* Effect.orDie(Gradebook.submissions([folder], assignment)),
        graders: [counting],
        course: about,
        conditions: ["The network was open."]
      })

      const [eve, ada, ben, cho, dee] = gradebook.reports
      assert.deepStrictEqual([eve, ada, ben, cho, dee].map((one) => one?.totals.points), [0, 4 + 2 * 8, 3, 3, 0])
      assert.strictEqual(ada?.totals.max, 20)
      // A link out of the submission is no file, and the stub is no answer.
      assert.strictEqual(dee?.exercises[1]?.status, "missing")
      assert.isTrue(dee?.exercises[0]?.untouched)
      assert.strictEqual(ben?.exercises[0]?.file, "02-deadlines/02-one-budget/exercise.ts")
      assert.strictEqual(ben?.exercises[0]?.gradedBy, "instructor")

      const [first] = gradebook.statistics
      assert.strictEqual(first?.answers, 4)
      assert.strictEqual(first?.passed, 1)
      assert.deepStrictEqual(first?.tasks.map((task) => task.passed), [3, 3, 3, 1, 3])
      const [common, refused] = first?.wrong ?? []
      assert.deepStrictEqual(common?.learners, ["ben", "cho"])
      assert.deepStrictEqual(common?.failing, ["d"])
      assert.strictEqual(common?.resembles[0]?.name, "outer-only")
      assert.isTrue(common?.resembles[0]?.sameMessages)
      assert.deepStrictEqual(refused?.resembles, [])
      assert.include(refused?.message, "node:fs")

      const rubric = gradebook.rubrics.filter((one) => one.learner === "ada").flatMap((one) => one.marks)
      assert.deepStrictEqual(rubric.map((one) => one.mark), [4, undefined])

      const rows = Gradebook.csv(gradebook).split("\r\n")
      assert.strictEqual(rows[0], "learner,02.2,03.5,points,max,passed,notice,page")
      assert.include(rows, "ada,4,8,20,20,2,,ada")
      assert.include(rows, "ben,3,,3,20,0,,ben")
      assert.include(Gradebook.statistics(gradebook), "2 answers failing d. Fails like outer-only (keeps the deadline")

      const page = Gradebook.page(gradebook, "<eve>", "html") ?? ""
      assert.include(page, "<h1>&#60;eve&#62;</h1>")
      assert.notInclude(page, "<eve>")
      const markdown = Gradebook.page(gradebook, "ada", "markdown") ?? ""
      assert.include(markdown, "| Clarity | ____ of 4")
      assert.include(markdown, "The network was open.")
      // A file that is not there has one line, and no table of what did not run.
      const short = Gradebook.page(gradebook, "dee", "markdown") ?? ""
      assert.include(
        short,
        "## Not handed in\n\n- 03.5 Do as you are told: 0 of 8 points, counted 2 times. 03.5.ts was not used: it is a link, and links are not followed.\n"
      )
      assert.notInclude(short, "## 03.5")
      assert.include(
        Gradebook.page(gradebook, "dee", "html"),
        "<li>03.5 Do as you are told: 0 of 8 points, counted 2 times. 03.5.ts was not used: it is a link"
      )
      assert.include(rows, `dee,0,,0,20,0,"03.5: 03.5.ts was not used: it is a link, and links are not followed",dee`)
      assert.include(rows, "<eve>,0,,0,20,0,,_eve_")
      assert.strictEqual(eve?.page, "_eve_")
      assert.isUndefined(ada?.page)
      assert.isUndefined(Gradebook.page(gradebook, "nobody", "html"))
      assert.include(Report.render("junit", gradebook.reports), "name=\"&lt;eve&gt; 02.2 One budget, three calls\"")
    }))

  it.effect("leaves open what could not be run: no wrong answer, no mark, and a notice", () =>
    Effect.gen(function*() {
      const { assignment, catalogue } = yield* week
      const open: Grader.Grader["Service"] = {
        ready: Effect.void,
        rest: Effect.void,
        check: ({ exercise: { manifest }, file }) =>
          Effect.succeed({
            id: manifest.id,
            file,
            outcome: "open",
            passed: false,
            points: 1,
            maximum: Catalogue.maximum(manifest),
            tasks: manifest.tasks.map((task) =>
              task.id === "b"
                ? { ...task, passed: false, open: true, message: "This task is open." }
                : { ...task, passed: true }
            ),
            types: { status: "passed", errors: [], durationMillis: 1 },
            problem: "Task b needs PostgreSQL, and there is none.",
            output: "",
            tampered: false,
            ignored: [],
            durationMillis: 1
          })
      }
      const gradebook = yield* Gradebook.grade({
        catalogue,
        assignment,
        submissions: yield* Effect.orDie(Gradebook.submissions([join(folder, "ada")], assignment)),
        graders: [open],
        course: about
      })
      const worth = assignment.items.map(({ exercise }) =>
        exercise.manifest.tasks.find((task) => task.id === "b")?.points ?? 0
      )
      assert.deepStrictEqual(gradebook.reports[0]?.exercises.map((one) => one.open), worth)
      for (const { tasks, wrong } of gradebook.statistics) {
        assert.deepStrictEqual(wrong, [])
        assert.deepInclude(tasks.find((task) => task.id === "b"), { passed: 0, failed: 0, open: 1 })
      }
      assert.isUndefined(gradebook.rubrics[0]?.marks[0]?.mark, "a row with an open task is for a person")
      assert.include(Gradebook.csv(gradebook), "02.2 has 1 open point: grade it where PostgreSQL is")
      const page = Gradebook.page(gradebook, "ada", "markdown") ?? ""
      assert.include(page, ": open: it needs PostgreSQL")
      assert.match(page, /\| b: [^|]+\| open \| 0 of 1 \|/)
    }))

  it.effect("checks a file once, whoever handed it in", () =>
    Effect.gen(function*() {
      const { assignment, catalogue } = yield* week
      const grader = yield* Grader.Grader
      const files: Array<string> = []
      const submissions = ["one", "two", "three"].map((learner) => ({ learner, folder: join(folder, "dee") }))
      const gradebook = yield* Gradebook.grade({
        catalogue,
        assignment,
        submissions,
        graders: [{
          ...grader,
          check: (subject) => {
            files.push(subject.file)
            return grader.check({ ...subject, types: false })
          }
        }],
        course: about
      })
      assert.strictEqual(files.length, 1)
      assert.deepStrictEqual(gradebook.reports.map((one) => one.exercises[0]?.status), ["failed", "failed", "failed"])
    }))

  it.effect("checks an answer again that ran into a limit on a busy machine", () =>
    Effect.gen(function*() {
      const { assignment, catalogue } = yield* week
      const grader = yield* Grader.Grader
      const limits: Array<unknown> = []
      const gradebook = yield* Gradebook.grade({
        catalogue,
        assignment,
        submissions: [{ learner: "ada", folder: join(folder, "ada") }],
        graders: [{
          ...grader,
          check: (subject) => {
            limits.push(subject.timeLimit)
            const timeLimit = limits.length === 1 ? "1 millis" : subject.timeLimit
            return grader.check({ ...subject, types: false, timeLimit })
          }
        }],
        course: about
      })
      assert.deepStrictEqual(limits, [undefined, undefined, "20 seconds"])
      assert.strictEqual(gradebook.reports[0]?.totals.points, 20)
    }))

  it.effect("finds out what a file can do in the grader, instead of believing its options", () =>
    Effect.gen(function*() {
      const { assignment } = yield* week
      const grader = yield* Grader.Grader
      const exercise = assignment.items[0]?.exercise ?? assert.fail("there is no exercise")
      const locks = yield* Locks.measure(grader, exercise, { seconds: 4, megabytes: 1024 })
      // The grader of these tests has no locks.
      assert.isTrue(locks.writes)
      assert.isTrue(locks.reads)
      assert.isTrue(locks.processes)
      assert.strictEqual(locks.network, Locks.seesNetwork())
      assert.include(Locks.sentences(locks).join("\n"), "could have written to the disk")
      rmSync(folder, { recursive: true })
    }))
})
