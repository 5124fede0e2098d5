import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type Recorder, Recorder as Recorders } from "effect-lifecycle/lifecycle"
import { Logs } from "effect-lifecycle/observability"
import * as net from "node:net"
import { ask, closedPort, gateway, rawUpstream, say, until, upstream } from "./harness.ts"

type Ended = Recorder.ServerRequestEnded

/** Runs `work`, and gives the reports of the requests that ended. */
const ended = <A, E, R>(work: (reports: ReadonlyArray<Ended>) => Effect.Effect<A, E, R>) => {
  const reports: Array<Ended> = []
  return work(reports).pipe(
    Recorders.recordTo((report) => void (report._tag === "ServerRequestEnded" && reports.push(report)))
  )
}

const seen = ({ outcome, stage, status }: Ended) => [status, outcome, stage]

describe("the reports of a gateway", () => {
  it.live("call an answer of 500 and more failed, whoever gave it, and one below it ok", () =>
    ended((reports) =>
      Effect.gen(function*() {
        const server = yield* upstream((request, response) => {
          response.statusCode = Number(request.url?.slice(1))
          response.end()
        })
        const { port } = yield* gateway([server.origin], { upstream: { retries: { attempts: 1 } } })
        const statuses = [200, 304, 404, 429, 500, 502, 503, 504, 599]
        for (const status of statuses) {
          assert.strictEqual((yield* ask(port, `/${status}`)).status, status)
        }
        yield* until(() => reports.length === statuses.length)
        assert.deepStrictEqual(
          reports.map(seen),
          statuses.map((status) => [status, status < 500 ? "ok" : "failed", undefined])
        )
      })
    ))

  it.live("call the gateway's own 502, 503, 504 and 508 failed, and its 404 and 413 ok", () =>
    ended((reports) =>
      Effect.gen(function*() {
        const release: Array<() => void> = []
        const server = yield* upstream((_request, response) => void release.push(() => response.end()))
        const closed = yield* closedPort
        const dead = yield* gateway([`http://127.0.0.1:${closed}`], { route: { prefix: "/api" } })
        yield* ask(dead.port, "/api")
        yield* ask(dead.port, "/else")
        yield* ask(dead.port, "/api", { headers: { via: Array(8).fill("1.1 lifecycle-gateway").join(", ") } })
        const small = yield* gateway([server.origin], { limits: { bodyBytes: 3 } })
        yield* ask(small.port, "/", { method: "POST", body: "1234" })
        const slow = yield* gateway([server.origin], { timeouts: { answer: "30 millis" } })
        yield* ask(slow.port, "/", { method: "POST" })
        const full = yield* gateway([server.origin], { limits: { concurrency: 1 } })
        release.length = 0
        const taken = yield* Effect.forkChild(ask(full.port, "/"), { startImmediately: true })
        yield* until(() => release.length === 1)
        yield* ask(full.port, "/")
        release[0]?.()
        yield* Fiber.join(taken)
        yield* until(() => reports.length === 7)
        assert.deepStrictEqual(reports.map(seen), [
          [502, "failed", "Proxy"],
          [404, "ok", "Proxy"],
          [508, "failed", "Proxy"],
          [413, "ok", "Proxy"],
          [504, "failed", "Proxy"],
          [503, "failed", "Proxy"],
          [200, "ok", undefined]
        ])
      })
    ))

  it.live("call what the parser gives up on by its status too", () =>
    ended((reports) =>
      Effect.gen(function*() {
        const { port } = yield* gateway(["http://127.0.0.1:1"])
        yield* say(port, "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n")
        yield* say(port, "nonsense\r\n\r\n")
        yield* until(() => reports.length === 2)
        assert.deepStrictEqual(reports.map(seen), [[501, "failed", "Proxy"], [400, "ok", "Proxy"]])
      })
    ))

  it.live("call an answer that broke off failed, and one whose client left 499", () =>
    ended((reports) =>
      Effect.gen(function*() {
        const broken = yield* rawUpstream((socket) =>
          socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
        )
        const first = yield* gateway([broken.origin])
        yield* Effect.exit(ask(first.port, "/"))
        yield* until(() => reports.length === 1)
        const server = yield* upstream((_request, response) => void response.write("part"))
        const second = yield* gateway([server.origin])
        const client = net.connect(second.port, "127.0.0.1", () => client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        client.on("error", () => {})
        client.once("data", () => client.destroy())
        yield* until(() => reports.length === 2)
        assert.deepStrictEqual(reports.map(seen), [[200, "failed", "Proxy"], [499, "aborted", undefined]])
      })
    ))

  it.live("become lines whose level and outcome agree", () => {
    const lines: Array<string> = []
    return Effect.gen(function*() {
      const closed = yield* closedPort
      const { port } = yield* gateway([`http://127.0.0.1:${closed}`], { route: { prefix: "/api" } })
      yield* ask(port, "/api")
      yield* ask(port, "/else")
      yield* until(() => lines.length === 2)
      assert.deepStrictEqual(
        lines.map((line) => {
          const { level, outcome, status }: Record<string, unknown> = JSON.parse(line)
          return [level, outcome, status]
        }),
        [["ERROR", "failed", 502], ["INFO", "ok", 404]]
      )
    }).pipe(Effect.provide(Logs.layer({ service: "gateway", sink: (line) => void lines.push(line) })))
  })
})
