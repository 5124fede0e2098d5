/** What the commands of `lifecycle store` do; loaded when one of them runs. */
import { Console, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import * as Maintenance from "../../store/Maintenance.ts"
import * as PersonalData from "../../store/PersonalData.ts"
import * as PgStore from "../../store/pg.ts"
import { SubjectKeys } from "../../store/SubjectKeys.ts"
import * as Tenant from "../../store/Tenant.ts"
import { connection, storeConnection, type Where } from "./storeConnection.ts"
import { StoreAsked, StoreFault } from "./storeErrors.ts"
import { reader, writer } from "./storeFiles.ts"

/** One JSON value, or lines for a person. */
const answer = ({ json }: Where, value: unknown, lines: ReadonlyArray<string>) =>
  Console.log(
    json ? JSON.stringify(value, (_, it: unknown) => typeof it === "bigint" ? String(it) : it) : lines.join("\n")
  )

const named = ({ id, name }: Maintenance.Step): string => `  ${id} ${name}`

export const migrate = Effect.fn("cli.store.migrate")(
  function*(where: Where, { dryRun }: { readonly dryRun: boolean }) {
    const { schema } = where
    if (dryRun) {
      const pending = yield* Maintenance.pending({ schema })
      const statements = yield* Maintenance.script({ schema })
      const text = statements.map((statement) => `${statement.trim()};`)
      return yield* answer(
        where,
        { schema, pending, statements },
        text.length === 0 ? [`-- The schema "${schema}" is up to date.`] : text
      )
    }
    const done = yield* Maintenance.migrate({ schema })
    yield* answer(
      where,
      { schema, migrated: done },
      done.length === 0
        ? [`The schema "${schema}" is up to date.`]
        : [`The schema "${schema}" is up to date. It lacked:`, ...done.map(named)]
    )
  },
  (effect, where) => Effect.provide(effect, connection(where))
)

/** Where a fault is, as far as that is known. */
const placeOf = ({ eventId, position, stream, version }: Maintenance.Fault): string => {
  const parts = [
    stream === undefined ? undefined : `stream ${stream.category} ${stream.id}`,
    stream === undefined || stream.tenant === "" ? undefined : `tenant ${stream.tenant}`,
    version === undefined ? undefined : `version ${version}`,
    position === undefined ? undefined : `position ${position}`,
    eventId === undefined ? undefined : `event ${eventId}`
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? "" : `${parts.join(", ")}: `
}

const linesOf = (report: Maintenance.Report): ReadonlyArray<string> => [
  ...report.checks.flatMap(({ about, faults, more, name }) => [
    `${faults === 0 ? "OK   " : "FAULT"}  ${name}: ${about}`,
    ...report.faults.filter(({ check }) => check === name).map((fault) => `       ${placeOf(fault)}${fault.problem}`),
    ...(more ? ["       and more; --most shows them"] : [])
  ]),
  `${report.streams} streams, ${report.events} events.`
]

export const verify = Effect.fn("cli.store.verify")(
  function*(where: Where, { most }: { readonly most: number }) {
    const report = yield* Maintenance.verify({ schema: where.schema, most })
    yield* answer(where, report, linesOf(report))
    const found = report.faults.length
    if (found === 0) return
    const more = report.checks.some((check) => check.more) ? "At least " : ""
    return yield* new StoreFault({ problem: `${more}${found} ${found === 1 ? "fault" : "faults"} found.` })
  },
  (effect, where) => Effect.provide(effect, storeConnection(where))
)

/** Erasing a key needs no master key, so the one that this layer asks for is made up and opens nothing. */
const personal = Layer.suspend(() =>
  PersonalData.layer({ masterKeys: Redacted.make(`none=${randomBytes(32).toString("base64")}`) })
)

const personOf = (subject: string, tenant: string): string =>
  tenant === "" ? `"${subject}"` : `"${subject}" of the tenant "${tenant}"`

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

/** Where a person of this id is known. */
const tenantsOf = (schema: string, subject: string) =>
  SqlClient.SqlClient.use((client) => {
    const sql = client.withoutTransforms()
    return sql<{ readonly tenant: string }>`
      select tenant from ${sql(`${schema}.subject_keys`)} where subject = ${subject}
      union select tenant from ${sql(`${schema}.subject_streams`)} where subject = ${subject} order by tenant limit 20`
  }).pipe(Effect.map((rows) => rows.map(({ tenant }) => tenant)))

export const shred = Effect.fn("cli.store.shred")(
  function*(
    where: Where,
    { subject, tenant, yes }: { readonly subject: string; readonly tenant: string; readonly yes: boolean }
  ) {
    const keys = yield* SubjectKeys
    const person = personOf(subject, tenant)
    const [key] = yield* keys.find(tenant, [subject])
    const streams = yield* keys.streams(tenant, subject)
    // A mistyped id, or another tenant's: whoever asked to be forgotten must not be told that this was done.
    if (key === undefined && streams.length === 0) {
      const others = (yield* tenantsOf(where.schema, subject)).map((one) =>
        one === "" ? "without a tenant" : `of the tenant "${one}"`
      )
      return yield* new StoreFault({
        problem: `There is neither a key nor data of ${person}, so nothing was done. ` +
          (others.length === 0
            ? "Look at the id: it is the one that the events name."
            : `Somebody of this id is known ${others.join(" and ")}: say which with --tenant.`)
      })
    }
    if (!yes && key?.wrapped === undefined && key !== undefined) {
      const at = key.shreddedAt?.toISOString()
      return yield* answer(where, { tenant, subject, erased: false, shreddedAt: at, streams }, [
        `${person} was shredded before, at ${at}: there is nothing to do.`
      ])
    }
    if (!yes) {
      return yield* new StoreAsked({
        problem: [
          key === undefined ? `There is no key of ${person} any more.` : `There is a key of ${person}.`,
          `Its data is in ${counted(streams.length, "stream")}. To shred it cannot be undone: add --yes to do it.`
        ].join(" ")
      })
    }
    const done = yield* PersonalData.PersonalData.use((people) => people.shred(subject)).pipe(
      Effect.provideService(Tenant.Current, tenant)
    )
    yield* answer(where, { tenant, ...done }, [
      done.erased
        ? `The key of ${person} is erased. Processes that run may remember it for a minute, or as long as they were told to.`
        : `There was no key of ${person}; from now on none can be made.`,
      `${counted(done.snapshots, "snapshot")} removed.`,
      ...done.streams.length === 0 ? [] : [
        "Rows of projections may hold this data too, and are yours to write anew: with Aggregate.reproject, or with " +
        "`lifecycle store rebuild --drop-retired` and a raised version, since retired versions keep their rows. It is in " +
        `${counted(done.streams.length, "stream")}:`,
        ...done.streams.map(({ category, id }) => `  ${category} ${id}`)
      ]
    ])
  },
  (effect, where) =>
    Effect.provide(
      effect,
      personal.pipe(
        Layer.provideMerge(PgStore.layer({ schema: where.schema, migrate: false, listen: false, notify: false })),
        Layer.provideMerge(storeConnection(where))
      )
    )
)

const sizes = (rows: Readonly<Record<string, number>>): string => {
  const { events = 0, streams = 0 } = rows
  const all = Object.values(rows).reduce((sum, count) => sum + count, 0)
  return `${streams} streams, ${events} events, ${all} rows in all`
}

export const exportTo = Effect.fn("cli.store.export")(
  function*(where: Where, { file }: { readonly file: string }) {
    const done = yield* Effect.scoped(
      Effect.flatMap(writer(file), (write) => Maintenance.exportTo(write, { schema: where.schema }))
    )
    const lines = [`Exported ${sizes(done.rows)}.`, `SHA-256 ${done.sha256}`]
    // The export itself may be the output.
    yield* file === "-" ? Console.error(lines.join("\n")) : answer(where, { file, ...done }, lines)
  },
  (effect, where) => Effect.provide(effect, storeConnection(where))
)

export const importFrom = Effect.fn("cli.store.import")(
  function*(
    where: Where,
    { above, file, sha256 }: {
      readonly above: bigint
      readonly file: string
      readonly sha256: string | undefined
    }
  ) {
    const done = yield* Maintenance.importFrom(reader(file), {
      schema: where.schema,
      sha256: sha256?.toLowerCase(),
      above
    })
    yield* answer(where, { file, ...done }, [
      `Imported ${sizes(done.rows)} into the schema "${where.schema}".`,
      `SHA-256 ${done.sha256}`
    ])
  },
  (effect, where) => Effect.provide(effect, connection(where))
)
