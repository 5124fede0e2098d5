/**
 * A `SqlClient` that fails, waits or loses its connection at the statement you name, to test what a program keeps when its
 * database goes away in the middle.
 *
 * {@link layer} goes around the `SqlClient` of any dialect and gives a new one, with a controller, {@link FaultySql}: `arm`
 * a fault for the n-th statement or for those that match, run the program, look at `statements`. Every statement passes it,
 * `BEGIN`, `COMMIT`, `ROLLBACK` and savepoints included, so a test can walk from the first statement of an operation to the
 * last and ask each time for all or nothing.
 *
 * - {@link fail}: the statement is not sent, and fails. Without an error it fails as a lost connection does; a `COMMIT` is
 *   rolled back.
 * - {@link delay}: the statement is sent later.
 * - {@link cut}: the connection is gone before the statement.
 * - {@link cutAfter}: the statement is done, and the connection gone before its answer. At a `COMMIT` this is the case that
 *   nobody can tell from a lost commit: only an idempotency key makes repeating it safe.
 *
 * On PostgreSQL the server itself ends the connection, so the errors are the driver's own. On other dialects every further
 * statement of the connection fails with a `ConnectionError`, and its transaction is rolled back.
 *
 * **Gotchas**
 *
 * - Statements count from the last `arm` or `reset` on. What runs in the background (subscriptions, `NOTIFY`) counts too:
 *   switch it off, or match by kind or text.
 * - Transactions are begun and ended as their dialect usually does it; settings of the driver for that are not known here.
 * - `listen` and `notify` of a `PgClient` have connections of their own and are not seen.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { FaultySql } from "effect-lifecycle/testing"
 * import assert from "node:assert/strict"
 *
 * // A stand-in for the layer of a driver: it answers every statement with no rows.
 * import { Reactivity } from "effect/reactivity"
 * import { Statement } from "effect/sql"
 * const none = Effect.succeed([])
 * const connection = { execute: () => none, executeRaw: () => none, executeValues: () => none,
 *   executeValuesUnprepared: () => none, executeUnprepared: () => none, executeStream: () => { throw new Error("unused") } }
 * const driver = Layer.effect(SqlClient.SqlClient, SqlClient.make({
 *   acquirer: Effect.succeed(connection),
 *   compiler: Statement.makeCompilerSqlite(),
 *   driver: "none",
 *   spanAttributes: []
 * })).pipe(Layer.provide(Reactivity.layer))
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   const faulty = yield* FaultySql.FaultySql
 *   const transfer = sql.withTransaction(Effect.andThen(sql`update a`, sql`update b`))
 *   yield* transfer
 *   assert.deepEqual((yield* faulty.statements).map(({ text }) => text), ["BEGIN", "update a", "update b", "COMMIT"])
 *   yield* faulty.arm({ at: 3, fault: FaultySql.fail() })
 *   const error = yield* Effect.flip(transfer)
 *   assert.equal(error.reason._tag, "ConnectionError")
 *   assert.deepEqual((yield* faulty.statements).map(({ kind }) => kind), ["begin", "statement", "statement", "rollback"])
 * })
 * await Effect.runPromise(program.pipe(Effect.provide(FaultySql.layer().pipe(Layer.provide(driver)))))
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type Control, lost as lostConnection, make, type Seen } from "./internal/faultySql.ts"

/**
 * A statement on its way to the database.
 *
 * @category models
 * @since 0.1.0
 */
export type Statement = Seen

/**
 * What goes wrong.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Fail"; readonly error: SqlError.SqlError }
  | { readonly _tag: "Delay"; readonly duration: Duration.Input }
  | { readonly _tag: "Cut"; readonly when: "before" | "after" }

/**
 * When something goes wrong.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly fault: Fault
  /** Which of the statements that match, from 1 on; every one when absent. */
  readonly at?: number | undefined
  /** Part of the text, a pattern for it, or a function; every statement when absent. */
  readonly matching?: string | RegExp | ((statement: Statement) => boolean) | undefined
  /** How often it goes wrong; once when absent. */
  readonly times?: number | undefined
}

/**
 * Fails the statement without sending it: as a lost connection, or with `error`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fail = (error: SqlError.SqlError = lostConnection()): Fault => ({ _tag: "Fail", error })

/**
 * Sends the statement after `duration`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const delay = (duration: Duration.Input): Fault => ({ _tag: "Delay", duration })

/**
 * Ends the connection before the statement is sent.
 *
 * @category constructors
 * @since 0.1.0
 */
export const cut: Fault = { _tag: "Cut", when: "before" }

/**
 * Ends the connection when the statement is done, before its answer arrives.
 *
 * @category constructors
 * @since 0.1.0
 */
export const cutAfter: Fault = { _tag: "Cut", when: "after" }

/**
 * A lost connection, as a driver reports it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const lost: () => SqlError.SqlError = lostConnection

/**
 * The controller of the faults.
 *
 * @category services
 * @since 0.1.0
 */
export class FaultySql extends Context.Service<FaultySql, {
  /** Adds rules and counts from here. */
  readonly arm: (...rules: ReadonlyArray<Rule>) => Effect.Effect<void>
  /** Takes all rules away; `statements` and `fired` stay. */
  readonly disarm: Effect.Effect<void>
  /** Takes all rules away, forgets what was seen and counts from here. */
  readonly reset: Effect.Effect<void>
  /** What was on its way since the last `arm` or `reset`, faults included. */
  readonly statements: Effect.Effect<ReadonlyArray<Statement>>
  /** How many faults there were since the last `arm` or `reset`. */
  readonly fired: Effect.Effect<number>
}>()("effect-lifecycle/testing/FaultySql") {}

/**
 * The faulty client around another one, as `SqlClient` and with its controller. The rules are armed from the beginning.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  ...rules: ReadonlyArray<Rule>
): Layer.Layer<SqlClient.SqlClient | FaultySql, never, SqlClient.SqlClient> =>
  Layer.effectContext(Effect.map(SqlClient.SqlClient, (sql) => {
    const control = new Faults(rules)
    return Context.make(SqlClient.SqlClient, make(sql, control)).pipe(Context.add(
      FaultySql,
      FaultySql.of({
        arm: (...rules) => Effect.sync(() => control.arm(rules)),
        disarm: Effect.sync(() => control.disarm()),
        reset: Effect.sync(() => control.reset()),
        statements: Effect.sync(() => [...control.seen]),
        fired: Effect.sync(() => control.fired)
      })
    ))
  }))

interface Armed {
  readonly rule: Rule
  matched: number
  left: number
}

class Faults implements Control<Fault> {
  seen: Array<Statement> = []
  fired = 0
  private armed: Array<Armed> = []

  constructor(rules: ReadonlyArray<Rule>) {
    this.arm(rules)
  }

  arm(rules: ReadonlyArray<Rule>): void {
    this.seen = []
    this.fired = 0
    for (const one of this.armed) one.matched = 0
    this.armed.push(...rules.map((rule) => ({ rule, matched: 0, left: rule.times ?? 1 })))
  }

  disarm(): void {
    this.armed = []
  }

  reset(): void {
    this.disarm()
    this.arm([])
  }

  next(statement: Statement): Fault | undefined {
    this.seen.push(statement)
    let fault: Fault | undefined
    for (const one of this.armed) {
      if (!matches(one.rule.matching, statement)) continue
      one.matched++
      if (fault !== undefined || one.left === 0) continue
      if (one.rule.at !== undefined && one.matched < one.rule.at) continue
      one.left--
      fault = one.rule.fault
    }
    if (fault !== undefined) this.fired++
    return fault
  }
}

const matches = (matching: Rule["matching"], statement: Statement): boolean =>
  matching === undefined ||
  (typeof matching === "function"
    ? matching(statement)
    : typeof matching === "string"
    ? statement.text.includes(matching)
    : statement.text.search(matching) >= 0)
