import { assert, describe, it, layer } from "@effect/vitest"
import { Array, Effect, Exit, Fiber, Latch, Stream } from "effect"
import { EventStore, MemoryStore } from "effect-lifecycle/store"
import { SqlClient } from "effect/sql"
import { database, once, patient } from "../../sql.ts"
import { check, expectFailure, expectSuccess } from "../../support.ts"
import { append, appendWithLibrary } from "./exercise.ts"
import { createTable, read } from "./table.ts"

type Seats = Array.NonEmptyReadonlyArray<number>

const sold = (...seats: Seats) => Array.map(seats, (seat) => ({ type: "Sold", data: { seat } }))
const bad = { type: "", data: {} }

const rows = (stream: string) =>
  Effect.map(
    read(stream),
    (rows) => rows.map(({ data, version }) => `${version}: seat ${(data as { seat: number }).seat}`)
  )

const write = (stream: string, expected: number, ...seats: Seats) =>
  Effect.exit(append(stream, expected, sold(...seats)))

layer(database, once)((it) => {
  describe("a: a stream is numbered from 1, for itself", patient, () => {
    it.effect("two streams", () =>
      Effect.gen(function*() {
        yield* createTable
        assert.strictEqual(expectSuccess(yield* write("hamlet", 0, 1, 2), "A new stream is at 0."), 2, "Two events.")
        assert.strictEqual(expectSuccess(yield* write("macbeth", 0, 9), "Each stream starts at 0."), 1, "One event.")
        assert.strictEqual(expectSuccess(yield* write("hamlet", 2, 3), "Now it is at 2."), 3, "The third event.")
        const seen = yield* rows("hamlet")
        assert.deepEqual(seen, ["1: seat 1", "2: seat 2", "3: seat 3"], "A stream is numbered 1, 2, 3, without gaps.")
        assert.deepEqual(yield* rows("macbeth"), ["1: seat 9"], "A stream is numbered for itself.")
      }))
  })

  describe("b: who stands elsewhere gets a Conflict and writes nothing", patient, () => {
    for (const [name, expected] of [["behind", 1], ["at the start", 0], ["ahead", 5]] as const) {
      it.effect(name, () =>
        Effect.gen(function*() {
          yield* createTable
          yield* write("hamlet", 0, 1, 2)
          const error = expectFailure(
            yield* write("hamlet", expected, 3),
            `The stream is at 2, so an append at ${expected} must fail.`
          )
          check(error._tag === "Conflict", `The failure must be a Conflict. Seen: ${error._tag}.`)
          assert.strictEqual(error.expected, expected, "A Conflict says what the writer believed.")
          assert.strictEqual(error.actual, 2, "A Conflict says where the stream is.")
          assert.deepEqual(yield* rows("hamlet"), ["1: seat 1", "2: seat 2"], "With a Conflict nothing is written.")
        }))
    }
  })

  describe("c: all of them, or none", patient, () => {
    it.effect("the third of three is bad", () =>
      Effect.gen(function*() {
        yield* createTable
        yield* write("hamlet", 0, 1)
        const error = expectFailure(
          yield* Effect.exit(append("hamlet", 1, [...sold(2, 3), bad])),
          "An event without a type is refused by the table."
        )
        check(error._tag === "SqlError", `What is not a conflict stays an SqlError. Seen: ${error._tag}.`)
        assert.deepEqual(yield* rows("hamlet"), ["1: seat 1"], "Of three events one was bad, so none is kept.")
        const next = yield* write("hamlet", 1, 4)
        assert.strictEqual(expectSuccess(next, "Afterwards the stream is still at 1."), 2, "It goes on at 2.")
      }))
  })

  describe("d: of ten at the same moment one wins, and the others are told", patient, () => {
    it.effect("somebody else has written and not committed", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* createTable
        yield* write("hamlet", 0, 1)
        const written = yield* Latch.make()
        const row = { stream: "hamlet", version: 2, type: "Sold", data: JSON.stringify({ seat: 2 }) }
        const other = yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql`insert into events ${sql.insert(row)}`
          yield* written.open
          yield* Effect.sleep("200 millis")
        })).pipe(Effect.forkChild({ startImmediately: true }))
        yield* written.await
        const exit = yield* write("hamlet", 1, 3)
        yield* Fiber.join(other)
        const error = expectFailure(exit, "The other one was first, and a writer who lost is told by a typed failure.")
        check(error._tag === "Conflict", `Who lost gets a Conflict. Seen: ${error._tag}, ${error.message}.`)
        assert.deepEqual([error.expected, error.actual], [1, 2], "A Conflict has both versions.")
        assert.deepEqual(yield* rows("hamlet"), ["1: seat 1", "2: seat 2"], "With a Conflict nothing is written.")
      }))

    it.effect("ten writers", () =>
      Effect.gen(function*() {
        yield* createTable
        yield* write("hamlet", 0, 1)
        for (let round = 1; round <= 3; round++) {
          const exits = yield* Effect.forEach(
            Array.range(0, 9),
            (seat) => write("hamlet", round, seat),
            { concurrency: "unbounded" }
          )
          const won = exits.filter(Exit.isSuccess)
          check(won.length === 1, `Ten writers stood at ${round}; one of them may write. Seen: ${won.length} did.`)
          for (const exit of exits.filter(Exit.isFailure)) {
            const error = expectFailure(exit, "A writer who lost must be told by a typed failure.")
            check(error._tag === "Conflict", `Who lost gets a Conflict. Seen: ${error._tag}: ${error.message}.`)
            assert.deepEqual([error.expected, error.actual], [round, round + 1], "A Conflict has both versions.")
          }
        }
        assert.strictEqual((yield* read("hamlet")).length, 4, "Three rounds, three winners.")
      }))
  })
})

describe("e: the same with the library", () => {
  const hamlet = { category: "Show", id: "hamlet" }

  it.effect("append, and stand elsewhere", () =>
    Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      const at = (expected: number, ...seats: Seats) => Effect.exit(appendWithLibrary(hamlet, expected, sold(...seats)))
      assert.strictEqual(expectSuccess(yield* at(0, 1, 2), "A new stream is at 0."), 2, "The version is 2 now.")
      const error = expectFailure(yield* at(1, 3), "The stream is at 2, so an append at 1 must fail.")
      check(error._tag === "Conflict", `The failure must be a Conflict. Seen: ${error._tag}.`)
      assert.deepEqual([error.expected, error.actual], [1, 2], "A Conflict has both versions.")
      const events = yield* Stream.runCollect(store.read(hamlet))
      assert.deepEqual(events.map((event) => event.version), [1, 2], "With a Conflict nothing is written.")
    }).pipe(Effect.provide(MemoryStore.layer)))
})
