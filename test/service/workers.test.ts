import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result, Schedule } from "effect"
import * as fs from "node:fs"
import { dirname } from "node:path"
import { isAlive } from "../../src/testing/internal/PostgresProcess.ts"
import type { Served } from "../../lessons/service/serve.ts"
import type { Worker } from "../../lessons/service/workers.ts"
import { type Answer, ask, eventually, newKey, NotYet, order } from "./harness.ts"
import { folder, following, freePorts, gaveUp, halfSent, lines, refused, serve, serverOf } from "./process.ts"

const alice = { method: "POST", json: { name: "Alice", email: "alice@example.com" } }

/** Waits for something that takes as long as a process to start or to end. */
const until = (what: string, condition: () => boolean) =>
  Effect.suspend(() => condition() ? Effect.void : Effect.fail(new NotYet({ message: what }))).pipe(
    Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "60 seconds" })),
    Effect.orDie
  )

const pidsOf = ({ workers = [] }: Served): ReadonlyArray<number> => workers.map(({ pid }) => pid)

const allGone = (pids: ReadonlyArray<number>) => until(`${pids.join(", ")} to end`, () => !pids.some(isAlive))

/** A request of the load: when it began, and what became of it. */
interface Asked {
  readonly began: number
  readonly answer: Answer | undefined
}

/** Asks one after the other, until told to stop. */
const load = (stopped: () => boolean, request: () => ReturnType<typeof ask>) =>
  Effect.gen(function*() {
    const all: Array<Asked> = []
    while (!stopped()) {
      const began = performance.now()
      const result = yield* Effect.result(request())
      all.push({ began, answer: Result.getOrUndefined(result) })
    }
    return all
  })

/** The same order under the same key until there is an answer: a first attempt may have died with its process. */
const placed = (url: string, userId: string) =>
  Effect.gen(function*() {
    const headers = { "idempotency-key": newKey() }
    while (true) {
      const answer = yield* ask(`${url}/api/orders`, { method: "POST", json: order(userId), headers })
      if (answer.status !== 409) return answer
      yield* Effect.sleep("200 millis")
    }
  })

const listed = (url: string, userId: string, cursor = ""): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function*() {
    const { body } = yield* ask(`${url}/api/orders?userId=${userId}&limit=100${cursor}`)
    const ids: ReadonlyArray<string> = body.orders.map(({ id }: { readonly id: string }) => id)
    return body.next === undefined || body.next === null
      ? ids
      : [...ids, ...yield* listed(url, userId, `&cursor=${encodeURIComponent(body.next)}`)]
  })

describe("lifecycle serve --workers", () => {
  it.live(
    "lets go of open pages first, so that no door waits for them or cuts them off",
    () =>
      Effect.gen(function*() {
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0", "--workers", "2"] })
        const { gateway, orders, users } = yield* serving.ready
        const pages = yield* Effect.forEach(
          [gateway!.http, users, orders],
          (url) => following(`${url}/lifecycle/events`)
        )
        yield* serving.signal("SIGTERM")
        assert.deepStrictEqual(yield* Effect.forEach(pages, ({ ended }) => ended), pages.map(() => "whole"))
        assert.strictEqual((yield* serving.ended).code, 0)
      }),
    120_000
  )

  it.live(
    "goes on when a worker is killed: what can be asked twice is answered by another, and a new one takes its place",
    () =>
      Effect.gen(function*() {
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0", "--workers", "2"] })
        const served = yield* serving.ready
        const { gateway, users } = served
        const url = gateway!.http
        const [victim = 0, survivor = 0] = pidsOf(served)
        assert.isTrue(isAlive(victim) && isAlive(survivor))
        const userId: string = (yield* ask(`${url}/api/users`, alice)).body.id

        let stopped = false
        const isStopped = () => stopped
        const repeat = (count: number, request: () => ReturnType<typeof ask>) =>
          Effect.forkScoped(
            Effect.map(
              Effect.all(Array.from({ length: count }, () => load(isStopped, request)), { concurrency: "unbounded" }),
              (all) => all.flat()
            )
          )
        const reading = yield* repeat(4, () => ask(`${url}/api/users/${userId}`))
        const direct = yield* repeat(2, () => ask(`${users}/users/${userId}`))
        const placing = yield* repeat(3, () => placed(url, userId))
        const once = yield* repeat(2, () => ask(`${url}/api/users`, alice))
        yield* Effect.sleep("1 second")

        const killed = performance.now()
        process.kill(victim, "SIGKILL")
        yield* until("another worker", () => /^Worker 1 is back: the process \d+ answers\.$/m.test(serving.err()))
        const back = performance.now()
        yield* Effect.sleep("500 millis")
        stopped = true
        assert.match(
          serving.err(),
          new RegExp(`^Worker 1 is gone. The process ${victim} ended by SIGKILL. Another one starts in 0.1 s.$`, "m")
        )

        // GET, and POST with a key: not one is lost, and the other worker answers in between.
        const reads = [...yield* Fiber.join(reading), ...yield* Fiber.join(direct)]
        assert.deepStrictEqual([...new Set(reads.map(({ answer }) => answer?.status))], [200])
        assert.isAbove(reads.filter(({ began }) => began > killed && began < back).length, 10)
        const orders = yield* Fiber.join(placing)
        assert.deepStrictEqual([...new Set(orders.map(({ answer }) => answer?.status))], [201])
        const ids = orders.map(({ answer }): string => answer?.body.id).sort()
        // Whoever takes the list over waits first until the lease of the dead worker has ended.
        const kept = yield* Effect.filterOrFail(
          listed(url, userId),
          ({ length }) => length >= ids.length,
          () => "the list is behind"
        ).pipe(eventually, eventually, eventually)
        assert.deepStrictEqual([...kept].sort(), ids)

        // POST without a key: only what was under way in the dead process may be lost, and is answered.
        const tries = yield* Fiber.join(once)
        const lost = tries.filter(({ answer }) => answer?.status !== 201)
        assert.isAtMost(lost.length, 2)
        for (const { answer, began } of lost) {
          assert.deepStrictEqual([answer?.status, answer?.body.requestId], [502, answer?.headers["x-request-id"]])
          assert.isBelow(began, killed + 500)
        }
        assert.isNotEmpty(tries.filter(({ answer, began }) => began > killed && answer?.status === 201))

        assert.isTrue(isAlive(survivor))
        yield* serving.signal("SIGTERM")
        const ended = yield* serving.ended
        assert.strictEqual(ended.code, 0)
        assert.lengthOf(lines(ended.err), 2, ended.err)
        yield* allGone([survivor, Number(/the process (\d+) answers/.exec(ended.err)?.[1])])
      }),
    120_000
  )

  it.live(
    "drains at SIGTERM and at Ctrl+C, ends with 0, and leaves nothing behind",
    () =>
      Effect.gen(function*() {
        const cwd = yield* folder
        const port = yield* freePorts
        for (const signal of ["SIGTERM", "SIGINT"] as const) {
          const args = ["--json", "--port", String(port), "--workers", "2"]
          const serving = yield* serve({ cwd, args })
          const served = yield* serving.ready
          const { gateway, stores: _stores, workers: _, ...addresses } = served
          const workers = pidsOf(served)
          assert.deepStrictEqual(addresses, {
            users: `http://127.0.0.1:${port}`,
            orders: `http://127.0.0.1:${port + 1}`,
            payments: `http://127.0.0.1:${port + 2}`
          })
          assert.strictEqual(gateway!.http, `http://127.0.0.1:${port + 3}`)
          assert.lengthOf(workers, 2)
          const server = serverOf(cwd)

          const late = yield* halfSent(addresses.users)
          yield* serving.signal(signal)
          yield* refused(gateway!.http)
          // The workers wait for the gateway, which waits for the client.
          assert.isTrue(workers.every(isAlive))
          assert.match(yield* late.finish, /\r\n\r\nHTTP\/1\.1 201 [^]*"name":"Late"/)
          const { code, err, out } = yield* serving.ended
          assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
          for (const line of lines(out).slice(1)) assert.isString(JSON.parse(line).service)

          assert.deepStrictEqual([server, ...workers].filter(isAlive), [])
          assert.isFalse(fs.existsSync(gateway!.certificate))
          for (const url of [...Object.values(addresses), gateway!.http]) yield* refused(url)
        }
      }),
    120_000
  )

  it.live(
    "tells of each worker at ports of its own, which the next one in its place has too; and keeps a browser at one page",
    () =>
      Effect.gen(function*() {
        const port = yield* freePorts
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", String(port), "--workers", "2"] })
        const { users, workers = [] } = yield* serving.ready
        const [first, second] = workers
        assert.deepStrictEqual(
          workers.map(({ addresses }) => addresses),
          [10, 20].map((more) => ({
            users: `http://127.0.0.1:${port + more}`,
            orders: `http://127.0.0.1:${port + more + 1}`,
            payments: `http://127.0.0.1:${port + more + 2}`
          }))
        )

        // Each counts its own requests, and knows nothing of the other's.
        const read = (worker: Worker) => ask(`${worker.addresses.users}/users/usr_none`)
        const counted = (worker: Worker) =>
          Effect.map(ask(`${worker.addresses.users}/metrics`), ({ text }) =>
            Array.from(text.matchAll(/^http_server_request_duration_seconds_count\{.*\/users\/:id.*\} (\d+)$/gm))
              .reduce((sum, [_, count]) =>
                sum + Number(count), 0))
        yield* Effect.repeat(read(first!), { times: 2 })
        assert.deepStrictEqual([yield* counted(first!), yield* counted(second!)], [3, 0])

        // The page: what a cookie keeps together, and what chance decides without one.
        const { headers } = yield* read(first!)
        const story = `${users}/lifecycle/story?id=${headers["x-request-id"]}&scope=own`
        const tries = Array.from({ length: 6 })
        const met = yield* Effect.forEach(tries, () =>
          ask(story))
        const sets = met.map(({ headers }) => String(headers["set-cookie"]))
        for (const [index, { status }] of met.entries()) {
          const [cookie = ""] = sets[index]!.split(";")
          assert.match(cookie, /^lifecycle-users=./)
          const again = yield* Effect.forEach(tries, () => ask(story, { headers: { cookie } }))
          assert.deepStrictEqual([...new Set(again.map(({ status }) => status))], [status])
        }
        assert.deepStrictEqual(met.map(({ status }) => status).toSorted(), [200, 200, 200, 404, 404, 404])

        process.kill(first!.pid, "SIGKILL")
        yield* until("another worker", () => /^Worker 1 is back/m.test(serving.err()))
        yield* read(first!)
        assert.strictEqual(yield* counted(first!), 1)
        yield* serving.signal("SIGTERM")
        assert.strictEqual((yield* serving.ended).code, 0)
      }),
    120_000
  )

  it.live(
    "replaces a worker that hangs, and what it had taken is answered by another",
    () =>
      Effect.gen(function*() {
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0", "--workers", "2"] })
        const served = yield* serving.ready
        const { users } = served
        const workers = pidsOf(served)
        process.kill(workers[0] ?? 0, "SIGSTOP")
        const answers = yield* Effect.all(Array.from({ length: 4 }, () => ask(`${users}/health/live`)), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, 200, 200])
        yield* allGone(workers.slice(0, 1))
        yield* serving.signal("SIGTERM")
        assert.strictEqual((yield* serving.ended).code, 0)
      }),
    120_000
  )

  it.live(
    "warns when its pools may ask for more connections than PostgreSQL grants; and a kill of it ends its workers too",
    () =>
      Effect.gen(function*() {
        const serving = yield* serve({
          cwd: yield* folder,
          args: ["--json", "--port", "0", "--workers", "1"],
          env: { POOL_SIZE: "33" }
        })
        const served = yield* serving.ready
        const { gateway, users } = served
        const workers = pidsOf(served)
        assert.match(
          serving.err(),
          /^1 x 3 services with a pool of 33 each may open 99 connections, and PostgreSQL grants 97 .*: .*\n$/
        )
        assert.strictEqual((yield* ask(`${users}/users`, alice)).status, 201)
        yield* serving.kill("SIGKILL")
        yield* allGone(workers)
        fs.rmSync(dirname(gateway!.certificate), { recursive: true, force: true })
      }),
    120_000
  )

  const bad: ReadonlyArray<readonly [string, ReadonlyArray<string>, Readonly<Record<string, string>>, RegExp]> = [
    ["no worker", ["--workers", "0"], {}, /^--workers is "0": set it to a whole number from 1 to 64\./],
    ["too many workers", ["--workers", "65"], {}, /^--workers is "65": set it to/],
    ["workers without a gateway", ["--workers", "2", "--no-gateway"], {}, /^Several workers share .*: leave out/],
    ["a pool that is none", [], { POOL_SIZE: "many" }, /^POOL_SIZE is "many": set it to a whole number/],
    ["workers that cannot start", ["--workers", "2"], { LIFECYCLE_TOKENS: "s3cret" }, /^Entry 1 of the token list .*: /]
  ]
  it.live.each(bad)(
    "does not start with %s, and says what to do",
    ([_, args, env, sentence]) =>
      Effect.gen(function*() {
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0", ...args], env })
        gaveUp(yield* serving.ended, sentence)
      }),
    30_000
  )
})
