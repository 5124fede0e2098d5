import { assert, describe, layer } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SqlClient } from "effect/sql"
import { database, once, patient } from "../../sql.ts"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { apply, rebuild, record } from "./exercise.ts"
import { all, createTables, setRow } from "./tables.ts"

const reserved = (show: string, version: number, seats: number) => ({ show, version, seats })

/** Everything there is, as short lines. */
const look = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const events = yield* all
  const rows = yield* sql<{ show: string; version: number; seats: number }>`select * from taken order by show`
  const [checkpoint] = yield* sql<{ position: number }>`select position from checkpoint`
  return {
    events: events.map((event) => `${event.show} ${event.version}`),
    taken: rows.map((row) => `${row.show} at ${row.version}: ${row.seats}`),
    checkpoint: checkpoint?.position,
    last: events.at(-1)?.position ?? 0
  }
})

const some = Effect.gen(function*() {
  yield* createTables
  expectSuccess(
    yield* Effect.exit(record([reserved("hamlet", 1, 3), reserved("macbeth", 1, 5), reserved("hamlet", 2, -1)])),
    "Three events in order can be recorded."
  )
})

layer(database, once)((it) => {
  describe("a: events are counted into the rows of their shows", patient, () => {
    it.effect("three events of two shows", () =>
      Effect.gen(function*() {
        yield* some
        const { checkpoint, last, taken } = yield* look
        assert.deepEqual(taken, ["hamlet at 2: 2", "macbeth at 1: 5"], "Each show has its seats and its version.")
        assert.strictEqual(checkpoint, last, "The checkpoint is at the last position.")
      }))
  })

  describe("b: what fails leaves nothing behind", patient, () => {
    const nothingOf = (why: string, events: Array<ReturnType<typeof reserved>>) =>
      Effect.gen(function*() {
        yield* some
        const before = yield* look
        const exit = yield* Effect.exit(record(events))
        check(Exit.isFailure(exit), `${why}, so recording must fail.`)
        const after = yield* look
        assert.deepEqual(after.events, before.events, `${why}, so no event of it is kept.`)
        assert.deepEqual(after.taken, before.taken, `${why}, so the read model stays.`)
        assert.strictEqual(after.checkpoint, before.checkpoint, `${why}, so the checkpoint stays.`)
      })

    it.effect("the read model refuses", () =>
      nothingOf("More than 100 seats do not fit into the read model", [
        reserved("macbeth", 2, 1),
        reserved("hamlet", 3, 99)
      ]))

    it.effect("the events refuse", () =>
      nothingOf("The second event is there already", [reserved("macbeth", 2, 1), reserved("hamlet", 2, 1)]))

    it.effect("a version is missing", () =>
      nothingOf("Version 3 of hamlet is missing", [reserved("macbeth", 2, 1), reserved("hamlet", 4, 1)]))

    it.effect("the checkpoint cannot be written", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* some
        yield* sql`alter table checkpoint add check (position < 4)`
        const exit = yield* Effect.exit(record([reserved("hamlet", 3, 1)]))
        check(Exit.isFailure(exit), "The checkpoint cannot be written, so recording must fail.")
        const { events, taken } = yield* look
        assert.strictEqual(events.length, 3, "The checkpoint cannot be written, so the event is not kept.")
        assert.deepEqual(
          taken,
          ["hamlet at 2: 2", "macbeth at 1: 5"],
          "The checkpoint cannot be written, so all stays."
        )
      }))
  })

  describe("c: applied twice is applied once, and in order", patient, () => {
    it.effect("again", () =>
      Effect.gen(function*() {
        yield* some
        const before = yield* look
        for (const event of yield* all) {
          const exit = yield* Effect.exit(apply(event))
          expectSuccess(exit, "An event that was applied before is not a failure.")
        }
        assert.deepEqual((yield* look).taken, before.taken, "Events that were applied before change nothing.")
      }))

    it.effect("too early", () =>
      Effect.gen(function*() {
        yield* some
        const before = yield* look
        const exit = yield* Effect.exit(apply({ ...reserved("hamlet", 4, 1), position: 9 }))
        const error = expectFailure(exit, "Version 4 comes before version 3, which has to be applied first.")
        check(error._tag === "OutOfOrder", `Version 4 before version 3 is OutOfOrder. Seen: ${error._tag}.`)
        assert.deepEqual([error.wanted, error.got], [3, 4], "OutOfOrder says what is wanted and what came.")
        assert.deepEqual((yield* look).taken, before.taken, "What came too early changes nothing.")
      }))
  })

  describe("d: made again from the first event, it is the same", patient, () => {
    it.effect("after somebody has changed it by hand", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* some
        const before = yield* look
        yield* setRow("hamlet", { version: 2, seats: 77 })
        yield* setRow("no such show", { version: 1, seats: 1 })
        yield* sql`update checkpoint set position = 1`
        expectSuccess(yield* Effect.exit(rebuild), "The read model can be made again at any time.")
        const after = yield* look
        assert.deepEqual(after.taken, before.taken, "The same events give the same table, whatever was in it.")
        assert.strictEqual(after.checkpoint, after.last, "Afterwards the checkpoint is at the last position.")
      }))

    it.effect("without events", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* createTables
        yield* setRow("hamlet", { version: 2, seats: 77 })
        yield* sql`update checkpoint set position = 3`
        expectSuccess(yield* Effect.exit(rebuild), "The read model can be made again without events.")
        const { checkpoint, taken } = yield* look
        assert.deepEqual(taken, [], "No events, no rows.")
        assert.strictEqual(checkpoint, 0, "No events, so the checkpoint is at 0.")
      }))

    it.effect("when it does not come to its end", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* some
        yield* setRow("hamlet", { version: 2, seats: 77 })
        const before = yield* look
        yield* sql`insert into events ${sql.insert(reserved("macbeth", 9, 1))}`
        const exit = yield* Effect.exit(rebuild)
        check(Exit.isFailure(exit), "Versions of macbeth are missing, so making it again must fail.")
        const after = yield* look
        assert.deepEqual(after.taken, before.taken, "Until the new table is complete, everybody sees the old one.")
        assert.strictEqual(
          after.checkpoint,
          before.checkpoint,
          "Until the new table is complete, the checkpoint stays."
        )
      }))
  })
})
