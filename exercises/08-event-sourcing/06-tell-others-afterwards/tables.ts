/** Events, the messages about them, and the hall that receives these. Given; there is nothing to change here. */
import { Data, Effect, Queue } from "effect"
import { SqlClient } from "effect/sql"

/** Some seats of a show were reserved; fewer than 0 were given back. */
export interface Reserved {
  readonly show: string
  /** The event's place among those of the show: 1, 2, 3. */
  readonly version: number
  readonly seats: number
}

/** What the hall is told about an event. */
export interface Message extends Reserved {
  /** The same, however often it is sent; a later message has a higher one. */
  readonly id: number
}

/** The hall did not answer, or said no. */
export class Unreachable extends Data.TaggedError("Unreachable") {}

/** The way to the hall, and the bell of the relay. */
export interface Line {
  /** Sends a message to the hall, and ends when it has arrived. */
  readonly send: (message: Message) => Effect.Effect<void, Unreachable>
  /** Rings the bell. */
  readonly ring: Effect.Effect<void>
  /** Waits until the bell rings. A bell that rang while nobody listened is heard by the next who does. */
  readonly heard: Effect.Effect<void>
}

/** A line with a bell that works within this process. */
export const makeLine = (send: Line["send"]): Effect.Effect<Line> =>
  Effect.map(Queue.sliding<void>(1), (queue) => ({
    send,
    ring: Effect.asVoid(Queue.offer(queue, undefined)),
    heard: Queue.take(queue)
  }))

/** Makes the tables anew: ours are `events` and `outbox`, those of the hall are `handled` and `taken`. */
export const createTables = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`drop table if exists events, outbox, handled, taken`
  yield* sql`create table events (
    show text not null, version integer not null, seats integer not null,
    primary key (show, version)
  )`
  yield* sql`create table outbox (
    id integer generated always as identity primary key,
    show text not null, version integer not null, seats integer not null,
    sent boolean not null default false
  )`
  yield* sql`create table handled (id integer primary key)`
  yield* sql`create table taken (show text primary key, seats integer not null check (seats <= 100))`
})

/** Stores an event. */
export const store = Effect.fnUntraced(function*({ seats, show, version }: Reserved) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into events ${sql.insert({ show, version, seats })}`
})

/** Writes the message about an event into the outbox. */
export const enqueue = Effect.fnUntraced(function*({ seats, show, version }: Reserved) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into outbox ${sql.insert({ show, version, seats })}`
})

/** The messages that are not marked as sent, in order. */
export const unsent = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<Message>`select id, show, version, seats from outbox where not sent order by id`
)

/** Marks a message as sent. */
export const markSent = Effect.fnUntraced(function*(id: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update outbox set sent = true where id = ${id}`
})

/** Writes down at the hall that a message was handled, and answers whether this is the first time. */
export const remember = Effect.fnUntraced(function*(id: number) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`insert into handled (id) values (${id}) on conflict do nothing returning id`
  return rows.length > 0
})

/** Adds to the seats that are taken at the hall, which has 100 for each show. */
export const addSeats = Effect.fnUntraced(function*({ seats, show }: Message) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into taken (show, seats) values (${show}, ${seats})
    on conflict (show) do update set seats = taken.seats + excluded.seats`
})
