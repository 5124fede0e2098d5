import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { Database, EmbeddedPostgres } from "effect-lifecycle/testing"
import { execFileSync } from "node:child_process"
import { renameSync } from "node:fs"
import type { Addresses } from "../../lessons/service/launch.ts"
import { isAlive } from "../../src/testing/internal/PostgresProcess.ts"
import { ask, call, launched, newKey, order, register, Services } from "../service/harness.ts"

/** A server that only this test may kill, never the one of the run. */
const ownServer = Layer.effect(
  Database.Server,
  Effect.map(EmbeddedPostgres.make(), (embedded) => ({
    address: embedded.connection,
    description: "the server of this test",
    embedded
  }))
)

const ownServices = Layer.provideMerge(launched, ownServer)

/** The processes that the server has started, its clients' sessions among them. */
const sessions = Effect.gen(function*() {
  const { embedded } = yield* Database.Server
  const server = yield* embedded!.pid
  const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
  return rows.map((row) => row.trim().split(/\s+/).map(Number)).flatMap(([pid, parent]) =>
    parent === server ? [pid!] : []
  )
})

const kill = Effect.gen(function*() {
  const { embedded } = yield* Database.Server
  process.kill(yield* embedded!.pid, "SIGKILL")
})

/** With its sessions, which under load answer for a long time after it. */
const killAll = Effect.gen(function*() {
  const running = yield* sessions
  yield* kill
  for (const pid of running) if (isAlive(pid)) process.kill(pid, "SIGKILL")
})

const restarts = Effect.flatMap(Database.Server, ({ embedded }) => embedded!.restarts)

const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.filterOrFail((yes) => yes, () => "not yet"),
    Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: "15 seconds" })),
    Effect.orDie
  )

describe("kill -9 of the PostgreSQL below the services", () => {
  it.live(
    "is a 503 that says when to repeat, for as long as it lasts, and needs no restart of theirs",
    () =>
      Effect.gen(function*() {
        const userId = yield* register
        const key = { "idempotency-key": newKey() }
        const { addresses } = yield* Services
        const { embedded } = yield* Database.Server
        const data = embedded!.directory

        const open = yield* sessions
        assert.isNotEmpty(open)
        yield* kill
        // Without its data the server cannot come back before it is told to.
        yield* Effect.acquireUseRelease(
          Effect.sync(() => renameSync(data, `${data}.away`)),
          () =>
            Effect.gen(function*() {
              // A session may answer once more before it notices that its server has gone.
              yield* until(Effect.sync(() => !open.some(isAlive)))
              for (const _ of [1, 2, 3]) {
                const asked = yield* Effect.all([
                  call("users", `/users/${userId}`),
                  call("users", "/users", { method: "POST", json: { name: "Bob", email: "bob@example.com" } }),
                  call("users", `/users/${userId}`, {
                    method: "PATCH",
                    json: { name: "Bob" },
                    headers: { "if-match": "\"1\"" }
                  }),
                  call("orders", "/orders"),
                  call("orders", "/orders/ord_1"),
                  call("orders", "/orders/ord_1/events"),
                  call("orders", "/orders/ord_1/payment", { method: "POST" }),
                  call("orders", "/orders", { method: "POST", json: order(userId), headers: key }),
                  call("payments", "/payments/pay_1")
                ], { concurrency: "unbounded" })
                for (const { body, headers, status } of asked) {
                  assert.strictEqual(status, 503, JSON.stringify(body))
                  assert.strictEqual(headers["content-type"], "application/problem+json")
                  assert.match(headers["retry-after"]!, /^[1-9]\d*$/)
                  assert.strictEqual(body.type, "urn:problem:store-unavailable")
                  assert.notMatch(JSON.stringify(body), /ECONN|ENOENT|socket|SQLSTATE|\.s\.PGSQL/)
                }
              }
              for (const service of Object.keys(addresses) as Array<keyof Addresses>) {
                const ready = yield* call(service, "/health/ready", { token: null })
                assert.deepStrictEqual([ready.status, ready.body.checks], [503, { store: "failed" }])
                assert.match(ready.headers["retry-after"]!, /^[1-9]\d*$/)
                assert.strictEqual((yield* call(service, "/health/live", { token: null })).status, 200)
                assert.strictEqual((yield* call(service, "/metrics", { token: null })).status, 200)
              }
              // What needs no store is answered as ever.
              assert.strictEqual((yield* call("users", "/users/usr_1", { token: null })).status, 401)
              assert.strictEqual((yield* call("users", "/users", { method: "POST", json: {} })).status, 422)
              assert.strictEqual((yield* call("orders", "/nowhere")).status, 404)
            }),
          () => Effect.sync(() => renameSync(`${data}.away`, data))
        )

        for (const service of Object.keys(addresses) as Array<keyof Addresses>) {
          yield* until(Effect.map(call(service, "/health/ready", { token: null }), ({ status }) => status === 200))
        }
        assert.strictEqual(yield* restarts, 1)
        const read = yield* call("users", `/users/${userId}`)
        assert.deepStrictEqual([read.status, read.body.name], [200, "Alice"])
        const placed = yield* call("orders", "/orders", { method: "POST", json: order(userId), headers: key })
        assert.strictEqual(placed.status, 201)
      }).pipe(Effect.provide(ownServices)),
    30_000
  )

  it.live(
    "under 200 callers loses no order that was acknowledged, doubles none, and is never a 500",
    () =>
      Effect.gen(function*() {
        const { addresses } = yield* Services
        const userId = yield* register
        const orders: Array<{ readonly key: string; readonly id: string }> = []

        /** A client that repeats under its key until its order is acknowledged. A broken connection ends it at once. */
        const place = Effect.fnUntraced(function*(key: string) {
          while (true) {
            const { body, headers, status } = yield* ask(`${addresses.orders}/orders`, {
              method: "POST",
              json: order(userId),
              headers: { "idempotency-key": key }
            })
            if (status === 201) {
              orders.push({ key, id: body.id as string })
              if (orders.length === 10) yield* killAll
              return
            }
            assert.include([409, 503], status, JSON.stringify(body))
            if (status === 409) assert.strictEqual(body.type, "urn:problem:idempotency-key-running")
            assert.match(headers["retry-after"]!, /^[1-9]\d*$/)
            yield* Effect.sleep("100 millis")
          }
        })
        // Without more to do all would be through before the server is dead. Some may never notice: what had not begun is
        // repeated by the store itself.
        const client = Effect.gen(function*() {
          do yield* place(newKey())
          while ((yield* restarts) === 0)
        })
        yield* Effect.all(Array.from({ length: 200 }, () => client), { concurrency: "unbounded", discard: true })
        assert.strictEqual(yield* restarts, 1)
        const ids = orders.map(({ id }) => id).sort()
        assert.lengthOf(new Set(ids), orders.length)

        const stored: Array<string> = []
        let cursor: string | undefined
        do {
          const page: string = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`
          const { body } = yield* call("orders", `/orders?userId=${userId}&limit=100${page}`)
          stored.push(...body.orders.map((order: { readonly id: string }) => order.id))
          cursor = body.next
        } while (cursor !== undefined)
        assert.deepStrictEqual(stored.sort(), ids)

        yield* Effect.forEach(orders, ({ id, key }) =>
          Effect.gen(function*() {
            const { text } = yield* call("orders", `/orders/${id}/events`)
            assert.deepStrictEqual(
              text.trimEnd().split("\n").map((line) => JSON.parse(line)).map(({ type, version }) => [version, type]),
              [[1, "OrderPlaced"]]
            )
            const again = yield* call("orders", "/orders", {
              method: "POST",
              json: order(userId),
              headers: { "idempotency-key": key }
            })
            assert.deepStrictEqual([again.status, again.body.id], [201, id])
          }), { concurrency: 8 })
      }).pipe(Effect.provide(ownServices)),
    30_000
  )
})
