/** `lifecycle learn`: the workbook. Alone it opens the watch screen; its subcommands do one thing each. */
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { readFileSync } from "node:fs"
import * as Progress from "../workbook/Progress.ts"
import * as Workspace from "../workbook/Workspace.ts"
import { edit, editorOf, hiddenLines, resetSentence, solutionLines } from "./internal/learnActions.ts"
import { check } from "./internal/learnCheck.ts"
import {
  base,
  confirmed,
  flag,
  id,
  interactive,
  json,
  say,
  sessionWith,
  withGrader,
  withSession,
  word
} from "./internal/learnCommand.ts"
import { hintFor, hintsOf, taskFor } from "./internal/learnHints.ts"
import { loadPath, placeOn, resultOf } from "./internal/learnPath.ts"
import { predict } from "./internal/learnPredict.ts"
import { progressLines, rowLine } from "./internal/learnScreen.ts"
import {
  exerciseFor,
  isHidden,
  lessonFile,
  lookOf,
  near,
  rowsOf,
  type Session,
  someFor,
  stateOf,
  summaryOf,
  usage
} from "./internal/learnSession.ts"
import { cut } from "./internal/learnText.ts"
import { load } from "./optional.ts"

const watching = Effect.fnUntraced(function*(session: Session, progress: Progress.Progress) {
  const path = Option.isSome(session.options.path) ? yield* loadPath(session, session.options.path.value) : undefined
  if (session.options.json) return yield* usage(session.words.jsonEnds)
  if (path !== undefined && placeOn(path, progress) === path.steps.length) {
    return yield* say(resultOf(session.words, path, progress))
  }
  const service = yield* withGrader(session)
  // The process starts while the screen is being made; a problem with it shows in the first verdict.
  yield* Effect.forkScoped(Effect.ignore(service.ready))
  const { Grader } = yield* load(() => import("../workbook/Grader.ts"))
  const { farewell, watch } = yield* load(() => import("./internal/learnWatch.ts"))
  const start = yield* exerciseFor(session, Option.none(), progress)
  yield* Effect.scoped(Effect.provideService(watch(session, start, path), Grader, service))
  yield* Console.log(yield* farewell(session, path))
}, Effect.scoped)

/** What the instructor has set, in words. */
const setLines = ({ assignment, words }: Session): ReadonlyArray<string> =>
  assignment === undefined
    ? []
    : [words.assignment(assignment.title), ...assignment.due === undefined ? [] : [words.due(assignment.due)], ""]

const list = Command.make("list", {
  pending: flag("pending", "only what is not solved"),
  level: Flag.Int("level").pipe(Flag.optional, Flag.withDescription("only one level: 1, 2 or 3"))
}, ({ level, pending }) =>
  withSession(Effect.fnUntraced(function*(session, progress) {
    const look = lookOf(session)
    const { words } = look
    const path = Option.isSome(session.options.path) ? yield* loadPath(session, session.options.path.value) : undefined
    const listed = path === undefined
      ? session.exercises
      : path.steps.flatMap((step) => step.kind === "exercise" ? [step.exercise] : [])
    const rows = rowsOf(listed, progress).filter((row) =>
      (!pending || row.status !== "solved") && Option.getOrElse(level, () => row.level) === row.level
    )
    if (session.options.json) return yield* json(rows)
    const chapters = Map.groupBy(rows, (row) => row.chapter)
    const lines = Array.from(chapters, ([chapter, some]) => {
      const name = chapter.slice(3).replaceAll("-", " ")
      return [words.chapter(Number(chapter.slice(0, 2)), name), ...some.map((row) => rowLine(row, look)), ""]
    })
    const { exercises, maximum, open, points, solved } = summaryOf({ ...session, exercises: listed }, progress)
    yield* say([
      ...setLines(session),
      ...lines.flat(),
      words.solvedOf(solved, exercises, points, maximum),
      ...open === 0 ? [] : [words.pointsOpen(open)]
    ])
  }))).pipe(Command.withDescription("All exercises, and how each stands"))

const openCommand = Command.make(
  "open",
  { id },
  ({ id }) =>
    withSession(Effect.fnUntraced(function*(session, progress) {
      const exercise = yield* exerciseFor(session, id, progress)
      yield* Progress.update(session.workspace, Progress.movedTo(exercise.manifest.id))
      const file = Workspace.fileOf(session.workspace, exercise)
      yield* Console.log(near(file))
      if (editorOf(session.options) === undefined || !(Option.isSome(session.options.editCmd) || interactive())) return
      const problem = yield* edit(session, file)
      if (problem !== undefined) return yield* usage(problem)
    }))
).pipe(Command.withDescription("Make an exercise the current one, print its file, and open it in the editor"))

const hint = Command.make("hint", {
  id,
  named: Argument.String("task").pipe(
    Argument.withDescription("a task, such as b; the first that failed in the last check when absent"),
    Argument.optional
  ),
  task: word("task", "the same as the task behind the exercise"),
  tier: Flag.Int("tier").pipe(
    Flag.optional,
    Flag.withDescription("1 a question, 2 the idea, 3 the shape of the answer")
  )
}, ({ id, named, task, tier }) =>
  withSession(Effect.fnUntraced(function*(session, progress) {
    const exercise = yield* exerciseFor(session, id, progress)
    const { manifest } = exercise
    const { words } = session
    const hints = hintsOf(exercise)
    const entry = Progress.entryOf(progress, manifest.id)
    const chosen = Option.getOrElse(Option.orElse(named, () => task), () => {
      const left = [...hints.keys()].filter((one) => (entry.hints[one] ?? 0) < (hints.get(one)?.length ?? 0))
      return entry.failing?.find((one) => hints.has(one)) ?? left[0] ?? taskFor(hints, exercise, undefined)
    })
    if (chosen === undefined) return yield* usage(words.noHints(manifest.id))
    const found = hintFor(hints, chosen, entry, Option.getOrUndefined(tier))
    if (found === undefined) {
      const names = [...hints].map(([name, tiers]) => words.hintTiers(name, tiers.length)).join(", ")
      return yield* usage(words.noSuchHint(manifest.id, names))
    }
    yield* Progress.update(session.workspace, Progress.hinted(manifest.id, found.task, found.tier))
    if (session.options.json) return yield* json({ id: manifest.id, ...found })
    const title = manifest.tasks.find((one) => one.id === found.task)?.title ?? ""
    yield* say([`${manifest.id} ${found.task} ${title}`, words.hint(found.tier, found.of, found.text)])
  }))).pipe(Command.withDescription("The next hint; each task has a few, from a question to the shape of the answer"))

const yesFlag = flag("yes", "do not ask", "y")

const solution = Command.make(
  "solution",
  { id, yes: yesFlag },
  ({ id, yes }) =>
    withSession(Effect.fnUntraced(function*(session, progress) {
      const exercise = yield* exerciseFor(session, id, progress)
      const { id: name } = exercise.manifest
      const { words } = session
      if (isHidden(session, exercise)) return yield* usage(hiddenLines(session).join("\n"))
      if (Option.isNone(exercise.solution)) return yield* usage(words.noSolution)
      const entry = Progress.entryOf(progress, name)
      if (!entry.solved && !entry.seen) {
        const go = yield* confirmed(
          session,
          words.askSolution(name),
          yes,
          words.yesForSolution(name)
        )
        if (!go) return
        yield* Progress.update(session.workspace, Progress.looked(name))
      }
      yield* say(solutionLines(session, exercise, entry.solved))
    }))
).pipe(
  Command.withDescription("After a pass: what is different from the solution; before: the solution, and it is noted")
)

const reset = Command.make("reset", {
  id,
  all: flag("all", "every exercise"),
  keep: flag("keep", "keep your file although the course has a newer stub"),
  yes: yesFlag
}, (given) =>
  withSession(Effect.fnUntraced(function*(session, progress) {
    const { catalogue, words, workspace } = session
    if (given.all && Option.isSome(given.id)) return yield* usage(words.nameOrAllReset)
    const chosen = given.all
      ? catalogue.exercises
      : Option.isSome(given.id)
      ? yield* someFor(session, given.id.value, progress)
      : [yield* exerciseFor(session, Option.none(), progress)]
    const names = chosen.length === 1 ? chosen[0]?.manifest.id ?? "" : words.exercises(chosen.length)
    if (given.keep) {
      yield* Effect.forEach(chosen, (exercise) => Workspace.keep(workspace, exercise), { discard: true })
      return yield* Console.log(words.keeps(names, chosen.length))
    }
    const go = chosen.length === 1 && !interactive() || (yield* confirmed(
      session,
      words.askReset(names),
      given.yes,
      words.yesForReset(names)
    ))
    if (!go) return
    const done = yield* Workspace.reset(workspace, chosen)
    yield* say(
      done.filter((one) => one.backup !== undefined || done.length === 1).map((one) => resetSentence(words, one))
    )
    if (done.length > 1) yield* Console.log(words.stubsBack(names))
  }))).pipe(
    Command.withDescription("Put the stub of an exercise, a chapter or everything back; your files are kept aside")
  )

const lesson = Command.make("lesson", {
  chapter: Argument.String("chapter").pipe(
    Argument.withDescription("a chapter, such as 2, or an exercise; that of the current exercise when absent"),
    Argument.optional
  )
}, ({ chapter }) =>
  withSession(Effect.fnUntraced(function*(session, progress) {
    const current = Option.isSome(chapter)
      ? chapter.value
      : (yield* exerciseFor(session, Option.none(), progress)).manifest.id
    const file = lessonFile(session, current)
    if (file === undefined) {
      return yield* usage(session.words.noLesson(current))
    }
    const text = readFileSync(file, "utf8")
    if (session.options.json) return yield* json({ file: near(file), text })
    yield* say([near(file), "", text.trimEnd()])
  }))).pipe(Command.withDescription("Print the lesson of a chapter"))

const progressCommand = Command.make("progress", {}, () =>
  withSession(Effect.fnUntraced(function*(session, progress) {
    const { exercises, options, words } = session
    if (Option.isSome(options.path)) {
      return yield* say(resultOf(words, yield* loadPath(session, options.path.value), progress))
    }
    const { byChapter, byLevel, ...sum } = summaryOf(session, progress)
    const current = yield* exerciseFor(session, Option.none(), progress)
    if (options.json) {
      return yield* json({
        current: current.manifest.id,
        ...sum,
        byChapter: Object.fromEntries(byChapter),
        byLevel: Object.fromEntries(byLevel),
        byExercise: Object.fromEntries(
          exercises.map(({ manifest }) => [manifest.id, Progress.entryOf(progress, manifest.id)])
        )
      })
    }
    const look = lookOf(session)
    // The screen stays on what was solved last until it is told to go on; what is next is something that is left.
    const { id } = current.manifest
    const coming = Progress.entryOf(progress, id).solved ? Progress.next(progress, exercises, id) : current
    const broken = Progress.brokenSeals(progress)
    const counts = (one: Progress.Sum): string => words.sum(one.solved, one.exercises, one.points, one.maximum)
    yield* say([
      ...setLines(session),
      ...progressLines(stateOf(session, current, progress), look).slice(look.plain ? 1 : 0),
      ...sum.open === 0 ? [] : [words.pointsOpen(sum.open)],
      ...broken.length === 0 ? [] : [words.sealBroken(broken.join(", "))],
      "",
      ...Array.from(byChapter, ([name, one]) =>
        cut(
          words.chapterSum(Number(name.slice(0, 2)), name.slice(3).replaceAll("-", " "), counts(one)),
          look.columns
        )),
      "",
      ...[...byLevel].sort(([one], [other]) => one - other).map(([level, one]) =>
        words.levelSum(level, `${counts(one)}${one.mastered ? `, ${words.mastered}` : ""}`)
      ),
      "",
      coming === undefined ? words.allSolved : words.next(`${coming.manifest.id} ${coming.manifest.title}`)
    ])
  }))).pipe(Command.withDescription("What is done: by chapter, by level, or on a path"))

/**
 * Ends with the exit code 0 when passed or done, 1 when not passed, 2 when asked in a way that cannot be answered, 3 when
 * the course is broken, 4 when the check could not be made.
 *
 * @category commands
 * @since 0.1.0
 */
export const learn = base.pipe(
  Command.withHandler((options) => sessionWith(options, watching)),
  Command.withDescription("Learn with exercises: watch the current one, or see the commands below"),
  Command.withSubcommands([list, openCommand, check, hint, predict, solution, reset, lesson, progressCommand])
)
