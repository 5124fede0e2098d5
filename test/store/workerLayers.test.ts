/** Workers that run as layers: what cannot work does not build, and what stops later says so. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Schedule, Schema } from "effect"
import { Saga } from "effect-lifecycle/domain"
import { InvalidOption } from "effect-lifecycle/resilience"
import { EventStore, MemoryStore, Outbox, Projection, SagaStore, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import * as Background from "../../src/store/internal/background.ts"
import { pgTest } from "../postgres.ts"

const handle = () => Effect.void
const publish = () => Effect.void
const P = Projection.make({ name: "p", version: 1, schema: Schema.Int, handle })
const S = Saga.make({ name: "s", input: Schema.Void }).step("a", { run: () => Effect.void })
const other = Saga.make({ name: "s", input: Schema.Void }).step("b", { run: () => Effect.void })

const wrong: Record<
  string,
  Layer.Layer<
    never,
    InvalidOption.InvalidOption,
    Layer.Success<typeof MemoryStore.layer>
  >
> = {
  "Subscription.layer: batchSize": Subscription.layer({ name: "x", handle, batchSize: 0 }),
  "Subscription.layer: name": Subscription.layer({ name: "", handle }),
  "Subscription.layer: partitions": Subscription.layer({ name: "x", handle, partitions: 257 }),
  "Subscription.layer: lease": Subscription.layer({ name: "x", handle, lease: "1 millis" }),
  "Subscription.layer: timeout": Subscription.layer({ name: "x", handle, timeout: 0 }),
  "Projection.layer: partitions": Projection.layer(P, { partitions: 0 }),
  "Projection.layer: lease": Projection.layer(P, { lease: Number.NaN }),
  "Outbox.layer: lease": Outbox.layer({ publish, lease: "1 millis" }),
  "Outbox.layer: timeout": Outbox.layer({ publish, timeout: 0 }),
  "Outbox.layer: attempts": Outbox.layer({ publish, attempts: 0 }),
  "Outbox.layer: concurrency": Outbox.layer({ publish, concurrency: 1.5 }),
  "Saga.layer: sagas": Saga.layer([S, other]),
  "Saga.layer: attempts": Saga.layer([S], { attempts: 0 }),
  "Saga.layer: lease": Saga.layer([S], { lease: "1 millis" }),
  "Saga.layer: concurrency": Saga.layer([S], { concurrency: 0 })
}

/** What is logged at the level of errors. */
const errors = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    if (logLevel === "Error" || logLevel === "Fatal") lines.push(String([message].flat()[0]))
  })
  return { lines, layer: Logger.layer([logger]) }
}

const until = (holds: () => boolean) =>
  Effect.sync(holds).pipe(
    Effect.filterOrFail((held) => held, () => "not yet"),
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeout("5 seconds")
  )

const stores = [
  ["MemoryStore", Layer.fresh(MemoryStore.layer)],
  ["PgStore", PgStore.layer().pipe(Layer.provide(pgTest({ client: { maxConnections: 10 } })))]
] as const
for (const [title, stored] of stores) {
  describe(`the layers of workers over ${title}`, () => {
    it.live("fail with the option that cannot be, before anything runs", () =>
      Effect.gen(function*() {
        for (const [what, layer] of Object.entries(wrong)) {
          const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
          assert.instanceOf(error, InvalidOption.InvalidOption, what)
          assert.strictEqual(`${error.module}: ${error.option}`, what)
        }
      }).pipe(Effect.provide(stored)))
    it.live("say nothing while they work, and nothing when they end", () => {
      const { layer, lines } = errors()
      return Effect.gen(function*() {
        const workers = Layer.mergeAll(
          Subscription.layer({ name: "x", handle }),
          Projection.layer(P),
          Outbox.layer({ publish }),
          Saga.layer([S])
        )
        yield* Effect.provide(Effect.sleep("50 millis"), workers)
        assert.deepStrictEqual(lines, [])
      }).pipe(Effect.provide(Layer.provideMerge(stored, layer)))
    })
  })
}

describe("a worker that stops although it should not", () => {
  const bug = Effect.die(new Error("a bug"))
  it.live("is an error in the log, once, under its name", () => {
    const { layer, lines } = errors()
    return Effect.gen(function*() {
      const broken = Layer.effectContext(Effect.gen(function*() {
        const subscriptions = yield* Subscription.Subscriptions
        const projections = yield* Projection.Projections
        const outbox = yield* Outbox.Outbox
        const sagas = yield* SagaStore.SagaStore
        return Context.make(Subscription.Subscriptions, { ...subscriptions, run: () => bug }).pipe(
          Context.add(Projection.Projections, { ...projections, run: () => bug }),
          Context.add(Outbox.Outbox, { ...outbox, run: () => bug }),
          Context.add(SagaStore.SagaStore, { ...sagas, work: () => bug })
        )
      }))
      const workers = Layer.mergeAll(
        Subscription.layer({ name: "mails", handle }),
        Projection.layer(P),
        Outbox.layer({ publish, topics: ["orders", "users"] }),
        Saga.layer([S])
      ).pipe(Layer.provide(broken))
      yield* Effect.provide(
        Effect.andThen(until(() => lines.length >= 4), Effect.sleep("20 millis")),
        workers
      )
      assert.deepStrictEqual(lines.toSorted(), [
        "The outbox worker of orders, users stopped",
        "The projection \"p\" (version 1) stopped",
        "The subscription \"mails\" stopped",
        "The worker of the sagas s 1 stopped"
      ])
    }).pipe(Effect.provide(Layer.provideMerge(Layer.fresh(MemoryStore.layer), layer)))
  })
  it.live("is no subscription whose handler dies of a bug: that is its event's", () => {
    const { layer, lines } = errors()
    return Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      yield* store.append({ stream: { category: "A", id: "a" }, expect: "any", events: [{ type: "T", data: {} }] })
      const mails = Subscription.layer({ name: "mails", poison: "skip", retry: Schedule.recurs(0), handle: () => bug })
      const reached = Subscription.Subscriptions.use((all) => all.awaitPosition("mails", 1n))
      yield* Effect.provide(Effect.timeout(reached, "5 seconds"), mails)
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(Layer.provideMerge(Layer.fresh(MemoryStore.layer), layer)))
  })
  it.live("is work in the background too, unless only the store was away", () => {
    const { layer, lines } = errors()
    return Effect.gen(function*() {
      const background = yield* Background.make(4)
      yield* background.run(Effect.fail("away"))
      yield* background.run(bug)
      yield* background.settled
      assert.deepStrictEqual(lines, ["Work in the background stopped"])
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})
