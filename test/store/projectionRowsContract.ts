/** What projections promise of rows that many events share, and of every way to append; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Option, Schedule, Schema } from "effect"
import { DynamicConsistencyBoundary, EventStore, Projection, StateStore, Subscription } from "effect-lifecycle/store"
import { fresh, move, projections, type Stores } from "./projectionContract.ts"

export type AllStores = Stores | DynamicConsistencyBoundary.DynamicConsistencyBoundary

/** Adds each event to rows that events of all streams share: to those that `idsOf` names, in its order. */
export const shared = (
  name: string,
  category: string,
  version = 1,
  idsOf: (event: EventStore.StoredEvent) => ReadonlyArray<string> = () => ["all"]
) =>
  Projection.make({
    name,
    version,
    schema: Schema.Int,
    categories: [category],
    handle: (event, rows) =>
      Effect.forEach(idsOf(event), (id) => rows.modify(id, (sum = 0) => sum + 1), { discard: true })
  })

/** The same by the other ways to change a row. */
const byHand = (name: string, category: string) =>
  Projection.make({
    name,
    version: 1,
    schema: Schema.Int,
    categories: [category],
    handle: (_, rows) =>
      Effect.gen(function*() {
        const sum = Option.match(yield* rows.get("all"), { onNone: () => 0, onSome: ({ state }) => state })
        // As a row that is made anew by each third event, and counts on beside itself.
        if (sum % 3 === 2) {
          yield* rows.remove("all")
          yield* rows.modify("thirds", (count = 0) => count + 1)
        } else yield* rows.put("all", sum + 1)
      })
  })

/** Half of the events take `one` first, and the others `two`. */
const crossing = (event: EventStore.StoredEvent): ReadonlyArray<string> =>
  (event.data as { readonly by: number }).by % 2 === 0 ? ["one", "two"] : ["two", "one"]

const load = (category: string, count: number) =>
  Effect.map(
    Effect.forEach(Array.from({ length: count }, (_, i) => i), (i) => move(category, `s-${i}`, i), { concurrency: 16 }),
    (positions) => positions.reduce((last, position) => position > last ? position : last, 0n)
  )

type Sums = Projection.Projection<number, unknown, unknown>
const valueOf = (projection: Sums, id: string) =>
  projections.use((all) => all.get(projection, id)).pipe(Effect.map((row) => Option.getOrUndefined(row)?.state))
export const live = <A, E, R>(projection: Projection.Projection<A, E, R>) =>
  projections.use((all) => all.awaitLive(projection)).pipe(Effect.timeout("15 seconds"))
const run = <A, E, R>(projection: Projection.Projection<A, E, R>, options?: Projection.RunOptions) =>
  Effect.forkChild(projections.use((all) => all.run(projection, options)), { startImmediately: true })
const rebuild = <A, E, R>(projection: Projection.Projection<A, E, R>, options?: Projection.RunOptions) =>
  projections.use((all) => all.rebuild(projection, options)).pipe(Effect.timeout("30 seconds"))
const reached = (projection: Sums, position: bigint) =>
  projections.use((all) => Effect.andThen(all.awaitLive(projection), all.awaitPosition(projection, position))).pipe(
    Effect.timeout("40 seconds")
  )
/** All rows of a version, whatever its status, without the positions of the events that came last. */
const statesOf = (projection: Sums) =>
  StateStore.StateStore.use((states) => states.query(projection.collection, { limit: 1000 })).pipe(
    Effect.map(({ rows }) => rows.map(({ id, state }) => [id, state] as const))
  )
export const withInline = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  list: ReadonlyArray<Projection.Inline<never>>,
  options?: Projection.InlineOptions
) => Effect.provide(self, Layer.fresh(Projection.layerInline(list, options)))
const statuses = (name: string) =>
  projections.use((all) => all.versions(name)).pipe(
    Effect.map((versions) => versions.map(({ status, version }) => `${version} ${status}`))
  )

export const projectionRowsContract = <E>(title: string, layer: Layer.Layer<AllStores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("rows that streams share", (it) => {
      it.effect("have every event once from four partitions, and from a rebuild in any number of them", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = shared(name, category)
          const running = yield* run(projection, { partitions: 4, batchSize: 5 })
          yield* reached(projection, yield* load(category, 200))
          assert.strictEqual(yield* valueOf(projection, "all"), 200)
          for (const [index, partitions] of [1, 3].entries()) {
            const again = shared(name, category, index + 2)
            assert.strictEqual(yield* rebuild(again, { partitions, batchSize: 7 }), "live")
            assert.deepStrictEqual(yield* statesOf(again), yield* statesOf(projection))
          }
          yield* Fiber.interrupt(running)
        }))
      it.effect("have every event once whichever way a handler reads and writes them", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = byHand(name, category)
          const inline = byHand(`${name}-inline`, category)
          const running = yield* run(projection, { partitions: 4, batchSize: 3 })
          const last = yield* withInline(
            Effect.gen(function*() {
              yield* live(inline)
              const last = yield* load(category, 121)
              assert.deepStrictEqual(yield* statesOf(inline), [["all", 1], ["thirds", 40]])
              return last
            }),
            [inline]
          )
          yield* reached(projection, last)
          assert.deepStrictEqual(yield* statesOf(projection), [["all", 1], ["thirds", 40]])
          yield* Fiber.interrupt(running)
        }))
      it.effect("have every event once from appends at the same time, inline, and equal what is built from the events", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const [first, second] = [shared(name, category), shared(name, category, 2)]
          yield* withInline(
            Effect.gen(function*() {
              yield* live(first)
              yield* load(category, 100)
              assert.strictEqual(yield* valueOf(first, "all"), 100)
            }),
            [first]
          )
          yield* withInline(
            Effect.gen(function*() {
              const loading = yield* Effect.forkChild(load(category, 100))
              yield* projections.use((all) => all.promote(second)).pipe(
                Effect.repeat({ until: (answer) => answer === "live", schedule: Schedule.spaced("10 millis") }),
                Effect.timeout("30 seconds")
              )
              yield* Fiber.join(loading)
              assert.strictEqual(yield* valueOf(second, "all"), 200)
            }),
            [first, second]
          )
        }))
      it.effect("may be taken in any order: events that wait for each other are handled again, and no one is blamed", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = shared(name, category, 1, crossing)
          const running = yield* run(projection, {
            partitions: 4,
            batchSize: 4,
            poison: "skip",
            retry: Schedule.recurs(0)
          })
          yield* reached(projection, yield* load(category, 60))
          assert.deepStrictEqual(yield* statesOf(projection), [["one", 60], ["two", 60]])
          const status = yield* Subscription.Subscriptions.use((all) => all.status(`projection:${name}@1`))
          assert.deepInclude(status, { deadLetters: 0, paused: undefined })
          yield* Fiber.interrupt(running)
        }))
      it.effect("may be taken in any order by appends, inline: who was undone for another is done again", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = shared(name, category, 1, crossing)
          yield* withInline(
            Effect.gen(function*() {
              yield* live(projection)
              yield* load(category, 30)
              assert.deepStrictEqual(yield* statesOf(projection), [["one", 30], ["two", 30]])
            }),
            [projection]
          )
        }))
    })
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Projection, inline", (it) => {
      it.effect("is kept by appends through a boundary too, and undone with one", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = shared(name, category, 1, () => ["all", "also"])
          const boundaries = shared(`${name}-boundary`, "Boundary")
          const broken = Projection.make({
            name: `${name}-broken`,
            version: 1,
            schema: Schema.Int,
            categories: [category],
            handle: (event) =>
              (event.data as { readonly by: number }).by < 0 ? Effect.die(new Error("a bug")) : Effect.void
          })
          yield* withInline(
            Effect.gen(function*() {
              const boundary = yield* DynamicConsistencyBoundary.DynamicConsistencyBoundary
              const tag = `${name}:1`
              const append = (by: number, more: Partial<DynamicConsistencyBoundary.Append> = {}) =>
                boundary.append({
                  stream: { category, id: "a" },
                  events: [{ type: "Moved", data: { by }, tags: [tag] }, { type: "Moved", data: { by }, tags: [] }],
                  ...more
                })
              for (const each of [projection, boundaries, broken]) yield* live(each)
              const before = (yield* valueOf(boundaries, "all")) ?? 0
              assert.strictEqual((yield* append(1))._tag, "Appended")
              assert.strictEqual(yield* valueOf(projection, "all"), 2)
              // What was not appended is not projected: a condition that failed, a conflict, a command that has been done.
              assert.strictEqual(
                (yield* append(1, { condition: { query: [{ tags: [tag] }] } }))._tag,
                "ConditionFailed"
              )
              assert.strictEqual((yield* append(1, { expect: "noStream" }))._tag, "Conflict")
              yield* append(1, { commandId: "c-1" })
              yield* append(1, { commandId: "c-1" })
              assert.strictEqual(yield* valueOf(projection, "all"), 4)
              // The handler's defect undoes events, tags and rows.
              assert.isTrue(Exit.isFailure(yield* Effect.exit(append(-1))))
              assert.strictEqual(yield* valueOf(projection, "all"), 4)
              assert.lengthOf((yield* boundary.read([{ tags: [tag] }])).events, 2)
              assert.strictEqual(yield* EventStore.EventStore.use((all) => all.version({ category, id: "a" })), 4)
              // A stream of its own, found again by a repetition.
              const own = { stream: undefined, commandId: `${name}-own` }
              const once = yield* append(1, own)
              const twice = yield* append(1, own)
              assert.deepInclude(twice, { _tag: "Appended", replayed: true })
              assert.strictEqual("position" in twice && twice.position, "position" in once && once.position)
              assert.strictEqual(yield* valueOf(boundaries, "all"), before + 2)
              assert.strictEqual(yield* valueOf(projection, "also"), 4)
            }),
            [projection, boundaries, broken]
          )
        }))
      it.effect("waits for promote with its first version too, when it is told so, and misses nothing", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const projection = shared(name, category)
          yield* move(category, "a", 1)
          yield* withInline(
            Effect.gen(function*() {
              yield* Effect.sleep("200 millis")
              assert.deepStrictEqual(yield* statuses(name), ["1 building"])
              yield* move(category, "a", 1)
              yield* projections.use((all) => all.promote(projection)).pipe(
                Effect.repeat({ until: (answer) => answer === "live", schedule: Schedule.spaced("10 millis") }),
                Effect.timeout("15 seconds")
              )
              yield* move(category, "a", 1)
              assert.strictEqual(yield* valueOf(projection, "all"), 3)
            }),
            [projection],
            { promote: "manual" }
          )
        }))
      it.effect("misses what is appended without the layer, and the next version has it", () =>
        Effect.gen(function*() {
          const { category, name } = fresh()
          const [first, second] = [shared(name, category), shared(name, category, 2)]
          yield* withInline(Effect.andThen(live(first), move(category, "a", 1)), [first])
          yield* move(category, "a", 1)
          yield* withInline(
            Effect.gen(function*() {
              yield* projections.use((all) => all.promote(second)).pipe(
                Effect.repeat({ until: (answer) => answer === "live", schedule: Schedule.spaced("10 millis") }),
                Effect.timeout("15 seconds")
              )
              yield* move(category, "a", 1)
              assert.deepStrictEqual(yield* statesOf(first), [["all", 1]])
              assert.deepStrictEqual(yield* statesOf(second), [["all", 3]])
            }),
            [first, second]
          )
        }))
    })
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })(
      "a version that cannot become live",
      (it) => {
        const reacting = (name: string, category: string, version: number, react: Effect.Effect<void, string>) =>
          Projection.make({
            name,
            version,
            schema: Schema.Int,
            categories: [category],
            handle: (_, rows) => rows.modify("all", (sum = 0) => sum + 1),
            react: () => react
          })
        it.effect("fails its rebuild after its retries, with the event and the reason; the live version stays", () =>
          Effect.gen(function*() {
            const { category, name } = fresh()
            yield* move(category, "a", 1)
            yield* rebuild(reacting(name, category, 1, Effect.void))
            const position = yield* move(category, "a", 1) // which version 1 does not come to
            let attempts = 0
            const second = reacting(
              name,
              category,
              2,
              Effect.suspend(() => {
                attempts++
                return Effect.fail("the mail server says no")
              })
            )
            const error = yield* Effect.flip(rebuild(second, { retry: Schedule.recurs(2) }))
            assert.strictEqual(error._tag, "PromotionFailed")
            if (error._tag !== "PromotionFailed") return
            assert.deepInclude(error, { projection: name, version: 2, position })
            assert.match(error.message, /^Version 2 of the projection "totals-\d+" .*the mail server says no/)
            assert.strictEqual(attempts, 3)
            assert.deepStrictEqual(yield* statuses(name), ["1 live", "2 building"])
            assert.strictEqual(yield* rebuild(reacting(name, category, 2, Effect.void)), "live")
          }))
        it.effect("says so when it is run, and becomes live once it can", () =>
          Effect.gen(function*() {
            const { category, name } = fresh()
            yield* move(category, "a", 1)
            yield* rebuild(reacting(name, category, 1, Effect.void))
            yield* move(category, "a", 1)
            const heard: Array<string> = []
            let broken = true
            const second = reacting(
              name,
              category,
              2,
              Effect.suspend(() => broken ? Effect.die(new Error("the mail server says no")) : Effect.void)
            )
            const running = yield* run(second, { retry: Schedule.recurs(0) }).pipe(
              Effect.provide(Logger.layer([
                Logger.make(({ logLevel, message }) => void heard.push(`${logLevel} ${String(message)}`))
              ]))
            )
            yield* Effect.sync(() => heard.length).pipe(
              Effect.repeat({ until: (count) => count > 0, schedule: Schedule.spaced("10 millis") }),
              Effect.timeout("15 seconds")
            )
            assert.match(
              heard.join(),
              /^Warn Version 2 of the projection .* cannot become live .*the mail server says no/
            )
            broken = false
            yield* projections.use((all) => all.awaitLive(second)).pipe(Effect.timeout("15 seconds"))
            assert.deepStrictEqual(yield* statuses(name), ["1 retired", "2 live"])
            yield* Fiber.interrupt(running)
          }))
      }
    )
  })
}
