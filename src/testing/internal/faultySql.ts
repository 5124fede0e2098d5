/** The client around a client: every connection it hands out asks the controller before each statement. */
import { type Duration, Effect, Stream } from "effect"
import { SqlClient, type SqlConnection, SqlError } from "effect/sql"

/** A statement on its way to the database. */
export interface Seen {
  readonly kind: "begin" | "commit" | "rollback" | "savepoint" | "statement"
  readonly text: string
  readonly parameters: ReadonlyArray<unknown>
  readonly inTransaction: boolean
}

type Fault =
  | { readonly _tag: "Fail"; readonly error: SqlError.SqlError }
  | { readonly _tag: "Delay"; readonly duration: Duration.Input }
  | { readonly _tag: "Cut"; readonly when: "before" | "after" }

export interface Control<F extends Fault> {
  readonly next: (statement: Seen) => F | undefined
}

type Connection = SqlConnection.Connection

export const make = (sql: SqlClient.SqlClient, control: Control<Fault>): SqlClient.SqlClient => {
  const dialect = dialectOf(sql)
  const wrapped = new WeakSet<Connection>()

  const wrap = (connection: Connection): Connection => {
    // A statement in a transaction is given the transaction's connection, which is wrapped already.
    if (wrapped.has(connection)) return connection
    let open = false
    let dead = false

    const undo = Effect.ignoreCause(connection.executeUnprepared(dialect.rollback, [], undefined))
    const cut: Effect.Effect<void> = Effect.suspend(() => {
      dead = true
      return dialect.terminate === undefined
        // The server would undo the transaction of a connection that is gone; this one goes back to a pool.
        ? open ? undo : Effect.void
        : Effect.ignoreCause(connection.executeUnprepared(dialect.terminate, [], undefined))
    })

    const asked = <A>(text: string, parameters: ReadonlyArray<unknown>, run: Effect.Effect<A, SqlError.SqlError>) =>
      Effect.suspend((): Effect.Effect<A, SqlError.SqlError> => {
        const kind = kindOf(text)
        const fault = control.next({ kind, text, parameters, inTransaction: open })
        if (dead) return dialect.terminate === undefined ? Effect.fail(lost()) : run
        if (kind === "begin") open = true
        switch (fault?._tag) {
          case undefined:
            break
          case "Fail":
            return kind === "commit" || kind === "rollback"
              // Nothing may stay open on a connection that goes back to its pool.
              ? Effect.andThen(undo, Effect.fail(fault.error))
              : Effect.fail(fault.error)
          case "Delay":
            return Effect.andThen(Effect.sleep(fault.duration), run)
          case "Cut":
            // After a cut the driver says itself what it finds.
            return fault.when === "before"
              ? Effect.andThen(cut, dialect.terminate === undefined ? Effect.fail(lost()) : run)
              : Effect.flatMap(run, () => Effect.andThen(cut, Effect.fail(lost())))
        }
        return run
      })

    const self: Connection = {
      execute: (text, parameters, transform) =>
        asked(text, parameters, connection.execute(text, parameters, transform)),
      executeRaw: (text, parameters) => asked(text, parameters, connection.executeRaw(text, parameters)),
      executeValues: (text, parameters) => asked(text, parameters, connection.executeValues(text, parameters)),
      executeValuesUnprepared: (text, parameters) =>
        asked(text, parameters, connection.executeValuesUnprepared(text, parameters)),
      executeUnprepared: (text, parameters, transform) =>
        asked(text, parameters, connection.executeUnprepared(text, parameters, transform)),
      executeStream: (text, parameters, transform) =>
        Stream.unwrap(
          asked(text, parameters, Effect.sync(() => connection.executeStream(text, parameters, transform)))
        )
    }
    wrapped.add(self)
    return self
  }

  const withTransaction = SqlClient.makeWithTransaction({
    transactionService: sql.transactionService,
    spanAttributes: [],
    acquireConnection: (restore) => Effect.map(restore(sql.reserve), wrap),
    begin: (connection, statement) => executed(connection, statement ?? dialect.begin),
    savepoint: (connection, id) => executed(connection, dialect.savepoint(`effect_sql_${id}`)),
    releaseSavepoint: (connection, id) => {
      const release = dialect.releaseSavepoint?.(`effect_sql_${id}`)
      return release === undefined ? Effect.void : executed(connection, release)
    },
    commit: (connection) => Effect.flatMap(connection.executeRaw("COMMIT", []), committed),
    rollback: (connection) => executed(connection, dialect.rollback),
    rollbackSavepoint: (connection, id) => executed(connection, dialect.rollbackSavepoint(`effect_sql_${id}`))
  })

  // A statement brings the connections it may run on along as fields; whoever made it, here they are replaced.
  const faulty = (made: unknown): unknown => {
    if (!isStatement(made)) return made
    const { acquirer, borrower } = made
    made.acquirer = Effect.map(acquirer, wrap)
    made.borrower = borrower === undefined ? undefined : (use) => borrower((connection) => use(wrap(connection)))
    return made
  }

  const around = (client: SqlClient.SqlClient): SqlClient.SqlClient => {
    const proxy: SqlClient.SqlClient = new Proxy(client, {
      apply: (target, self, parameters) => faulty(Reflect.apply(target, self, parameters)),
      get: (target, property) => {
        switch (property) {
          case "unsafe":
            return (...parameters: Parameters<typeof target.unsafe>) => faulty(target.unsafe(...parameters))
          case "reserve":
            return Effect.map(target.reserve, wrap)
          case "withTransaction":
            return withTransaction
          case "safe":
            return proxy
          case "withoutTransforms":
            return () => around(target.withoutTransforms())
          default:
            return Reflect.get(target, property)
        }
      }
    })
    return proxy
  }
  return around(sql)
}

const executed = (connection: Connection, text: string): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(connection.executeUnprepared(text, [], undefined))

/** PostgreSQL answers `ROLLBACK` to the `COMMIT` of a transaction in which a statement has failed. */
const committed = (answer: unknown): Effect.Effect<void, SqlError.SqlError> =>
  typeof answer === "object" && answer !== null && "command" in answer && answer.command === "ROLLBACK"
    ? Effect.fail(
      new SqlError.SqlError({
        reason: new SqlError.UnknownError({
          cause: new Error("COMMIT rolled back an aborted transaction"),
          message: "COMMIT rolled back an aborted transaction",
          operation: "commit"
        })
      })
    )
    : Effect.void

/** A lost connection, as a driver reports it. */
export const lost = (): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({
      cause: new Error("the connection was cut by FaultySql"),
      message: "FaultySql: the connection was cut",
      operation: "execute"
    })
  })

const kindOf = (text: string): Seen["kind"] => {
  if (/^\s*(begin|start transaction)\b/i.test(text)) return "begin"
  if (/^\s*commit\b/i.test(text)) return "commit"
  if (/^\s*(savepoint|save tran|release savepoint|rollback (to|tran))\b/i.test(text)) return "savepoint"
  return /^\s*rollback\b/i.test(text) ? "rollback" : "statement"
}

interface StatementFields {
  acquirer: SqlConnection.Acquirer
  borrower: SqlConnection.Borrower | undefined
}

const isStatement = (made: unknown): made is StatementFields =>
  typeof made === "object" && made !== null && Object.hasOwn(made, "acquirer") && Object.hasOwn(made, "borrower")

interface Dialect {
  readonly begin: string
  readonly rollback: string
  readonly savepoint: (name: string) => string
  readonly releaseSavepoint?: ((name: string) => string) | undefined
  readonly rollbackSavepoint: (name: string) => string
  /** Has the server end the connection. */
  readonly terminate?: string | undefined
}

const standard: Dialect = {
  begin: "BEGIN",
  rollback: "ROLLBACK",
  savepoint: (name) => `SAVEPOINT ${name}`,
  releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
  rollbackSavepoint: (name) => `ROLLBACK TO SAVEPOINT ${name}`
}

const dialectOf = (sql: SqlClient.SqlClient): Dialect =>
  sql.onDialectOrElse({
    pg: (): Dialect => ({ ...standard, terminate: "select pg_terminate_backend(pg_backend_pid())" }),
    mssql: (): Dialect => ({
      begin: "BEGIN TRAN",
      rollback: "ROLLBACK TRAN",
      savepoint: (name) => `SAVE TRAN ${name}`,
      rollbackSavepoint: (name) => `ROLLBACK TRAN ${name}`
    }),
    orElse: () => standard
  })
