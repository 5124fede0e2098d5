import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline, Priority } from "effect-lifecycle/request"
import { Deadlines, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { ask, bearer, listener, tokens } from "./harness.ts"
import { recording } from "./records.ts"

const app = (options: Deadlines.Options = {}) => {
  const released: Array<string> = []
  const reports: Array<Recorder.Report> = []
  const routes = Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/wait/:millis",
      Effect.gen(function*() {
        const { millis } = yield* HttpRouter.params
        yield* Effect.addFinalizer((exit) => Effect.sync(() => released.push(`${millis} ${exit._tag}`)))
        yield* Effect.sleep(Number(millis))
        return HttpServerResponse.text("in time")
      }).pipe(Effect.scoped)
    ),
    HttpRouter.add(
      "GET",
      "/left",
      Effect.gen(function*() {
        const deadline = yield* Deadline.Current
        return HttpServerResponse.jsonUnsafe({
          origin: Option.match(deadline, { onNone: () => "none", onSome: (_) => _.origin }),
          millis: Option.match(deadline, {
            onNone: () => 0,
            onSome: (_) => Number(_.expiresAtNanos - _.startedAtNanos) / 1e6
          }),
          priority: yield* Priority.Current
        })
      })
    )
  )
  const live = ServerStack.serve(routes, { service: "x", deadlines: Deadlines.stage(options) }).pipe(
    Layer.provide([tokens, recording(reports)]),
    Layer.provideMerge(listener)
  )
  return { live, released, reports }
}

const wait = (millis: number, timeout?: string) =>
  ask(`/wait/${millis}`, { headers: { ...bearer, ...(timeout === undefined ? {} : { "x-request-timeout": timeout }) } })

const missed = (reports: ReadonlyArray<Recorder.Report>) => reports.filter((report) => report._tag === "DeadlineMissed")

describe("Deadlines", () => {
  it.live("cuts the request that is late, runs its finalizers, reports it once and leaves the others alone", () => {
    const { live, released, reports } = app()
    return Effect.gen(function*() {
      // The longer one comes first, so the shorter one has to wake the sleeper earlier than it meant to wake.
      const long = yield* Effect.forkChild(wait(300, "5"))
      yield* Effect.sleep("30 millis")
      const began = performance.now()
      const short = yield* wait(60_000, "0.08")
      const took = performance.now() - began
      assert.strictEqual(short.status, 504)
      assert.isAtLeast(took, 75)
      assert.isBelow(took, 250)
      assert.strictEqual((yield* Fiber.join(long)).text, "in time")
      assert.deepStrictEqual(released, ["60000 Failure", "300 Success"])
      assert.deepStrictEqual(missed(reports).map((report) => report.budgetMillis), [80])
    }).pipe(Effect.provide(live))
  })

  it.live("cuts many at once, each at its own time, after others have come and gone", () => {
    const { live, reports } = app()
    return Effect.gen(function*() {
      yield* Effect.forEach(Array.from({ length: 20 }), () => wait(1, "0.2"), { concurrency: 10 })
      const statuses = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => n),
        (n) => Effect.map(wait(n % 2 === 0 ? 1 : 60_000, String(0.05 + n / 200)), (answer) => answer.status),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(statuses, statuses.map((_, n) => n % 2 === 0 ? 200 : 504))
      assert.strictEqual(missed(reports).length, 10)
    }).pipe(Effect.provide(live))
  })

  it.live("gives the default to who asks for nothing, and never more than the maximum", () => {
    const { live } = app({ default: "7 seconds", maximum: "9 seconds" })
    const left = (headers: Record<string, string>) =>
      Effect.map(ask("/left", { headers: { ...bearer, ...headers } }), (answer) => answer.body)
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* left({}), { origin: "default", millis: 7000, priority: "normal" })
      assert.deepStrictEqual(yield* left({ "x-request-timeout": "3" }), {
        origin: "inherited",
        millis: 3000,
        priority: "normal"
      })
      assert.deepInclude(yield* left({ "x-request-timeout": "60" }), { millis: 9000 })
      assert.deepInclude(yield* left({ "x-request-timeout": "soon" }), { origin: "default", millis: 7000 })
      assert.deepInclude(yield* left({ "x-request-priority": "low" }), { millis: 7000, priority: "low" })
    }).pipe(Effect.provide(live))
  })

  it.live("cuts a request that brought no deadline at the default", () => {
    const { live, released } = app({ default: "60 millis" })
    return Effect.gen(function*() {
      assert.strictEqual((yield* wait(60_000)).status, 504)
      assert.deepStrictEqual(released, ["60000 Failure"])
    }).pipe(Effect.provide(live))
  })

  it.live("does not begin a handler with less than the minimum left", () => {
    const { live, released } = app({ minimum: "50 millis" })
    return Effect.gen(function*() {
      assert.strictEqual((yield* wait(1, "0.04")).status, 504)
      assert.deepStrictEqual(released, [])
      assert.strictEqual((yield* wait(1, "2")).status, 200)
    }).pipe(Effect.provide(live))
  })
})
