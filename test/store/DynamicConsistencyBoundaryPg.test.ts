import { assert, describe, it, layer as testLayer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { DynamicConsistencyBoundary as Dcb, MemoryStore, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { boundaryContract, fresh } from "./boundaryContract.ts"
import { play, steps } from "./boundaryModel.ts"

const client = { maxConnections: 40 }
const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client })))
boundaryContract("PgStore", Pg)

const boundary = Dcb.DynamicConsistencyBoundary
const append = (append: Dcb.Append) => boundary.use((all) => all.append(append))

/** Appends in a transaction that stays open until it is told to commit. */
const slowAppend = Effect.fnUntraced(function*(events: ReadonlyArray<Dcb.NewTaggedEvent>) {
  const written = yield* Deferred.make<bigint>()
  const ending = yield* Deferred.make<void>()
  const fiber = yield* UnitOfWork.UnitOfWork.use((unit) =>
    unit.run(Effect.gen(function*() {
      const result = yield* append({ events })
      yield* Deferred.succeed(written, result._tag === "Appended" ? result.position : 0n)
      yield* Deferred.await(ending)
    }))
  ).pipe(Effect.forkChild)
  const position = yield* Deferred.await(written)
  return { position, commit: Effect.andThen(Deferred.succeed(ending, undefined), Fiber.join(fiber)) }
})

describe("DynamicConsistencyBoundary, of PostgreSQL only", () => {
  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("one database", (it) => {
    it.effect("notices an event that was being written below the highest position of the read", () =>
      Effect.gen(function*() {
        const [a, b] = [fresh(), fresh()]
        const query = [{ tags: [a] }, { tags: [b] }]
        const slow = yield* slowAppend([{ type: "Slow", data: {}, tags: [b] }])
        const fast = yield* append({ events: [{ type: "Fast", data: {}, tags: [a] }] })
        const { after, events } = yield* boundary.use((all) => all.read(query))
        assert.deepStrictEqual(events.map(({ type }) => type), ["Fast"])
        assert.isBelow(Number(slow.position), fast._tag === "Appended" ? Number(fast.position) : 0)
        yield* slow.commit
        assert.deepStrictEqual(
          yield* append({ events: [{ type: "Decided", data: {}, tags: [a] }], condition: { query, after } }),
          { _tag: "ConditionFailed", position: slow.position, type: "Slow" }
        )
      }))
    it.effect("waits for who is writing one of its tags, and for nobody else", () =>
      Effect.gen(function*() {
        const [a, b] = [fresh(), fresh()]
        const slow = yield* slowAppend([{ type: "Slow", data: {}, tags: [a] }])
        const condition = { query: [{ tags: [a] }] }
        const waiting = yield* Effect.forkChild(append({ events: [{ type: "T", data: {}, tags: [] }], condition }), {
          startImmediately: true
        })
        yield* append({ events: [{ type: "T", data: {}, tags: [b] }], condition: { query: [{ tags: [b] }] } })
        yield* append({ events: [{ type: "T", data: {}, tags: [a] }] }).pipe(
          (other) => UnitOfWork.UnitOfWork.use((unit) => unit.run(other)),
          Effect.timeoutOption("100 millis")
        )
        assert.isUndefined(waiting.pollUnsafe())
        yield* slow.commit
        assert.deepInclude(yield* Fiber.join(waiting), { _tag: "ConditionFailed", position: slow.position })
      }))
    it.effect("refuses a transaction whose isolation level hides what was committed while it waited", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const exit = yield* Effect.exit(UnitOfWork.UnitOfWork.use((unit) =>
          unit.run(Effect.andThen(
            sql`set transaction isolation level repeatable read`,
            append({ events: [{ type: "T", data: {}, tags: [fresh()] }] })
          ))
        ))
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(Exit.isFailure(exit) ? exit.cause.reasons.map(String).join() : ""), "SqlError")
      }))
    it.effect("looks at the events of its tags only", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const crowd = fresh("crowd")
        const rare = fresh("rare")
        yield* append({ events: Array.from({ length: 5000 }, () => ({ type: "T", data: 0, tags: [crowd] })) })
        yield* append({ events: [{ type: "T", data: 0, tags: [crowd, rare] }] })
        yield* sql`analyze es.event_tags`
        const plan = yield* sql.unsafe<{ readonly "QUERY PLAN": string }>(
          `explain (analyze, costs off, timing off, summary off)
           select t.position from es.event_tags t where t.tenant = '' and t.tag = '${rare}' and t.position > 0
           order by t.position limit 1`
        )
        assert.include(plan.map((row) => row["QUERY PLAN"]).join("\n"), "event_tags_pkey")
      }))
  })

  it.effect.prop(
    "answers as the store in memory does, whatever is asked of it",
    [steps],
    ([steps]) =>
      Effect.gen(function*() {
        const schema = `m${
          Math.abs(JSON.stringify(steps).split("").reduce((h, c) => (h * 31 + c.charCodeAt(0)) | 0, 7))
        }`
        const inMemory = yield* Effect.provide(play(steps), Layer.fresh(MemoryStore.layer))
        const inPg = yield* Effect.provide(play(steps), Layer.fresh(PgStore.layer({ schema })))
        assert.deepStrictEqual(inPg, inMemory)
      }).pipe(Effect.provide(pgTest())),
    { arbitrary: { runs: 15 }, timeout: 60_000 }
  )
})
