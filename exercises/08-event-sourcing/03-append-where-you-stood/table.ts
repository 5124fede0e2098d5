/** The table of events, and what can go wrong. Given; there is nothing to change here. */
import { type Array, Data, Effect } from "effect"
import { SqlClient } from "effect/sql"

export interface NewEvent {
  readonly type: string
  readonly data: unknown
}

/** One event or more. */
export type Events = Array.NonEmptyReadonlyArray<NewEvent>

/** The stream is not where the writer believes it is; nothing was written. */
export class Conflict extends Data.TaggedError("Conflict")<{
  readonly expected: number
  /** Where it is: the version of its last event, 0 without events. */
  readonly actual: number
}> {}

/** Makes the table anew. A type may not be empty, so that a bad event can be had. */
export const createTable = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`drop table if exists events`
  yield* sql`create table events (
    stream text not null,
    version integer not null,
    type text not null check (type <> ''),
    data jsonb not null,
    primary key (stream, version)
  )`
})

export interface Row {
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly data: unknown
}

/** All events of a stream, in order. */
export const read = (stream: string) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql<Row>`select stream, version, type, data from events where stream = ${stream} order by version`
  )
