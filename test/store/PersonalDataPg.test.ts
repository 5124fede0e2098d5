import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule, Schema, Stream } from "effect"
import { Aggregate, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
import {
  Archive,
  EventStore,
  PersonalData,
  Snapshots,
  StateStore,
  Subscription,
  UnitOfWork
} from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { fresh, personalContract, personalLayer, registered, write } from "./personalContract.ts"

const Pg = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))

personalContract("PgStore", Pg)

const profiles = StateStore.collection({ name: "profiles", schema: Schema.Struct({ email: Schema.String }) })
const Register = Command.make("people.Register", {
  payload: { id: Schema.String, email: Schema.String },
  aggregateId: ({ id }) => id
})
const Emailed = DomainEvent.make("Emailed", { schema: { email: PersonalData.personal(Schema.String) } })
const Email = Schema.Union([Schema.String, PersonalData.Shredded])
/** Keeps the address in its state, and a row of it that says only whether there is one. */
const Person = Aggregate.make({
  name: "DumpedPerson",
  state: Schema.Struct({ emails: Schema.Array(Email) }),
  initial: { emails: [] },
  commands: [Register],
  events: [Emailed],
  decide: { "people.Register": (_state, { email }) => Effect.succeed([Emailed.make({ email })]) },
  evolve: { Emailed: ({ emails }, { email }) => ({ emails: [...emails, email] }) },
  projection: {
    collection: profiles,
    state: ({ emails }) => ({ email: emails.some(PersonalData.isShredded) ? "gone" : "there" })
  },
  snapshotEvery: 2
})
const People = Domain.toLayer([Domain.aggregateHandler(Register, Person, { reply: () => undefined })]).pipe(
  Layer.provideMerge(personalLayer()),
  Layer.provideMerge(Pg)
)

/** Every row of every table of the database, as text. */
const dump = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* sql<{ readonly name: string }>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname <> 'information_schema'
      and tablename not in ('pg_authid', 'pg_statistic')`
  const rows: Array<string> = []
  for (const { name } of tables) {
    rows.push(
      ...(yield* sql.unsafe<{ readonly row: string }>(`select t::text as row from ${name} t`)).map(({ row }) => row)
    )
  }
  return rows.join("\n")
})

describe("PersonalData on PostgreSQL", () => {
  testLayer(People, { excludeTestServices: true, timeout: "60 seconds" })("the whole database", (it) => {
    it.effect("never holds the plain text, before and after a shred, also with a snapshot and a row", () =>
      Effect.gen(function*() {
        const id = "dumped-1"
        const secret = "Xq7-ada-lovelace@example.org"
        const hidden = (text: string) => {
          for (const form of [secret, btoa(secret), Buffer.from(secret).toString("hex")]) assert.notInclude(text, form)
        }
        for (let i = 0; i < 4; i++) yield* Mediator.send(Register, { id, email: `${i}-${secret}` })
        const snapshots = yield* Snapshots.Snapshots
        yield* snapshots.settled
        const before = yield* dump
        assert.include(before, id)
        assert.include(before, "$personal")
        hidden(before)
        const key = {
          stream: { category: Person.name, id },
          aggregate: Person.name,
          fingerprint: Person.snapshots?.fingerprint ?? ""
        }
        assert.strictEqual((yield* snapshots.find(key))._tag, "Some")
        assert.deepStrictEqual((yield* Aggregate.load(Person, id)).state.emails[0], `0-${secret}`)

        const shred = yield* PersonalData.PersonalData.use((people) => people.shred(id))
        assert.strictEqual(shred.snapshots, 1)
        assert.strictEqual((yield* snapshots.find(key))._tag, "None")
        hidden(yield* dump)
        const gone = { _tag: "Shredded" as const, subject: id }
        assert.deepStrictEqual((yield* Aggregate.load(Person, id)).state.emails, [gone, gone, gone, gone])
        for (const stream of shred.streams) yield* Aggregate.reproject(Person, stream.id)
        const row = yield* StateStore.StateStore.use((states) => states.get(profiles, id))
        assert.strictEqual(row._tag === "Some" ? row.value.state.email : undefined, "gone")
        // A command about a person who is forgotten is refused, and says so.
        const refused = yield* Effect.flip(Mediator.send(Register, { id, email: secret }))
        assert.strictEqual(refused._tag, "Refused")
        assert.include(refused.message, "was erased")
        hidden(yield* dump)
      }))
    it.effect("reads what others see of a shredded person in a subscription", () =>
      Effect.gen(function*() {
        const stream = fresh("Subscribed")
        yield* write(stream, [registered("ada@example.org")])
        yield* PersonalData.PersonalData.use((people) => people.shred(stream.id))
        const [event] = yield* EventStore.EventStore.use((store) => Stream.runCollect(store.read(stream)))
        const opened = yield* PersonalData.PersonalData.use((people) => people.open(event!))
        assert.deepInclude(opened.data, { plan: "basic", email: { _tag: "Shredded", subject: stream.id } })
      }))
  })

  testLayer(Pg, { excludeTestServices: true, timeout: "60 seconds" })("truncation", (it) => {
    it.effect("is the only door: DELETE is refused before, after and in its transaction, and from a function beside it", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const unit = yield* UnitOfWork.UnitOfWork
        const stream = fresh("Truncated")
        const store = yield* EventStore.EventStore
        const archive = yield* Archive.Archive
        const types = ["A", "Sum", "B", "Sum"]
        yield* store.append({ stream, expect: "any", events: types.map((type) => ({ type, data: 0 })) })
        const remove = Effect.exit(sql`delete from es.events where type = 'B'`)
        assert.isTrue(Exit.isFailure(yield* remove))
        const truncate = (before: number) => archive.truncate(stream, { before, keeps: { summary: "Sum" } })
        assert.strictEqual(yield* truncate(2), 1)
        assert.isTrue(Exit.isFailure(yield* remove))
        const inside = yield* unit.run(Effect.gen(function*() {
          assert.strictEqual(yield* truncate(4), 2)
          return yield* sql`delete from es.events`.pipe(
            Effect.mapError((error) => String(error.reason.cause))
          )
        })).pipe(Effect.flip)
        assert.include(inside, "events are append-only")
        const left = yield* Stream.runCollect(store.read(stream))
        assert.deepStrictEqual(left.map(({ version }) => version), [2, 3, 4], "the transaction was rolled back")
        for (const statement of ["update es.events set type = 'x'", "truncate es.events"]) {
          const opened = sql.withTransaction(
            Effect.andThen(sql`select set_config('effect_lifecycle.truncating', 'es', true)`, sql.unsafe(statement))
          )
          assert.isTrue(Exit.isFailure(yield* Effect.exit(opened)), `${statement} has no door at all`)
        }
        // Another store in the same database has a door of its own.
        const other = sql.withTransaction(
          Effect.andThen(
            sql`select set_config('effect_lifecycle.truncating', 'another', true)`,
            sql`delete from es.events`
          )
        )
        assert.isTrue(Exit.isFailure(yield* Effect.exit(other)))
      }))
    it.effect("waits for subscriptions that have not handled the events", () =>
      Effect.gen(function*() {
        const stream = fresh("Behind")
        const store = yield* EventStore.EventStore
        const archive = yield* Archive.Archive
        const done = yield* store.append({
          stream,
          expect: "any",
          events: ["A", "Sum"].map((type) => ({ type, data: 0 }))
        })
        const subscriptions = yield* Subscription.Subscriptions
        let paused = true
        const name = "behind"
        const options = {
          name,
          categories: [stream.category],
          retry: Schedule.recurs(0),
          poison: "pause" as const,
          handle: () => paused ? Effect.fail("not now") : Effect.void
        }
        yield* Effect.exit(subscriptions.run(options).pipe(Effect.timeout("1 second")))
        const refused = yield* Effect.flip(archive.truncate(stream, { before: 2, keeps: { summary: "Sum" } }))
        assert.include(refused.message, "subscription \"behind\" has not handled")
        paused = false
        yield* subscriptions.resume(name)
        yield* Effect.forkChild(subscriptions.run(options))
        yield* subscriptions.awaitPosition(name, done._tag === "Appended" ? done.position : 0n).pipe(
          Effect.timeout("10 seconds")
        )
        assert.strictEqual(yield* archive.truncate(stream, { before: 2, keeps: { summary: "Sum" } }), 1)
      }))
  })
})
