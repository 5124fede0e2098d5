/** Tries the cheats in each exercise, with the grader that learners meet. */
import { Effect, Option } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { Exercise } from "../Catalogue.ts"
import * as Grader from "../Grader.ts"
import type { Prepared } from "./batchProtocol.ts"
import type { Fault, Gate } from "./gates.ts"

/**
 * Checks each solution as a learner's file is checked, and then the cheats; both come back as faults where they fail.
 *
 * Cheats that work by what they export are tried in every exercise, those that reach for the grader in the first one of a
 * chapter, and those that never end in the first one of all.
 */
export const tryCheats = Effect.fnUntraced(function*(
  place: { readonly course: string; readonly scratch: string },
  exercises: ReadonlyArray<Exercise>,
  all: ReadonlyArray<Exercise>,
  prepared: ReadonlyArray<Prepared>,
  cheats: ReadonlyArray<string>
) {
  const firsts = new Set([...Map.groupBy(all, (one) => one.chapter).values()].map(([first]) => first))
  const endless = new Set(
    cheats.filter((file) => readFileSync(file, "utf8").startsWith("// outcome: timedOut")).map((file) =>
      basename(file, ".ts")
    )
  )
  const faults: Array<Fault> = []
  let ran = 0
  const grader = yield* Grader.make({ course: place.course, timeLimit: "5 seconds" })
  for (const exercise of exercises) {
    const { id } = exercise.manifest
    const fault = (gate: Gate, file: string, problem: string): void =>
      void faults.push({ exercise: id, gate, file, problem })
    if (Option.isSome(exercise.solution)) {
      const verdict = yield* grader.check({ exercise, file: exercise.solution.value, trusted: true, types: false })
      const task = verdict.tasks.find((one) => !one.passed)
      const why = verdict.problem ?? (task === undefined ? "" : `${task.id}: ${task.message ?? ""}`)
      if (!verdict.passed) {
        fault("solution", "solution.ts", `it does not pass where a learner's file is checked: ${why}`)
      }
    }
    for (
      const { answers, name, text } of prepared.find((one) => one.id === id)?.cheats.filter((one) => one.runs) ?? []
    ) {
      if (endless.has(name) ? exercise !== all[0] : !answers && !firsts.has(exercise)) continue
      ran++
      const file = join(place.scratch, "cheats", id, `${name}.ts`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
      const verdict = yield* grader.check({
        exercise,
        file,
        types: false,
        ...endless.has(name) && { timeLimit: "2 seconds" }
      })
      if (verdict.passed || verdict.points > 0) fault("cheats", name, `this cheat scores ${verdict.points}`)
      if (verdict.outcome === "couldNotFinish") fault("cheats", name, verdict.problem ?? "it could not be checked")
    }
  }
  return { faults, ran }
}, Effect.scoped)
