/**
 * Runs the check of an exercise against a file, and says how it went.
 *
 * One vitest instance is kept warm in a process of its own: the first check starts it, later ones take a few hundred
 * milliseconds. The grader watches over it: a file that does not come to an end is stopped by ending the process, and a
 * fresh one is started for the next check. The compiler looks at the file at the same time. Checks run one after
 * another, however many are asked for at once.
 *
 * Exercises with SQL run on PostgreSQL and on nothing else. The course starts it (`postgres.mjs`, in a process of its own);
 * it is started by the first such check, stays for the later ones, and each check gets a schema of its own. Where none can
 * be had, the tasks that need it stay `open`, and the others are graded.
 *
 * A check never fails as an effect. Whatever a file does (loops for ever, exits, throws while it loads, prints megabytes,
 * reaches for the test runner), the answer is a verdict, and the next check finds a clean grader.
 *
 * **Gotchas**
 *
 * - A grade from one's own machine is advice: whoever owns the machine can change the grader. Only an instructor's own run counts.
 * - `vitest`, `@effect/vitest` and `typescript` are optional packages: without the first two a verdict is
 *   `couldNotFinish` and names them, without the compiler the types are `notChecked` and points count all the same.
 * - Time limits are real time. Under a `TestClock` the watch over the process stands still.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Catalogue, Grader } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const catalogue = yield* Catalogue.load("exercises")
 *   const exercise = Catalogue.find(catalogue, "02.2")
 *   assert.ok(exercise)
 *   const grader = yield* Grader.Grader
 *   const verdict = yield* grader.check({ exercise, file: exercise.stub, types: false })
 *   assert.equal(verdict.outcome, "failed")
 *   assert.equal(verdict.points, 0)
 * })
 * await Effect.runPromise(program.pipe(Effect.provide(Grader.Grader.layer({ course: "exercises" }))))
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, Fiber, FiberHandle, Layer, Schema, type Scope, Semaphore } from "effect"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { basename, dirname, join, relative, resolve, sep } from "node:path"
import type { Exercise } from "./Catalogue.ts"
import { type Host, type HostLost, HostUnavailable, startHost } from "./internal/hostProcess.ts"
import { type Checked, judge, stopped, tookDown } from "./internal/judge.ts"
import * as Postgres from "./internal/postgresProcess.ts"
import { checkTypes } from "./internal/typeGate.ts"
import type { TypeVerdict, Verdict } from "./Verdict.ts"

/**
 * The process that runs the tests cannot be started.
 *
 * @category errors
 * @since 0.1.0
 */
export class GraderUnavailable extends Schema.TaggedError<GraderUnavailable>()("GraderUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The grader could not start: ${this.reason}`
  }
}

/**
 * A file to check as the answer to an exercise.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly exercise: Exercise
  readonly file: string
  /** Whether the compiler looks at it too; yes unless said otherwise. */
  readonly types?: boolean | undefined
  /** Trusts a file of the course itself (a solution, a wrong answer): it may import its neighbours. */
  readonly trusted?: boolean | undefined
  /** Instead of the exercise's own limit, or the grader's. */
  readonly timeLimit?: Duration.Input | undefined
}

/**
 * How a grader works.
 *
 * @category models
 * @since 0.1.0
 */
export interface GraderOptions {
  /** The folder of the course; the folder above it has the packages. */
  readonly course: string
  /** How long one check may take; 5 seconds unless said otherwise. */
  readonly timeLimit?: Duration.Input | undefined
  /** How long the process is kept without anything to do; 10 minutes unless said otherwise. */
  readonly idle?: Duration.Input | undefined
  /** Where copies are put while they are checked; `.lifecycle` beside the course unless said otherwise. */
  readonly scratch?: string | undefined
  /** Options for Node in the process that runs the files; a memory limit of 1 GB unless said otherwise. */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/**
 * Checks files.
 *
 * @category services
 * @since 0.1.0
 */
export class Grader extends Context.Service<Grader, {
  /** Checks a file. */
  readonly check: (subject: Subject) => Effect.Effect<Verdict>
  /** Starts the process, so that the first check is quick. */
  readonly ready: Effect.Effect<void, GraderUnavailable>
  /** Ends the process; the next check starts another one. */
  readonly rest: Effect.Effect<void>
}>()("effect-lifecycle/workbook/Grader") {
  /** A grader for a course; its process ends with the layer. */
  static readonly layer = (options: GraderOptions): Layer.Layer<Grader> => Layer.effect(Grader, make(options))
}

// vitest keeps a little of every run; a fresh process now and then bounds it.
const freshAfter = 100

const notChecked: TypeVerdict = { status: "notChecked", errors: [], reason: "Nobody asked for it.", durationMillis: 0 }

/**
 * Makes a grader whose process ends with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: GraderOptions
): Effect.fn.Return<Grader["Service"], never, Scope.Scope> {
  const course = resolve(options.course)
  const root = dirname(course)
  const { execArgv = ["--max-old-space-size=1024"], idle = "10 minutes", scratch: parent = join(root, ".lifecycle") } =
    options
  const fromSource = existsSync(join(root, "src", "index.ts"))
  const scope = yield* Effect.scope
  const turn = yield* Semaphore.make(1)
  const resting = yield* FiberHandle.make<void>()
  const postgres = yield* Postgres.make({ course, root, fromSource })
  let scratch: string | undefined
  let starting: Fiber.Fiber<Host, HostUnavailable> | undefined
  let running: Host | undefined
  let number = 0
  let asked = 0

  const folder = Effect.try({
    try: () => {
      if (scratch === undefined || !existsSync(scratch)) {
        mkdirSync(parent, { recursive: true })
        scratch = mkdtempSync(join(parent, "check-"))
      }
      return scratch
    },
    catch: () => new HostUnavailable({ reason: `There is no place to work: ${parent} cannot be written to.` })
  })

  const start = Effect.gen(function*() {
    const own = join(yield* folder, `${number++}`)
    const host = yield* startHost({ root, course, scratch: own, fromSource, execArgv }).pipe(
      Effect.timeoutOrElse({
        duration: "30 seconds",
        orElse: () => Effect.fail(new HostUnavailable({ reason: "it was not ready after 30 s." }))
      })
    )
    running = host
    asked = 0
    return host
  })

  const launch = Effect.gen(function*() {
    starting = yield* Effect.forkIn(start, scope, { startImmediately: true })
    return starting
  })

  const stop = Effect.suspend(() => {
    const [host, fiber] = [running, starting]
    running = undefined
    starting = undefined
    return Effect.andThen(host?.kill ?? Effect.void, fiber === undefined ? Effect.void : Fiber.interrupt(fiber))
  })

  const ready = Effect.suspend(() => {
    if (running?.isAlive() === true) return Effect.succeed(running)
    const known = running === undefined ? starting : undefined
    return Effect.flatMap(known === undefined ? launch : Effect.succeed(known), Fiber.join).pipe(
      Effect.tapError(() => Effect.sync(() => void (starting = undefined)))
    )
  })

  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      stop,
      Effect.sync(() => {
        if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true, maxRetries: 3 })
      })
    )
  )

  const typesOf = (subject: Subject): Effect.Effect<TypeVerdict> =>
    subject.types === false ? Effect.succeed(notChecked) : Effect.matchEffect(folder, {
      onFailure: ({ reason }) => Effect.succeed<TypeVerdict>({ ...notChecked, reason }),
      onSuccess: (place) => {
        const at = subject.trusted === true ? subject.file : subject.exercise.stub
        return checkTypes({
          file: subject.file,
          at: relative(course, resolve(at)).split(sep).join("/"),
          course,
          root,
          scratch: join(place, "types"),
          fromSource
        })
      }
    })

  const limitOf = (subject: Subject): Duration.Duration => {
    const seconds = subject.exercise.manifest.timeLimit
    const own = seconds === undefined ? undefined : Duration.seconds(seconds)
    return Duration.fromInputUnsafe(subject.timeLimit ?? own ?? options.timeLimit ?? "5 seconds")
  }

  type Ended = (checked: Checked) => Verdict

  const sqlFor = Effect.fnUntraced(function*({ manifest: { needsSql, tasks } }: Exercise) {
    if (needsSql === undefined || needsSql === false) return { given: undefined, open: undefined }
    return yield* postgres.schema.pipe(
      Effect.map((place) => ({ given: { _tag: "Place" as const, place }, open: undefined })),
      Effect.catch(({ reason }) =>
        Effect.succeed({
          given: { _tag: "None" as const },
          open: { tasks: needsSql === true ? tasks.map((task) => task.id) : needsSql, reason }
        })
      )
    )
  })

  const testsOf = Effect.fnUntraced(function*(
    subject: Subject
  ): Effect.fn.Return<Ended, HostUnavailable | HostLost, Scope.Scope> {
    const { exercise, file, trusted } = subject
    const [host, sql] = yield* Effect.all([ready, sqlFor(exercise)], { concurrency: 2 })
    const limit = limitOf(subject)
    const answer = yield* host.ask({
      number: number++,
      file: resolve(file),
      folder: trusted === true ? dirname(resolve(file)) : exercise.folder,
      spec: exercise.spec,
      given: trusted === true ? undefined : [...exercise.given, join(course, "support.ts")],
      imports: exercise.manifest.imports ?? [],
      sql: sql.given,
      skip: sql.open?.tasks ?? []
    }).pipe(
      Effect.timeoutOption(limit),
      Effect.onInterrupt(() => stop)
    )
    if (answer._tag === "Some") {
      if (++asked >= freshAfter) {
        yield* stop
        yield* launch
      }
      return (checked) => judge({ ...checked, open: sql.open }, answer.value)
    }
    const output = host.printed()
    yield* stop
    yield* launch
    return (checked) =>
      stopped(
        checked,
        "timedOut",
        `The check was stopped after ${Duration.toSeconds(limit)} s. Is there a loop without an exit? `
          + "If not, the machine was busy: check again.",
        { output }
      )
  })

  const lost = (error: HostUnavailable | HostLost): Ended => (checked) => {
    if (error._tag === "HostLost" && error.how === "ended") {
      return stopped(checked, "crashed", tookDown(error.reason))
    }
    return stopped(checked, "couldNotFinish", `The check could not be made: ${error.reason}`)
  }

  const checkNow = Effect.fnUntraced(function*(subject: Subject): Effect.fn.Return<Verdict> {
    const { exercise, file } = subject
    const began = yield* Clock.currentTimeMillis
    const result = (ended: Ended, types: TypeVerdict) =>
      Effect.map(Clock.currentTimeMillis, (now) => ended({ exercise, file, types, durationMillis: now - began }))
    if (!existsSync(file)) {
      return yield* result((checked) => stopped(checked, "couldNotFinish", `There is no file ${file}.`), notChecked)
    }
    const [ended, types] = yield* Effect.all([
      Effect.scoped(testsOf(subject)).pipe(
        Effect.catch((error) => error._tag === "HostLost" ? Effect.as(stop, lost(error)) : Effect.succeed(lost(error)))
      ),
      typesOf(subject)
    ], { concurrency: 2 })
    return yield* result(ended, types)
  })

  const rest = turn.withPermit(Effect.andThen(stop, postgres.rest))
  const restLater = FiberHandle.run(resting, Effect.delay(rest, idle))

  return {
    check: (subject) =>
      turn.withPermit(checkNow(subject)).pipe(
        Effect.ensuring(restLater),
        Effect.withSpan("Grader.check", {
          attributes: { exercise: subject.exercise.manifest.id, file: basename(subject.file) }
        })
      ),
    ready: ready.pipe(
      Effect.mapError(({ reason }) => new GraderUnavailable({ reason })),
      Effect.asVoid
    ),
    rest
  }
})
