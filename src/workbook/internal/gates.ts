/** What has to hold for an exercise, as functions from what was found to the faults. Pure, but for reading its files. */
import { Option } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { basename, join, relative, sep } from "node:path"
import type { Catalogue, Exercise } from "../Catalogue.ts"
import { maximum } from "../Catalogue.ts"
import type { Verdict } from "../Verdict.ts"
import type { Prepared } from "./batchProtocol.ts"

/** What a fault belongs to. */
export type Gate =
  | "files"
  | "concepts"
  | "types"
  | "stub"
  | "solution"
  | "alternatives"
  | "mutants"
  | "automatic"
  | "cheats"
  | "messages"

/** One thing that does not hold. */
export interface Fault {
  /** The id of the exercise; empty for the course as a whole. */
  readonly exercise: string
  readonly gate: Gate
  /** The file, from the folder of the exercise. */
  readonly file: string
  readonly problem: string
}

/** A file of the exercise, from its folder, with forward slashes. */
export const near = (exercise: Exercise, file: string): string => relative(exercise.folder, file).split(sep).join("/")

const faultOf = (exercise: Exercise, gate: Gate, file: string, problem: string): Fault => ({
  exercise: exercise.manifest.id,
  gate,
  file: near(exercise, file),
  problem
})

const read = (file: string): string => existsSync(file) ? readFileSync(file, "utf8") : ""

/** What a file exports, without comments, blank lines, spaces, and what only runs where the file is the program. */
const bare = (text: string): string =>
  text.replace(/^if \(import\.meta\.main\)[^]*$/m, "").replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "")
    .replaceAll(/\s+/g, "")

/** The task that a wrong answer names in its first line. */
export const named = (file: string): string | undefined => /^\/\/ fails: (\w+) - \S/.exec(read(file))?.[1]

/** What is missing in the folder. */
export const filesGate = (exercise: Exercise): Array<Fault> => {
  const { alternatives, folder, hints, manifest, mutants, solution, stub } = exercise
  const faults: Array<Fault> = []
  const fault = (file: string, problem: string): void =>
    void faults.push(faultOf(exercise, "files", join(folder, file), problem))
  const scoring = manifest.tasks.filter((task) => task.points > 0)
  if (scoring.length === 0) fault("meta.json", "no task has points")
  if (Option.isNone(solution)) fault("solution.ts", "it is not there")
  else if (bare(read(solution.value)) === bare(read(stub))) fault("solution.ts", "it says what the stub says")
  if (manifest.level > 1 && alternatives.length === 0) {
    fault("alternatives", "there is none: write a right answer in another style")
  }
  if (mutants.length === 0) fault("mutants", "there is none: write the wrong answers that learners give")
  const text = Option.isNone(hints) ? "" : read(hints.value)
  if (text === "") fault("hints.md", "it is not there")
  else {
    for (const { id } of scoring) {
      const section = new RegExp(`^## ${id} [^]*?(?=^## |$(?![^]))`, "m").exec(text)?.[0] ?? ""
      if (section.match(/^\d\. /gm)?.length !== 3) fault("hints.md", `it needs three hints for task ${id}`)
    }
  }
  for (const file of mutants) {
    const task = named(file)
    const problem = task === undefined
      ? "its first line has to be `// fails: TASK - why somebody writes this`"
      : manifest.tasks.some((one) => one.id === task)
      ? undefined
      : `it names task ${task}, which there is not`
    if (problem !== undefined) faults.push(faultOf(exercise, "mutants", file, problem))
  }
  return faults
}

/** Where concepts are taught that no exercise teaches: the folder of a lesson, and after `#` a word that it has to use. */
export type Lessons = Readonly<Record<string, string>>

/** One new concept each, and every needed one taught before. */
export const conceptsGate = (
  catalogue: Catalogue,
  exercises: ReadonlyArray<Exercise>,
  lessons: Lessons
): Array<Fault> => {
  const faults: Array<Fault> = []
  for (const exercise of exercises) {
    const { manifest } = exercise
    const fault = (problem: string): void =>
      void faults.push(faultOf(exercise, "concepts", join(exercise.folder, "meta.json"), problem))
    if (manifest.teaches.length !== 1) {
      fault(`it teaches ${manifest.teaches.length} concepts; an exercise teaches one new one`)
    }
    const earlier = catalogue.exercises.slice(0, catalogue.exercises.indexOf(exercise))
    const teacherOf = (concept: string): Exercise | undefined =>
      earlier.find((one) => one.manifest.teaches.includes(concept))
    for (const concept of manifest.teaches) {
      const twice = teacherOf(concept)
      if (twice !== undefined) fault(`it teaches ${concept}, which ${twice.manifest.id} has taught already`)
    }
    for (const concept of manifest.needs) {
      if (teacherOf(concept) !== undefined) continue
      const late = catalogue.exercises.find((one) => one.manifest.teaches.includes(concept))
      const [lesson, word = concept] = (Object.hasOwn(lessons, concept) ? lessons[concept] : undefined)?.split("#") ??
        []
      if (lesson === undefined) {
        fault(
          late === undefined
            ? `it needs ${concept}, which no earlier exercise teaches and concepts.json gives to no lesson`
            : `it needs ${concept}, which is taught later, in ${late.manifest.id}`
        )
      } else if (basename(lesson).slice(0, 2) > exercise.chapter.slice(0, 2)) {
        fault(`it needs ${concept}, which is taught later, in ${lesson}`)
      } else if (!read(join(catalogue.folder, "..", lesson, "lesson.md")).includes(word)) {
        fault(`it needs ${concept}, but ${lesson} does not speak of "${word}"`)
      }
    }
  }
  return faults
}

/** What the compiler finds. */
export const typesGate = (
  exercise: Exercise,
  errors: ReadonlyMap<string, Verdict["types"]["errors"]>
): Array<Fault> => {
  const { alternatives, manifest, mutants, solution, spec, stub } = exercise
  const files = [stub, spec, ...Option.toArray(solution), ...alternatives, ...mutants]
  const faults = files.filter((file) => file !== stub || manifest.stub === undefined).flatMap((file) =>
    (errors.get(file) ?? []).slice(0, 1).map(({ code, line, message }) =>
      faultOf(exercise, "types", file, `line ${line}: ${code} ${message}`)
    )
  )
  return manifest.stub !== undefined && !errors.has(stub)
    ? [...faults, faultOf(exercise, "types", stub, "meta.json says that it does not compile, but it does")]
    : faults
}

/** What a learner could not hand in. */
export const refusalsGate = (exercise: Exercise, { problem, refusals }: Prepared): Array<Fault> => [
  ...(problem === undefined ? [] : [faultOf(exercise, "solution", exercise.folder, problem)]),
  ...refusals.map(({ file, sentence }) =>
    faultOf(
      exercise,
      file === "exercise.ts" ? "stub" : "solution",
      join(exercise.folder, file),
      `a learner could not hand it in: ${sentence}`
    )
  )
]

/** A stub fails, and scores nothing. */
export const stubGate = (exercise: Exercise, verdict: Verdict): Array<Fault> => {
  const fault = (problem: string): Fault => faultOf(exercise, "stub", exercise.stub, problem)
  const scored = verdict.tasks.filter((task) => task.passed && task.points > 0).map((task) => task.id)
  return [
    ...(verdict.passed ? [fault("it passes; a stub has to fail")] : []),
    ...(scored.length > 0 ? [fault(`it scores: task ${scored.join(", ")} passes`)] : [])
  ]
}

/** A right answer passes every time. */
export const rightGate = (exercise: Exercise, file: string, runs: ReadonlyArray<Verdict>): Array<Fault> => {
  const wrong = runs.filter((verdict) => !verdict.passed || verdict.points !== maximum(exercise.manifest))
  const [first] = wrong
  if (first === undefined) return []
  const task = first.tasks.find((one) => !one.passed)
  const why = first.problem ?? (task === undefined ? "it has not all points" : `${task.id}: ${task.message ?? ""}`)
  const often = wrong.length === runs.length ? "" : ` in ${wrong.length} of ${runs.length} runs in shuffled order`
  const gate = basename(file) === "solution.ts" ? "solution" : "alternatives"
  return [faultOf(exercise, gate, file, `it does not pass${often}: ${why}`)]
}

const written = /^[A-Z"`][^]{20,}[.?]/
const unwritten =
  /^(?:Expected (?:values|"actual"|"|.* to )|The expression evaluated|Missing expected|This task did not run|This was still running|It failed with an error that has no message)/

/** What the learner reads of a task that failed. */
export const messageOf = (verdict: Verdict, task: string): string =>
  verdict.problem ?? verdict.tasks.find((one) => one.id === task)?.message ?? ""

/** A wrong answer fails the task that it names, with a sentence; and each task with points has one. */
export const mutantsGate = (exercise: Exercise, verdicts: ReadonlyMap<string, Verdict>): Array<Fault> => {
  const faults: Array<Fault> = []
  const caught = new Set<string>()
  for (const file of exercise.mutants) {
    const verdict = verdicts.get(file)
    const task = named(file)
    if (verdict === undefined) continue
    for (const one of verdict.tasks) if (!one.passed) caught.add(one.id)
    const mine = verdict.tasks.find((one) => one.id === task)
    if (mine === undefined) continue
    const fault = (problem: string): void => void faults.push(faultOf(exercise, "mutants", file, problem))
    const message = messageOf(verdict, mine.id)
    if (mine.passed) fault(`task ${mine.id} passes, so it does not notice this mistake`)
    else if (!written.test(message) || unwritten.test(message)) {
      fault(`the message is not a sentence for the learner: ${message.split("\n")[0] ?? ""}`)
    }
  }
  for (const task of exercise.manifest.tasks) {
    if (task.points > 0 && exercise.mutants.length > 0 && !caught.has(task.id)) {
      faults.push(faultOf(exercise, "mutants", join(exercise.folder, "mutants"), `none of them fails task ${task.id}`))
    }
  }
  return faults
}
