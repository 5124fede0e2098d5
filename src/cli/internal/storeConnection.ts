/** The database that a command of `lifecycle store` works in. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { StoreAsked, StoreCannot } from "./storeErrors.ts"

/** What all commands are told. */
export interface Where {
  /** `DATABASE_URL` when absent. */
  readonly url: string | undefined
  readonly schema: string
  readonly json: boolean
}

/** Host and port only: the rest may be secret. */
const describe = (url: string): string => {
  const parsed = URL.parse(url)
  if (parsed === null) return "this address"
  const host = parsed.searchParams.get("host") ?? parsed.hostname
  return `${host === "" ? "localhost" : host}:${parsed.port === "" ? "5432" : parsed.port}`
}

const detail = (error: SqlError.SqlError): string => {
  const { cause } = error.reason
  return cause instanceof Error && cause.message !== "" ? cause.message : error.reason._tag
}

/** A pool of few connections, closed with the scope. One is made at once, to know whether the address is right. */
export const connection = (
  { url = process.env.DATABASE_URL }: Where
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, StoreAsked | StoreCannot> =>
  PgClient.layerFrom(Effect.gen(function*() {
    if (url === undefined || url === "") {
      return yield* new StoreAsked({
        problem: "Which database? Set DATABASE_URL, or add --url postgres://user:password@host:5432/database."
      })
    }
    if (!/^postgres(ql)?:\/\//.test(url)) {
      return yield* new StoreAsked({
        problem: "The address is not one of PostgreSQL: write it as postgres://user:password@host:5432/database."
      })
    }
    return yield* PgClient.make({ url: Redacted.make(url), maxConnections: 6, connectTimeout: "10 seconds" }).pipe(
      Effect.tap((sql) => sql`select 1`),
      Effect.mapError((error) =>
        new StoreCannot({
          problem: `The PostgreSQL at ${describe(url)} cannot be used (${
            detail(error)
          }): start it, or correct the address.`
        })
      )
    )
  }))

/**
 * The same, where a store must be there. A schema that was never migrated is most often a name that was mistyped or left out,
 * so this says where the stores of the database are, before it speaks of making another one.
 */
export const storeConnection = (
  where: Where
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, StoreAsked | StoreCannot> =>
  Layer.provideMerge(Layer.effectDiscard(found(where)), connection(where))

const found = Effect.fnUntraced(
  function*({ schema }: Where) {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const stores = yield* sql<{ readonly nspname: string }>`
      select n.nspname from pg_namespace n
      where (select count(*) from pg_class c where c.relnamespace = n.oid
        and c.relname in ('migrations', 'streams', 'subscription_partitions')) = 3
      order by n.nspname`
    const names = stores.map(({ nspname }) => nspname)
    if (names.includes(schema)) return
    const others = names.length === 0 ?
      "there is none in any other one of this database either" :
      `there is one in ${names.map((name) => `"${name}"`).join(", ")}: name it with --schema`
    return yield* new StoreCannot({
      problem: `There is no store in the schema "${schema}"; ${others}. ` +
        `A new one is made by \`npx lifecycle store migrate --schema ${schema}\`.`
    })
  },
  Effect.catchTag(
    "SqlError",
    (error) => Effect.fail(new StoreCannot({ problem: `The database cannot be looked into: ${detail(error)}` }))
  )
)
