import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Assignment, Catalogue } from "effect-lifecycle/workbook"
import { course } from "./grader.ts"

const parse = (file: unknown) =>
  Effect.flatMap(
    Effect.orDie(Catalogue.load(course)),
    (catalogue) => Assignment.parse(typeof file === "string" ? file : JSON.stringify(file), "week.json", catalogue)
  )

const faults = (file: unknown) =>
  Effect.map(Effect.flip(parse(file)), (error) => error.faults.map(({ field, problem }) => `${field}: ${problem}`))

describe("Assignment", () => {
  it.effect("says of an empty list that it is empty", () =>
    Effect.gen(function*() {
      const empty = "the list is empty: it needs at least one entry"
      assert.deepStrictEqual(yield* faults({ title: "A", exercises: [] }), [`exercises: ${empty}`])
      const row = { name: "Time", tasks: [] }
      assert.deepStrictEqual(
        yield* faults({ title: "A", exercises: ["02.2"], rubric: { "02.2": [row] } }),
        [`rubric.02.2.0.tasks: ${empty}`]
      )
    }))

  it.effect("takes ids and weights, and knows what they add up to", () =>
    Effect.gen(function*() {
      const assignment = yield* parse({
        title: "Week 3",
        due: "Friday",
        exercises: ["02.2", { id: "03.5", weight: 0.5 }]
      })
      assert.deepStrictEqual(assignment.items.map((one) => [one.exercise.manifest.id, one.weight]), [["02.2", 1], [
        "03.5",
        0.5
      ]])
      assert.strictEqual(Assignment.maximum(assignment), 4 + 8 / 2)
      assert.strictEqual(assignment.due, "Friday")
      assert.isFalse(assignment.hideSolutions)
    }))

  it.effect("names every fault at once, by its field", () =>
    Effect.gen(function*() {
      const found = yield* faults({
        title: "Week 3",
        exercises: ["02.2", "02.2", { id: "3.5", weight: 2 }],
        rubric: { "02.2": [{ name: "Time", tasks: ["b", "z"] }], "01.1": [{ name: "Reading" }] }
      })
      assert.deepStrictEqual(found, [
        "exercises.1: 02.2 is in the list twice",
        "exercises.2.id: there is no exercise 3.5; is 03.5 meant?",
        "rubric.02.2.0.tasks: exercise 02.2 has no task z",
        "rubric.01.1: the assignment does not have this exercise"
      ])
    }))

  it.effect("refuses a field that it does not know, an empty list, and a weight below zero", () =>
    Effect.gen(function*() {
      const unknown = yield* faults({ title: "A", exercises: ["02.2"], duo: "Friday" })
      assert.match(unknown.join("\n"), /^duo: /)
      const empty = yield* faults({ title: "A", exercises: [] })
      assert.match(empty.join("\n"), /^exercises/)
      const negative = yield* faults({ title: "A", exercises: [{ id: "02.2", weight: -1 }] })
      assert.match(negative.join("\n"), /exercises\.0/)
    }))

  it.effect("names the file that cannot be read, and the one that is not JSON", () =>
    Effect.gen(function*() {
      const catalogue = yield* Catalogue.load(course)
      const missing = yield* Effect.flip(Assignment.load("no/such/week.json", catalogue))
      assert.strictEqual(missing._tag, "AssignmentBroken")
      assert.match(missing.message, /no\/such\/week\.json: it cannot be read/)
      const broken = yield* Effect.flip(Assignment.parse("{ title", "week.json", catalogue))
      assert.match(broken.message, /week\.json: it is not JSON/)
    }))

  it.effect("is the core of the course when there is no file", () =>
    Effect.gen(function*() {
      const catalogue = yield* Catalogue.load(course)
      assert.strictEqual(Assignment.maximum(Assignment.whole(catalogue)), Catalogue.totals(catalogue).points)
    }))

  it.effect("gives an exercise of level 3 a row for each scored task, and one below none", () =>
    Effect.gen(function*() {
      const assignment = yield* parse({ title: "A", exercises: ["02.2", "03.5"] })
      const [low, high] = assignment.items.map(Assignment.rubricOf)
      assert.deepStrictEqual(low, [])
      assert.deepStrictEqual(high?.flatMap((row) => row.tasks ?? []), ["b", "c", "d", "e", "f", "g"])
    }))
})
