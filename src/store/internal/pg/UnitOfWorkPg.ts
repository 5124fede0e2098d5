/** `UnitOfWork` over the transactions of a `SqlClient`. */
import { Cause, Effect, Exit } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type StoreUnavailable, UnitOfWork } from "../../UnitOfWork.ts"
import { inTransaction, translate, unavailable } from "./SqlFailure.ts"

export const make = (sql: SqlClient.SqlClient): UnitOfWork["Service"] => {
  const isOpen = inTransaction(sql)

  const begin = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      let inside: Exit.Exit<A, E> | undefined
      const watched = Effect.onExit(effect, (exit) =>
        Effect.sync(() => {
          inside = exit
        }))
      return Effect.catchCause(sql.withTransaction(watched), (cause) =>
        // The caller's own failure is the answer, whatever the rollback of a dead connection adds to it; what it failed
        // with typed passes as it is, even where that is a `SqlError`.
        Effect.failCause<E | StoreUnavailable>(
          inside !== undefined && Exit.isFailure(inside)
            ? ownFailure(inside.cause)
            : translate("transaction", cause as Cause.Cause<SqlError.SqlError>)
        ))
    })

  return UnitOfWork.of({
    run: (effect) => Effect.flatMap(isOpen, (open) => open ? effect : begin(effect)),
    afterCommit: sql.afterCommit,
    isOpen
  })
}

/** A connection that the driver reports as lost by a defect is typed here, unless something else went wrong as well. */
const ownFailure = <E>(cause: Cause.Cause<E>): Cause.Cause<E | StoreUnavailable> => {
  const [first] = cause.reasons
  const lost = cause.reasons.length > 0 &&
      cause.reasons.every((reason) =>
        Cause.isDieReason(reason) && unavailable("transaction", reason.defect) !== undefined
      ) &&
      first !== undefined && Cause.isDieReason(first)
    ? unavailable("transaction", first.defect)
    : undefined
  return lost === undefined ? cause : Cause.fail(lost)
}
