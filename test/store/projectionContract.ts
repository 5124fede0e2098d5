/** What projections promise over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Option, Ref, Schedule, Schema } from "effect"
import { EventStore, Projection, StateStore, type Subscription, Tenant, UnitOfWork } from "effect-lifecycle/store"

export type Stores =
  | EventStore.EventStore
  | Projection.Projections
  | StateStore.StateStore
  | Subscription.Subscriptions
  | UnitOfWork.UnitOfWork

export const projections = Projection.Projections
const store = EventStore.EventStore
const Total = Schema.Struct({ count: Schema.Int, total: Schema.Int, last: Schema.String })
type Total = typeof Total.Type

let names = 0
export const fresh = () => {
  const n = ++names
  return { name: `totals-${n}`, category: `Account${n}` }
}

export const move = (category: string, id: string, by: number) =>
  store.use((events) =>
    events.append({ stream: { category, id }, expect: "any", events: [{ type: "Moved", data: { by } }] })
  ).pipe(Effect.map((result) => result._tag === "Appended" ? result.position : 0n))

const byOf = (event: EventStore.StoredEvent) => (event.data as { readonly by: number }).by

/** Sums the moves of each account; version 2 counts double, so that the two can be told apart. */
export const totals = (
  name: string,
  category: string,
  version = 1,
  react?: (event: EventStore.StoredEvent) => Effect.Effect<void>
) =>
  Projection.make({
    name,
    version,
    schema: Total,
    indexes: ["total"],
    categories: [category],
    handle: (event, rows) =>
      rows.modify(event.stream.id, (row) => ({
        count: (row?.count ?? 0) + 1,
        total: (row?.total ?? 0) + version * byOf(event),
        last: `${event.stream.id}:${event.version}`
      })),
    react
  })

type Totals = Projection.Projection<Total, unknown, unknown>
const run = <A, E, R>(projection: Projection.Projection<A, E, R>, options?: Projection.RunOptions) =>
  Effect.forkChild(projections.use((all) => all.run(projection, options)), { startImmediately: true })
const live = (projection: Totals) =>
  projections.use((all) => all.awaitLive(projection)).pipe(Effect.timeout("15 seconds"))
export const reach = (projection: Totals, position: bigint) =>
  projections.use((all) => all.awaitPosition(projection, position)).pipe(Effect.timeout("15 seconds"))
export const rowOf = (projection: Totals, id: string) =>
  projections.use((all) => all.get(projection, id)).pipe(Effect.map((row) => Option.getOrUndefined(row)?.state))
const statuses = (name: string) =>
  projections.use((all) => all.versions(name)).pipe(
    Effect.map((versions) => versions.map(({ status, version }) => `${version} ${status}`))
  )
/** All rows of a version, whatever its status. */
export const rowsOf = (projection: Totals) =>
  StateStore.StateStore.use((states) => states.query(projection.collection, { limit: 1000 })).pipe(
    Effect.map(({ rows }) => rows.map(({ id, state, version }) => ({ id, state, version })))
  )
const withInline = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  list: ReadonlyArray<Projection.Inline<never>>
) => Effect.provide(self, Layer.fresh(Projection.layerInline(list)))

export const projectionContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Projection", (it) => {
      it.effect("is built from the events that are there, then kept, and read by id and by query", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = totals(name, category)
          yield* move(category, "a", 1)
          yield* move(category, "b", 5)
          const early = yield* Effect.flip(rowOf(projection, "a"))
          assert.strictEqual(early._tag, "ProjectionNotLive")
          yield* run(projection)
          yield* live(projection)
          assert.deepStrictEqual(yield* rowOf(projection, "a"), { count: 1, total: 1, last: "a:1" })
          const last = yield* move(category, "a", 2)
          yield* reach(projection, last)
          assert.deepStrictEqual(yield* rowOf(projection, "a"), { count: 2, total: 3, last: "a:2" })
          const page = yield* projections.use((all) =>
            all.query(projection, { orderBy: "total", direction: "descending" })
          )
          assert.deepStrictEqual(page.rows.map(({ id }) => id), ["b", "a"])
          assert.strictEqual(page.rows[1]?.version, Number(last))
          assert.deepStrictEqual(yield* statuses(name), ["1 live"])
        }))
      it.effect("keeps the rows of tenants apart", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = totals(name, category)
          yield* run(projection)
          yield* live(projection)
          yield* Tenant.within(move(category, "a", 1), "one")
          yield* reach(projection, yield* Tenant.within(move(category, "a", 10), "two"))
          assert.deepInclude(yield* Tenant.within(rowOf(projection, "a"), "one"), { total: 1 })
          assert.deepInclude(yield* Tenant.within(rowOf(projection, "a"), "two"), { total: 10 })
          assert.isUndefined(yield* rowOf(projection, "a"))
        }))
      it.effect("is rebuilt while it is read, flips at once, and the old version can be dropped", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const [first, second] = [totals(name, category, 1), totals(name, category, 2)]
          yield* move(category, "a", 3)
          const running = yield* run(first)
          yield* live(first)
          const next = yield* run(second, { promote: "manual", batchSize: 1 })
          const building = yield* statuses(name)
          assert.deepStrictEqual(building.filter((status) => status.startsWith("1")), ["1 live"])
          const drop = (version: number) => projections.use((all) => all.drop(name, version))
          yield* Effect.sleep("100 millis")
          assert.strictEqual(yield* drop(1), "live")
          assert.strictEqual(yield* drop(2), "running")
          // Both definitions read the live rows, whichever they are.
          assert.deepInclude(yield* rowOf(first, "a"), { total: 3 })
          assert.deepInclude(yield* rowOf(second, "a"), { total: 3 })
          const promote = projections.use((all) => all.promote(second)).pipe(
            Effect.repeat({ until: (answer) => answer === "live", schedule: Schedule.spaced("20 millis") }),
            Effect.timeout("15 seconds")
          )
          yield* promote
          assert.deepStrictEqual(yield* statuses(name), ["1 retired", "2 live"])
          assert.deepInclude(yield* rowOf(first, "a"), { total: 6 })
          yield* reach(first, yield* move(category, "a", 1))
          assert.deepInclude(yield* rowOf(first, "a"), { total: 8 })
          assert.strictEqual(yield* projections.use((all) => all.promote(first)), "superseded")
          yield* Fiber.interrupt(running)
          assert.strictEqual(yield* drop(1), "dropped")
          assert.deepStrictEqual(yield* statuses(name), ["2 live"])
          assert.deepStrictEqual(yield* rowsOf(first), [])
          assert.strictEqual(yield* drop(1), "absent")
          yield* Fiber.interrupt(next)
        }))
      it.effect("never shows a reader less than before, and reacts to each event once, through a rebuild under load", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const reactions = yield* Ref.make<ReadonlyArray<string>>([])
          // Kept in the store, as reactions must be, and counted there.
          const reacted = StateStore.collection({
            name: `${name}-reactions`,
            schema: Schema.Struct({ by: Schema.Int })
          })
          const states = yield* StateStore.StateStore
          const react = (version: number) => (event: EventStore.StoredEvent) =>
            Effect.gen(function*() {
              const id = `${event.stream.id}:${event.version}`
              const before = Option.getOrUndefined(yield* states.get(reacted, id))
              const by = (before?.state.by ?? 0) + (version === 1 ? 1 : 100)
              yield* states.put(reacted, { id, version: 1, state: { by } })
              yield* Ref.update(reactions, (all) => [...all, id])
            }).pipe(Effect.orDie)
          const first = totals(name, category, 1, react(1))
          const second = totals(name, category, 2, react(2))
          for (let i = 0; i < 20; i++) yield* move(category, `h-${i % 4}`, 1)
          const one = yield* run(first, { partitions: 2, batchSize: 3 })
          yield* live(first)
          assert.lengthOf(yield* Ref.get(reactions), 0)
          const load = yield* Effect.forkChild(
            Effect.forEach(
              Array.from({ length: 120 }, (_, i) => i),
              (i) => Effect.andThen(move(category, `s-${i % 4}`, 1), Effect.sleep("3 millis")),
              { discard: true }
            )
          )
          yield* Effect.sleep("60 millis")
          let seen = 0
          const reading = yield* Effect.forkChild(Effect.forever(Effect.gen(function*() {
            const now = (yield* rowOf(first, "s-0"))?.count ?? 0
            assert.isAtLeast(now, seen, "a reader has seen more before")
            seen = now
            yield* Effect.sleep("2 millis")
          })))
          const two = yield* run(second, { partitions: 3, batchSize: 5 })
          yield* live(second)
          yield* Fiber.join(load)
          yield* reach(second, yield* move(category, "s-0", 1))
          yield* Effect.sleep("20 millis")
          assert.isTrue(reading.pollUnsafe() === undefined, "the reader has failed")
          yield* Fiber.interrupt(reading)
          const rows = yield* states.query(reacted, { limit: 1000 })
          assert.lengthOf(rows.rows, 121)
          const counts = { one: 0, two: 0 }
          for (const { id, state } of rows.rows) {
            assert.isTrue(state.by === 1 || state.by === 100, `${id} was reacted to ${state.by} times`)
            counts[state.by === 1 ? "one" : "two"]++
          }
          assert.isAbove(counts.one, 0)
          assert.isAbove(counts.two, 0)
          yield* Fiber.interruptAll([one, two])
        }))
      it.effect("reacts at the change of versions to what the old one had not come to, and to nothing before", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const unit = yield* UnitOfWork.UnitOfWork
          const reactions: Array<string> = []
          // What is undone with its transaction has not happened.
          const react = (version: number) => (event: EventStore.StoredEvent) =>
            unit.afterCommit(Effect.sync(() => {
              reactions.push(`${version} ${event.stream.id}:${event.version}`)
            }))
          const first = totals(name, category, 1, react(1))
          const second = totals(name, category, 2, react(2))
          yield* move(category, "a", 1)
          const running = yield* run(first, { partitions: 2 })
          yield* live(first)
          yield* reach(first, yield* move(category, "a", 1))
          assert.deepStrictEqual(reactions, ["1 a:2"])
          yield* Fiber.interrupt(running)
          for (const id of ["a", "b", "c"]) yield* move(category, id, 1)
          assert.strictEqual(
            yield* projections.use((all) => all.rebuild(second, { partitions: 3 })).pipe(Effect.timeout("15 seconds")),
            "live"
          )
          assert.deepStrictEqual(reactions, ["1 a:2", "2 a:3", "2 b:1", "2 c:1"])
          const next = yield* run(second, { partitions: 3 })
          yield* reach(second, yield* move(category, "b", 1))
          assert.deepStrictEqual(reactions.slice(4), ["2 b:2"])
          assert.deepInclude(yield* rowOf(second, "a"), { total: 6 })
          yield* Fiber.interrupt(next)
        }))
      it.effect("rebuilds to the same rows that were kept all along", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const kept = totals(name, category)
          const running = yield* run(kept, { batchSize: 3, partitions: 2 })
          let last = 0n
          for (let i = 0; i < 40; i++) last = yield* move(category, `a-${i % 7}`, i)
          yield* live(kept)
          yield* reach(kept, last)
          const again = { ...totals(`${name}-again`, category) }
          assert.strictEqual(
            yield* projections.use((all) => all.rebuild(again)).pipe(Effect.timeout("15 seconds")),
            "live"
          )
          assert.deepStrictEqual(yield* rowsOf(again), yield* rowsOf(kept))
          yield* Fiber.interrupt(running)
          // Nobody keeps it now, but it is live: a second rebuild has nothing to do, and a lower version no chance.
          assert.strictEqual(yield* projections.use((all) => all.rebuild(again)), "live")
          const next = totals(`${name}-again`, category, 2)
          assert.strictEqual(yield* projections.use((all) => all.rebuild(next)), "live")
          assert.strictEqual(yield* projections.use((all) => all.rebuild(again)), "superseded")
        }))
      it.effect("has each effect once with two owners, and stops a rebuild at an event that it cannot take", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = totals(name, category)
          const owners = [
            yield* run(projection, { batchSize: 2, partitions: 2 }),
            yield* run(projection, { batchSize: 2, partitions: 2 })
          ]
          let last = 0n
          for (let i = 0; i < 30; i++) last = yield* move(category, `a-${i % 3}`, 1)
          yield* live(projection)
          yield* reach(projection, last)
          for (const id of ["a-0", "a-1", "a-2"]) {
            assert.deepInclude(yield* rowOf(projection, id), { count: 10, total: 10 })
          }
          yield* Fiber.interruptAll(owners)
          const broken = Projection.make({
            name,
            version: 2,
            schema: Total,
            categories: [category],
            handle: () => Effect.fail("cannot take it")
          })
          const error = yield* Effect.flip(
            projections.use((all) => all.rebuild(broken, { retry: Schedule.recurs(0) })).pipe(
              Effect.timeout("15 seconds")
            )
          )
          assert.strictEqual(error._tag, "SubscriptionPaused")
          assert.deepStrictEqual(yield* statuses(name), ["1 live", "2 building"])
          assert.deepInclude(yield* rowOf(projection, "a-0"), { total: 10 })
          assert.strictEqual(yield* projections.use((all) => all.drop(name, 2)), "dropped")
        }))
    })
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Projection, inline", (it) => {
      it.effect("is never behind, and undone with the append that is undone", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = totals(name, category)
          yield* Effect.gen(function*() {
            yield* live(projection)
            yield* move(category, "a", 4)
            assert.deepInclude(yield* rowOf(projection, "a"), { total: 4 })
            const undone = UnitOfWork.UnitOfWork.use((unit) =>
              unit.run(Effect.andThen(move(category, "a", 100), Effect.fail("no")))
            )
            assert.isTrue(Exit.isFailure(yield* Effect.exit(undone)))
            assert.deepInclude(yield* rowOf(projection, "a"), { total: 4 })
            yield* store.use((events) =>
              events.appendAll(["a", "b"].map((id) => ({
                stream: { category, id },
                expect: "any",
                events: [{ type: "Moved", data: { by: 1 } }, { type: "Moved", data: { by: 1 } }]
              })))
            )
            assert.deepInclude(yield* rowOf(projection, "a"), { count: 3, total: 6, last: "a:3" })
            assert.deepInclude(yield* rowOf(projection, "b"), { count: 2, total: 2 })
          }).pipe((self) => withInline(self, [projection]))
        }))
      it.effect("fails the append when its handler does, and takes a repeated command once", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = totals(name, category)
          const broken = Projection.make({
            name: `${name}-broken`,
            version: 1,
            schema: Total,
            categories: [category],
            handle: (event) => byOf(event) < 0 ? Effect.die(new Error("a bug")) : Effect.void
          })
          yield* Effect.gen(function*() {
            yield* live(projection)
            yield* live(broken)
            assert.isTrue(Exit.isFailure(yield* Effect.exit(move(category, "a", -1))))
            assert.strictEqual(yield* store.use((events) => events.version({ category, id: "a" })), 0)
            assert.isUndefined(yield* rowOf(projection, "a"))
            const once = store.use((events) =>
              events.append({
                stream: { category, id: "a" },
                expect: "any",
                commandId: "c-1",
                events: [{ type: "Moved", data: { by: 3 } }]
              })
            )
            yield* once
            yield* once
            assert.deepInclude(yield* rowOf(projection, "a"), { count: 1, total: 3 })
          }).pipe((self) => withInline(self, [projection, broken]))
        }))
      it.effect("is rebuilt beside the live version, and promoted without losing what is appended meanwhile", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const [first, second] = [totals(name, category, 1), totals(name, category, 2)]
          yield* withInline(
            Effect.gen(function*() {
              yield* live(first)
              for (let i = 0; i < 10; i++) yield* move(category, "a", 1)
            }),
            [first]
          )
          yield* withInline(
            Effect.gen(function*() {
              const load = yield* Effect.forkChild(
                Effect.forEach(
                  Array.from({ length: 60 }),
                  () => Effect.andThen(move(category, "a", 1), Effect.sleep("2 millis")),
                  { discard: true }
                )
              )
              yield* Effect.sleep("20 millis")
              yield* projections.use((all) => all.promote(second)).pipe(
                Effect.repeat({ until: (answer) => answer === "live", schedule: Schedule.spaced("10 millis") }),
                Effect.timeout("15 seconds")
              )
              const version = yield* store.use((events) => events.version({ category, id: "a" }))
              assert.isAtLeast((yield* rowOf(second, "a"))?.total ?? 0, 2 * version)
              yield* Fiber.join(load)
              assert.deepStrictEqual(yield* rowOf(second, "a"), { count: 70, total: 140, last: "a:70" })
            }),
            [first, second]
          )
          // Who does not know the live version must not append.
          const outdated = yield* Effect.exit(withInline(move(category, "a", 1), [first]))
          assert.include(
            Exit.isFailure(outdated) ? Cause.pretty(outdated.cause) : "",
            "which this process does not have"
          )
          assert.strictEqual(yield* store.use((events) => events.version({ category, id: "a" })), 70)
        }))
    })
  })
}
