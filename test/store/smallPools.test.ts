/** Everything of a store listens on one connection, while somebody wants to hear, and only where the pool can spare it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schedule, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { EventStore, Outbox, SagaStore, Subscription, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"

const event = (id: string) => ({
  stream: { category: "A", id },
  expect: "any" as const,
  events: [{ type: "T", data: {} }]
})

const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((holds) => holds, () => "not yet" as const),
    Effect.retry({ schedule: Schedule.spaced("10 millis"), while: (error) => error === "not yet" }),
    Effect.timeout("10 seconds")
  )

/** What is logged about listening. */
const told = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => {
    const line = String([message].flat()[0])
    if (line.includes("does not listen")) lines.push(line)
  })
  return { lines, layer: Logger.layer([logger], { mergeWithExisting: true }) }
}

/** How many connections of this database have asked to listen last, which is all that they do. */
const listening = SqlClient.SqlClient.use((sql) =>
  sql<{ readonly n: number }>`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and query ilike 'listen %'`
).pipe(Effect.map(([row]) => row?.n ?? 0))

const S = Saga.make({ name: "s", input: Schema.Void }).step("a", { run: () => Effect.void })

/** The same store as another process has it, with a pool of its own. */
const elsewhere = (options: PgStore.Options) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return yield* Layer.build(
      Layer.fresh(PgStore.layer(options)).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
    )
  })

describe("a pool of a few connections", () => {
  for (const size of [1, 2, 3, 4]) {
    it.live(`of ${size}: appends, a subscription, an outbox and a saga go on together`, () => {
      const got: Array<string> = []
      const { layer, lines } = told()
      const workers = Layer.mergeAll(
        Subscription.layer({ name: "a", handle: ({ stream }) => Effect.sync(() => void got.push(stream.id)) }),
        Outbox.layer({ publish: ({ payload }) => Effect.sync(() => void got.push(String(payload))) }),
        Saga.layer([S])
      )
      return Effect.gen(function*() {
        const store = yield* EventStore.EventStore
        const outbox = yield* Outbox.Outbox
        const unit = yield* UnitOfWork.UnitOfWork
        // Everybody has what it wants to keep by now.
        yield* Effect.sleep("300 millis")
        for (let i = 0; i < 5; i++) {
          const one = unit.run(
            Effect.andThen(store.append(event(`e${i}`)), outbox.enqueue({ topic: "t", payload: `m${i}` }))
          )
          yield* Effect.timeout(one, "5 seconds")
          const ended = yield* Effect.timeout(Saga.run(S, { id: `s${i}`, input: undefined }), "5 seconds")
          assert.strictEqual(ended._tag, "Completed")
        }
        yield* until(Effect.sync(() => got.length === 10))
        assert.sameMembers(got, [0, 1, 2, 3, 4].flatMap((i) => [`e${i}`, `m${i}`]))
        assert.strictEqual(yield* listening, size < 3 ? 0 : 1)
        assert.deepStrictEqual(
          lines,
          size < 3
            ? [
              `The store "es" does not listen, because a pool of ${size} has no connection to spare for listening, one of 3 has: what other processes write is found by a poll every 500ms`
            ]
            : []
        )
      }).pipe(
        Effect.provide(workers.pipe(
          Layer.provideMerge(PgStore.layer()),
          Layer.provideMerge(pgTest({ client: { maxConnections: size } })),
          Layer.provideMerge(layer)
        ))
      )
    }, { timeout: 60_000 })
  }
})

/** Hears of what another process writes, and writes nothing itself; the poll is no help. */
const heardElsewhere = Effect.gen(function*() {
  const here = yield* Effect.context<EventStore.EventStore | Outbox.Outbox | SagaStore.SagaStore>()
  const other = yield* elsewhere({ pollEvery: "1 hour" })
  const got: Array<string> = []
  const subscription = Subscription.layer({
    name: "a",
    handle: ({ stream }) => Effect.sync(() => void got.push(stream.id))
  })
  const outbox = Outbox.layer({ publish: ({ payload }) => Effect.sync(() => void got.push(String(payload))) })
  const written = Effect.gen(function*() {
    for (const i of [1, 2, 3]) {
      yield* EventStore.EventStore.use((store) => store.append(event(`e${i}`)))
      yield* until(Effect.sync(() => got.includes(`e${i}`)))
      yield* Outbox.Outbox.use((box) => box.enqueue({ topic: "t", payload: `m${i}` }))
      yield* until(Effect.sync(() => got.includes(`m${i}`)))
      yield* Saga.start(S, { id: `s${i}`, input: undefined })
      const found = SagaStore.SagaStore.use((sagas) => sagas.find({ name: "s", id: `s${i}` }))
      yield* until(Effect.map(found, (saga) => saga?.state === "completed"))
    }
  })
  assert.strictEqual(yield* listening, 0)
  yield* Effect.gen(function*() {
    yield* until(Effect.map(listening, (n) => n === 1))
    // One leaves; the others still hear.
    yield* Effect.scoped(Layer.build(subscription))
    yield* Layer.build(Layer.merge(Layer.fresh(subscription), Saga.layer([S])))
    // What they look for at their start is over.
    yield* Effect.sleep("300 millis")
    yield* Effect.provideContext(written, here)
    assert.strictEqual(yield* listening, 1)
  }).pipe(Effect.scoped, Effect.provide(outbox), Effect.provideContext(other))
  assert.strictEqual(yield* listening, 1)
  yield* until(Effect.map(listening, (n) => n === 0))
  // Whoever comes later listens again.
  yield* until(Effect.map(listening, (n) => n === 1)).pipe(
    Effect.provide(Layer.fresh(outbox)),
    Effect.provideContext(other)
  )
})

describe("listening", () => {
  const Pg = PgStore.layer({ listen: false }).pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))
  it.live(
    "takes one connection for all that there is to hear, and gives it back after the last who hears",
    () => heardElsewhere.pipe(Effect.scoped, Effect.provide(Pg)),
    { timeout: 60_000 }
  )
})
