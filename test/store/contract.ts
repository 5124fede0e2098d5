/** What every set of stores promises; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, Option, Schema, Stream } from "effect"
import { EventStore, IdempotencyStore, StateStore, UnitOfWork } from "effect-lifecycle/store"

type Stores =
  | EventStore.EventStore
  | IdempotencyStore.IdempotencyStore
  | StateStore.StateStore
  | UnitOfWork.UnitOfWork

const Order = Schema.Struct({ userId: Schema.String, total: Schema.Int, open: Schema.Boolean })
export const orders = StateStore.collection({ name: "orders", schema: Order, indexes: ["userId", "total", "open"] })

const events = EventStore.EventStore
const states = StateStore.StateStore
const keys = IdempotencyStore.IdempotencyStore
const unit = UnitOfWork.UnitOfWork

let streams = 0
/** A stream nobody has used. */
export const fresh = (): EventStore.StreamId => ({ category: "Order", id: `o-${++streams}` })
export const some = (n: number, type = "T"): ReadonlyArray<EventStore.NewEvent> =>
  Array.from({ length: n }, (_, i) => ({ type, data: { i } }))
const append = (
  stream: EventStore.StreamId,
  expect: EventStore.Expectation,
  n = 1,
  commandId?: string
) =>
  events.use((store) =>
    store.append({ stream, expect, events: some(n), ...(commandId === undefined ? {} : { commandId }) })
  )
const versions = (stream: EventStore.StreamId, options?: EventStore.ReadOptions) =>
  events.use((store) => Effect.map(Stream.runCollect(store.read(stream, options)), (all) => all.map((e) => e.version)))
const versionOf = (stream: EventStore.StreamId) => events.use((store) => store.version(stream))
const claim = (key: IdempotencyStore.Key, fingerprint = "f", lease = 60_000) =>
  keys.use((store) => store.claim(key, { fingerprint, lease, timeToLive: "1 day" }))

export const storeContract = <E>(name: string, layer: Layer.Layer<Stores, E>): void => {
  describe(name, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("EventStore", (it) => {
      const table: ReadonlyArray<readonly [EventStore.Expectation, number, boolean]> = [
        ["any", 0, true],
        ["any", 3, true],
        ["noStream", 0, true],
        ["noStream", 3, false],
        ["streamExists", 0, false],
        ["streamExists", 3, true],
        [0, 0, true],
        [0, 3, false],
        [3, 3, true],
        [2, 3, false],
        [4, 3, false],
        [1, 0, false]
      ]
      for (const [expect, length, accepted] of table) {
        it.effect(`${accepted ? "accepts" : "refuses"} ${expect} on a stream of ${length} events`, () =>
          Effect.gen(function*() {
            const stream = fresh()
            if (length > 0) yield* append(stream, "noStream", length)
            const result = yield* append(stream, expect, 2)
            if (accepted) {
              assert.deepInclude(result, {
                _tag: "Appended",
                firstVersion: length + 1,
                version: length + 2,
                replayed: false
              })
            } else assert.deepStrictEqual(result, { _tag: "Conflict", expected: expect, actual: length })
            assert.strictEqual(yield* versionOf(stream), accepted ? length + 2 : length)
          }))
      }
      it.effect("gives back what was stored", () =>
        Effect.gen(function*() {
          const stream = { tenant: "t-1", ...fresh() }
          const id = "01890a5d-ac96-774b-bcce-b302099a8057"
          const data = { text: "äöü \u2028 \"quoted\"", nested: [1, null, { deep: true }] }
          const event = { id, type: "Full", schemaVersion: 3, data, meta: { actor: "alice" } }
          yield* events.use((store) => store.append({ stream, expect: "noStream", events: [event] }))
          const [stored] = yield* events.use((store) => Stream.runCollect(store.read(stream)))
          assert.deepInclude<object>({ ...stored }, { ...event, version: 1, stream })
          assert.strictEqual(typeof stored?.position, "bigint")
          assert.isTrue(stored?.at instanceof Date)
        }))
      it.effect("keeps tenants apart", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* append({ ...stream, tenant: "a" }, "noStream", 2)
          yield* append({ ...stream, tenant: "b" }, "noStream", 1)
          assert.deepStrictEqual(
            [
              yield* versionOf({ ...stream, tenant: "a" }),
              yield* versionOf({ ...stream, tenant: "b" }),
              yield* versionOf(stream)
            ],
            [2, 1, 0]
          )
        }))
      it.effect("reads in both directions, from a version, up to a limit, across pages", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* append(stream, "noStream", 1200)
          const all = Array.from({ length: 1200 }, (_, i) => i + 1)
          assert.deepStrictEqual(yield* versions(stream), all)
          assert.deepStrictEqual(yield* versions(stream, { direction: "backwards" }), all.toReversed())
          assert.deepStrictEqual(yield* versions(stream, { from: 1199 }), [1199, 1200])
          assert.deepStrictEqual(yield* versions(stream, { from: 2, direction: "backwards" }), [2, 1])
          assert.deepStrictEqual(yield* versions(stream, { from: 5, limit: 3 }), [5, 6, 7])
          assert.deepStrictEqual(yield* versions(stream, { limit: 501 }), all.slice(0, 501))
          assert.deepStrictEqual(yield* versions(stream, { limit: 0 }), [])
          assert.deepStrictEqual(yield* versions(fresh()), [])
        }))
      it.effect("numbers positions upwards and reads on after one", () =>
        Effect.gen(function*() {
          const first = yield* append(fresh(), "any", 2)
          yield* append(fresh(), "any", 2)
          const after = first._tag === "Appended" ? first.position : 0n
          const rest = yield* events.use((store) => Stream.runCollect(store.readAll({ after, limit: 2 })))
          assert.strictEqual(rest.length, 2)
          assert.isTrue(rest.every((event) => event.position > after))
        }))
      it.effect("writes one command id once, and says so the second time", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const first = yield* append(stream, "noStream", 2, "c-1")
          const again = yield* append(stream, "noStream", 2, "c-1")
          assert.deepStrictEqual<object>(again, { ...first, replayed: true })
          assert.strictEqual(yield* versionOf(stream), 2)
          const found = yield* events.use((store) => store.findAppend(stream, "c-1"))
          assert.deepStrictEqual<object>(Option.getOrThrow(found), { ...first, replayed: true })
          assert.isTrue(Option.isNone(yield* events.use((store) => store.findAppend(stream, "c-2"))))
          assert.deepInclude(yield* append(fresh(), "noStream", 1, "c-1"), { replayed: false })
        }))
      it.effect("writes one command id once, also when it comes sixteen times together", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const results = yield* Effect.forEach(Array.from({ length: 16 }), () => append(stream, "any", 1, "same"), {
            concurrency: "unbounded"
          })
          assert.strictEqual(results.filter((r) => r._tag === "Appended" && !r.replayed).length, 1)
          assert.strictEqual(yield* versionOf(stream), 1)
        }))
      it.effect("lets sixteen writers without an expectation all succeed, without a gap", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const results = yield* Effect.forEach(Array.from({ length: 16 }), () => append(stream, "any"), {
            concurrency: "unbounded"
          })
          assert.isTrue(results.every((result) => result._tag === "Appended"))
          assert.deepStrictEqual(yield* versions(stream), Array.from({ length: 16 }, (_, i) => i + 1))
        }))
      it.effect("lets one of sixteen writers with the same version through", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const results = yield* Effect.forEach(Array.from({ length: 16 }), () => append(stream, 0), {
            concurrency: "unbounded"
          })
          assert.strictEqual(results.filter((result) => result._tag === "Appended").length, 1)
          assert.isTrue(results.every((result) => result._tag === "Appended" || result.actual === 1))
        }))
      it.effect("appends several streams, all or none, with results in order", () =>
        Effect.gen(function*() {
          const [a, b] = [fresh(), fresh()]
          const both = (expectB: EventStore.Expectation) =>
            events.use((store) =>
              store.appendAll([
                { stream: b, expect: expectB, events: some(1) },
                { stream: a, expect: "any", events: some(2) }
              ])
            )
          const refused = yield* both("streamExists")
          assert.deepStrictEqual(refused[0], { _tag: "Conflict", expected: "streamExists", actual: 0 })
          assert.deepStrictEqual([yield* versionOf(a), yield* versionOf(b)], [0, 0])
          const done = yield* both("noStream")
          assert.deepStrictEqual(done.map((r) => r._tag === "Appended" ? r.version : -1), [1, 2])
        }))
      it.effect("refuses what no store could take, naming the field", () =>
        Effect.gen(function*() {
          const refused = (given: Partial<EventStore.Append>) =>
            events.use((store) => store.append({ stream: fresh(), expect: "any", events: some(1), ...given })).pipe(
              Effect.flip,
              Effect.map((error) => error._tag)
            )
          assert.strictEqual(yield* refused({ events: [] }), "InvalidAppend")
          assert.strictEqual(yield* refused({ stream: { category: "", id: "x" } }), "InvalidAppend")
          assert.strictEqual(yield* refused({ stream: { category: "c", id: "" } }), "InvalidAppend")
          assert.strictEqual(yield* refused({ expect: -1 }), "InvalidAppend")
          assert.strictEqual(yield* refused({ expect: 1.5 }), "InvalidAppend")
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("UnitOfWork", (it) => {
      const writeAll = (stream: EventStore.StreamId, key: IdempotencyStore.Key, token: string) =>
        Effect.gen(function*() {
          yield* append(stream, "any", 1, "c")
          yield* states.use((store) =>
            store.put(orders, { id: stream.id, version: 1, state: { userId: "u", total: 1, open: true } })
          )
          yield* keys.use((store) => store.complete(key, token, "answer"))
        })
      const kept = (stream: EventStore.StreamId, key: IdempotencyStore.Key) =>
        Effect.gen(function*() {
          return [
            yield* versionOf(stream),
            Option.isSome(yield* states.use((store) => store.get(orders, stream.id))),
            (yield* claim(key))._tag,
            Option.isSome(yield* events.use((store) => store.findAppend(stream, "c")))
          ]
        })
      const endings: ReadonlyArray<readonly [string, Effect.Effect<void, string>]> = [
        ["a failure", Effect.fail("no")],
        ["a defect", Effect.die("bug")],
        ["an interruption", Effect.interrupt]
      ]
      for (const [how, ending] of endings) {
        it.effect(`rolls back all three stores on ${how}`, () =>
          Effect.gen(function*() {
            const stream = fresh()
            const key = { scope: "s", key: stream.id }
            const claimed = yield* claim(key)
            const token = claimed._tag === "Claimed" ? claimed.token : ""
            const exit = yield* unit.use((u) => u.run(Effect.andThen(writeAll(stream, key, token), ending))).pipe(
              Effect.forkChild,
              Effect.flatMap(Fiber.await)
            )
            assert.isTrue(Exit.isFailure(exit))
            assert.deepStrictEqual(yield* kept(stream, key), [0, false, "InProgress", false])
            yield* unit.use((u) => u.run(writeAll(stream, key, token)))
            assert.deepStrictEqual(yield* kept(stream, key), [1, true, "Completed", true])
          }))
      }
      it.effect("joins a transaction that is open, and commits once at its end", () =>
        Effect.gen(function*() {
          const u = yield* unit
          const stream = fresh()
          const log: Array<string> = []
          const note = (text: string) => Effect.sync(() => void log.push(text))
          yield* u.run(Effect.gen(function*() {
            yield* u.run(Effect.andThen(append(stream, "any"), u.afterCommit(note("after"))))
            assert.isTrue(yield* u.isOpen)
            yield* note("body")
          }))
          assert.deepStrictEqual(log, ["body", "after"])
          assert.isFalse(yield* u.isOpen)
          yield* Effect.exit(u.run(Effect.andThen(u.afterCommit(note("dropped")), Effect.fail("no"))))
          yield* u.afterCommit(note("at once"))
          assert.deepStrictEqual(log, ["body", "after", "at once"])
        }))
      it.effect("stays usable after a conflict inside", () =>
        Effect.gen(function*() {
          const [a, b] = [fresh(), fresh()]
          yield* append(a, "noStream")
          const result = yield* unit.use((u) =>
            u.run(Effect.gen(function*() {
              const conflict = yield* append(a, "noStream")
              yield* append(b, "noStream")
              return conflict
            }))
          )
          assert.strictEqual(result._tag, "Conflict")
          assert.strictEqual(yield* versionOf(b), 1)
        }))
      it.effect("hides what is not committed", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const services = yield* Effect.context<EventStore.EventStore>()
          const seen = yield* unit.use((u) =>
            u.run(Effect.gen(function*() {
              yield* append(stream, "any")
              const inside = yield* versionOf(stream)
              const outside = yield* Effect.promise(() => Effect.runPromiseWith(services)(versionOf(stream)))
              return [inside, outside]
            }))
          )
          assert.deepStrictEqual(seen, [1, 0])
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("StateStore", (it) => {
      it.effect("reads, overwrites and removes a row", () =>
        Effect.gen(function*() {
          const store = yield* states
          const state = { userId: "u", total: 1, open: true }
          yield* store.put(orders, { id: "r-1", version: 1, state })
          yield* store.put(orders, { id: "r-1", version: 2, state: { ...state, total: 2 } })
          assert.deepStrictEqual(
            Option.getOrThrow(yield* store.get(orders, "r-1")),
            { id: "r-1", version: 2, state: { ...state, total: 2 } }
          )
          yield* store.remove(orders, "r-1")
          assert.isTrue(Option.isNone(yield* store.get(orders, "r-1")))
        }))
      it.effect("filters and sorts by indexed fields, a page at a time, each row once", () =>
        Effect.gen(function*() {
          const store = yield* states
          for (let i = 0; i < 23; i++) {
            const state = { userId: i % 2 === 0 ? "even" : "odd", total: i % 5, open: i < 20 }
            yield* store.put(orders, { id: `q-${String(i).padStart(2, "0")}`, version: 1, state })
          }
          const pages = (options: StateStore.QueryOptions) =>
            Effect.gen(function*() {
              const ids: Array<string> = []
              let cursor: string | undefined
              do {
                const page = yield* store.query(orders, { ...options, limit: 5, cursor })
                ids.push(...page.rows.map((row) => row.id).filter((id) => id.startsWith("q-")))
                cursor = page.next
              } while (cursor !== undefined)
              return ids
            })
          const expected = (keep: (i: number) => boolean) =>
            Array.from({ length: 23 }, (_, i) => i).filter(keep).map((i) => `q-${String(i).padStart(2, "0")}`)
          assert.deepStrictEqual(yield* pages({ where: { userId: "even" } }), expected((i) => i % 2 === 0))
          assert.deepStrictEqual(
            yield* pages({ where: { userId: "even", open: false } }),
            expected((i) => i % 2 === 0 && i >= 20)
          )
          const byTotal = yield* pages({ where: { userId: "odd" }, orderBy: "total", direction: "descending" })
          assert.deepStrictEqual(byTotal.toSorted(), expected((i) => i % 2 === 1))
          const totals = byTotal.map((id) => Number(id.slice(2)) % 5)
          assert.deepStrictEqual(totals, totals.toSorted((a, b) => b - a))
        }))
      it.effect("refuses a query it could not answer quickly or at all", () =>
        Effect.gen(function*() {
          const field = (options: StateStore.QueryOptions) =>
            states.use((store) =>
              store.query(StateStore.collection({ name: "few", schema: Order, indexes: ["userId"] }), options)
            ).pipe(
              Effect.flip,
              Effect.map((error) => error._tag === "InvalidQuery" ? error.field : error._tag)
            )
          assert.strictEqual(yield* field({ where: { total: 1 } }), "total")
          assert.strictEqual(yield* field({ orderBy: "total" }), "total")
          assert.strictEqual(yield* field({ limit: 0 }), "limit")
          assert.strictEqual(yield* field({ limit: 1001 }), "limit")
          assert.strictEqual(yield* field({ cursor: "not a cursor" }), "cursor")
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("IdempotencyStore (T30)", (it) => {
      let made = 0
      const key = () => ({ scope: "alice", key: `k-${++made}` })
      it.effect("gives the stored answer to the same payload, and refuses another", () =>
        Effect.gen(function*() {
          const k = key()
          const first = yield* claim(k)
          assert.strictEqual(first._tag, "Claimed")
          assert.strictEqual((yield* claim(k))._tag, "InProgress")
          const token = first._tag === "Claimed" ? first.token : ""
          assert.isTrue(yield* keys.use((store) => store.complete(k, token, "answer")))
          assert.deepStrictEqual(yield* claim(k), { _tag: "Completed", answer: "answer" })
          assert.strictEqual((yield* claim(k, "another"))._tag, "Mismatch")
          assert.strictEqual((yield* claim({ ...k, scope: "bob" }, "another"))._tag, "Claimed")
        }))
      it.effect("lets one of sixteen through", () =>
        Effect.gen(function*() {
          const k = key()
          const claims = yield* Effect.forEach(Array.from({ length: 16 }), () => claim(k), { concurrency: "unbounded" })
          assert.strictEqual(claims.filter((c) => c._tag === "Claimed").length, 1)
          assert.isTrue(claims.every((c) => c._tag === "Claimed" || c._tag === "InProgress"))
        }))
      it.effect("gives a released key to the next", () =>
        Effect.gen(function*() {
          const k = key()
          const first = yield* claim(k)
          if (first._tag === "Claimed") yield* keys.use((store) => store.release(k, first.token))
          assert.strictEqual((yield* claim(k, "another"))._tag, "Claimed")
        }))
      it.effect("takes an expired claim away from its holder", () =>
        Effect.gen(function*() {
          const k = key()
          const first = yield* claim(k, "f", 1)
          yield* Effect.sleep("20 millis")
          const second = yield* claim(k)
          assert.strictEqual(second._tag, "Claimed")
          const [one, two] = [first, second].map((c) => c._tag === "Claimed" ? c.token : "")
          assert.isFalse(yield* keys.use((store) => store.complete(k, one ?? "", "late")))
          assert.isTrue(yield* keys.use((store) => store.complete(k, two ?? "", "right")))
          assert.deepStrictEqual(yield* claim(k), { _tag: "Completed", answer: "right" })
        }))
      it.effect("removes what has expired for so long, and nothing else", () =>
        Effect.gen(function*() {
          const [expired, running, answered] = [key(), key(), key()]
          const first = yield* claim(expired, "f", 1)
          yield* claim(running)
          const third = yield* claim(answered)
          yield* keys.use((store) => store.complete(answered, third._tag === "Claimed" ? third.token : "", "answer"))
          yield* Effect.sleep("20 millis")
          assert.strictEqual(yield* keys.use((store) => store.prune()), 0)
          assert.isAtLeast(yield* keys.use((store) => store.prune({ expiredFor: 0 })), 1)
          assert.strictEqual(yield* keys.use((store) => store.prune({ expiredFor: 0 })), 0)
          const token = first._tag === "Claimed" ? first.token : ""
          assert.isFalse(yield* keys.use((store) => store.complete(expired, token, "too late")))
          assert.strictEqual((yield* claim(running))._tag, "InProgress")
          assert.strictEqual((yield* claim(answered))._tag, "Completed")
        }))
    })
  })
}
