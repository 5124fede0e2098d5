/** Three runners over one PostgreSQL: one is killed, one joins, one leaves, while callers send without a pause. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { AggregateEntity } from "effect-lifecycle/cluster"
import * as PgStore from "effect-lifecycle/store/pg"
import { address, pgTest } from "../postgres.ts"
import { Callers, compare, end, startRunner } from "./cluster.harness.ts"
import { counters, sender } from "./cluster.runner.ts"

const aggregates = 24

const Live = Layer.mergeAll(PgStore.layer({ listen: false }), sender).pipe(
  Layer.provideMerge(pgTest({ client: { maxConnections: 20 } }))
)

describe("AggregateEntity on three runners", () => {
  it.live(
    "loses no command and does none twice, while one runner is killed, one joins and one leaves",
    () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const [row] = yield* sql<{ readonly name: string }>`select current_database() as name`
        const where = { address: yield* address, database: row?.name ?? "" }
        const [first, second] = yield* Effect.all(
          [startRunner(where), startRunner(where), startRunner(where)],
          { concurrency: 3 }
        )
        const callers = new Callers(yield* AggregateEntity.client(counters), aggregates)
        const calling = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 16 }), () => callers.run, { concurrency: "unbounded", discard: true })
        )
        /** Every aggregate has an owner again: it has answered. */
        const served = (what: string) =>
          Effect.suspend(() => {
            const before = callers.sent.size
            return Effect.suspend(() =>
              callers.answeredSince(before) === aggregates
                ? Effect.void
                : Effect.fail(new Error(`${what}: ${callers.answeredSince(before)} of ${aggregates} answer`))
            ).pipe(Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "15 seconds" })))
          })
        yield* served("after the start")
        yield* end(first, "SIGKILL")
        yield* served("after one was killed")
        yield* startRunner(where)
        yield* served("after one joined")
        yield* end(second, "SIGTERM")
        yield* served("after one left")
        callers.stop()
        yield* Fiber.join(calling)

        // What is durable and was not answered happens now, if it has not yet.
        yield* compare(callers, aggregates).pipe(
          Effect.repeat({
            until: ({ faults }) => faults.length === 0,
            schedule: Schedule.upTo(Schedule.spaced("200 millis"), { duration: "10 seconds" })
          })
        )
        const { answered, faults, stored, unanswered } = yield* compare(callers, aggregates)
        assert.deepStrictEqual(faults, [])
        assert.isAbove(answered, 200)
        assert.isAtLeast(stored, answered)
        assert.isAtMost(stored, answered + unanswered)
      }).pipe(Effect.provide(Live)),
    90_000
  )
})
