import { Array, Effect } from "effect"
import { EventStore, type UnitOfWork } from "effect-lifecycle/store"
import { SqlClient, type SqlError } from "effect/sql"
import { Conflict, type Events } from "./table.ts"

const versionOf = Effect.fnUntraced(function*(stream: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ last: number }>`
    select coalesce(max(version), 0) as last from events where stream = ${stream}`
  return row?.last ?? 0
})

export const append = Effect.fnUntraced(function*(
  stream: string,
  expected: number,
  events: Events
): Effect.fn.Return<number, Conflict | SqlError.SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const conflict = Effect.flatMap(versionOf(stream), (actual) => Effect.fail(new Conflict({ expected, actual })))
  const rows = Array.map(events, ({ data, type }, index) => ({
    stream,
    version: expected + index + 1,
    type,
    data: JSON.stringify(data)
  }))
  const write = Effect.gen(function*() {
    const actual = yield* versionOf(stream)
    if (actual !== expected) return yield* new Conflict({ expected, actual })
    yield* sql`insert into events ${sql.insert(rows)}`
    return expected + rows.length
  })
  return yield* sql.withTransaction(write).pipe(
    Effect.catchIf(
      (error) => error._tag === "SqlError" && error.reason._tag === "UniqueViolation",
      () => conflict
    )
  )
})

export const appendWithLibrary = Effect.fnUntraced(function*(
  stream: EventStore.StreamId,
  expected: number,
  events: Events
): Effect.fn.Return<
  number,
  Conflict | UnitOfWork.StoreUnavailable | EventStore.InvalidAppend | EventStore.StreamArchived,
  EventStore.EventStore
> {
  const store = yield* EventStore.EventStore
  const result = yield* store.append({ stream, expect: expected, events })
  return result._tag === "Appended" ? result.version : yield* new Conflict({ expected, actual: result.actual })
})
