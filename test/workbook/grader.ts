/** What the tests of the grader share: the course, and one grader for a whole file. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Catalogue, Grader, type Verdict } from "effect-lifecycle/workbook"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const course = join(root, "exercises")

/** A grader in a process of its own. */
export const layer = Grader.Grader.layer({ course, timeLimit: "4 seconds" })

/** The exercise that most tests use. */
export const budget: Effect.Effect<Catalogue.Exercise> = Effect.map(
  Effect.orDie(Catalogue.load(course)),
  (catalogue) => {
    const exercise = Catalogue.find(catalogue, "02.2")
    return exercise ?? assert.fail("the course has no exercise 02.2")
  }
)

/** Checks a file as the answer to 02.2. */
export const check = (
  file: string,
  options?: Partial<Grader.Subject>
): Effect.Effect<Verdict.Verdict, never, Grader.Grader> =>
  Effect.gen(function*() {
    const exercise = yield* budget
    const grader = yield* Grader.Grader
    return yield* grader.check({ exercise, file, types: false, ...options })
  })
