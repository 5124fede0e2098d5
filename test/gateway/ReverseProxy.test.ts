import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import { ask, gateway, say, upstream } from "./harness.ts"

/** An upstream that keeps the heads of what it was asked. */
const recording = Effect.gen(function*() {
  const seen: Array<IncomingMessage> = []
  const server = yield* upstream((request, response) => {
    seen.push(request)
    request.resume()
    response.end("ok")
  })
  const last = () => {
    const request = seen.at(-1)
    if (request === undefined) throw new Error("the upstream was not asked")
    return request
  }
  return { ...server, seen, last }
})

describe("ReverseProxy", () => {
  it.live("passes method, path, query, status, body and repeated headers on", () =>
    Effect.gen(function*() {
      const server = yield* upstream((request, response) => {
        let body = ""
        request.on("data", (chunk) => body += chunk)
        request.on("end", () => {
          response.writeHead(201, { "x-seen": `${request.method} ${request.url}`, "set-cookie": ["a=1", "b=2"] })
          response.end(`got ${body}`)
        })
      })
      const { port } = yield* gateway([server.origin])
      const answer = yield* ask(port, "/users?x=1&y=%20", { method: "POST", body: "hello" })
      assert.deepInclude(answer, { status: 201, text: "got hello", complete: true })
      assert.strictEqual(answer.headers["x-seen"], "POST /users?x=1&y=%20")
      assert.deepStrictEqual(answer.headers["set-cookie"], ["a=1", "b=2"])
    }))

  describe("request headers", () => {
    it.live("removes what belongs to one connection, and what Connection names", () =>
      Effect.gen(function*() {
        const server = yield* recording
        const { port } = yield* gateway([server.origin])
        const headers = {
          connection: "close, X-Hop, x-forwarded-for, authorization, host",
          "x-hop": "1",
          "keep-alive": "timeout=5",
          "proxy-authorization": "Basic secret",
          te: "trailers",
          "proxy-connection": "keep-alive",
          authorization: "Bearer token",
          "x-kept": "yes"
        }
        yield* ask(port, "/", { headers })
        const got = server.last().headers
        for (const name of ["x-hop", "keep-alive", "proxy-authorization", "te", "proxy-connection"]) {
          assert.notProperty(got, name)
        }
        // No client may take away what frames, addresses or authorises a request, nor what this hop adds.
        assert.deepInclude(got, { "x-kept": "yes", authorization: "Bearer token", "x-forwarded-for": "127.0.0.1" })
        assert.strictEqual(got.connection, "keep-alive")
        assert.strictEqual(got.host, `127.0.0.1:${port}`)
      }))

    it.live("believes nothing that a stranger says about itself", () =>
      Effect.gen(function*() {
        const server = yield* recording
        const { port } = yield* gateway([server.origin], { trust: "none" })
        const headers = {
          "x-forwarded-for": "6.6.6.6",
          "x-forwarded-proto": "https",
          "x-forwarded-host": "evil.example",
          "x-real-ip": "6.6.6.6",
          "X_Forwarded_For": "6.6.6.6",
          "x-original-url": "/admin",
          forwarded: "for=6.6.6.6",
          "x-request-id": "chosen",
          "x-request-priority": "critical",
          "x-service-name": "orders",
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          via: "1.0 before"
        }
        const answer = yield* ask(port, "/", { headers })
        const got = server.last().headers
        assert.deepInclude(got, {
          "x-forwarded-for": "127.0.0.1",
          "x-forwarded-proto": "http",
          "x-forwarded-host": `127.0.0.1:${port}`,
          "x-real-ip": "127.0.0.1",
          "x-request-priority": "normal",
          via: "1.0 before, 1.1 lifecycle-gateway"
        })
        for (const name of ["x_forwarded_for", "x-original-url", "forwarded", "x-service-name"]) {
          assert.notProperty(got, name)
        }
        assert.notInclude(JSON.stringify(got), "6.6.6.6")
        assert.notInclude(String(got.traceparent), "0af7651916cd43dd8448eb211c80319c")
        assert.notStrictEqual(got["x-request-id"], "chosen")
        assert.strictEqual(got["x-request-id"], answer.headers["x-request-id"])
      }))

    it.live("passes on what a trusted hop says, and adds itself", () =>
      Effect.gen(function*() {
        const server = yield* recording
        const { port } = yield* gateway([server.origin], { trust: "loopback" })
        const headers = {
          "x-forwarded-for": "9.9.9.9, 203.0.113.7",
          "x-forwarded-proto": "https",
          "x-forwarded-host": "shop.example",
          "x-request-id": "order-42",
          "x-request-priority": "low",
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        }
        const answer = yield* ask(port, "/", { headers })
        const got = server.last().headers
        assert.deepInclude(got, {
          "x-forwarded-for": "9.9.9.9, 203.0.113.7, 127.0.0.1",
          "x-forwarded-proto": "https",
          "x-forwarded-host": "shop.example",
          // The nearest hop that is not ours: what stands left of it, the client could have written itself.
          "x-real-ip": "203.0.113.7",
          "x-request-id": "order-42",
          "x-request-priority": "low"
        })
        assert.include(String(got.traceparent), "0af7651916cd43dd8448eb211c80319c")
        assert.strictEqual(answer.headers["x-request-id"], "order-42")
      }))

    it.live("removes internal headers from requests and answers, however they are spelled", () =>
      Effect.gen(function*() {
        const server = yield* upstream((request, response) => {
          response.setHeader("x-internal-cost", "3")
          response.end(Object.keys(request.headers).join(" "))
        })
        const { port } = yield* gateway([server.origin], { internalHeaders: ["x-internal-*", "X-User-Id"] })
        const headers = { "X-Internal-Role": "admin", "x_internal_role": "admin", "x-user-id": "1", "x-user-idea": "2" }
        const answer = yield* ask(port, "/", { headers })
        assert.notMatch(answer.text, /internal|x-user-id(?!e)/)
        assert.include(answer.text, "x-user-idea")
        assert.notProperty(answer.headers, "x-internal-cost")
      }))

    it.live("says how much time is left, never more than it grants", () =>
      Effect.gen(function*() {
        const server = yield* recording
        const { port } = yield* gateway([server.origin], { timeouts: { request: "10 seconds" } })
        for (const [asked, most] of [["2", 2], ["500", 10], [undefined, 10]] as const) {
          yield* ask(port, "/", { headers: asked === undefined ? {} : { "x-request-timeout": asked } })
          const left = Number(server.last().headers["x-request-timeout"])
          assert.isTrue(left <= most && left > most - 1.5, `${asked} became ${left}`)
        }
      }))

    it.live("cuts the stripped prefix, and puts it before references in the answer", () =>
      Effect.gen(function*() {
        const server = yield* upstream((request, response) => {
          response.writeHead(201, { location: "/users/7", "content-location": `http://${"other.example"}/x` })
          response.end(`${request.url} ${request.headers["x-forwarded-prefix"]}`)
        })
        const { port } = yield* gateway([server.origin], { route: { prefix: "/api/users", strip: "/api" } })
        const answer = yield* ask(port, "/api/users?page=2")
        assert.strictEqual(answer.text, "/users?page=2 /api")
        assert.strictEqual(answer.headers.location, "/api/users/7")
        assert.strictEqual(answer.headers["content-location"], "http://other.example/x")
      }))

    it.live("does not show the target's own origin in a redirect", () =>
      Effect.gen(function*() {
        const server = yield* upstream((_request, response) => {
          response.writeHead(302, { location: `${server.origin}/login` })
          response.end()
        })
        const { port } = yield* gateway([server.origin])
        assert.strictEqual((yield* ask(port, "/")).headers.location, "/login")
      }))

    it.live("takes the host of an absolute target instead of Host", () =>
      Effect.gen(function*() {
        const server = yield* recording
        const { port } = yield* gateway([server.origin])
        yield* say(port, "GET http://real.example/x HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n")
        assert.strictEqual(server.last().headers.host, "real.example")
        assert.strictEqual(server.last().url, "/x")
      }))
  })

  describe("answer headers", () => {
    it.live("removes what belongs to one connection, and what Connection names", () =>
      Effect.gen(function*() {
        const server = yield* upstream((_request, response) => {
          response.writeHead(
            200,
            [
              ["connection", "keep-alive, x-hop"],
              ["x-hop", "1"],
              ["proxy-authenticate", "Basic"],
              ["keep-alive", "timeout=77"],
              ["upgrade", "h2c"],
              ["via", "1.0 inner"],
              ["x-kept", "yes"],
              ["server", "app/1"]
            ].flat()
          )
          response.end("ok")
        })
        const { port } = yield* gateway([server.origin], { name: "door" })
        const { headers } = yield* ask(port, "/")
        for (const name of ["x-hop", "proxy-authenticate", "upgrade"]) assert.notProperty(headers, name)
        assert.notStrictEqual(headers["keep-alive"], "timeout=77")
        assert.deepInclude(headers, { via: "1.0 inner, 1.1 door", "x-kept": "yes", server: "app/1" })
      }))

    it.live("answers HEAD with the length of the body and no body", () =>
      Effect.gen(function*() {
        const server = yield* upstream((_request, response) => {
          response.setHeader("content-length", "5")
          response.end("hello")
        })
        const { port } = yield* gateway([server.origin])
        assert.deepInclude(yield* ask(port, "/", { method: "HEAD" }), { status: 200, text: "", complete: true })
        const raw = yield* say(port, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert.include(raw.toLowerCase(), "content-length: 5")
        assert.isTrue(raw.endsWith("\r\n\r\n"), raw)
      }))

    it.live("passes 204 and 304 on without a body", () =>
      Effect.gen(function*() {
        const server = yield* upstream((request, response) => {
          response.writeHead(request.url === "/204" ? 204 : 304, { etag: "\"1\"" })
          response.end()
        })
        const { port } = yield* gateway([server.origin])
        assert.strictEqual((yield* ask(port, "/204")).status, 204)
        assert.deepInclude(yield* ask(port, "/304"), { status: 304, text: "", complete: true })
      }))

    it.live("passes trailers on to a client that reads them", () =>
      Effect.gen(function*() {
        const server = yield* upstream((_request, response) => {
          response.writeHead(200, { trailer: "x-sum" })
          response.write("body")
          response.addTrailers({ "x-sum": "42", "set-cookie": "no=1" })
          response.end()
        })
        const { port } = yield* gateway([server.origin])
        const raw = yield* say(port, "GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n")
        assert.include(raw, "x-sum: 42")
        assert.notInclude(raw, "set-cookie")
        assert.notInclude(yield* say(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "x-sum: 42")
      }))

    it.live("passes early hints on", () =>
      Effect.gen(function*() {
        const server = yield* upstream((_request, response) => {
          response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" }, () => response.end("ok"))
        })
        const { port } = yield* gateway([server.origin])
        const raw = yield* say(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert.isTrue(raw.startsWith("HTTP/1.1 103 Early Hints"), raw)
        assert.include(raw.toLowerCase(), "link: </style.css>")
        assert.include(raw, "HTTP/1.1 200 OK")
      }))
  })

  it.live("keeps a client at its target by a cookie that tells nothing, and hides the cookie from the target", () =>
    Effect.gen(function*() {
      const cookies: Array<string | undefined> = []
      const named = (name: string) =>
        upstream((request, response) => {
          cookies.push(request.headers.cookie)
          response.end(name)
        })
      const servers = [yield* named("a"), yield* named("b"), yield* named("c")]
      const { port } = yield* gateway(servers.map((server) => server.origin), {
        upstream: { sticky: { cookie: "stay" } }
      })
      const first = yield* ask(port, "/")
      const [cookie = ""] = first.headers["set-cookie"] ?? []
      assert.match(cookie, /^stay=[\w-]{16}; Path=\/; HttpOnly; SameSite=Lax$/)
      const value = cookie.split(";")[0] ?? ""
      for (let n = 0; n < 5; n++) {
        const again = yield* ask(port, "/", { headers: { cookie: `theme=dark; ${value}` } })
        assert.strictEqual(again.text, first.text)
        assert.notProperty(again.headers, "set-cookie")
      }
      assert.deepStrictEqual(cookies.slice(1), Array.from({ length: 5 }, () => "theme=dark"))
      const forged = yield* ask(port, "/", { headers: { cookie: "stay=AAAAAAAAAAAAAAAA" } })
      assert.isDefined(forged.headers["set-cookie"])
    }))
})
