import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, Schedule, Scope } from "effect"
import { Stage } from "effect-lifecycle/lifecycle"
import { Journal } from "effect-lifecycle/observability"
import { Authentication, LifecyclePage, RouteMatch, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { listener } from "./harness.ts"

const secret = "canary-90aa77"
const tokens = Authentication.layerTokens(Redacted.make("token123:alice,token456:bob,token789:orders-service"))

const Work = Layer.mergeAll(
  HttpRouter.add("GET", "/work/:id", HttpServerResponse.text("done")),
  HttpRouter.add("POST", "/work", HttpServerResponse.text("done")),
  HttpRouter.add("GET", "/bug", Effect.die(new Error(secret)))
)

/** A service on a real socket, with its own journal; gives its address. */
const service = Effect.fnUntraced(function*(
  name: string,
  options: Omit<LifecyclePage.Options, "journal"> = {},
  exempt = LifecyclePage.open
) {
  const page = LifecyclePage.layer({ journal: Journal.Journal, ...options })
  const layer = ServerStack.serve(Layer.merge(Work, page), {
    service: name,
    authentication: Authentication.stage({ exempt })
  }).pipe(
    Layer.provide(tokens),
    Layer.provideMerge(listener),
    Layer.provide(Journal.layer({ service: name }))
  )
  const context = yield* Layer.build(Layer.fresh(layer))
  return HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
})

const alice = { authorization: "Bearer token123" }

const get = (url: string, init: RequestInit = { headers: alice }) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    const text = await response.text()
    const headers = Object.fromEntries(response.headers)
    // oxlint-disable-next-line typescript/no-explicit-any
    const body: any = /json/.test(headers["content-type"] ?? "") ? JSON.parse(text) : undefined
    return { status: response.status, headers, text, body }
  })

const work = (url: string, id: string, path = "/work/1") =>
  get(`${url}${path}`, { headers: { ...alice, "x-request-id": id } })

/** An access report follows its answer, so this asks until the story is there. */
const told = (url: string) =>
  get(url).pipe(
    Effect.filterOrFail(({ status }) => status === 200),
    Effect.retry(Schedule.upTo(Schedule.spaced("10 millis"), { duration: "3 seconds" })),
    Effect.orDie
  )

interface Message {
  readonly event: string
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
}

/** The messages of a stream as they come, for as long as the scope is open. */
const listen = (url: string, headers: Record<string, string> = alice) =>
  Effect.gen(function*() {
    const controller = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (controller) => Effect.sync(() => controller.abort())
    )
    const messages: Array<Message> = []
    const response = yield* Effect.promise(() => fetch(url, { headers, signal: controller.signal }))
    const ended = (async () => {
      let rest = ""
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split("\n\n")
        rest = parts.pop() ?? ""
        for (const part of parts) {
          const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(part) ?? []
          if (event !== undefined && data !== undefined) messages.push({ event, data: JSON.parse(data) })
        }
      }
    })().catch(() => {})
    const until = (found: (message: Message) => boolean) =>
      Effect.suspend(() => {
        const message = messages.find(found)
        return message === undefined ? Effect.fail("not yet") : Effect.succeed(message)
      }).pipe(Effect.retry(Schedule.upTo(Schedule.spaced("10 millis"), { duration: "10 seconds" })), Effect.orDie)
    return { response, messages, until, ended }
  })

const scripts = ["page", "cards", "dom", "requests", "services", "standing", "story", "stream"]
  .map((name) => `/${name}.mjs`)
const files: ReadonlyArray<readonly [string, string]> = [
  ["", "text/html"],
  ["/page.css", "text/css"],
  ...scripts.map((path) => [path, "text/javascript"] as const)
]

describe("LifecyclePage", () => {
  it("lists and colours the stages from the balancer inwards in the order of the road", () => {
    const read = (name: string) => readFileSync(new URL(`../../src/server/page/${name}`, import.meta.url), "utf8")
    const inwards = Stage.StageName.literals.slice(Stage.StageName.literals.indexOf("Balancer"))
    const listed = /^const road = \[([^\]]*)\]/m.exec(read("requests.mjs"))?.[1]
    assert.deepStrictEqual(Array.from(listed?.matchAll(/\w+/g) ?? [], ([name]) => name), inwards)
    for (const stage of inwards) assert.include(read("page.css"), `[data-stage="${stage}"]`)
  })

  it.live("is files that load nothing from elsewhere, and that need no token", () =>
    Effect.gen(function*() {
      const url = yield* service("orders")
      for (const [path, type] of files) {
        const { headers, status, text } = yield* get(`${url}/lifecycle${path}`, {})
        assert.strictEqual(status, 200, path)
        assert.strictEqual(headers["content-type"], `${type}; charset=utf-8`)
        const policy = headers["content-security-policy"] ?? ""
        assert.include(policy, "default-src 'none'")
        assert.notMatch(policy, /unsafe|https?:|\*/)
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.notMatch(text, /(src|href)=["']?(https?:)?\/\/|url\(|@import|import\(/)
        // The page is whole: what one file imports is another of them.
        for (const [, name = ""] of text.matchAll(/^import .* from "([^"]*)"/gm)) {
          assert.include(scripts, name.replace(/^\./, ""))
        }
        assert.isAtMost(text.split("\n").length, 300, path)
        assert.notMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b| on\w+=|<style|style=/)
      }
    }))

  it.live("leads from the address with a slash at its end to the one without", () =>
    Effect.gen(function*() {
      const url = yield* service("orders")
      const { headers, status } = yield* get(`${url}/lifecycle/`, { redirect: "manual" })
      assert.deepStrictEqual([status, headers["location"]], [308, "../lifecycle"])
      assert.strictEqual((yield* get(`${url}/lifecycle/`, {})).status, 200)
    }))

  it.live("gives what the journal holds only to whoever has a token", () =>
    Effect.gen(function*() {
      const url = yield* service("orders")
      yield* work(url, "r-1")
      for (const path of ["/story?id=r-1", "/story?id=r-1&scope=own", "/events", "/events?scope=own"]) {
        for (const headers of [{}, { authorization: "Bearer guess" }, { authorization: "" }]) {
          const { body, headers: answered, status } = yield* get(`${url}/lifecycle${path}`, { headers })
          assert.strictEqual(status, 401, path)
          assert.match(answered["www-authenticate"] ?? "", /^Bearer/)
          assert.strictEqual(body.stage, "Security")
        }
      }
    }))

  it.live("gives it only to whoever the service allows, and to nobody in particular where routes need no token", () =>
    Effect.gen(function*() {
      const url = yield* service("orders", { allow: ({ id }) => id === "alice" })
      yield* work(url, "r-1")
      yield* told(`${url}/lifecycle/story?id=r-1`)
      const bob = { authorization: "Bearer token456" }
      assert.strictEqual((yield* get(`${url}/lifecycle/story?id=r-1`, { headers: bob })).status, 403)
      assert.strictEqual((yield* get(`${url}/lifecycle/events`, { headers: bob })).status, 403)

      const careless = yield* service("careless", {}, ["/*"])
      yield* work(careless, "r-1")
      assert.strictEqual((yield* get(`${careless}/lifecycle/story?id=r-1`)).status, 403)
    }))

  it.live("is refused to other machines", () =>
    Effect.gen(function*() {
      const seen: Array<string | undefined> = []
      const url = yield* service("orders", {
        trust: (address) => {
          seen.push(address)
          return false
        }
      })
      for (const path of [...files.map(([path]) => path), "/story?id=r-1", "/events"]) {
        const { body, status } = yield* get(`${url}/lifecycle${path}`)
        assert.deepStrictEqual([status, body.type], [403, "urn:problem:forbidden"], path)
      }
      assert.deepStrictEqual([...new Set(seen)], ["127.0.0.1"])
      // By the socket, whatever a header says.
      const near = yield* service("near")
      const answer = yield* get(`${near}/lifecycle`, { headers: { "x-forwarded-for": "203.0.113.9" } })
      assert.strictEqual(answer.status, 200)
    }))

  it.live("tells a request, and says so when it knows nothing of one", () =>
    Effect.gen(function*() {
      const url = yield* service("orders")
      yield* work(url, "r-1")
      const { body } = yield* told(`${url}/lifecycle/story?id=r-1`)
      assert.deepStrictEqual([body.requestId, body.services, body.away], ["r-1", ["orders"], []])
      assert.strictEqual(body.lines[0].what, "orders GET /work/:id")
      const stages = body.parts[0].part.stages.map(({ stage }: { readonly stage: string }) => stage)
      for (const stage of ["Server", "Middleware", "Security", "Router", "Handler"]) assert.include(stages, stage)

      const long = "x".repeat(128)
      yield* work(url, long)
      assert.strictEqual((yield* told(`${url}/lifecycle/story?id=${long}`)).body.requestId, long)

      for (
        const id of [
          "",
          "r-1&id=r-1",
          "r-2",
          "..%2F..%2Fetc",
          "%0d%0ax",
          "a".repeat(129),
          encodeURIComponent("<script>")
        ]
      ) {
        const { body, status, text } = yield* get(`${url}/lifecycle/story?id=${id}`)
        assert.deepStrictEqual([status, body.type], [404, "urn:problem:story-unknown"], id)
        assert.notInclude(text, "script")
      }
    }))

  it.live("joins the stories of its neighbours, asked with their own token, and names who is away", () =>
    Effect.gen(function*() {
      const asked: Array<string | undefined> = []
      const strange = yield* Effect.acquireRelease(
        Effect.promise(() =>
          new Promise<ReturnType<typeof createServer>>((resolve) => {
            const server = createServer((request, response) => {
              asked.push(request.headers.authorization)
              response.writeHead(200, { "content-type": "application/json" }).end("{\"parts\":[{\"nonsense\":true}]}")
            })
            server.listen(0, "127.0.0.1", () => resolve(server))
          })
        ),
        (server) => Effect.sync(() => server.close())
      )
      const token = Redacted.make("token789")
      const users = yield* service("users")
      const url = yield* service("orders", {
        neighbours: [
          { name: "users", url: users, token },
          { name: "strange", url: `http://127.0.0.1:${(strange.address() as AddressInfo).port}`, token },
          { name: "gone", url: "http://127.0.0.1:1", token }
        ]
      })
      yield* work(url, "both")
      yield* work(users, "both")
      yield* work(users, "theirs")
      yield* told(`${users}/lifecycle/story?id=both`)
      yield* told(`${url}/lifecycle/story?id=both&scope=own`)
      const { body } = yield* told(`${url}/lifecycle/story?id=both`)
      assert.deepStrictEqual(body.services.toSorted(), ["orders", "users"])
      assert.deepStrictEqual(body.away, ["strange", "gone"])
      assert.deepStrictEqual([...new Set(asked)], ["Bearer token789"])

      yield* told(`${users}/lifecycle/story?id=theirs`)
      assert.strictEqual((yield* get(`${url}/lifecycle/story?id=theirs`)).status, 200)
      assert.strictEqual((yield* get(`${url}/lifecycle/story?id=theirs&scope=own`)).status, 404)
      const { body: nothing, status } = yield* get(`${url}/lifecycle/story?id=nothing`)
      assert.deepStrictEqual([status, nothing.detail], [404, "strange and gone did not answer"])
    }))

  it.live(
    "sends what was, what ends, and how the guards stand, here and at the neighbours",
    () =>
      Effect.gen(function*() {
        const users = yield* service("users")
        const url = yield* service("orders", {
          neighbours: Effect.sync(() => [
            { name: "users", url: users, token: Redacted.make("token789") },
            { name: "gone", url: "http://127.0.0.1:1", token: Redacted.make("token789") },
            { name: "strict", url: users, token: Redacted.make("unknown") }
          ]),
          events: Effect.succeed([
            { position: 1, category: "Order", id: "o-1", version: 1, type: "OrderPlaced", at: 0, requestId: "before" }
          ])
        })
        yield* work(url, "before")
        yield* told(`${url}/lifecycle/story?id=before`)
        const { messages, response, until } = yield* listen(`${url}/lifecycle/events`)
        assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
        yield* until(({ data, event }) => event === "part" && data.requestId === "before")
        assert.deepStrictEqual(messages[0], {
          event: "hello",
          data: { service: "orders", neighbours: ["users", "gone", "strict"] }
        })
        yield* until(({ data, event }) => event === "standing" && data.service === "users")
        const { data: standing } = yield* until(({ data, event }) => event === "standing" && data.service === "orders")
        assert.strictEqual(standing.events[0].type, "OrderPlaced")
        const away = yield* until(({ data, event }) => event === "away" && data.service === "gone")
        assert.strictEqual(away.data.reason, "it could not be reached")
        const strict = yield* until(({ data, event }) => event === "away" && data.service === "strict")
        assert.strictEqual(strict.data.reason, "it answered 401")

        yield* work(url, "here", "/work/7")
        yield* work(users, "there")
        const here = yield* until(({ data, event }) => event === "part" && data.requestId === "here")
        assert.strictEqual(here.data.request.route, "/work/:id")
        const there = yield* until(({ data, event }) => event === "part" && data.requestId === "there")
        assert.strictEqual(there.data.service, "users")
        // Watching is no request worth watching.
        assert.notInclude(JSON.stringify(messages), "/lifecycle")

        const own = yield* listen(`${url}/lifecycle/events?scope=own`)
        yield* own.until(({ event }) => event === "standing")
        assert.deepStrictEqual(own.messages[0]?.data, { service: "orders", neighbours: [] })
      }),
    20_000
  )

  it.live(
    "tells what the other processes of the service have served, and names the one that does not answer",
    () =>
      Effect.gen(function*() {
        const token = Redacted.make("token789")
        const second = yield* service("orders")
        const hanging = yield* Effect.acquireRelease(
          Effect.promise(() =>
            new Promise<ReturnType<typeof createServer>>((resolve) => {
              const server = createServer(() => {})
              server.listen(0, "127.0.0.1", () => resolve(server))
            })
          ),
          (server) => Effect.sync(() => (server.closeAllConnections(), server.close()))
        )
        const first = yield* service("orders", {
          siblings: Effect.succeed([
            { name: "orders (worker 2)", url: second, token },
            { name: "orders (worker 3)", url: `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`, token }
          ])
        })
        const users = yield* service("users", { neighbours: [{ name: "orders", url: first, token }] })
        yield* work(second, "r-1")
        yield* told(`${second}/lifecycle/story?id=r-1`)
        assert.strictEqual((yield* get(`${first}/lifecycle/story?id=r-1&scope=own`)).status, 404)

        const ofService = yield* get(`${first}/lifecycle/story?id=r-1&scope=service`)
        assert.strictEqual(ofService.body.parts.length, 1)
        assert.deepStrictEqual([ofService.body.service, ofService.body.away], ["orders", ["orders (worker 3)"]])
        // Through a neighbour, which waits longer than the process that hangs is waited for.
        for (const url of [first, users]) {
          const { body } = yield* get(`${url}/lifecycle/story?id=r-1`)
          assert.deepStrictEqual([body.services, body.away], [["orders"], ["orders (worker 3)"]])
        }
        const nobody = yield* get(`${users}/lifecycle/story?id=nobody`)
        assert.deepStrictEqual([nobody.status, nobody.body.away], [404, ["orders (worker 3)"]])
      }),
    20_000
  )

  it.live(
    "sends what ends in the other processes of the service, and how each of them stands",
    () =>
      Effect.gen(function*() {
        const token = Redacted.make("token789")
        const second = yield* service("orders")
        const first = yield* service("orders", {
          siblings: [
            { name: "orders (worker 2)", url: second, token },
            { name: "orders (worker 3)", url: "http://127.0.0.1:1", token }
          ]
        })
        const users = yield* service("users", { neighbours: [{ name: "orders", url: first, token }] })
        for (const url of [first, users]) {
          const { messages, until } = yield* listen(`${url}/lifecycle/events`)
          for (const name of ["orders", "orders (worker 2)"]) {
            yield* until(({ data, event }) => event === "standing" && data.service === name)
          }
          const away = yield* until(({ data, event }) => event === "away" && data.service === "orders (worker 3)")
          assert.strictEqual(away.data.reason, "it could not be reached")
          const id = `there-${new URL(url).port}`
          yield* work(second, id)
          const part = yield* until(({ data, event }) => event === "part" && data.requestId === id)
          assert.strictEqual(part.data.service, "orders")
          const names = url === first ? ["orders (worker 2)", "orders (worker 3)"] : ["orders"]
          assert.deepStrictEqual(messages[0]?.data.neighbours, names)
        }
      }),
    20_000
  )

  it.live("never shows what a request carried", () =>
    Effect.gen(function*() {
      const url = yield* service("orders")
      const { messages, until } = yield* listen(`${url}/lifecycle/events`)
      const headers = {
        ...alice,
        "x-request-id": "r-1",
        cookie: secret,
        "user-agent": secret,
        "x-service-name": secret,
        traceparent: secret,
        "x-request-timeout": secret,
        "x-request-priority": secret
      }
      yield* get(`${url}/work/${secret}?q=${secret}`, { headers })
      yield* get(`${url}/${secret}`, { headers })
      yield* get(`${url}/bug`, { headers: { ...headers, "x-request-id": "bug" } })
      yield* get(`${url}/work`, { method: "POST", body: secret, headers: { ...headers, "content-type": "text/plain" } })
      yield* get(`${url}/work/1`, { headers: { ...headers, authorization: `Bearer ${secret}` } })
      yield* until(({ data, event }) => event === "part" && data.request.status === 401)
      const { text } = yield* told(`${url}/lifecycle/story?id=r-1`)
      const { text: bug } = yield* told(`${url}/lifecycle/story?id=bug`)
      assert.include(bug, "a bug, caught in Handler")
      assert.notInclude(text + bug + JSON.stringify(messages), secret)
    }))

  it.live("lets a server that drains go: its streams end at once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const url = yield* Effect.provideService(service("orders"), Scope.Scope, scope)
      const { ended, until } = yield* listen(`${url}/lifecycle/events`)
      yield* until(({ event }) => event === "standing")
      const began = performance.now()
      yield* Scope.close(scope, Exit.void)
      // The listener's grace period is two seconds.
      assert.isBelow(performance.now() - began, 1700)
      yield* Effect.promise(() => ended)
    }))

  it("lets only the page's own files through without a token", () => {
    const isOpen = RouteMatch.make(LifecyclePage.open)
    for (const path of files.map(([path]) => `/lifecycle${path}`)) {
      assert.isTrue(isOpen({ method: "GET", path }))
    }
    for (const path of ["/lifecycle/story", "/lifecycle/events"]) assert.isFalse(isOpen({ method: "GET", path }))
  })
})
