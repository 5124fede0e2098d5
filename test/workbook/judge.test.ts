import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Catalogue, Report, Verdict } from "effect-lifecycle/workbook"
import { judge } from "../../src/workbook/internal/judge.ts"
import type { Answer, Ran } from "../../src/workbook/internal/protocol.ts"
import { budget } from "./grader.ts"

const passed = (name: string): Ran => ({ name, passed: true, message: undefined, line: undefined })

const answer = (tests: ReadonlyArray<Ran>, rest?: Partial<Answer>): Answer => ({
  _tag: "Answer",
  number: 1,
  refusals: [],
  broken: undefined,
  tests,
  outside: [],
  output: "",
  tampered: [],
  ...rest
})

const all = ["a", "b", "c", "d", "e"].map((id) => passed(`${id}: something > works`))
const judged = (
  exercise: Catalogue.Exercise,
  given: Answer,
  open?: { readonly tasks: ReadonlyArray<string>; readonly reason: string }
): Verdict.Verdict =>
  judge({
    exercise,
    open,
    file: "exercise.ts",
    types: { status: "passed", errors: [], durationMillis: 1 },
    durationMillis: 1
  }, given)

describe("judge", () => {
  it.effect("gives the points of the manifest", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer(all))
      assert.strictEqual(verdict.outcome, "passed")
      assert.strictEqual(verdict.points, 4)
    }))

  it.effect("withholds all points where a guard fails: nobody who broke what was right has them all", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer(all.slice(1)))
      assert.deepStrictEqual([verdict.outcome, verdict.points], ["failed", 0])
      assert.deepStrictEqual(verdict.tasks.map((task) => task.passed), [false, true, true, true, true])
    }))

  it.effect("withholds all points where something fails outside of the tests, and says so", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer(all, { outside: ["later", "later"] }))
      assert.deepStrictEqual([verdict.outcome, verdict.passed, verdict.points], ["failed", false, 0])
      assert.strictEqual(
        verdict.problem,
        "Something failed that nobody was waiting for. Seen: \"later\".\n"
          + "The tests give 4 points; they count once nothing fails outside of the tests."
      )
      const nothing = judged(exercise, answer([], { outside: ["later"] }))
      assert.notInclude(nothing.problem, "they count", "what gives no points withholds none")
      const more = judge({
        exercise,
        file: "exercise.ts",
        types: { status: "failed", errors: [], durationMillis: 1 },
        durationMillis: 1
      }, answer(all.slice(1), { outside: ["later"] }))
      assert.match(
        more.problem ?? "",
        /they count once the types hold, nothing fails outside of the tests and a passes\.$/
      )
    }))

  it.effect("gives the same points in every report where something fails outside of the tests", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer(all, { outside: ["later"] }))
      const report = Report.make({ course: { name: "course", version: "1" }, entries: [{ exercise, verdict }] })
      assert.deepInclude(report.totals, { points: 0, passed: 0, max: 4 })
      assert.deepStrictEqual(
        [...new Set(report.exercises[0]?.tasks.map(({ points, status }) => `${status} ${points}`))],
        ["passed 0", "withheld 0"]
      )
      const parsed = (kind: Report.Kind) => JSON.parse(Report.render(kind, report)) as Record<string, unknown>
      assert.strictEqual(parsed("gradescope")["score"], 0)
      assert.include(parsed("gradescope")["output"], "they count once nothing fails outside of the tests")
      assert.strictEqual(parsed("exercism")["status"], "fail")
      assert.match(Report.render("csv", report), /,failed,0,4,1,passed,/)
      assert.include(
        Report.render("junit", report),
        "name=\"points\" value=\"0\"/><property name=\"max\" value=\"4\"/>"
      )
      assert.include(Report.render("junit", report), "they count once nothing fails outside of the tests")
      assert.include(Report.render("github", report), "not passed | 0 of 4 |")
    }))

  it.effect("calls a file crashed that ended the process around it", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer([], { ended: "it was ended by SIGABRT", outside: ["[vitest-pool]"] }))
      assert.strictEqual(verdict.outcome, "crashed")
      assert.strictEqual(
        verdict.problem,
        "Your file took down the process that ran it (it was ended by SIGABRT). Does it end the program, or fill the memory?"
      )
    }))

  it.effect("says that a file throws, where it threw itself", () =>
    Effect.map(budget, (exercise) => {
      const said = (message: string, thrown: boolean) =>
        judged(exercise, answer([], { broken: { message, line: 3, thrown } })).problem
      assert.strictEqual(said("at import", true), "Your file cannot be loaded. It throws: at import")
      assert.strictEqual(
        said("TypeError: x is not iterable", true),
        "Your file cannot be loaded. It throws: TypeError: x is not iterable."
      )
      assert.match(
        said("TypeError: Cannot assign to read only property 'map' of object", true) ?? "",
        /loaded\. It changes `map`/
      )
      assert.strictEqual(said("Cannot find it", false), "Your file cannot be loaded. Cannot find it")
    }))

  it.effect("leaves open what could not be run, and grades the rest", () =>
    Effect.map(budget, (exercise) => {
      const open = { tasks: ["b", "c"], reason: "There is no server." }
      const rest = all.filter(({ name }) => !open.tasks.includes(name[0] ?? ""))
      const verdict = judged(exercise, answer(rest), open)
      assert.strictEqual(verdict.outcome, "open")
      assert.isFalse(verdict.passed)
      const points = exercise.manifest.tasks.filter(({ id }) => open.tasks.includes(id))
        .reduce((sum, task) => sum + task.points, 0)
      assert.isAbove(points, 0)
      assert.strictEqual(Verdict.openPoints(verdict), points)
      assert.strictEqual(verdict.points, 4 - points)
      assert.match(verdict.problem ?? "", /^Tasks b and c need PostgreSQL, and there is none\. There is no server\. /)
      const failed = judged(exercise, answer(rest.slice(1)), open)
      assert.strictEqual(failed.outcome, "failed", "what can be run has to pass")
      assert.strictEqual(Verdict.openPoints(failed), points)
      const unloaded = judged(exercise, answer([], { broken: { message: "no", line: 1 } }), open)
      assert.strictEqual(Verdict.openPoints(unloaded), 0, "nothing is open for a file that cannot be loaded")
    }))

  it.effect("counts a task that did not run as failed", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer(all.slice(0, 4)))
      assert.isFalse(verdict.passed)
      assert.strictEqual(verdict.points, 3)
      assert.strictEqual(verdict.tasks[4]?.message, "This task did not run.")
    }))

  it.effect("ignores tests that belong to no task, and names them", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer([...all, passed("f: more points")]))
      assert.strictEqual(verdict.points, 4)
      assert.deepStrictEqual(verdict.ignored, ["f: more points"])
    }))

  it.effect("fails a task with the message of its first failing test", () =>
    Effect.map(budget, (exercise) => {
      const failed = {
        ...passed("b: something > second"),
        passed: false,
        message: "It is late.: expected 7 to equal 5",
        line: 3
      }
      const verdict = judged(exercise, answer([...all, failed]))
      assert.deepStrictEqual(verdict.tasks[1], {
        ...exercise.manifest.tasks[1] ?? assert.fail("there is no second task"),
        passed: false,
        message: "It is late. Seen: 7. Expected: 5.",
        line: 3
      })
    }))

  it.effect("gives nothing for results that were changed", () =>
    Effect.map(budget, (exercise) => {
      const verdict = judged(exercise, answer(all, { tampered: ["the test that must fail passed"] }))
      assert.strictEqual(verdict.outcome, "cheated")
      assert.strictEqual(verdict.points, 0)
      assert.isTrue(verdict.tampered)
    }))
})

describe("Verdict.sentence", () => {
  it("leaves out stack lines and colours", () => {
    assert.strictEqual(Verdict.sentence("\u001b[31mIt failed.\u001b[39m\n    at file.ts:1:1"), "It failed.")
  })
  it("says something where an error has no message", () => {
    assert.strictEqual(Verdict.sentence(""), "It failed with an error that has no message.")
  })
  it("says of a comparison what was seen and what was expected", () => {
    const said = (rest: string) => Verdict.sentence(`It must be so.: ${rest}`)
    assert.strictEqual(
      said("expected [ +0, 100 ] to deeply equal []"),
      "It must be so. Seen: [ 0, 100 ]. Expected: []."
    )
    assert.strictEqual(said("expected 'a' to equal 'b'."), "It must be so. Seen: 'a'. Expected: 'b'.")
    assert.strictEqual(said("expected 30 to be at most 1.1"), "It must be so. Seen: 30. Expected: at most 1.1.")
    assert.strictEqual(said("expected false to be true"), "It must be so. Seen: false. Expected: true.")
    assert.strictEqual(said("expected 'x+0' to equal ''"), "It must be so. Seen: 'x+0'. Expected: ''.")
    assert.strictEqual(said("expected [] to include 1"), "It must be so. Seen: expected [] to include 1.")
  })
  it("explains a timeout", () => {
    assert.match(
      Verdict.sentence("Test timed out in 2000ms.\nIf this is…"),
      /^This was still running after 2 s of real time\./
    )
  })
})
