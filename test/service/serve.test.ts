import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import * as fs from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { isAlive } from "../../src/testing/internal/PostgresProcess.ts"
import { ask, newKey, order } from "./harness.ts"
import { folder, freePorts, serve, takenPort } from "./process.ts"

const lines = (text: string) => text.trimEnd().split("\n")

/** One clear sentence that says what to do, on standard error, and nothing else. */
const gaveUp = (
  ended: { readonly code: number | null; readonly out: string; readonly err: string },
  sentence: RegExp
) => {
  assert.deepStrictEqual({ code: ended.code, out: ended.out }, { code: 1, out: "" }, ended.err)
  assert.lengthOf(lines(ended.err), 1, ended.err)
  assert.match(ended.err, sentence)
  assert.notInclude(ended.err, "s3cret")
  assert.notMatch(ended.err, /^\s+at |Error:/)
}

const serverOf = (cwd: string): number =>
  Number(fs.readFileSync(join(cwd, ".lifecycle", "pg", "postmaster.pid"), "utf8").split("\n")[0])

/**
 * Begins `POST /users` and sends half of the body; the request counts as being in flight once `100 Continue` has come. The
 * rest goes out when `finish` runs, which answers with everything that was received.
 */
const halfSent = (url: string) =>
  Effect.callback<{ readonly finish: Effect.Effect<string> }>((resume) => {
    const body = JSON.stringify({ name: "Late", email: "late@example.com" })
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" })
    let got = ""
    const closed = new Promise<string>((done) => socket.on("close", () => done(got)))
    socket.on("error", () => {})
    socket.on("data", (chunk: Buffer) => {
      got += String(chunk)
      if (!got.startsWith("HTTP/1.1 100 Continue\r\n\r\n") || got.length > 25) return
      socket.write(body.slice(0, 10))
      const finish = Effect.suspend(() => {
        socket.write(body.slice(10))
        return Effect.promise(() => closed)
      })
      resume(Effect.succeed({ finish }))
    })
    socket.write(
      "POST /users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token123\r\nContent-Type: application/json\r\n" +
        `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`
    )
  })

const refused = (url: string) =>
  Effect.flip(ask(`${url}/health/live`)).pipe(
    Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: "5 seconds" }))
  )

describe("lifecycle serve", () => {
  it.live(
    "drains at Ctrl+C and at SIGTERM, ends with 0, leaves no process, and finds its data again",
    () =>
      Effect.gen(function*() {
        const cwd = yield* folder
        const port = yield* freePorts

        const first = yield* serve({ cwd, env: { PORT: String(port) } })
        const addresses = yield* first.ready
        assert.deepStrictEqual(addresses, {
          users: `http://127.0.0.1:${port}`,
          orders: `http://127.0.0.1:${port + 1}`,
          payments: `http://127.0.0.1:${port + 2}`
        })
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

        const second = yield* serve({ cwd, args: ["--json", "--port", String(port)], env: { PORT: "1" } })
        assert.deepStrictEqual(yield* second.ready, addresses)
        for (const location of [user.headers["location"]!, /location: (\S+)/i.exec(late)?.[1] ?? ""]) {
          assert.strictEqual((yield* ask(addresses.users + location)).status, 200, location)
        }
        const again = yield* ask(`${addresses.orders}/orders`, {
          method: "POST",
          json: order(user.body.id),
          headers: key
        })
        assert.deepStrictEqual([again.status, again.text], [201, placed.text])
        assert.strictEqual(again.headers["idempotency-replayed"], "true")

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
        for (const url of Object.values(addresses)) yield* refused(url)
      }),
    30_000
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
