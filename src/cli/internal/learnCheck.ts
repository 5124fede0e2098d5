/** `learn check` and `learn predict`. */
import { Console, DateTime, Effect, Option } from "effect"
import { Command, Flag, Prompt } from "effect/cli"
import * as Progress from "../../workbook/Progress.ts"
import { Kind } from "../../workbook/Report.ts"
import type { Verdict } from "../../workbook/Verdict.ts"
import * as Workspace from "../../workbook/Workspace.ts"
import { comparePrediction } from "./learnActions.ts"
import { endWith, flag, id, interactive, json, say, withGrader, withSession, word } from "./learnCommand.ts"
import { assignmentOf, type Checked, report } from "./learnReport.ts"
import { heading, verdictLines } from "./learnScreen.ts"
import { command, exerciseFor, lookOf, near, record, usage } from "./learnSession.ts"
import { many } from "./learnText.ts"

const outcomeLine = (verdict: Verdict): string =>
  `${verdict.passed ? "Passed" : "Not passed yet"}: ${verdict.points} of ${many(verdict.maximum, "point")}.`

export const check = Command.make(
  "check",
  {
    id,
    all: flag("all", "check every exercise that you have changed"),
    assignment: word("assignment", "an assignment file: check what it holds"),
    report: Flag.Literals("report", Kind.literals).pipe(
      Flag.optional,
      Flag.withDescription("print a report for another program; it holds the untouched exercises, too")
    ),
    out: word("out", "the file that the report is written to")
  },
  (given) =>
    withSession(Effect.fnUntraced(function*(session, progress) {
      const { options, workspace } = session
      const all = given.all || Option.isSome(given.assignment)
      if (all && Option.isSome(given.id)) return yield* usage("Name one exercise, or say --all.")
      if (Option.isSome(given.out) && Option.isNone(given.report)) return yield* usage("--out needs --report.")
      const assignment = yield* assignmentOf(session, given.assignment)
      const chosen = Option.isSome(given.assignment)
        ? assignment.items.map((item) => item.exercise)
        : all
        ? session.catalogue.exercises
        : [yield* exerciseFor(session, given.id, progress)]
      const grader = yield* withGrader(session)
      const look = lookOf(options)
      const quiet = options.json || Option.isSome(given.report)
      const checked: Array<Checked> = []
      for (const exercise of chosen) {
        const state = yield* Workspace.stateOf(workspace, exercise)
        const untouched = state === "untouched" || state === "missing"
        // A stub scores nothing, and that needs no run to be known; a report says it of each.
        if (all && untouched && Option.isNone(given.report)) continue
        const file = Workspace.fileOf(workspace, exercise)
        const verdict = yield* grader.check({ exercise, file, types: options.typecheck })
        if (!all || !untouched) yield* record(session, exercise, verdict)
        checked.push({ exercise, verdict, state })
        if (quiet) continue
        const name = verdict.outcome === "couldNotFinish" ? "The check could not be made." : outcomeLine(verdict)
        const lines = all && verdict.passed ? [] : ["", ...verdictLines(verdict, look), ""]
        yield* say([heading(exercise, look), `${look.plain ? "" : " "}${near(file)}`, ...lines, name, ""])
      }
      const verdicts = checked.map((one) => one.verdict)
      if (Option.isSome(given.report)) {
        const named = Option.isSome(given.assignment)
        yield* report(session, given.report.value, { checked, assignment, named, progress, out: given.out })
      } else if (options.json) yield* json(all ? verdicts : verdicts[0])
      else if (all) {
        const passed = verdicts.filter((verdict) => verdict.passed).length
        yield* Console.log(`${passed} of ${many(verdicts.length, "changed exercise")} passed.`)
      }
      yield* endWith(verdicts)
    }, Effect.scoped))
).pipe(Command.withDescription("Check an exercise once; the exit code is 0 when it passes"))

export const predict = Command.make("predict", {
  id,
  passing: word("passing", "the tasks that will pass, such as a,c, or none; asked for when absent")
}, ({ id, passing }) =>
  withSession(Effect.fnUntraced(function*(session, progress) {
    const exercise = yield* exerciseFor(session, id, progress)
    const { manifest } = exercise
    const known = manifest.tasks.map((task) => task.id)
    const said: Array<string> = []
    if (Option.isSome(passing)) {
      const words = passing.value.split(",").map((one) => one.trim()).filter((one) => one !== "" && one !== "none")
      const strange = words.find((one) => !known.includes(one))
      if (strange !== undefined) {
        return yield* usage(`${manifest.id} has no task ${strange}. It has ${known.join(", ")}.`)
      }
      said.push(...words)
    } else if (interactive()) {
      yield* Console.log(`${heading(exercise, lookOf(session.options))}\nAs your file stands now:`)
      for (const task of manifest.tasks) {
        const yes = yield* Prompt.run(Prompt.Confirm({ message: `Will ${task.id} pass (${task.title})?` }))
        if (yes) said.push(task.id)
      }
    } else return yield* usage(`Say what will pass: \`${command()} predict ${manifest.id} --passing a,c\`.`)

    const grader = yield* withGrader(session)
    const at = DateTime.formatIso(yield* DateTime.now)
    // Kept before anything runs: a prediction made afterwards is none.
    const kept = (right: number) =>
      Progress.update(session.workspace, (now) => {
        const { predictions } = Progress.entryOf(now, manifest.id)
        const done = predictions.at(-1)?.at === at
        const prediction = { at, passing: said, right, of: known.length }
        if (!done) return Progress.predicted(manifest.id, prediction)(now)
        const entry = { ...Progress.entryOf(now, manifest.id), predictions: [...predictions.slice(0, -1), prediction] }
        return { ...now, entries: new Map(now.entries).set(manifest.id, entry) }
      })
    yield* kept(0)
    const file = Workspace.fileOf(session.workspace, exercise)
    const verdict = yield* grader.check({ exercise, file, types: session.options.typecheck })
    if (verdict.outcome === "couldNotFinish") {
      yield* Console.error(verdict.problem ?? "The check could not be made.")
      return yield* endWith([verdict])
    }
    yield* record(session, exercise, verdict)
    const { lines, right } = comparePrediction(said, verdict.tasks)
    yield* kept(right)
    if (session.options.json) return yield* json({ id: manifest.id, passing: said, right, of: known.length, verdict })
    yield* say([
      ...verdict.problem === undefined ? [] : [verdict.problem],
      ...lines,
      `You were right about ${right} of ${many(known.length, "task")}.`
    ])
  }, Effect.scoped))).pipe(
    Command.withDescription("Say which tasks will pass, then see; it ends with 0 whatever you said")
  )
