/** `lifecycle grade DIR...`: checks what students handed in, and writes a gradebook. */
import { Console, Effect, Option, Runtime, Schema, type Scope } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { spawn } from "node:child_process"
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { constants } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Assignment from "../workbook/Assignment.ts"
import * as Catalogue from "../workbook/Catalogue.ts"
import * as Gradebook from "../workbook/Gradebook.ts"
import * as Grader from "../workbook/Grader.ts"
import * as Locks from "../workbook/Locks.ts"
import * as Report from "../workbook/Report.ts"
import { closedNetwork } from "./internal/closedNetwork.ts"

/**
 * Some files could not be checked: the grader's failure, not the students'.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotAllChecked extends Schema.TaggedError<NotAllChecked>()("NotAllChecked", { files: Schema.Int }) {
  override readonly [Runtime.errorExitCode] = 4
  override get message(): string {
    return `${this.files} ${this.files === 1 ? "file" : "files"} could not be checked: grade again.`
  }
}

/**
 * The gradebook cannot be made as it was asked for.
 *
 * @category errors
 * @since 0.1.0
 */
export class CannotGrade extends Schema.TaggedError<CannotGrade>()("CannotGrade", {
  reason: Schema.String,
  /** 2 where the command was asked in a wrong way, 3 where the course is broken, 4 where nothing can be checked here. */
  code: Schema.Literals([2, 3, 4])
}) {
  override readonly [Runtime.errorExitCode] = this.code
  override get message(): string {
    return this.reason
  }
}

const cannot = (error: { readonly _tag: string; readonly message: string }): CannotGrade =>
  new CannotGrade({ reason: error.message, code: error._tag === "CourseBroken" ? 3 : 2 })

const packageRoot = fileURLToPath(new URL("../..", import.meta.url))
const seconds = 5
const megabytes = 1024

// Set on the command that was started again without a network, so that it happens once.
const again = "LIFECYCLE_GRADE_CLOSED"

/** The words that start a command without a network; `undefined` where the machine does not permit it. */
const withoutNetwork = (): ReadonlyArray<string> | undefined => {
  if (process.platform !== "linux" || process.env[again] !== undefined || !Locks.seesNetwork()) return undefined
  // A database that is reached over the network would be out of reach, and its tasks would fail for no fault of an answer.
  if ((process.env.DATABASE_URL ?? "").trim() !== "") return undefined
  return closedNetwork()
}

/** Runs this very command again behind other words, and gives its exit code. */
const runAgain = ([command = "", ...args]: ReadonlyArray<string>): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    const env = { ...process.env, [again]: "1" }
    const child = spawn(command, [...args, ...own], { env, stdio: "inherit" })
    child.on("error", () => resume(Effect.succeed(1)))
    child.on(
      "exit",
      (code, signal) => resume(Effect.succeed(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    )
    return Effect.sync(() => void child.kill("SIGTERM"))
  })

/** A folder for the copies of the graders, and what they are started with. */
const place = (course: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const parent = join(dirname(course), ".lifecycle")
      mkdirSync(parent, { recursive: true })
      return mkdtempSync(join(parent, "grade-"))
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  )

/** Where a package really is, as seen from a folder; links are followed. */
const placeOf = (name: string, folder: string): string | undefined => {
  const path = join(folder, "node_modules", name)
  if (existsSync(path)) return realpathSync(path)
  return dirname(folder) === folder ? undefined : placeOf(name, dirname(folder))
}

/** The packages that the course has from another place than this program: what is locked in one is open in the other. */
const twice = (root: string): ReadonlyArray<string> =>
  ["effect", "vitest", "@effect/vitest"].filter((name) => {
    const place = placeOf(name, root)
    return place !== undefined && place !== placeOf(name, packageRoot)
  })

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const course = () => {
  const text: unknown = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"))
  return Schema.decodeUnknownSync(Schema.Struct({ name: Schema.String, version: Schema.String }))(text)
}

// Progress goes to the error output: standard output holds nothing but the report.
const progress = (done: number, all: number): Effect.Effect<void> =>
  done === all || done % 10 === 0 ? Console.error(`checked ${done} of ${all} files`) : Effect.void

const extension: Record<Report.Kind, string> = {
  json: "json",
  junit: "xml",
  gradescope: "json",
  exercism: "json",
  github: "md",
  csv: "csv"
}

/** What is wrong with a folder for the results; `undefined` where it can be written to. */
const problemWith = (out: string): string | undefined => {
  try {
    for (const name of ["pages", "reports"]) mkdirSync(join(out, name), { recursive: true })
    const probe = join(out, `.probe-${process.pid}`)
    writeFileSync(probe, "")
    rmSync(probe)
    return undefined
  } catch (error) {
    const file = [dirname(resolve(out)), out, join(out, "pages"), join(out, "reports")].find((path) =>
      existsSync(path) && !statSync(path).isDirectory()
    )
    return file === undefined ? reasonOf(error) : `${file} is a file, and a folder is needed`
  }
}

const writable = (out: string): Effect.Effect<void, CannotGrade> =>
  Effect.suspend(() => {
    const problem = problemWith(out)
    return problem === undefined ? Effect.void : Effect.fail(
      new CannotGrade({ reason: `The gradebook cannot be written to ${out}: ${problem}. Nothing was graded.`, code: 2 })
    )
  })

const writeAll = (
  out: string,
  gradebook: Gradebook.Gradebook,
  kind: Report.Kind | undefined
): ReadonlyArray<string> => {
  const written: Array<string> = []
  const write = (name: string, text: string): void => {
    const file = join(out, ...name.split("/"))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    written.push(name)
  }
  write("gradebook.csv", Gradebook.csv(gradebook))
  write("statistics.md", Gradebook.statistics(gradebook))
  write("report.schema.json", `${JSON.stringify(Report.jsonSchema(), undefined, 2)}\n`)
  for (const report of gradebook.reports) {
    const name = report.page ?? report.learner
    write(`pages/${name}.md`, Gradebook.page(gradebook, report.learner, "markdown") ?? "")
    write(`pages/${name}.html`, Gradebook.page(gradebook, report.learner, "html") ?? "")
    write(`reports/${name}.json`, Report.render("json", report))
  }
  if (kind !== undefined) write(`results.${extension[kind]}`, Report.render(kind, gradebook.reports))
  return written
}

/** Prints a report; GitHub's summary goes where a workflow wants it. */
const print = (kind: Report.Kind, reports: ReadonlyArray<Report.Report>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const summary = process.env.GITHUB_STEP_SUMMARY ?? ""
    const one = reports.length === 1 ? reports[0] : undefined
    if (kind !== "github" || summary === "") {
      return Console.log(Report.render(kind, one ?? reports).replace(/\r?\n$/, ""))
    }
    appendFileSync(summary, Report.githubSummary(reports))
    const lines = Report.githubAnnotations(reports).trimEnd()
    return lines === "" ? Effect.void : Console.log(lines)
  })

const gradeAll = Effect.fnUntraced(function*(given: {
  readonly folders: ReadonlyArray<string>
  readonly courseFolder: string
  readonly assignment: string | undefined
  readonly kind: Report.Kind | undefined
  readonly out: string | undefined
}) {
  const catalogue = yield* Effect.mapError(Catalogue.load(given.courseFolder), cannot)
  const assignment = given.assignment === undefined
    ? Assignment.whole(catalogue)
    : yield* Effect.mapError(Assignment.load(given.assignment, catalogue), cannot)
  const submissions = yield* Effect.mapError(Gradebook.submissions(given.folders, assignment), cannot)
  const unused = yield* Effect.mapError(Gradebook.unused(given.folders, assignment), cannot)
  yield* Effect.forEach(unused, (sentence) => Console.error(sentence), { discard: true })
  if (submissions.length > 1 && (given.kind === "gradescope" || given.kind === "exercism")) {
    return yield* new CannotGrade({
      reason: `A report for ${given.kind} holds one submission, not ${submissions.length}.`,
      code: 2
    })
  }
  const root = dirname(catalogue.folder)
  const others = twice(root)
  if (others.length > 0) {
    return yield* new CannotGrade({
      reason:
        `Nothing can be graded here: ${root} has ${others.join(" and ")} from another place than this command, and `
        + "what is locked in one is open in the other. Start the command that is installed there: "
        + `\`cd ${root} && npx lifecycle grade ...\`.`,
      code: 4
    })
  }
  if (given.out !== undefined) yield* writable(given.out)
  const scratch = yield* place(catalogue.folder)
  const options = {
    course: catalogue.folder,
    scratch,
    timeLimit: `${seconds} seconds`,
    execArgv: Locks.execArgv({ scratch, megabytes })
  } as const
  const grader = yield* Grader.make(options)
  const [first] = assignment.items
  const locks = first === undefined
    ? undefined
    : yield* Locks.measure(grader, first.exercise, { seconds, megabytes })
  return yield* Gradebook.grade({
    catalogue,
    assignment,
    submissions,
    graders: submissions.length > 1 ? [grader, yield* Grader.make(options)] : [grader],
    course: course(),
    conditions: locks === undefined ? [] : Locks.sentences(locks),
    unused,
    resemblances: submissions.length > 1 || given.kind === undefined,
    onProgress: progress
  })
})

/**
 * Answers that do not pass are no failure of the command. Ends with the exit code 4 when something could not be checked,
 * 3 when the course is broken and 2 when it was asked in a wrong way.
 *
 * @category commands
 * @since 0.1.0
 */
export const grade = Command.make(
  "grade",
  {
    folders: Argument.String("dir").pipe(
      Argument.atLeast(1),
      Argument.withDescription("a submission, or a folder with one submission a folder")
    ),
    assignment: Flag.String("assignment").pipe(
      Flag.optional,
      Flag.withDescription("an assignment file; the whole course when absent")
    ),
    out: Flag.String("out").pipe(
      Flag.optional,
      Flag.withDescription("a folder for the gradebook, the statistics, and a page and a report a student")
    ),
    report: Flag.Literals("report", Report.Kind.literals).pipe(
      Flag.optional,
      Flag.withDescription("print a report instead of the gradebook")
    ),
    course: Flag.String("course").pipe(
      Flag.withDefault(join(packageRoot, "exercises")),
      Flag.withDescription("the folder of the course; that of this package when absent")
    )
  },
  Effect.fn("cli.grade")(function*(given) {
    const kind = Option.getOrUndefined(given.report)
    const out = Option.getOrUndefined(given.out)
    const closed = withoutNetwork()
    if (closed !== undefined) {
      process.exitCode = yield* runAgain(closed)
      return
    }
    const gradebook = yield* gradeAll({
      folders: given.folders,
      courseFolder: given.course,
      assignment: Option.getOrUndefined(given.assignment),
      kind,
      out
    }).pipe(Effect.scoped)
    const named = gradebook.reports.filter((one) =>
      one.notices !== undefined || one.exercises.some(({ notices }) => notices !== undefined)
    )
    if (named.length > 0) {
      const names = named.map(({ learner }) => learner).join(", ").replaceAll(/\p{Cc}/gu, "\uFFFD")
      yield* Console.error(
        `${
          named.length === 1 ? "One submission has" : `${named.length} submissions have`
        } files that were not used, or `
          + `more than one answer: see the column "notice" (${names})`
      )
    }
    const unwritten = out === undefined ? undefined : yield* Effect.try({
      try: () => writeAll(out, gradebook, kind),
      catch: (error) =>
        new CannotGrade({ reason: `Not everything could be written to ${out}: ${reasonOf(error)}.`, code: 2 })
    }).pipe(Effect.matchEffect({
      onFailure: Effect.succeed,
      onSuccess: (written) => Effect.as(Console.error(`wrote ${written.length} files to ${resolve(out)}`), undefined)
    }))
    if (kind !== undefined) yield* print(kind, gradebook.reports)
    else if (out === undefined) yield* Console.log(`${Gradebook.csv(gradebook)}\n${Gradebook.statistics(gradebook)}`)
    if (unwritten !== undefined) {
      // The minutes of work are in it. A report that was asked for keeps the standard output to itself.
      const csv = Gradebook.csv(gradebook).trimEnd()
      yield* kind === undefined ? Console.log(csv) : Console.error(csv)
      return yield* unwritten
    }
    const files = gradebook.reports.flatMap((one) =>
      one.exercises
    ).filter((one) => one.status === "couldNotFinish").length
    if (files > 0) return yield* new NotAllChecked({ files })
  })
).pipe(Command.withDescription("Check what students handed in: gradebook, statistics and a page for each"))
