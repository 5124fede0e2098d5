import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Option, Schedule, Stream } from "effect"
import { Exchange, Idempotency, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, StoreUnavailable, tokens } from "./harness.ts"
import { memoryRecords } from "./records.ts"

const app = (latch = Latch.makeUnsafe(true), records = memoryRecords()) => {
  let runs = 0
  const keys: Array<string> = []
  const routes = Layer.mergeAll(
    HttpRouter.add(
      "POST",
      "/orders",
      Effect.gen(function*() {
        const n = ++runs
        keys.push(Option.match(yield* Idempotency.Key, { onNone: () => "none", onSome: (key) => key.scope }))
        const body = yield* (yield* HttpServerRequest.HttpServerRequest).text
        yield* latch.await
        if (body.includes("fail")) return yield* new StoreUnavailable({ operation: "append", reason: "gone" })
        if (body.includes("refuse")) return HttpServerResponse.jsonUnsafe({ refused: n }, { status: 409 })
        if (body.includes("break")) return HttpServerResponse.empty({ status: 500 })
        if (body.includes("stream")) return HttpServerResponse.stream(Stream.make(new TextEncoder().encode(`${n}`)))
        yield* Exchange.setHeader("location", `/orders/${n}`)
        return HttpServerResponse.jsonUnsafe({ n }, { status: 201 })
      })
    ),
    HttpRouter.add("POST", "/free", Effect.sync(() => HttpServerResponse.jsonUnsafe({ n: ++runs })))
  )
  const live = ServerStack.serve(routes, {
    service: "orders",
    idempotency: Idempotency.stage({ required: ["POST /orders"], retryAfterSeconds: 2 })
  }).pipe(Layer.provide([tokens, records]), Layer.provideMerge(listener))
  return { live, keys, runs: () => runs }
}

const place = (key: string | undefined, json: unknown, headers: Record<string, string> = bearer, init?: RequestInit) =>
  ask("/orders", {
    method: "POST",
    json,
    headers: { ...headers, ...(key === undefined ? {} : { "idempotency-key": key }) },
    ...init
  })

describe("Idempotency", () => {
  it.live("refuses a missing or unusable key, and asks only the routes named", () => {
    const { live, runs } = app()
    return Effect.gen(function*() {
      assert.strictEqual((yield* place(undefined, {})).status, 400)
      assert.strictEqual((yield* place("a b", {})).status, 400)
      assert.strictEqual((yield* place("k".repeat(256), {})).status, 400)
      assert.strictEqual(runs(), 0)
      assert.strictEqual((yield* ask("/free", { method: "POST", headers: bearer })).status, 200)
    }).pipe(Effect.provide(live))
  })

  it.live("runs once and replays status, headers and body to the same caller", () => {
    const { keys, live, runs } = app()
    return Effect.gen(function*() {
      const first = yield* place("k-1", { lines: 1 })
      const again = yield* place("k-1", { lines: 1 })
      assert.deepStrictEqual([first.status, first.body, first.headers["location"]], [201, { n: 1 }, "/orders/1"])
      assert.deepStrictEqual([again.status, again.body, again.headers["location"]], [201, { n: 1 }, "/orders/1"])
      assert.deepStrictEqual(
        [first.headers["idempotency-replayed"], again.headers["idempotency-replayed"]],
        [undefined, "true"]
      )
      assert.notStrictEqual(first.headers["x-request-id"], again.headers["x-request-id"])
      assert.strictEqual(runs(), 1)
      assert.deepStrictEqual(keys, ["alice POST /orders"])
    }).pipe(Effect.provide(live))
  })

  it.live("keeps callers apart under the same key", () => {
    const { live } = app()
    return Effect.gen(function*() {
      yield* place("k-1", { lines: 1 })
      const bob = yield* place("k-1", { lines: 2 }, { authorization: "Bearer token456" })
      assert.deepStrictEqual([bob.status, bob.body], [201, { n: 2 }])
    }).pipe(Effect.provide(live))
  })

  it.live("refuses another payload under the same key", () => {
    const { live, runs } = app()
    return Effect.gen(function*() {
      yield* place("k-1", { lines: 1 })
      const other = yield* place("k-1", { lines: 2 })
      assert.deepStrictEqual([other.status, other.body["stage"]], [422, "Dependencies"])
      assert.strictEqual(runs(), 1)
    }).pipe(Effect.provide(live))
  })

  it.live("tells who comes while the first still runs when to come back", () => {
    const latch = Latch.makeUnsafe(false)
    const { live, runs } = app(latch)
    return Effect.gen(function*() {
      const first = yield* Effect.forkChild(place("k-1", {}))
      while (runs() === 0) yield* Effect.sleep("2 millis")
      const early = yield* place("k-1", {})
      assert.deepStrictEqual([early.status, early.headers["retry-after"]], [409, "2"])
      yield* latch.open
      assert.strictEqual((yield* Fiber.join(first)).status, 201)
      assert.strictEqual((yield* place("k-1", {})).headers["idempotency-replayed"], "true")
    }).pipe(Effect.provide(live))
  })

  it.live("keeps an answer below 500, and frees the key after a failure, a 500, a stream and a deadline", () => {
    const latch = Latch.makeUnsafe(true)
    const { live, runs } = app(latch)
    return Effect.gen(function*() {
      assert.strictEqual((yield* place("refused", "refuse")).body["refused"], 1)
      assert.strictEqual((yield* place("refused", "refuse")).body["refused"], 1)
      for (const [kind, status] of [["fail", 503], ["break", 500], ["stream", 200]] as const) {
        const before = runs()
        assert.strictEqual((yield* place(kind, kind)).status, status)
        assert.strictEqual((yield* place(kind, kind)).status, status)
        assert.strictEqual(runs() - before, 2, kind)
      }
      yield* latch.close
      assert.strictEqual((yield* place("late", {}, { ...bearer, "x-request-timeout": "0.05" })).status, 504)
      yield* latch.open
      assert.strictEqual((yield* place("late", {})).status, 201)
    }).pipe(Effect.provide(live))
  })

  it.live("frees the key when the client leaves", () => {
    const latch = Latch.makeUnsafe(false)
    const { live, runs } = app(latch)
    return Effect.gen(function*() {
      const leaving = yield* Effect.forkChild(place("k-1", {}))
      while (runs() === 0) yield* Effect.sleep("2 millis")
      yield* Fiber.interrupt(leaving)
      const second = yield* Effect.forkChild(
        place("k-1", {}).pipe(Effect.repeat({ until: (answer) => answer.status !== 409 }))
      )
      while (runs() === 1) yield* Effect.sleep("2 millis")
      yield* latch.open
      const answer = yield* Fiber.join(second)
      assert.deepStrictEqual([answer.status, runs()], [201, 2])
    }).pipe(Effect.provide(live))
  })

  it.live("answers 503 when the records are away, and runs nothing", () => {
    const away = Effect.fail(new StoreUnavailable({ operation: "claim", reason: "gone" }))
    const { live, runs } = app(
      undefined,
      Layer.succeed(Idempotency.IdempotencyRecords, { claim: () => away, complete: () => away, release: () => away })
    )
    return Effect.gen(function*() {
      const answer = yield* place("k-1", {})
      assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [503, "1"])
      assert.strictEqual(runs(), 0)
    }).pipe(Effect.provide(live))
  })

  it.live("writes down what became of a request when its records are back", () => {
    let away = true
    const reachable = <A>(self: Effect.Effect<A, { readonly _tag: string }>) =>
      Effect.suspend((): Effect.Effect<A, { readonly _tag: string }> =>
        away ? Effect.fail(new StoreUnavailable({ operation: "complete", reason: "gone" })) : self
      )
    const records = Layer.effect(
      Idempotency.IdempotencyRecords,
      Effect.map(Idempotency.IdempotencyRecords, (records) => ({
        claim: records.claim,
        complete: (...args) => reachable(records.complete(...args)),
        release: (...args) => reachable(records.release(...args))
      }))
    ).pipe(Layer.provide(memoryRecords()))
    const { live, runs } = app(undefined, records)
    const settled = (key: string, json: unknown) =>
      place(key, json).pipe(
        Effect.filterOrFail(({ status }) => status !== 409),
        Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: "5 seconds" }))
      )
    return Effect.gen(function*() {
      assert.strictEqual((yield* place("k-1", {})).status, 201)
      assert.strictEqual((yield* place("k-2", { fail: true })).status, 503)
      assert.strictEqual((yield* place("k-1", {})).status, 409)
      assert.strictEqual((yield* place("k-2", { fail: true })).status, 409)
      away = false
      const kept = yield* settled("k-1", {})
      assert.deepStrictEqual([kept.status, kept.body, kept.headers["idempotency-replayed"]], [201, { n: 1 }, "true"])
      assert.strictEqual(runs(), 2)
      assert.strictEqual((yield* settled("k-2", { fail: true })).status, 503)
      assert.strictEqual(runs(), 3)
    }).pipe(Effect.provide(live))
  })
})
