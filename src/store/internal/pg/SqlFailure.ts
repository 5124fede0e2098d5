/** What a failed statement means to a caller: the store is away, or somebody made a mistake. */
import { Cause, Context, Effect, type Fiber } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import { StoreUnavailable } from "../../UnitOfWork.ts"
import { Undone } from "../Undone.ts"

/**
 * SQLSTATEs of a server that is shutting down, starting, full, failing or no longer the primary. The driver reports most
 * of them as `UnknownError`. 08: connection; 53: resources; 57P01 to 57P05: shutdown, crash, start, dropped, idle; 58:
 * system; 25006: read-only after a failover.
 */
const away = /^(08...|53...|57P0[1-5]|58...|25006)$/

const codeOf = (error: SqlError.SqlError): string | undefined => {
  const { cause } = error.reason
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined
}

/** Whether the same statement may succeed later, without anybody changing it. */
const isAway = (error: SqlError.SqlError): boolean =>
  error.isRetryable || error.reason._tag === "AuthenticationError" || error.reason.operation === "connect" ||
  away.test(codeOf(error) ?? "")

/**
 * What the server undid because of what others had locked: a deadlock, a conflict of snapshots, or a table of locks that was
 * full (53200 has no tag of its own).
 */
const isUndoing = (error: SqlError.SqlError): boolean =>
  error.reason._tag === "DeadlockError" || error.reason._tag === "SerializationError" || codeOf(error) === "53200"

/** The `StoreUnavailable` of a lost connection; `undefined` when the error is anything else. */
export const unavailable = (operation: string, error: unknown): StoreUnavailable | undefined => {
  if (!SqlError.isSqlError(error) || !isAway(error)) return undefined
  const { cause } = error.reason
  const detail = cause instanceof Error && cause.message !== "" ? cause.message : error.message
  const code = codeOf(error)
  const reason = code === undefined ? detail : `${detail} (${code})`
  return isUndoing(error) ? new Undone({ operation, reason }) : new StoreUnavailable({ operation, reason })
}

const slow = new Set(["LockTimeoutError", "StatementTimeoutError"])

/** The same of somebody else's statement, whose slowness is its own. */
export const outage = (operation: string, error: unknown): StoreUnavailable | undefined =>
  SqlError.isSqlError(error) && slow.has(error.reason._tag) ? undefined : unavailable(operation, error)

/**
 * Turns a lost connection into one typed `StoreUnavailable`, also where the driver raised it as a defect; any other
 * `SqlError` is a bug of this library or of the schema, and becomes a defect.
 */
export const orUnavailable =
  (operation: string) =>
  <A, E, R>(self: Effect.Effect<A, E | SqlError.SqlError, R>): Effect.Effect<
    A,
    Exclude<E, SqlError.SqlError> | StoreUnavailable,
    R
  > => Effect.catchCause(self, (cause) => Effect.failCause(translate(operation, cause)))

export const translate = <E>(
  operation: string,
  cause: Cause.Cause<E>
): Cause.Cause<Exclude<E, SqlError.SqlError> | StoreUnavailable> => {
  const kept: Array<Cause.Reason<Exclude<E, SqlError.SqlError>>> = []
  let lost: StoreUnavailable | undefined
  for (const reason of cause.reasons) {
    const raised = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
    const found = unavailable(operation, raised)
    if (found !== undefined) lost ??= found
    else if (Cause.isFailReason(reason) && SqlError.isSqlError(reason.error)) {
      kept.push(Cause.makeDieReason(reason.error))
    } else kept.push(reason as Cause.Reason<Exclude<E, SqlError.SqlError>>)
  }
  // An interruption stays one, and a defect of somebody else must not hide behind the lost connection.
  return lost === undefined || kept.length > 0 ? Cause.fromReasons(kept) : Cause.fail(lost)
}

/** Whether the statement was certainly undone, because the server has answered that it failed and is still there. */
export const isUndone = (operation: string, cause: Cause.Cause<SqlError.SqlError>): boolean =>
  cause.reasons.length > 0 &&
  cause.reasons.every((reason) =>
    Cause.isFailReason(reason) && codeOf(reason.error) !== undefined &&
    unavailable(operation, reason.error) === undefined
  )

/** Whether the fiber is inside a transaction of `sql`. */
export const isInTransaction = (sql: SqlClient.SqlClient, fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  Context.getOrUndefined(fiber.context, sql.transactionService) !== undefined

export const inTransaction = (sql: SqlClient.SqlClient): Effect.Effect<boolean> =>
  Effect.withFiber((fiber) => Effect.succeed(isInTransaction(sql, fiber)))

/**
 * Runs one statement again, up to three times, when the server undid it to break a deadlock. Inside a transaction the
 * server has undone more than the statement, so there it is the caller's turn.
 */
export const retrying =
  (sql: SqlClient.SqlClient) =>
  <A, R>(statement: Effect.Effect<A, SqlError.SqlError, R>): Effect.Effect<A, SqlError.SqlError, R> => {
    // By hand, because `Effect.retry` costs more than the statement's own overhead, also when nothing fails.
    const attempt = (left: number): Effect.Effect<A, SqlError.SqlError, R> =>
      left === 0 ? statement : Effect.catch(statement, (error) => {
        const { _tag } = error.reason
        if (_tag !== "SerializationError" && _tag !== "DeadlockError") return Effect.fail(error)
        return Effect.flatMap(inTransaction(sql), (open) => open ? Effect.fail(error) : attempt(left - 1))
      })
    return attempt(3)
  }
