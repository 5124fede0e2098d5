import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { EventStore, Maintenance, PersonalData, Projection, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { balance, fill, moved, storeLayer } from "./filledStore.ts"

const pg = pgTest({ client: { maxConnections: 12 } })

const filled = (schema: string) => fill(schema).pipe(Effect.provide(Layer.fresh(storeLayer(schema))))

const exported = Effect.fnUntraced(function*(schema: string) {
  const lines: Array<string> = []
  const done = yield* Maintenance.exportTo((page) => Effect.sync(() => void lines.push(...page)), { schema })
  return { lines, done }
})

/** The rows of all tables, and where all sequences stand. */
const contents = Effect.fnUntraced(function*(schema: string) {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* sql<{ readonly name: string }>`select relname::text as name from pg_class
    where relnamespace = ${schema}::regnamespace and relkind = 'r' and relname <> 'migrations' order by relname`
  const all = yield* Effect.forEach(tables, ({ name }) =>
    Effect.map(
      sql.unsafe<{ readonly text: string }>(`select t::text as text from ${schema}.${name} t order by 1`),
      (rows) => [name, rows.map(({ text }) => text)] as const
    ))
  const sequences = yield* sql<{ readonly name: string; readonly last: string }>`select sequencename::text as name,
    last_value::text as last from pg_sequences where schemaname = ${schema} order by sequencename`
  return { tables: Object.fromEntries(all), sequences: sequences.map(({ last, name }) => [name, last]) }
})

type Use = Effect.Effect<unknown, Effect.Error<ReturnType<typeof Maintenance.verify>>, SqlClient.SqlClient>

/** A line with a checksum that fits. */
const signed = (text: string) =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    (sum) => `${text},"sha256":"${Buffer.from(sum).toString("hex")}"}`
  )

/** As a version without checksums of events exports a store: the tables of the first three migrations. */
const olderExport = Effect.gen(function*() {
  const at = "2026-01-02 03:04:05+00"
  const contents = [
    {
      store: {
        format: 1,
        schema: "es",
        migrations: ["tables", "functions", "subscriptions"].map((name, index) => ({ id: index + 1, name })),
        at
      }
    },
    {
      table: "streams",
      row: {
        id: "7",
        tenant: "",
        category: "Old",
        name: "o",
        version: "1",
        created_at: at,
        archived_at: null,
        truncated_before: null
      }
    },
    {
      table: "events",
      row: {
        position: "41",
        stream_id: "7",
        version: "1",
        event_id: "0190163d-8694-7d14-8d9f-7a9b2d1c0001",
        type: "T",
        schema_version: "1",
        data: "1.50",
        meta: "{}",
        at
      }
    }
  ]
  const lines = yield* Effect.forEach(
    contents,
    (content, index) => signed(JSON.stringify({ n: index + 1, ...content }).slice(0, -1))
  )
  const sums = lines.map((line) => line.slice(-66, -2)).join("")
  const total = (yield* signed(sums)).slice(-66, -2)
  const sequences = [["events", "position", "41"], ["streams", "id", "7"]].map(([table, column, last]) => ({
    table,
    column,
    last,
    called: true
  }))
  const end = { n: 4, end: { rows: { streams: 1, events: 1 }, sequences, sha256: total } }
  return [...lines, yield* signed(JSON.stringify(end).slice(0, -1))]
})

describe("Maintenance", () => {
  testLayer(pg, { excludeTestServices: true, timeout: "60 seconds" })("of a store on PostgreSQL", (it) => {
    it.effect("prints the statements of a migration, and running them is migrating", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const statements = yield* Maintenance.script({ schema: "printed" })
        assert.deepStrictEqual([statements[0], statements.at(-1)], ["begin", "commit"])
        assert.deepStrictEqual(yield* sql`select 1 from pg_namespace where nspname = 'printed'`, [])
        yield* sql.withTransaction(
          Effect.forEach(statements.slice(1, -1), (statement) => sql.unsafe(statement).unprepared)
        )
        assert.deepStrictEqual(yield* Maintenance.script({ schema: "printed" }), [])
        assert.isAbove((yield* Maintenance.pending({ schema: "migrated" })).length, 9)
        assert.isAbove((yield* Maintenance.migrate({ schema: "migrated" })).length, 9)
        assert.deepStrictEqual(yield* Maintenance.migrate({ schema: "migrated" }), [])
        const shape = (schema: string) =>
          sql<{ readonly text: string }>`
            select replace(pg_get_functiondef(p.oid), ${schema}, '') as text from pg_proc p
            where pronamespace = ${schema}::regnamespace
            union all
            select c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) from pg_attribute a
            join pg_class c on c.oid = a.attrelid where c.relnamespace = ${schema}::regnamespace and a.attnum > 0
              and c.relname !~ '_not_null$' order by 1`
        assert.deepStrictEqual(yield* shape("printed"), yield* shape("migrated"))
      }))

    it.effect("finds nothing wrong with a store that has a row in every table", () =>
      Effect.gen(function*() {
        yield* filled("sound")
        const { tables } = yield* contents("sound")
        assert.deepStrictEqual(Object.keys(tables).filter((name) => tables[name]!.length === 0), [])
        const report = yield* Maintenance.verify({ schema: "sound" })
        assert.deepStrictEqual(report.faults, [])
        assert.deepInclude(report, { events: 22 })
        assert.isTrue(report.checks.every(({ faults, more }) => faults === 0 && !more))
      }))

    it.effect("finds each fault that was made on purpose, and says which stream, version and event it is", () =>
      Effect.gen(function*() {
        yield* filled("broken")
        const sql = yield* SqlClient.SqlClient
        const ids = new Map<string, string>()
        const add = (id: string, events: number) =>
          Effect.gen(function*() {
            const store = yield* EventStore.EventStore
            const stream = { category: "F", id }
            yield* store.append({ stream, expect: 0, events: moved(events), commandId: `c-${id}` })
            const stored = yield* Stream.runCollect(store.read(stream))
            for (const event of stored) ids.set(`${id} ${event.version}`, event.id)
            return stored
          })
        const names = [
          "gap",
          "beginning",
          "end",
          "behind",
          "data",
          "type",
          "time",
          "moved",
          "unsummed",
          "orphan",
          "inverted",
          "snapshot",
          "command"
        ]
        yield* Effect.forEach(names, (name) => add(name, 3)).pipe(
          Effect.provide(Layer.fresh(PgStore.layer({ schema: "broken" })))
        )
        yield* sql.unsafe("alter table broken.events disable trigger append_only")
        const of = (name: string) => `(select id from broken.streams where category = 'F' and name = '${name}')`
        const event = (name: string, version: number) => `stream_id = ${of(name)} and version = ${version}`
        for (
          const statement of [
            `delete from broken.events where ${event("gap", 2)}`,
            `delete from broken.events where ${event("beginning", 1)}`,
            `delete from broken.events where ${event("end", 3)}`,
            `update broken.streams set version = 2 where id = ${of("behind")}`,
            `update broken.events set data = '{"by":1000000}' where ${event("data", 2)}`,
            `update broken.events set type = 'Stolen' where ${event("type", 1)}`,
            `update broken.events set at = at - interval '1 microsecond' where ${event("time", 3)}`,
            `alter table broken.events alter column checksum drop not null`,
            `update broken.events set checksum = null where ${event("unsummed", 2)}`,
            `delete from broken.appends where stream_id = ${of("orphan")}`,
            `delete from broken.streams where id = ${of("orphan")}`,
            `update broken.events set position = -position where ${event("inverted", 3)}`,
            `update broken.appends set position = -position where stream_id = ${of("inverted")}`,
            `update broken.appends set position = 1 where stream_id = ${of("command")}`,
            `insert into broken.snapshots (stream_id, aggregate, fingerprint, version, position, data)
              values (${of("snapshot")}, 'A', 'f', 9, 9, '{}')`,
            `insert into broken.event_tags (tenant, tag, position) values ('', 'nowhere', 100000), ('other', 'theirs', 1)`,
            `delete from broken.subject_keys where subject = 'ada'`,
            `update broken.subscription_partitions set position = 100001 where name = 'letters'`,
            `insert into broken.subscriptions (name) values ('torn')`,
            `insert into broken.subscription_partitions (name, partition, position) values ('torn', 1, 0), ('lost', 0, 0)`,
            `insert into broken.projections (name, version, mode, status) values ('unread', 1, 'async', 'live')`,
            `insert into broken.states (tenant, collection, id, version, data) values ('', 'balance@7', 'x', 1, '1')`,
            `update pg_index set indisvalid = false where indexrelid = 'broken.inbox_at'::regclass`,
            `alter sequence broken.events_position restart with 2 cache 20`
          ]
        ) yield* sql.unsafe(statement)

        const { faults } = yield* Maintenance.verify({ schema: "broken" })
        const found = faults.map(({ check, eventId, problem, stream, version }) => {
          const id = stream?.category === "F" ? stream.id : ""
          if (eventId !== undefined && id !== "") assert.strictEqual(eventId, ids.get(`${id} ${version}`))
          return [check, id, version, problem.replaceAll(/\d{2,}/g, "N")] as const
        })
        const changed = "its checksum does not fit: it was changed after it was appended, or is damaged"
        const nowhere = undefined
        assert.deepStrictEqual(found, [
          ["versions", "inverted", 3, "it has a lower position than the event before it, N"],
          ["versions", "gap", 3, "version 1 comes before it: 1 missing"],
          ["versions", "beginning", 2, "the stream begins with version 2 instead of 1"],
          ["streams", "end", 2, "the stream is at version 3, but its last event has version 2"],
          ["streams", "behind", 3, "the stream is at version 2, but its last event has version 3"],
          ["streams", "", 1, "it belongs to the stream number N, which is not there"],
          ["streams", "", 2, "it belongs to the stream number N, which is not there"],
          ["streams", "", 3, "it belongs to the stream number N, which is not there"],
          ["checksums", "data", 2, changed],
          ["checksums", "type", 1, changed],
          ["checksums", "time", 3, changed],
          ["checksums", "unsummed", 2, "its checksum was removed"],
          [
            "protection",
            "",
            nowhere,
            `the trigger "append_only" of the events is off or missing: events can be changed`
          ],
          ["protection", "", nowhere, "the index inbox_at is not valid: reindex it"],
          ["commands", "command", 3, `the append of the command "c-command" says position 1, but its event has N`],
          ["commands", "end", 3, `the append of the command "c-end" says position N, but its event has none`],
          [
            "commands",
            "behind",
            3,
            `the append of the command "c-behind" ends with version 3 of a stream at version 2`
          ],
          ["tags", "", 1, `the tag "theirs" is of the tenant "other", its event of ""`],
          ["tags", "", nowhere, `the tag "nowhere" is of an event that is not there`],
          ["snapshots", "snapshot", 9, `the snapshot of "A" is of version 9, the stream is at 3`],
          [
            "keys",
            "",
            nowhere,
            `the row of the key of "ada" is gone: the data of this person cannot be read, and nobody has shredded it`
          ],
          [
            "subscriptions",
            "",
            nowhere,
            `the subscription "letters" has handled everything up to N, but the last event has N: what comes next will be left out`
          ],
          ["subscriptions", "", nowhere, `the subscription "torn" has the partitions 1, which are not all of them`],
          ["subscriptions", "", nowhere, `partition 0 is of the subscription "lost", which is not there`],
          [
            "projections",
            "",
            nowhere,
            `version 1 of the projection "unread" is live, but its subscription is not there`
          ],
          ["projections", "", nowhere, `there are rows of "balance@7", which is no version of that projection`],
          [
            "sequences",
            "",
            nowhere,
            "the sequence events_position goes on with 2, but events.position has come to N: numbers will be given out again"
          ],
          [
            "sequences",
            "",
            nowhere,
            "the sequence events_position has a cache of N instead of 1: positions would not rise inside a stream"
          ]
        ])
        const few = yield* Maintenance.verify({ schema: "broken", most: 2 })
        assert.deepInclude(few.checks.find(({ name }) => name === "checksums"), { faults: 2, more: true })
      }))

    it.effect("carries a store to another schema with everything in it, and it works there", () =>
      Effect.gen(function*() {
        yield* filled("origin")
        const { done, lines } = yield* exported("origin")
        assert.strictEqual(done.rows.events, 22)
        const imported = yield* Maintenance.importFrom(Stream.fromIterable(lines), {
          schema: "copy",
          sha256: done.sha256
        })
        assert.deepStrictEqual(imported, { ...done, schema: "copy" })
        const original = yield* contents("origin")
        assert.isAbove(Object.keys(original.tables).length, 15)
        assert.deepStrictEqual(yield* contents("copy"), original)
        assert.deepStrictEqual((yield* Maintenance.verify({ schema: "copy" })).faults, [])
        // The lines in between are the same again, whoever exports them.
        const again = yield* exported("copy")
        assert.deepStrictEqual(again.lines.slice(1, -1), lines.slice(1, -1))

        yield* Effect.gen(function*() {
          const store = yield* EventStore.EventStore
          const highest = (yield* Stream.runCollect(store.readAll({}))).at(-1)!.position
          const repeated = yield* store.append({
            stream: { category: "Account", id: "plain" },
            expect: "any",
            events: moved(5),
            commandId: "c-1"
          })
          assert.deepInclude(repeated, { firstVersion: 1, version: 5, replayed: true })
          const next = yield* store.append({
            stream: { category: "Account", id: "plain" },
            expect: 8,
            events: moved(1)
          })
          assert.isTrue(next._tag === "Appended" && next.position > highest)
          const projections = yield* Projection.Projections
          assert.strictEqual(yield* projections.rebuild(balance(1)), "live")
          assert.lengthOf(yield* (yield* Subscription.Subscriptions).deadLetters("letters"), 2)
          const people = yield* PersonalData.PersonalData
          const emails = yield* Effect.forEach(
            ["ada", "bob"],
            (id) =>
              Effect.flatMap(
                Stream.runCollect(store.read({ category: "User", id })),
                ([event]) => Effect.map(people.open(event!), ({ data }) => (data as { readonly email: unknown }).email)
              )
          )
          assert.deepStrictEqual(emails, ["ada@example.org", { _tag: "Shredded", subject: "bob" }])
        }).pipe(Effect.provide(Layer.fresh(storeLayer("copy"))))
      }))

    it.effect("imports all or nothing, and names the line of what was changed, left out, added or cut off", () =>
      Effect.gen(function*() {
        yield* filled("source")
        const sql = yield* SqlClient.SqlClient
        const { done, lines } = yield* exported("source")
        const at = (words: string) => lines.findIndex((line) => line.includes(words))
        const event = at(`"table":"events"`)
        const resigned = (index: number, change: (line: string) => string) =>
          Effect.map(
            signed(change(lines[index]!.replace(/,"sha256":"[0-9a-f]{64}"\}$/, ""))),
            (line) => lines.with(index, line)
          )
        const bad: ReadonlyArray<readonly [ReadonlyArray<string>, number, RegExp]> = [
          [lines.with(event, lines[event]!.replace("Moved", "Mover")), event + 1, /does not fit: it was changed/],
          [lines.toSpliced(event, 1), event + 1, /out of order/],
          [lines.toSpliced(event, 0, lines[event]!), event + 2, /out of order/],
          [lines.with(event, lines[event + 1]!).with(event + 1, lines[event]!), event + 1, /out of order/],
          [lines.slice(0, -1), lines.length - 1, /not the end: the file was cut off/],
          [lines.with(lines.length - 1, lines.at(-1)!.slice(0, 50)), lines.length, /it has no checksum/],
          [[...lines, lines.at(-1)!], lines.length + 1, /after the end/],
          [["{}"], 1, /it has no checksum/],
          [[], 0, /cut off/],
          // Whoever makes the checksum of a line anew does not get past that of the whole.
          [yield* resigned(event, (line) => line.replace("Moved", "Mover")), lines.length, /of the whole does not fit/],
          [
            yield* resigned(event, (line) => line.replace("\"events\"", "\"nowhere\"")),
            event + 1,
            /no table "nowhere"/
          ],
          [
            yield* resigned(event, (line) => line.replace("\"type\"", "\"kind\"")),
            event + 1,
            /columns of the table "events"/
          ],
          [
            yield* resigned(event, (line) => line.replace(/"version":"\d+"/, `"version":"x"`)),
            event + 1,
            /cannot be stored: invalid input syntax for type bigint/
          ],
          [yield* resigned(0, (line) => line.replace(`"format":1`, `"format":2`)), 1, /has the format 2/],
          [
            yield* resigned(0, (line) => line.replace("tables", "others")),
            1,
            /another version of effect-lifecycle \(step 1\)/
          ]
        ]
        for (const [changed, line, problem] of bad) {
          const error = yield* Effect.flip(Maintenance.importFrom(Stream.fromIterable(changed), { schema: "target" }))
          assert.instanceOf(error, Maintenance.InvalidExport)
          assert.match(error.message, problem)
          assert.strictEqual(error.line, line, error.message)
          assert.deepStrictEqual(yield* sql`select 1 from pg_namespace where nspname = 'target'`, [])
        }
        const other = yield* Effect.flip(
          Maintenance.importFrom(Stream.fromIterable(lines), { schema: "target", sha256: "0".repeat(64) })
        )
        assert.match(other.message, new RegExp(`its checksum is ${done.sha256} and not 0000.*another export`))
        const full = yield* Effect.flip(Maintenance.importFrom(Stream.fromIterable(lines), { schema: "source" }))
        assert.strictEqual(full._tag, "SchemaNotEmpty")
      }))

    it.effect("imports what an older version has exported, and brings it up to date", () =>
      Effect.gen(function*() {
        const lines = yield* olderExport
        const { rows } = yield* Maintenance.importFrom(Stream.fromIterable(lines), { schema: "from_older" })
        assert.deepStrictEqual(rows, { events: 1, streams: 1 })
        assert.deepStrictEqual(yield* Maintenance.pending({ schema: "from_older" }), [])
        assert.deepInclude(yield* Maintenance.verify({ schema: "from_older" }), { faults: [], events: 1 })
      }))

    it.effect("refuses a schema of a newer version, and one that is not up to date, and says what to do", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* Maintenance.migrate({ schema: "newer" })
        yield* sql`insert into newer.migrations (migration_id, name) values (999, 'time_travel')`
        const uses = [Maintenance.pending, Maintenance.migrate, Maintenance.script, Maintenance.verify]
        for (const use of uses.map((use): Use => use({ schema: "newer" }))) {
          const error = yield* Effect.flip(use)
          assert.strictEqual(error._tag, "MigrationError")
          assert.match(error.message, /"newer".*999 \(time_travel\).*Run this process with the version/)
        }
        const none: ReadonlyArray<Use> = [Maintenance.verify({ schema: "none" }), exported("none")]
        for (const use of none) {
          assert.match(
            (yield* Effect.flip(use)).message,
            /"none" lacks \d+ .*npx lifecycle store migrate --schema none/
          )
        }
        assert.match((yield* Effect.flip(Maintenance.verify({ schema: "es", most: 0 }))).message, /most must be/)
        assert.match((yield* Effect.flip(Maintenance.verify({ schema: "E" }))).message, /schema must be/)
      }))
  })
})
