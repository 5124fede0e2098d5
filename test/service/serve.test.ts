import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Probe } from "effect-lifecycle/client"
import * as fs from "node:fs"
import { join } from "node:path"
import { isAlive } from "../../src/testing/internal/PostgresProcess.ts"
import { lifecycle } from "../cli/command.ts"
import { ask, newKey, order } from "./harness.ts"
import {
  folder,
  following,
  freePorts,
  gaveUp,
  halfSent,
  lines,
  refused,
  serve,
  serverOf,
  taken,
  takenPort
} from "./process.ts"

describe("lifecycle serve", () => {
  it.live(
    "drains at Ctrl+C and at SIGTERM, ends with 0, leaves no process, and finds its data again",
    () =>
      Effect.gen(function*() {
        const cwd = yield* folder
        const port = yield* freePorts

        const first = yield* serve({ cwd, env: { PORT: String(port) } })
        const { gateway, stores: _, ...addresses } = yield* first.ready
        assert.deepStrictEqual(addresses, {
          users: `http://127.0.0.1:${port}`,
          orders: `http://127.0.0.1:${port + 1}`,
          payments: `http://127.0.0.1:${port + 2}`
        })
        const doors = { http: `http://127.0.0.1:${port + 3}`, https: `https://localhost:${port + 4}` }
        assert.deepStrictEqual(gateway, { ...doors, certificate: gateway?.certificate ?? "" })
        const user = yield* ask(`${addresses.users}/users`, {
          method: "POST",
          json: { name: "Alice", email: "alice@example.com" }
        })
        assert.strictEqual(user.status, 201)
        const key = { "idempotency-key": newKey() }
        const placed = yield* ask(`${addresses.orders}/orders`, {
          method: "POST",
          json: order(user.body.id),
          headers: key
        })
        assert.strictEqual(placed.status, 201)

        const firstServer = serverOf(cwd)
        const interrupted = yield* halfSent(addresses.users)
        yield* first.signal("SIGINT")
        yield* refused(addresses.users)
        const began = performance.now()
        const late = yield* interrupted.finish
        assert.match(late, /\r\n\r\nHTTP\/1\.1 201 [^]*"name":"Late"/)
        const firstEnded = yield* first.ended
        // Not the whole grace period: the last answer has let its connection go.
        assert.isBelow(performance.now() - began, 4000)
        assert.deepStrictEqual([firstEnded.code, firstEnded.err], [0, ""])
        assert.isFalse(isAlive(firstServer))
        assert.isFalse(fs.existsSync(gateway?.certificate ?? ""))

        const second = yield* serve({ cwd, args: ["--json", "--port", String(port)], env: { PORT: "1" } })
        const { gateway: again, stores: _stores, ...sameAddresses } = yield* second.ready
        assert.deepStrictEqual(sameAddresses, addresses)
        for (const location of [user.headers["location"]!, /location: (\S+)/i.exec(late)?.[1] ?? ""]) {
          assert.strictEqual((yield* ask(addresses.users + location)).status, 200, location)
        }
        const replayed = yield* ask(`${addresses.orders}/orders`, {
          method: "POST",
          json: order(user.body.id),
          headers: key
        })
        assert.deepStrictEqual([replayed.status, replayed.text], [201, placed.text])
        assert.strictEqual(replayed.headers["idempotency-replayed"], "true")

        // Every line after the addresses is a line of the services' logs.
        for (const line of lines(second.out()).slice(1)) assert.isString(JSON.parse(line).service)

        const secondServer = serverOf(cwd)
        const terminated = yield* halfSent(addresses.users)
        yield* second.signal("SIGTERM")
        yield* refused(addresses.users)
        assert.match(yield* terminated.finish, /\r\n\r\nHTTP\/1\.1 201 /)
        const secondEnded = yield* second.ended
        assert.deepStrictEqual([secondEnded.code, secondEnded.err], [0, ""])
        assert.isFalse(isAlive(secondServer))
        for (const url of [addresses.users, addresses.orders, addresses.payments, again?.http ?? ""]) {
          yield* refused(url)
        }
      }),
    30_000
  )

  it.live(
    "lets go of open pages first, so that no door waits for them or cuts them off",
    () =>
      Effect.gen(function*() {
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0"] })
        const { gateway, orders, users } = yield* serving.ready
        const doors = gateway ?? assert.fail("no gateway")
        const pages = [
          yield* following(`${doors.http}/lifecycle/events`),
          yield* following(`${doors.https}/lifecycle/events`, fs.readFileSync(doors.certificate, "utf8")),
          yield* following(`${users}/lifecycle/events`),
          yield* following(`${orders}/lifecycle/events?scope=own`)
        ]
        yield* serving.signal("SIGTERM")
        // At the end of its drain time a door would cut off what is left.
        assert.deepStrictEqual(yield* Effect.forEach(pages, ({ ended }) => ended), pages.map(() => "whole"))
        const ended = yield* serving.ended
        assert.deepStrictEqual([ended.code, ended.err], [0, ""])
      }),
    60_000
  )

  it.live(
    "drains when npx, which passes no signal on, has been ended",
    () =>
      Effect.gen(function*() {
        const cwd = yield* folder
        const serving = yield* serve({
          cwd,
          args: ["--json", "--port", "0", "--no-gateway"],
          env: { npm_command: "exec" },
          byShell: true
        })
        const { users } = yield* serving.ready
        const server = serverOf(cwd)
        const late = yield* halfSent(users)
        yield* serving.kill("SIGTERM")
        yield* refused(users)
        assert.match(yield* late.finish, /\r\n\r\nHTTP\/1\.1 201 /)
        yield* serving.ended
        assert.isFalse(isAlive(server))
      }),
    30_000
  )

  it.live(
    "prints addresses of its stores that `lifecycle store` can work with while it runs",
    () =>
      Effect.gen(function*() {
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0", "--no-gateway"] })
        const { stores, users } = yield* serving.ready
        yield* ask(`${users}/users`, { method: "POST", json: { name: "Alice", email: "alice@example.com" } })
        const verify = () => lifecycle(["store", "verify", "--schema", "users", "--url", stores!.users])
        const verified = yield* verify()
        assert.deepStrictEqual([verified.code, verified.err], [0, ""], verified.out)
        assert.include(verified.out, "1 streams, 1 events")
        yield* serving.signal("SIGTERM")
        yield* serving.ended
        const away = yield* verify()
        assert.strictEqual(away.code, 3)
        assert.match(away.err, /The PostgreSQL at .* cannot be used/)
      }),
    60_000
  )

  it.live(
    "answers through its gateway under /api, by path and by host, over http and over https",
    () =>
      Effect.gen(function*() {
        const serving = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0"] })
        const { gateway } = yield* serving.ready
        const doors = gateway!
        const json = { name: "Alice", email: "alice@example.com" }
        const made = yield* ask(`${doors.http}/api/users`, { method: "POST", json })
        assert.deepStrictEqual([made.status, made.headers["via"]], [201, "1.1 gateway"])
        assert.strictEqual(made.headers["location"], `/api/users/${made.body.id}`)
        assert.strictEqual((yield* ask(`${doors.http}/users/${made.body.id}`)).text, made.text)

        const ca = fs.readFileSync(doors.certificate, "utf8")
        const overTls = yield* Probe.probe({
          url: `${doors.https}/api/users/${made.body.id}`,
          headers: { authorization: "Bearer token123" },
          ca
        })
        assert.deepStrictEqual([overTls.status, overTls.body, overTls.tlsVersion], [200, made.text, "TLSv1.3"])
        const untrusted = yield* Effect.flip(Probe.probe({ url: doors.https }))
        assert.deepStrictEqual([untrusted.stage, untrusted.code], ["Tls", "DEPTH_ZERO_SELF_SIGNED_CERT"])
        const byHost = yield* Probe.probe({
          url: `${doors.https}/health/live`,
          headers: { host: "orders.localhost" },
          ca
        })
        assert.strictEqual(byHost.status, 200)
        const nowhere = yield* ask(`${doors.http}/elsewhere`)
        assert.deepStrictEqual([nowhere.status, nowhere.body.stage], [404, "Proxy"])

        yield* serving.signal("SIGTERM")
        const { code, err, out } = yield* serving.ended
        assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
        const line = lines(out).map((text) => JSON.parse(text)).find(({ path, service }) =>
          service === "gateway" && path === "/elsewhere"
        )
        assert.deepInclude(line, { status: 404, request_id: nowhere.headers["x-request-id"] }, out)
      }),
    60_000
  )

  it.live(
    "takes other ports for its gateway where those after the services are taken, and does without when told to",
    () =>
      Effect.gen(function*() {
        const port = yield* freePorts
        yield* taken(port + 3)
        const serving = yield* serve({ cwd: yield* folder, env: { PORT: String(port) } })
        const { gateway, users } = yield* serving.ready
        assert.strictEqual(users, `http://127.0.0.1:${port}`)
        assert.notInclude(gateway?.http, String(port + 3))
        assert.strictEqual((yield* ask(`${gateway?.http}/api/users/nobody`)).status, 404)
        const without = yield* serve({ cwd: yield* folder, args: ["--json", "--port", "0", "--no-gateway"] })
        assert.deepStrictEqual(Object.keys(yield* without.ready), ["users", "orders", "payments", "stores"])
        for (const one of [serving, without]) yield* one.signal("SIGTERM")
        assert.deepStrictEqual([(yield* serving.ended).code, (yield* without.ended).code], [0, 0])
      }),
    90_000
  )

  it.live("twice in one folder, the second says so, and the first goes on", () =>
    Effect.gen(function*() {
      const cwd = yield* folder
      const first = yield* serve({ cwd, args: ["--json", "--port", "0"] })
      const { users } = yield* first.ready
      const second = yield* serve({ cwd, args: ["--json", "--port", "0"] })
      gaveUp(yield* second.ended, new RegExp(`data folder .* is in use .*process ${serverOf(cwd)}.*: stop the program`))
      assert.strictEqual((yield* ask(`${users}/health/ready`)).status, 200)
      yield* first.signal("SIGTERM")
      assert.strictEqual((yield* first.ended).code, 0)
    }), 30_000)

  it.live("says which port is taken, and leaves no server behind", () =>
    Effect.gen(function*() {
      const cwd = yield* folder
      const port = yield* takenPort
      const serving = yield* serve({ cwd, env: { PORT: String(port) } })
      gaveUp(yield* serving.ended, new RegExp(`127\\.0\\.0\\.1:${port} is taken by another process: .*another port`))
      assert.isFalse(fs.existsSync(join(cwd, ".lifecycle", "pg", "postmaster.pid")))
    }), 30_000)

  const unreachable = "postgres://me:s3cret@127.0.0.1:1/shop"
  const bad: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, RegExp]> = [
    ["a DATABASE_URL of another database", { DATABASE_URL: "mysql://me:s3cret@h/x" }, /^DATABASE_URL .*: write it as /],
    ["a DATABASE_URL that is none", { DATABASE_URL: "me:s3cret@ h/x" }, /^DATABASE_URL .*: write it as /],
    ["a database that is away", { DATABASE_URL: unreachable }, /^No PostgreSQL answers at 127\.0\.0\.1:1 .*: start it/],
    ["a PORT that is none", { PORT: "http" }, /^The port of users is "http".*: set PORT/],
    ["a PORT with no room for the others", { PORT: "65534" }, /^The port of users is "65534".*: set PORT/],
    [
      "broken tokens",
      { PORT: "0", DATABASE_URL: "", LIFECYCLE_TOKENS: "s3cret" },
      /^Entry 1 of the token list .*: write/
    ]
  ]
  it.live.each(bad)("does not start with %s, and says what to do", ([_, env, sentence]) =>
    Effect.gen(function*() {
      const serving = yield* serve({ cwd: yield* folder, env })
      gaveUp(yield* serving.ended, sentence)
    }), 30_000)

  it.live("does not start where it cannot keep its data, and says what to do", () =>
    Effect.gen(function*() {
      const cwd = yield* folder
      // Rights do not stop root, but nobody can make a folder in a file.
      fs.writeFileSync(join(cwd, ".lifecycle"), "")
      const serving = yield* serve({ cwd, args: ["--json", "--port", "0"] })
      gaveUp(
        yield* serving.ended,
        /data folder .*\/\.lifecycle\/pg cannot be written \(\w+\): give this user write rights/
      )
    }), 30_000)
})
