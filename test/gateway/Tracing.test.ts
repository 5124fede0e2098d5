import { assert, describe, it } from "@effect/vitest"
import { Effect, References, Tracer } from "effect"
import type * as http from "node:http"
import { ask, gateway, until, upstream } from "./harness.ts"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const parentId = "b7ad6b7169203331"
const traceparent = `00-${traceId}-${parentId}-01`
const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-0([01])$/

/** An upstream that keeps the headers of each request. */
const recording = Effect.gen(function*() {
  const requests: Array<http.IncomingHttpHeaders> = []
  const server = yield* upstream((request, response) => {
    requests.push(request.headers)
    response.end()
  })
  return { ...server, requests }
})

const parts = (header: unknown) => {
  const [, trace = "", span = "", sampled = ""] = form.exec(String(header)) ?? []
  return { trace, span, sampled }
}

/** A tracer that keeps the spans that have ended. */
const tracing = () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (...args) => {
        end(...args)
        spans.push(span)
      }
      return span
    }
  })
  return { spans, tracer }
}

describe("the trace of a request", () => {
  it.live("of a trusted peer goes on to the upstream, with the gateway's span in between", () => {
    const { spans, tracer } = tracing()
    return Effect.gen(function*() {
      const server = yield* recording
      const { port } = yield* gateway([server.origin], { trust: "loopback" })
      yield* ask(port, "/", { headers: { traceparent, tracestate: "vendor=1" } })
      yield* until(() => spans.some(({ name }) => name === "http.server"))
      const got = parts(server.requests[0]?.traceparent)
      const span = spans.find(({ name }) => name === "http.server")
      assert.deepStrictEqual(got, { trace: traceId, span: String(span?.spanId), sampled: "1" })
      assert.strictEqual(span?.parent._tag === "Some" ? span.parent.value.spanId : undefined, parentId)
      assert.strictEqual(server.requests[0]?.["tracestate"], "vendor=1")
    }).pipe(Effect.provideService(Tracer.Tracer, tracer))
  })

  it.live("that was not sampled stays so", () =>
    Effect.gen(function*() {
      const server = yield* recording
      const { port } = yield* gateway([server.origin], { trust: "loopback" })
      yield* ask(port, "/", { headers: { traceparent: `00-${traceId}-${parentId}-00` } })
      assert.deepInclude(parts(server.requests[0]?.traceparent), { trace: traceId, sampled: "0" })
    }))

  it.live("is a new one where none came, or none that can be read, and another for each request", () => {
    const { spans, tracer } = tracing()
    return Effect.gen(function*() {
      const server = yield* recording
      const { port } = yield* gateway([server.origin], { trust: "loopback" })
      yield* ask(port, "/")
      yield* ask(port, "/", { headers: { traceparent: "00-zz-yy-01", tracestate: "vendor=1" } })
      yield* until(() => spans.filter(({ name }) => name === "http.server").length === 2)
      const traces = server.requests.map((headers) => parts(headers["traceparent"]).trace)
      assert.match(traces.join(), /^[0-9a-f]{32},[0-9a-f]{32}$/)
      assert.notStrictEqual(traces[0], traces[1])
      assert.sameMembers(
        spans.filter(({ name }) => name === "http.server").map((span) => span.traceId),
        traces
      )
      assert.isUndefined(server.requests[1]?.["tracestate"])
    }).pipe(Effect.provideService(Tracer.Tracer, tracer))
  })

  it.live("of a stranger ends at the door, unless the configuration lets it go on", () =>
    Effect.gen(function*() {
      const server = yield* recording
      const headers = { traceparent, tracestate: "vendor=1", "x-request-id": "chosen" }
      yield* ask((yield* gateway([server.origin])).port, "/", { headers })
      yield* ask((yield* gateway([server.origin], { trace: "continue" })).port, "/", { headers })
      yield* ask((yield* gateway([server.origin], { trace: "restart", trust: "loopback" })).port, "/", { headers })
      const [first, second, third] = server.requests.map((got) => ({
        ours: parts(got["traceparent"]).trace === traceId,
        state: got["tracestate"],
        id: got["x-request-id"] === "chosen"
      }))
      assert.deepStrictEqual(first, { ours: false, state: undefined, id: false })
      assert.deepStrictEqual(second, { ours: true, state: "vendor=1", id: false })
      assert.deepStrictEqual(third, { ours: false, state: undefined, id: true })
    }))

  it.live("passes as it came where tracing is off", () =>
    Effect.gen(function*() {
      const server = yield* recording
      const { port } = yield* gateway([server.origin], { trust: "loopback" })
      yield* ask(port, "/", { headers: { traceparent, tracestate: "vendor=1" } })
      yield* ask(port, "/")
      assert.strictEqual(server.requests[0]?.["traceparent"], traceparent)
      assert.strictEqual(server.requests[0]?.["tracestate"], "vendor=1")
      assert.isUndefined(server.requests[1]?.["traceparent"])
    }).pipe(Effect.provideService(References.TracerEnabled, false)))

  it.live("is one for all attempts of a request", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const make = (status: number) =>
        upstream((request, response) => {
          seen.push(String(request.headers["traceparent"]))
          response.writeHead(status).end()
        })
      const [bad, good] = [yield* make(503), yield* make(200)]
      const { port } = yield* gateway([bad.origin, good.origin], { trust: "loopback" })
      assert.strictEqual((yield* ask(port, "/", { headers: { traceparent } })).status, 200)
      assert.deepStrictEqual(seen.map((one) => parts(one).trace), [traceId, traceId])
    }))
})
