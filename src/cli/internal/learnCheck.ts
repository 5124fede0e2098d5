/** `learn check`. */
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { Kind } from "../../workbook/Report.ts"
import { openPoints, type Verdict } from "../../workbook/Verdict.ts"
import * as Workspace from "../../workbook/Workspace.ts"
import type { Messages } from "../messages/Messages.ts"
import { endWith, flag, id, json, say, withGrader, withSession, word } from "./learnCommand.ts"
import { type Checked, report } from "./learnReport.ts"
import { heading, verdictLines } from "./learnScreen.ts"
import { exerciseFor, lookOf, near, record, usage } from "./learnSession.ts"

const outcomeLine = (words: Messages, verdict: Verdict): string => {
  if (verdict.outcome === "couldNotFinish") return words.couldNotCheck
  if (verdict.outcome === "open") return words.checkOpen(verdict.points, verdict.maximum, openPoints(verdict))
  return verdict.passed
    ? words.checkPassed(verdict.points, verdict.maximum)
    : words.checkNotPassed(verdict.points, verdict.maximum)
}

export const check = Command.make(
  "check",
  {
    id,
    all: flag("all", "check every exercise that you have changed, of the assignment where there is one"),
    report: Flag.Literals("report", Kind.literals).pipe(
      Flag.optional,
      Flag.withDescription("print a report for another program; it holds the untouched exercises, too")
    ),
    out: word("out", "the file that the report is written to")
  },
  (given) =>
    withSession(Effect.fnUntraced(function*(session, progress) {
      const { options, words, workspace } = session
      if (given.all && Option.isSome(given.id)) return yield* usage(words.oneOrAll)
      if (Option.isSome(given.out) && Option.isNone(given.report)) return yield* usage(words.outNeedsReport)
      const all = given.all || (Option.isSome(options.assignment) && Option.isNone(given.id))
      const chosen = all ? session.exercises : [yield* exerciseFor(session, given.id, progress)]
      const grader = yield* withGrader(session)
      const look = lookOf(session)
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
        const lines = all && verdict.passed ? [] : ["", ...verdictLines(verdict, look), ""]
        yield* say([
          heading(exercise, look),
          `${look.plain ? "" : " "}${near(file)}`,
          ...lines,
          outcomeLine(words, verdict),
          ""
        ])
      }
      const verdicts = checked.map((one) => one.verdict)
      if (Option.isSome(given.report)) {
        yield* report(session, given.report.value, { checked, progress, out: given.out })
      } else if (options.json) yield* json(all ? verdicts : verdicts[0])
      else if (all) {
        const passed = verdicts.filter((verdict) => verdict.passed).length
        yield* Console.log(words.changedPassed(passed, verdicts.length))
      }
      yield* endWith(verdicts)
    }, Effect.scoped))
).pipe(Command.withDescription("Check an exercise once; the exit code is 0 when it passes"))
