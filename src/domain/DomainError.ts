/**
 * What every command can fail with besides its own errors.
 *
 * `Command.make` adds these and `StoreUnavailable` to the error schema of a command, so that a caller over RPC gets them as
 * typed as a caller in the same process. None of them knows of HTTP; `server/Problems` owns that table.
 *
 * **Gotchas**
 *
 * - After `ConcurrencyConflict` nothing was kept: sending the command again decides it on the new state.
 * - `VersionMismatch` is not worth repeating: the caller looked at a state that is gone and has to look again. Neither is
 *   `CommandIdMismatch`: a command id belongs to one payload.
 * - After `CommandInProgress` the command may have happened or not. Send it again under the same id, later.
 *
 * @example
 * ```ts
 * import { DomainError } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const error = new DomainError.VersionMismatch({ aggregate: "Order", id: "o-1", expected: 3, actual: 4 })
 * assert.equal(error.message, "Order \"o-1\" is at version 4, not at the expected 3. Read it again and decide anew")
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { StoreUnavailable } from "../store/UnitOfWork.ts"

/**
 * The aggregate was changed by others on every attempt to decide the command. Nothing was kept.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConcurrencyConflict extends Schema.TaggedError<ConcurrencyConflict>()("ConcurrencyConflict", {
  aggregate: Schema.String,
  id: Schema.String,
  expected: Schema.Finite,
  actual: Schema.Finite
}) {
  override get message(): string {
    return `${this.aggregate} "${this.id}" moved from version ${this.expected} to ${this.actual} while it was decided on. Send the command again`
  }
}

/**
 * The caller named a version (`If-Match`) that the aggregate no longer has. Nothing was kept, nothing was retried.
 *
 * @category errors
 * @since 0.1.0
 */
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>()("VersionMismatch", {
  aggregate: Schema.String,
  id: Schema.String,
  /** Absent where the caller's ETag is none that a version has, such as `W/"1"`. */
  expected: Schema.optionalKey(Schema.Finite),
  actual: Schema.Finite
}) {
  override get message(): string {
    const expected = this.expected === undefined ? "one that the given ETag names" : `the expected ${this.expected}`
    return `${this.aggregate} "${this.id}" is at version ${this.actual}, not at ${expected}. Read it again and decide anew`
  }
}

/**
 * The command id was used before, for the same command with another payload. Nothing was kept.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandIdMismatch extends Schema.TaggedError<CommandIdMismatch>()("CommandIdMismatch", {
  name: Schema.String,
  commandId: Schema.String
}) {
  override get message(): string {
    return `The id "${this.commandId}" belongs to a "${this.name}" with another payload. Send this one under a new id`
  }
}

/**
 * The command that came first under this command id has not ended yet, or its process has died a moment ago. It may
 * happen.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandInProgress extends Schema.TaggedError<CommandInProgress>()("CommandInProgress", {
  name: Schema.String,
  commandId: Schema.String
}) {
  override get message(): string {
    return `The first "${this.name}" with the id "${this.commandId}" is still running. Send it again later, under the same id`
  }
}

/**
 * A hook or a middleware did not let the command pass.
 *
 * @category errors
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  name: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.name}" was refused: ${this.reason}`
  }
}

/**
 * One field that is not as its schema asks.
 *
 * @category models
 * @since 0.1.0
 */
export const FieldIssue = Schema.Struct({
  /** A JSON pointer into the payload; `""` is the payload itself. */
  pointer: Schema.String,
  /** Where the pointer points, when a request over HTTP did not decode and it is not the body. */
  in: Schema.optionalKey(Schema.Literals(["path", "query", "header"])),
  message: Schema.String
})

/**
 * The payload does not fit the schema of its command or query. Nothing ran: no hook, no middleware, no transaction.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidPayload extends Schema.TaggedError<InvalidPayload>()("InvalidPayload", {
  name: Schema.String,
  issues: Schema.Array(FieldIssue)
}) {
  override get message(): string {
    const issues = this.issues.map(({ in: place = "", message, pointer }) =>
      `${place}${pointer === "" ? "/" : pointer}: ${message}`
    )
    return `The payload of "${this.name}" is invalid: ${issues.join("; ")}`
  }
}

/**
 * What a command can fail with besides its own errors.
 *
 * @category models
 * @since 0.1.0
 */
export type CommandFailure =
  | StoreUnavailable
  | ConcurrencyConflict
  | VersionMismatch
  | CommandIdMismatch
  | CommandInProgress
  | Refused
  | InvalidPayload

/**
 * What a query can fail with besides its own errors.
 *
 * @category models
 * @since 0.1.0
 */
export type QueryFailure = StoreUnavailable | Refused | InvalidPayload

/**
 * The error schema of a command: its own errors and {@link CommandFailure}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ofCommand = <E extends Schema.Top>(error: E): CommandErrors<E> => Schema.Union([error, ...commandFailures])

/** @internal */
export const commandFailures = [
  StoreUnavailable,
  ConcurrencyConflict,
  VersionMismatch,
  CommandIdMismatch,
  CommandInProgress,
  Refused,
  InvalidPayload
] as const

/**
 * The type of {@link ofCommand}.
 *
 * @category schemas
 * @since 0.1.0
 */
export interface CommandErrors<E extends Schema.Top> extends
  Schema.Union<
    readonly [
      E,
      typeof StoreUnavailable,
      typeof ConcurrencyConflict,
      typeof VersionMismatch,
      typeof CommandIdMismatch,
      typeof CommandInProgress,
      typeof Refused,
      typeof InvalidPayload
    ]
  >
{}

/**
 * The error schema of a query: its own errors and {@link QueryFailure}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ofQuery = <E extends Schema.Top>(error: E): QueryErrors<E> =>
  Schema.Union([error, StoreUnavailable, Refused, InvalidPayload])

/**
 * The type of {@link ofQuery}.
 *
 * @category schemas
 * @since 0.1.0
 */
export interface QueryErrors<E extends Schema.Top>
  extends Schema.Union<readonly [E, typeof StoreUnavailable, typeof Refused, typeof InvalidPayload]>
{}
