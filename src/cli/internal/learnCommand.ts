/** What the `learn` commands share: their flags, the session, and ways to answer. */
import { Console, Effect } from "effect"
import { Argument, Command, Flag, Prompt } from "effect/cli"
import type * as Progress from "../../workbook/Progress.ts"
import type { Verdict } from "../../workbook/Verdict.ts"
import { codes } from "../messages/Messages.ts"
import { load } from "../optional.ts"
import {
  Ended,
  exitCodes,
  needsPackages,
  open,
  type Options,
  progressOf,
  type Session,
  usage,
  withCodes,
  wordsOf
} from "./learnSession.ts"

export const flag = (name: string, description: string, alias?: string) =>
  Flag.Boolean(name).pipe(
    Flag.withDefault(false),
    Flag.withDescription(description),
    (made) => alias === undefined ? made : Flag.withAlias(made, alias)
  )

export const word = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.optional, Flag.withDescription(description))

/** The language of what is said; what the tests say, and this help, stay as they are. */
export const lang = Flag.Literals("lang", codes).pipe(
  Flag.optional,
  Flag.withDescription("the language of what is said; by LEARN_LANG, LC_ALL or LANG when absent, else English")
)

export const base = Command.make("learn").pipe(
  Command.withSharedFlags({
    plain: flag("plain", "words only: no colour, no bars, nothing drawn over (also without a terminal)"),
    poll: flag("poll", "look for saves three times a second, where the system does not tell"),
    editCmd: word("edit-cmd", "the command that opens a file in your editor"),
    json: flag("json", "print JSON"),
    dir: word("dir", "the folder to work in; `workspace` when absent"),
    course: word("course", "the folder of another course"),
    typecheck: Flag.Boolean("typecheck").pipe(
      Flag.withDefault(true),
      Flag.withDescription("check the types, too; --no-typecheck leaves them out")
    ),
    path: word("path", "follow a path through the course, such as two-hours"),
    assignment: word(
      "assignment",
      "an assignment file; assignment.json beside the course or in the workspace when absent"
    ),
    lang
  })
)

export const id = Argument.String("id").pipe(
  Argument.withDescription("an exercise, such as 02.2; the current one when absent"),
  Argument.optional
)

type Use<A, E, R> = (session: Session, progress: Progress.Progress) => Effect.Effect<A, E, R>

/** Opens the course and the workspace, and gives errors their exit codes. */
export const sessionWith = <A, E, R>(options: Options, use: Use<A, E, R>) =>
  withCodes(
    Effect.gen(function*() {
      const session = yield* open(options)
      const { notice, progress } = yield* progressOf(session)
      if (notice !== undefined) yield* Console.error(notice)
      return yield* use(session, progress)
    }),
    wordsOf(options.lang)
  )

/** The same, for a subcommand: the flags are those of `learn`. */
export const withSession = <A, E, R>(use: Use<A, E, R>) => Effect.flatMap(base, (options) => sessionWith(options, use))

export const say = (lines: ReadonlyArray<string>): Effect.Effect<void> => Console.log(lines.join("\n"))

/** Output for programs: the types of the workbook, which are plain data. */
export const json = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, undefined, 2))

/** Whether a person can be asked. */
export const interactive = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true

/** Asks on the terminal; the key for yes is that of the language. */
export const ask = ({ words }: Session, message: string) => {
  const placeholder = `(${words.yesKey}/N)`
  return Prompt.run(Prompt.map(
    Prompt.String({ message: `${message} ${placeholder}` }),
    (answer) => [words.yesKey, words.yes, "y"].includes(answer.trim().toLowerCase())
  ))
}

export const confirmed = Effect.fnUntraced(function*(
  session: Session,
  message: string,
  yes: boolean,
  otherwise: string
) {
  if (yes) return true
  if (!interactive()) return yield* usage(otherwise)
  return yield* ask(session, message)
})

/** Loads the grader when it is needed, after a look at whether its packages are there. */
export const withGrader = Effect.fnUntraced(function*(session: Session) {
  yield* needsPackages(session)
  const Grader = yield* load(() => import("../../workbook/Grader.ts"))
  const { guard } = yield* load(() => import("../../workbook/Predictions.ts"))
  return guard(yield* Grader.make({ course: session.catalogue.folder }), session.workspace)
})

export const endWith = (verdicts: ReadonlyArray<Verdict>): Effect.Effect<void, Ended> => {
  if (verdicts.some((verdict) => verdict.outcome === "couldNotFinish")) {
    return Effect.fail(new Ended({ code: exitCodes.couldNotFinish }))
  }
  if (verdicts.some((verdict) => !verdict.passed && verdict.outcome !== "open")) {
    return Effect.fail(new Ended({ code: exitCodes.notPassed }))
  }
  // What is open is neither passed nor failed: it could not be finished here.
  return verdicts.some((verdict) => verdict.outcome === "open")
    ? Effect.fail(new Ended({ code: exitCodes.couldNotFinish }))
    : Effect.void
}
