import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LoadBalancer } from "effect-lifecycle/gateway"
import { type Recorder, Recorder as Recorders } from "effect-lifecycle/lifecycle"
import { Deadline } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { ask, closedPort, gateway, rawUpstream, until, upstream } from "../gateway/harness.ts"

describe("T06 what a gateway makes up by itself is neither success nor failure of a target", () => {
  const local: ReadonlyArray<readonly [name: string, call: Effect.Effect<unknown, unknown>]> = [
    ["a deadline that had passed before the call began", Effect.never.pipe(Deadline.within(0))],
    ["a bulkhead that is full", Effect.fail({ _tag: "BulkheadRejected" })],
    ["an interruption", Effect.interrupt]
  ]
  for (const [name, call] of local) {
    it.effect(`${name} leaves an ejected target's probe free`, () =>
      Effect.gen(function*() {
        const balancer = yield* LoadBalancer.make({
          name: "users",
          targets: [{ id: "a" }],
          ejection: { failures: 1, duration: "1 second" }
        })
        yield* Effect.exit(Effect.scoped(balancer.use(() => Effect.fail("down"))))
        yield* TestClock.adjust("1 second")
        yield* Effect.exit(Effect.scoped(balancer.use(() => call)))
        const [state] = yield* balancer.snapshot
        assert.deepStrictEqual([state?.circuit.state, state?.circuit.probes, state?.available], ["HalfOpen", 0, true])
        yield* Effect.scoped(balancer.use(() => Effect.void))
        assert.strictEqual((yield* balancer.snapshot)[0]?.circuit.state, "Closed")
      }))
  }
})

describe("T32 the rows of the failure table that a gateway answers", () => {
  const rows = [
    ["no healthy backend", 502, "Balancer", Effect.map(closedPort, (port) => [`http://127.0.0.1:${port}`]), {
      upstream: { ejection: { failures: 1 } }
    }, 2],
    [
      "every backend fails",
      502,
      "Balancer",
      Effect.zipWith(closedPort, closedPort, (a, b) => [
        `http://127.0.0.1:${a}`,
        `http://127.0.0.1:${b}`
      ]),
      {},
      1
    ],
    [
      "every backend is slow",
      504,
      "Balancer",
      Effect.map(
        Effect.all([rawUpstream(() => {}), rawUpstream(() => {})]),
        (servers) => servers.map(({ origin }) => origin)
      ),
      { timeouts: { answer: "50 millis" } },
      1
    ],
    [
      "the upstream is not running",
      502,
      "Proxy",
      Effect.map(closedPort, (port) => [`http://127.0.0.1:${port}`]),
      {},
      1
    ],
    ["the upstream is slow", 504, "Proxy", Effect.map(rawUpstream(() => {}), ({ origin }) => [origin]), {
      timeouts: { answer: "50 millis" },
      upstream: { retries: { attempts: 1 } }
    }, 1],
    [
      "the worker crashes",
      502,
      "Proxy",
      Effect.map(
        rawUpstream((socket) => socket.once("data", () => socket.destroy())),
        ({ origin }) => [origin]
      ),
      {},
      1
    ],
    ["the body is too large", 413, "Proxy", Effect.succeed(["http://127.0.0.1:9"]), { limits: { bodyBytes: 2 } }, 1],
    ["too many requests of one address", 429, "Proxy", Effect.succeed(["http://127.0.0.1:9"]), {
      limits: { rate: { requests: 1, window: "1 minute" } }
    }, 2]
  ] as const
  for (const [name, status, stage, targets, more, times] of rows) {
    it.live(`${name}: ${status} from ${stage}, with the request's id and Via`, () =>
      Effect.gen(function*() {
        const { port } = yield* gateway(yield* targets, more)
        for (let n = 1; n < times; n++) yield* ask(port, "/")
        const body = status === 413 ? { method: "POST", body: "too large" } : {}
        const answer = yield* ask(port, "/", body)
        assert.deepInclude(answer.problem, { status, stage, requestId: answer.headers["x-request-id"] })
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.headers.via, "1.1 lifecycle-gateway")
        assert.strictEqual(answer.headers["cache-control"], "no-store")
      }))
  }

  it.live("499 where the client leaves: nobody is told, and the record says aborted", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      const server = yield* upstream(() => {})
      const { port } = yield* gateway([server.origin])
      yield* Effect.timeoutOption(ask(port, "/"), "80 millis")
      yield* until(() => reports.some((report) => report._tag === "ServerRequestEnded"))
      assert.deepInclude(reports.find((report) => report._tag === "ServerRequestEnded"), {
        status: 499,
        outcome: "aborted"
      })
    }).pipe(Recorders.recordTo((report) => void reports.push(report)))
  })
})

describe("T36 a failure of the gateway's own tells the client nothing of the inside", () => {
  it.live("names neither the target nor the error's code in a problem", () =>
    Effect.gen(function*() {
      const closed = yield* closedPort
      const { port } = yield* gateway([`http://127.0.0.1:${closed}`])
      for (let n = 0; n < 7; n++) {
        const { headers, problem, text } = yield* ask(port, "/")
        assert.sameMembers(Object.keys(problem), ["type", "title", "status", "instance", "requestId", "stage"])
        assert.notMatch(text + JSON.stringify(headers), new RegExp(`127\\.0\\.0\\.1|ECONN|${closed}|users`))
      }
    }))

  it.live("passes an upstream's own 500 on as it is", () =>
    Effect.gen(function*() {
      const server = yield* upstream((_request, response) => {
        response.writeHead(500, { "content-type": "application/problem+json" })
        response.end("{\"status\":500,\"stage\":\"Handler\"}")
      })
      const { port } = yield* gateway([server.origin])
      assert.deepStrictEqual((yield* ask(port, "/")).problem, { status: 500, stage: "Handler" })
    }))
})
