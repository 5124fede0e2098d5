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

/** Runs that share a process. */
export interface Chunk {
  readonly subjects: ReadonlyArray<Planned>
  /** How long a test may take that does not say so itself. */
  readonly testMillis: number
  /** Whether they need PostgreSQL. */
  readonly sql: boolean
}

const needsSql = ({ exercise: { manifest } }: Planned): boolean =>
  manifest.needsSql !== undefined && manifest.needsSql !== false

const isRight = ({ role }: Planned): boolean => role === "right"

/** A right answer has time enough for a busy machine; a wrong one may wait for ever, so it is not waited for as long. */
const testMillisOf = (right: boolean): number => right ? 8000 : 2000

/**
 * The runs, in parts for a process each. Those with SQL wait more than they work, so they are apart from the others, and
 * dealt out: each part gets as many of the slow ones.
 */
export const chunks = (
  planned: ReadonlyArray<Planned>,
  { size, sql }: { readonly size: number; readonly sql: number }
): Array<Chunk> => {
  const [plain, waiting] = [planned.filter((one) => !needsSql(one)), planned.filter(needsSql)]
  const inOrder = [true, false].flatMap((right) => {
    const some = plain.filter((one) => isRight(one) === right)
    return Array.from({ length: Math.ceil(some.length / size) }, (_, part) => ({
      subjects: some.slice(part * size, (part + 1) * size),
      testMillis: testMillisOf(right),
      sql: false
    }))
  })
  const dealt = Array.from({ length: sql }, (_, part) => ({
    subjects: waiting.filter((_, at) => at % sql === part),
    testMillis: testMillisOf(true),
    sql: true
  }))
  return [...dealt, ...inOrder].filter(({ subjects }) => subjects.length > 0)
}
