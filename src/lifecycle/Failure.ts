/**
 * What can go wrong at each stage: status or client error, cause, fix, and the line it leaves in somebody's log.
 *
 * The eighteen rows of the lesson's table carry their number in `lessonRow`; the others are failures the lesson only
 * mentions, or that its table leaves out. Use it to look a failure up (`get`), to list what a stage can do to you
 * (`forStage`), or to print the tables of this room's README.
 *
 * The table is constant data. It describes; it does not diagnose: the same status appears in many rows, and only evidence
 * beside the status tells them apart. That is what `Diagnosis` does, with rules of its own.
 *
 * **Gotchas**
 *
 * - `status: null` means that no HTTP answer exists; `clientError` then says what the client prints.
 * - Some rows are said with another status by some products: a balancer without backends answers 502 or 503.
 *
 * @example
 * ```ts
 * import { Failure } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 *
 * assert.equal(Failure.all.filter((failure) => failure.lessonRow !== undefined).length, 18)
 * assert.deepEqual(Failure.forStage("Router").map((failure) => failure.status), [404, 405, 501])
 * assert.match(Failure.get("proxy-upstream-refused").logLine, /Connection refused/)
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { road } from "./internal/roadFailures.ts"
import { server } from "./internal/serverFailures.ts"
import { compare, type StageName, StageName as StageNameSchema } from "./Stage.ts"

const rows = [...road, ...server] as const

/**
 * The stable name of a failure, such as `proxy-upstream-refused`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const FailureId = Schema.Literals(rows.map((row) => row.id))

/**
 * The stable name of a failure, such as `proxy-upstream-refused`.
 *
 * @category models
 * @since 0.1.0
 */
export type FailureId = (typeof rows)[number]["id"]

/**
 * One way in which a stage fails.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Failure = Schema.Struct({
  id: FailureId,
  stage: StageNameSchema,
  /** The row of the lesson's table, 1 to 18. */
  lessonRow: Schema.optionalKey(Schema.Int),
  failure: Schema.String,
  /** The status that the client sees, or `null` where no HTTP answer exists. */
  status: Schema.NullOr(Schema.Int),
  /** What a client prints or throws, where that tells more than a status. */
  clientError: Schema.optionalKey(Schema.String),
  cause: Schema.String,
  fix: Schema.String,
  /** The line it leaves, as its author writes it. */
  logLine: Schema.String,
  /** In whose log that line is found. */
  loggedBy: Schema.String
})

/**
 * One way in which a stage fails.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly id: FailureId
  readonly stage: StageName
  readonly lessonRow?: number
  readonly failure: string
  readonly status: number | null
  readonly clientError?: string
  readonly cause: string
  readonly fix: string
  readonly logLine: string
  readonly loggedBy: string
}

/**
 * Every failure, in the order of the road; within a stage, the lesson's rows first.
 *
 * @category constants
 * @since 0.1.0
 */
export const all: ReadonlyArray<Failure> = rows.toSorted((self: Failure, that: Failure) =>
  compare(self.stage, that.stage) || (self.lessonRow ?? 99) - (that.lessonRow ?? 99)
)

const byId: ReadonlyMap<FailureId, Failure> = new Map(all.map((failure) => [failure.id, failure]))

/**
 * The failure of an id.
 *
 * @category getters
 * @since 0.1.0
 */
export const get = (id: FailureId): Failure => byId.get(id) as Failure // every id of the union is a row's

/**
 * The failures of a stage.
 *
 * @category getters
 * @since 0.1.0
 */
export const forStage = (stage: StageName): ReadonlyArray<Failure> => all.filter((failure) => failure.stage === stage)
