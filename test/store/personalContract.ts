/** What snapshots, archive, keys and personal data promise over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Result, Schema, Stream } from "effect"
import { DomainEvent } from "effect-lifecycle/domain"
import {
  Archive,
  DynamicConsistencyBoundary,
  EventStore,
  PersonalData,
  Snapshots,
  SubjectKeys,
  Tenant,
  UnitOfWork
} from "effect-lifecycle/store"

export type Stores =
  | Archive.Archive
  | DynamicConsistencyBoundary.DynamicConsistencyBoundary
  | EventStore.EventStore
  | Snapshots.Snapshots
  | SubjectKeys.SubjectKeys
  | UnitOfWork.UnitOfWork

export const master = (id: string, seed: number) =>
  `${id}=${btoa(String.fromCharCode(...new Uint8Array(32).fill(seed)))}`
export const personalLayer = (masterKeys = master("2025", 1), options: Partial<PersonalData.Options> = {}) =>
  PersonalData.layer({ masterKeys: Redacted.make(masterKeys), ...options })

const store = EventStore.EventStore
const archive = Archive.Archive
const snapshots = Snapshots.Snapshots
const keys = SubjectKeys.SubjectKeys
const people = PersonalData.PersonalData
const unit = UnitOfWork.UnitOfWork

let names = 0
/** A stream that nobody has used. */
export const fresh = (category = "Person"): EventStore.StreamId => ({ category, id: `x-${++names}` })

const append = (stream: EventStore.StreamId, types: ReadonlyArray<string>) =>
  store.use((events) =>
    events.append({ stream, expect: "any", events: types.map((type) => ({ type, data: { type } })) })
  ).pipe(Effect.flatMap((done) => done._tag === "Appended" ? Effect.succeed(done) : Effect.die(done)))
const read = (stream: EventStore.StreamId) => store.use((events) => Stream.runCollect(events.read(stream)))
const versions = (stream: EventStore.StreamId) => Effect.map(read(stream), (all) => all.map(({ version }) => version))

export const Registered = DomainEvent.make("Registered", {
  schema: {
    plan: Schema.String,
    email: PersonalData.personal(Schema.String),
    born: Schema.optionalKey(PersonalData.personal(Schema.Date))
  }
})
export const Introduced = DomainEvent.make("Introduced", {
  schema: {
    hostId: Schema.String,
    guestId: Schema.String,
    host: PersonalData.personal(Schema.String, "hostId"),
    guest: PersonalData.personal(Schema.String, "guestId")
  }
})

/** Seals and appends; the place in the whole store of the last. */
export const write = (stream: EventStore.StreamId, events: ReadonlyArray<EventStore.NewEvent>) =>
  Effect.gen(function*() {
    const sealed = yield* people.use((personal) => personal.seal(stream, events))
    return yield* store.use((log) => log.append({ stream, expect: "any", events: sealed }))
  })
export const open = (stream: EventStore.StreamId) =>
  Effect.flatMap(read(stream), (events) => people.use((personal) => personal.openAll(events)))
export const registered = (email: string, plan = "basic") =>
  Result.getOrThrow(Registered.encode(Registered.make({ plan, email, born: new Date(0) })))
export const introduced = (hostId: string, guestId: string) =>
  Result.getOrThrow(
    Introduced.encode(Introduced.make({ hostId, guestId, host: `name of ${hostId}`, guest: `name of ${guestId}` }))
  )

export const personalContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Snapshots", (it) => {
      const at = (version: number, data: unknown = { version }): Snapshots.Snapshot => ({
        version,
        position: BigInt(version) + 2n ** 60n,
        data
      })
      const key = (stream: EventStore.StreamId, fingerprint = "f"): Snapshots.Key => ({
        stream,
        aggregate: "Person",
        fingerprint
      })
      const find = (key: Snapshots.Key) => snapshots.use((all) => all.find(key))
      const save = (key: Snapshots.Key, snapshot: Snapshots.Snapshot) => snapshots.use((all) => all.save(key, snapshot))

      it.effect("gives back what was saved, one row for each fingerprint, and the newest of each", () =>
        Effect.gen(function*() {
          const stream = fresh()
          assert.isFalse(yield* save(key(stream), at(1)), "a stream that is not there has no snapshot")
          yield* append(stream, ["A"])
          assert.isTrue(Option.isNone(yield* find(key(stream))))
          assert.isTrue(yield* save(key(stream), at(5, { text: "\u0000 \ud800 ä", list: [null] })))
          assert.isTrue(yield* save(key(stream, "g"), at(2)))
          assert.isFalse(yield* save(key(stream), at(4)), "an older state came later")
          assert.deepStrictEqual(
            yield* find(key(stream)),
            Option.some(at(5, { text: "\u0000 \ud800 ä", list: [null] }))
          )
          assert.isTrue(yield* save(key(stream), at(6)))
          assert.deepStrictEqual(yield* find(key(stream)), Option.some(at(6)))
          assert.deepStrictEqual(yield* find(key(stream, "g")), Option.some(at(2)))
          assert.isTrue(Option.isNone(yield* find({ ...key(stream), aggregate: "Other" })))
          assert.isTrue(Option.isNone(yield* find(key(stream, "h"))))
        }))
      it.effect("belongs to the tenant", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* Effect.forEach(["t-1", "t-2"], (tenant) => Tenant.within(append(stream, ["A"]), tenant))
          yield* Tenant.within(save(key(stream), at(1)), "t-1")
          assert.isTrue(Option.isSome(yield* Tenant.within(find(key(stream)), "t-1")))
          assert.isTrue(Option.isNone(yield* Tenant.within(find(key(stream)), "t-2")))
        }))
      it.effect("removes those of a stream, and those of fingerprints that are no longer asked for", () =>
        Effect.gen(function*() {
          const [one, two] = [fresh("Pruned"), fresh("Pruned")]
          const of = (stream: EventStore.StreamId, fingerprint: string) => ({
            ...key(stream, fingerprint),
            aggregate: "Pruned"
          })
          for (const stream of [one, two]) {
            yield* append(stream, ["A"])
            yield* save(of(stream, "old"), at(1))
            yield* save(of(stream, "new"), at(1))
          }
          assert.strictEqual(yield* snapshots.use((all) => all.prune("Pruned", ["new"])), 2)
          assert.isTrue(Option.isNone(yield* find(of(one, "old"))))
          assert.strictEqual(yield* snapshots.use((all) => all.remove(one)), 1)
          assert.isTrue(Option.isNone(yield* find(of(one, "new"))))
          assert.isTrue(Option.isSome(yield* find(of(two, "new"))))
        }))
      it.effect("writes in the background, drops what is too much, and says when it is done", () =>
        Effect.gen(function*() {
          const all = yield* snapshots
          let written = 0
          const write = Effect.andThen(
            Effect.sleep("5 millis"),
            Effect.sync(() => {
              written++
            })
          )
          for (let i = 0; i < 100; i++) yield* all.background(write)
          assert.strictEqual(written, 0)
          yield* all.background(Effect.die("a bug of a write is nobody's failure"))
          yield* all.settled
          assert.strictEqual(written, 64)
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("Archive", (it) => {
      const status = (stream: EventStore.StreamId) =>
        archive.use((all) => all.status(stream)).pipe(
          Effect.map(Option.map(({ archivedAt, firstVersion, version }) => ({
            archived: archivedAt !== undefined,
            firstVersion,
            version
          })))
        )
      const truncate = (stream: EventStore.StreamId, before: number, keeps: Archive.Keeps) =>
        archive.use((all) => all.truncate(stream, { before, keeps }))

      it.effect("refuses appends to an archived stream with a typed error, and reads it as before", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const first = { stream, expect: "noStream" as const, events: [{ type: "A", data: 1 }], commandId: "c-1" }
          yield* store.use((events) => events.append(first))
          assert.isTrue(yield* archive.use((all) => all.archive(stream)))
          for (const expect of ["any", "noStream", "streamExists", 1, 7] as const) {
            const error = yield* Effect.flip(
              store.use((events) => events.append({ stream, expect, events: [{ type: "B", data: 2 }] }))
            )
            assert.deepInclude({ ...error }, { _tag: "StreamArchived", category: stream.category, id: stream.id })
          }
          assert.deepStrictEqual(yield* versions(stream), [1])
          const again = yield* store.use((events) => events.append(first))
          assert.isTrue(again._tag === "Appended" && again.replayed, "a repeated command is still answered")
          assert.deepStrictEqual(yield* status(stream), Option.some({ archived: true, firstVersion: 1, version: 1 }))
          assert.isTrue(yield* archive.use((all) => all.restore(stream)))
          yield* append(stream, ["B"])
          assert.deepStrictEqual(yield* versions(stream), [1, 2])
          assert.isFalse(yield* archive.use((all) => all.archive(fresh())))
          assert.isTrue(Option.isNone(yield* status(fresh())))
        }))
      it.effect("leaves a transaction usable, and keeps nothing of a batch with an archived stream", () =>
        Effect.gen(function*() {
          const [closed, other] = [fresh(), fresh()]
          yield* append(closed, ["A"])
          yield* archive.use((all) => all.archive(closed))
          yield* unit.use((work) =>
            work.run(Effect.gen(function*() {
              assert.strictEqual((yield* Effect.flip(append(closed, ["B"])))._tag, "StreamArchived")
              yield* append(other, ["A"])
            }))
          )
          assert.deepStrictEqual(yield* versions(other), [1])
          const batch = [other, closed].map((stream) => ({
            stream,
            expect: "any" as const,
            events: [{ type: "B", data: 0 }]
          }))
          const error = yield* Effect.flip(store.use((events) => events.appendAll(batch)))
          assert.deepInclude({ ...error }, { _tag: "StreamArchived", id: closed.id })
          assert.deepStrictEqual(yield* versions(other), [1])
        }))
      it.effect("does not make the neighbours of an archived stream fail when they append at once", () =>
        Effect.gen(function*() {
          const streams = Array.from({ length: 8 }, () => fresh())
          for (const stream of streams) yield* append(stream, ["A"])
          const [closed] = streams
          yield* archive.use((all) => all.archive(closed ?? fresh()))
          const results = yield* Effect.forEach(streams, (stream) => Effect.result(append(stream, ["B"])), {
            concurrency: "unbounded"
          })
          assert.deepStrictEqual(results.map(Result.isSuccess), [false, ...Array.from({ length: 7 }, () => true)])
        }))
      it.effect("truncates before a summary, keeps versions and goes on", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* append(stream, ["A", "B", "Sum", "C"])
          assert.strictEqual(yield* truncate(stream, 3, { summary: "Sum" }), 2)
          assert.deepStrictEqual(yield* versions(stream), [3, 4])
          assert.deepStrictEqual(yield* status(stream), Option.some({ archived: false, firstVersion: 3, version: 4 }))
          assert.strictEqual((yield* append(stream, ["D"])).version, 5)
          assert.strictEqual(yield* truncate(stream, 3, { summary: "Sum" }), 0)
          const all = yield* store.use((events) => Stream.runCollect(events.readAll({ categories: [stream.category] })))
          assert.deepStrictEqual(all.filter((event) => event.stream.id === stream.id).map((event) => event.version), [
            3,
            4,
            5
          ])
        }))
      it.effect("truncates before a snapshot of this very stream only", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const { position } = yield* append(stream, ["A", "B", "C"])
          const snapshot = { aggregate: "Person", fingerprint: "f" }
          const reason = (before: number) =>
            Effect.map(Effect.flip(truncate(stream, before, { snapshot })), (error) => error.message)
          assert.include(yield* reason(2), "no snapshot of fingerprint f ends there or later")
          const save = (position: bigint) =>
            snapshots.use((all) => all.save({ stream, ...snapshot }, { version: 3, position, data: {} }))
          yield* save(position + 1000n)
          assert.include(yield* reason(2), "no snapshot", "a snapshot of another history stands for nothing")
          yield* snapshots.use((all) => all.remove(stream))
          yield* save(position)
          assert.include(yield* reason(4), "does not have that version")
          assert.strictEqual(yield* truncate(stream, 3, { snapshot }), 2)
          assert.deepStrictEqual(yield* versions(stream), [3])
        }))
      it.effect("keeps events that have a tag, because decisions over several streams count on them", () =>
        Effect.gen(function*() {
          const stream = fresh()
          const tag = `course:${stream.id}`
          const boundary = yield* DynamicConsistencyBoundary.DynamicConsistencyBoundary
          yield* boundary.append({ stream, expect: "any", events: [{ type: "A", data: 0, tags: [tag] }] })
          yield* append(stream, ["Sum"])
          const error = yield* Effect.flip(truncate(stream, 2, { summary: "Sum" }))
          assert.include(error.message, `has the tag "${tag}"`)
          assert.deepStrictEqual(yield* versions(stream), [1, 2])
        }))
      it.effect("says why it does not truncate, and removes nothing then", () =>
        Effect.gen(function*() {
          const stream = fresh()
          yield* append(stream, ["A", "Sum"])
          const reason = (stream: EventStore.StreamId, before: number) =>
            Effect.map(Effect.flip(truncate(stream, before, { summary: "Sum" })), (error) => error.message)
          assert.include(yield* reason(stream, 1), "version 1 is a \"A\", not the summary \"Sum\"")
          assert.include(yield* reason(stream, 0), "whole number from 1")
          assert.include(yield* reason(stream, 3), "does not have that version")
          assert.include(yield* reason(fresh(), 1), "no such stream")
          assert.deepStrictEqual(yield* versions(stream), [1, 2])
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("SubjectKeys", (it) => {
      it.effect("makes a key once, also when sixteen ask at once, and none after shredding", () =>
        Effect.gen(function*() {
          const rows = yield* keys
          const subject = `s-${++names}`
          const made = yield* Effect.forEach(
            Array.from({ length: 16 }, (_, i) => ({ tenant: "", subject, wrapped: `w-${i}`, masterKey: "m" })),
            rows.create,
            { concurrency: "unbounded" }
          )
          assert.strictEqual(new Set(made.map(({ wrapped }) => wrapped)).size, 1)
          assert.isTrue(yield* rows.shred("", subject))
          assert.isFalse(yield* rows.shred("", subject))
          const after = yield* rows.create({ tenant: "", subject, wrapped: "new", masterKey: "m" })
          assert.strictEqual(after.wrapped, undefined)
          assert.isTrue(after.shreddedAt !== undefined)
          assert.isFalse(yield* rows.shred("", `unknown-${subject}`))
          const unknown = yield* rows.create({
            tenant: "",
            subject: `unknown-${subject}`,
            wrapped: "n",
            masterKey: "m"
          })
          assert.strictEqual(unknown.wrapped, undefined, "who was shredded before the first event stays so")
        }))
    })

    testLayer(Layer.provideMerge(personalLayer(), layer), { excludeTestServices: true, timeout: "60 seconds" })(
      "PersonalData",
      (it) => {
        it.effect("stores no plain text, and reads it back", () =>
          Effect.gen(function*() {
            const stream = fresh()
            yield* write(stream, [registered("ada@example.org"), { type: "Plain", data: { a: 1 } }])
            const stored = yield* read(stream)
            assert.notInclude(JSON.stringify(stored.map(({ data }) => data)), "ada@")
            const [first, second] = yield* open(stream)
            assert.deepStrictEqual(
              Result.getOrThrow(Registered.decode(first!)),
              Registered.make({ plan: "basic", email: "ada@example.org", born: new Date(0) })
            )
            assert.deepStrictEqual(second?.data, { a: 1 })
            const unopened = Result.getOrThrow(Result.flip(Registered.decode(stored[0]!)))
            assert.include(unopened.message, "open it with PersonalData.open first")
          }))
        it.effect("refuses an event that was not sealed, instead of storing it", () =>
          Effect.gen(function*() {
            const stream = fresh()
            const error = yield* Effect.flip(
              store.use((log) => log.append({ stream, expect: "any", events: [registered("ada@example.org")] }))
            )
            assert.strictEqual(error._tag, "InvalidAppend")
            assert.notInclude(error.message, "ada@")
            assert.deepStrictEqual(yield* versions(stream), [])
          }))
        it.effect("gives `Shredded` for ever once shredded, for that person only, and stores nothing more of them", () =>
          Effect.gen(function*() {
            const stream = fresh()
            const [host, guest] = [`h-${++names}`, `g-${++names}`]
            yield* write(stream, [introduced(host, guest)])
            const shred = yield* people.use((personal) => personal.shred(host))
            assert.deepStrictEqual(shred, {
              subject: host,
              erased: true,
              streams: [{ tenant: "", category: stream.category, id: stream.id }],
              snapshots: 0
            })
            const [event] = yield* open(stream)
            assert.deepStrictEqual(
              Result.getOrThrow(Introduced.decode(event!)),
              Introduced.make({
                hostId: host,
                guestId: guest,
                host: { _tag: "Shredded", subject: host },
                guest: `name of ${guest}`
              })
            )
            const error = yield* Effect.flip(write(stream, [introduced(host, guest)]))
            assert.deepInclude({ ...error }, { _tag: "SubjectShredded", subject: host })
            assert.isFalse((yield* people.use((personal) => personal.shred(host))).erased)
            // What is read as shredded can be written again as such: there is no plain text in it.
            const copy = Result.getOrThrow(Introduced.encode(Result.getOrThrow(Introduced.decode(event!))))
            yield* write(stream, [copy])
            const [, second] = yield* open(stream)
            assert.deepStrictEqual(second?.data, event?.data)
          }))
        it.effect("does not open at another place: stream, event, type, version, field or subject", () =>
          Effect.gen(function*() {
            const [stream, other] = [fresh(), fresh()]
            yield* write(stream, [registered("ada@example.org"), registered("bob@example.org")])
            yield* write(other, [registered("eve@example.org")])
            const [first, second] = yield* read(stream)
            const [third] = yield* read(other)
            assert.ok(first && second && third)
            const personal = yield* people
            const parts = (data: unknown) => (data as { readonly $personal: ReadonlyArray<object> }).$personal
            const moved: ReadonlyArray<EventStore.StoredEvent> = [
              { ...first, data: second.data },
              { ...first, id: second.id },
              { ...first, stream: { ...first.stream, tenant: "other" } },
              { ...first, stream: third.stream },
              { ...first, type: "Other" },
              { ...first, schemaVersion: 2 },
              {
                ...first,
                data: { plan: "x", $personal: parts(first.data).map((part) => ({ ...part, fields: ["plan"] })) }
              },
              { ...first, data: { $personal: parts(first.data).map((part) => ({ ...part, subject: other.id })) } },
              { ...first, data: { $personal: parts(first.data).map((part) => ({ ...part, text: "AAAA" })) } },
              { ...first, data: { $personal: parts(first.data).map((part) => ({ ...part, nonce: "AAAA" })) } },
              { ...first, data: { $personal: "damaged" } }
            ]
            for (const [index, event] of moved.entries()) {
              const result = yield* Effect.result(personal.open(event))
              assert.isTrue(
                Result.isFailure(result) && result.failure._tag === "PersonalDataUnreadable",
                `the ${index + 1}. change must be noticed`
              )
            }
            assert.deepInclude((yield* personal.open(first)).data, { email: "ada@example.org" })
          }))
        it.effect("keeps tenants apart", () =>
          Effect.gen(function*() {
            const stream = fresh()
            for (const tenant of ["t-1", "t-2"]) {
              yield* Tenant.within(write(stream, [registered(`${tenant}@example.org`)]), tenant)
            }
            yield* Tenant.within(people.use((personal) => personal.shred(stream.id)), "t-1")
            const email = (tenant: string) =>
              Effect.map(Tenant.within(open(stream), tenant), ([event]) =>
                Result.getOrThrow(Registered.decode(event!)).email)
            assert.deepStrictEqual(yield* email("t-1"), { _tag: "Shredded", subject: stream.id })
            assert.strictEqual(yield* email("t-2"), "t-2@example.org")
          }))
        it.effect("keeps no key of a transaction that was rolled back", () =>
          Effect.gen(function*() {
            const stream = fresh()
            yield* unit.use((work) =>
              work.run(Effect.andThen(write(stream, [registered("lost@example.org")]), Effect.fail("changed my mind")))
            ).pipe(Effect.flip)
            yield* write(stream, [registered("kept@example.org")])
            // Another process, which has only what is stored.
            const elsewhere = yield* Layer.build(Layer.fresh(personalLayer())).pipe(Effect.scoped)
            const [event] = yield* Effect.provideContext(open(stream), elsewhere)
            assert.strictEqual(Result.getOrThrow(Registered.decode(event!)).email, "kept@example.org")
          }))
        it.effect("seals a value under all of its subjects: shredding one is enough", () =>
          Effect.gen(function*() {
            const personal = yield* people
            const subjects = [`b-${++names}`, `a-${++names}`]
            const place = ["here"]
            const sealed = yield* personal.sealJson({ secret: 1 }, { subjects, place })
            assert.notInclude(JSON.stringify(sealed), "secret")
            assert.deepStrictEqual(yield* personal.openJson(sealed, place), {
              value: { secret: 1 },
              subjects: subjects.toSorted()
            })
            assert.strictEqual(
              (yield* Effect.flip(personal.openJson(sealed, ["there"])))._tag,
              "PersonalDataUnreadable"
            )
            yield* personal.shred(subjects[1]!)
            assert.deepStrictEqual(yield* personal.openJson(sealed, place), {
              _tag: "Shredded",
              subject: subjects[1]!
            })
          }))
        it.effect("reads under an old master key, wraps under the new one, and needs the old one no more", () =>
          Effect.gen(function*() {
            const stream = fresh()
            const on = <A, E, R>(masterKeys: string, effect: Effect.Effect<A, E, R | PersonalData.PersonalData>) =>
              Effect.provide(effect, Layer.fresh(personalLayer(masterKeys)))
            const email = Effect.map(open(stream), ([event]) => Result.getOrThrow(Registered.decode(event!)).email)
            yield* on(master("one", 7), write(stream, [registered("ada@example.org")]))
            const lost = yield* Effect.flip(on(master("two", 8), email))
            assert.include(lost.message, "wrapped by master key \"one\", which is not configured")
            const both = `${master("two", 8)} ${master("one", 7)}`
            assert.strictEqual(yield* on(both, email), "ada@example.org")
            assert.strictEqual(yield* on(both, people.use((personal) => personal.rewrap)), 1)
            assert.strictEqual(yield* on(both, people.use((personal) => personal.rewrap)), 0)
            assert.strictEqual(yield* on(master("two", 8), email), "ada@example.org")
            const wrong = yield* Effect.flip(on(master("two", 9), email))
            assert.include(wrong.message, "does not open with master key \"two\"")
          }))
        it.effect("forgets a key at once where it shreds, and elsewhere after its time", () =>
          Effect.gen(function*() {
            const stream = fresh()
            yield* write(stream, [registered("ada@example.org")])
            const build = (timeToLive: number) =>
              Layer.build(Layer.fresh(personalLayer(undefined, { timeToLive }))).pipe(Effect.scoped)
            const [slow, none] = [yield* build(60_000), yield* build(0)]
            const email = Effect.map(open(stream), ([event]) => Result.getOrThrow(Registered.decode(event!)).email)
            assert.strictEqual(yield* Effect.provideContext(email, slow), "ada@example.org")
            yield* people.use((personal) => personal.shred(stream.id))
            const gone: PersonalData.Shredded = { _tag: "Shredded", subject: stream.id }
            assert.deepStrictEqual(yield* email, gone)
            assert.deepStrictEqual(yield* Effect.provideContext(email, none), gone)
            assert.strictEqual(yield* Effect.provideContext(email, slow), "ada@example.org", "as documented")
          }))
        it.effect.prop(
          "reads back any values, of any subjects, and after a shred exactly those of others",
          {
            texts: Schema.Array(Schema.Struct({ host: Schema.String, guest: Schema.String })).check(
              Schema.isMaxLength(4)
            ),
            gone: Schema.Literals(["host", "guest", "nobody"])
          },
          ({ gone, texts }) =>
            Effect.gen(function*() {
              const stream = fresh()
              const ids = { host: `h-${++names}`, guest: `g-${++names}`, nobody: `n-${++names}` }
              const events = texts.map(({ guest, host }) =>
                Introduced.make({ hostId: ids.host, guestId: ids.guest, host, guest })
              )
              if (events.length === 0) return
              yield* write(stream, events.map((event) => Result.getOrThrow(Introduced.encode(event))))
              const before = yield* open(stream)
              assert.deepStrictEqual(before.map((event) => Result.getOrThrow(Introduced.decode(event))), events)
              yield* people.use((personal) => personal.shred(ids[gone]))
              const after = yield* open(stream)
              assert.deepStrictEqual(
                after.map((event) => Result.getOrThrow(Introduced.decode(event))),
                events.map((event) =>
                  gone === "nobody" ? event : { ...event, [gone]: { _tag: "Shredded", subject: ids[gone] } }
                )
              )
            }),
          { arbitrary: { runs: 25 }, timeout: 60_000 }
        )
      }
    )
  })
}
