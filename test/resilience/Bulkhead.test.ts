import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientResponse, HttpEffect, HttpServerResponse } from "effect/http"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline, Priority, RequestId } from "effect-lifecycle/request"
import { Bulkhead, InvalidOption } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })
const running = (bulkhead: Bulkhead.Bulkhead) =>
  Effect.map(bulkhead.stats, ({ inFlight, queued }) => [inFlight, queued])
const reasons = (results: ReadonlyArray<Exit.Exit<unknown, Bulkhead.BulkheadRejected>>) =>
  results.map((exit) => Exit.isSuccess(exit) ? "ran" : Exit.findErrorOption(exit).pipe(Option.getOrUndefined)?.reason)

describe("Bulkhead", () => {
  describe("permits and queue", () => {
    it.effect("runs as many as it has permits, queues as many as it has places, and refuses the rest", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 2, queue: 1 })
        const fibers = yield* Effect.forEach([1, 2, 3, 4], () => fork(Effect.exit(bulkhead.run(Effect.sleep(100)))))
        assert.deepStrictEqual(yield* running(bulkhead), [2, 1])
        yield* TestClock.adjust(100)
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(reasons(yield* Effect.forEach(fibers, Fiber.join)), ["ran", "ran", "ran", "full"])
        assert.deepStrictEqual(yield* running(bulkhead), [0, 0])
        assert.strictEqual((yield* bulkhead.stats).completed, 3)
      }))
    it.effect("gives the permit back after a failure, a defect and an interruption", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1 })
        assert.strictEqual(yield* Effect.flip(bulkhead.run(Effect.fail("down"))), "down")
        assert.ok(Exit.isFailure(yield* Effect.exit(bulkhead.run(Effect.die("bug")))))
        const fiber = yield* fork(bulkhead.run(Effect.never))
        assert.deepStrictEqual(yield* running(bulkhead), [1, 0])
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* running(bulkhead), [0, 0])
      }))
    it.effect("takes an interrupted waiter out of the queue", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 1 })
        const gate = yield* Deferred.make<void>()
        const first = yield* fork(bulkhead.run(Deferred.await(gate)))
        const second = yield* fork(bulkhead.run(Effect.die("must not run")))
        yield* Fiber.interrupt(second)
        assert.deepStrictEqual(yield* running(bulkhead), [1, 0])
        const third = yield* fork(bulkhead.run(Effect.succeed("third")))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(first)
        assert.strictEqual(yield* Fiber.join(third), "third")
        assert.deepStrictEqual(yield* running(bulkhead), [0, 0])
      }))
    it.effect("passes the permit on when a waiter is interrupted between getting it and using it", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 2 })
        const gate = yield* Deferred.make<void>()
        yield* fork(bulkhead.run(Deferred.await(gate)))
        const second = yield* fork(bulkhead.run(Effect.die("must not run")))
        const third = yield* fork(bulkhead.run(Effect.succeed("third")))
        // The permit is handed over at once, but the waiter wakes on its next turn.
        yield* Effect.withFiber(() => {
          Deferred.doneUnsafe(gate, Exit.void)
          second.interruptUnsafe()
          return Effect.void
        })
        assert.strictEqual(yield* Fiber.join(third), "third")
        assert.deepStrictEqual(yield* running(bulkhead), [0, 0])
      }))
    it.effect("serves ten thousand waiters that end at once without running out of stack", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 10_000 })
        const gate = yield* Deferred.make<void>()
        yield* fork(bulkhead.run(Deferred.await(gate)))
        const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), () => fork(bulkhead.run(Effect.void)))
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.forEach(fibers, Fiber.join, { discard: true })
        assert.strictEqual((yield* bulkhead.stats).completed, 10_001)
      }))
  })

  describe("the wait", () => {
    it.effect("ends after maxWait", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 1, maxWait: "1 second" })
        yield* fork(bulkhead.run(Effect.never))
        const waiting = yield* fork(Effect.flip(bulkhead.run(Effect.void)))
        yield* TestClock.adjust(999)
        assert.deepStrictEqual(yield* running(bulkhead), [1, 1])
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* Fiber.join(waiting)).reason, "waitTimeout")
        assert.deepStrictEqual(yield* running(bulkhead), [1, 0])
      }))
    it.effect("ends at the deadline of the request where that is earlier", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 1, maxWait: "1 minute" })
        yield* fork(bulkhead.run(Effect.never))
        const now = yield* Effect.clockWith((clock) => clock.monotonicTimeNanos)
        const deadline = Option.some(Deadline.make({ duration: 300, startedAtNanos: now }))
        const call = Effect.flip(bulkhead.run(Effect.void)).pipe(Effect.provideService(Deadline.Current, deadline))
        const waiting = yield* fork(call)
        yield* TestClock.adjust(300)
        assert.strictEqual((yield* Fiber.join(waiting)).reason, "waitTimeout")
        assert.strictEqual((yield* call).reason, "waitTimeout", "no time at all: it does not enter the queue")
        assert.deepStrictEqual(yield* running(bulkhead), [1, 0])
      }))
    it.effect("does not cut a call that got its permit in time", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 1, maxWait: "1 second" })
        yield* fork(bulkhead.run(Effect.sleep(900)))
        const second = yield* fork(bulkhead.run(Effect.as(Effect.sleep("1 hour"), "done")))
        yield* TestClock.adjust(900)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* Fiber.join(second), "done")
      }))
    it.effect("ends also for a caller that cannot be interrupted", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 1, maxWait: "1 second" })
        yield* fork(bulkhead.run(Effect.never))
        const waiting = yield* fork(Effect.uninterruptible(Effect.flip(bulkhead.run(Effect.void))))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(waiting)).reason, "waitTimeout")
      }))
    it.effect("of zero is none", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 5, maxWait: 0 })
        yield* fork(bulkhead.run(Effect.never))
        assert.strictEqual((yield* Effect.flip(bulkhead.run(Effect.void))).reason, "waitTimeout")
      }))
  })

  describe("priority", () => {
    it.effect("lets the more urgent out of the queue first, and equals in their order", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 10 })
        const order: Array<string> = []
        const gate = yield* Deferred.make<void>()
        yield* fork(bulkhead.run(Deferred.await(gate)))
        const calls = [["low", 1], ["normal", 1], ["critical", 1], ["normal", 2], ["low", 2], ["high", 1]] as const
        const fibers = yield* Effect.forEach(calls, ([priority, n]) =>
          fork(
            bulkhead.run(Effect.sync(() => order.push(`${priority} ${n}`))).pipe(
              Priority.withPriority(priority, { trusted: true })
            )
          ))
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(order, ["critical 1", "high 1", "normal 1", "normal 2", "low 1", "low 2"])
      }))
    it.effect("sheds the newest of the least urgent waiters for a more urgent newcomer, never for an equal", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 2 })
        const gate = yield* Deferred.make<void>()
        yield* fork(bulkhead.run(Deferred.await(gate)))
        const call = (priority: Priority.Priority) =>
          fork(Effect.exit(bulkhead.run(Effect.void)).pipe(Priority.withPriority(priority, { trusted: true })))
        const older = yield* call("low")
        const newer = yield* call("low")
        const equal = yield* call("low")
        const urgent = yield* call("high")
        yield* Deferred.succeed(gate, undefined)
        const results = reasons(yield* Effect.forEach([older, newer, equal, urgent], Fiber.join))
        assert.deepStrictEqual(results, ["ran", "shed", "full", "ran"])
        assert.deepStrictEqual((yield* bulkhead.stats).rejected, { full: 1, waitTimeout: 0, shed: 1 })
      }))
  })

  describe("the refusal", () => {
    it.effect("tells the time in which queue and limit would serve one more, from what was measured", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 2, queue: 3 })
        const warm = yield* fork(bulkhead.run(Effect.sleep(400)))
        yield* TestClock.adjust(400)
        yield* Fiber.join(warm)
        yield* Effect.forEach([1, 2, 3, 4, 5], () => fork(bulkhead.run(Effect.never)))
        const rejected = yield* Effect.flip(bulkhead.run(Effect.void))
        assert.strictEqual(rejected.retryAfterMillis, 400 * 4 / 2)
        assert.include(rejected.message, "\"db\"")
      }))
    it.effect("tells the option where there is one, and a second where nothing was measured", () =>
      Effect.gen(function*() {
        const told = yield* Bulkhead.make({ name: "db", permits: 1, retryAfter: "5 seconds" })
        const unmeasured = yield* Bulkhead.make({ name: "db", permits: 1 })
        for (const [bulkhead, millis] of [[told, 5000], [unmeasured, 1000]] as const) {
          yield* fork(bulkhead.run(Effect.never))
          assert.strictEqual((yield* Effect.flip(bulkhead.run(Effect.void))).retryAfterMillis, millis)
        }
      }))
    it.effect("encodes and decodes", () =>
      Effect.gen(function*() {
        const rejected = new Bulkhead.BulkheadRejected({ name: "db", reason: "shed", retryAfterMillis: 5 })
        const encoded = yield* Schema.encodeEffect(Bulkhead.BulkheadRejected)(rejected)
        assert.deepStrictEqual(encoded, { _tag: "BulkheadRejected", name: "db", reason: "shed", retryAfterMillis: 5 })
      }))
    it("of options that make no sense names the option", () => {
      const bad: ReadonlyArray<readonly [string, () => unknown]> = [
        ["permits", () => Bulkhead.make({ name: "x", permits: 0 })],
        ["permits", () => Bulkhead.make({ name: "x", permits: NaN })],
        ["queue", () => Bulkhead.make({ name: "x", permits: 1, queue: -1 })],
        ["queue", () => Bulkhead.make({ name: "x", permits: 1, queue: Infinity })],
        ["maxWait", () => Bulkhead.make({ name: "x", permits: 1, maxWait: "Infinity" })],
        ["retryAfter", () => Bulkhead.make({ name: "x", permits: 1, retryAfter: Infinity })],
        ["maximum", () => Bulkhead.keyed({ name: "x", permits: 1, maximum: 0 })],
        ["permits", () => Bulkhead.keyed({ name: "x", permits: 1.5 })]
      ]
      for (const [option, make] of bad) {
        try {
          make()
          assert.fail(`${option} was accepted`)
        } catch (error) {
          assert.instanceOf(error, InvalidOption.InvalidOption)
          assert.strictEqual(error.option, option)
        }
      }
    })
  })

  describe("resize", () => {
    it.effect("to more permits lets waiters run at once, to fewer interrupts nobody", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "db", permits: 2, queue: 10 })
        const fibers = yield* Effect.forEach(Array.from({ length: 6 }), () => fork(bulkhead.run(Effect.sleep(100))))
        yield* bulkhead.resize(4)
        assert.deepStrictEqual(yield* running(bulkhead), [4, 2])
        yield* bulkhead.resize(1)
        assert.deepStrictEqual(yield* running(bulkhead), [4, 2])
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(yield* running(bulkhead), [1, 1])
        yield* TestClock.adjust(200)
        yield* Effect.forEach(fibers, Fiber.join)
        assert.throws(() => bulkhead.resize(0), /permits/)
      }))
  })

  describe("keyed", () => {
    it.effect("limits each key by itself and names the key in the refusal", () =>
      Effect.gen(function*() {
        const keyed = yield* Bulkhead.keyed({ name: "upstream", permits: 1 })
        yield* fork(keyed.run("a", Effect.never))
        const rejected = yield* Effect.flip(keyed.run("a", Effect.void))
        assert.deepStrictEqual([rejected.name, rejected.key], ["upstream", "a"])
        assert.strictEqual(yield* keyed.run("b", Effect.succeed(1)), 1)
      }))
    it.effect("forgets the key that has been idle longest, and none that is in use", () =>
      Effect.gen(function*() {
        const keyed = yield* Bulkhead.keyed({ name: "upstream", permits: 1, maximum: 3 })
        const busy = yield* fork(keyed.run("busy", Effect.never))
        for (const key of ["a", "b", "a", "c", "d"]) yield* keyed.run(key, Effect.void)
        assert.deepStrictEqual(yield* keyed.keys, ["c", "d", "busy"])
        assert.ok(Option.isNone(yield* keyed.stats("a")))
        yield* Fiber.interrupt(busy)
        assert.deepStrictEqual(yield* keyed.keys, ["c", "d", "busy"])
        for (let i = 0; i < 1000; i++) yield* keyed.run(`k${i}`, Effect.void)
        assert.strictEqual((yield* keyed.keys).length, 3)
      }))
    it.effect("keeps an adaptive limit of its own for each key", () =>
      Effect.gen(function*() {
        const algorithm = Bulkhead.aimd({ initial: 10 })
        const keyed = yield* Bulkhead.keyed({ name: "upstream", algorithm, classify: () => "drop" })
        yield* keyed.run("a", Effect.void)
        yield* fork(keyed.run("b", Effect.never))
        const limit = (key: string) => Effect.map(keyed.stats(key), (stats) => Option.getOrThrow(stats).limit)
        assert.deepStrictEqual([yield* limit("a"), yield* limit("b")], [9, 10])
      }))
  })

  it.effect("reports each move and each refusal, and builds no report when nobody listens", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const record = Recorder.recordTo((report) => {
        if (report._tag === "BulkheadMoved") seen.push(`${report.inFlight}/${report.queued}/${report.limit}`)
        if (report._tag === "BulkheadRefused") seen.push(report.reason)
      })
      const bulkhead = yield* Bulkhead.make({ name: "db", permits: 1, queue: 1 })
      yield* Effect.gen(function*() {
        const first = yield* fork(bulkhead.run(Effect.sleep(10)))
        const second = yield* fork(bulkhead.run(Effect.void))
        yield* Effect.exit(bulkhead.run(Effect.void))
        yield* TestClock.adjust(10)
        yield* Effect.forEach([first, second], Fiber.join)
      }).pipe(record)
      assert.deepStrictEqual(seen, ["1/0/1", "1/1/1", "full", "1/0/1", "0/0/1"])
    }))

  describe("http", () => {
    const handler = (app: Effect.Effect<HttpServerResponse.HttpServerResponse>) => HttpEffect.toWebHandler(app)
    const request = () => new Request("http://shop.test/orders")

    it.effect("middleware answers 503 with Retry-After and a problem, without running the handler", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "orders", permits: 1, retryAfter: "1500 millis" })
        let calls = 0
        const app = Effect.sync(() => {
          calls++
          return HttpServerResponse.text("ok")
        })
        const around = handler(Bulkhead.middleware(bulkhead)(app))
        const given = HttpEffect.toWebHandler(app, Bulkhead.middleware(bulkhead))
        for (const [index, serve] of [around, given].entries()) {
          const fine = yield* Effect.promise(() => serve(request()))
          assert.strictEqual(fine.status, 200)
          assert.strictEqual(calls, index + 1)
        }
        yield* fork(bulkhead.run(Effect.never))
        for (const serve of [around, given]) {
          const busy = yield* Effect.promise(() => serve(request()))
          assert.strictEqual(busy.status, 503)
          assert.strictEqual(busy.headers.get("retry-after"), "2")
          assert.strictEqual(busy.headers.get("content-type"), "application/problem+json")
          const problem = yield* Effect.promise(() => busy.json())
          assert.deepInclude(problem, { type: "urn:problem:bulkhead-rejected", status: 503, stage: "Middleware" })
        }
        assert.strictEqual(calls, 2)
      }))
    it.effect("middleware names the request in the problem", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "orders", permits: 1 })
        yield* fork(bulkhead.run(Effect.never))
        const id = Option.getOrThrow(RequestId.parse("order-42"))
        const app = Bulkhead.middleware(bulkhead)(Effect.succeed(HttpServerResponse.empty()))
        const serve = handler(Effect.provideService(app, RequestId.Current, Option.some(id)))
        const problem = yield* Effect.promise(() => serve(request()).then((response) => response.json()))
        assert.deepInclude(problem, { requestId: "order-42", instance: "urn:request:order-42" })
      }))
    it.effect("middleware leaves the refusals of the handler's own bulkheads to others", () =>
      Effect.gen(function*() {
        const outer = yield* Bulkhead.make({ name: "orders", permits: 1 })
        const inner = yield* Bulkhead.make({ name: "db", permits: 1 })
        yield* fork(inner.run(Effect.never))
        const app = Bulkhead.middleware(outer)(inner.run(Effect.succeed(HttpServerResponse.empty())))
        assert.strictEqual((yield* Effect.flip(app)).name, "db")
      }))

    const transport = (status: number, gate: Effect.Effect<void> = Effect.void) =>
      HttpClient.make((request) => Effect.as(gate, HttpClientResponse.fromWeb(request, new Response(null, { status }))))
    it.effect("client refuses a request without sending it", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "payments", permits: 1 })
        const client = Bulkhead.client(bulkhead)(transport(200, Effect.sleep(100)))
        const first = yield* fork(client.get("http://pay.test/"))
        const rejected = yield* Effect.flip(client.get("http://pay.test/"))
        assert.strictEqual(rejected._tag, "BulkheadRejected")
        yield* TestClock.adjust(100)
        assert.strictEqual((yield* Fiber.join(first)).status, 200)
      }))
    it.effect("clientKeyed keeps origins apart", () =>
      Effect.gen(function*() {
        const keyed = yield* Bulkhead.keyed({ name: "upstream", permits: 1 })
        const client = Bulkhead.clientKeyed(keyed)(transport(200, Effect.sleep(100)))
        const first = yield* fork(client.get("http://a.test/one"))
        assert.strictEqual((yield* Effect.flip(client.get("http://a.test/two")))._tag, "BulkheadRejected")
        const other = yield* fork(client.get("http://b.test/one"))
        yield* TestClock.adjust(100)
        yield* Effect.forEach([first, other], Fiber.join)
        assert.deepStrictEqual(yield* keyed.keys, ["http://a.test", "http://b.test"])
      }))
    it.effect("an overloaded answer lowers an adaptive limit, a broken one does not", () =>
      Effect.gen(function*() {
        const limits: Array<number> = []
        for (const status of [200, 404, 500, 429, 503, 504]) {
          const bulkhead = yield* Bulkhead.adaptive({ name: "x", algorithm: Bulkhead.aimd({ initial: 10 }) })
          yield* Bulkhead.client(bulkhead)(transport(status)).get("http://a.test/")
          limits.push((yield* bulkhead.stats).limit)
        }
        assert.deepStrictEqual(limits, [10, 10, 10, 9, 9, 9])
      }))
  })

  it.effect("is a value that a service can hold", () =>
    Effect.gen(function*() {
      class Payments extends Context.Service<Payments, Bulkhead.Bulkhead>()("test/Payments") {
        static readonly layer = Layer.effect(Payments, Bulkhead.make({ name: "payments", permits: 1 }))
      }
      const one = yield* Payments.use((bulkhead) => bulkhead.run(Effect.succeed(1))).pipe(
        Effect.provide(Payments.layer)
      )
      assert.strictEqual(one, 1)
    }))
})
