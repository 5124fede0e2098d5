/**
 * What stands between the work of strangers and the machine that grades it.
 *
 * `execArgv` starts a grader under Node's permission model with a limit for its memory. What that stops is not taken on
 * trust: `measure` sends a file through the same grader that tries to write, to read outside the course, to start a
 * process and to see a network, and reports what it could do. `sentences` says it to people.
 *
 * **Gotchas**
 *
 * - Node calls its permissions a seat belt: they stop trusted code from mistakes, not somebody who knows a hole. Work that
 *   there is reason to distrust belongs into a container or a virtual machine of its own.
 * - The network is closed by starting the whole command without one (`unshare --net`); Node has no option for it.
 * - A file can always use up its time, its memory, and whatever the course itself lets it read.
 *
 * @example
 * ```ts
 * import { Locks } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * const said = Locks.sentences({ writes: false, processes: false, reads: false, network: true, seconds: 5, megabytes: 1024 })
 * assert.ok(said.some((sentence) => sentence.startsWith("The network was open")))
 * assert.ok(Locks.execArgv({ scratch: ".lifecycle" }).includes("--permission"))
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Schema, type Scope } from "effect"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { networkInterfaces, tmpdir } from "node:os"
import { join, resolve } from "node:path"
import type { Exercise } from "./Catalogue.ts"
import type { Grader } from "./Grader.ts"

/**
 * What a checked file could do; `undefined` where it could not be found out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Locks {
  /** Whether it could write files. */
  readonly writes: boolean | undefined
  /** Whether it could read files outside the course's folder. */
  readonly reads: boolean | undefined
  /** Whether it could start processes. */
  readonly processes: boolean | undefined
  /** Whether it could see a network. */
  readonly network: boolean | undefined
  /** How long a check may take where the exercise does not say. */
  readonly seconds: number
  /** How much memory JavaScript may use in it. */
  readonly megabytes: number
}

/**
 * Options for a grader whose files come from strangers. The folder is where it keeps its copies, and is made here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const execArgv = (options: {
  readonly scratch: string
  readonly megabytes?: number | undefined
}): ReadonlyArray<string> => {
  const scratch = resolve(options.scratch)
  // Node takes a folder for a folder only while it is there.
  mkdirSync(scratch, { recursive: true })
  return [
    "--permission",
    // The test runner looks at the machine, compiles with native code and keeps files in the folder for temporary ones.
    "--allow-fs-read=*",
    `--allow-fs-write=${scratch}`,
    `--allow-fs-write=${resolve(tmpdir())}`,
    "--allow-child-process",
    "--allow-worker",
    "--allow-addons",
    "--disable-warning=SecurityWarning",
    `--max-old-space-size=${options.megabytes ?? 1024}`
  ]
}

/**
 * Whether this process can see a network besides its own loopback.
 *
 * @category getters
 * @since 0.1.0
 */
export const seesNetwork = (): boolean =>
  Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ internal }) => !internal) === true)

const Found = Schema.fromJsonString(
  Schema.Struct({ writes: Schema.Boolean, reads: Schema.Boolean, processes: Schema.Boolean, network: Schema.Boolean })
)

const mark = "what a checked file can do: "

/** A file that tries everything and says what went through. */
const attempt = (target: string, secret: string): string => `
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
const can = (work: () => unknown): boolean => {
  try {
    return work() !== false
  } catch {
    return false
  }
}
console.log(${JSON.stringify(mark)} + JSON.stringify({
  writes: can(() => writeFileSync(${JSON.stringify(target)}, "")),
  reads: can(() => readFileSync(${JSON.stringify(secret)})),
  processes: can(() => spawnSync(process.execPath, ["--version"]).status === 0),
  network: Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ internal }) => !internal))
}))
`

/**
 * Finds out what a file could do in a grader, by trying it there.
 *
 * @category constructors
 * @since 0.1.0
 */
export const measure = Effect.fn("Locks.measure")(function*(
  grader: Grader["Service"],
  exercise: Exercise,
  limits: { readonly seconds: number; readonly megabytes: number }
): Effect.fn.Return<Locks, never, Scope.Scope> {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "locks-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const file = join(folder, "attempt.ts")
  const target = join(folder, "written")
  const secret = join(folder, "secret")
  yield* Effect.sync(() => {
    writeFileSync(secret, "")
    writeFileSync(file, attempt(target, secret))
  })
  const verdict = yield* grader.check({ exercise, file, types: false, trusted: true })
  const said = verdict.output.split("\n").find((line) => line.startsWith(mark))?.slice(mark.length)
  const found = yield* Effect.option(Schema.decodeEffect(Found)(said ?? ""))
  const nothing = { writes: undefined, reads: undefined, processes: undefined, network: undefined }
  return {
    ...found._tag === "Some" ? found.value : nothing,
    ...existsSync(target) && { writes: true },
    ...limits
  }
}, Effect.scoped)

const said = (could: boolean | undefined, no: string, yes: string, what: string): string =>
  could === undefined ? `It could not be found out whether a file could ${what}.` : could ? yes : no

/**
 * What was stopped and what was not, for people.
 *
 * @category rendering
 * @since 0.1.0
 */
export const sentences = (locks: Locks): ReadonlyArray<string> => [
  `A check that took longer than its limit (${locks.seconds} s unless the exercise has its own) was ended and made once `
  + `more with four times the time. JavaScript could use ${locks.megabytes} MB; memory outside JavaScript's heap had no limit.`,
  said(
    locks.writes,
    "Files under check could not write to the disk.",
    "A file that got past the rules for imports could have written to the disk, with the rights of whoever graded.",
    "write to the disk"
  ),
  said(
    locks.reads,
    "Files under check could read nothing outside the folder of the course and its packages.",
    "It could have read whatever the user who graded can read, other submissions included.",
    "read outside the course"
  ),
  said(
    locks.processes,
    "Files under check could start no process.",
    "It could have started processes.",
    "start processes"
  ),
  said(
    locks.network,
    "The network was closed.",
    "The network was open: nothing but the rules for imports kept a file from it.",
    "use the network"
  ),
  "A file that imports or names what an answer does not need is refused before anything of it runs. None of all this"
  + " stops somebody who knows a hole in Node or in the grader: work that there is reason to distrust belongs "
  + "into a container or a virtual machine."
]
