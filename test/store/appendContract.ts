/** What every layer promises of appends beyond versions: event ids, metadata, tenants, bad input. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, type Layer, Option, Stream, Tracer } from "effect"
import { Command } from "effect-lifecycle/domain"
import { RequestId } from "effect-lifecycle/request"
import { EventMeta, EventStore, StateStore, Tenant, UnitOfWork } from "effect-lifecycle/store"
import { randomUUID } from "node:crypto"
import { fresh, orders, some } from "./contract.ts"

type Stores = EventStore.EventStore | StateStore.StateStore | UnitOfWork.UnitOfWork

const events = EventStore.EventStore
const withIds = (ids: ReadonlyArray<string | undefined>): ReadonlyArray<EventStore.NewEvent> =>
  ids.map((id, i) => ({ id, type: "T", data: { i } }))
const ids = (n: number) => Array.from({ length: n }, () => randomUUID())
const append = (stream: EventStore.StreamId, given: Partial<EventStore.Append>) =>
  events.use((store) => store.append({ stream, expect: "any", events: some(1), ...given }))
const readIds = (stream: EventStore.StreamId) =>
  events.use((store) => Effect.map(Stream.runCollect(store.read(stream)), (all) => all.map((event) => event.id)))
const metaOf = (stream: EventStore.StreamId) =>
  events.use((store) => Effect.map(Stream.runCollect(store.read(stream)), (all) => all.map((event) => event.meta)))

let tenants = 0

export const appendContract = <E>(name: string, layer: Layer.Layer<Stores, E>): void => {
  describe(name, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("appends by event id", (it) => {
      it.effect("happen once, whatever the expectation of the second, and say so", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* append(stream, { events: some(2) })
          const given = withIds(ids(3))
          const first = yield* append(stream, { expect: 2, events: given })
          yield* append(stream, { events: some(1) })
          for (const expect of [2, "any", "noStream", "streamExists", 99] as const) {
            assert.deepStrictEqual<object>(yield* append(stream, { expect, events: given }), {
              ...first,
              replayed: true
            })
          }
          assert.strictEqual((yield* readIds(stream)).length, 6)
        }))
      it.effect("happen once when it is one event, also to who expects what is there", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const given = withIds(ids(1))
          const first = yield* append(stream, { expect: 0, events: given })
          yield* append(stream, { expect: 1 })
          for (const expect of [2, 0, "any"] as const) {
            assert.deepStrictEqual<object>(yield* append(stream, { expect, events: given }), {
              ...first,
              replayed: true
            })
          }
          assert.strictEqual((yield* readIds(stream)).length, 2)
        }))
      it.effect("see the ids that are given, and take the rest as it is", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const [id] = ids(1)
          const first = yield* append(stream, { events: withIds([undefined, id, undefined]) })
          const again = yield* append(stream, { events: withIds([undefined, id, undefined]) })
          assert.deepStrictEqual<object>(again, { ...first, replayed: true })
        }))
      it.effect("find an id that the store made, when it comes back", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* append(stream, { events: some(2) })
          const [, second] = yield* readIds(stream)
          assert.deepInclude(yield* append(stream, { events: withIds([second]) }), { firstVersion: 2, replayed: true })
        }))
      const partial: ReadonlyArray<
        readonly [string, (a: string, b: string, c: string) => ReadonlyArray<string | undefined>]
      > = [
        ["only some of the ids", (a) => [a, randomUUID()]],
        ["the ids in another order", (a, b) => [b, a]],
        ["ids with a gap between them", (a, _, c) => [a, c]],
        ["an event beyond the end that has no id", (_, __, c) => [c, undefined]],
        ["an event beyond the end", (_, __, c) => [c, randomUUID()]],
        ["an event before the beginning", (a) => [randomUUID(), a]]
      ]
      for (const [what, choose] of partial) {
        it.effect(`refuse ${what}, name the event and its version, and write nothing`, () =>
          Effect.gen(function*() {
            const stream = fresh()
            const [a = "", b = "", c = ""] = ids(3)
            yield* append(stream, { events: withIds([a, b, c]) })
            const chosen = choose(a, b, c)
            const index = chosen.findIndex((id) => id !== undefined && [a, b, c].includes(id))
            const error = yield* append(stream, { events: withIds(chosen) }).pipe(Effect.flip)
            assert.deepInclude({ ...error }, { _tag: "InvalidAppend", field: `events[${index}].id` })
            const version = [a, b, c].indexOf(chosen[index] ?? "") + 1
            assert.include(error.message, `${chosen[index]} is version ${version} of Order ${stream.id}`)
            assert.deepStrictEqual(yield* readIds(stream), [a, b, c])
          }))
      }
      it.effect("keep an id to its stream: another one may have it", () =>
        Effect.gen(function*() {
          const given = withIds(ids(1))
          yield* append(fresh(), { events: given })
          assert.deepInclude(yield* append(fresh(), { events: given }), { replayed: false, version: 1 })
        }))
      it.effect("refuse one id twice", () =>
        Effect.gen(function*() {
          const [id = ""] = ids(1)
          const error = yield* append(fresh(), { events: withIds([id, id.toUpperCase()]) }).pipe(Effect.flip)
          assert.deepInclude({ ...error }, { _tag: "InvalidAppend", field: "events[1].id" })
        }))
      it.effect("happen once in a batch, and undo the batch when they cannot be", () =>
        Effect.gen(function*() {
          const store = yield* events
          const [a, b] = [fresh(), fresh()]
          const given = withIds(ids(2))
          yield* append(a, { events: given })
          const both = (ofA: ReadonlyArray<EventStore.NewEvent>) =>
            store.appendAll([
              { stream: b, expect: "any", events: some(1) },
              { stream: a, expect: "any", events: ofA }
            ])
          assert.deepStrictEqual(
            (yield* both(given)).map((result) => result._tag === "Appended" ? result.replayed : result),
            [false, true]
          )
          const error = yield* both(given.slice(0, 1).concat(some(1), given.slice(1))).pipe(Effect.flip)
          assert.deepInclude({ ...error }, { _tag: "InvalidAppend", field: "events[0].id" })
          assert.deepStrictEqual([yield* store.version(a), yield* store.version(b)], [2, 1])
        }))
      it.effect("happen once when they come sixteen times together", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const given = withIds(ids(2))
          const results = yield* Effect.forEach(Array.from({ length: 16 }), () => append(stream, { events: given }), {
            concurrency: "unbounded"
          })
          assert.strictEqual(results.filter((r) => r._tag === "Appended" && !r.replayed).length, 1)
          assert.strictEqual((yield* readIds(stream)).length, 2)
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("metadata", (it) => {
      it.effect("comes from the running request", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* append(stream, {}).pipe(
            Effect.provideService(RequestId.Current, RequestId.parse("req-1")),
            Effect.provideService(Command.Actor, Option.some("alice")),
            Effect.provideService(EventMeta.Causation, Option.some("cause-1")),
            Effect.provideService(
              Tracer.ParentSpan,
              Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
            )
          )
          yield* append(stream, {}).pipe(
            Effect.provideService(RequestId.Current, RequestId.parse("req-2")),
            Effect.provideService(Command.Correlation, Option.some("process-1"))
          )
          yield* append(stream, {})
          assert.deepStrictEqual(yield* metaOf(stream), [
            {
              requestId: "req-1",
              correlationId: "req-1",
              causationId: "cause-1",
              actor: "alice",
              traceId: "0af7651916cd43dd8448eb211c80319c"
            },
            { requestId: "req-2", correlationId: "process-1" },
            {}
          ])
        }))
      it.effect("is the event's own where it has some, and the rest is added", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const meta = { correlationId: "mine", note: "n" }
          yield* append(stream, { events: [{ type: "T", data: {}, meta }] }).pipe(
            Effect.provideService(RequestId.Current, RequestId.parse("req-1"))
          )
          assert.deepStrictEqual(yield* metaOf(stream), [{ requestId: "req-1", correlationId: "mine", note: "n" }])
        }))
      it.effect("follows the event that caused it, in its tenant", () =>
        Effect.gen(function*() {
          const store = yield* events
          const [stream, next] = [fresh(), fresh()]
          yield* append(stream, {}).pipe(
            Tenant.within("acme"),
            Effect.provideService(EventMeta.Correlation, Option.some("p"))
          )
          const [cause] = yield* Stream.runCollect(store.read({ ...stream, tenant: "acme" }))
          assert.isDefined(cause)
          yield* append(next, {}).pipe(EventMeta.causedBy(cause!))
          assert.deepStrictEqual(yield* metaOf({ ...next, tenant: "acme" }), [{
            correlationId: "p",
            causationId: cause?.id
          }])
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("a tenant", (it) => {
      const two = () => [`a-${++tenants}`, `b-${tenants}`] as const
      it.effect("never sees another's streams, versions or command ids by the same name", () =>
        Effect.gen(function*() {
          const store = yield* events
          const stream = fresh()
          const [a, b] = two()
          const first = yield* append(stream, { expect: "noStream", events: some(2), commandId: "c" }).pipe(
            Tenant.within(a)
          )
          assert.deepInclude(first, { _tag: "Appended", version: 2 })
          const seen = Effect.gen(function*() {
            return [
              yield* store.version(stream),
              (yield* Stream.runCollect(store.read(stream))).length,
              (yield* Stream.runCollect(store.read(stream, { direction: "backwards" }))).length,
              Option.isSome(yield* store.findAppend(stream, "c"))
            ]
          })
          assert.deepStrictEqual(yield* seen.pipe(Tenant.within(a)), [2, 2, 2, true])
          assert.deepStrictEqual(yield* seen.pipe(Tenant.within(b)), [0, 0, 0, false])
          assert.deepStrictEqual(yield* seen, [0, 0, 0, false])
          // The same name and command id are free for the other.
          const other = yield* append(stream, { expect: "noStream", commandId: "c" }).pipe(Tenant.within(b))
          assert.deepInclude(other, { _tag: "Appended", version: 1, replayed: false })
          const all = yield* store.appendAll([{ stream, expect: 1, events: some(1) }]).pipe(Tenant.within(b))
          assert.deepInclude(all[0]!, { _tag: "Appended", version: 2 })
          assert.strictEqual(yield* store.version(stream).pipe(Tenant.within(a)), 2)
        }))
      it.effect("reads all of its own events, and the system reads across tenants when it says so", () =>
        Effect.gen(function*() {
          const store = yield* events
          const [a, b] = two()
          const type = `type-${a}`
          for (const tenant of [a, b, a]) yield* append(fresh(), { events: some(1, type) }).pipe(Tenant.within(tenant))
          yield* append(fresh(), { events: some(1, type) })
          const seen = (options: EventStore.ReadAllOptions) =>
            Effect.map(
              Stream.runCollect(store.readAll({ types: [type], ...options })),
              (all) => all.map((event) => event.stream.tenant)
            )
          assert.deepStrictEqual(yield* seen({}).pipe(Tenant.within(a)), [a, a])
          assert.deepStrictEqual(yield* seen({ categories: ["Order"] }).pipe(Tenant.within(b)), [b])
          assert.deepStrictEqual(yield* seen({}), [""])
          assert.deepStrictEqual(yield* seen({ tenants: "all" }), [a, b, a, ""])
          assert.deepStrictEqual(yield* seen({ tenants: "all" }).pipe(Tenant.within(b)), [a, b, a, ""])
          assert.deepStrictEqual(yield* seen({ tenants: [a, ""] }), [a, a, ""])
          assert.deepStrictEqual(yield* seen({ tenants: [] }), [])
        }))
      it.effect("never sees, changes or removes another's states", () =>
        Effect.gen(function*() {
          const states = yield* StateStore.StateStore
          const [a, b] = two()
          const row = (total: number) => ({ id: "s", version: 1, state: { userId: a, total, open: true } })
          yield* states.put(orders, row(1)).pipe(Tenant.within(a))
          const seen = Effect.gen(function*() {
            const found = yield* states.get(orders, "s")
            const page = yield* states.query(orders, { where: { userId: a } })
            const byId = yield* states.query(orders, { limit: 1000 })
            return [
              Option.match(found, { onNone: () => 0, onSome: ({ state }) => state.total }),
              page.rows.length,
              byId.rows.filter(({ id }) => id === "s").length
            ]
          })
          yield* seen.pipe(Tenant.within(b)) // so that a cache has its chance to mix them up
          assert.deepStrictEqual(yield* seen.pipe(Tenant.within(a)), [1, 1, 1])
          assert.deepStrictEqual(yield* seen.pipe(Tenant.within(b)), [0, 0, 0])
          assert.deepStrictEqual(yield* seen, [0, 0, 0])
          yield* states.put(orders, row(2)).pipe(Tenant.within(b))
          yield* states.remove(orders, "s")
          assert.deepStrictEqual(yield* seen.pipe(Tenant.within(a)), [1, 1, 1])
          yield* states.remove(orders, "s").pipe(Tenant.within(a))
          assert.deepStrictEqual(yield* seen.pipe(Tenant.within(a)), [0, 0, 0])
          assert.deepStrictEqual(yield* seen.pipe(Tenant.within(b)), [2, 1, 1])
        }))
      it.effect("holds for what its transaction and its children do", () =>
        Effect.gen(function*() {
          const store = yield* events
          const unit = yield* UnitOfWork.UnitOfWork
          const [a] = two()
          const streams = [fresh(), fresh()]
          yield* unit.run(Effect.forEach(streams, (stream) => append(stream, {}), { concurrency: 2 })).pipe(
            Tenant.within(a)
          )
          const versions = Effect.forEach(streams, store.version)
          assert.deepStrictEqual(yield* versions, [0, 0])
          assert.deepStrictEqual(yield* versions.pipe(Tenant.within(a)), [1, 1])
        }))
      it.effect("with a name that cannot be stored has nothing and gets nothing", () =>
        Effect.gen(function*() {
          const store = yield* events
          const states = yield* StateStore.StateStore
          const odd = Tenant.within("a\0b")
          assert.strictEqual(yield* store.version(fresh()).pipe(odd), 0)
          assert.deepStrictEqual(yield* Stream.runCollect(store.readAll()).pipe(odd), [])
          assert.isTrue(Option.isNone(yield* states.get(orders, "x").pipe(odd)))
          const error = yield* append(fresh(), {}).pipe(odd, Effect.flip)
          assert.deepInclude({ ...error }, { _tag: "InvalidAppend", field: "stream.tenant" })
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("bad input", (it) => {
      const refused = (given: Partial<EventStore.Append>) =>
        Effect.map(Effect.flip(append(fresh(), given)), (error) => error._tag === "InvalidAppend" ? error.field : error)
      const cycle: Record<string, unknown> = {}
      cycle["self"] = cycle
      const table: ReadonlyArray<readonly [string, string, Partial<EventStore.Append>]> = [
        ["no events", "events", { events: [] }],
        ["a type without a name", "events[1].type", { events: [{ type: "T", data: {} }, { type: "", data: {} }] }],
        ["an id that is no UUID", "events[0].id", { events: [{ id: "1", type: "T", data: {} }] }],
        ["a schema version below 1", "events[0].schemaVersion", {
          events: [{ schemaVersion: 0, type: "T", data: {} }]
        }],
        ["a payload that is no JSON", "events[0].data", { events: [{ type: "T", data: 1n }] }],
        ["a payload with a cycle", "events[0].data", { events: [{ type: "T", data: cycle }] }],
        ["metadata that is not text", "events[0].meta", {
          events: [{ type: "T", data: {}, meta: JSON.parse(`{"by": 5}`) }]
        }],
        ["a version below 0", "expect", { expect: -1 }],
        ["an expectation that is none", "expect", { expect: JSON.parse(`"nostream"`) }],
        ["an empty command id", "commandId", { commandId: "" }]
      ]
      for (const [what, field, given] of table) {
        it.effect(`refuses ${what}`, () =>
          Effect.gen(function*() {
            assert.strictEqual(yield* refused(given), field)
          }))
      }
      it.effect("keeps an event of a megabyte, and refuses one of forty", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const data = { text: "ä".repeat(1_000_000) }
          yield* append(stream, { events: [{ type: "Big", data }] })
          const [event] = yield* events.use((store) => Stream.runCollect(store.read(stream)))
          assert.deepStrictEqual(event?.data, data)
          assert.strictEqual(
            yield* refused({ events: [{ type: "Huge", data: "x".repeat(40_000_000) }] }),
            "events[0].data"
          )
        }))
    })
  })
}
