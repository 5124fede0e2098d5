import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { Recorder, Story } from "effect-lifecycle/lifecycle"
import { Journal, Logs, Metrics } from "effect-lifecycle/observability"
import { TestClock } from "effect/testing"
import { called, command, ended, stageTimed, started } from "./reports.ts"

const journal = (options: Partial<Journal.Options> = {}) => Journal.layer({ service: "orders", ...options })

const report = (one: Recorder.Report) => Recorder.report(() => one)

/** Reports on a fiber of its own, as every request has one. */
const request = (id: string, reports: ReadonlyArray<Recorder.Report>) =>
  Effect.forEach(reports, report, { discard: true }).pipe(
    Effect.annotateLogs({ requestId: id }),
    Effect.forkChild,
    Effect.flatMap(Fiber.join)
  )

const millis = (value: number) => BigInt(Math.round(value * 1_000_000))
const times = (from: number, to: number) => ({ startNanos: millis(from), endNanos: millis(to) })

const simple = (id: string, change: Partial<Recorder.ServerRequestEnded> = {}) =>
  request(id, [started(), stageTimed(), ended({ requestId: id, ...change })])

const ids = (parts: ReadonlyArray<Story.Part>) => parts.map(({ requestId }) => requestId)

describe("Journal", () => {
  describe("story", () => {
    it.effect("tells a request with its stages, commands, calls and outcome, each at its time", () =>
      Effect.gen(function*() {
        yield* request("r-1", [
          started("POST"),
          command(times(103, 108)),
          called(times(104, 107)),
          stageTimed({ stage: "Security", name: "server/Authentication", ...times(101, 102) }),
          stageTimed({ ...times(102, 109) }),
          ended({ method: "POST", requestId: "r-1", ...times(100, 110) })
        ])
        const [part, ...others] = yield* Journal.story("r-1")
        assert.lengthOf(others, 0)
        assert.deepStrictEqual(part?.request, {
          method: "POST",
          route: "/orders/:id",
          status: 200,
          outcome: "ok",
          stage: null,
          userId: "alice"
        })
        assert.strictEqual(part?.service, "orders")
        assert.strictEqual(part?.durationMillis, 10)
        assert.deepStrictEqual(
          part?.stages.map(({ durationMillis, stage, startMillis }) => [stage, startMillis, durationMillis]),
          [["Security", 1, 1], ["Handler", 2, 7]]
        )
        assert.deepStrictEqual(
          part?.steps.map(({ durationMillis, kind, name, outcome, startMillis }) => [
            kind,
            name,
            outcome,
            startMillis,
            durationMillis
          ]),
          [["command", "orders.Place", "success", 3, 5], ["call", "POST /payments", "201", 4, 3]]
        )
        // By the wall clock, which tells the same time as the monotonic one in a test.
        assert.strictEqual(part?.startedAt, 100)
      }).pipe(Effect.provide(journal())))

    it.effect("is data that another service can decode", () =>
      Effect.gen(function*() {
        yield* request("r-1", [
          started(),
          stageTimed(),
          command(),
          called({ route: undefined, status: undefined }),
          ended()
        ])
        const parts = yield* Journal.story("r-1")
        const wire = JSON.parse(JSON.stringify(parts))
        assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(Schema.Array(Story.Part))(wire), parts)
        assert.deepInclude(parts[0]?.steps.find(({ kind }) => kind === "call"), { outcome: "no answer", failed: true })
      }).pipe(Effect.provide(journal())))

    it.effect("is empty for an id that nobody has used", () =>
      Effect.gen(function*() {
        yield* simple("r-1")
        assert.deepStrictEqual(yield* Journal.story("r-2"), [])
      }).pipe(Effect.provide(journal())))

    it.effect("shows a request that is still running", () =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 second")
        yield* request("r-1", [started("PUT")])
        yield* TestClock.adjust("2 seconds")
        const [part] = yield* Journal.story("r-1")
        assert.deepInclude(part?.request, { method: "PUT", outcome: "running", status: null })
        assert.strictEqual(part?.durationMillis, 2000)
        assert.deepStrictEqual(yield* Journal.recent, [])
      }).pipe(Effect.provide(journal())))

    it.effect("keeps two requests with one id apart, and what each of them did", () =>
      Effect.gen(function*() {
        yield* request("r-1", [command({ name: "first", ...times(1, 2) }), ended({ ...times(0, 5) })])
        yield* request("r-1", [command({ name: "second", ...times(11, 12) }), ended({ status: 409, ...times(10, 15) })])
        assert.deepStrictEqual(
          (yield* Journal.story("r-1")).map(({ request, steps }) => [request?.status, steps.map(({ name }) => name)]),
          [[200, ["first"]], [409, ["second"]]]
        )
      }).pipe(Effect.provide(journal())))

    it.effect("gives work of another fiber to the request it ran within, and later work to the background", () =>
      Effect.gen(function*() {
        yield* request("r-1", [ended({ ...times(0, 50) })])
        yield* request("r-1", [command({ name: "within", ...times(10, 20) })])
        yield* request("r-1", [command({ name: "after", ...times(60, 70) })])
        assert.deepStrictEqual(
          (yield* Journal.story("r-1")).map(({ request, steps }) => [request?.status, steps.map(({ name }) => name)]),
          [[200, ["within"]], [undefined, ["after"]]]
        )
      }).pipe(Effect.provide(journal())))

    it.effect("notes what guards did to the request, and that there was a bug", () =>
      Effect.gen(function*() {
        yield* request("r-1", [
          { _tag: "CircuitCalled", name: "payments", key: "", outcome: "success", slow: false },
          { _tag: "CircuitCalled", name: "payments", key: "", outcome: "rejected", slow: false },
          { _tag: "BudgetDenied", name: "payments", kind: "retry" },
          { _tag: "RateLimitApplied", policy: "burst", outcome: "refused" },
          { _tag: "DefectCaught", stage: "Handler", requestId: "r-1", cause: Cause.die("secret") },
          ended({ status: 500, outcome: "failed", startNanos: 0n, endNanos: millis(1) })
        ])
        const [part] = yield* Journal.story("r-1")
        assert.deepStrictEqual(part?.steps.map(({ failed, kind, name }) => [kind, name, failed]), [
          ["note", "refused by the circuit payments", false],
          ["note", "no retry: the budget payments is spent", false],
          ["note", "rate limit burst: refused", false],
          ["note", "a bug, caught in Handler", true]
        ])
      }).pipe(Effect.provide(journal())))

    it.effect("knows the request of a saga's step, whoever goes on with it", () =>
      Effect.gen(function*() {
        yield* report({
          _tag: "SagaStepEnded",
          saga: "PayOrder",
          step: "charge",
          action: "compensate",
          outcome: "inDoubt",
          attempt: 2,
          requestId: "r-1",
          ...times(1, 2)
        })
        const [part] = yield* Journal.story("r-1")
        assert.deepStrictEqual(part?.steps.map(({ kind, name, outcome }) => [kind, name, outcome]), [
          ["saga", "PayOrder: undo charge, attempt 2", "in doubt"]
        ])
      }).pipe(Effect.provide(journal())))
  })

  describe("recent", () => {
    it.effect("has what ended last first", () =>
      Effect.gen(function*() {
        yield* simple("r-1", times(0, 10))
        yield* simple("r-2", times(5, 8))
        yield* simple("r-3", times(9, 12))
        assert.deepStrictEqual(ids(yield* Journal.recent), ["r-3", "r-1", "r-2"])
        const { recent } = yield* Journal.Journal
        assert.deepStrictEqual(ids(yield* recent(1)), ["r-3"])
      }).pipe(Effect.provide(journal())))

    it.effect("leaves out health, metrics and the page, and what they would take", () =>
      Effect.gen(function*() {
        yield* simple("probe", { route: "/health/ready" })
        yield* simple("scrape", { route: "/metrics" })
        yield* simple("page", { route: "/lifecycle/events" })
        assert.deepStrictEqual(yield* Journal.Journal.use(({ size }) => size), { requests: 0, bytes: 0 })
        yield* simple("r-1", { route: "/healthy" })
        assert.deepStrictEqual(ids(yield* Journal.recent), ["r-1"])
      }).pipe(Effect.provide(journal())))

    it.effect("leaves out what the application names instead", () =>
      Effect.gen(function*() {
        yield* simple("r-1", { route: "/internal/ping" })
        yield* simple("r-2", { route: "/metrics" })
        assert.deepStrictEqual(ids(yield* Journal.recent), ["r-2"])
      }).pipe(Effect.provide(journal({ ignore: ["/internal/*"] }))))

    it.effect("forgets only the ignored one of two requests with an id", () =>
      Effect.gen(function*() {
        yield* simple("r-1")
        yield* simple("r-1", { route: "/metrics" })
        assert.deepStrictEqual((yield* Journal.story("r-1")).map(({ request }) => request?.route), ["/orders/:id"])
      }).pipe(Effect.provide(journal())))
  })

  describe("memory", () => {
    it.effect("keeps as many requests as it has room for, and forgets the oldest", () =>
      Effect.gen(function*() {
        for (let index = 0; index < 50; index++) yield* simple(`r-${index}`, times(index, index + 1))
        assert.deepStrictEqual(ids(yield* Journal.recent), ["r-49", "r-48", "r-47"])
        assert.deepStrictEqual(yield* Journal.story("r-46"), [])
        assert.strictEqual((yield* Journal.Journal.use(({ size }) => size)).requests, 3)
      }).pipe(Effect.provide(journal({ capacity: 3 }))))

    it.effect("forgets an id that was used again later than one that was not", () =>
      Effect.gen(function*() {
        for (const id of ["r-0", "r-1", "r-0", "r-2"]) yield* simple(id)
        assert.deepStrictEqual(yield* Journal.story("r-1"), [])
        assert.lengthOf(yield* Journal.story("r-0"), 2)
      }).pipe(Effect.provide(journal({ capacity: 2 }))))

    it.effect("keeps no more bytes than it may", () =>
      Effect.gen(function*() {
        const { size } = yield* Journal.Journal
        for (let index = 0; index < 200; index++) {
          yield* request(`r-${index}`, [
            ...Array.from({ length: 20 }, () => stageTimed()),
            ended({ requestId: `r-${index}` })
          ])
          assert.isAtMost((yield* size).bytes, 30_000)
        }
        assert.isAbove((yield* size).requests, 2)
        assert.isBelow((yield* size).requests, 10)
        assert.strictEqual((yield* Journal.story("r-199"))[0]?.stages.length, 20)
      }).pipe(Effect.provide(journal({ maximumBytes: 30_000 }))))

    it.effect("keeps so many steps of one request and counts the rest, but always how it ended", () =>
      Effect.gen(function*() {
        yield* request("r-1", [
          ...Array.from({ length: 10_000 }, (_, index) => command({ name: `c-${index}`, ...times(1, 2) })),
          ended({ status: 418, ...times(0, 3) })
        ])
        const [part] = yield* Journal.story("r-1")
        assert.strictEqual(part?.request?.status, 418)
        assert.strictEqual(part?.steps.length, Journal.maxSteps - 1)
        assert.strictEqual(part?.dropped, 10_001 - Journal.maxSteps)
      }).pipe(Effect.provide(journal())))

    it.effect.prop(
      "never goes over its bounds, and counts what is there, whatever is reported",
      [Schema.Array(Schema.Struct({
        id: Schema.Literals(["a", "b", "c", "d", "e", "f"]),
        what: Schema.Literals(["start", "lap", "command", "end", "ignored"])
      }))],
      ([happened]) =>
        Effect.gen(function*() {
          const { size } = yield* Journal.Journal
          for (const { id, what } of happened) {
            yield* request(id, [
              what === "start"
                ? started()
                : what === "lap"
                ? stageTimed()
                : what === "command"
                ? command()
                : ended({ requestId: id, ...(what === "ignored" ? { route: "/metrics" } : {}) })
            ])
            const now = yield* size
            assert.isAtMost(now.requests, 4)
            assert.isAtMost(now.bytes, 10_000)
            assert.isAtLeast(now.bytes, now.requests * 600)
          }
        }).pipe(Effect.provide(journal({ capacity: 4, maximumBytes: 10_000 }), { local: true }))
    )

    it.effect("holds no path, no cause and nothing longer than a name", () =>
      Effect.gen(function*() {
        const secret = "canary-1f2e3d"
        yield* request("r-1", [
          started(),
          { _tag: "DefectCaught", stage: "Handler", requestId: "r-1", cause: Cause.die(new Error(secret)) },
          { _tag: "HeaderIgnored", header: "x-request-timeout", reason: secret },
          ended({ path: `/${secret}`, route: undefined, userId: `u${"x".repeat(500)}${secret}`, client: secret })
        ])
        const { changes: _, ...rest } = yield* Journal.Journal
        const everything = JSON.stringify([
          yield* rest.story("r-1"),
          yield* rest.recent(),
          yield* rest.standing
        ])
        assert.include(everything, "a bug, caught in Handler")
        assert.notInclude(everything, secret)
        assert.isBelow((yield* rest.story("r-1"))[0]?.request?.userId?.length ?? 0, 129)
      }).pipe(Effect.provide(journal())))
  })

  describe("changes", () => {
    it.effect("are the requests as they end, the whole of each", () =>
      Effect.gen(function*() {
        yield* simple("before")
        const reader = yield* Journal.changes.pipe(
          Stream.take(2),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        yield* Effect.yieldNow
        yield* simple("r-1")
        yield* simple("probe", { route: "/metrics" })
        yield* simple("r-2")
        const parts = yield* Fiber.join(reader)
        assert.deepStrictEqual(ids(parts), ["r-1", "r-2"])
        assert.deepStrictEqual(parts.map(({ stages }) => stages.length), [1, 1])
      }).pipe(Effect.provide(journal())))
  })

  describe("standing", () => {
    it.effect("says how guards and subscriptions stand", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(5000)
        for (const outcome of ["success", "success", "failure", "rejected", "neutral"] as const) {
          yield* report({ _tag: "CircuitCalled", name: "calls", key: "http://a", outcome, slow: false })
        }
        yield* report({ _tag: "CircuitMoved", name: "calls", key: "http://a", from: "Closed", to: "Open" })
        yield* report({ _tag: "BulkheadMoved", name: "calls", inFlight: 3, queued: 1, limit: 64 })
        yield* report({ _tag: "BulkheadRefused", name: "calls", reason: "full" })
        yield* report({ _tag: "BudgetSpent", name: "calls", kind: "retry", left: 4.5 })
        yield* report({ _tag: "BudgetSpent", name: "free", kind: "hedge", left: Infinity })
        yield* report({ _tag: "BudgetDenied", name: "calls", kind: "retry" })
        yield* report({ _tag: "RateLimitApplied", policy: "burst", outcome: "refused" })
        yield* report({ _tag: "PoolMoved", pool: "orders", inUse: 1, waiting: 0, size: 5 })
        yield* report({ _tag: "PoolMoved", pool: "orders", inUse: 5, waiting: 7, size: 5 })
        yield* report({ _tag: "SagaEnded", saga: "Pay", outcome: "completed", ageMillis: 1 })
        for (const pending of [9, 4]) {
          yield* report({
            _tag: "OutboxObserved",
            topics: "orders",
            pending,
            oldestMillis: 1500,
            deadLetters: 2,
            pausedKeys: 1
          })
        }
        yield* report({
          _tag: "SubscriptionObserved",
          subscription: "list",
          lag: 3,
          lagMillis: 20,
          owned: 1,
          paused: 0,
          deadLetters: 2,
          mark: 9,
          gapMillis: 0,
          holders: 0
        })
        const standing = yield* Journal.standing
        assert.deepStrictEqual(standing, {
          service: "orders",
          circuits: [
            { name: "calls", key: "http://a", state: "Open", since: 5000, succeeded: 2, failed: 1, rejected: 1 }
          ],
          bulkheads: [{ name: "calls", inFlight: 3, queued: 1, limit: 64, refused: 1 }],
          pools: [{ name: "orders", inUse: 5, waiting: 7, size: 5 }],
          budgets: [
            { name: "calls", left: 0, granted: 1, denied: 1 },
            { name: "free", left: null, granted: 1, denied: 0 }
          ],
          rateLimits: [{ policy: "burst", refused: 1, skipped: 0, unavailable: 0, lastAt: 5000 }],
          subscriptions: [
            { name: "list", lag: 3, lagMillis: 20, owned: 1, paused: 0, deadLetters: 2, mark: 9, at: 5000 }
          ],
          outboxes: [{ topics: "orders", pending: 4, oldestMillis: 1500, deadLetters: 2, pausedKeys: 1, at: 5000 }],
          sagas: [{ name: "Pay", outcome: "completed", count: 1 }],
          eventLoop: null,
          events: []
        })
      }).pipe(Effect.provide(journal())))

    it.effect("stays small when somebody chooses the keys", () =>
      Effect.gen(function*() {
        for (let index = 0; index < 5000; index++) {
          yield* report({ _tag: "CircuitCalled", name: "hooks", key: `h-${index}`, outcome: "success", slow: false })
          yield* report({ _tag: "RateLimitApplied", policy: `p-${index}`, outcome: "refused" })
          yield* report({
            _tag: "OutboxObserved",
            topics: `t-${index}`,
            pending: 0,
            oldestMillis: 0,
            deadLetters: 0,
            pausedKeys: 0
          })
        }
        const { circuits, outboxes, rateLimits } = yield* Journal.standing
        assert.deepStrictEqual([circuits.length, rateLimits.length, outboxes.length], [200, 200, 200])
      }).pipe(Effect.provide(journal())))
  })

  it.effect("listens beside logs and metrics, in whatever order they are joined", () => {
    const lines: Array<string> = []
    const logs = Logs.layer({ service: "orders", sink: (line) => lines.push(line) })
    return Effect.gen(function*() {
      yield* simple("r-1")
      assert.deepStrictEqual(ids(yield* Journal.recent), ["r-1"])
      assert.lengthOf(lines, 1)
    }).pipe(Effect.provide(Layer.mergeAll(logs, journal(), Metrics.layer)))
  })
})
