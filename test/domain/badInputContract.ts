/** What becomes of stored events that the program cannot read, over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Effect, Exit, type Layer, Option, Schedule, Schema, Stream } from "effect"
import { Aggregate, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
import { EventStore, Projection, Subscription, type UnitOfWork } from "effect-lifecycle/store"

export type Stores =
  | EventStore.EventStore
  | Projection.Projections
  | Subscription.Subscriptions
  | UnitOfWork.UnitOfWork

const Add = Command.make("sums.Add", {
  payload: { id: Schema.String, by: Schema.Int },
  aggregateId: ({ id }) => id
})
const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })

let names = 0
/** An aggregate that nobody has used, whose domain also has a durable handler of its events. */
const fresh = () => {
  const name = `Sum${++names}`
  const handled: Array<number> = []
  const aggregate = Aggregate.make({
    name,
    state: Schema.Struct({ sum: Schema.Int }),
    initial: { sum: 0 },
    commands: [Add],
    events: [Added],
    decide: { "sums.Add": (_state, { by }) => Effect.succeed([Added.make({ by })]) },
    evolve: { Added: ({ sum }, { by }) => ({ sum: sum + by }) }
  })
  const domain = Domain.toLayer([
    Domain.aggregateHandler(Add, aggregate, { reply: () => undefined }),
    Domain.eventHandler(Added, {
      name: "noting",
      durable: true,
      handle: ({ by }) => Effect.sync(() => void handled.push(by))
    })
  ])
  return { name, aggregate, domain, handled }
}

type Written = Omit<EventStore.NewEvent, "id">

/** What some other program has written, which this one cannot read. */
const table: ReadonlyArray<readonly [string, Written, (message: string) => void, "UnknownEvent" | "InvalidEvent"]> = [
  [
    "a type that nobody knows",
    { type: "Subtracted", data: { by: 1 } },
    (message) => assert.include(message, "Unknown event type \"Subtracted\""),
    "UnknownEvent"
  ],
  [
    "a version that is newer than this program",
    { type: "Added", schemaVersion: 2, data: { by: 1 } },
    (message) => assert.include(message, "Unknown version 2 of event \"Added\" (known: 1 to 1)"),
    "UnknownEvent"
  ],
  [
    "a payload that no longer decodes",
    { type: "Added", data: { by: "one" } },
    (message) => assert.include(message, "Event \"Added\" version 1 does not fit its schema"),
    "InvalidEvent"
  ],
  [
    "a payload with a field too many",
    { type: "Added", data: { by: 1, twice: true } },
    (message) => assert.include(message, "Event \"Added\" version 1 does not fit its schema"),
    "InvalidEvent"
  ]
]

/** A good event, one that cannot be read, and a good one. */
const written = (category: string, bad: Written) =>
  Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const good = (by: number): Written => ({ type: "Added", data: { by } })
    const result = yield* store.append({
      stream: { category, id: "a" },
      expect: "noStream",
      events: [good(1), bad, good(3)]
    })
    const stored = yield* Stream.runCollect(store.read({ category, id: "a" }))
    return { event: stored[1]!, last: result._tag === "Appended" ? result.position : 0n }
  })

const placeOf = ({ id, stream, version }: EventStore.StoredEvent) => ({ stream, version, eventId: id })

/** How a person finds the event that is meant. */
const finds = (message: string | undefined, category: string, { id, version }: EventStore.StoredEvent) => {
  assert.include(message, `Version ${version} of ${category} "a" (event ${id})`)
}

export const badInputContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("a stored event", (it) => {
      for (const [what, bad, says, tag] of table) {
        it.effect(`of ${what} fails to load by a typed error with stream, version and event`, () =>
          Effect.gen(function*() {
            const { aggregate, name } = fresh()
            const { event } = yield* written(name, bad)
            const error = yield* Effect.flip(Aggregate.load(aggregate, "a"))
            assert.strictEqual(error._tag, tag)
            assert.deepStrictEqual((error as DomainEvent.UnknownEvent).place, placeOf(event))
            says(error.message)
            finds(error.message, name, event)
            // What comes before it can still be read.
            assert.deepStrictEqual((yield* Aggregate.load(aggregate, "a", { upTo: 1 })).state, { sum: 1 })
          }))

        it.effect(`of ${what} lets no command decide, and keeps the stream as it was`, () =>
          Effect.gen(function*() {
            const { domain, name } = fresh()
            const { event } = yield* written(name, bad)
            const exit = yield* Effect.exit(Effect.provide(Mediator.send(Add, { id: "a", by: 5 }), domain))
            const defect = Exit.isFailure(exit) && Cause.hasDies(exit.cause) ? Cause.squash(exit.cause) : undefined
            assert.strictEqual((defect as DomainEvent.InvalidEvent | undefined)?._tag, tag)
            finds((defect as Error).message, name, event)
            const store = yield* EventStore.EventStore
            assert.strictEqual(yield* store.version({ category: name, id: "a" }), 3)
          }))
      }

      for (const [what, bad, says] of table.filter(([, { type }]) => type === "Added")) {
        it.effect(`of ${what} pauses a subscription before it`, () =>
          Effect.gen(function*() {
            const { domain, handled, name } = fresh()
            const { event, last } = yield* written(name, bad)
            const subscriptions = yield* Subscription.Subscriptions
            const options = Mediator.subscription({
              name,
              events: [Added],
              categories: [name],
              retry: Schedule.recurs(1)
            })
            yield* Effect.forkChild(Effect.provide(subscriptions.run(options), domain))
            const error = yield* Effect.flip(subscriptions.awaitPosition(name, last))
            assert.strictEqual(error._tag, "SubscriptionPaused")
            const paused = (yield* subscriptions.status(name))?.paused
            assert.strictEqual(paused?.position, event.position)
            says(paused?.reason ?? "")
            finds(paused?.reason, name, event)
            // The first one may have been handled with its batch, and once more alone.
            assert.deepStrictEqual([...new Set(handled)], [1])
          }))

        it.effect(`of ${what} is kept as a dead letter where the policy is to skip`, () =>
          Effect.gen(function*() {
            const { domain, handled, name } = fresh()
            const { event, last } = yield* written(name, bad)
            const subscriptions = yield* Subscription.Subscriptions
            const options = Mediator.subscription({
              name,
              events: [Added],
              categories: [name],
              retry: Schedule.recurs(1),
              poison: "skip"
            })
            yield* Effect.forkChild(Effect.provide(subscriptions.run(options), domain))
            yield* subscriptions.awaitPosition(name, last)
            const letters = yield* subscriptions.deadLetters(name)
            assert.deepStrictEqual(
              letters.map(({ attempts, position, stream, version }) => ({ attempts, position, stream, version })),
              [{ attempts: 2, position: event.position, stream: event.stream, version: 2 }]
            )
            says(letters[0]?.reason ?? "")
            finds(letters[0]?.reason, name, event)
            assert.deepStrictEqual(handled.slice(-2), [1, 3])
          }))
      }

      it.effect("that a projection cannot read stops its rebuild, and readers keep the version that is live", () =>
        Effect.gen(function*() {
          const { name } = fresh()
          const projections = yield* Projection.Projections
          const sums = (version: number) =>
            Projection.make({
              name: `${name}-sums`,
              version,
              schema: Schema.Int,
              types: ["Added"],
              categories: [name],
              handle: (event, rows) =>
                version === 1
                  ? rows.modify(event.stream.id, (count = 0) => count + 1)
                  : Effect.flatMap(
                    Effect.orDie(Effect.fromResult(Added.decode(event))),
                    ({ by }) => rows.modify(event.stream.id, (sum = 0) => sum + by)
                  )
            })
          const { event } = yield* written(name, { type: "Added", data: { by: "one" } })
          yield* projections.rebuild(sums(1))
          const error = yield* Effect.flip(projections.rebuild(sums(2), { retry: Schedule.recurs(0) }))
          assert.strictEqual(error._tag, "SubscriptionPaused")
          finds(error.message, name, event)
          const row = yield* projections.get(sums(1), "a")
          assert.deepStrictEqual(Option.map(row, ({ state }) => state), Option.some(3))
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("an append that cannot be", (it) => {
      const refused = (given: Partial<EventStore.Append>) =>
        Effect.flip(
          EventStore.EventStore.use((store) =>
            store.append({ stream: { category: "Order", id: "o-1" }, expect: "any", events: [], ...given })
          )
        )

      it.effect("names its stream where it is empty", () =>
        Effect.gen(function*() {
          const error = yield* refused({})
          assert.deepInclude({ ...error }, {
            _tag: "InvalidAppend",
            field: "events",
            stream: { tenant: "", category: "Order", id: "o-1" }
          })
          assert.include(error.message, "to \"Order\" \"o-1\": events is empty")
        }))

      it.effect("names its stream and its event, whichever of them is wrong", () =>
        Effect.gen(function*() {
          const events = [{ type: "Placed", data: {} }, { type: "Huge", data: "x".repeat(2 ** 25 + 1) }]
          const error = yield* refused({ events })
          assert.deepInclude({ ...error }, {
            _tag: "InvalidAppend",
            field: "events[1].data",
            stream: { tenant: "", category: "Order", id: "o-1" },
            type: "Huge"
          })
          assert.include(error.message, "to \"Order\" \"o-1\": events[1].data (\"Huge\") is 33554435 characters")
          const long = yield* refused({ stream: { category: "Order", id: "o".repeat(100_000) } })
          assert.include(long.message, "stream.id is longer than 255 characters")
          assert.isBelow(long.message.length, 250)
        }))
    })
  })
}
