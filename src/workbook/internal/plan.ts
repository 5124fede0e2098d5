/** Which files of a course are run how often, and the verdict of each run. */
import { Option } from "effect"
import { existsSync } from "node:fs"
import type { Exercise } from "../Catalogue.ts"
import type { Verdict } from "../Verdict.ts"
import type { BatchAnswer, BatchSubject, Prepared } from "./batchProtocol.ts"
import { near } from "./gates.ts"
import { judge, stopped } from "./judge.ts"

/** What a file is run for. */
export type Role = "stub" | "right" | "mutant" | "automatic"

/** A file that is run, with what it is run for. */
export interface Planned extends BatchSubject {
  readonly exercise: Exercise
  readonly role: Role
  readonly name: string
}

const notChecked: Verdict["types"] = { status: "notChecked", errors: [], durationMillis: 0 }

/** The verdict of a run; without an answer it never came to an end. */
export const verdictOf = ({ exercise, file }: Planned, answer: BatchAnswer | undefined): Verdict => {
  const checked = { exercise, file, types: notChecked, durationMillis: 0 }
  return answer === undefined
    ? stopped(checked, "timedOut", "The check was stopped, because it did not come to an end.")
    : judge(checked, {
      _tag: "Answer",
      number: answer.number,
      refusals: [],
      broken: answer.broken === undefined ? undefined : { message: answer.broken, line: undefined },
      tests: answer.tests,
      outside: [],
      output: "",
      tampered: []
    })
}

/** Everything that is run, in its order. */
export const plan = (
  exercises: ReadonlyArray<Exercise>,
  prepared: ReadonlyArray<Prepared>,
  repeats: number
): Array<Planned> => {
  let number = 0
  const planned = exercises.flatMap((exercise) => {
    const { alternatives, mutants, solution, spec, stub } = exercise
    const one = (role: Role, file: string, rest?: Partial<Planned>): Planned => ({
      number: number++,
      exercise,
      role,
      name: near(exercise, file),
      file,
      spec,
      ...rest
    })
    const own = prepared.find((other) => other.id === exercise.manifest.id)
    return [
      ...(existsSync(stub) ? [one("stub", stub)] : []),
      ...[...Option.toArray(solution), ...alternatives].flatMap((file) =>
        Array.from({ length: repeats }, (_, seed) => one("right", file, seed === 0 ? {} : { seed }))
      ),
      ...mutants.map((file) => one("mutant", file)),
      // A test with a small change is another test, and may be as good: there the wrong answers are the subject.
      ...(exercise.manifest.kind === "write-the-test" ? [] : Option.toArray(solution)).flatMap((file) =>
        own?.mutations.map(({ name, text }) => one("automatic", file, { name, text, quick: true })) ?? []
      )
    ]
  })
  // What is right comes first: a wrong answer may leave something running in the process that it shares.
  const order: ReadonlyArray<Role> = ["right", "stub", "mutant", "automatic"]
  return planned.sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role) || a.number - b.number)
}
