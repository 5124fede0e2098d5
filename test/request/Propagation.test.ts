import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Option, Result, Schema, Tracer } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline, DeadlineCodec, Priority, Propagation, RequestId, TraceContext } from "effect-lifecycle/request"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const traceparent = `00-${traceId}-${spanId}-01`

const everything = {
  "x-request-timeout": "5",
  "x-request-priority": "high",
  "x-request-id": "order-42",
  "x-service-name": "Orders",
  "traceparent": traceparent,
  "tracestate": "rojo=00f067aa0ba902b7"
}

const collect = <A, E, R>(self: Effect.Effect<A, E, R>) => {
  const seen: Array<string> = []
  return Effect.map(
    self.pipe(Recorder.recordTo((report) => {
      seen.push(report._tag === "HeaderIgnored" ? `${report.header}: ${report.reason}` : report._tag)
    })),
    (value) => [value, seen] as const
  )
}
const millisOf = (deadline: Option.Option<Deadline.Deadline>) =>
  Option.map(deadline, ({ expiresAtNanos, startedAtNanos }) => Number(expiresAtNanos - startedAtNanos) / 1e6)
const toPlain = (headers: object): Record<string, string> => ({ ...headers }) as Record<string, string>

describe("Propagation", () => {
  describe("extract", () => {
    it.effect("reads everything that a trusted hop sends", () =>
      Effect.gen(function*() {
        const [extracted, ignored] = yield* collect(Propagation.extract(everything, { trusted: true }))
        assert.deepStrictEqual(millisOf(extracted.deadline), Option.some(5000))
        assert.strictEqual(Option.getOrThrow(extracted.deadline).origin, "inherited")
        assert.strictEqual(extracted.priority, "high")
        assert.strictEqual(extracted.requestId, "order-42")
        assert.deepStrictEqual(extracted.serviceName, Option.some("orders"))
        assert.deepStrictEqual(
          extracted.trace,
          Option.some({ traceId, spanId, sampled: true, tracestate: Option.some("rojo=00f067aa0ba902b7") })
        )
        assert.deepStrictEqual(ignored, [])
      }))

    it.effect("gives an untrusted hop its deadline and a lower priority, and nothing else", () =>
      Effect.gen(function*() {
        const [extracted, ignored] = yield* collect(Propagation.extract(everything, { maximum: "2 seconds" }))
        assert.deepStrictEqual(millisOf(extracted.deadline), Option.some(2000))
        assert.strictEqual(extracted.priority, "normal")
        assert.notStrictEqual(extracted.requestId, "order-42")
        assert.isTrue(Option.isSome(RequestId.parse(extracted.requestId)))
        assert.deepStrictEqual(extracted.serviceName, Option.none())
        assert.deepStrictEqual(extracted.trace, Option.none())
        assert.deepStrictEqual(ignored, [])
        const lower = yield* Propagation.extract({ "x-request-priority": "low" })
        assert.strictEqual(lower.priority, "low")
      }))

    it.effect("continues the trace of an untrusted hop, and restarts that of a trusted one, when told to", () =>
      Effect.gen(function*() {
        assert.isTrue(Option.isSome((yield* Propagation.extract(everything, { trace: "continue" })).trace))
        const restarted = yield* Propagation.extract(everything, { trusted: true, trace: "restart" })
        assert.isTrue(Option.isNone(restarted.trace))
      }))

    it.effect("ignores and reports what is malformed, and makes do without it", () =>
      Effect.gen(function*() {
        const [extracted, ignored] = yield* collect(Propagation.extract({
          "x-request-timeout": "nan",
          "x-request-priority": "urgent",
          "x-request-id": "two words",
          "x-service-name": "a b",
          "traceparent": "00-zz",
          "tracestate": "rojo=1"
        }, { trusted: true, default: "3 seconds" }))
        assert.deepStrictEqual(millisOf(extracted.deadline), Option.some(3000))
        assert.strictEqual(extracted.priority, "normal")
        assert.isTrue(Option.isSome(RequestId.parse(extracted.requestId)))
        assert.deepStrictEqual(extracted.trace, Option.none())
        assert.deepStrictEqual([...ignored].sort(), [
          "traceparent: not a traceparent",
          "x-request-id: not [A-Za-z0-9._-]{1,128}",
          "x-request-priority: not a priority",
          "x-request-timeout: not a number",
          "x-service-name: not [A-Za-z0-9._-]{1,128}"
        ])
      }))

    it.effect("drops a tracestate of control characters but keeps the trace", () =>
      Effect.gen(function*() {
        const headers = { traceparent, tracestate: "a=1\r\nx-admin: 1" }
        const [extracted, ignored] = yield* collect(Propagation.extract(headers, { trusted: true }))
        assert.deepStrictEqual(Option.map(extracted.trace, (trace) => trace.tracestate), Option.some(Option.none()))
        assert.deepStrictEqual(ignored, ["tracestate: control character"])
      }))

    it.effect.prop("never fails and never throws, whatever the headers hold", {
      values: Schema.Array(Schema.String),
      trusted: Schema.Boolean
    }, ({ trusted, values }) =>
      Effect.gen(function*() {
        const names = [...Object.keys(everything), "grpc-timeout", "priority"]
        const headers = Object.fromEntries(names.map((name, index) => [name, values[index]]))
        const extracted = yield* Propagation.extract(headers, {
          trusted,
          maximum: "10 seconds",
          deadlineCodecs: [DeadlineCodec.requestTimeout, DeadlineCodec.grpcTimeout],
          priorityCodecs: [Priority.xRequestPriority, Priority.rfc9218]
        })
        assert.isTrue(Option.isSome(RequestId.parse(extracted.requestId)))
        assert.isAtMost(Option.getOrThrow(millisOf(extracted.deadline)), 10_000)
      }))

    it.effect("counts the time in a queue from the moment the request came in", () =>
      Effect.gen(function*() {
        const receivedAtNanos = yield* Clock.monotonicTimeNanos
        yield* TestClock.adjust("400 millis")
        const extracted = yield* Propagation.extract({ "x-request-timeout": "1" }, { receivedAtNanos })
        const left = yield* Propagation.run(Deadline.remaining, extracted)
        assert.deepStrictEqual(Option.map(left, Duration.toMillis), Option.some(600))
      }))

    it.effect("takes the smallest of several timeout headers", () =>
      Effect.gen(function*() {
        const extracted = yield* Propagation.extract(
          { "x-request-timeout": "5", "grpc-timeout": "1500m", "x-envoy-expected-rq-timeout-ms": "4000" },
          { deadlineCodecs: [DeadlineCodec.requestTimeout, DeadlineCodec.grpcTimeout, DeadlineCodec.envoyExpected] }
        )
        assert.deepStrictEqual(millisOf(extracted.deadline), Option.some(1500))
      }))

    it.effect("uses the default and the maximum of Deadline.layer", () =>
      Effect.gen(function*() {
        const none = yield* Propagation.extract({})
        assert.deepStrictEqual(millisOf(none.deadline), Option.some(2000))
        assert.strictEqual(Option.getOrThrow(none.deadline).origin, "default")
        const long = yield* Propagation.extract({ "x-request-timeout": "60" })
        assert.deepStrictEqual(millisOf(long.deadline), Option.some(10_000))
      }).pipe(Effect.provide(Deadline.layer({ default: "2 seconds", maximum: "10 seconds" }))))
  })

  describe("inject", () => {
    it.effect("writes deadline, priority and request id of the running fiber beside what is there", () =>
      Effect.gen(function*() {
        const headers = yield* Propagation.inject({ accept: "text/plain" }, { serviceName: "orders" }).pipe(
          Deadline.within("2500 millis"),
          Priority.withPriority("low"),
          RequestId.provide(RequestId.RequestId.make("order-42"))
        )
        assert.deepStrictEqual(toPlain(headers), {
          "accept": "text/plain",
          "x-request-timeout": "2.5",
          "x-request-priority": "low",
          "x-request-id": "order-42",
          "x-service-name": "orders"
        })
      }))

    it.effect("takes the margin off, down to zero", () =>
      Effect.gen(function*() {
        const timeout = (margin: Duration.Input) =>
          Propagation.inject({}, { margin }).pipe(
            Effect.map((headers) => headers["x-request-timeout"]),
            Deadline.within("1 second")
          )
        assert.strictEqual(yield* timeout("100 millis"), "0.9")
        assert.strictEqual(yield* timeout("2 seconds"), "0")
        assert.strictEqual(yield* timeout(Duration.infinity), "0")
      }))

    it.effect("never widens what the caller wrote itself", () =>
      Effect.gen(function*() {
        const inject = (timeout: string, priority: string) =>
          Propagation.inject({ "x-request-timeout": timeout, "X-Request-Priority": priority }).pipe(
            Effect.map((headers) => [headers["x-request-timeout"], headers["x-request-priority"]]),
            Deadline.within("2 seconds")
          )
        assert.deepStrictEqual(yield* inject("1", "low"), ["1", "low"])
        assert.deepStrictEqual(yield* inject("60", "critical"), ["2", "normal"])
        assert.deepStrictEqual(yield* inject("inf", "urgent"), ["2", "normal"])
      }))

    it.effect("writes the current span, and the tracestate of its trace only", () =>
      Effect.gen(function*() {
        const received = yield* Propagation.extract(everything, { trusted: true })
        const program = Effect.gen(function*() {
          const span = yield* Effect.currentSpan
          return [span, yield* Propagation.inject({ tracestate: "stale=1" })] as const
        }).pipe(Effect.withSpan("hop"))

        const [span, headers] = yield* program.pipe(Propagation.run(received))
        assert.strictEqual(span.traceId, traceId)
        assert.strictEqual(headers["traceparent"], `00-${traceId}-${span.spanId}-01`)
        assert.strictEqual(headers["tracestate"], "rojo=00f067aa0ba902b7")

        const other = Tracer.externalSpan({ traceId: "1".repeat(32), spanId })
        const [, elsewhere] = yield* program.pipe(Effect.withParentSpan(other), Propagation.run(received))
        assert.isTrue(elsewhere["traceparent"]?.startsWith(`00-${"1".repeat(32)}-`))
        assert.isUndefined(elsewhere["tracestate"])
      }))

    it.effect("passes the caller's trace on where this hop has no span, and nothing where propagation is off", () =>
      Effect.gen(function*() {
        const received = yield* Propagation.extract(everything, { trusted: true })
        const passed = yield* Propagation.inject().pipe(Propagation.run(received))
        assert.strictEqual(passed["traceparent"], traceparent)
        assert.isUndefined((yield* Propagation.inject())["traceparent"])
        const off = yield* Propagation.inject().pipe(
          Effect.withSpan("hidden"),
          Effect.provideService(Tracer.DisablePropagation, true)
        )
        assert.isUndefined(off["traceparent"])
      }))

    it.effect.prop("what one hop injects the next extracts, never longer", {
      micros: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3_600_000_000 })),
      priority: Priority.Priority
    }, ({ micros, priority }) =>
      Effect.gen(function*() {
        const headers = yield* Propagation.inject().pipe(
          Deadline.within(Duration.micros(BigInt(micros))),
          Priority.withPriority(priority, { trusted: true })
        )
        const extracted = yield* Propagation.extract(headers, { trusted: true })
        assert.deepStrictEqual(millisOf(extracted.deadline), Option.some(micros / 1000))
        assert.strictEqual(extracted.priority, priority)
      }))
  })

  describe("run", () => {
    it.effect("sets all of it around the work", () =>
      Effect.gen(function*() {
        const extracted = yield* Propagation.extract(everything, { trusted: true })
        const program = Effect.gen(function*() {
          return {
            left: Option.map(yield* Deadline.remaining, Duration.toMillis),
            priority: yield* Priority.Current,
            id: yield* RequestId.Current,
            trace: yield* TraceContext.Current,
            parent: (yield* Effect.currentParentSpan).spanId
          }
        })
        assert.deepStrictEqual(yield* Propagation.run(program, extracted), {
          left: Option.some(5000),
          priority: "high",
          id: Option.some(RequestId.RequestId.make("order-42")),
          trace: extracted.trace,
          parent: spanId
        })
      }))

    it.effect("keeps a deadline that is earlier than the one extracted", () =>
      Effect.gen(function*() {
        const extracted = yield* Propagation.extract(everything)
        const left = yield* Deadline.remaining.pipe(Propagation.run(extracted), Deadline.within("1 second"))
        assert.deepStrictEqual(Option.map(left, Duration.toMillis), Option.some(1000))
      }))

    it.effect("keeps a span that belongs to the trace already", () =>
      Effect.gen(function*() {
        const extracted = yield* Propagation.extract(everything, { trusted: true })
        const server = Tracer.externalSpan({ traceId, spanId: "1111111111111111" })
        const parent = yield* Effect.currentParentSpan.pipe(Propagation.run(extracted), Effect.withParentSpan(server))
        assert.strictEqual(parent.spanId, "1111111111111111")
      }))
  })

  describe("httpClient", () => {
    it.effect("injects what is left at every attempt of a retry", () =>
      Effect.gen(function*() {
        const sent: Array<string | undefined> = []
        const client = HttpClient.make((request) =>
          Effect.gen(function*() {
            sent.push(request.headers["x-request-timeout"])
            yield* Effect.sleep("1 second")
            return HttpClientResponse.fromWeb(request, new Response(null, { status: sent.length < 3 ? 503 : 200 }))
          })
        ).pipe(
          (client) => Propagation.httpClient(client, { margin: "100 millis" }),
          HttpClient.filterStatusOk,
          HttpClient.retry({ times: 2 })
        )
        const fiber = yield* client.execute(HttpClientRequest.get("http://service.test/")).pipe(
          Deadline.within("10 seconds"),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(sent, ["9.9", "8.9", "7.9"])
      }))

    it.effect("shrinks the budget over three hops, and the third is never called when the second has used it up", () =>
      Effect.gen(function*() {
        const visits: Array<{ readonly hop: number; readonly left: number; readonly id: string | undefined }> = []
        // Each hop works 70 ms, then calls the next one under the deadline it received.
        const clientOf = (hop: number): HttpClient.HttpClient =>
          Propagation.httpClient(HttpClient.make((request) =>
            Effect.gen(function*() {
              const extracted = yield* Propagation.extract(request.headers, { trusted: true, maximum: "1 minute" })
              const answer = yield* Effect.gen(function*() {
                const left = Option.map(yield* Deadline.remaining, Duration.toMillis)
                visits.push({ hop, left: Option.getOrThrow(left), id: request.headers["x-request-id"] })
                yield* Effect.sleep("70 millis")
                if (hop < 3) yield* clientOf(hop + 1).execute(HttpClientRequest.get("http://next.test/"))
              }).pipe(Deadline.enforce, Propagation.run(extracted), Effect.exit)
              const status = answer._tag === "Success" ? 200 : 504
              return HttpClientResponse.fromWeb(request, new Response(null, { status }))
            })
          ))
        const call = (budget: Duration.Input) =>
          Effect.gen(function*() {
            visits.length = 0
            const fiber = yield* clientOf(1).execute(HttpClientRequest.get("http://first.test/")).pipe(
              Deadline.within(budget),
              RequestId.provide(RequestId.RequestId.make("one")),
              Effect.result,
              Effect.forkChild({ startImmediately: true })
            )
            yield* TestClock.adjust("1 second")
            return yield* Fiber.join(fiber)
          })

        assert.isTrue(Result.isSuccess(yield* call("300 millis")))
        assert.deepStrictEqual(visits, [
          { hop: 1, left: 300, id: "one" },
          { hop: 2, left: 230, id: "one" },
          { hop: 3, left: 160, id: "one" }
        ])
        const short = yield* call("100 millis")
        assert.isTrue(Result.isFailure(short) || short.success.status === 504)
        assert.deepStrictEqual(visits.map((visit) => visit.hop), [1, 2])
      }))
  })
})

describe("names of headers that an application chose", () => {
  const codecs = {
    deadlineCodecs: [{ ...DeadlineCodec.requestTimeout, header: "X-Time-Left" }],
    priorityCodecs: [{ ...Priority.xRequestPriority, header: "X-Urgency" }]
  }

  it.effect("are read and written in any case", () =>
    Effect.gen(function*() {
      const extracted = yield* Propagation.extract(
        { "x-trace-id": "mine", "x-time-left": "5", "x-urgency": "low" },
        { ...codecs, trusted: true, requestIdHeaders: ["X-Trace-ID"] }
      )
      assert.strictEqual(extracted.requestId, "mine")
      assert.strictEqual(extracted.priority, "low")
      assert.isTrue(Option.isSome(extracted.deadline))
      const headers = yield* Propagation.run(Propagation.inject({ "x-time-left": "2" }, codecs), extracted)
      // The smaller of the two, under one name.
      assert.deepStrictEqual({ ...headers }, { "x-time-left": "2", "x-urgency": "low", "x-request-id": "mine" })
    }))
})
