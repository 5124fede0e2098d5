/** Events, a read model made of them, and how far it has come. Given; there is nothing to change here. */
import { Data, Effect } from "effect"
import { SqlClient } from "effect/sql"

/** Some seats of a show were reserved; fewer than 0 were given back. */
export interface Reserved {
  readonly show: string
  /** The event's place among those of the show: 1, 2, 3. */
  readonly version: number
  readonly seats: number
}

export interface Stored extends Reserved {
  /** The event's place among all events; there may be gaps. */
  readonly position: number
}

/** An event came before one that has to be applied first. */
export class OutOfOrder extends Data.TaggedError("OutOfOrder")<{
  readonly show: string
  readonly wanted: number
  readonly got: number
}> {}

/** Makes the tables anew: `events`, `taken` (a row for each show) and `checkpoint` (one row). */
export const createTables = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`drop table if exists events, taken, checkpoint`
  yield* sql`create table events (
    position integer generated always as identity primary key,
    show text not null, version integer not null, seats integer not null,
    unique (show, version)
  )`
  yield* sql`create table taken (
    show text primary key, version integer not null, seats integer not null check (seats <= 100)
  )`
  yield* sql`create table checkpoint (position integer not null)`
  yield* sql`insert into checkpoint values (0)`
})

/** The row of a show in the read model. */
export const rowOf = Effect.fnUntraced(function*(show: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ version: number; seats: number }>`select version, seats from taken where show = ${show}`
  return row ?? { version: 0, seats: 0 }
})

/** Writes the row of a show. */
export const setRow = Effect.fnUntraced(
  function*(show: string, row: { readonly version: number; readonly seats: number }) {
    const sql = yield* SqlClient.SqlClient
    yield* sql`insert into taken (show, version, seats) values (${show}, ${row.version}, ${row.seats})
    on conflict (show) do update set version = excluded.version, seats = excluded.seats`
  }
)

/** Stores an event, and answers with its position. */
export const store = Effect.fnUntraced(function*({ seats, show, version }: Reserved) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<Stored>`
    insert into events ${sql.insert({ show, version, seats })} returning position, show, version, seats`
  return row ?? (yield* Effect.die(new Error("an insert returns its row")))
})

/** Says how far the read model has come. */
export const setCheckpoint = Effect.fnUntraced(function*(position: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update checkpoint set position = ${position}`
})

/** All events, in the order of their positions. */
export const all = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<Stored>`select position, show, version, seats from events order by position`
)
