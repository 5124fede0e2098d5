import { assert, describe, layer } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Option, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { AggregateOwner, Domain, Mediator } from "effect-lifecycle/domain"
import { EventStore, Outbox, StateStore } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { FaultySql } from "effect-lifecycle/testing"
import { Add, addHandler, Counter } from "../cluster/support.ts"
import { orders, Place, placeHandler } from "../domain/support/orders.ts"
import { pgTest } from "../postgres.ts"

// Every statement is one of the test's: no notifications, and no statement that is shared with others.
const Live = Domain.toLayer([placeHandler, addHandler]).pipe(
  Layer.provideMerge(PgStore.layer({ collections: [orders], notify: false, listen: false })),
  Layer.provideMerge(FaultySql.layer()),
  Layer.provideMerge(pgTest({ client: { maxConnections: 4 } }))
)

/** A command with everything that a unit can write: events, the projection's row, a message of the outbox. */
const order = (id: string) =>
  Domain.transaction(Effect.gen(function*() {
    const reply = yield* Mediator.send(Place, { orderId: id, quantity: 2, requestKey: "key" })
    if (Option.isSome(yield* sentOf(id))) return reply
    const outbox = yield* Outbox.Outbox
    const message = outbox.enqueue({ id, topic: "placed", payload: { id } })
    yield* Effect.catchTag(message, "InvalidMessage", (error) => Effect.die(error))
    return reply
  }))

const sentOf = (id: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* Effect.orDie(sql`select 1 from es.outbox where id = ${id}`)
    return Option.fromUndefinedOr(rows[0])
  })

/** How much of a command is there, each part by itself. */
const kept = (id: string) =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const states = yield* StateStore.StateStore
    return [
      (yield* Stream.runCollect(store.read({ category: "Order", id }))).length,
      Option.isSome(yield* states.get(orders, id)) ? 1 : 0,
      Option.isSome(yield* sentOf(id)) ? 1 : 0
    ]
  })

const none = [0, 0, 0]
const all = [1, 1, 1]

const walk = (name: string, fault: FaultySql.Fault, committedBy: (kind: FaultySql.Statement["kind"]) => boolean) =>
  Effect.gen(function*() {
    const faults = yield* FaultySql.FaultySql
    const seen: Array<string> = []
    for (let at = 1;; at++) {
      const id = `${name}-${at}`
      yield* faults.arm({ at, fault })
      const exit = yield* Effect.exit(order(id))
      const struck = (yield* faults.statements)[at - 1]
      const fired = yield* faults.fired
      yield* faults.reset
      if (fired === 0) {
        assert.isTrue(Exit.isSuccess(exit))
        break
      }
      assert.isDefined(struck)
      seen.push(struck!.kind)
      const where = `${name} at statement ${at}: ${struck!.text.trim().slice(0, 60)}`
      assert.isTrue(Exit.isFailure(exit), where)
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
      assert.strictEqual(error?._tag, "StoreUnavailable", `${where} ended as ${String(exit)}`)
      assert.deepStrictEqual(yield* kept(id), committedBy(struck!.kind) ? all : none, where)
      assert.deepStrictEqual(yield* order(id), { orderId: id, quantity: 2, version: 1 }, `the repeat after ${where}`)
      assert.deepStrictEqual(yield* kept(id), all, `the repeat after ${where}`)
    }
    return seen
  })

describe("FaultySql", () => {
  layer(Live, { excludeTestServices: true, timeout: "60 seconds" })("on PostgreSQL", (it) => {
    describe("at each statement of a command, of which all or nothing is kept, typed, and repeated safely", () => {
      it.effect("fails it", () =>
        Effect.gen(function*() {
          const seen = yield* walk("fail", FaultySql.fail(), () => false)
          assert.deepStrictEqual([seen[0], seen.at(-1)], ["begin", "commit"])
          assert.isAtLeast(seen.length, 7) // begin, look up, load, append, row, message, commit
        }))
      it.effect("cuts the connection before it", () => walk("before", FaultySql.cut, () => false))
      it.effect("cuts the connection after it: a commit is kept, though nobody is told", () =>
        walk("after", FaultySql.cutAfter, (kind) => kind === "commit"))
    })

    it.effect("leaves no open transaction and no dead connection in the pool", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (let i = 0; i < 8; i++) {
          const [row] = yield* sql<
            { open: boolean }
          >`select now() <> statement_timestamp() and txid_current_if_assigned() is not null as open`
          assert.isFalse(row?.open)
        }
      }))

    it.effect("delays a statement, and only that", () =>
      Effect.gen(function*() {
        const faults = yield* FaultySql.FaultySql
        const sql = yield* SqlClient.SqlClient
        yield* faults.arm({ matching: /select 2/, fault: FaultySql.delay("80 millis") })
        const [quick] = yield* Effect.timed(sql`select 1`)
        const [slow] = yield* Effect.timed(sql`select 2`)
        const [again] = yield* Effect.timed(sql`select 2`)
        yield* faults.reset
        assert.isBelow(Duration.toMillis(quick), 80)
        assert.isAtLeast(Duration.toMillis(slow), 79)
        assert.isBelow(Duration.toMillis(again), 80)
      }))

    it.effect("matches by kind, as often as told, also in streams and savepoints", () =>
      Effect.gen(function*() {
        const faults = yield* FaultySql.FaultySql
        const sql = yield* SqlClient.SqlClient
        yield* faults.arm({ matching: ({ kind }) => kind === "savepoint", fault: FaultySql.fail(), times: 2 })
        const nested = sql.withTransaction(sql.withTransaction(sql`select 1`))
        yield* Effect.flip(nested)
        yield* Effect.flip(nested)
        yield* nested
        assert.strictEqual(yield* faults.fired, 2)
        yield* faults.reset
        yield* faults.arm({ matching: "generate_series", fault: FaultySql.fail() })
        const stream = sql<{ n: number }>`select generate_series(1, 3) as n`.stream
        yield* Effect.flip(Stream.runDrain(stream))
        assert.deepStrictEqual((yield* Stream.runCollect(stream)).map(({ n }) => n), [1, 2, 3])
        yield* faults.reset
      }))

    it.effect("shows that a command of an owned aggregate is one statement", () =>
      Effect.gen(function*() {
        const faults = yield* FaultySql.FaultySql
        const owner = AggregateOwner.make(Counter, "c")
        const add = Mediator.send(Add, { id: "c", by: 1 }).pipe(AggregateOwner.within(owner))
        yield* add
        yield* faults.reset
        yield* add
        const statements = yield* faults.statements
        assert.lengthOf(statements, 1)
        assert.match(statements[0]?.text ?? "", /update .*streams[^]*insert into .*events/)
        // Cut after it: the owner does not know what was stored, and finds out.
        yield* faults.arm({ matching: /insert into .*events/, fault: FaultySql.cutAfter })
        const error = yield* Effect.flip(add)
        assert.strictEqual(error._tag, "StoreUnavailable")
        yield* faults.reset
        assert.deepStrictEqual(yield* add, { total: 4, version: 4 })
      }))
  })
})
