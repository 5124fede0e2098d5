import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Assignment, Catalogue, Gradebook } from "effect-lifecycle/workbook"
import { course } from "./grader.ts"

const statisticsOf = (message: string) =>
  Effect.gen(function*() {
    const catalogue = yield* Effect.orDie(Catalogue.load(course))
    const assignment = Assignment.whole(catalogue)
    const exercise = assignment.items[0]?.exercise ?? assert.fail("the course has no exercise")
    const wrong = [{ learners: ["ada"], failing: [], message, resembles: [] }]
    return Gradebook.statistics({
      assignment,
      reports: [],
      statistics: [{ exercise, answers: 1, passed: 0, mean: 0, tasks: [], wrong }],
      rubrics: [],
      conditions: [],
      unused: []
    }).split("\n").filter((line) => line.includes("(ada)"))
  })

describe("the statistics of a class", () => {
  it.effect("say of each wrong answer what was seen in one line, however the message is broken into lines", () =>
    Effect.gen(function*() {
      const text =
        "It is not valid TypeScript. Unexpected token\n1: export const a = 1\n2: export const = 2\n         ^"
      assert.deepStrictEqual(yield* statisticsOf(text), [
        "- 1 answer. \"It is not valid TypeScript. Unexpected token\" (ada)"
      ])
      const [raw = "", ...more] = yield* statisticsOf("one\r\n\u0007two\rthree\u2028four\u0085five\ffive")
      assert.deepStrictEqual(more, [])
      assert.strictEqual(raw, "- 1 answer. \"one \uFFFDtwo three four five five\" (ada)")
      assert.include((yield* statisticsOf("Seen: [\n  1,\n  2\n]"))[0], "Seen: &#91; 1, 2 &#93;")
    }))

  it.effect("cut a message that nobody would read to its end there", () =>
    Effect.gen(function*() {
      const [line = ""] = yield* statisticsOf("long ".repeat(200))
      assert.isAtMost(line.length, 330)
      assert.include(line, " …\" (ada)")
    }))
})
