import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Catalogue, Verdict } from "effect-lifecycle/workbook"
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
