/** What loading with snapshots promises over every store; each layer runs the same suite. */
import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option, Schema, Stream } from "effect"
import { Aggregate, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Archive, EventStore, PersonalData, Snapshots, Tenant, type UnitOfWork } from "effect-lifecycle/store"
import { personalLayer } from "../store/personalContract.ts"

export type Stores = Archive.Archive | EventStore.EventStore | Snapshots.Snapshots | UnitOfWork.UnitOfWork

const Change = Command.make("ledger.Change", {
  payload: { id: Schema.String, by: Schema.Array(Schema.Int), key: Schema.optionalKey(Schema.String) },
  success: Schema.Struct({ total: Schema.Int, version: Schema.Int }),
  aggregateId: ({ id }) => id,
  commandId: ({ key }) => key
})
const Changed = DomainEvent.make("Changed", {
  version: 2,
  schema: { by: Schema.Int },
  upcast: { 1: { from: Schema.Struct({ amount: Schema.Int }), to: ({ amount }) => ({ by: amount }) } }
})
const Closed = DomainEvent.make("Closed", { schema: { total: Schema.Int, last: Schema.Array(Schema.Int) } })

const State = Schema.Struct({ total: Schema.Int, last: Schema.Array(Schema.Int) })

/** Keeps the last three changes, so that a fold from a wrong place gives another state. */
const ledger = <const Every extends number | undefined>(
  name: string,
  every: Every,
  extra: { readonly revision?: number; readonly initial?: number } = {}
) =>
  Aggregate.make({
    name,
    state: State,
    initial: { total: extra.initial ?? 0, last: [] },
    commands: [Change],
    events: [Changed, Closed],
    decide: { "ledger.Change": (_state, { by }) => Effect.succeed(by.map((by) => Changed.make({ by }))) },
    evolve: {
      Changed: ({ last, total }, { by }) => ({ total: total + by, last: [...last, by].slice(-3) }),
      Closed: (_state, { last, total }) => ({ total, last })
    },
    summaries: ["Closed"],
    snapshotEvery: every,
    snapshotRevision: extra.revision
  })

let names = 0
const fresh = () => `l-${++names}`

type Ledger = ReturnType<typeof ledger<number>>
const layerOf = (aggregate: Ledger) =>
  Domain.toLayer([
    Domain.aggregateHandler(Change, aggregate, { reply: ({ total }, _events, version) => ({ total, version }) })
  ])
const send = (aggregate: Ledger, id: string, by: ReadonlyArray<number>, key?: string) =>
  Mediator.send(Change, { id, by, ...(key === undefined ? {} : { key }) }).pipe(Effect.provide(layerOf(aggregate)))
const settled = Snapshots.Snapshots.use((all) => all.settled)
const keyOf = (aggregate: Ledger, id: string): Snapshots.Key => ({
  stream: { category: aggregate.name, id },
  aggregate: aggregate.name,
  fingerprint: aggregate.snapshots?.fingerprint ?? ""
})
const find = (aggregate: Ledger, id: string) =>
  Effect.map(Snapshots.Snapshots.use((all) => all.find(keyOf(aggregate, id))), Option.getOrUndefined)
const append = (aggregate: { readonly name: string }, id: string, events: ReadonlyArray<EventStore.NewEvent>) =>
  EventStore.EventStore.use((store) =>
    store.append({ stream: { category: aggregate.name, id }, expect: "any", events })
  )
/** As if there were no snapshots. */
const full = (aggregate: Ledger, id: string) => Aggregate.load({ ...aggregate, snapshots: undefined }, id)
const changes = (count: number): ReadonlyArray<EventStore.NewEvent> =>
  Array.from({ length: count }, (_, i) => ({ type: "Changed", schemaVersion: 2, data: { by: i + 1 } }))

/** Why snapshots were ignored while `effect` ran, and how many events it read. */
const watched = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const ignored: Array<string> = []
    let events = 0
    const store = yield* EventStore.EventStore
    const counting = EventStore.EventStore.of({
      ...store,
      read: (stream, options) =>
        Stream.tap(store.read(stream, options), () =>
          Effect.sync(() => {
            events++
          }))
    })
    const answer = yield* effect.pipe(
      Effect.provideService(EventStore.EventStore, counting),
      Recorder.recordTo((report) => {
        if (report._tag === "SnapshotIgnored") ignored.push(report.reason)
      })
    )
    return { answer, events, ignored }
  })

const Step = Schema.Union([
  Schema.Struct({
    by: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: -9, maximum: 9 }))).check(Schema.isMaxLength(5))
  }),
  Schema.Literals(["old", "close", "settle", "lose"])
])

export const snapshotContract = <E>(title: string, layer: Layer.Layer<Stores, E>): void => {
  describe(title, () => {
    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("snapshots of an aggregate", (it) => {
      it.effect.prop(
        "give the state of a full fold, at any `snapshotEvery` and any history",
        {
          every: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 })),
          steps: Schema.Array(Step).check(Schema.isMaxLength(14))
        },
        ({ every, steps }) =>
          Effect.gen(function*() {
            const aggregate = ledger("Ledger", every)
            const id = fresh()
            for (const step of steps) {
              if (step === "old") yield* append(aggregate, id, [{ type: "Changed", data: { amount: 3 } }])
              else if (step === "settle") yield* settled
              else if (step === "lose") yield* Snapshots.Snapshots.use((all) => all.remove(keyOf(aggregate, id).stream))
              else if (step === "close") {
                const { state } = yield* full(aggregate, id)
                yield* append(aggregate, id, [{ type: "Closed", data: state }])
              } else yield* send(aggregate, id, step.by)
              assert.deepStrictEqual(yield* Aggregate.load(aggregate, id), yield* full(aggregate, id))
            }
            yield* settled
            const loaded = yield* full(aggregate, id)
            assert.deepStrictEqual(yield* Aggregate.load(aggregate, id), loaded)
            for (let upTo = 0; upTo <= loaded.version; upTo += 3) {
              assert.deepStrictEqual(
                yield* Aggregate.load(aggregate, id, { upTo }),
                yield* Aggregate.load({ ...aggregate, snapshots: undefined }, id, { upTo })
              )
            }
          }),
        { arbitrary: { runs: 40 }, timeout: 60_000 }
      )
      it.effect("are written every so many events, and then the tail is all that is read", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 10)
          const id = fresh()
          yield* send(aggregate, id, [1, 2, 3, 4, 5, 6, 7, 8, 9])
          yield* settled
          assert.isUndefined(yield* find(aggregate, id))
          yield* send(aggregate, id, [10, 11])
          yield* settled
          assert.strictEqual((yield* find(aggregate, id))?.version, 11)
          yield* send(aggregate, id, [12])
          const { answer, events } = yield* watched(Aggregate.load(aggregate, id))
          assert.deepStrictEqual(answer, { state: { total: 78, last: [10, 11, 12] }, version: 12 })
          assert.strictEqual(events, 2, "the event of the snapshot, and the one after it")
        }))
      it.effect("are not those of a command that was rolled back, and follow the commit of a unit", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 1)
          const id = fresh()
          const unit = Domain.transaction(Effect.andThen(send(aggregate, id, [1, 2]), Effect.fail("changed my mind")))
          yield* Effect.flip(unit)
          yield* settled
          assert.isUndefined(yield* find(aggregate, id))
          yield* Domain.transaction(Effect.andThen(send(aggregate, id, [5]), send(aggregate, id, [6])))
          yield* settled
          assert.strictEqual((yield* find(aggregate, id))?.version, 2)
        }))
      it.effect("belong to the tenant of the command", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 1)
          const id = fresh()
          yield* Tenant.within(send(aggregate, id, [1]), "t-1")
          yield* send(aggregate, id, [2])
          yield* settled
          const total = Effect.map(Aggregate.load(aggregate, id), ({ state }) => state.total)
          assert.deepStrictEqual([yield* Tenant.within(total, "t-1"), yield* total], [1, 2])
          assert.strictEqual((yield* Tenant.within(find(aggregate, id), "t-1"))?.version, 1)
        }))
      it.effect("are not read by an aggregate of another Schema, initial state, revision or upcast", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 1)
          const id = fresh()
          yield* send(aggregate, id, [1, 2, 3])
          yield* settled
          for (const other of [ledger("Ledger", 1, { revision: 2 }), ledger("Ledger", 1, { initial: 100 })]) {
            assert.notStrictEqual(other.snapshots?.fingerprint, aggregate.snapshots?.fingerprint)
            const { answer, events, ignored } = yield* watched(Aggregate.load(other, id))
            assert.deepStrictEqual([answer.state.total, events, ignored], [6 + other.initial.total, 3, []])
          }
          assert.strictEqual(ledger("Ledger", 5).snapshots?.fingerprint, aggregate.snapshots?.fingerprint)
        }))

      const broken: ReadonlyArray<readonly [string, Partial<Snapshots.Snapshot>, string]> = [
        ["does not decode", { data: { total: "many", last: [] } }, "undecodable"],
        ["has fields that the state has not", { data: { total: 1, last: [], more: 1 } }, "undecodable"],
        ["is no state at all", { data: null }, "undecodable"],
        ["ends after the stream", { version: 99 }, "foreign"],
        ["ends with another event", { position: 2n ** 62n }, "foreign"]
      ]
      for (const [what, change, reason] of broken) {
        it.effect(`are ignored, reported and replaced where one ${what}`, () =>
          Effect.gen(function*() {
            const aggregate = ledger("Ledger", 2)
            const id = fresh()
            const done = yield* append(aggregate, id, changes(3))
            const position = done._tag === "Appended" ? done.position : 0n
            const wrong = { version: 3, position, data: { total: -1, last: [] }, ...change }
            assert.isTrue(yield* Snapshots.Snapshots.use((all) => all.save(keyOf(aggregate, id), wrong)))
            const { answer, ignored } = yield* watched(Aggregate.load(aggregate, id))
            assert.deepStrictEqual(answer, { state: { total: 6, last: [1, 2, 3] }, version: 3 })
            assert.deepStrictEqual(ignored, [reason])
            assert.deepStrictEqual(yield* send(aggregate, id, [4]), { total: 10, version: 4 })
            yield* settled
            assert.deepInclude(yield* find(aggregate, id), { version: 4, data: { total: 10, last: [2, 3, 4] } })
            assert.deepStrictEqual((yield* watched(Aggregate.load(aggregate, id))).ignored, [])
          }))
      }
      it.effect("answer a repeated command with its first reply, whatever was snapshotted since", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 1)
          const id = fresh()
          const first = yield* send(aggregate, id, [1, 2], "k-1")
          yield* send(aggregate, id, [3])
          yield* settled
          assert.deepStrictEqual(yield* send(aggregate, id, [1, 2], "k-1"), first)
        }))
      it.effect("refuse a `snapshotEvery` that is no whole number from 1, and a summary that is no event", () =>
        Effect.sync(() => {
          for (const every of [0, -1, 1.5, Number.NaN]) {
            assert.throws(() => ledger("Ledger", every), /snapshotEvery must be a whole number from 1/)
          }
          assert.throws(
            () =>
              Aggregate.make({
                name: "X",
                state: State,
                initial: { total: 0, last: [] },
                commands: [],
                events: [Changed],
                decide: {},
                evolve: { Changed: (state) => state },
                summaries: ["Closed" as "Changed"]
              }),
            /summaries must be types of the aggregate's events/
          )
        }))
    })

    testLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("truncation of an aggregate", (it) => {
      const read = (aggregate: Ledger, id: string) =>
        EventStore.EventStore.use((store) => Stream.runCollect(store.read({ category: aggregate.name, id }))).pipe(
          Effect.map((events) => events.map(({ version }) => version))
        )
      it.effect("keeps the state where a snapshot stands for it, and says so where it no longer does", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 100)
          const id = fresh()
          yield* append(aggregate, id, changes(20))
          const before = yield* full(aggregate, id)
          assert.strictEqual(yield* Aggregate.truncate(aggregate, id), 19)
          assert.deepStrictEqual(yield* read(aggregate, id), [20])
          assert.deepStrictEqual(yield* Aggregate.load(aggregate, id), before)
          assert.deepStrictEqual(yield* send(aggregate, id, [1]), { total: before.state.total + 1, version: 21 })
          assert.deepStrictEqual((yield* Aggregate.load(aggregate, id)).version, 21)
          const changed = yield* Effect.exit(Aggregate.load(ledger("Ledger", 100, { revision: 9 }), id))
          assert.include(
            String(Exit.isFailure(changed) && Cause.squash(changed.cause)),
            "begins at version 20 with \"Changed\", which is no summary"
          )
          const early = yield* Effect.exit(Aggregate.load(aggregate, id, { upTo: 10 }))
          assert.include(String(Exit.isFailure(early) && Cause.squash(early.cause)), "begins at version 20")
        }))
      it.effect("keeps the state where a summary stands for it, for every later Schema", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 100)
          const id = fresh()
          yield* append(aggregate, id, changes(5))
          const { state } = yield* full(aggregate, id)
          yield* append(aggregate, id, [{ type: "Closed", data: state }, ...changes(2)])
          const before = yield* full(aggregate, id)
          assert.strictEqual(yield* Aggregate.truncate(aggregate, id, { before: 6, summary: "Closed" }), 5)
          assert.deepStrictEqual(yield* read(aggregate, id), [6, 7, 8])
          for (const later of [aggregate, ledger("Ledger", 100, { revision: 2 })]) {
            assert.deepStrictEqual(yield* Aggregate.load(later, id), before)
          }
          assert.deepStrictEqual(yield* Aggregate.load(aggregate, id, { upTo: 6 }), { state, version: 6 })
        }))
      it.effect("is refused where something would be lost", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 100)
          const id = fresh()
          yield* append(aggregate, id, [...changes(2), { type: "Closed", data: { total: 1, last: [] } }])
          const reason = <A>(effect: Effect.Effect<A, { readonly message: string }, Stores>) =>
            Effect.map(Effect.flip(effect), ({ message }) => message)
          assert.include(
            yield* reason(Aggregate.truncate(aggregate, id, { before: 2, summary: "Changed" })),
            "\"Changed\" is no summary of the aggregate"
          )
          assert.include(
            yield* reason(Aggregate.truncate(aggregate, id, { before: 2, summary: "Closed" })),
            "another state than folding from the start"
          )
          // `Closed` says that the total is 1 and so it is, in the fold too: it forgets what was before.
          assert.strictEqual(yield* Aggregate.truncate(aggregate, id, { before: 3, summary: "Closed" }), 2)
          const without = { ...aggregate, snapshots: undefined }
          assert.include(yield* reason(Aggregate.truncate(without, id)), "keeps no snapshots; name a summary")
          assert.include(yield* reason(Aggregate.truncate(aggregate, fresh())), "whole number from 1")
        }))
      it.effect("is refused on a command to an archived stream, with the reason", () =>
        Effect.gen(function*() {
          const aggregate = ledger("Ledger", 100)
          const id = fresh()
          yield* send(aggregate, id, [1])
          yield* Archive.Archive.use((all) => all.archive({ category: aggregate.name, id }))
          const refused = yield* Effect.flip(send(aggregate, id, [1]))
          assert.strictEqual(refused._tag, "Refused")
          assert.include(refused.message, "is archived")
          assert.strictEqual((yield* Aggregate.load(aggregate, id)).version, 1)
        }))
    })
  })
}

const Note = Command.make("notes.Add", {
  payload: { id: Schema.String, author: Schema.String, text: Schema.String },
  aggregateId: ({ id }) => id
})
const Noted = DomainEvent.make("Noted", {
  schema: { author: Schema.String, text: PersonalData.personal(Schema.String, "author") }
})
const Notes = Aggregate.make({
  name: "Notes",
  state: Schema.Array(Schema.Union([Schema.String, PersonalData.Shredded])),
  initial: [],
  commands: [Note],
  events: [Noted],
  decide: { "notes.Add": (_state, { author, text }) => Effect.succeed([Noted.make({ author, text })]) },
  evolve: { Noted: (notes, { text }) => [...notes, text] },
  snapshotEvery: 2
})

/** With personal data of several people in one state. */
export const personalSnapshotContract = <E>(
  title: string,
  layer: Layer.Layer<Layer.Services<ReturnType<typeof personalLayer>> | Stores, E>
): void => {
  const all = Domain.toLayer([Domain.aggregateHandler(Note, Notes, { reply: () => undefined })]).pipe(
    Layer.provideMerge(personalLayer()),
    Layer.provideMerge(layer)
  )
  describe(title, () => {
    testLayer(all, { excludeTestServices: true, timeout: "60 seconds" })("snapshots with personal data", (it) => {
      it.effect.prop(
        "fold to the same as all events, before and after any of the people is shredded",
        {
          notes: Schema.Array(Schema.Struct({ author: Schema.Literals(["a", "b", "c"]), text: Schema.String })).check(
            Schema.isMaxLength(8)
          ),
          gone: Schema.Literals(["a", "b", "c"])
        },
        ({ gone, notes }) =>
          Effect.gen(function*() {
            const id = fresh()
            const subject = (author: string) => `${author}-${id}`
            for (const { author, text } of notes) yield* Mediator.send(Note, { id, author: subject(author), text })
            const snapshots = yield* Snapshots.Snapshots
            yield* snapshots.settled
            const loaded = yield* Aggregate.load(Notes, id)
            assert.deepStrictEqual(loaded.state, notes.map(({ text }) => text))
            const key = {
              stream: { category: "Notes", id },
              aggregate: "Notes",
              fingerprint: Notes.snapshots?.fingerprint ?? ""
            }
            const before = yield* snapshots.find(key)
            assert.strictEqual(Option.isSome(before), notes.length >= 2)
            yield* PersonalData.PersonalData.use((people) => people.shred(subject(gone)))
            // A snapshot that another process was writing just then.
            if (Option.isSome(before)) yield* snapshots.save(key, before.value)
            const expected = notes.map(({ author, text }) =>
              author === gone ? { _tag: "Shredded" as const, subject: subject(gone) } : text
            )
            const ignored: Array<string> = []
            const after = yield* Aggregate.load(Notes, id).pipe(Recorder.recordTo((report) => {
              if (report._tag === "SnapshotIgnored") ignored.push(report.reason)
            }))
            assert.deepStrictEqual(after, { state: expected, version: notes.length })
            const covered = Option.isSome(before)
              ? notes.slice(0, before.value.version).some(({ author }) => author === gone)
              : false
            assert.deepStrictEqual(ignored, covered ? ["shredded"] : [])
            yield* Mediator.send(Note, { id, author: subject("d"), text: "later" })
            yield* snapshots.settled
            assert.deepStrictEqual((yield* Aggregate.load(Notes, id)).state, [...expected, "later"])
          }),
        { arbitrary: { runs: 30 }, timeout: 60_000 }
      )
      it.effect("leave no more of a payload beside the events of a command id than says whether it is the same", () =>
        Effect.gen(function*() {
          const id = fresh()
          const send = (text: string) => Mediator.send(Note, { id, author: `x-${id}`, text }, { commandId: "k" })
          yield* send("one")
          yield* send("one")
          const store = yield* EventStore.EventStore
          const [noted] = yield* Stream.runCollect(store.read({ category: "Notes", id }))
          assert.match(noted?.meta["fingerprint"] ?? "", /^[0-9a-f]{4}$/)
          assert.strictEqual((yield* Effect.flip(send("two")))._tag, "CommandIdMismatch")
        }))
      it.effect("are no ground for a truncation", () =>
        Effect.gen(function*() {
          const id = fresh()
          yield* Mediator.send(Note, { id, author: "x", text: "text" })
          const error = yield* Effect.flip(Aggregate.truncate(Notes, id))
          assert.include(error.message, "shredding a subject would end the snapshot")
        }))
      it.effect("ask for `PersonalData`, also of who went around the types", () =>
        Effect.gen(function*() {
          const id = fresh()
          yield* Mediator.send(Note, { id, author: "y", text: "text" })
          const services = yield* Effect.context<EventStore.EventStore | Snapshots.Snapshots>()
          const without = Context.pick(EventStore.EventStore, Snapshots.Snapshots)(services)
          const load = Aggregate.load(Notes, id)
          const exit = yield* Effect.exit(
            Effect.updateContext(load, (_: Context.Context<never>) =>
              without as Context.Context<Effect.Services<typeof load>>)
          )
          assert.include(
            String(Exit.isFailure(exit) && Cause.squash(exit.cause)),
            "provide PersonalData.layer where its handlers are built"
          )
        }))
    })
  })
}
