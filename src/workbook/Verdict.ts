/**
 * What a check found: the tasks, the points, the types, and words for the learner.
 *
 * Points come from the manifest alone. A task that did not run has failed; a test that belongs to no task counts for
 * nothing and is named. Points are given only while the types hold, every guard (a task without points) passes, nothing
 * fails outside of the tests, and nothing was tampered with. A verdict is plain data with a `Schema`, so it can be stored, sent and exported.
 *
 * **Gotchas**
 *
 * - `points` is what counts; `tasks[].passed` tells how each task went, also where the points are withheld.
 * - `passed` needs all tasks, guards included, and the types where they were checked.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Verdict } from "effect-lifecycle/workbook"
 * import assert from "node:assert/strict"
 *
 * assert.equal(
 *   Verdict.sentence("It must be given up at 5 s.: expected 7 to equal 5"),
 *   "It must be given up at 5 s. Seen: 7. Expected: 5."
 * )
 * assert.deepEqual(Schema.decodeUnknownSync(Verdict.Outcome)("timedOut"), "timedOut")
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { stripVTControlCharacters } from "node:util"
import { Task } from "./Catalogue.ts"
import { movedHint } from "./internal/moved.ts"

/**
 * How a check ended.
 *
 * `timedOut` was stopped by the watch over it, `crashed` took its process along, `cheated` reached for the grader, and
 * `couldNotFinish` is the grader's own failure, not the learner's. `open` passed as far as it could be run: the rest needs
 * PostgreSQL, which is not there, and is neither passed nor failed.
 *
 * @category models
 * @since 0.1.0
 */
export const Outcome = Schema.Literals([
  "passed",
  "failed",
  "open",
  "timedOut",
  "crashed",
  "cheated",
  "couldNotFinish"
])

/**
 * How a check ended.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = typeof Outcome.Type

/**
 * How one task went.
 *
 * @category models
 * @since 0.1.0
 */
export const TaskVerdict = Schema.Struct({
  ...Task.fields,
  passed: Schema.Boolean,
  /** Says that it could not be run here: neither passed nor failed. */
  open: Schema.optionalKey(Schema.Literal(true)),
  /** Why it failed, in words for the learner; not there when it passed. */
  message: Schema.optionalKey(Schema.String),
  /** The line of the learner's file that the failure came from, where it is known. */
  line: Schema.optionalKey(Schema.Int)
})

/**
 * How one task went.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskVerdict = typeof TaskVerdict.Type

/**
 * What the compiler says about the file.
 *
 * @category models
 * @since 0.1.0
 */
export const TypeVerdict = Schema.Struct({
  status: Schema.Literals(["passed", "failed", "notChecked"]),
  errors: Schema.Array(Schema.Struct({ line: Schema.Int, code: Schema.String, message: Schema.String })),
  /** Why they were not checked. */
  reason: Schema.optionalKey(Schema.String),
  durationMillis: Schema.Finite
})

/**
 * What the compiler says about the file.
 *
 * @category models
 * @since 0.1.0
 */
export type TypeVerdict = typeof TypeVerdict.Type

/**
 * What a check of one file found.
 *
 * @category models
 * @since 0.1.0
 */
export const Verdict = Schema.Struct({
  id: Schema.String,
  file: Schema.String,
  outcome: Outcome,
  passed: Schema.Boolean,
  points: Schema.Int,
  maximum: Schema.Int,
  tasks: Schema.Array(TaskVerdict),
  types: TypeVerdict,
  /** What concerns the file as a whole: it cannot be loaded, it was stopped, its points are withheld. */
  problem: Schema.optionalKey(Schema.String),
  /** The line that the problem is about, where it is known. */
  line: Schema.optionalKey(Schema.Int),
  /** What the file printed; cut at 10 kB. */
  output: Schema.String,
  tampered: Schema.Boolean,
  /** Tests that belong to no task. */
  ignored: Schema.Array(Schema.String),
  durationMillis: Schema.Finite
})

/**
 * What a check of one file found.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = typeof Verdict.Type

/**
 * The points that stay open: neither won nor lost.
 *
 * @category getters
 * @since 0.1.0
 */
export const openPoints = ({ tasks }: Pick<Verdict, "tasks">): number =>
  tasks.reduce((sum, task) => sum + (task.open === true ? task.points : 0), 0)

const comparison = /([.?!]): (expected [^]*)$/

const bound = /^expected ([^]*?) to be ((?:close to|at least|at most|above|below) [^]*)$/
const equality = /^expected ([^]*?) to (?:be|(?:strictly |deeply |loosely )?equal) ([^]*)$/

/** What an assertion library says of two values, as what was seen and what was expected. */
const compared = (text: string): string => {
  const [, seen, expected] = bound.exec(text) ?? equality.exec(text) ?? []
  return seen === undefined || expected === undefined
    ? text
    : `${seen}. Expected: ${expected}`.replaceAll(/(?<![\w.'"])\+0(?![\w.])/g, "0")
}

/**
 * A message of an assertion as sentences: what the author wrote, then what the assertion library adds. Stack lines and
 * colours are left out, and a name that has moved since Effect 3 is named.
 *
 * @category formatting
 * @since 0.1.0
 */
export const sentence = (message: string): string => {
  const text = stripVTControlCharacters(message).split("\n").filter((line) => !/^\s+at \S/.test(line)).join("\n").trim()
  const timeout = /^(?:Test|Hook) timed out in (\d+)ms/.exec(text)
  if (timeout !== null) {
    return `This was still running after ${Number(timeout[1]) / 1000} s of real time. `
      + "Time stands still in a check until the check moves it: wait with Effect.sleep, not with a timer."
  }
  if (text.startsWith("process.exit unexpectedly called")) {
    return "It calls process.exit, which ends the whole program: an answer must not do that."
  }
  const locked = /^(?:TypeError: )?Cannot (?:assign to read only|redefine) property:? '?(\w+)/.exec(text)?.[1]
  if (locked !== undefined) {
    return `It changes \`${locked}\` of something that is not its own: of the language, of Effect or of the check.`
  }
  const ended = text.replace(/^([A-Z][a-zA-Z]*Error: .*[^.?!])[.?!]?$/s, "A check was ended by a $1.").replace(
    comparison,
    (_, mark: string, rest: string) => `${mark} Seen: ${compared(rest.replace(/\.$/, ""))}.`
  )
  const hint = movedHint(text)
  return (ended === "" ? "It failed with an error that has no message." : ended) +
    (hint === undefined ? "" : ` ${hint}`)
}
