import { assert, describe, it, layer as testLayer } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Option, Random, Schema, Stream } from "effect"
import { EventStore, MemoryStore, UnitOfWork } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { fresh, some } from "./contract.ts"

const pg = pgTest({ client: { maxConnections: 12 } })
const events = EventStore.EventStore
const all = { concurrency: "unbounded" } as const
const times = (n: number) => Array.from({ length: n }, (_, i) => i)

/** Stores over one database, as if each were a process. */
const processes = (count: number, options?: PgStore.Options) =>
  Effect.forEach(
    times(count),
    () =>
      Effect.map(Layer.build(Layer.fresh(PgStore.layer(options))), (context) =>
        Context.get(context, EventStore.EventStore))
  )

describe("Coalesced appends", () => {
  testLayer(PgStore.layer().pipe(Layer.provideMerge(pg)), { excludeTestServices: true, timeout: "60 seconds" })(
    "on PostgreSQL",
    (it) => {
      it.effect("share statements: a thousand callers need a few transactions", () =>
        Effect.gen(function*() {
          const store = yield* events
          const sql = yield* SqlClient.SqlClient
          const before = yield* counted(sql)
          const results = yield* Effect.forEach(
            times(1000),
            () => store.append({ stream: fresh(), expect: "noStream", events: some(1) }),
            all
          )
          assert.isTrue(results.every((result) => result._tag === "Appended"))
          const [row] = yield* sql<{ n: number }>`select count(distinct xmin::text)::int as n from es.events
            where position > ${before}`
          assert.isBelow(row!.n, 20)
        }))
      it.effect("answer each with its own result: winners, losers, repetitions and the invalid", () =>
        Effect.gen(function*() {
          const store = yield* events
          const [a, b, c, d, e] = times(5).map(fresh)
          const id = "0190163d-8694-7d14-8d9f-7a9b2d1c0001"
          yield* store.append({ stream: b!, expect: "any", events: some(2), commandId: "k" })
          yield* store.append({ stream: d!, expect: "any", events: [{ id, type: "T", data: {} }, ...some(1)] })
          const results = yield* Effect.forEach(
            [
              { stream: a!, expect: "noStream" as const, events: some(3), commandId: "new" },
              { stream: b!, expect: 9, events: some(1), commandId: "k" },
              { stream: c!, expect: "streamExists" as const, events: some(1) },
              { stream: d!, expect: "any" as const, events: [...some(1), { id, type: "T", data: {} }] },
              { stream: e!, expect: 0, events: some(2) }
            ],
            (append) => Effect.exit(store.append(append)),
            all
          )
          const shown = results.map((exit) =>
            Exit.isSuccess(exit)
              ? exit.value._tag === "Conflict"
                ? exit.value
                : [exit.value.firstVersion, exit.value.version, exit.value.replayed]
              : Option.getOrThrow(Exit.findErrorOption(exit))._tag
          )
          assert.deepStrictEqual(shown, [
            [1, 3, false],
            [1, 2, true],
            { _tag: "Conflict", expected: "streamExists", actual: 0 },
            "InvalidAppend",
            [1, 2, false]
          ])
          for (const [index, stream] of [a!, e!].entries()) {
            const stored = yield* Stream.runCollect(store.read(stream))
            assert.deepStrictEqual(
              stored.map(({ data, version }) => [version, data]),
              some(3 - index).map(({ data }, i) => [i + 1, data])
            )
            const result = results[index === 0 ? 0 : 4]!
            assert.strictEqual(
              Exit.isSuccess(result) && result.value._tag === "Appended" ? result.value.position : 0n,
              stored.at(-1)?.position
            )
          }
          assert.deepInclude(Option.getOrThrow(yield* store.findAppend(a!, "new")), { firstVersion: 1, version: 3 })
        }))
      it.effect("fail alone when the server refuses one of them", () =>
        Effect.gen(function*() {
          const store = yield* events
          const sql = yield* SqlClient.SqlClient
          yield* sql.unsafe(`create or replace function refuse() returns trigger language plpgsql as $$
            begin if new.type = 'Bad' then raise exception 'no' using errcode = '23514'; end if; return new; end $$`)
          yield* sql.unsafe("create trigger refuse before insert on es.events for each row execute function refuse()")
          const exits = yield* Effect.forEach(
            times(20),
            (i) => Effect.exit(store.append({ stream: fresh(), expect: 0, events: some(1, i === 7 ? "Bad" : "Good") })),
            all
          )
          yield* sql.unsafe("drop trigger refuse on es.events")
          assert.deepStrictEqual(exits.map(Exit.isSuccess), times(20).map((i) => i !== 7))
          assert.isTrue(Exit.hasDies(exits[7]!))
        }))
      it.effect("are bypassed in a transaction, which commits or forgets them", () =>
        Effect.gen(function*() {
          const store = yield* events
          const unit = yield* UnitOfWork.UnitOfWork
          const [kept, lost] = [fresh(), fresh()]
          const outside = Effect.forEach(times(50), () =>
            store.append({ stream: fresh(), expect: 0, events: some(1) }), all)
          const [, exit] = yield* Effect.all([
            unit.run(Effect.andThen(store.append({ stream: kept, expect: 0, events: some(1) }), outside)),
            Effect.exit(
              unit.run(Effect.andThen(store.append({ stream: lost, expect: 0, events: some(1) }), Effect.fail("no")))
            ),
            outside
          ], all)
          assert.isTrue(Exit.isFailure(exit))
          assert.deepStrictEqual([yield* store.version(kept), yield* store.version(lost)], [1, 0])
        }))
      it.effect("of several processes over the same streams all get through", () =>
        Effect.scoped(Effect.gen(function*() {
          const stores = yield* processes(3, { coalesce: { statements: 4 } })
          const streams = times(30).map(fresh)
          const results = yield* Effect.forEach(
            times(900),
            (i) => stores[i % 3]!.append({ stream: streams[(i * 7) % 30]!, expect: "any", events: some(2) }),
            all
          )
          assert.isTrue(results.every((result) => result._tag === "Appended"))
          for (const stream of streams) assert.strictEqual(yield* stores[0]!.version(stream), 60)
        })))
      it.effect("keep the order of one caller's stream", () =>
        Effect.gen(function*() {
          const store = yield* events
          const stream = fresh()
          const results = yield* Effect.forEach(
            times(50),
            (i) => store.append({ stream, expect: i, events: some(1) }),
            all
          )
          assert.deepStrictEqual(results.map((r) => r._tag === "Appended" ? r.version : r), times(50).map((i) => i + 1))
        }))
      it.effect("take no more than their options allow", () =>
        Effect.gen(function*() {
          const error = yield* Effect.scoped(Layer.build(PgStore.layer({ schema: "x", coalesce: { batch: 0 } }))).pipe(
            Effect.flip
          )
          assert.match(error.message, /coalesce\.batch/)
        }))
      it.effect(
        "lose nothing that was acknowledged when their connections are killed, and say so to the others",
        () =>
          Effect.scoped(Effect.gen(function*() {
            const sql = yield* SqlClient.SqlClient
            const [store] = yield* processes(1)
            const run = { on: true }
            const answers: Array<readonly [EventStore.StreamId, number, string]> = []
            const callers = yield* Effect.forEach(times(32), () =>
              Effect.gen(function*() {
                const stream = fresh()
                let version = 0
                while (run.on) {
                  const exit = yield* Effect.exit(store!.append({ stream, expect: version, events: some(1) }))
                  if (Exit.isSuccess(exit)) {
                    answers.push([stream, version, exit.value._tag])
                    // A conflict is how one learns that what was lost on the way had been stored.
                    version = exit.value._tag === "Appended" ? exit.value.version : exit.value.actual
                  } else {
                    const error = Exit.findErrorOption(exit)
                    answers.push([stream, version, Option.isSome(error) ? error.value._tag : "defect"])
                  }
                }
                return [stream, version] as const
              }).pipe(Effect.forkChild))
            let killed = 0
            for (let round = 0; round < 20; round++) {
              yield* Effect.sleep("20 millis")
              const rows = yield* sql<{ done: boolean }>`select pg_terminate_backend(pid) as done from pg_stat_activity
              where pid <> pg_backend_pid() and datname = current_database() and query like '%append%'`
              killed += rows.length
            }
            run.on = false
            const ends = yield* Fiber.joinAll(callers)
            assert.isAbove(killed, 5)
            assert.deepStrictEqual(
              [...new Set(answers.map(([, , tag]) => tag))].toSorted().filter((tag) => tag !== "Conflict"),
              ["Appended", "StoreUnavailable"]
            )
            for (const [stream, version] of ends) {
              // The pool may still hold connections that have been killed.
              const stored = yield* Effect.retry(store!.version(stream), { times: 20 })
              // One more than acknowledged at most: the last one, when it was lost on the way.
              assert.include([version, version + 1], stored)
              const acknowledged = answers.filter(([s, , tag]) => s === stream && tag === "Appended").map(([, at]) =>
                at + 1
              )
              const versions = yield* Stream.runCollect(store!.read(stream))
              assert.deepStrictEqual(versions.map((event) => event.version), times(stored).map((i) => i + 1))
              assert.isTrue(acknowledged.every((at) => at <= stored))
              assert.strictEqual(new Set(acknowledged).size, acknowledged.length)
            }
          })),
        60_000
      )
    }
  )
})

const counted = (sql: SqlClient.SqlClient) =>
  Effect.map(sql<{ n: string }>`select coalesce(max(position), 0)::text as n from es.events`, ([row]) => row!.n)

const Step = Schema.Struct({
  caller: Schema.Literals([0, 1, 2, 3, 4, 5]),
  store: Schema.Literals([0, 1]),
  stream: Schema.Literals(["a", "b", "c"]),
  expect: Schema.Literals(["any", "noStream", "streamExists", "known", "known", "known"]),
  count: Schema.Literals([1, 2]),
  command: Schema.Literals(["", "", "c-1", "c-2"])
})

interface Done {
  readonly stream: string
  readonly expect: EventStore.Expectation
  readonly count: number
  readonly command: string
  readonly began: number
  readonly ended: number
  readonly result: EventStore.AppendResult
}

/** Why the calls to one stream have no order that explains every answer and keeps to real time; `undefined` when one has. */
const contradiction = (calls: ReadonlyArray<Done>): string | undefined => {
  const writes = calls.flatMap((call) =>
    call.result._tag === "Appended" && !call.result.replayed ? [{ ...call, result: call.result }] : []
  ).toSorted((x, y) => x.result.firstVersion - y.result.firstVersion)
  let version = 0
  let latestBegin = 0
  for (const write of writes) {
    const { began, count, ended, expect, result } = write
    if (result.firstVersion !== version + 1 || result.version !== version + count) {
      return `a gap or overlap at ${version}`
    }
    const held = expect === "any" ||
      (expect === "noStream" ? version === 0 : expect === "streamExists" ? version > 0 : expect === version)
    if (!held) return `${expect} was accepted at ${version}`
    if (ended < latestBegin) return `version ${result.version} ended before an earlier one began`
    latestBegin = Math.max(latestBegin, began)
    version = result.version
  }
  for (const { began, command, ended, expect, result } of calls) {
    if (result._tag === "Conflict") {
      const { actual } = result
      const before = writes.filter((write) => write.result.version <= actual)
      if (actual !== 0 && before.at(-1)?.result.version !== actual) return `nobody has seen the version ${actual}`
      if (before.some((write) => write.began > ended)) return `${actual} was seen before it was written`
      if (writes.some((write) => write.result.version > actual && write.ended < began)) return `${actual} was stale`
      const holds = expect === "any" ||
        (expect === "noStream" ? actual === 0 : expect === "streamExists" ? actual > 0 : expect === actual)
      if (holds) return `${expect} was refused at ${actual}`
    } else if (result.replayed) {
      const first = writes.find((write) => write.command === command)
      if (first === undefined || first.result.version !== result.version) return `${command} repeats nothing`
      if (first.began > ended) return `${command} was repeated before it was written`
    } else if (command !== "" && writes.filter((write) => write.command === command).length > 1) {
      return `${command} was written twice`
    }
  }
  return undefined
}

const history = (
  stores: ReadonlyArray<EventStore.EventStore["Service"]>,
  steps: ReadonlyArray<typeof Step.Type>,
  category: string
) =>
  Effect.gen(function*() {
    let tick = 0
    const done: Array<Done> = []
    const known = times(6).map((): Record<string, number> => ({}))
    const play = (caller: number) =>
      Effect.forEach(steps.filter((step) => step.caller === caller), (step) =>
        Effect.gen(function*() {
          const expect = step.expect === "known" ? known[caller]![step.stream] ?? 0 : step.expect
          if ((yield* Random.nextBoolean)) yield* Effect.yieldNow
          const began = ++tick
          const result = yield* stores[step.store % stores.length]!.append({
            stream: { category, id: step.stream },
            expect,
            events: some(step.count),
            ...(step.command === "" ? {} : { commandId: step.command })
          })
          known[caller]![step.stream] = result._tag === "Appended" ? result.version : result.actual
          done.push({ ...step, expect, result, began, ended: ++tick })
        }), { discard: true })
    yield* Effect.forEach([0, 1, 2, 3, 4, 5], play, { concurrency: "unbounded", discard: true })
    for (const id of ["a", "b", "c"]) {
      const calls = done.filter((call) => call.stream === id)
      assert.isUndefined(
        contradiction(calls),
        JSON.stringify(calls, (_, value) => typeof value === "bigint" ? Number(value) : value)
      )
      const stored = yield* Stream.runCollect(stores[0]!.read({ category, id }))
      const written = calls.reduce(
        (n, { count, result }) => n + (result._tag === "Appended" && !result.replayed ? count : 0),
        0
      )
      assert.strictEqual(stored.length, written)
    }
  })

let histories = 0

describe("Any interleaving of appends", () => {
  testLayer(pg, { excludeTestServices: true, timeout: "120 seconds" })("is linearizable for each stream", (it) => {
    it.effect.prop(
      "on PostgreSQL, of two processes that coalesce",
      [Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(60))],
      ([steps]) =>
        Effect.scoped(Effect.gen(function*() {
          const stores = yield* processes(2)
          yield* history(stores, steps, `H${++histories}`)
        })),
      { arbitrary: { runs: 30 }, timeout: 120_000 }
    )
  })
  it.effect.prop(
    "is linearizable for each stream in memory",
    [Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(60))],
    ([steps]) =>
      Effect.gen(function*() {
        yield* history([yield* events], steps, "H")
      }).pipe(Effect.provide(Layer.fresh(MemoryStore.layer))),
    { arbitrary: { runs: 50 } }
  )
})
