import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ReverseProxy, UpstreamPool } from "effect-lifecycle/gateway"
import { type Recorder, Recorder as Recorders } from "effect-lifecycle/lifecycle"
import type { EventEmitter } from "node:events"
import { Agent, createServer, type RequestListener } from "node:http"
import { ask, closedPort, gateway, listen, rawUpstream, until, upstream } from "./harness.ts"

const dying = rawUpstream((socket) => socket.once("data", () => socket.destroy()))

/** An upstream that answers with a status, and counts. */
const answering = (status: number, handler?: RequestListener) =>
  Effect.gen(function*() {
    const seen: Array<{ readonly method: string | undefined; readonly attempt: unknown; body: string }> = []
    const server = yield* upstream((request, response) => {
      const entry = { method: request.method, attempt: request.headers["x-request-attempt"], body: "" }
      seen.push(entry)
      request.on("data", (chunk) => entry.body += chunk)
      request.on("end", () => {
        if (handler !== undefined) return handler(request, response)
        response.writeHead(status)
        response.end(String(status))
      })
    })
    return { ...server, seen }
  })

describe("another upstream", () => {
  for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
    it.live(`is asked for ${method} when the first one dies`, () =>
      Effect.gen(function*() {
        const [dead, alive] = [yield* dying, yield* answering(200)]
        const { port } = yield* gateway([dead.origin, alive.origin])
        const answer = yield* ask(port, "/", { method })
        assert.strictEqual(answer.status, 200)
        assert.match(String(alive.seen[0]?.attempt), /^2;kind=retry;/)
      }))
  }

  for (const method of ["POST", "PATCH"]) {
    it.live(`is not asked for ${method} when the first one may have seen it`, () =>
      Effect.gen(function*() {
        const [dead, alive] = [yield* dying, yield* answering(200)]
        const { port } = yield* gateway([dead.origin, alive.origin])
        assert.deepInclude((yield* ask(port, "/", { method, body: "x" })).problem, { status: 502, stage: "Proxy" })
        assert.strictEqual(alive.seen.length, 0)
      }))
  }

  it.live("is asked for POST with an idempotency key, as long as the body can be sent again", () =>
    Effect.gen(function*() {
      const headers = { "idempotency-key": "k-1" }
      for (const [buffer, status] of [["request", 200], ["none", 502]] as const) {
        const [dead, alive] = [yield* dying, yield* answering(200)]
        const { port } = yield* gateway([dead.origin, alive.origin], { route: { buffer } })
        const answer = yield* ask(port, "/", { method: "POST", body: "the body", headers })
        assert.strictEqual(answer.status, status)
        assert.deepStrictEqual(alive.seen.map((request) => request.body), status === 200 ? ["the body"] : [])
      }
    }))

  it.live("is asked whatever the method where no connection stood: nothing was sent", () =>
    Effect.gen(function*() {
      const closed = yield* closedPort
      const alive = yield* answering(200)
      const { port } = yield* gateway([`http://127.0.0.1:${closed}`, alive.origin])
      const headers = { "transfer-encoding": "chunked" }
      const answer = yield* ask(port, "/", { method: "POST", body: "streamed", headers })
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(alive.seen.map((request) => request.body), ["streamed"])
    }))

  it.live("is asked after 503, and the better answer wins; a 500 is an answer", () =>
    Effect.gen(function*() {
      const [busy, alive, broken] = [yield* answering(503), yield* answering(200), yield* answering(500)]
      const first = yield* gateway([busy.origin, alive.origin])
      assert.strictEqual((yield* ask(first.port, "/")).text, "200")
      const second = yield* gateway([broken.origin, alive.origin])
      assert.strictEqual((yield* ask(second.port, "/")).text, "500")
      const third = yield* gateway([busy.origin, alive.origin])
      assert.strictEqual((yield* ask(third.port, "/", { method: "POST", body: "x" })).text, "503")
    }))

  it.live("gives the upstream's own 503 when all of them say so", () =>
    Effect.gen(function*() {
      const servers = [yield* answering(503), yield* answering(503)]
      const { port } = yield* gateway(servers.map((server) => server.origin))
      const answer = yield* ask(port, "/")
      assert.deepInclude(answer, { status: 503, text: "503" })
      assert.deepStrictEqual(servers.map((server) => server.seen.length), [1, 1])
    }))

  it.live("is not asked once a byte of the answer was passed on", () =>
    Effect.gen(function*() {
      const broken = yield* rawUpstream((socket) =>
        socket.once("data", () => {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
          setTimeout(() => socket.destroy(), 30)
        })
      )
      const alive = yield* answering(200)
      const { port } = yield* gateway([broken.origin, alive.origin])
      assert.deepInclude(yield* ask(port, "/"), { status: 200, text: "half", complete: false })
      assert.strictEqual(alive.seen.length, 0)
    }))

  it.live("is asked only within the budget", () =>
    Effect.gen(function*() {
      const [dead, alive] = [yield* dying, yield* answering(200)]
      const { port } = yield* gateway([dead.origin, alive.origin], {
        upstream: { retries: { ratio: 0, minimumPerSecond: 0 }, ejection: { failures: 1000 } }
      })
      const statuses: Array<number> = []
      for (let n = 0; n < 6; n++) statuses.push((yield* ask(port, "/")).status)
      assert.deepStrictEqual(statuses.toSorted(), [200, 200, 200, 502, 502, 502])
    }))

  it.live("is asked no more often than attempts says", () =>
    Effect.gen(function*() {
      let connections = 0
      const dead = Array.from({ length: 4 }, () =>
        rawUpstream((socket) => {
          connections++
          socket.once("data", () => socket.destroy())
        }))
      const servers = yield* Effect.all(dead)
      const { port } = yield* gateway(servers.map((server) => server.origin), {
        upstream: { retries: { attempts: 3 } }
      })
      // Several targets were tried, so it is the balancer that has nobody.
      assert.deepInclude((yield* ask(port, "/")).problem, { status: 502, stage: "Balancer" })
      assert.strictEqual(connections, 3)
    }))

  it.live("is asked when the first one is slow, within the deadline; else 504", () =>
    Effect.gen(function*() {
      const silent = yield* rawUpstream(() => {})
      const alive = yield* answering(200)
      const more = { timeouts: { answer: "100 millis" } }
      const first = yield* gateway([silent.origin, alive.origin], more)
      assert.strictEqual((yield* ask(first.port, "/")).status, 200)
      const second = yield* gateway([silent.origin], { ...more, upstream: { retries: { attempts: 1 } } })
      assert.deepInclude((yield* ask(second.port, "/")).problem, { status: 504, stage: "Proxy" })
    }))
})

describe("the same target", () => {
  it.live("is not asked again when it is slow: the 504 comes after one answer time", () =>
    Effect.gen(function*() {
      const slow = yield* answering(200, () => {})
      const { port } = yield* gateway([slow.origin], { timeouts: { answer: "100 millis" } })
      assert.deepInclude((yield* ask(port, "/slow")).problem, { status: 504, stage: "Proxy" })
      assert.strictEqual(slow.seen.length, 1)
    }))

  it.live("is not asked again when it broke off, said 503, or refused", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const dying = yield* answering(200, (request) => {
        asked.push("dying")
        request.socket.destroy()
      })
      const busy = yield* answering(503, (_request, response) => {
        asked.push("busy")
        response.writeHead(503, { "retry-after": "30" }).end("busy")
      })
      const ofDying = yield* gateway([dying.origin])
      assert.deepInclude((yield* ask(ofDying.port, "/")).problem, { status: 502, stage: "Proxy" })
      const ofBusy = yield* gateway([busy.origin])
      const answer = yield* ask(ofBusy.port, "/")
      assert.deepInclude(answer, { status: 503, text: "busy" })
      assert.strictEqual(answer.headers["retry-after"], "30")
      assert.deepStrictEqual(asked, ["dying", "busy"])
      const closed = yield* closedPort
      const ofClosed = yield* gateway([`http://127.0.0.1:${closed}`])
      assert.deepInclude((yield* ask(ofClosed.port, "/")).problem, { status: 502, stage: "Proxy" })
      assert.strictEqual((yield* ofClosed.snapshot).upstreams["users"]?.[0]?.calls, 1)
    }))

  it.live("is not asked again when the others are out, and nothing is taken from the budget for it", () =>
    Effect.gen(function*() {
      const closed = yield* closedPort
      const busy = yield* answering(503)
      const reports: Array<Recorder.Report> = []
      yield* Effect.gen(function*() {
        const { port } = yield* gateway([`http://127.0.0.1:${closed}`, busy.origin], {
          upstream: { ejection: { failures: 1, duration: "1 minute" }, retries: { attempts: 5 } }
        })
        // The first request takes the closed one out.
        assert.strictEqual((yield* ask(port, "/")).status, 503)
        const before = busy.seen.length
        reports.length = 0
        assert.deepInclude(yield* ask(port, "/"), { status: 503, text: "503" })
        assert.strictEqual(busy.seen.length, before + 1)
      }).pipe(Recorders.recordTo((report) => void reports.push(report)))
      assert.deepStrictEqual(reports.filter(({ _tag }) => _tag === "RetryDelayed" || _tag.startsWith("Budget")), [])
    }))

  it.live("is asked again, once, where a kept connection was closed meanwhile", () =>
    Effect.gen(function*() {
      const used = new WeakSet<object>()
      let crashes = false
      let asked = 0
      const server = yield* upstream((request, response) => {
        asked++
        // The second request on a connection finds it closed.
        if (crashes || used.has(request.socket)) return void request.socket.destroy()
        used.add(request.socket)
        response.end("ok")
      })
      const { port } = yield* gateway([server.origin], { upstream: { retries: { attempts: 5 } } })
      for (let n = 0; n < 3; n++) assert.strictEqual((yield* ask(port, "/")).status, 200)
      assert.strictEqual(asked, 5)
      // It may have seen it, and done what it was asked.
      assert.strictEqual((yield* ask(port, "/", { method: "POST", body: "x" })).status, 502)
      assert.strictEqual(asked, 6)
      yield* ask(port, "/")
      crashes = true
      assert.strictEqual((yield* ask(port, "/")).status, 502)
      assert.strictEqual(asked, 9)
    }))

  it.live("is asked again only where there is no other, so that a dead process costs one repeat", () =>
    Effect.gen(function*() {
      const [dead, alive] = [
        yield* answering(200, (request, response) => {
          if (dead.seen.length === 1) return void response.end("alive once")
          request.socket.destroy()
        }),
        yield* answering(200)
      ]
      const { port } = yield* gateway([dead.origin, alive.origin], {
        upstream: { balance: "least-in-flight", ejection: { failures: 100 } }
      })
      for (let n = 0; n < 8; n++) assert.strictEqual((yield* ask(port, "/")).status, 200)
      assert.isAbove(dead.seen.length, 2)
    }))
})

describe("a target that does not work", () => {
  it.live("is left out after failures in a row, and asked again after a while", () =>
    Effect.gen(function*() {
      let broken = true
      let asked = 0
      const flaky = yield* upstream((request, response) => {
        asked++
        if (broken) request.socket.destroy()
        else response.end("flaky")
      })
      const steady = yield* answering(200)
      const door = yield* gateway([flaky.origin, steady.origin], {
        upstream: { ejection: { failures: 2, duration: "2 seconds" } }
      })
      for (let n = 0; n < 10; n++) assert.strictEqual((yield* ask(door.port, "/")).status, 200)
      assert.strictEqual(asked, 2)
      const [state] = (yield* door.snapshot).upstreams["users"] ?? []
      assert.deepInclude(state, { available: false })
      broken = false
      yield* Effect.sleep("2020 millis")
      const texts: Array<string> = []
      for (let n = 0; n < 4; n++) texts.push((yield* ask(door.port, "/")).text)
      assert.include(texts, "flaky")
    }))

  it.live("makes 502 from the balancer, with nothing sent, when there is no other", () =>
    Effect.gen(function*() {
      let connections = 0
      const dead = yield* rawUpstream((socket) => {
        connections++
        socket.destroy()
      })
      const { port } = yield* gateway([dead.origin], {
        upstream: { ejection: { failures: 1, duration: "1 minute" }, retries: { attempts: 1 } }
      })
      assert.deepInclude((yield* ask(port, "/")).problem, { status: 502, stage: "Proxy" })
      const answer = yield* ask(port, "/")
      assert.deepInclude(answer.problem, { status: 502, stage: "Balancer", title: "No upstream is available" })
      assert.strictEqual(connections, 1)
    }))

  it.live("is not blamed for the deadline of an impatient client", () =>
    Effect.gen(function*() {
      const slow = yield* upstream((_request, response) => void setTimeout(() => response.end("late"), 100))
      const door = yield* gateway([slow.origin], { upstream: { ejection: { failures: 1 } } })
      for (let n = 0; n < 3; n++) {
        const answer = yield* ask(door.port, "/", { headers: { "x-request-timeout": "0.02" } })
        assert.deepInclude(answer.problem, { status: 504, title: "The deadline of the request has passed" })
      }
      assert.strictEqual((yield* ask(door.port, "/")).text, "late")
    }))

  it.live("is found by its health check, and found again", () =>
    Effect.gen(function*() {
      let status = 200
      const checks: Array<string | undefined> = []
      const server = yield* upstream((request, response) => {
        if (request.url === "/ready") {
          checks.push(request.headers["user-agent"])
          response.writeHead(status)
        }
        response.end("ok")
      })
      const door = yield* gateway([server.origin], {
        upstream: { health: { path: "/ready", interval: "20 millis", healthyAfter: 1, unhealthyAfter: 2 } }
      })
      yield* until(() => checks.length > 1)
      assert.strictEqual((yield* ask(door.port, "/")).status, 200)
      status = 503
      const seen = checks.length
      yield* until(() => checks.length > seen + 3)
      assert.deepInclude((yield* ask(door.port, "/")).problem, { status: 502, stage: "Balancer" })
      status = 200
      const later = checks.length
      yield* until(() => checks.length > later + 2)
      assert.strictEqual((yield* ask(door.port, "/")).status, 200)
    }))
})

describe("connections to upstreams", () => {
  it.live("are kept and used again", () =>
    Effect.gen(function*() {
      const alive = yield* answering(200)
      const { port } = yield* gateway([alive.origin])
      for (let n = 0; n < 5; n++) yield* ask(port, "/", { method: "POST", body: "x" })
      assert.strictEqual(alive.sockets.size, 1)
    }))

  it.live("are left as they were found, on both sides, after bodies both ways", () =>
    Effect.gen(function*() {
      const listeners: Array<ReadonlyArray<number>> = []
      const pool = yield* UpstreamPool.make({
        name: "users",
        targets: [(yield* answering(200, (_, response) => response.end("x".repeat(100_000)))).origin]
      })
      const proxy = ReverseProxy.make({ pool })
      const upstreams = pool.balancer.targets[0]!.connection.agent as Agent
      const run = Effect.runForkWith(yield* Effect.context())
      const count = (emitter: EventEmitter | undefined) =>
        emitter?.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0) ?? -1
      const door = yield* listen(() =>
        createServer((request, response) => {
          const [idle] = Object.values(upstreams.freeSockets).flatMap((sockets) => sockets ?? [])
          listeners.push([count(request.socket), count(idle)])
          run(proxy.handle(request, response))
        })
      )
      const agent = yield* Effect.acquireRelease(
        Effect.sync(() => new Agent({ keepAlive: true, maxSockets: 1 })),
        (agent) => Effect.sync(() => agent.destroy())
      )
      for (let n = 0; n < 20; n++) {
        const { text } = yield* ask(door.port, "/", { method: "POST", body: "y".repeat(1000), agent })
        assert.lengthOf(text, 100_000)
      }
      assert.strictEqual(door.sockets.size, 1)
      assert.deepStrictEqual(listeners.at(-1), listeners[2])
    }))

  it.live("that the upstream closes while idle cost an idempotent request nothing", () =>
    Effect.gen(function*() {
      const server = yield* upstream((_request, response) => {
        response.end("ok")
        response.socket?.setTimeout(30)
      })
      const { port } = yield* gateway([server.origin])
      for (let n = 0; n < 4; n++) {
        assert.strictEqual((yield* ask(port, "/")).status, 200)
        yield* Effect.sleep("45 millis")
      }
    }))
})
