/** `learn predict`: what somebody expects is kept with a seal, and only then it is run. */
import { Console, DateTime, Effect, Option } from "effect"
import { Argument, Command, Prompt } from "effect/cli"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, sep } from "node:path"
import type { Exercise } from "../../workbook/Catalogue.ts"
import { kept } from "../../workbook/Predictions.ts"
import * as Progress from "../../workbook/Progress.ts"
import * as Workspace from "../../workbook/Workspace.ts"
import { comparePrediction } from "./learnActions.ts"
import { ask, endWith, interactive, json, say, withGrader, withSession, word } from "./learnCommand.ts"
import { heading, verdictLines } from "./learnScreen.ts"
import { command, exerciseFor, lessonFile, lookOf, near, record, type Session, usage } from "./learnSession.ts"

interface LessonPrediction {
  readonly question: string
  /** The program that answers it. */
  readonly program: string
}

/** The one prediction of a lesson: from "Predict first" to the end of the program below it. */
export const predictionIn = (lesson: string): LessonPrediction | undefined => {
  const found = /^(?:\*\*Predict first\.\*\*|## Predict first\n)([^]*?)^```ts[^\n]*\n([^]*?)^```$/m.exec(lesson)
  const [, question, program] = found ?? []
  return question === undefined || program === undefined ? undefined : { question: question.trim(), program }
}

/** Runs a program of a lesson where its packages are found, and gives what it prints. */
const run = ({ root, workspace }: Session, program: string): { readonly output: string; readonly problem: string } => {
  // Node strips no types below node_modules: there the learner's own folder has the packages, too.
  const folder = root.split(sep).includes("node_modules")
    ? join(workspace.folder, ".lifecycle")
    : join(root, ".lifecycle")
  const file = join(folder, `prediction-${process.pid}.mts`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, program)
  try {
    const conditions = existsSync(join(root, "src", "index.ts")) ? ["--conditions=lifecycle-source"] : []
    const { error, signal, status, stderr, stdout } = spawnSync(process.execPath, [...conditions, file], {
      cwd: root,
      encoding: "utf8",
      timeout: 30_000
    })
    const problem = error?.message ?? (status === 0 ? "" : stderr.trim() || `${signal ?? status}`)
    return { output: stdout.trimEnd(), problem }
  } finally {
    rmSync(file, { force: true })
  }
}

const predictLesson = Effect.fnUntraced(function*(
  session: Session,
  progress: Progress.Progress,
  file: string,
  answer: Option.Option<string>
) {
  const { words } = session
  const name = basename(dirname(file))
  const found = predictionIn(readFileSync(file, "utf8"))
  if (found === undefined) return yield* usage(words.noPredictionIn(name))
  let before = progress.lessons[name]
  if (before === undefined) {
    yield* say([near(file), "", found.question, ""])
    if (Option.isNone(answer) && !interactive()) {
      return yield* usage(words.sayAnswer(command(`predict ${name.slice(0, 2)} --answer "..."`)))
    }
    const text = Option.isSome(answer)
      ? answer.value
      : yield* Prompt.run(Prompt.String({ message: words.yourPrediction }))
    if (text.trim() === "") return yield* usage(words.sayAnswer(command(`predict ${name.slice(0, 2)}`)))
    const at = DateTime.formatIso(yield* DateTime.now)
    // Kept before anything runs: a prediction made afterwards is none.
    const now = yield* Progress.update(
      session.workspace,
      Progress.predictedIn(name, { at, said: { answer: text.trim() } })
    )
    before = now.lessons[name]
  }
  const { output, problem } = yield* Effect.sync(() => run(session, found.program))
  const said = before?.said["answer"] ?? ""
  if (session.options.json) return yield* json({ lesson: name, at: before?.at, said, output })
  yield* say([
    words.sealedAt(before?.at.slice(0, 10) ?? ""),
    `  ${said}`,
    words.itSays,
    ...output.split("\n").map((line) => `  ${line}`),
    ...problem === "" ? [] : [words.notRunHere(problem)]
  ])
})

/** An exercise whose file holds the predictions: the grader keeps them before it runs anything. */
const predictAnswers = Effect.fnUntraced(function*(session: Session, exercise: Exercise) {
  const { words, workspace } = session
  const grader = yield* withGrader(session)
  const file = Workspace.fileOf(workspace, exercise)
  const verdict = yield* grader.check({ exercise, file, types: session.options.typecheck })
  const progress = yield* record(session, exercise, verdict)
  const prediction = kept(progress, exercise)
  if (session.options.json) return yield* json({ id: exercise.manifest.id, prediction, verdict })
  const look = lookOf(session)
  if (prediction === undefined) {
    yield* say([heading(exercise, look), near(file), "", verdict.problem ?? words.couldNotCheck])
    return yield* endWith([verdict])
  }
  const { at, result, said } = prediction
  yield* say([
    heading(exercise, look),
    words.sealedAt(at.slice(0, 10)),
    ...Object.entries(said).map(([question, answer]) => `  ${question}: ${answer}`),
    ...result === undefined ? [] : [words.firstRight(result.right, result.of)],
    "",
    ...verdictLines(verdict, look)
  ])
})

const predictTasks = Effect.fnUntraced(function*(session: Session, exercise: Exercise, passing: Option.Option<string>) {
  const { words } = session
  const { manifest } = exercise
  const known = manifest.tasks.map((task) => task.id)
  const said: Array<string> = []
  if (Option.isSome(passing)) {
    const named = passing.value.split(",").map((one) => one.trim()).filter((one) => one !== "" && one !== "none")
    const strange = named.find((one) => !known.includes(one))
    if (strange !== undefined) {
      return yield* usage(words.noTask(manifest.id, strange, known.join(", ")))
    }
    said.push(...named)
  } else if (interactive()) {
    yield* Console.log(`${heading(exercise, lookOf(session))}\n${words.asItStands}`)
    for (const task of manifest.tasks) {
      const yes = yield* ask(session, words.willPass(task.id, task.title))
      if (yes) said.push(task.id)
    }
  } else return yield* usage(words.sayWhatPasses(command(`predict ${manifest.id} --passing a,c`)))

  const grader = yield* withGrader(session)
  const at = DateTime.formatIso(yield* DateTime.now)
  // Kept before anything runs: a prediction made afterwards is none.
  yield* Progress.update(
    session.workspace,
    Progress.predicted(manifest.id, {
      at,
      said: Object.fromEntries(known.map((task) => [task, said.includes(task) ? "passes" : "fails"]))
    })
  )
  const file = Workspace.fileOf(session.workspace, exercise)
  const verdict = yield* grader.check({ exercise, file, types: session.options.typecheck })
  if (verdict.outcome === "couldNotFinish") {
    yield* Console.error(verdict.problem ?? words.couldNotCheck)
    return yield* endWith([verdict])
  }
  yield* record(session, exercise, verdict)
  const { lines, right } = comparePrediction(words, said, verdict.tasks)
  const result = { right, of: known.length }
  yield* Progress.update(session.workspace, Progress.compared(manifest.id, at, result))
  if (session.options.json) return yield* json({ id: manifest.id, passing: said, ...result, verdict })
  yield* say([
    ...verdict.problem === undefined ? [] : [verdict.problem],
    ...lines,
    words.rightAbout(right, known.length)
  ])
})

export const predict = Command.make("predict", {
  id: Argument.String("id").pipe(
    Argument.withDescription("an exercise, such as 02.2, or a chapter, such as 02, for the question of its lesson"),
    Argument.optional
  ),
  passing: word("passing", "the tasks that will pass, such as a,c, or none; asked for when absent"),
  answer: word("answer", "what you expect in the question of a lesson; asked for when absent")
}, ({ answer, id, passing }) =>
  withSession(Effect.fnUntraced(function*(session, progress) {
    const lesson = Option.filter(id, (name) => /^\d{1,2}(-[\w-]+)?$/.test(name)).pipe(
      Option.flatMapNullishOr((name) => lessonFile(session, name))
    )
    if (Option.isSome(lesson)) return yield* predictLesson(session, progress, lesson.value, answer)
    const exercise = yield* exerciseFor(session, id, progress)
    if (exercise.manifest.kind === "predict" && Option.isNone(passing)) return yield* predictAnswers(session, exercise)
    yield* predictTasks(session, exercise, passing)
  }, Effect.scoped))).pipe(
    Command.withDescription("Say what will happen, then see; it ends with 0 whatever you said")
  )
