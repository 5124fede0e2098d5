/**
 * T17: every logical request is reported once, each attempt once, whatever happens to them; labels have a bound.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline } from "effect-lifecycle/request"
import { CircuitBreaker, RequestStrategy, RetrySchedule } from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"
import { HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { inVirtualTime } from "../client/virtual.ts"

const url = "http://up.test:8080"
const two = RequestStrategy.sequential({ attempts: 2, delay: "100 millis", jitter: RetrySchedule.none })

const recorded = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const calls: Array<Recorder.ClientRequestEnded> = []
    const attempts: Array<Recorder.ClientAttemptEnded> = []
    const exit = yield* self.pipe(
      Recorder.recordTo((report) => {
        if (report._tag === "ClientRequestEnded") calls.push(report)
        if (report._tag === "ClientAttemptEnded") attempts.push(report)
      }),
      Effect.exit
    )
    return { exit, calls, attempts }
  })

describe("T17 one report for each request, one for each attempt", () => {
  it.effect("success after a retry", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([
        FakeUpstream.respond({ status: 503, latency: "10 millis" }),
        FakeUpstream.respond({ status: 201, latency: "20 millis" })
      ])
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, strategy: two }))
      const { attempts, calls } = yield* recorded(
        inVirtualTime(client.get("/users/7?page=2").pipe(ClientStack.route("/users/{id}")))
      )
      const labels = { method: "GET", endpoint: url, route: "/users/{id}" }
      assert.lengthOf(calls, 1)
      assert.deepInclude(calls[0], { ...labels, status: 201, attempts: 2 })
      assert.strictEqual(millis(calls[0]), 130)
      assert.lengthOf(attempts, 2)
      assert.deepInclude(attempts[0], { ...labels, status: 503, attempt: 1, kind: "primary" })
      assert.deepInclude(attempts[1], { ...labels, status: 201, attempt: 2, kind: "retry" })
      assert.deepStrictEqual(attempts.map(millis), [10, 20])
    }))

  it.effect("a caller who goes away while it waits, and within the body", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([FakeUpstream.never, FakeUpstream.trickle({ every: "1 second" })])
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url }))
      const cancelled = (call: Effect.Effect<unknown, unknown>) =>
        recorded(Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(call)
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.interrupt(fiber)
        }))
      const waiting = yield* cancelled(client.get("/a"))
      assert.deepStrictEqual(waiting.calls.map((call) => [call.status, call.attempts]), [[undefined, 1]])
      assert.deepStrictEqual(waiting.attempts.map((attempt) => attempt.status), [undefined])
      const reading = yield* cancelled(Effect.flatMap(client.get("/a"), (response) => response.text))
      assert.deepStrictEqual(reading.calls.map((call) => [call.status, call.attempts]), [[200, 1]])
      assert.deepStrictEqual(reading.attempts.map((attempt) => attempt.status), [200])
    }))

  it.effect("a missed deadline, once, whatever hears of it", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, timeout: "1 second" }))
      const missed: Array<number> = []
      yield* inVirtualTime(client.get("/a")).pipe(
        Recorder.recordTo((report) => {
          if (report._tag === "DeadlineMissed") missed.push(report.budgetMillis)
        }),
        Effect.exit
      )
      assert.deepStrictEqual(missed, [1000])
    }))

  it.effect("time that is up, in the call and before it", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.never)
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, timeout: "1 second" }))
      const late = yield* recorded(inVirtualTime(client.get("/a")))
      assert.deepStrictEqual(late.calls.map((call) => [call.status, call.attempts]), [[undefined, 1]])
      assert.lengthOf(late.attempts, 1)
      const spent = yield* recorded(client.get("/a").pipe(Deadline.within("2 millis")))
      assert.deepStrictEqual(spent.calls.map((call) => [call.status, call.attempts]), [[undefined, 0]])
      assert.lengthOf(spent.attempts, 0)
      const never = upstream.client.pipe(ClientStack.make({ baseUrl: url, timeout: 0 }))
      assert.lengthOf((yield* recorded(never.get("/a"))).calls, 1)
    }))

  it.effect("a refusal, a transport error, a defect and a fallback", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.reset())
      const breaker = yield* CircuitBreaker.make({
        name: "up",
        trip: CircuitBreaker.consecutive(1),
        breakDuration: "1 minute"
      })
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: url, breaker, strategy: "none" }))
      const failed = yield* recorded(client.get("/a"))
      assert.deepStrictEqual(failed.calls.map((call) => [call.status, call.attempts]), [[undefined, 1]])
      const refused = yield* recorded(client.get("/a"))
      assert.deepStrictEqual(refused.calls.map((call) => [call.status, call.attempts]), [[undefined, 0]])
      assert.lengthOf(refused.attempts, 0)

      const bug = upstream.client.pipe(ClientStack.make({ baseUrl: () => Effect.die("bug") }))
      assert.lengthOf((yield* recorded(bug.get("/a"))).calls, 1)

      const saved = upstream.client.pipe(ClientStack.make({
        baseUrl: url,
        strategy: "none",
        fallback: {
          fallback: (_, request) =>
            Effect.succeed(HttpClientResponse.fromWeb(request, new Response("", { status: 203 })))
        }
      }))
      const told = yield* recorded(saved.get("/a"))
      assert.deepStrictEqual(told.calls.map((call) => [call.status, call.attempts]), [[203, 1]])
    }))

  it.effect("hedges: each of them, the loser without a status", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client([FakeUpstream.never, FakeUpstream.respond({ latency: "10 millis" })])
      const client = upstream.client.pipe(ClientStack.make({
        baseUrl: url,
        strategy: RequestStrategy.hedged({ attempts: 2, delay: "50 millis" })
      }))
      const { attempts, calls } = yield* recorded(inVirtualTime(client.get("/a")))
      assert.deepStrictEqual(calls.map((call) => [call.status, call.attempts]), [[200, 2]])
      const seen = attempts.map(({ attempt, kind, status }) => [attempt, kind, status] as const)
      assert.sameDeepMembers(seen, [[1, "primary", undefined], [2, "hedge", 200]])
    }))

  it.effect("labels have a bound, whatever a program calls its routes, hosts and methods", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.respond())
      const client = upstream.client.pipe(ClientStack.make())
      const { calls } = yield* recorded(Effect.forEach(
        Array.from({ length: 2000 }, (_, index) => index),
        (index) => client.get(`http://host-${index}.test/users/${index}`).pipe(ClientStack.route(`/users/${index}`)),
        { discard: true }
      ))
      assert.lengthOf(calls, 2000)
      assert.isAtMost(new Set(calls.map((call) => call.endpoint)).size, 101)
      assert.isAtMost(new Set(calls.map((call) => call.route)).size, 501)
      assert.strictEqual(calls.at(-1)?.endpoint, "_OTHER")
      assert.strictEqual(calls.at(-1)?.route, "_OTHER")
    }))

  it.effect("nothing of a path, a query or a credential is in a report", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.respond())
      const client = upstream.client.pipe(ClientStack.make({ baseUrl: "http://name:password@up.test/secret" }))
      const { attempts, calls } = yield* recorded(client.get("/secret?secret=1"))
      const text = JSON.stringify([...calls, ...attempts], (_, value) =>
        typeof value === "bigint" ? Number(value) : value)
      assert.notMatch(text, /secret|password/)
      assert.include(text, "http://up.test")
    }))
})

const millis = (report: { readonly startNanos: bigint; readonly endNanos: bigint } | undefined): number =>
  report === undefined ? Number.NaN : Number(report.endNanos - report.startNanos) / 1e6
