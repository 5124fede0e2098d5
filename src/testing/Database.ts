/**
 * A PostgreSQL database to work in: on the server of `DATABASE_URL`, or on an embedded one where that is not set.
 *
 * Without a `name` the database gets a random one and is dropped when the scope closes: what tests, benchmarks, exercises
 * and the tour use. With a `name` it is made where it is missing, and stays. Where the user of `DATABASE_URL` may not create
 * databases, a schema of that name takes its place, and every connection has it as its `search_path`. No other database
 * or schema is read or changed.
 *
 * **Gotchas**
 *
 * - {@link layerServer} once and {@link layerOn} for each: several databases on one server. {@link layer} is the short way
 *   to one.
 * - A process that is killed cannot drop its database. The embedded server takes its temporary data with it; on a server
 *   of your own it stays, with a name that starts with `lifecycle_tmp_`.
 * - No message, log line or error of this module holds the password.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Database } from "effect-lifecycle/testing"
 * import assert from "node:assert/strict"
 *
 * // A broken address is one sentence, and the password in it stays secret.
 * const error = await Effect.runPromise(
 *   Effect.flip(Effect.scoped(Database.makeServer({ url: "mysql://me:secret@db.example/shop" })))
 * )
 * assert.match(error.message, /not the address of a PostgreSQL server/)
 * assert.ok(!error.message.includes("secret"))
 * ```
 *
 * @since 0.1.0
 */
import { PgClient } from "@effect/sql-pg"
import { Config, Context, Effect, Layer, Option, Redacted, Schedule, Schema, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlClient, SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"
import * as EmbeddedPostgres from "./EmbeddedPostgres.ts"
import { inRealTime } from "./internal/realTime.ts"

/**
 * Why there is no database. The message is one sentence that says what happened and what to do.
 *
 * @category errors
 * @since 0.1.0
 */
export class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", {
  reason: Schema.Literals([
    "InvalidUrl",
    "InvalidName",
    "Unreachable",
    "LoginRefused",
    "Missing",
    "NotAllowed",
    "Failed"
  ]),
  /** What was found, without a full stop. */
  problem: Schema.String,
  /** What a person can do about it, without a full stop. */
  advice: Schema.String
}) {
  override get message(): string {
    return `${this.problem}: ${this.advice}.`
  }
}

/**
 * How to reach a server, in a form that can be sent to another process. The address may hold a password.
 *
 * @category models
 * @since 0.1.0
 */
export type Address =
  | { readonly url: string }
  | { readonly path: string; readonly username: string; readonly database: string }

/**
 * The server that databases are made on.
 *
 * @category services
 * @since 0.1.0
 */
export class Server extends Context.Service<Server, {
  readonly address: Address
  /** The address without user and password, for a person to read. */
  readonly description: string
  /** The embedded server, where it is one. */
  readonly embedded: EmbeddedPostgres.EmbeddedPostgres | undefined
}>()("effect-lifecycle/testing/Database/Server") {}

/**
 * Which server.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerOptions extends EmbeddedPostgres.Options {
  /** The server's address; that of `DATABASE_URL` when absent, and the embedded server where that is not set either. */
  readonly url?: string | undefined
}

/**
 * Which database, and how its clients are made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Lower case letters, digits and underscores. A database with a name stays; one without is dropped in the end. */
  readonly name?: string | undefined
  /** The pool (`maxConnections`, 10 when absent) and whatever else `PgClient` takes. */
  readonly client?:
    | Omit<PgClient.PgPoolConfig, "url" | "host" | "port" | "path" | "username" | "password" | "database">
    | undefined
}

const connectionConfig = (address: Address) => "url" in address ? { url: Redacted.make(address.url) } : address

/** Host, port and database only: the parts of an address that a log line may hold. */
const describe = (address: Address): string => {
  if (!("url" in address)) return `the embedded PostgreSQL (${address.path})`
  const url = URL.parse(address.url)
  if (url === null) return "the server of DATABASE_URL"
  const host = url.searchParams.get("host") ?? url.hostname
  const port = url.searchParams.get("port") ?? url.port
  return `${host || "localhost"}:${port || "5432"}`
}

const detailOf = (error: SqlError.SqlError): { readonly code: string; readonly text: string } => {
  const cause = error.reason.cause
  const code = typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : ""
  const text = cause instanceof Error && cause.message !== "" ? cause.message : error.reason._tag
  return { code, text: text.split("\n")[0] ?? "" }
}

const explain = (address: Address) => (error: SqlError.SqlError): DatabaseError => {
  const where = describe(address)
  const { code, text } = detailOf(error)
  if (code.startsWith("28")) {
    return new DatabaseError({
      reason: "LoginRefused",
      problem: `The PostgreSQL at ${where} refused the login (${text})`,
      advice: "check the user and the password in DATABASE_URL"
    })
  }
  if (code === "3D000") {
    return new DatabaseError({
      reason: "Missing",
      problem: `The PostgreSQL at ${where} does not have the database that DATABASE_URL names (${text})`,
      advice: "create it, or name one that exists, such as postgres"
    })
  }
  if (error.reason._tag === "ConnectionError" || code.startsWith("57P") || code.startsWith("08") || code === "53300") {
    return new DatabaseError({
      reason: "Unreachable",
      problem: `No PostgreSQL answers at ${where} (${code === "" || text.includes(code) ? text : `${code}, ${text}`})`,
      advice: "start it, correct DATABASE_URL, or unset DATABASE_URL to use the embedded one"
    })
  }
  return new DatabaseError({
    reason: "Failed",
    problem: `The PostgreSQL at ${where} could not make the database (${text})`,
    advice: "correct DATABASE_URL, or unset it to use the embedded server"
  })
}

/** One connection for one administrative statement; none stays open. */
const asAdministrator = <A>(
  address: Address,
  use: (sql: PgClient.PgClient) => Effect.Effect<A, SqlError.SqlError>
): Effect.Effect<A, SqlError.SqlError> =>
  PgClient.make({ ...connectionConfig(address), maxConnections: 1, connectTimeout: "5 seconds" }).pipe(
    Effect.flatMap(use),
    Effect.scoped,
    Effect.provide(Reactivity.layer)
  )

/**
 * The version of the server at an address, or why it cannot be had.
 *
 * @category accessors
 * @since 0.1.0
 */
export const version = (address: Address): Effect.Effect<string, DatabaseError> =>
  asAdministrator(address, (sql) => sql<{ server_version: string }>`show server_version`).pipe(
    Effect.map((rows) => rows[0]?.server_version ?? "unknown"),
    Effect.mapError(explain(address)),
    inRealTime
  )

/**
 * How many connections the server grants to those who are no superusers, all clients together, or why it cannot be asked.
 *
 * @category accessors
 * @since 0.1.0
 */
export const connectionLimit = (address: Address): Effect.Effect<number, DatabaseError> =>
  asAdministrator(address, (sql) =>
    // `reserved_connections` came with PostgreSQL 16.
    sql<{ granted: number }>`
      select (sum(case name when 'max_connections' then setting::int else -setting::int end))::int as granted
      from pg_settings
      where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
    `).pipe(
      Effect.map((rows) => rows[0]?.granted ?? 0),
      Effect.mapError(explain(address)),
      inRealTime
    )

const invalidUrl = (problem: string) =>
  new DatabaseError({
    reason: "InvalidUrl",
    problem: `DATABASE_URL is not the address of a PostgreSQL server (${problem})`,
    advice: "write it as postgres://user:password@host:5432/database, or unset it to use the embedded server"
  })

/** The driver's own message would repeat the address; these say what is wrong with it without the secret parts. */
const checkUrl = (url: string): Effect.Effect<void, DatabaseError> => {
  const parsed = URL.parse(url)
  return parsed === null
    ? invalidUrl("it cannot be read as an address")
    : parsed.protocol !== "postgres:" && parsed.protocol !== "postgresql:"
    ? invalidUrl(`it starts with ${parsed.protocol}`)
    : Effect.void
}

/**
 * The server of `url`, else of `DATABASE_URL`, checked to answer; else an embedded one that lives as long as the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeServer = Effect.fn("Database.makeServer")(
  function*(
    options: ServerOptions = {}
  ): Effect.fn.Return<Server["Service"], DatabaseError | EmbeddedPostgres.EmbeddedPostgresError, Scope.Scope> {
    const configured = yield* Config.option(Config.String("DATABASE_URL")).pipe(
      Effect.map(Option.getOrUndefined),
      Effect.mapError(() => invalidUrl("it cannot be read"))
    )
    const url = options.url ?? configured
    if (url !== undefined && url.trim() !== "") {
      yield* checkUrl(url)
      const address = { url }
      yield* version(address)
      return { address, description: describe(address), embedded: undefined }
    }
    const embedded = yield* EmbeddedPostgres.make(options)
    return { address: embedded.connection, description: describe(embedded.connection), embedded }
  }
)

/**
 * Provides the server for {@link layerOn}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerServer = (
  options?: ServerOptions
): Layer.Layer<Server, DatabaseError | EmbeddedPostgres.EmbeddedPostgresError> =>
  Layer.effect(Server, makeServer(options))

const quoted = (name: string) => `"${name}"`
const hasCode = (...codes: ReadonlyArray<string>) => (error: SqlError.SqlError) => codes.includes(detailOf(error).code)

/** Makes the database, or the schema that stands for it; answers what a client adds to its configuration to be in it. */
const create = Effect.fnUntraced(function*(address: Address, name: string) {
  const inDatabase = { database: name }
  const inSchema = { startupParameters: { search_path: name } }
  // template0 has no connections, so that several can copy it at once.
  const database = asAdministrator(address, (sql) => sql.unsafe(`create database ${quoted(name)} template template0`))
    .pipe(
      Effect.as(inDatabase),
      Effect.catchIf(hasCode("42P04", "23505"), () => Effect.succeed(inDatabase))
    )
  const schema = asAdministrator(address, (sql) => sql.unsafe(`create schema if not exists ${quoted(name)}`)).pipe(
    Effect.as(inSchema)
  )
  const exists = yield* asAdministrator(address, (sql) => sql`select 1 from pg_database where datname = ${name}`).pipe(
    Effect.map((rows) => rows.length > 0),
    Effect.mapError(explain(address))
  )
  if (exists) return inDatabase
  return yield* database.pipe(
    Effect.catchIf(hasCode("42501"), () => schema),
    Effect.mapError((error) =>
      hasCode("42501")(error)
        ? new DatabaseError({
          reason: "NotAllowed",
          problem: `The user of DATABASE_URL may create neither a database nor a schema at ${describe(address)}`,
          advice: `grant it CREATE on the database, or CREATEDB, or unset DATABASE_URL to use the embedded server`
        })
        : explain(address)(error)
    )
  )
})

const drop = (address: Address, made: Effect.Success<ReturnType<typeof create>>, name: string) =>
  asAdministrator(address, (sql) =>
    sql.unsafe(
      "database" in made
        ? `drop database if exists ${quoted(name)} with (force)`
        : `drop schema if exists ${quoted(name)} cascade`
    )).pipe(
      // The server may be starting again after a crash.
      Effect.retry(Schedule.upTo(Schedule.spaced("200 millis"), { duration: "5 seconds" })),
      Effect.ignore
    )

/**
 * A pool of connections to a database of one's own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fn("Database.make")(
  function*(
    address: Address,
    options: Options = {}
  ): Effect.fn.Return<PgClient.PgClient, DatabaseError, Scope.Scope | Reactivity.Reactivity> {
    const name = options.name ?? `lifecycle_tmp_${randomBytes(8).toString("hex")}`
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) {
      return yield* new DatabaseError({
        reason: "InvalidName",
        problem: `"${name}" cannot be the name of a database`,
        advice: "use up to 63 lower case letters, digits and underscores that do not start with a digit"
      })
    }
    const made = yield* Effect.acquireRelease(
      create(address, name),
      (made) => options.name === undefined ? inRealTime(drop(address, made, name)) : Effect.void
    )
    const startupParameters = {
      ...options.client?.startupParameters,
      ...("startupParameters" in made ? made.startupParameters : {})
    }
    return yield* PgClient.make({
      ...options.client,
      ...connectionConfig(address),
      ...("database" in made ? made : {}),
      startupParameters
    }).pipe(Effect.mapError(explain(address)))
  },
  inRealTime
)

/**
 * A database at an address that is known already.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAt = (
  address: Address,
  options?: Options
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, DatabaseError> => PgClient.layerFrom(make(address, options))

/**
 * A database on the {@link Server}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerOn = (
  options?: Options
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, DatabaseError, Server> =>
  PgClient.layerFrom(Effect.flatMap(Server, (server) => make(server.address, options)))

/**
 * A database on a server of its own: that of `DATABASE_URL`, or an embedded one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: ServerOptions & Options
): Layer.Layer<
  PgClient.PgClient | SqlClient.SqlClient,
  DatabaseError | EmbeddedPostgres.EmbeddedPostgresError
> => layerOn(options).pipe(Layer.provide(layerServer(options)))
