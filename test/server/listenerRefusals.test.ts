/** What Node answers before any code of ours runs, byte by byte over real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { Deadlines, ServerStack } from "effect-lifecycle/server"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { connect } from "node:net"
import { ask, bearer, tokens } from "./harness.ts"
import { recording } from "./records.ts"

const echo = Effect.flatMap(
  HttpServerRequest.HttpServerRequest,
  (request) => Effect.map(request.text, (text) => HttpServerResponse.text(text))
)

const server = (
  reports: Array<Recorder.Report> = [],
  listener: Partial<NodeListener.Options> = {},
  deadlines: Deadlines.Options = {}
) =>
  ServerStack.serve(
    Layer.mergeAll(
      HttpRouter.add("GET", "/", HttpServerResponse.text("ok")),
      HttpRouter.add("GET", "/slow", Effect.delay(Effect.succeed(HttpServerResponse.text("slow")), "200 millis")),
      HttpRouter.add("POST", "/echo", echo)
    ),
    { service: "x", deadlines: Deadlines.stage(deadlines) }
  ).pipe(
    Layer.provide(tokens),
    Layer.provideMerge(NodeListener.layer({ port: 0, service: "x", ...listener })),
    Layer.provide(recording(reports))
  )

const port = Effect.map(
  HttpServer.HttpServer,
  ({ address }) => Number(new URL(HttpServer.formatAddress(address)).port)
)

/** Sends each part a little after the one before, and all that comes back until the other side closes. */
const say = (...parts: ReadonlyArray<string | Buffer>) =>
  Effect.flatMap(port, (port) =>
    Effect.callback<string>((resume) => {
      let answer = ""
      const socket = connect(port, "127.0.0.1", () => {
        const next = (index: number) => {
          const part = parts[index]
          if (part === undefined || socket.destroyed) return
          socket.write(part)
          setTimeout(next, 40, index + 1)
        }
        next(0)
      })
      socket.setNoDelay(true)
      socket.on("error", () => resume(Effect.succeed(`${answer}<reset>`)))
      socket.on("data", (chunk) => answer += chunk)
      socket.on("close", () => resume(Effect.succeed(answer)))
    }))

interface Problem {
  readonly status: number
  readonly type: string
  readonly requestId: string
  readonly stage: string
}

/** The last answer on the wire, which must be a problem of the house, and its one report. */
const problemIn = (answer: string, status: number, reports: ReadonlyArray<Recorder.Report>): Problem => {
  const last = answer.slice(answer.lastIndexOf("HTTP/1.1 "))
  assert.isTrue(last.startsWith(`HTTP/1.1 ${status} `), answer)
  const [head = "", body = ""] = last.split("\r\n\r\n")
  const headers = head.toLowerCase()
  assert.include(headers, "content-type: application/problem+json")
  assert.include(headers, "x-content-type-options: nosniff")
  assert.include(headers, "connection: close")
  const date = /^date: (.+)$/m.exec(headers)?.[1]?.trim()
  assert.isBelow(Math.abs(Date.parse(date ?? "") - Date.now()), 10_000, answer)
  assert.include(headers, `content-length: ${Buffer.byteLength(body)}`)
  const problem: Problem = JSON.parse(body)
  assert.deepInclude(problem, { status })
  assert.include(headers, `x-request-id: ${problem.requestId}`)
  const ended = reports.filter((report) => report._tag === "ServerRequestEnded" && report.status === status)
  assert.deepStrictEqual(
    ended.map((report) => report._tag === "ServerRequestEnded" ? [report.requestId, report.stage] : []),
    [[problem.requestId, problem.stage]]
  )
  return problem
}

const head = (line: string, ...headers: ReadonlyArray<string>) =>
  [line, "host: x", `authorization: ${bearer.authorization}`, ...headers, "", ""].join("\r\n")

const big = "a".repeat(20_000)
const cases: ReadonlyArray<readonly [name: string, status: number, ...parts: ReadonlyArray<string | Buffer>]> = [
  ["nonsense", 400, "no such thing\r\n\r\n"],
  ["the hello of TLS", 400, Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 0xc4, 3, 3])],
  ["a header with a zero byte", 400, "GET / HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n"],
  ["a length and chunks at once", 400, head("POST /echo HTTP/1.1", "transfer-encoding: chunked", "content-length: 3")],
  ["two lengths", 400, head("POST /echo HTTP/1.1", "content-length: 3", "content-length: 4")],
  ["no host", 400, "GET / HTTP/1.1\r\n\r\n"],
  ["an address that is too long", 414, `GET /${big} HTTP/1.1\r\nhost: x\r\n\r\n`],
  ["an address that is too long, in two packets", 414, `GET /${big.slice(9000)}`, `${big} HTTP/1.1\r\nhost: x\r\n\r\n`],
  [
    "an address too long for this server, not for its parser",
    414,
    head(`GET /${big.slice(0, 9000)} HTTP/1.1`, "connection: close")
  ],
  ["an expectation nobody has heard of", 417, head("GET / HTTP/1.1", "expect: tea", "connection: close")],
  ["headers that are too large", 431, head("GET / HTTP/1.1", `a: ${big}`)],
  [
    "headers that are too large, in two packets",
    431,
    `GET / HTTP/1.1\r\nhost: x\r\na: ${big.slice(9000)}`,
    `${big}\r\n\r\n`
  ],
  ["a method nobody has heard of", 501, "BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n"],
  ["a tunnel", 501, "CONNECT other:443 HTTP/1.1\r\nhost: other\r\n\r\n"],
  ["another version", 505, "GET / HTTP/3.0\r\nhost: x\r\n\r\n"],
  ["HTTP/2 in the words of HTTP/1", 505, "GET / HTTP/2.0\r\nhost: x\r\n\r\n"],
  ["HTTP/2 that waits for a 100", 505, head("POST /echo HTTP/2.0", "expect: 100-continue", "content-length: 3")],
  ["HTTP/2 that wants a WebSocket", 505, head("GET / HTTP/2.0", "connection: upgrade", "upgrade: websocket")],
  ["another version, in two packets", 505, "GET / HTTP", "/3.0\r\nhost: x\r\n\r\n"],
  ["HTTP/0.9, which has no version", 400, "GET /health/live\r\n\r\n"],
  ["HTTP/0.9 in words", 400, "GET /health/live HTTP/0.9\r\nhost: x\r\n\r\n"],
  ["a line that does not end as lines do", 400, "GET / HTTP/1.1\nhost: x\n\n"],
  ["a line whose version is none", 400, "GET / HTTP/one\r\nhost: x\r\n\r\n"],
  [
    "a transfer coding it does not undo",
    501,
    head("POST /echo HTTP/1.1", "transfer-encoding: gzip, chunked", "content-type: application/json"),
    "3\r\nabc\r\n0\r\n\r\n"
  ],
  [
    "a transfer coding it does not undo, in a header of its own",
    501,
    head("POST /echo HTTP/1.1", "transfer-encoding: deflate", "transfer-encoding: chunked"),
    "3\r\nabc\r\n0\r\n\r\n"
  ],
  [
    "chunks in chunks",
    400,
    head("POST /echo HTTP/1.1", "transfer-encoding: chunked, chunked", "content-type: application/json"),
    "3\r\nabc\r\n0\r\n\r\n"
  ],
  ["the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  [
    "extensions of chunks without end",
    413,
    head("POST /echo HTTP/1.1", "transfer-encoding: chunked", "content-type: application/json"),
    `3;${big}\r\n`
  ],
  [
    "a chunk without a size",
    400,
    head("POST /echo HTTP/1.1", "transfer-encoding: chunked", "content-type: application/json"),
    "3\r\nabc\r\nzz\r\n"
  ]
]

describe("what Node would answer by itself", () => {
  for (const [name, status, ...parts] of cases) {
    it.live(`answers ${name} with ${status}, as a problem that is reported once`, () => {
      const reports: Array<Recorder.Report> = []
      return Effect.gen(function*() {
        const answer = yield* say(...parts)
        problemIn(answer, status, reports)
        assert.strictEqual((yield* ask("/", { headers: bearer })).status, 200, "the server is well")
      }).pipe(Effect.provide(server(reports)))
    })
  }

  it.live("answers 408 for headers that never end, and for a connection that says nothing", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      problemIn(yield* say("GET / HTTP/1.1\r\nhost: x\r\n"), 408, reports)
      reports.length = 0
      assert.strictEqual(problemIn(yield* say(), 408, reports).stage, "Server")
    }).pipe(Effect.provide(server(reports, { headersTimeout: "200 millis" })))
  })

  it.live("answers 408 for a body that never ends, under the id the request has, and lets its handler go", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      const answer = yield* say(
        head("POST /echo HTTP/1.1", "content-type: application/json", "content-length: 10", "x-request-id: half-sent"),
        "abc"
      )
      const problem = problemIn(answer, 408, reports)
      assert.deepInclude(problem, { requestId: "half-sent", type: "urn:problem:request-timeout" })
      assert.deepInclude(reports.find((report) => report._tag === "ServerRequestEnded"), {
        method: "POST",
        route: "/echo",
        userId: "alice"
      })
    }).pipe(Effect.provide(server(reports, { headersTimeout: "200 millis", requestTimeout: "300 millis" })))
  })

  it.live("answers 408 too where the deadline of the server ends before the client has sent its body", () => {
    const reports: Array<Recorder.Report> = []
    const half = (...headers: ReadonlyArray<string>) =>
      say(head("POST /echo HTTP/1.1", "content-type: application/json", "content-length: 10", ...headers), "abc")
    return Effect.gen(function*() {
      problemIn(yield* half(), 408, reports)
      reports.length = 0
      const answer = yield* half("x-request-timeout: 0.1", "connection: close")
      assert.isTrue(answer.startsWith("HTTP/1.1 504 "), "the client itself asked for so little")
      assert.strictEqual((yield* ask("/slow", { headers: bearer })).status, 504, "and where nobody owes a body")
    }).pipe(Effect.provide(server(reports, {}, { default: "150 millis" })))
  })

  it.live("answers what came whole before it refuses what followed on the same connection", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      const answer = yield* say(head("GET /slow HTTP/1.1") + "no such thing\r\n\r\n")
      assert.isTrue(answer.startsWith("HTTP/1.1 200 "), answer)
      assert.include(answer, "\r\n\r\nslow")
      problemIn(answer, 400, reports)
    }).pipe(Effect.provide(server(reports)))
  })

  it.live("reads chunks however the coding is written", () =>
    Effect.gen(function*() {
      for (const coding of ["chunked", "Chunked", ", chunked"]) {
        const answer = yield* say(
          head(
            "POST /echo HTTP/1.1",
            `transfer-encoding: ${coding}`,
            "content-type: application/json",
            "connection: close"
          ),
          "3\r\nabc\r\n0\r\n\r\n"
        )
        assert.isTrue(answer.startsWith("HTTP/1.1 200 "), `${coding}: ${answer}`)
      }
    }).pipe(Effect.provide(server())))

  it.live("lets a client that still sends read why its body is refused", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      const chunk = `${(200_000).toString(16)}\r\n${"a".repeat(200_000)}\r\n`
      const answer = yield* say(
        head("POST /echo HTTP/1.1", "transfer-encoding: gzip, chunked", "content-type: application/json") +
          chunk.repeat(40)
      )
      problemIn(answer, 501, reports)
    }).pipe(Effect.provide(server(reports)))
  })

  it.live("asks for the body only when it will be read: 100 for a good request, the refusal for another", () =>
    Effect.gen(function*() {
      const expecting = (...headers: ReadonlyArray<string>) =>
        say(
          [
            "POST /echo HTTP/1.1",
            "host: x",
            "content-type: application/json",
            "content-length: 3",
            "expect: 100-continue",
            "connection: close",
            ...headers,
            "",
            ""
          ].join("\r\n"),
          "abc"
        )
      const good = yield* expecting(`authorization: ${bearer.authorization}`)
      assert.isTrue(good.startsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "), good)
      assert.isTrue(good.endsWith("abc"), good)
      const refused = yield* expecting()
      assert.isTrue(refused.startsWith("HTTP/1.1 401 "), refused)
    }).pipe(Effect.provide(server())))

  it.live("reports how late the event loop is", () => {
    const reports: Array<Recorder.Report> = []
    return Effect.gen(function*() {
      yield* Effect.sleep("30 millis")
      const until = performance.now() + 120
      while (performance.now() < until);
      yield* Effect.sleep("300 millis")
      const seen = reports.flatMap((report) => report._tag === "EventLoopObserved" ? [report] : [])
      assert.isAbove(Math.max(...seen.map((report) => report.maxMillis)), 80)
      assert.isBelow(Math.min(...seen.map((report) => report.p50Millis)), 15)
      assert.isTrue(seen.every((report) => report.utilization >= 0 && report.utilization <= 1))
    }).pipe(Effect.provide(server(reports, { eventLoopInterval: "200 millis" })))
  })
})
