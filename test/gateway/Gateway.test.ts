import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Gateway } from "effect-lifecycle/gateway"
import { type Recorder, Recorder as Recorders } from "effect-lifecycle/lifecycle"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as net from "node:net"
import * as tls from "node:tls"
import {
  ask,
  certificate,
  config,
  gateway,
  hasOpenssl,
  listen,
  over2,
  say,
  session,
  until,
  upstream
} from "./harness.ts"

const named = (name: string) => upstream((request, response) => response.end(`${name} ${request.url}`))

describe("Gateway", () => {
  describe("routes", () => {
    it.live("leads by host and by the longest prefix, at whole segments", () =>
      Effect.gen(function*() {
        const [users, orders, shop, all] = [
          yield* named("users"),
          yield* named("orders"),
          yield* named("shop"),
          yield* named("all")
        ]
        const door = yield* Effect.flatMap(
          config({
            listen: { port: 0 },
            upstreams: {
              users: { targets: [users.origin] },
              orders: { targets: [orders.origin] },
              shop: { targets: [shop.origin] },
              all: { targets: [all.origin] }
            },
            routes: [
              { prefix: "/api", upstream: "all" },
              { prefix: "/api/users", strip: "/api", upstream: "users" },
              { prefix: "/api/orders/", strip: "/api", upstream: "orders" },
              { host: "*.shop.example", prefix: "/", upstream: "shop" },
              { host: "www.shop.example", prefix: "/api", upstream: "all" }
            ]
          }),
          Gateway.make
        )
        const get = (path: string, host = "x") =>
          Effect.map(ask(door.port, path, { headers: { host } }), ({ status, text }) => status === 200 ? text : status)
        assert.strictEqual(yield* get("/api/users"), "users /users")
        assert.strictEqual(yield* get("/api/users/7?x=/api"), "users /users/7?x=/api")
        assert.strictEqual(yield* get("/api/users?x"), "users /users?x")
        assert.strictEqual(yield* get("/api/usersx"), "all /api/usersx")
        assert.strictEqual(yield* get("/api/orders"), "orders /orders")
        assert.strictEqual(yield* get("/apix"), 404)
        assert.strictEqual(yield* get("/"), 404)
        assert.strictEqual(yield* get("/api/users", "a.b.shop.example:8080"), "shop /api/users")
        assert.strictEqual(yield* get("/api/users", "WWW.Shop.Example"), "all /api/users")
        assert.strictEqual(yield* get("/", "shop.example"), 404)
        const answer = yield* ask(door.port, "/none")
        assert.deepInclude(answer.problem, { status: 404, stage: "Proxy" })
        assert.strictEqual(answer.headers.via, "1.1 lifecycle-gateway")
        assert.strictEqual(answer.headers["x-request-id"], answer.problem["requestId"])
      }))
  })

  describe("limits", () => {
    it.live("answers 429 with the time to wait when an address has asked too often", () =>
      Effect.gen(function*() {
        const server = yield* named("users")
        const { port } = yield* gateway([server.origin], {
          trust: "loopback",
          limits: { rate: { requests: 3, window: "1 minute" } }
        })
        const from = (address: string) => ask(port, "/", { headers: { "x-forwarded-for": address } })
        for (let n = 0; n < 3; n++) assert.strictEqual((yield* from("203.0.113.7")).status, 200)
        const refused = yield* from("203.0.113.7")
        assert.deepInclude(refused.problem, { status: 429, stage: "Proxy" })
        assert.deepInclude(refused.headers, { "ratelimit-policy": "\"address\";q=3;w=60" })
        const wait = Number(refused.headers["retry-after"])
        assert.isTrue(wait >= 1 && wait <= 20, String(wait))
        assert.strictEqual((yield* from("203.0.113.8")).status, 200)
        // One customer has a whole IPv6 network.
        for (let n = 0; n < 3; n++) assert.strictEqual((yield* from(`2001:db8:1:2::${n}`)).status, 200)
        assert.strictEqual((yield* from("2001:db8:1:2:ffff::1")).status, 429)
        assert.strictEqual((yield* from("2001:db8:1:3::1")).status, 200)
      }))

    it.live("answers 503 with Retry-After for its own overload, and serves those it has taken", () =>
      Effect.gen(function*() {
        const release: Array<() => void> = []
        const server = yield* upstream((_request, response) => void release.push(() => response.end("done")))
        const { port } = yield* gateway([server.origin], { limits: { concurrency: 2 } })
        const taken = yield* Effect.forkChild(
          Effect.forEach([1, 2], () => ask(port, "/"), { concurrency: 2 }),
          { startImmediately: true }
        )
        yield* until(() => release.length === 2)
        const refused = yield* ask(port, "/")
        assert.deepInclude(refused.problem, { status: 503, stage: "Proxy" })
        assert.match(String(refused.headers["retry-after"]), /^\d+$/)
        for (const end of release) end()
        assert.deepStrictEqual((yield* Fiber.join(taken)).map((answer) => answer.text), ["done", "done"])
      }))

    it.live("takes no more connections than it may", () =>
      Effect.gen(function*() {
        const server = yield* named("users")
        const door = yield* gateway([server.origin], { limits: { connections: 3 } })
        const closed: Array<number> = []
        const sockets = Array.from({ length: 6 }, (_, index) => {
          const socket = net.connect(door.port, "127.0.0.1")
          socket.on("error", () => {})
          socket.on("close", () => closed.push(index))
          return socket
        })
        yield* until(() => closed.length === 3)
        assert.strictEqual((yield* door.snapshot).connections, 3)
        for (const socket of sockets) socket.destroy()
      }))
  })

  describe("reload", () => {
    const leading = (origin: string, more: object = {}) =>
      config({
        listen: { port: 0 },
        upstreams: { users: { targets: [origin] }, kept: { targets: ["http://127.0.0.1:9"] } },
        routes: [{ prefix: "/", upstream: "users" }],
        ...more
      })

    it.live("puts the new routes in place while requests of the old ones end", () =>
      Effect.gen(function*() {
        let finish = () => {}
        const before = yield* upstream((request, response) => {
          if (request.url === "/slow") finish = () => response.end("old")
          else response.end("old")
        })
        const after = yield* named("new")
        const door = yield* Effect.flatMap(leading(before.origin), Gateway.make)
        const slow = yield* Effect.forkChild(ask(door.port, "/slow"), { startImmediately: true })
        yield* until(() => before.sockets.size === 1)
        yield* Effect.sleep("30 millis")
        yield* Effect.flatMap(leading(after.origin), door.reload)
        assert.strictEqual((yield* ask(door.port, "/x")).text, "new /x")
        finish()
        assert.strictEqual((yield* Fiber.join(slow)).text, "old")
        // The pool that is gone lets go of its connections.
        yield* until(() => before.sockets.size === 0)
      }))

    it.live("keeps what the circuits of an unchanged upstream know", () =>
      Effect.gen(function*() {
        const server = yield* named("users")
        const door = yield* Effect.flatMap(leading(server.origin), Gateway.make)
        yield* ask(door.port, "/")
        yield* Effect.flatMap(leading(server.origin, { limits: { bodyBytes: 5 } }), door.reload)
        assert.strictEqual((yield* door.snapshot).upstreams["users"]?.[0]?.calls, 1)
        assert.strictEqual((yield* ask(door.port, "/", { method: "POST", body: "123456" })).status, 413)
      }))

    it.live("refuses what only a restart can change, and keeps the old configuration", () =>
      Effect.gen(function*() {
        const server = yield* named("users")
        const door = yield* Effect.flatMap(leading(server.origin), Gateway.make)
        const moved = yield* leading("http://127.0.0.1:1", { listen: { port: 1 } })
        const error = yield* Effect.flip(door.reload(moved))
        assert.deepStrictEqual(error.problems, [
          { path: "listen.port", message: "It cannot change from 0 to 1 without a restart" }
        ])
        assert.strictEqual((yield* ask(door.port, "/")).text, "users /")
        // What says the same in more words is no change.
        const same = { port: 0, host: "127.0.0.1" }
        yield* Effect.flatMap(leading(server.origin, { listen: same, limits: { headerBytes: 16_384 } }), door.reload)
        const elsewhere = yield* leading(server.origin, {
          listen: { port: 0, host: "::1" },
          limits: { headerBytes: 2048 }
        })
        assert.deepStrictEqual(
          (yield* Effect.flip(door.reload(elsewhere))).problems.map(({ path }) => path),
          ["listen.host", "limits.headerBytes"]
        )
      }))
  })

  describe("the end", () => {
    it.live("stops listening, lets requests end and closes idle connections", () =>
      Effect.gen(function*() {
        let finish = () => {}
        const server = yield* upstream((_request, response) => finish = () => response.end("done"))
        const scope = yield* Scope.make()
        const door = yield* Scope.provide(gateway([server.origin], { timeouts: { drain: "5 seconds" } }), scope)
        const agent = new http.Agent({ keepAlive: true })
        const idle = net.connect(door.port, "127.0.0.1")
        let idleClosed = false
        idle.on("close", () => idleClosed = true)
        const running = yield* Effect.forkChild(ask(door.port, "/", { agent }), { startImmediately: true })
        yield* until(() => server.sockets.size === 1)
        yield* Effect.sleep("30 millis")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        yield* until(() => idleClosed)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(ask(door.port, "/"))))
        finish()
        assert.strictEqual((yield* Fiber.join(running)).text, "done")
        yield* Fiber.join(closing).pipe(Effect.timeout("2 seconds"))
        agent.destroy()
      }))

    it.live("ends what takes longer than the drain time", () =>
      Effect.gen(function*() {
        const server = yield* upstream(() => {})
        const scope = yield* Scope.make()
        const door = yield* Scope.provide(gateway([server.origin], { timeouts: { drain: "100 millis" } }), scope)
        const running = yield* Effect.forkChild(Effect.exit(ask(door.port, "/")), { startImmediately: true })
        yield* until(() => server.sockets.size === 1)
        yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("3 seconds"))
        assert.isTrue(Exit.isFailure(yield* Fiber.join(running).pipe(Effect.timeout("3 seconds"))))
        yield* until(() => server.sockets.size === 0)
      }))
  })

  it.live("says that its port is taken", () =>
    Effect.gen(function*() {
      const taken = yield* listen(() => net.createServer())
      const error = yield* Effect.flip(gateway(["http://127.0.0.1:1"], { listen: { port: taken.port } }))
      assert.strictEqual(error._tag, "ListenError")
      assert.include(error.message, `127.0.0.1:${taken.port} is taken by another process`)
    }))

  it.live("reports each request with its route, and the stages Balancer and Proxy in its span", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      const server = yield* named("users")
      const { port } = yield* gateway([server.origin], { name: "door", route: { prefix: "/api" } })
      const answer = yield* ask(port, "/api/users?token=secret", { method: "POST", body: "x" })
      yield* ask(port, "/other")
      yield* until(() => reports.filter((report) => report._tag === "ServerRequestEnded").length === 2)
      const ended = reports.filter((report) => report._tag === "ServerRequestEnded")
      assert.deepInclude(ended[0], {
        service: "door",
        method: "POST",
        scheme: "http",
        route: "/api/*",
        path: "/api/users",
        status: 200,
        outcome: "ok",
        stage: undefined,
        requestId: String(answer.headers["x-request-id"])
      })
      assert.deepInclude(ended[1], { route: undefined, status: 404, stage: "Proxy" })
      assert.isTrue((ended[0]?.endNanos ?? 0n) > (ended[0]?.startNanos ?? 0n))
      const stages = reports.flatMap((report) =>
        report._tag === "StagesTimed" ? report.stages.map(({ stage }) => stage) : []
      )
      assert.deepStrictEqual(stages, ["Proxy", "Balancer"])
      assert.notInclude(
        JSON.stringify(reports, (_, value) => typeof value === "bigint" ? String(value) : value),
        "secret"
      )
    }).pipe(Recorders.recordTo((report) => void reports.push(report)))
  })

  describe.skipIf(!hasOpenssl)("over TLS", () => {
    const secured = Effect.gen(function*() {
      const pem = yield* certificate
      const server = yield* upstream((request, response) => {
        let body = ""
        request.on("data", (chunk) => body += chunk)
        request.on("end", () => {
          response.setHeader("set-cookie", ["a=1", "b=2"])
          response.end(
            `${request.method} ${request.url} ${request.headers["x-forwarded-proto"]} ${request.headers.via} ${body}`
          )
        })
      })
      const door = yield* gateway([server.origin], {
        tls: { certificate: pem.certificate, key: pem.key },
        limits: { bodyBytes: 1000 }
      })
      return { ...door, pem }
    })

    it.live("speaks HTTP/1.1 to whoever asks for it", () => {
      const schemes: Array<string | undefined> = []
      return Effect.gen(function*() {
        const { pem, port } = yield* secured
        const text = yield* Effect.promise(() =>
          new Promise<string>((resolve, reject) => {
            const request = https.request({
              host: "127.0.0.1",
              port,
              path: "/x",
              ca: pem.certificate,
              agent: false
            }, (response) => {
              let text = ""
              response.on("data", (chunk) => text += chunk)
              response.on("end", () => resolve(text))
            })
            request.on("error", reject)
            request.end()
          })
        )
        assert.strictEqual(text, "GET /x https 1.1 lifecycle-gateway ")
        yield* until(() => schemes.length === 2)
        assert.deepStrictEqual(schemes, ["https", "https"])
      }).pipe(Recorders.recordTo((report) => {
        if (report._tag === "ServerRequestStarted" || report._tag === "ServerRequestEnded") schemes.push(report.scheme)
      }))
    })

    it.live("speaks HTTP/2 by ALPN, many requests on one connection", () =>
      Effect.gen(function*() {
        const { pem, port } = yield* secured
        const client = yield* session(port, pem.certificate)
        const answers = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => n),
          (n) => over2(client, { ":method": "POST", ":path": `/${n}` }, `body ${n}`),
          { concurrency: "unbounded" }
        )
        answers.forEach(({ headers, text }, n) => {
          assert.strictEqual(String(headers[":status"]), "200")
          assert.strictEqual(text, `POST /${n} https 2 lifecycle-gateway body ${n}`)
          assert.deepStrictEqual(headers["set-cookie"], ["a=1", "b=2"])
          assert.match(String(headers["x-request-id"]), /^[\w-]{36}$/)
        })
        assert.strictEqual((yield* over2(client, { ":path": "/" })).text, "GET / https 2 lifecycle-gateway ")
      }))

    it.live("answers problems over HTTP/2 too", () =>
      Effect.gen(function*() {
        const { pem, port } = yield* secured
        const client = yield* session(port, pem.certificate)
        const large = yield* over2(client, { ":method": "POST", ":path": "/" }, Buffer.alloc(5000))
        assert.strictEqual(String(large.headers[":status"]), "413")
        assert.include(large.text, "\"stage\":\"Proxy\"")
        const dots = yield* over2(client, { ":path": "/a/../b" })
        assert.strictEqual(String(dots.headers[":status"]), "400")
      }))

    it.live("breaks only the stream off when an upstream dies in the middle", () =>
      Effect.gen(function*() {
        const pem = yield* certificate
        const server = yield* upstream((request, response) => {
          if (request.url === "/whole") return void response.end("whole")
          response.writeHead(200, { "content-length": "100" })
          response.write("half")
          setTimeout(() => response.destroy(), 40)
        })
        const { port } = yield* gateway([server.origin], { tls: { certificate: pem.certificate, key: pem.key } })
        const client = yield* session(port, pem.certificate)
        const half = yield* over2(client, { ":path": "/half" })
        assert.strictEqual(half.text, "half")
        assert.notStrictEqual(half.code, http2.constants.NGHTTP2_NO_ERROR)
        assert.strictEqual((yield* over2(client, { ":path": "/whole" })).text, "whole")
      }))

    it.live("aborts the upstream's request when a stream is cancelled", () =>
      Effect.gen(function*() {
        const pem = yield* certificate
        const events: Array<string> = []
        const server = yield* upstream((_request, response) => {
          events.push("begin")
          response.on("close", () => events.push("closed"))
        })
        const { port } = yield* gateway([server.origin], { tls: { certificate: pem.certificate, key: pem.key } })
        const client = yield* session(port, pem.certificate)
        const stream = client.request({ ":path": "/" })
        stream.on("error", () => {})
        yield* until(() => events.length === 1)
        stream.close(http2.constants.NGHTTP2_CANCEL)
        yield* until(() => events.length === 2)
      }))

    it.live("shows a new certificate after a reload", () =>
      Effect.gen(function*() {
        const [first, second] = [yield* certificate, yield* certificate]
        const with_ = (pem: { readonly certificate: string; readonly key: string }) =>
          config({
            listen: { port: 0 },
            tls: { certificate: pem.certificate, key: pem.key },
            upstreams: { users: { targets: ["http://127.0.0.1:9"] } },
            routes: [{ prefix: "/", upstream: "users" }]
          })
        const door = yield* Effect.flatMap(with_(first), Gateway.make)
        const fingerprint = Effect.callback<string>((resume) => {
          const socket = tls.connect({ host: "127.0.0.1", port: door.port, rejectUnauthorized: false }, () => {
            resume(Effect.succeed(socket.getPeerCertificate().fingerprint256))
            socket.destroy()
          })
        })
        const before = yield* fingerprint
        yield* Effect.flatMap(with_(second), door.reload)
        assert.notStrictEqual(yield* fingerprint, before)
      }))

    it.live("ends HTTP/2 connections at shutdown after their requests", () =>
      Effect.gen(function*() {
        const pem = yield* certificate
        let finish = () => {}
        const server = yield* upstream((_request, response) => finish = () => response.end("done"))
        const scope = yield* Scope.make()
        const door = yield* Scope.provide(
          gateway([server.origin], {
            tls: { certificate: pem.certificate, key: pem.key },
            timeouts: { drain: "5 seconds" }
          }),
          scope
        )
        const client = yield* session(door.port, pem.certificate)
        const running = yield* Effect.forkChild(over2(client, { ":path": "/" }), { startImmediately: true })
        yield* until(() => server.sockets.size === 1)
        yield* Effect.sleep("30 millis")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        yield* Effect.sleep("50 millis")
        finish()
        assert.strictEqual((yield* Fiber.join(running)).text, "done")
        yield* Fiber.join(closing).pipe(Effect.timeout("2 seconds"))
      }))

    it.live("asks upstreams over https, and refuses a certificate it does not know", () =>
      Effect.gen(function*() {
        const pem = yield* certificate
        const server = yield* listen(() =>
          https.createServer({ cert: pem.certificate, key: pem.key }, (_request, response) => response.end("secret"))
        )
        const target = `https://127.0.0.1:${server.port}`
        const trusting = yield* gateway([target], { upstream: { authorities: pem.certificate } })
        assert.strictEqual((yield* ask(trusting.port, "/")).text, "secret")
        const strange = yield* gateway([target])
        assert.deepInclude((yield* ask(strange.port, "/")).problem, { status: 502, stage: "Proxy" })
      }))
  })

  it.live("answers clients of HTTP/1.0 without keeping their connection", () =>
    Effect.gen(function*() {
      const server = yield* named("users")
      const { port } = yield* gateway([server.origin])
      const answer = yield* say(port, "GET /old HTTP/1.0\r\nHost: x\r\n\r\n")
      assert.isTrue(answer.endsWith("users /old"), answer)
    }))
})
