import { type Duration, Effect, Exit } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import {
  addSeats,
  enqueue,
  type Line,
  markSent,
  type Message,
  remember,
  type Reserved,
  store,
  unsent
} from "./tables.ts"

type Work = Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>

export const record = (line: Line, events: ReadonlyArray<Reserved>): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.withTransaction(Effect.gen(function*() {
      for (const event of events) {
        yield* store(event)
        yield* enqueue(event)
      }
      yield* sql.afterCommit(line.ring)
    }))
  })

const round = (line: Line): Work =>
  Effect.gen(function*() {
    const heldBack = new Set<string>()
    for (const message of yield* unsent) {
      if (heldBack.has(message.show)) continue
      // An exit holds defects too; an interruption of the relay itself still ends it here.
      if (Exit.isSuccess(yield* Effect.exit(line.send(message)))) yield* markSent(message.id)
      else heldBack.add(message.show)
    }
  })

export const relay = (line: Line, poll: Duration.Input): Work =>
  Effect.forever(Effect.andThen(round(line), Effect.timeoutOption(line.heard, poll)))

export const receive = (message: Message): Work =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.withTransaction(Effect.gen(function*() {
      if (yield* remember(message.id)) yield* addSeats(message)
    }))
  })
