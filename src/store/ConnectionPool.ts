/**
 * Sees what a pool of database connections does, and lets nobody wait for one for ever.
 *
 * A `SqlClient` takes connections from a pool that tells nobody how full it is, and that of `@effect/sql-pg` lets a caller
 * wait without end. {@link layer} puts a count around every connection that is taken: by single statements, transactions,
 * streams, listeners and `reserve`. It reports use, callers in line, each wait and each time of use to the
 * `lifecycle/Recorder`; `observability/Metrics` makes gauges and histograms of them, `observability/Alarms` rings at 80 %.
 * With `maxWait` a caller that has waited so long gets an `SqlError` whose cause is a {@link PoolTimeout}.
 *
 * The count is of callers that have a connection, which is what runs dry; the connections that are open may be fewer.
 *
 * **Gotchas**
 *
 * - Use the `SqlClient` of this layer everywhere: what goes past it, such as the `PgClient` below, is not counted.
 * - Statements of an open transaction use its connection and count once, as the transaction.
 * - Not for a client that multiplexes, whose statements share connections: here each would take one for itself.
 * - The compiler of a client cannot be asked for, so it is an option; a client that transforms names needs its own.
 * - To the stores of `store/pg` a timeout is `StoreUnavailable`, so a server answers 503 and not 500.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ConnectionPool } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * // In a service: ConnectionPool.layer({ name: "orders", size: 5, maxWait: "1 second", compiler: PgClient.makeCompiler() })
 * const program = Effect.gen(function*() {
 *   const pool = yield* ConnectionPool.make({ name: "orders", size: 5, maxWait: "20 millis" })
 *   yield* Effect.scoped(Effect.gen(function*() {
 *     yield* pool.lease(Effect.succeed("a connection"))
 *     assert.equal((yield* pool.stats).inUse, 1)
 *     const refused = yield* Effect.flip(pool.lease(Effect.never))
 *     assert.equal(refused.message, "1 of 5 connections in use, none free within 20 ms")
 *   }))
 *   assert.deepEqual(yield* pool.stats, { inUse: 0, waiting: 0, size: 5, taken: 1, timeouts: 1 })
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 */
import { Clock, type Duration, Effect, Exit, Layer, Option, Schema, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, type Statement } from "effect/sql"
import * as Recorder from "../lifecycle/Recorder.ts"
import { finiteMillis, wholeNumber } from "../resilience/InvalidOption.ts"

/**
 * All connections of a pool stayed in use for as long as the caller was willing to wait.
 *
 * @category errors
 * @since 0.1.0
 */
export class PoolTimeout extends Schema.TaggedError<PoolTimeout>()("PoolTimeout", {
  pool: Schema.String,
  size: Schema.Int,
  inUse: Schema.Int,
  maxWaitMillis: Schema.Finite
}) {
  override get message(): string {
    return `${this.inUse} of ${this.size} connections in use, none free within ${this.maxWaitMillis} ms`
  }
}

/**
 * What is known of the pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For reports and errors, such as the service's name. */
  readonly name: string
  /** The `maxConnections` of the pool, from 1. */
  readonly size: number
  /** How long a caller waits for a connection; as long as it takes when absent. */
  readonly maxWait?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions extends Options {
  /** That of the client: `PgClient.makeCompiler()`, with the same arguments where names are transformed. */
  readonly compiler: Statement.Compiler
  /** The client's own, where it transforms the names of results. */
  readonly transformRows?: (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined
}

/**
 * What a pool does now, and what it has done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  /** Connections that somebody has. */
  readonly inUse: number
  /** Callers that wait for one. */
  readonly waiting: number
  readonly size: number
  /** How often one was taken since the pool was made. */
  readonly taken: number
  /** How many callers gave up. */
  readonly timeouts: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ConnectionPool {
  readonly name: string
  /** Counts what `acquire` takes, until the scope that it was taken in closes. */
  readonly lease: <A, E, R>(acquire: Effect.Effect<A, E, R>) => Effect.Effect<A, E | PoolTimeout, R | Scope.Scope>
  readonly stats: Effect.Effect<Stats>
}

/**
 * A count around any pool: `lease` is given the effect that takes a connection from it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<ConnectionPool> => {
  const { name } = options
  const size = wholeNumber("ConnectionPool", "size", options.size, 1)
  const maxWaitMillis = options.maxWait === undefined
    ? undefined
    : finiteMillis("ConnectionPool", "maxWait", options.maxWait)
  return Effect.suspend(() => {
    let inUse = 0
    let waiting = 0
    let taken = 0
    let timeouts = 0

    const moved = Recorder.report(() => ({ _tag: "PoolMoved", pool: name, inUse, waiting, size }))
    const bounded = <A, E, R>(acquire: Effect.Effect<A, E, R>): Effect.Effect<A, E | PoolTimeout, R> =>
      maxWaitMillis === undefined ? acquire : Effect.timeoutOrElse(acquire, {
        duration: maxWaitMillis,
        orElse: () => Effect.fail(new PoolTimeout({ pool: name, size, inUse, maxWaitMillis }))
      })

    const waited = (startNanos: bigint, outcome: Recorder.ConnectionWaited["outcome"]) =>
      Effect.flatMap(Clock.monotonicTimeNanos, (endNanos) =>
        Effect.andThen(
          Recorder.report(() => ({ _tag: "ConnectionWaited", pool: name, outcome, startNanos, endNanos })),
          Effect.as(moved, endNanos)
        ))

    const returned = (startNanos: bigint) =>
      Effect.flatMap(Clock.monotonicTimeNanos, (endNanos) => {
        inUse--
        return Effect.andThen(
          Recorder.report(() => ({ _tag: "ConnectionReturned", pool: name, startNanos, endNanos })),
          moved
        )
      })

    const lease = <A, E, R>(acquire: Effect.Effect<A, E, R>): Effect.Effect<A, E | PoolTimeout, R | Scope.Scope> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const startNanos = yield* Clock.monotonicTimeNanos
          waiting++
          yield* moved
          const exit = yield* Effect.exit(restore(bounded(acquire)))
          waiting--
          if (Exit.isFailure(exit)) {
            const timedOut = Option.exists(Exit.findErrorOption(exit), (error) => error instanceof PoolTimeout)
            if (timedOut) timeouts++
            yield* waited(startNanos, timedOut ? "timeout" : Exit.hasInterrupts(exit) ? "interrupted" : "failed")
            return yield* exit
          }
          inUse++
          taken++
          const sinceNanos = yield* waited(startNanos, "taken")
          yield* Effect.addFinalizer(() => returned(sinceNanos))
          return exit.value
        })
      )

    return Effect.as(moved, {
      name,
      lease,
      stats: Effect.sync(() => ({ inUse, waiting, size, taken, timeouts }))
    })
  })
}

/**
 * The same client with a count around its pool.
 *
 * @category constructors
 * @since 0.1.0
 */
export const client = Effect.fnUntraced(function*(
  self: SqlClient.SqlClient,
  options: ClientOptions
): Effect.fn.Return<
  { readonly client: SqlClient.SqlClient; readonly pool: ConnectionPool },
  never,
  Reactivity.Reactivity
> {
  const pool = yield* make(options)
  const acquirer = pool.lease(self.reserve).pipe(
    Effect.catchTag("PoolTimeout", (timeout) => Effect.fail(asSqlError(timeout)))
  )
  const made = yield* SqlClient.make({
    acquirer,
    transactionAcquirer: acquirer,
    transactionService: self.transactionService,
    compiler: options.compiler,
    driver: self.driver,
    spanAttributes: [["db.system.name", "postgresql"]],
    prepareTransactionControls: true,
    commit,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    transformRows: options.transformRows
  })
  return { pool, client: Object.assign(made, ofDriver(self, pool, made)) }
})

/**
 * Puts a count around the pool of the `SqlClient` below.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: ClientOptions): Layer.Layer<SqlClient.SqlClient, never, SqlClient.SqlClient> =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.flatMap(SqlClient.SqlClient, (self) => Effect.map(client(self, options), ({ client }) => client))
  ).pipe(Layer.provide(Reactivity.layer))

/**
 * The timeout inside a failure of a statement or a transaction, where it is one.
 *
 * @category getters
 * @since 0.1.0
 */
export const timeoutOf = (error: SqlError.SqlError): Option.Option<PoolTimeout> =>
  error.reason.cause instanceof PoolTimeout ? Option.some(error.reason.cause) : Option.none()

const asSqlError = (timeout: PoolTimeout): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({ cause: timeout, message: timeout.message, operation: "acquire" })
  })

/** PostgreSQL answers `ROLLBACK` to the `COMMIT` of a transaction in which a statement has failed. */
const commit = (connection: SqlConnection.Connection): Effect.Effect<void, SqlError.SqlError> =>
  Effect.flatMap(
    connection.executeRaw("COMMIT", []),
    (result) =>
      typeof result === "object" && result !== null && "command" in result && result.command === "ROLLBACK"
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
  )

/** What drivers add to a `SqlClient`, such as `json`, `config` and `listen` of `PgClient`. A listener holds a connection. */
const ofDriver = (self: object, pool: ConnectionPool, made: object): object => {
  const own = Object.entries(self).filter(([key]) => !(key in made))
  const { listen } = self as { readonly listen?: unknown }
  return {
    ...Object.fromEntries(own),
    ...(typeof listen === "function"
      ? { listen: (channel: string) => pool.lease(listen.call(self, channel) as Effect.Effect<unknown>) }
      : {})
  }
}
