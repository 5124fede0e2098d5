/** A path through the course: lessons, exercises and tours in a fixed order, with an end and a result to print. */
import { Effect, Schema } from "effect"
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { type Exercise, find, maximum } from "../../workbook/Catalogue.ts"
import { entryOf, hintsUsed, type Progress } from "../../workbook/Progress.ts"
import type { Messages } from "../messages/Messages.ts"
import { LearnProblem, lessonFile, near, type Session, usage } from "./learnSession.ts"

const File = Schema.Struct({
  title: Schema.String,
  steps: Schema.NonEmptyArray(Schema.Union([
    Schema.Struct({ kind: Schema.Literals(["lesson", "exercise"]), id: Schema.String }),
    Schema.Struct({ kind: Schema.Literal("tour"), id: Schema.optionalKey(Schema.String) })
  ]))
})
const readFile = Schema.decodeEffect(Schema.fromJsonString(File))

/** One step of a path. */
export type Step =
  | { readonly kind: "exercise"; readonly key: string; readonly exercise: Exercise }
  | { readonly kind: "reading"; readonly key: string; readonly title: string; readonly todo: string }

/** A path through the course. */
export interface Path {
  readonly name: string
  readonly title: string
  readonly steps: ReadonlyArray<Step>
}

/** Reads `lessons/paths/NAME.json`. */
export const loadPath = Effect.fnUntraced(function*(
  session: Session,
  name: string
): Effect.fn.Return<Path, LearnProblem> {
  const { words } = session
  const folder = join(session.root, "lessons", "paths")
  const file = join(folder, `${name}.json`)
  if (!/^[\w-]+$/.test(name) || !existsSync(file)) {
    const names = globSync("*.json", { cwd: folder }).map((one) => basename(one, ".json")).sort()
    return yield* usage(
      names.length === 0
        ? words.noPaths(name, near(folder))
        : words.noPath(name, names)
    )
  }
  const broken = (problem: string): LearnProblem => new LearnProblem({ problem: `${near(file)}: ${problem}`, code: 3 })
  const { steps, title } = yield* Effect.mapError(
    readFile(readFileSync(file, "utf8")),
    (error) => broken(error.message)
  )
  const made: Array<Step> = []
  for (const { id = "tour", kind } of steps) {
    const key = `${kind}:${id}`
    if (kind === "exercise") {
      const exercise = find(session.catalogue, id)
      if (exercise === undefined) return yield* broken(words.pathNoExercise(id))
      made.push({ kind, key, exercise })
    } else if (kind === "lesson") {
      const lesson = lessonFile(session, id)
      if (lesson === undefined) return yield* broken(words.pathNoLesson(id))
      const heading = /^# (.*)$/m.exec(readFileSync(lesson, "utf8"))?.[1] ?? id
      made.push({ kind: "reading", key, title: words.lesson(heading), todo: words.readThenNext(near(lesson)) })
    } else {
      made.push({ kind: "reading", key, title: words.tour(id === "tour" ? undefined : id), todo: words.tourThenNext })
    }
  }
  return { name, title, steps: made }
})

/** Whether a step is done. */
export const isDone = (path: Path, step: Step, progress: Progress): boolean =>
  step.kind === "exercise"
    ? entryOf(progress, step.exercise.manifest.id).solved
    : progress.paths[path.name]?.includes(step.key) === true

/** The place of the first step that is not done; the number of steps when all are. */
export const placeOn = (path: Path, progress: Progress): number => {
  const place = path.steps.findIndex((step) => !isDone(path, step, progress))
  return place < 0 ? path.steps.length : place
}

/** What was done on a path, to print. */
export const resultOf = (words: Messages, path: Path, progress: Progress): ReadonlyArray<string> => {
  let points = 0
  let most = 0
  const lines = path.steps.map((step, index) => {
    const done = isDone(path, step, progress) ? words.done : words.toDo
    if (step.kind === "reading") return `${index + 1}. ${done} ${step.title}`
    const { id, title } = step.exercise.manifest
    const entry = entryOf(progress, id)
    const all = maximum(step.exercise.manifest)
    const got = entry.solved ? all : Math.min(entry.points, all)
    points += got
    most += all
    const hints = hintsUsed(entry)
    const how = [
      words.ofPoints(got, all),
      words.attempts(entry.attempts),
      ...hints > 0 ? [words.hints(hints)] : [],
      ...entry.seen ? [words.solutionSeen] : [],
      ...entry.firstSolved === undefined ? [] : [words.solvedOn(entry.firstSolved.slice(0, 10))]
    ]
    return `${index + 1}. ${done} ${id} ${title}: ${how.join(", ")}`
  })
  const done = placeOn(path, progress) === path.steps.length
  return [
    done ? words.pathFinished(path.title) : words.pathNotFinished(path.title),
    "",
    ...lines,
    "",
    `${words.ofPoints(points, most)}.${done ? ` ${words.wholePath}` : ""}`
  ]
}
