/** A store with rows in every table, for what looks at all of it or carries it to another place. */
import { Effect, Layer, Redacted, Result, Schedule, Schema } from "effect"
import { DomainEvent } from "effect-lifecycle/domain"
import {
  Archive,
  DynamicConsistencyBoundary,
  EventStore,
  IdempotencyStore,
  Inbox,
  Outbox,
  PersonalData,
  Projection,
  Snapshots,
  StateStore,
  Subscription,
  Tenant
} from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"

export const masterKeys = Redacted.make(`test=${btoa("0123456789abcdef".repeat(2))}`)

export const storeLayer = (schema: string) =>
  PersonalData.layer({ masterKeys }).pipe(
    Layer.provideMerge(PgStore.layer({ schema, pollEvery: "20 millis", listen: false }))
  )

export const Registered = DomainEvent.make("Registered", {
  schema: { plan: Schema.String, email: PersonalData.personal(Schema.String) }
})

export const moved = (n: number): ReadonlyArray<EventStore.NewEvent> =>
  Array.from({ length: n }, (_, i) => ({ type: "Moved", data: { by: i + 1 } }))

export const balance = (version: number) =>
  Projection.make({
    name: "balance",
    version,
    schema: Schema.Int,
    types: ["Moved"],
    handle: (event, rows) => rows.modify(event.stream.id, (sum = 0) => sum + (event.data as { readonly by: number }).by)
  })

/** What clients can send: escapes that PostgreSQL cannot read as text, digits that JavaScript cannot keep. */
const awkward = ["\u0000 of \"quotes\"\n and \u{1f600}", { "a\u0000b": 1e-7 }, null]

/** Fills the schema of the layer that it runs on. */
export const fill = Effect.fnUntraced(function*(schema: string) {
  const store = yield* EventStore.EventStore
  const sql = yield* SqlClient.SqlClient
  const append = (category: string, id: string, events: ReadonlyArray<EventStore.NewEvent>, commandId?: string) =>
    store.append({ stream: { category, id }, expect: "any", events, commandId })
  yield* append("Account", "plain", moved(5), "c-1")
  yield* append("Account", "awkward", awkward.map((data) => ({ type: "Awkward", data })))
  for (const [version, data] of awkward.entries()) {
    yield* store.append({
      stream: { category: "Account", id: "one by one" },
      expect: version,
      events: [{ type: "Awkward", data }]
    })
  }
  yield* append("Account", "plain", moved(2), "c-2")
  yield* Effect.provideService(append("Account", "plain", moved(3)), Tenant.Current, "acme")
  // A position that was given out and never used.
  yield* Effect.exit(sql.withTransaction(Effect.andThen(append("Account", "never", moved(1)), Effect.fail("undo"))))

  const archive = yield* Archive.Archive
  yield* append("Account", "closed", [...moved(3), { type: "YearClosed", data: { sum: 6 } }, ...moved(1)], "c-3")
  yield* archive.truncate({ category: "Account", id: "closed" }, { before: 4, keeps: { summary: "YearClosed" } })
  yield* archive.archive({ category: "Account", id: "closed" })

  const boundary = yield* DynamicConsistencyBoundary.DynamicConsistencyBoundary
  yield* boundary.append({ events: [{ type: "Enrolled", data: {}, tags: ["course:1", "student:2"] }] })

  const people = yield* PersonalData.PersonalData
  for (const subject of ["ada", "bob"]) {
    const stream = { category: "User", id: subject }
    const event = Result.getOrThrow(
      Registered.encode(Registered.make({ plan: "basic", email: `${subject}@example.org` }))
    )
    yield* append("User", subject, yield* people.seal(stream, [event]))
  }
  yield* people.shred("bob")

  const snapshots = yield* Snapshots.Snapshots
  const last = yield* append("Account", "plain", moved(1))
  if (last._tag === "Appended") {
    const key = { stream: { category: "Account", id: "plain" }, aggregate: "Account", fingerprint: "f" }
    yield* snapshots.save(key, { version: last.version, position: last.position, data: { sum: 1 } })
  }

  yield* (yield* Projection.Projections).rebuild(balance(1))
  const subscriptions = yield* Subscription.Subscriptions
  const letters = subscriptions.run({
    name: "letters",
    types: ["Awkward"],
    retry: Schedule.recurs(0),
    poison: "skip",
    handle: (event) => event.version === 2 ? Effect.fail("no") : Effect.void
  })
  yield* Effect.raceFirst(
    letters,
    subscriptions.awaitPosition("letters", last._tag === "Appended" ? last.position : 0n).pipe(Effect.orDie)
  )

  const states = yield* StateStore.StateStore
  const orders = StateStore.collection({
    name: "orders",
    schema: Schema.Struct({ total: Schema.Int }),
    indexes: ["total"]
  })
  yield* states.put(orders, { id: "o-1", version: 1, state: { total: 5 } })
  yield* Outbox.Outbox.use((outbox) => outbox.enqueue({ topic: "orders", key: "o-1", payload: "placed" }))
  yield* Inbox.Inbox.use((inbox) => inbox.once({ source: "mail", id: "m-1" }, Effect.void))
  yield* IdempotencyStore.IdempotencyStore.use((keys) =>
    keys.claim({ scope: "s", key: "k" }, { fingerprint: "f", lease: "1 hour", timeToLive: "1 hour" })
  )
  const table = (name: string) => sql(`${schema}.${name}`)
  yield* sql`insert into ${table("sagas")} (tenant, name, id, version, input, meta, available_at)
    values ('', 'pay', 's-1', 1, '{}', '{}', now())`
  yield* sql`insert into ${table("saga_steps")} (saga, place, step, state, attempt, fallback)
    select seq, 1, 'charge', 'done', 1, false from ${table("sagas")}`
  // Those who run a subscription leave when they stop; one that was killed does not.
  yield* sql`insert into ${table("subscription_owners")} (name, owner, expires_at)
    values ('letters', 'gone', '2026-01-02T03:04:05.678901Z')`
})
