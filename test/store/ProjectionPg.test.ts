import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Option, Schedule, Schema } from "effect"
import { EventStore, Projection, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { fresh, move, projectionContract, projections } from "./projectionContract.ts"
import { live, projectionRowsContract, shared, withInline } from "./projectionRowsContract.ts"
import { elsewhere } from "./processes.ts"

const store = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 40 } })))

projectionContract("PgStore", store)
projectionRowsContract("PgStore", store)

describe("PgStore", () => {
  testLayer(store, { excludeTestServices: true, timeout: "60 seconds" })("rows of projections", (it) => {
    const each = (name: string, category: string) => shared(name, category, 1, (event) => [event.stream.id])
    const held = <A, E, R>(append: Effect.Effect<unknown, E, R>, meanwhile: Effect.Effect<A, E, R>) =>
      Effect.gen(function*() {
        const unit = yield* UnitOfWork.UnitOfWork
        const touched = yield* Deferred.make<void>()
        const end = yield* Deferred.make<void>()
        const holding = yield* Effect.forkChild(
          unit.run(Effect.andThen(append, Effect.andThen(Deferred.succeed(touched, undefined), Deferred.await(end))))
        )
        yield* Deferred.await(touched)
        const answer = yield* meanwhile
        yield* Deferred.succeed(end, undefined)
        yield* Fiber.join(holding)
        return answer
      })
    it.effect("keep nobody from rows of other streams, and no reader from the row itself", () =>
      Effect.gen(function*() {
        const { category, name } = fresh()
        const projection = each(name, category)
        const get = (id: string) => projections.use((all) => all.get(projection, id))
        yield* withInline(
          Effect.gen(function*() {
            yield* live(projection)
            yield* move(category, "a", 1)
            yield* held(
              move(category, "a", 1),
              Effect.gen(function*() {
                yield* Effect.timeout(move(category, "b", 1), "5 seconds")
                assert.strictEqual(Option.getOrThrow(yield* Effect.timeout(get("a"), "5 seconds")).state, 1)
                const page = yield* Effect.timeout(projections.use((all) => all.query(projection)), "5 seconds")
                assert.deepStrictEqual(page.rows.map(({ id, state }) => [id, state]), [["a", 1], ["b", 1]])
              })
            )
            assert.strictEqual(Option.getOrThrow(yield* get("a")).state, 2)
          }),
          [projection]
        )
      }))
    it.effect("make the next writer of a row that is not there yet wait for the first", () =>
      Effect.gen(function*() {
        const { category, name } = fresh()
        const projection = shared(name, category)
        yield* withInline(
          Effect.gen(function*() {
            yield* live(projection)
            const waiting = yield* held(
              move(category, "a", 1),
              Effect.gen(function*() {
                const waiting = yield* Effect.forkChild(move(category, "b", 1), { startImmediately: true })
                yield* Effect.sleep("300 millis")
                assert.isUndefined(waiting.pollUnsafe(), "the second did not wait")
                return waiting
              })
            )
            yield* Fiber.join(waiting)
            assert.strictEqual(Option.getOrThrow(yield* projections.use((all) => all.get(projection, "all"))).state, 2)
          }),
          [projection]
        )
      }))
    it.effect("take a place in the table of locks only where they are not there yet", () =>
      Effect.gen(function*() {
        const { category, name } = fresh()
        const projection = each(name, category)
        const sql = yield* SqlClient.SqlClient
        const locks = Effect.map(
          sql<{ readonly n: string }>`select count(*) as n from pg_locks
            where locktype = 'advisory' and mode = 'ExclusiveLock' and pid = pg_backend_pid()`,
          ([row]) => Number(row?.n)
        )
        const unit = yield* UnitOfWork.UnitOfWork
        yield* withInline(
          Effect.gen(function*() {
            yield* live(projection)
            assert.strictEqual(yield* unit.run(Effect.andThen(move(category, "a", 1), locks)), 1)
            assert.strictEqual(yield* unit.run(Effect.andThen(move(category, "a", 1), locks)), 0)
          }),
          [projection]
        )
      }))
    it.effect("that a process appends past, because it has no layer for them, are named in its log once", () =>
      Effect.gen(function*() {
        const [one, two] = [fresh(), fresh()]
        const kept = shared(one.name, one.category)
        const past = shared(two.name, two.category)
        yield* withInline(Effect.andThen(live(kept), live(past)), [kept, past])
        const heard: Array<string> = []
        const logging = Logger.layer([
          Logger.make(({ logLevel, message }) => void heard.push(`${logLevel} ${String(message)}`))
        ])
        yield* Effect.gen(function*() {
          const other = yield* elsewhere
          yield* withInline(move(two.category, "a", 1), [kept]).pipe(Effect.provideContext(other))
          yield* Effect.sync(() => heard.join()).pipe(
            Effect.repeat({ until: (all) => all.includes(two.name), schedule: Schedule.spaced("10 millis") }),
            Effect.timeout("15 seconds")
          )
        }).pipe(Effect.scoped, Effect.provide(logging))
        assert.lengthOf(heard.filter((line) => line.startsWith(`Warn The projection "${two.name}"`)), 1)
        assert.notInclude(heard.join(), `"${one.name}"`)
      }))
    it.effect("leave a deadlock to whoever has opened the transaction", () =>
      Effect.gen(function*() {
        const { category, name } = fresh()
        const projection = each(name, category)
        const unit = yield* UnitOfWork.UnitOfWork
        yield* withInline(
          Effect.gen(function*() {
            yield* live(projection)
            const both = yield* Deferred.make<void>()
            let first = 0
            const meet = Effect.suspend(() => ++first === 2 ? Deferred.succeed(both, undefined) : Deferred.await(both))
            const cross = (one: string, two: string) =>
              unit.run(Effect.andThen(move(category, one, 1), Effect.andThen(meet, move(category, two, 1))))
            const exits = yield* Effect.all([Effect.exit(cross("a", "b")), Effect.exit(cross("b", "a"))], {
              concurrency: 2
            })
            const failed = exits.filter(Exit.isFailure)
            assert.lengthOf(failed, 1)
            const error = yield* Effect.flip(failed[0] ?? Exit.void)
            assert.deepInclude(error, { _tag: "StoreUnavailable" })
            for (const id of ["a", "b"]) {
              assert.strictEqual(Option.getOrThrow(yield* projections.use((all) => all.get(projection, id))).state, 1)
            }
          }),
          [projection]
        )
      }))
    it.effect("are handled again, and no event is blamed, when the handler's own statement was undone", () =>
      Effect.gen(function*() {
        const { category, name } = fresh()
        const sql = yield* SqlClient.SqlClient
        let times = 0
        const projection = Projection.make({
          name,
          version: 1,
          schema: Schema.Int,
          categories: [category],
          handle: (_, rows) =>
            Effect.gen(function*() {
              yield* rows.modify("all", (sum = 0) => sum + 1)
              if (++times < 3) yield* sql`do $$ begin raise exception 'undone' using errcode = '40P01'; end $$`
            })
        })
        yield* EventStore.EventStore.use((events) =>
          events.append({
            stream: { category, id: "a" },
            expect: "any",
            events: [1, 2].map((by) => ({ type: "Moved", data: { by } }))
          })
        )
        yield* projections.use((all) => all.rebuild(projection, { retry: Schedule.recurs(0) })).pipe(
          Effect.timeout("15 seconds")
        )
        assert.strictEqual(Option.getOrThrow(yield* projections.use((all) => all.get(projection, "all"))).state, 2)
        assert.strictEqual(times, 4)
      }))
  })
})
