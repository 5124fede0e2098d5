/** `lifecycle dev`: checks a course, begins an exercise, packs an assignment. For those who write exercises or teach. */
import { Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { existsSync } from "node:fs"
import { relative, resolve } from "node:path"
import * as Matrix from "../workbook/Matrix.ts"
import { pack } from "./internal/devPack.ts"
import { createExercise } from "./internal/newExercise.ts"

/**
 * The course does not hold; the lines above say where.
 *
 * @category errors
 * @since 0.1.0
 */
export class FaultsFound extends Schema.TaggedError<FaultsFound>()("FaultsFound", { count: Schema.Int }) {
  override get message(): string {
    return this.count === 1 ? "1 fault found." : `${this.count} faults found.`
  }
}

const course = Flag.String("course").pipe(
  Flag.withDefault("exercises"),
  Flag.withDescription("The folder of the course; ./exercises when absent")
)

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

/** The faults, by exercise, and what was looked at. */
const lines = (report: Matrix.Report): Array<string> => {
  const { automatic: { made, survivors }, cheats, durationMillis, exercises, faults, mutants, runs } = report
  const groups = Map.groupBy(faults, (fault) => fault.exercise)
  const share = made === 0 ? "" : ` (${(100 * survivors.length / made).toFixed(1)} %)`
  return [
    ...[...groups].flatMap(([id, some]) => [
      id === "" ? "The course" : id,
      ...some.map(({ file, gate, problem }) =>
        `  ${gate}${file === "" ? "" : `, ${file}`}: ${problem.replaceAll("\n", "\n      ")}`
      )
    ]),
    ...survivors.flatMap(({ exercise, name, reason }) =>
      reason === undefined ? [] : [`${exercise} survives with a reason: ${name} (${reason})`]
    ),
    `${exercises} exercises, ${mutants} wrong answers, ${runs} runs in ${seconds(durationMillis)}.`,
    `Small mistakes: ${made} made, ${survivors.length} survive${share}.`,
    cheats.tried === 0
      ? "No cheats were tried."
      : `Cheats: ${cheats.tried} tried, ${cheats.tried - cheats.ran} not run, ${cheats.ran} run.`
  ]
}

const check = Command.make(
  "check",
  {
    ids: Argument.String("id").pipe(
      Argument.withDescription("An exercise or a chapter, such as 03.4 or 03; all of them without one"),
      Argument.variadic()
    ),
    course,
    auto: Flag.Boolean("auto").pipe(
      Flag.withDefault(true),
      Flag.withDescription(
        "Make small mistakes in the solutions, and see whether the tests notice them; --no-auto leaves that out"
      )
    ),
    repeats: Flag.Int("repeats").pipe(
      Flag.withDefault(20),
      Flag.withDescription("How often a right answer is run, in shuffled order")
    ),
    write: Flag.Boolean("write").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Write the messages of wrong answers to MESSAGES.md instead of comparing them")
    ),
    cheats: Flag.String("cheats").pipe(
      Flag.withDescription("A folder of cheats to try in each exercise; test/workbook/cheats where there is one"),
      Flag.optional
    )
  },
  Effect.fn("cli.dev.check")(function*(options) {
    const usual = resolve(options.course, "../test/workbook/cheats")
    const cheats = Option.getOrElse(options.cheats, () => existsSync(usual) ? usual : undefined)
    const report = yield* Matrix.check({
      course: options.course,
      ids: options.ids,
      automatic: options.auto,
      repeats: Math.max(1, options.repeats),
      cheats,
      review: options.write ? "write" : "compare",
      onProgress: (words) => void process.stderr.write(`${words}\n`)
    })
    yield* Console.log(lines(report).join("\n"))
    if (report.faults.length > 0) return yield* new FaultsFound({ count: report.faults.length })
  })
).pipe(
  Command.withDescription(
    "Check that right answers pass, that wrong ones fail where they should, and that no trick scores"
  )
)

const create = Command.make(
  "new",
  {
    id: Argument.String("id").pipe(Argument.withDescription("The number, such as 03.6")),
    name: Argument.String("name").pipe(Argument.withDescription("The name of its folder, such as wait-for-less")),
    course,
    chapter: Flag.String("chapter").pipe(
      Flag.withDescription("The name of the chapter's folder, where the chapter is new"),
      Flag.optional
    )
  },
  Effect.fn("cli.dev.new")(function*({ chapter, course, id, name }) {
    const folder = yield* createExercise({ course, id, name, chapter: Option.getOrUndefined(chapter) })
    const near = relative(process.cwd(), folder)
    yield* Console.log(
      [
        `${near} is there. It is not an exercise yet:`,
        "  exercise.ts       what the learner gets; the comment at its top is the text of the exercise",
        "  exercise.spec.ts  the tests; a test belongs to the task that its name begins with",
        "  solution.ts       the right answer; others go into alternatives/",
        "  mutants/          wrong answers; the first line is `// fails: TASK - why somebody writes this`",
        "  hints.md          three hints for each task with points",
        "  meta.json         the title, the tasks and their points, what it teaches and needs",
        `What is missing: lifecycle dev check ${id}`
      ].join("\n")
    )
  })
).pipe(Command.withDescription("Begin an exercise: a folder with all its files, to be filled"))

/**
 * Ends with the exit code 1 when something does not hold.
 *
 * @category commands
 * @since 0.1.0
 */
export const dev = Command.make("dev").pipe(
  Command.withDescription(
    "For those who write exercises or teach: check a course, begin an exercise, pack an assignment"
  ),
  Command.withSubcommands([check, create, pack])
)
