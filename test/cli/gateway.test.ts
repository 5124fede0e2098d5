import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ask, listen, say, until, upstream } from "../gateway/harness.ts"
import { lifecycle, root } from "./command.ts"

const file = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "lc-gateway-"))
    const path = join(folder, "gateway.json")
    return { folder, path, write: (config: unknown) => writeFileSync(path, JSON.stringify(config)) }
  }),
  ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** `lifecycle gateway` as a process that goes on running. */
const started = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [join(root, "src", "cli", "bin.mjs"), "gateway", ...args], {
        cwd: root,
        env: { PATH: process.env.PATH ?? "", NO_COLOR: "1", ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      const state = { child, out: "", err: "", code: undefined as number | null | undefined }
      child.stdout.on("data", (chunk) => state.out += chunk)
      child.stderr.on("data", (chunk) => state.err += chunk)
      child.on("close", (code) => state.code = code)
      return state
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(
    Effect.tap((state) =>
      Effect.sync(() => state.out.includes("\n") || state.code !== undefined).pipe(
        Effect.repeat({ until: (done) => done }),
        Effect.timeout("20 seconds")
      )
    )
  )

const leading = (target: string) => ({
  listen: { port: 0 },
  upstreams: { users: { targets: [target] } },
  routes: [{ prefix: "/api", upstream: "users" }]
})

describe("lifecycle gateway", () => {
  it.live(
    "says in one JSON line where it listens, passes requests on, and ends with 0 on SIGTERM",
    () =>
      Effect.gen(function*() {
        const server = yield* upstream((request, response) => response.end(`got ${request.url}`))
        const config = yield* file
        config.write(leading(server.origin))
        const gateway = yield* started(["--config", config.path, "--json", "--access-log"])
        const ready: { readonly url: string; readonly port: number } = JSON.parse(gateway.out)
        assert.strictEqual(ready.url, `http://127.0.0.1:${ready.port}`)
        assert.strictEqual((yield* ask(ready.port, "/api/x?token=secret")).text, "got /api/x?token=secret")
        yield* until(() => gateway.err.includes("\"path\":\"/api/x\""))
        assert.notInclude(gateway.err, "secret")
        gateway.child.kill("SIGTERM")
        yield* until(() => gateway.code !== undefined)
        assert.strictEqual(gateway.code, 0, gateway.err)
      }),
    { timeout: 60_000 }
  )

  it.live(
    "sends spans and metrics to the collector that the environment names",
    () =>
      Effect.gen(function*() {
        const received: Record<string, string> = {}
        const collector = yield* upstream((request, response) => {
          request.setEncoding("utf8")
          request.on("data", (text) => received[request.url ?? ""] = (received[request.url ?? ""] ?? "") + text)
          request.on("end", () => response.end("{}"))
        })
        const server = yield* upstream((_request, response) => response.end("ok"))
        const config = yield* file
        config.write({ ...leading(server.origin), name: "door" })
        const gateway = yield* started(["--config", config.path, "--json"], {
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json"
        })
        const { port }: { readonly port: number } = JSON.parse(gateway.out)
        yield* ask(port, "/api/x?token=secret")
        gateway.child.kill("SIGTERM")
        yield* until(() => gateway.code !== undefined)
        assert.strictEqual(gateway.code, 0, gateway.err)
        assert.include(received["/v1/traces"], "http.server")
        assert.include(received["/v1/traces"], "door")
        assert.include(received["/v1/metrics"], "http.server.request.duration")
        assert.notInclude(Object.values(received).join(""), "secret")
      }),
    { timeout: 60_000 }
  )

  it.live.skipIf(process.platform === "win32")(
    "reads the file again on SIGHUP, and keeps the configuration before it when the new one is wrong",
    () =>
      Effect.gen(function*() {
        const [one, two] = [
          yield* upstream((_request, response) => response.end("one")),
          yield* upstream((_request, response) => response.end("two"))
        ]
        const config = yield* file
        config.write(leading(one.origin))
        const gateway = yield* started(["--config", config.path, "--json"])
        const { port }: { readonly port: number } = JSON.parse(gateway.out)
        assert.strictEqual((yield* ask(port, "/api")).text, "one")
        config.write({ ...leading(two.origin), routes: [{ prefix: "/api", upstream: "nobody" }] })
        gateway.child.kill("SIGHUP")
        yield* until(() => gateway.err.includes("stays in force"))
        assert.include(gateway.err, "routes[0].upstream: No upstream is called \"nobody\"")
        assert.strictEqual((yield* ask(port, "/api")).text, "one")
        config.write({ ...leading(two.origin), listen: { port: 1 } })
        gateway.child.kill("SIGHUP")
        yield* until(() => gateway.err.split("stays in force").length === 3)
        assert.include(
          gateway.err,
          `the new configuration in ${config.path} is not a usable gateway configuration:\n` +
            "  listen.port: It cannot change from 0 to 1 without a restart\nThe configuration before it stays in force."
        )
        assert.strictEqual((yield* ask(port, "/api")).text, "one")
        config.write(leading(two.origin))
        gateway.child.kill("SIGHUP")
        yield* until(() => gateway.err.includes("is in force."))
        assert.strictEqual((yield* ask(port, "/api")).text, "two")
      }),
    { timeout: 60_000 }
  )

  it.live.skipIf(process.platform === "win32")(
    "reads the file again on SIGHUP with --l4 too, and keeps the connections that stand",
    () =>
      Effect.gen(function*() {
        const named = (name: string) =>
          listen(() => net.createServer((socket) => socket.on("data", (chunk) => socket.write(`${name} ${chunk}`))))
        const [one, two] = [yield* named("one"), yield* named("two")]
        const config = yield* file
        const to = (origin: string) => ({ listen: { port: 0 }, upstreams: { users: { targets: [origin] } } })
        config.write(to(one.origin))
        const gateway = yield* started(["--config", config.path, "--json", "--l4"])
        const { port }: { readonly port: number } = JSON.parse(gateway.out)
        let heard = ""
        const standing = yield* Effect.acquireRelease(
          Effect.sync(() => net.connect(port, "127.0.0.1")),
          (socket) => Effect.sync(() => socket.destroy())
        )
        standing.on("data", (chunk) => heard += chunk)
        standing.on("error", () => {})
        standing.write("1")
        yield* until(() => heard === "one 1")
        config.write({ ...to(two.origin), listen: { port: 1 } })
        gateway.child.kill("SIGHUP")
        yield* until(() => gateway.err.includes("stays in force"))
        assert.include(gateway.err, "listen.port: It cannot change from 0 to 1 without a restart")
        config.write({ ...to(two.origin), upstreams: {} })
        gateway.child.kill("SIGHUP")
        yield* until(() => gateway.err.includes("upstreams: Expected at least one upstream"))
        assert.strictEqual(yield* say(port, "x", "100 millis"), "one x")
        config.write(to(two.origin))
        gateway.child.kill("SIGHUP")
        yield* until(() => gateway.err.includes(`${config.path} is in force.`))
        assert.strictEqual(yield* say(port, "x", "100 millis"), "two x")
        standing.write("2")
        yield* until(() => heard === "one 1one 2")
        assert.isUndefined(gateway.code)
      }),
    { timeout: 60_000 }
  )

  it.live("names file, field and port when it cannot listen at its start", () =>
    Effect.gen(function*() {
      const taken = yield* listen(() => net.createServer())
      const config = yield* file
      config.write({ ...leading("http://127.0.0.1:1"), listen: { port: taken.port } })
      for (const more of [[], ["--l4"]]) {
        const { code, err } = yield* lifecycle(["gateway", "--config", config.path, ...more])
        assert.strictEqual(code, 1)
        assert.include(
          err,
          `The gateway cannot start with ${config.path}:\n` +
            `  listen.port: 127.0.0.1:${taken.port} is taken by another process`
        )
      }
      config.write({ ...leading("http://127.0.0.1:1"), listen: { host: "192.0.2.1", port: 0 } })
      const { err } = yield* lifecycle(["gateway", "--config", config.path])
      assert.include(err, "  listen.host: 192.0.2.1:0 is no address of this machine")
    }), { timeout: 60_000 })

  it.live("answers with 502 for an upstream that is away, and its line says failed", () =>
    Effect.gen(function*() {
      const config = yield* file
      config.write(leading("http://127.0.0.1:1"))
      const gateway = yield* started(["--config", config.path, "--json", "--access-log"])
      const { port }: { readonly port: number } = JSON.parse(gateway.out)
      yield* ask(port, "/api")
      yield* until(() => gateway.err.includes("\n"))
      assert.deepInclude(JSON.parse(gateway.err), { level: "ERROR", status: 502, outcome: "failed", stage: "Proxy" })
    }), { timeout: 60_000 })

  it.live("refuses a broken configuration at start, with the path of the wrong field", () =>
    Effect.gen(function*() {
      const config = yield* file
      config.write({ ...leading("http://127.0.0.1:1"), limits: { bodyBytes: "1 MB" } })
      const { code, err } = yield* lifecycle(["gateway", "--config", config.path])
      assert.strictEqual(code, 1)
      assert.include(err, `${config.path} is not a usable gateway configuration:\n  limits.bodyBytes: `)
    }), { timeout: 60_000 })

  it.live("forwards raw TCP with --l4, and asks which upstream when there are several", () =>
    Effect.gen(function*() {
      const server = yield* upstream((request, response) => response.end(JSON.stringify(request.headers)))
      const config = yield* file
      config.write(leading(server.origin))
      const gateway = yield* started(["--config", config.path, "--json", "--l4"])
      const { port, url }: { readonly port: number; readonly url: string } = JSON.parse(gateway.out)
      assert.strictEqual(url, `tcp://127.0.0.1:${port}`)
      const answer = yield* say(port, "GET /anything HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      assert.include(answer, "{\"host\":\"x\",\"connection\":\"close\"}")
      config.write({ upstreams: { a: { targets: ["http://a:1"] }, b: { targets: ["http://b:1"] } } })
      const { code, err } = yield* lifecycle(["gateway", "--config", config.path, "--l4"])
      assert.strictEqual(code, 1)
      assert.include(err, "\"tcp\"")
    }), { timeout: 60_000 })
})
