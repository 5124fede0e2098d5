import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schedule, Schema } from "effect"
import { Probe } from "effect-lifecycle/client"
import { Timeline } from "effect-lifecycle/lifecycle"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const listen = <S extends net.Server>(make: () => S) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: S; readonly port: number; readonly sockets: Set<net.Socket> }>((resume) => {
      const server = make()
      const sockets = new Set<net.Socket>()
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
        socket.on("error", () => {})
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ server, sockets, port: (server.address() as net.AddressInfo).port })))
    }),
    ({ server, sockets }) =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) {
          socket.destroy()
        }
        server.close(() =>
          resume(Effect.void)
        )
      })
  )

const serve = (handler: http.RequestListener) => listen(() => http.createServer(handler))

/** Until the server has `count` open connections: the server learns of a closed socket a moment after the client. */
const connections = (sockets: Set<net.Socket>, count: number) =>
  Effect.sync(() => sockets.size === count).pipe(
    Effect.repeat({ until: (done) => done, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("2 seconds")
  )

const stages = (entries: ReadonlyArray<Timeline.Entry>) => entries.map((entry) => entry.stage)

describe("Probe", () => {
  it.live("times every part of a request apart", () =>
    Effect.gen(function*() {
      const { port } = yield* serve((request, response) => {
        let body = ""
        request.on("data", (chunk) => {
          body += chunk
        })
        request.on("end", () =>
          setTimeout(() => {
            response.writeHead(201, { "X-Method": request.method, "X-Seen": request.headers["x-secret"] })
            response.write(body)
            setTimeout(() => response.end("!"), 60)
          }, 80))
      })
      const result = yield* Probe.probe({
        url: `http://127.0.0.1:${port}/users?a=b`,
        method: "POST",
        headers: { "X-Secret": "s" },
        body: "hello"
      })
      assert.deepStrictEqual([result.status, result.body, result.httpVersion], [201, "hello!", "1.1"])
      assert.deepStrictEqual([result.headers["x-method"], result.headers["x-seen"]], ["POST", "s"])
      assert.strictEqual(result.remoteAddress, "127.0.0.1")
      assert.deepStrictEqual(stages(result.entries), ["Dns", "Connect", "Send", "Response"])
      assert.isAtLeast(result.waitingMillis, 75)
      assert.isBelow(result.waitingMillis, 1000)
      const body = result.entries.find((entry) => entry.stage === "Response")!
      assert.isAtLeast(body.durationMillis, 50)
      assert.isAtLeast(result.totalMillis, 135)
      assert.deepStrictEqual(result.timeline.notOnRoad, [{ stage: "Tls", why: "the URL is http" }])
      // Every part begins where the one before it ended.
      const sum = result.entries.reduce((total, entry) => total + entry.durationMillis, result.waitingMillis)
      assert.closeTo(sum, result.totalMillis, 0.001)
    }))

  it.live("says that an address needs no lookup, and measures one for a name", () =>
    Effect.gen(function*() {
      const { port } = yield* serve((_, response) => response.end())
      const literal = yield* Probe.probe({ url: `http://127.0.0.1:${port}/` })
      assert.deepStrictEqual(literal.entries[0], {
        stage: "Dns",
        startMillis: 0,
        durationMillis: 0,
        note: "the host is an address: nothing to look up"
      })
      const named = yield* Probe.probe({ url: `http://localhost:${port}/` })
      assert.isUndefined(named.entries[0]?.note)
      assert.isAbove(named.entries[0]?.durationMillis ?? 0, 0)
    }))

  it.live("draws the stages that the server tells inside the wait", () =>
    Effect.gen(function*() {
      const { port } = yield* serve((_, response) => {
        setTimeout(() => {
          response.setHeader("Server-Timing", [
            `Router;dur=0.5`,
            `Handler;dur=8;desc="domain/Mediator", db;dur=3, Dns;dur=99`
          ])
          response.end()
        }, 20)
      })
      const { timeline } = yield* Probe.probe({ url: `http://127.0.0.1:${port}/` })
      assert.deepStrictEqual(Timeline.measuredStages(timeline), [
        "Dns",
        "Connect",
        "Send",
        "Router",
        "Handler",
        "Response"
      ])
      const wait = Timeline.waiting(timeline)!
      for (const entry of timeline.entries.filter((e) => e.stage === "Router" || e.stage === "Handler")) {
        assert.isAtLeast(entry.startMillis, wait.startMillis)
        assert.isAtMost(entry.startMillis + entry.durationMillis, wait.startMillis + wait.durationMillis)
      }
      assert.strictEqual(Timeline.durationMillis(timeline, "Dns"), 0)
    }))

  it.live("opens a fresh connection for every request", () =>
    Effect.gen(function*() {
      const ports: Array<number | undefined> = []
      const { port } = yield* serve((request, response) => {
        ports.push(request.socket.remotePort)
        response.end(request.headers.connection)
      })
      const first = yield* Probe.probe({ url: `http://127.0.0.1:${port}/` })
      yield* Probe.probe({ url: `http://127.0.0.1:${port}/` })
      assert.strictEqual(first.body, "close")
      assert.strictEqual(new Set(ports).size, 2)
    }))

  it.live("keeps at most maxBodyBytes of the answer and closes the connection", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* serve((_, response) => {
        response.write("x".repeat(1000))
        response.write("y".repeat(100_000))
      })
      const result = yield* Probe.probe({ url: `http://127.0.0.1:${port}/`, maxBodyBytes: 1001 })
      assert.strictEqual(result.body, "x".repeat(1000) + "y")
      assert.deepStrictEqual([result.bodyBytes, result.bodyTruncated], [1001, true])
      yield* connections(sockets, 0)
    }))

  it.live("does not cut a body of exactly maxBodyBytes", () =>
    Effect.gen(function*() {
      const { port } = yield* serve((_, response) => response.end("12345"))
      const result = yield* Probe.probe({ url: `http://127.0.0.1:${port}/`, maxBodyBytes: 5 })
      assert.deepStrictEqual([result.body, result.bodyTruncated], ["12345", false])
    }))

  it.live("counts an answer that came before the request was read", () =>
    Effect.gen(function*() {
      const { port } = yield* serve((request, response) => {
        response.writeHead(413, { connection: "close" }).end("too large", () => request.socket.destroySoon())
      })
      const result = yield* Probe.probe({
        url: `http://127.0.0.1:${port}/`,
        method: "POST",
        body: "x".repeat(30_000_000)
      })
      assert.deepStrictEqual([result.status, result.body], [413, "too large"])
    }))

  it.live("takes a switch of protocols as an answer", () =>
    Effect.gen(function*() {
      const { port } = yield* listen(() => {
        const server = http.createServer()
        server.on("upgrade", (_, socket) =>
          socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"))
        return server
      })
      const result = yield* Probe.probe({
        url: `http://127.0.0.1:${port}/`,
        headers: { Connection: "Upgrade", Upgrade: "x" }
      })
      assert.strictEqual(result.status, 101)
    }))

  describe("names the stage that failed", () => {
    it.live("Dns, for an unknown host", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Probe.probe({ url: "http://user:hunter2@name.invalid/path?token=hunter2" }))
        assert.strictEqual(error.stage, "Dns")
        assert.include(["ENOTFOUND", "EAI_AGAIN"], error.code)
        assert.strictEqual(error.host, "name.invalid:80")
        assert.deepStrictEqual(stages(error.entries), ["Dns"])
        assert.match(error.message, /^Dns failed for name\.invalid:80: .*resolver$/)
        assert.notInclude(error.message, "hunter2")
        assert.instanceOf(error.cause, Error)
      }))

    it.live("Connect, for a port where nothing listens", () =>
      Effect.gen(function*() {
        const { port } = yield* Effect.scoped(serve((_, response) => response.end()))
        const error = yield* Effect.flip(Probe.probe({ url: `http://127.0.0.1:${port}/` }))
        assert.deepStrictEqual([error.stage, error.code], ["Connect", "ECONNREFUSED"])
        assert.deepStrictEqual(stages(error.entries), ["Dns", "Connect"])
        assert.include(error.message, "nothing listens there")
        assert.deepStrictEqual(Timeline.measuredStages(error.timeline), ["Dns", "Connect"])
      }))

    it.live("Connect, with one detail for each address of a name", () =>
      Effect.gen(function*() {
        const { port } = yield* Effect.scoped(serve((_, response) => response.end()))
        const error = yield* Effect.flip(Probe.probe({ url: `http://localhost:${port}/` }))
        assert.deepStrictEqual([error.stage, error.code], ["Connect", "ECONNREFUSED"])
        assert.include(error.detail, `ECONNREFUSED 127.0.0.1:${port}`)
      }))

    it.live("Server, for a server that never answers, and leaves no connection open", () =>
      Effect.gen(function*() {
        const { port, sockets } = yield* serve(() => {})
        const error = yield* Effect.flip(Probe.probe({ url: `http://127.0.0.1:${port}/`, timeout: "150 millis" }))
        assert.deepStrictEqual([error.stage, error.code], ["Server", "ETIMEDOUT"])
        assert.deepStrictEqual(stages(error.entries), ["Dns", "Connect", "Send", "Server"])
        const wait = error.entries.at(-1)!
        assert.isAtLeast(wait.durationMillis, 100)
        assert.strictEqual(wait.note, "failed here: ETIMEDOUT")
        assert.include(error.message, "no complete answer within 150ms")
        yield* connections(sockets, 0)
      }))

    it.live("Server, for a connection closed without an answer", () =>
      Effect.gen(function*() {
        const { port } = yield* serve((request) => request.socket.destroy())
        const error = yield* Effect.flip(Probe.probe({ url: `http://127.0.0.1:${port}/` }))
        assert.deepStrictEqual([error.stage, error.code], ["Server", "ECONNRESET"])
      }))

    it.live("Server, for an answer that is not HTTP", () =>
      Effect.gen(function*() {
        const { port } = yield* listen(() => net.createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n")))
        const error = yield* Effect.flip(Probe.probe({ url: `http://127.0.0.1:${port}/` }))
        assert.strictEqual(error.stage, "Server")
        assert.match(error.code, /^HPE_/)
      }))

    it.live("Response, for a body that was cut, and for one that stalls", () =>
      Effect.gen(function*() {
        const cut = yield* serve((request, response) => {
          response.writeHead(200, { "content-length": "100" })
          response.write("half", () => request.socket.destroy())
        })
        const first = yield* Effect.flip(Probe.probe({ url: `http://127.0.0.1:${cut.port}/` }))
        assert.deepStrictEqual([first.stage, first.code], ["Response", "ECONNRESET"])
        const stalled = yield* serve((_, response) => response.writeHead(200).write("half"))
        const second = yield* Effect.flip(
          Probe.probe({ url: `http://127.0.0.1:${stalled.port}/`, timeout: "150 millis" })
        )
        assert.deepStrictEqual([second.stage, second.code], ["Response", "ETIMEDOUT"])
        assert.deepStrictEqual(stages(second.entries), ["Dns", "Connect", "Send", "Response"])
      }))

    it.live("Send, for a request that the server does not read", () =>
      Effect.gen(function*() {
        const { port } = yield* listen(() => net.createServer((socket) => socket.pause()))
        const error = yield* Effect.flip(
          Probe.probe({
            url: `http://127.0.0.1:${port}/`,
            method: "POST",
            body: "x".repeat(50_000_000),
            timeout: "400 millis"
          })
        )
        assert.deepStrictEqual([error.stage, error.code], ["Send", "ETIMEDOUT"])
      }))

    it.live("Tls, for a port that speaks plain HTTP or nothing", () =>
      Effect.gen(function*() {
        const plain = yield* serve((_, response) => response.end())
        const first = yield* Effect.flip(Probe.probe({ url: `https://127.0.0.1:${plain.port}/` }))
        assert.strictEqual(first.stage, "Tls")
        const silent = yield* listen(() => net.createServer(() => {}))
        const second = yield* Effect.flip(
          Probe.probe({ url: `https://127.0.0.1:${silent.port}/`, timeout: "150 millis" })
        )
        assert.deepStrictEqual([second.stage, second.code], ["Tls", "ETIMEDOUT"])
      }))

    it.live("before anything was sent, for what cannot be sent", () =>
      Effect.gen(function*() {
        const code = (options: Probe.ProbeOptions) =>
          Probe.probe(options).pipe(Effect.flip, Effect.map((error) => [error.stage, error.code, error.entries.length]))
        const url = "http://127.0.0.1:9/"
        assert.deepStrictEqual(yield* code({ url: "/users" }), ["Dns", "ERR_INVALID_URL", 0])
        assert.deepStrictEqual(yield* code({ url: "ftp://x/" }), ["Dns", "ERR_INVALID_PROTOCOL", 0])
        assert.deepStrictEqual(yield* code({ url, method: "GE T" }), ["Send", "ERR_INVALID_HTTP_TOKEN", 0])
        assert.deepStrictEqual(yield* code({ url, headers: { a: "b\r\nc: d" } }), ["Send", "ERR_INVALID_CHAR", 0])
      }))
  })

  it.live("destroys the socket when it is interrupted", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* serve(() => {})
      const fiber = yield* Effect.forkChild(Probe.probe({ url: `http://127.0.0.1:${port}/` }), {
        startImmediately: true
      })
      yield* connections(sockets, 1)
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      yield* connections(sockets, 0)
    }))

  it.live("is an error that survives encoding", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Probe.probe({ url: "ftp://x/" }))
      const json = JSON.stringify(yield* Schema.encodeEffect(Probe.ProbeError)(error))
      const back = yield* Schema.decodeUnknownEffect(Probe.ProbeError)(JSON.parse(json))
      assert.strictEqual(back.message, error.message)
    }))

  describe.skipIf(spawnSync("openssl", ["version"]).status !== 0)("over TLS", () => {
    const secure = (handler: http.RequestListener) =>
      Effect.gen(function*() {
        const directory = mkdtempSync(join(tmpdir(), "probe-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true })))
        const key = join(directory, "key.pem")
        const cert = join(directory, "cert.pem")
        const made = spawnSync(
          "openssl",
          `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost
            -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`.split(/\s+/)
        )
        assert.strictEqual(made.status, 0, made.stderr.toString())
        const pem = readFileSync(cert, "utf8")
        const server = yield* listen(() => https.createServer({ key: readFileSync(key), cert: pem }, handler))
        return { ...server, pem }
      })

    it.live("times the handshake apart and names its version", () =>
      Effect.gen(function*() {
        const { pem, port } = yield* secure((_, response) => response.end("safe"))
        const result = yield* Probe.probe({ url: `https://localhost:${port}/`, ca: pem })
        assert.deepStrictEqual([result.status, result.body, result.tlsVersion], [200, "safe", "TLSv1.3"])
        assert.deepStrictEqual(stages(result.entries), ["Dns", "Connect", "Tls", "Send", "Response"])
        assert.isAbove(result.entries[2]?.durationMillis ?? 0, 0)
        assert.deepStrictEqual(result.timeline.notOnRoad, [])
      }))

    it.live("fails in Tls for a certificate that nobody signed, and for another host's", () =>
      Effect.gen(function*() {
        const { pem, port } = yield* secure((_, response) => response.end())
        const first = yield* Effect.flip(Probe.probe({ url: `https://localhost:${port}/` }))
        assert.deepStrictEqual([first.stage, first.code], ["Tls", "DEPTH_ZERO_SELF_SIGNED_CERT"])
        const second = yield* Effect.flip(Probe.probe({ url: `https://127.0.0.1:${port}/`, ca: pem }))
        assert.deepStrictEqual([second.stage, second.code], ["Tls", "ERR_TLS_CERT_ALTNAME_INVALID"])
        const third = yield* Probe.probe({ url: `https://127.0.0.1:${port}/`, rejectUnauthorized: false })
        assert.strictEqual(third.status, 200)
      }))
  })
})
