import { assert, describe, it } from "@effect/vitest"
import { Cause, Console, Effect, Layer, Redacted, References } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Logs, Metrics, Spans } from "effect-lifecycle/observability"
import { HttpClientError, HttpClientRequest } from "effect/http"
import { TestClock, TestConsole } from "effect/testing"
import { called, command, ended, stageTimed, started } from "./reports.ts"

type Line = Readonly<Record<string, unknown>>

const raw = <A, E, R>(effect: Effect.Effect<A, E, R>, options?: Partial<Logs.LogsOptions>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    yield* effect.pipe(
      Effect.provide(Logs.layer({ service: "orders", sink: (line) => lines.push(line), ...options }), { local: true })
    )
    return lines
  })

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>, options?: Partial<Logs.LogsOptions>) =>
  Effect.map(raw(effect, options), (lines) => lines.map((line): Line => JSON.parse(line)))

const report = (one: Recorder.Report) => Recorder.report(() => one)

describe("Logs", () => {
  describe("messages", () => {
    it.effect("are one JSON line with time, level, message and service", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2026, 0, 2))
        assert.deepStrictEqual(yield* logged(Effect.logWarning("slow", 3)), [
          { time: "2026-01-02T00:00:00.000Z", level: "WARN", message: "slow 3", service: "orders" }
        ])
      }))

    it.effect("carry request id, user id, service and other annotations as fields", () =>
      Effect.gen(function*() {
        const [line] = yield* logged(
          Effect.logInfo("x").pipe(
            Effect.annotateLogs({ requestId: "r-1", userId: "alice", service: "payments", tenant: 7 })
          )
        )
        assert.deepStrictEqual(
          [line?.["request_id"], line?.["user_id"], line?.["service"], line?.["tenant"]],
          ["r-1", "alice", "payments", 7]
        )
        assert.notProperty(line, "requestId")
      }))

    it.effect("do not let an annotation pass for what the logger knows", () =>
      Effect.gen(function*() {
        const [line] = yield* logged(
          Effect.logInfo("real").pipe(
            Effect.annotateLogs({ message: "forged", level: "FATAL", time: "never", trace_id: "t" })
          )
        )
        assert.deepStrictEqual([line?.["message"], line?.["level"], line?.["trace_id"]], ["real", "INFO", undefined])
        assert.strictEqual(line?.["annotation_message"], "forged")
      }))

    it.effect("carry the current trace and span", () =>
      Effect.gen(function*() {
        const [line] = yield* logged(
          Effect.gen(function*() {
            const span = yield* Effect.currentSpan
            yield* Effect.logInfo(span.traceId, span.spanId)
          }).pipe(Effect.withSpan("work"))
        )
        assert.strictEqual(line?.["message"], `${String(line?.["trace_id"])} ${String(line?.["span_id"])}`)
      }))

    it.effect("put objects beside the text, with redacted values redacted and cycles cut", () =>
      Effect.gen(function*() {
        const cycle: Record<string, unknown> = { n: 1n, password: Redacted.make("canary") }
        cycle["self"] = cycle
        const [line] = yield* raw(Effect.logInfo("placed", cycle, new Error("broken")))
        assert.notInclude(line, "canary")
        const { data, message } = JSON.parse(line!)
        assert.strictEqual(message, "placed")
        assert.strictEqual(data[1].message, "broken")
      }))

    it.effect("carry the pretty cause and the time since the log spans began", () =>
      Effect.gen(function*() {
        const [line] = yield* logged(
          TestClock.adjust("40 millis").pipe(
            Effect.andThen(Effect.logError("failed", Cause.fail(new Error("no stock")))),
            Effect.withLogSpan("place")
          )
        )
        assert.match(String(line?.["cause"]), /^Error: no stock\n/)
        assert.deepStrictEqual(line?.["spans"], { place: 40 })
      }))

    it.effect("obey the minimum level of the surroundings, or the layer's own", () =>
      Effect.gen(function*() {
        const both = Effect.logDebug("debug").pipe(Effect.andThen(Effect.logInfo("info")))
        assert.deepStrictEqual((yield* logged(both)).map((line) => line["message"]), ["info"])
        assert.deepStrictEqual((yield* logged(both, { minimumLevel: "Debug" })).map((line) => line["message"]), [
          "debug",
          "info"
        ])
        assert.deepStrictEqual(yield* logged(Effect.andThen(both, report(ended())), { minimumLevel: "Warn" }), [])
        assert.strictEqual((yield* logged(report(ended({ status: 500 })), { minimumLevel: "Warn" })).length, 1)
      }))

    it.effect("cannot be forged with line breaks, whichever reader breaks the lines", () =>
      Effect.gen(function*() {
        const evil = "a\r\n{\"level\":\"FATAL\"}\u2028b\u0085c\u001b[2Kd"
        const lines = yield* raw(
          Effect.logInfo(evil).pipe(
            Effect.annotateLogs({ requestId: evil, [evil]: evil }),
            Effect.andThen(report(ended({ method: evil, path: evil, requestId: evil, userId: evil }))),
            Effect.andThen(report({ _tag: "DefectCaught", stage: "Handler", requestId: evil, cause: Cause.die(evil) }))
          )
        )
        assert.strictEqual(lines.length, 3)
        for (const line of lines) {
          // oxlint-disable-next-line no-control-regex
          assert.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
        }
        assert.strictEqual(JSON.parse(lines[0]!)["message"], evil)
        assert.strictEqual(JSON.parse(lines[1]!)["request_id"], evil)
      }))

    it.effect("go to the fiber's console where no sink is given", () =>
      Effect.gen(function*() {
        yield* Effect.logInfo("out").pipe(Effect.provide(Logs.layer({ service: "orders" }), { local: true }))
        yield* Effect.logInfo("err").pipe(
          Effect.provide(Logs.layer({ service: "orders" }), { local: true }),
          Effect.provideService(References.LogToStderr, true)
        )
        const parse = (lines: ReadonlyArray<unknown>) => lines.map((line) => JSON.parse(String(line))["message"])
        assert.deepStrictEqual(parse(yield* TestConsole.logLines), ["out"])
        assert.deepStrictEqual(parse(yield* TestConsole.errorLines), ["err"])
        yield* Console.log("so that the console is the test's")
      }))
  })

  describe("access line", () => {
    it.effect("says what R1 allows, and nothing else", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2026, 0, 2))
        const lines = yield* logged(
          Effect.forEach([started(), stageTimed(), called(), command(), ended()], report).pipe(
            Effect.annotateLogs({ secret: "canary" })
          )
        )
        assert.deepStrictEqual(lines, [{
          time: "2026-01-02T00:00:00.000Z",
          level: "INFO",
          message: "request",
          method: "GET",
          path: "/orders/42",
          route: "/orders/:id",
          status: 200,
          duration_ms: 1.5,
          request_id: "r-1",
          user_id: "alice",
          service: "orders",
          outcome: "ok"
        }])
      }))

    it.effect("is an error from status 500, names the stage that answered, and knows its trace", () =>
      Effect.gen(function*() {
        const lines = yield* logged(
          Effect.forEach(
            [
              ended({ status: 499, outcome: "aborted", stage: "Response" }),
              ended({ status: 500, outcome: "failed" }),
              ended({ status: 404, route: undefined, userId: undefined, stage: "Router" })
            ],
            report
          ).pipe(Effect.withSpan("http"))
        )
        assert.deepStrictEqual(lines.map((line) => [line["level"], line["stage"]]), [
          ["INFO", "Response"],
          ["ERROR", undefined],
          ["INFO", "Router"]
        ])
        assert.match(String(lines[0]?.["trace_id"]), /^[0-9a-f]{32}$/)
      }))

    it.effect("drops a query string that a reporter left in the path, and bounds its length", () =>
      Effect.gen(function*() {
        const [first, second] = yield* logged(
          Effect.andThen(report(ended({ path: "/a?token=canary" })), report(ended({ path: `/${"x".repeat(9000)}` })))
        )
        assert.strictEqual(first?.["path"], "/a")
        assert.strictEqual(String(second?.["path"]).length, 2048)
      }))
  })

  describe("a bug", () => {
    it.effect("tells of what is no Error its kind only, wherever it stands in the cause", () =>
      Effect.gen(function*() {
        class Card {
          readonly number = "canary-4113"
        }
        const plain = { _tag: "Plain", number: "canary-4113" }
        const thrown: ReadonlyArray<readonly [Cause.Cause<unknown>, string]> = [
          [Cause.fail(plain), "Plain, which is no Error"],
          [Cause.die(plain), "Plain, which is no Error"],
          [Cause.die(new Card()), "Card, which is no Error"],
          [Cause.die(["canary-4113"]), "Array, which is no Error"],
          [Cause.die(Object.create(null, { number: { value: "canary-4113", enumerable: true } })), "Object, which is"],
          [Cause.die(new Error("boom", { cause: plain })), "Plain, which is no Error"],
          [Cause.die(new Error("boom", { cause: new Error("deeper", { cause: plain }) })), "Error: deeper"]
        ]
        for (const [cause, told] of thrown) {
          const [line] = yield* logged(report({ _tag: "DefectCaught", stage: "Handler", requestId: "r-1", cause }))
          assert.include(String(line?.["cause"]), told)
          assert.notInclude(JSON.stringify(line), "canary-4113", told)
        }
      }))

    it.effect("is an error line with stage, request id and the pretty cause", () =>
      Effect.gen(function*() {
        const cause = Cause.die(new Error("boom", { cause: new Error("deeper") }))
        const [line] = yield* logged(report({ _tag: "DefectCaught", stage: "Handler", requestId: "r-1", cause }))
        assert.deepStrictEqual(
          [line?.["level"], line?.["message"], line?.["stage"], line?.["request_id"], line?.["service"]],
          ["ERROR", "defect", "Handler", "r-1", "orders"]
        )
        assert.match(String(line?.["cause"]), /^Error: boom\n[^]*\[cause\]: Error: deeper/)
      }))

    it.effect("does not show the query or the credentials of a URL that its error quotes", () =>
      Effect.gen(function*() {
        const request = HttpClientRequest.get("http://payments/payments?token=canary1#canary2")
        const cause = Cause.combine(
          Cause.die(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.TransportError({
                request,
                description: "GET http://payments/p?token=canary3 refused"
              })
            })
          ),
          Cause.die(new Error("cannot reach postgres://app:canary4@db:5432/orders, 'https://a.b/c?d=canary5'"))
        )
        const [line] = yield* raw(report({ _tag: "DefectCaught", stage: "Handler", requestId: "r-1", cause }))
        assert.notMatch(line!, /canary/)
        assert.include(line, "postgres://db:5432/orders")
        assert.include(line, "http://payments/p?...")
      }))
  })

  it.effect("a sink that throws does not fail the request", () => {
    let calls = 0
    const sink = () => {
      calls++
      throw new Error("disk full")
    }
    return report(ended()).pipe(
      Effect.provide(Logs.layer({ service: "orders", sink }), { local: true }),
      Effect.andThen(Effect.sync(() => assert.strictEqual(calls, 1)))
    )
  })

  it.effect("lives beside metrics and spans, however the layers are put together", () =>
    Effect.gen(function*() {
      for (const order of ["merged", "provided"]) {
        const lines: Array<string> = []
        const logs = Logs.layer({ service: "orders", sink: (line) => lines.push(line) })
        const all = order === "merged"
          ? Layer.mergeAll(Metrics.layer, logs, Spans.layer)
          : Metrics.layer.pipe(Layer.provideMerge(logs), Layer.provideMerge(Spans.layer))
        yield* report(ended()).pipe(Effect.andThen(Effect.logInfo("x")), Effect.provide(all, { local: true }))
        assert.deepStrictEqual(lines.map((line) => JSON.parse(line)["message"]), ["request", "x"], order)
      }
    }))
})
