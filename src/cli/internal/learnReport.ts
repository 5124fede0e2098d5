/** The reports of `learn check`: what was found, in a format that another program reads. */
import { Console, Effect, Option, Schema } from "effect"
import { appendFileSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { whole } from "../../workbook/Assignment.ts"
import type { Exercise } from "../../workbook/Catalogue.ts"
import { entryOf, hintsUsed, type Progress } from "../../workbook/Progress.ts"
import * as Report from "../../workbook/Report.ts"
import type { Verdict } from "../../workbook/Verdict.ts"
import { fileOf, type State, type WorkspaceProblem, writeFile } from "../../workbook/Workspace.ts"
import { near, type Session } from "./learnSession.ts"

/** One checked exercise. */
export interface Checked {
  readonly exercise: Exercise
  readonly verdict: Verdict
  readonly state: State
}

const Package = Schema.fromJsonString(Schema.Struct({ name: Schema.String, version: Schema.String }))

/** The course is named after the package that it lies in. */
const courseOf = (session: Session): { readonly name: string; readonly version: string } => {
  const none = { name: "course", version: "0" }
  try {
    const text = readFileSync(join(session.root, "package.json"), "utf8")
    return Option.getOrElse(Schema.decodeOption(Package)(text), () => none)
  } catch {
    return none
  }
}

/** Prints a report, or writes it to a file. */
export const report = Effect.fnUntraced(function*(
  session: Session,
  kind: Report.Kind,
  given: {
    readonly checked: ReadonlyArray<Checked>
    readonly progress: Progress
    readonly out: Option.Option<string>
  }
): Effect.fn.Return<void, WorkspaceProblem> {
  const { checked, out, progress } = given
  const { assignment } = session
  const entries = yield* Effect.forEach(checked, ({ exercise, state, verdict }) =>
    Report.entry(exercise, verdict, {
      weight: (assignment ?? whole(session.catalogue)).items.find((item) => item.exercise === exercise)?.weight,
      file: near(fileOf(session.workspace, exercise)),
      hintsUsed: hintsUsed(entryOf(progress, exercise.manifest.id)),
      untouched: state === "untouched"
    }))
  const made = Report.make({
    course: courseOf(session),
    entries,
    ...assignment !== undefined && { assignment: assignment.title, due: assignment.due }
  })
  const summary = process.env.GITHUB_STEP_SUMMARY
  if (Option.isSome(out)) return yield* writeFile(resolve(out.value), Report.render(kind, made))
  if (kind === "github" && summary !== undefined && summary !== "") {
    yield* Effect.sync(() => appendFileSync(summary, Report.githubSummary([made])))
    const marks = Report.githubAnnotations([made]).trimEnd()
    if (marks !== "") yield* Console.log(marks)
    return
  }
  yield* Console.log(Report.render(kind, made).replace(/\r?\n$/, ""))
})
