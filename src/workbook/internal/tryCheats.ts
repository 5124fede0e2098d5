/** Tries the cheats in each exercise, with the grader that learners meet. */
import { Effect, Option } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { Exercise } from "../Catalogue.ts"
import * as Grader from "../Grader.ts"
import type { Prepared } from "./batchProtocol.ts"
import type { Fault, Gate } from "./gates.ts"

/** What is tried where. */
export interface Trial {
  readonly exercises: ReadonlyArray<Exercise>
  readonly prepared: ReadonlyArray<Prepared>
  readonly cheats: ReadonlyArray<string>
  /** How many graders there are. */
  readonly processes: number
}

interface Tried {
  readonly faults: ReadonlyArray<Fault>
  /** How many cheats got past the rules about their text. */
  readonly ran: number
}

const needsSql = ({ manifest }: Exercise): boolean => manifest.needsSql !== undefined && manifest.needsSql !== false

/**
 * Checks each solution as a learner's file is checked, and then the cheats; both come back as faults where they fail.
 *
 * Cheats that work by what they export are tried in every exercise, those that reach for the grader in the first one of
 * each kind, with and without SQL, and those that never end in the first one of all. A cheat gets three times as long as
 * the solution took.
 */
export const tryCheats = Effect.fnUntraced(function*(
  place: { readonly course: string; readonly scratch: string },
  { cheats, exercises, prepared, processes }: Trial
): Effect.fn.Return<ReadonlyArray<Tried>> {
  const sort = (one: Exercise): string => `${one.manifest.kind}${needsSql(one) ? " with SQL" : ""}`
  const firsts = new Set([...Map.groupBy(exercises, sort).values()].map(([first]) => first))
  const endless = new Set(
    cheats.filter((file) => readFileSync(file, "utf8").startsWith("// outcome: timedOut")).map((file) =>
      basename(file, ".ts")
    )
  )

  const tryIn = Effect.fnUntraced(function*(grader: Grader.Grader["Service"], exercise: Exercise) {
    const { id } = exercise.manifest
    const faults: Array<Fault> = []
    const fault = (gate: Gate, file: string, problem: string): void =>
      void faults.push({ exercise: id, gate, file, problem })
    let patience = 1000
    if (Option.isSome(exercise.solution)) {
      // Whether it passes every time is asked elsewhere; here a machine that is busy gets a second try.
      const asked = grader.check({
        exercise,
        file: exercise.solution.value,
        trusted: true,
        types: false,
        timeLimit: "30 seconds"
      })
      const verdict = yield* Effect.flatMap(asked, (first) => first.passed ? Effect.succeed(first) : asked)
      const task = verdict.tasks.find((one) => !one.passed)
      const why = verdict.problem ?? (task === undefined ? "" : `${task.id}: ${task.message ?? ""}`)
      if (!verdict.passed) {
        fault("solution", "solution.ts", `it does not pass where a learner's file is checked: ${why}`)
      }
      patience = Math.min(Math.max(patience, 3 * verdict.durationMillis), 15_000)
    }
    const chosen = prepared.filter((one) => one.id === id).flatMap((one) => one.cheats).filter((one) =>
      one.runs && (endless.has(one.name) ? exercise === exercises[0] : one.answers || firsts.has(exercise))
    )
    for (const { name, text } of chosen) {
      const file = join(place.scratch, "cheats", id, `${name}.ts`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
      const verdict = yield* grader.check({ exercise, file, types: false, timeLimit: patience })
      if (verdict.passed || verdict.points > 0) fault("cheats", name, `this cheat scores ${verdict.points}`)
      if (verdict.outcome === "couldNotFinish") fault("cheats", name, verdict.problem ?? "it could not be checked")
    }
    return { faults, ran: chosen.length }
  })

  // Those with SQL are for one grader, because each grader starts a PostgreSQL of its own.
  const [others, withSql] = [exercises.filter((one) => !needsSql(one)), exercises.filter(needsSql)]
  const work = Effect.fnUntraced(function*(index: number) {
    const grader = yield* Grader.make({ course: place.course, timeLimit: "5 seconds" })
    yield* Effect.ignore(grader.ready)
    const tried: Array<Tried> = []
    for (;;) {
      const next = (index === 0 ? withSql.shift() : undefined) ?? others.shift()
      if (next === undefined) return tried
      tried.push(yield* tryIn(grader, next))
    }
  }, Effect.scoped)
  return (yield* Effect.forEach(Array.from({ length: processes }, (_, index) => index), work, {
    concurrency: "unbounded"
  })).flat()
})
