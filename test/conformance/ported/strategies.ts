import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { InvalidOption, RequestStrategy, RetryBudget, RetrySchedule } from "effect-lifecycle/resilience"
import { differs, equal, type Topic } from "../ported.ts"
import { type Answer, play } from "./calls.ts"

const answers = (...statuses: ReadonlyArray<number>): ReadonlyArray<Answer> =>
  statuses.map((ends) => ({ after: 0, ends }))

const slow = (after: number, ends: Answer["ends"]): Answer => ({ after, ends })

const steady = { jitter: RetrySchedule.none }
const sequential = RequestStrategy.sequential<number>(steady)
const hedged = RequestStrategy.hedged<number>({
  delay: RequestStrategy.linear({ minimum: "100 millis", step: "100 millis", jitter: 0 })
})
/** aio-request's defaults: three attempts for a safe method, one for the others. */
const byMethod = RequestStrategy.byMethod<number>({ safe: sequential, idempotent: sequential })

const refused = (make: () => void) => Effect.sync(() => assert.throws(make, InvalidOption.InvalidOption))

/** Strategies: how many attempts, when, and what the caller gets. */
export const strategies: Topic = {
  source: "aio-request",
  title: "aio-request: strategies",
  file: "strategies.ts",
  behaviours: [
    equal(
      "strategy-single",
      "makes one attempt with the single strategy and returns what comes",
      () =>
        Effect.gen(function*() {
          const call = yield* play(RequestStrategy.single, answers(503))
          assert.deepStrictEqual([call.result, call.began], [503, [0]])
        })
    ),
    equal(
      "strategy-three",
      "makes at most three attempts, one after another or hedged, unless told otherwise",
      () =>
        Effect.gen(function*() {
          for (const strategy of [RequestStrategy.sequential<number>(), RequestStrategy.hedged<number>()]) {
            assert.strictEqual((yield* play(strategy, answers(503, 503, 503))).began.length, 3)
          }
        })
    ),
    equal("strategy-count", "refuses fewer than one attempt", () =>
      Effect.gen(function*() {
        for (const attempts of [0, -1]) {
          yield* refused(() => RequestStrategy.sequential({ attempts }))
          yield* refused(() => RequestStrategy.hedged({ attempts }))
        }
      })),
    equal(
      "sequential-delays",
      "starts attempt n when the one before was rejected, plus 50 ms x n",
      () =>
        Effect.gen(function*() {
          const call = yield* play(sequential, [slow(20, 503), slow(30, 503), slow(0, 200)])
          assert.deepStrictEqual([call.result, call.began], [200, [0, 70, 200]])
        })
    ),
    equal("sequential-accept", "stops at the first accepted answer, a 404 included", () =>
      Effect.gen(function*() {
        const call = yield* play(sequential, answers(503, 404))
        assert.deepStrictEqual([call.result, call.began.length], [404, 2])
      })),
    equal("sequential-last", "returns the last answer when none was accepted", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* play(sequential, answers(500, 502, 503))).result, 503)
      })),
    equal(
      "sequential-no-time",
      "gives up at once when the wait would not leave time for another attempt",
      () =>
        Effect.gen(function*() {
          const call = yield* play(sequential, answers(503, 200), { within: "40 millis" })
          assert.deepStrictEqual([call.result, call.began, call.took], [503, [0], 0])
        })
    ),
    equal("sequential-pass", "gives each attempt all the time that is left", () =>
      Effect.gen(function*() {
        const call = yield* play(sequential, [slow(1000, 503), slow(0, 200)], { within: "9 seconds" })
        assert.deepStrictEqual(call.granted.slice(0, 1), [9000])
        // The answer that is held keeps the last 5 ms for itself.
        assert.closeTo(call.granted[1] ?? 0, 7950, 5)
      })),
    equal("sequential-split", "splits 9 s as 3, 3 and 3 between attempts that hang", () =>
      Effect.gen(function*() {
        const even = RequestStrategy.sequential<number>({ ...steady, delay: 0, split: "even" })
        const hangs = [slow(60_000, 200), slow(60_000, 200), slow(60_000, 200)]
        const call = yield* play(even, hangs, { within: "9 seconds" })
        assert.deepStrictEqual(call.granted, [3000, 3000, 3000])
      })),
    differs("sequential-low-time", {
      theirs: "replaces a real 503 by a made-up 408 when there is no time for the next attempt",
      ours: "returns the 503",
      reason: "an answer tells more than its absence",
      rule: "T12"
    }, () =>
      Effect.gen(function*() {
        const hurried = RequestStrategy.sequential<number>({ ...steady, delay: "10 millis" })
        const call = yield* play(hurried, [slow(10, 503), slow(0, 200)], { within: "22 millis" })
        assert.deepStrictEqual([call.result, call.began.length], [503, 1])
      })),
    differs("sequential-exception", {
      theirs: "lets an exception of an attempt through, without another attempt",
      ours: "rejects a typed failure like a bad answer, and repeats it; a defect goes through",
      reason: "a connection that broke is what retries are for"
    }, () =>
      Effect.gen(function*() {
        const call = yield* play(sequential, [slow(0, { fails: "ECONNRESET" }), slow(0, 200)])
        assert.deepStrictEqual([call.result, call.began.length], [200, 2])
        const bug = yield* play(sequential, [slow(0, { dies: "bug" }), slow(0, 200)])
        assert.deepStrictEqual([bug.result, bug.began.length], ["bug", 1])
      })),
    equal("low-time", "makes an attempt with 5 ms left, and none with less", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* play(RequestStrategy.single, answers(200), { within: "5 millis" })).result, 200)
        const late = yield* play(RequestStrategy.single, answers(200), { within: "4 millis" })
        assert.deepStrictEqual([late.result, late.began], ["DeadlineExceeded", []])
      })),
    equal("method-get", "repeats a GET and makes one attempt for POST and PATCH", () =>
      Effect.gen(function*() {
        for (const [method, attempts] of [["GET", 3], ["POST", 1], ["PATCH", 1]] as const) {
          const call = yield* play(byMethod, answers(503, 503, 503), { method })
          assert.strictEqual(call.began.length, attempts, method)
        }
      })),
    differs("method-safe", {
      theirs: "ends with a KeyError for HEAD and OPTIONS",
      ours: "takes HEAD, OPTIONS and TRACE as safe, and a method that it does not know as unsafe",
      reason: "they are as harmless as GET"
    }, () =>
      Effect.gen(function*() {
        for (const [method, attempts] of [["HEAD", 3], ["OPTIONS", 3], ["TRACE", 3], ["BREW", 1]] as const) {
          const call = yield* play(byMethod, answers(503, 503, 503), { method })
          assert.strictEqual(call.began.length, attempts, method)
        }
      })),
    differs("method-idempotent", {
      theirs: "treats PUT and DELETE as unsafe: one attempt",
      ours: "has a third class for what may be repeated although it changes something",
      reason: "RFC 9110 says that they may be repeated"
    }, () =>
      Effect.gen(function*() {
        for (const method of ["PUT", "DELETE"]) {
          const call = yield* play(byMethod, answers(503, 503, 200), { method })
          assert.deepStrictEqual([call.result, call.began.length], [200, 3])
        }
      })),
    differs("method-hedged-post", {
      theirs: "hedges a POST when the call asks for it, silently",
      ours: "attempts a POST without an idempotency key once, whatever the strategy, unless an option says otherwise",
      reason: "the second payment is worse than the error",
      rule: "T14"
    }, () =>
      Effect.gen(function*() {
        const post = yield* play(hedged, answers(503, 200), { method: "POST" })
        assert.deepStrictEqual([post.result, post.began.length], [503, 1])
        const keyed = yield* play(hedged, answers(503, 200), { method: "POST", key: true })
        assert.deepStrictEqual([keyed.result, keyed.began.length], [200, 2])
        const optedIn = RequestStrategy.hedged<number>({ repeatNonIdempotent: true })
        assert.strictEqual((yield* play(optedIn, answers(503, 200), { method: "POST" })).result, 200)
      })),
    equal(
      "hedged-times",
      "starts hedge n at its delay from the start of the whole call: 0, 200, 300 ms",
      () =>
        Effect.gen(function*() {
          const call = yield* play(hedged, [slow(900, 200), slow(900, 200), slow(50, 204)])
          assert.deepStrictEqual([call.result, call.began, call.took], [204, [0, 200, 300], 350])
        })
    ),
    equal("hedged-winner", "returns the first accepted answer", () =>
      Effect.gen(function*() {
        const call = yield* play(hedged, [slow(210, 503), slow(50, 200), slow(900, 200)])
        assert.strictEqual(call.result, 200)
      })),
    equal("hedged-first", "returns the first rejected answer when none was accepted", () =>
      Effect.gen(function*() {
        const call = yield* play(hedged, [slow(500, 500), slow(100, 502), slow(900, 503)])
        assert.strictEqual(call.result, 502)
      })),
    differs("hedged-best", {
      theirs: "returns the first rejected outcome, also a made-up 489 of the network",
      ours: "returns an answer rather than an error, and an error rather than a refusal of our own",
      reason: "an answer of the other side tells most",
      rule: "T12"
    }, () =>
      Effect.gen(function*() {
        const call = yield* play(hedged, [slow(0, { fails: "ECONNREFUSED" }), slow(0, 503), slow(0, { fails: "late" })])
        assert.strictEqual(call.result, 503)
      })),
    differs("hedged-early", {
      theirs: "waits for the hedge's own time although the attempt before was rejected at once",
      ours: "starts the next attempt as soon as one is rejected or fails",
      reason: "waiting for an answer that has come already helps nobody",
      rule: "T14"
    }, () =>
      Effect.gen(function*() {
        const call = yield* play(hedged, [slow(10, 503), slow(0, 200)])
        assert.deepStrictEqual([call.result, call.began, call.took], [200, [0, 10], 10])
      })),
    differs("hedged-exception", {
      theirs: "fails the whole request when one attempt raises, although another would have answered",
      ours: "goes on with the other attempts",
      reason: "that an attempt may fail is why there are several",
      rule: "T14"
    }, () =>
      Effect.gen(function*() {
        const failed = yield* play(hedged, [slow(210, { fails: "ECONNRESET" }), slow(100, 200), slow(900, 200)])
        assert.strictEqual(failed.result, 200)
        const died = yield* play(hedged, [slow(210, { dies: "bug" }), slow(100, 200), slow(900, 200)])
        assert.strictEqual(died.result, 200)
      })),
    differs("hedged-percentile-no-data", {
      theirs: "fires hedges 1 and 2 together, 50 ms after the start, as long as there are no data",
      ours: "fires them after 50 and 100 ms",
      reason: "a client that has just started would triple its load at once",
      rule: "T16"
    }, () =>
      Effect.gen(function*() {
        const percentile = RequestStrategy.hedged<number>({ delay: RequestStrategy.percentile() })
        const call = yield* play(percentile, [slow(900, 200), slow(900, 200), slow(900, 200)])
        assert.deepStrictEqual(call.began, [0, 50, 100])
      })),
    differs("hedged-losers", {
      theirs: "awaits and closes the losers after the caller's block has ended",
      ours: "interrupts and finalises them before the caller goes on",
      reason: "nothing of a call is left when it returns",
      rule: "T14"
    }, () =>
      Effect.gen(function*() {
        const call = yield* play(hedged, [{ after: 900, ends: 200, release: 25 }, slow(50, 200)])
        assert.deepStrictEqual([call.result, call.interrupted, call.took], [200, [1], 275])
      })),
    differs("hedged-low-time", {
      theirs: "lets a hedge that wakes with less than 5 ms win with a made-up 408 over the answer that is coming",
      ours: "does not start that hedge",
      reason: "an answer that comes before the deadline is an answer",
      rule: "T12"
    }, () =>
      Effect.gen(function*() {
        const call = yield* play(hedged, [slow(202, 200)], { within: "203 millis" })
        assert.deepStrictEqual([call.result, call.began.length], [200, 1])
      })),
    differs("until-deadline-bounded", {
      theirs: "knows no limit: 4217 attempts in 0.2 s were seen with delays of zero, their default",
      ours: "makes 100 attempts unless told otherwise",
      reason: "a client that asks without pause keeps a broken service broken",
      rule: "T13"
    }, () =>
      Effect.gen(function*() {
        const untiring = RequestStrategy.untilDeadline<number>(RequestStrategy.single, { ...steady, delay: 0 })
        const call = yield* play(untiring, answers(...Array.from({ length: 200 }, () => 503)), { within: "1 second" })
        assert.deepStrictEqual([call.result, call.began.length], [503, 100])
      })),
    differs("until-deadline-last", {
      theirs: "nearly always ends in the made-up 408",
      ours: "returns the last real answer",
      reason: "the caller should hear what the other side said",
      rule: "T12"
    }, () =>
      Effect.gen(function*() {
        const until = RequestStrategy.untilDeadline<number>(RequestStrategy.single, { ...steady, delay: "30 millis" })
        const call = yield* play(until, [slow(10, 500), slow(10, 502), slow(10, 503)], { within: "100 millis" })
        assert.deepStrictEqual([call.result, call.began], [503, [0, 40, 80]])
      })),
    equal("until-deadline-accept", "ends with the first accepted answer", () =>
      Effect.gen(function*() {
        const until = RequestStrategy.untilDeadline<number>(RequestStrategy.single, steady)
        const call = yield* play(until, answers(500, 502, 503, 200), { within: "5 seconds" })
        assert.deepStrictEqual([call.result, call.began], [200, [0, 50, 150, 300]])
      })),
    differs("strategy-budget", {
      theirs: "has no budget: a service that is down gets three times its load",
      ours: "shares a budget between retries and hedges of all calls, where it is given one",
      reason: "retries that help one call break the service for all",
      rule: "T13"
    }, () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.tokens()
        const frugal = RequestStrategy.sequential<number>({ ...steady, budget })
        const calls = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => play(frugal, answers(503, 503, 503))
        )
        const attempts = calls.reduce((sum, call) => sum + call.began.length, 0)
        assert.isAbove(attempts, 50)
        assert.isAtMost(attempts, 55)
      })),
    equal(
      "strategy-per-call",
      "lets the strategy of a single call win over the client's",
      () =>
        Effect.gen(function*() {
          const call = yield* play(sequential, answers(503, 200)).pipe(
            RequestStrategy.withStrategy(RequestStrategy.single)
          )
          assert.deepStrictEqual([call.result, call.began.length], [503, 1])
        })
    )
  ]
}
