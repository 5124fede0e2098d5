import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Option, Scope } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline } from "effect-lifecycle/request"
import { Attempt, RequestStrategy, RetrySchedule, type Verdict } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

interface Answer {
  readonly status: number
  readonly retryAfter?: Duration.Duration
}

const byStatus: Verdict.Classifier<Answer, unknown> = (exit) => {
  if (exit._tag === "Failure") return { _tag: "Reject", retryAfter: undefined }
  if (exit.value.status === 400) return { _tag: "Fatal", health: "neutral" }
  return exit.value.status < 400 ? { _tag: "Accept" } : { _tag: "Reject", retryAfter: exit.value.retryAfter }
}

type Step =
  | { readonly after?: number; readonly status: number; readonly retryAfter?: Duration.Duration }
  | { readonly after?: number; readonly fail: string }
  | { readonly after?: number; readonly die: string }

/** An upstream that answers attempt n with `steps[n - 1]`, and a log of what happened when. */
const upstream = (...steps: ReadonlyArray<Step>) => {
  const log: Array<string> = []
  const at = Effect.map(Effect.clockWith((clock) => clock.currentTimeMillis), String)
  const note = (text: string) => Effect.map(at, (now) => void log.push(`${now} ${text}`))
  const attempt = (info: Attempt.Attempt): Effect.Effect<Answer, string> =>
    Effect.gen(function*() {
      yield* note(`${info.number} ${info.kind}`)
      const step = steps[info.number - 1] ?? { status: 500 }
      if (step.after !== undefined) yield* Effect.sleep(step.after)
      if ("fail" in step) return yield* Effect.fail(step.fail)
      if ("die" in step) return yield* Effect.die(step.die)
      return step
    }).pipe(Effect.onInterrupt(() => note(`${info.number} interrupted`)))
  return { attempt, log }
}

const settle = <A, E, R>(effect: Effect.Effect<A, E, R>, within: Duration.Input = "10 minutes") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust(within)
    return yield* Fiber.join(fiber)
  })

const strategy = (options: Parameters<typeof RequestStrategy.sequential<Answer, unknown>>[0] = {}) =>
  RequestStrategy.sequential({ delay: "1 second", jitter: RetrySchedule.none, verdict: byStatus, ...options })

describe("RequestStrategy", () => {
  describe("single", () => {
    it.effect("makes one attempt, whatever comes of it", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 503 })
        const once = RequestStrategy.makeSingle({ verdict: byStatus })
        assert.strictEqual((yield* once.run(attempt)).status, 503)
        assert.deepStrictEqual(log, ["0 1 primary"])
      }))
  })

  describe("sequential", () => {
    it.effect("ends with the first accepted outcome", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 503 }, { fail: "reset" }, { status: 200 })
        assert.strictEqual((yield* settle(strategy().run(attempt))).status, 200)
        assert.deepStrictEqual(log, ["0 1 primary", "1000 2 retry", "2000 3 retry"])
      }))

    it.effect("makes no attempt after a fatal outcome", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 400 })
        assert.strictEqual((yield* settle(strategy().run(attempt))).status, 400)
        assert.strictEqual(log.length, 1)
      }))

    it.effect("returns the last answer when every one was rejected", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 500 }, { status: 502 }, { status: 503 }, { status: 200 })
        assert.strictEqual((yield* settle(strategy().run(attempt))).status, 503)
        assert.strictEqual(log.length, 3)
      }))

    it.effect("returns an answer rather than a later error", () =>
      Effect.gen(function*() {
        const { attempt } = upstream({ status: 503 }, { fail: "reset" })
        assert.strictEqual((yield* settle(strategy({ attempts: 2 }).run(attempt))).status, 503)
      }))

    it.effect("says which attempt it is, to the effect and to everything inside", () =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        const attempt = (info: Attempt.Attempt) =>
          Effect.map(Attempt.Current, (current) => {
            assert.deepStrictEqual(current, Option.some(info))
            seen.push([info.number, info.kind, info.elapsedMillis])
            return { status: 500 }
          })
        yield* settle(strategy().run(attempt))
        assert.deepStrictEqual(seen, [[1, "primary", 0], [2, "retry", 1000], [3, "retry", 2000]])
        assert.isTrue(Option.isNone(yield* Attempt.Current))
      }))

    it.effect("waits as long as a rejection asks, and gives up when that is more than the maximum", () =>
      Effect.gen(function*() {
        const asked = upstream({ status: 503, retryAfter: Duration.seconds(7) }, { status: 200 })
        yield* settle(strategy({ retryAfter: { jitter: 0 } }).run(asked.attempt))
        assert.strictEqual(asked.log[1], "7000 2 retry")
        const tooLong = upstream({ status: 503, retryAfter: Duration.hours(1) }, { status: 200 })
        assert.strictEqual((yield* settle(strategy().run(tooLong.attempt))).status, 503)
      }))

    it.effect("does without the jitter of a wait that was asked for where only that fits the deadline", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 503, retryAfter: Duration.seconds(7) }, { status: 200 })
        const call = strategy({ retryAfter: { jitter: 1 } }).run(attempt).pipe(Deadline.within("7010 millis"))
        assert.strictEqual((yield* settle(call)).status, 200)
        assert.isAtMost(Number.parseFloat(log[1] ?? ""), 7005)
      }))

    it.effect("turns a classifier that throws into a defect and releases the value", () =>
      Effect.gen(function*() {
        const discarded: Array<Answer> = []
        const broken = RequestStrategy.sequential<Answer>({
          verdict: () => {
            throw new Error("bug")
          }
        })
        const exit = yield* Effect.exit(
          broken.run(() => Effect.succeed({ status: 200 }), {
            discard: (value) => Effect.sync(() => void discarded.push(value))
          })
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.deepStrictEqual(discarded, [{ status: 200 }])
      }))

    it.effect("turns a delay that throws into a defect and releases what it held", () =>
      Effect.gen(function*() {
        const discarded: Array<Answer> = []
        const broken = strategy({
          delay: () => {
            throw new Error("bug")
          }
        })
        const exit = yield* Effect.exit(
          broken.run(() => Effect.succeed({ status: 503 }), {
            discard: (value) => Effect.sync(() => void discarded.push(value))
          })
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.deepStrictEqual(discarded, [{ status: 503 }])
      }))
  })

  describe("deadline", () => {
    const shares = (split: Deadline.Split, steps: ReadonlyArray<Step>, attempts = 3) =>
      Effect.gen(function*() {
        const seen: Array<number> = []
        const { attempt } = upstream(...steps)
        const watched = (info: Attempt.Attempt) =>
          Effect.flatMap(Deadline.remaining, (left) => {
            seen.push(Duration.toMillis(Option.getOrThrow(left)))
            return attempt(info)
          })
        yield* settle(
          strategy({ attempts, split, delay: 0, minimumTime: 0 }).run(watched).pipe(
            Deadline.within("9 seconds"),
            Effect.exit
          )
        )
        return seen
      })
    const slow = Array.from({ length: 5 }, (): Step => ({ after: 60_000, status: 200 }))

    it.effect("goes to every attempt whole when it is passed", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* shares("pass", slow), [9000])
        const failing = [{ after: 1000, fail: "a" }, { after: 1000, fail: "b" }]
        assert.deepStrictEqual(yield* shares("pass", failing), [9000, 8000, 7000])
      }))

    it.effect("is shared evenly, and what an attempt does not use goes to the later ones", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* shares("even", slow), [3000, 3000, 3000])
        const quick = [{ after: 1000, fail: "a" }, { after: 1000, fail: "b" }, { status: 200 }]
        assert.deepStrictEqual(yield* shares("even", quick), [3000, 4000, 7000])
      }))

    it.effect("is shared between the first n only, or as a function says", () =>
      Effect.gen(function*() {
        const failing = [{ after: 1000, fail: "a" }, { after: 1000, fail: "b" }]
        assert.deepStrictEqual(yield* shares({ even: 2 }, failing), [4500, 8000, 7000])
        assert.deepStrictEqual(yield* shares(() => Duration.seconds(2), slow), [2000, 2000, 2000])
      }))

    it.effect("of an attempt that manages its own end is only set, not enforced", () =>
      Effect.gen(function*() {
        const attempt = () => Effect.as(Effect.sleep("5 seconds"), { status: 200 })
        const evenly = strategy({ split: "even" })
        const left = yield* settle(
          evenly.run(attempt, { endsAtDeadline: true }).pipe(Deadline.within("9 seconds"))
        )
        assert.strictEqual(left.status, 200)
        const cut = yield* settle(evenly.run(attempt).pipe(Deadline.within("9 seconds"), Effect.flip))
        assert.strictEqual(cut._tag, "DeadlineExceeded")
      }))

    it.effect("makes no attempt with less than the minimum time, and says so", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 200 })
        const reports: Array<string> = []
        for (const one of [RequestStrategy.single, strategy(), RequestStrategy.hedged()]) {
          const error = yield* one.run(attempt).pipe(
            Deadline.within("4 millis"),
            Recorder.recordTo((report) => reports.push(report._tag)),
            Effect.flip
          )
          assert.strictEqual((error as Deadline.DeadlineExceeded)._tag, "DeadlineExceeded")
        }
        assert.deepStrictEqual(log, [])
        assert.deepStrictEqual(reports, ["DeadlineMissed", "DeadlineMissed", "DeadlineMissed"])
      }))

    it.effect("ends the call without a wait that would leave no time", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 503 }, { status: 200 })
        const fiber = yield* strategy().run(attempt).pipe(Deadline.within("1004 millis"), Effect.forkChild)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed({ status: 503 }))
        assert.strictEqual(log.length, 1)
      }))
  })

  describe("a request that is not idempotent", () => {
    const attempts = (info: RequestStrategy.RequestInfo | undefined, one = strategy()) =>
      Effect.gen(function*() {
        const { attempt, log } = upstream()
        yield* settle(one.run(attempt, info))
        return log.length
      })

    it.effect("is attempted once, unless it has a key or the caller knows better", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* attempts(undefined), 3)
        for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]) {
          assert.strictEqual(yield* attempts({ method }), 3, method)
        }
        for (const method of ["POST", "PATCH", "CONNECT", "get", "BREW"]) {
          assert.strictEqual(yield* attempts({ method }), 1, method)
          assert.strictEqual(yield* attempts({ method, hasIdempotencyKey: true }), 3, method)
          assert.strictEqual(yield* attempts({ method, idempotent: true }), 3, method)
          assert.strictEqual(yield* attempts({ method }, strategy({ repeatNonIdempotent: true })), 3, method)
        }
        assert.strictEqual(yield* attempts({ method: "GET", idempotent: false }), 1)
        assert.strictEqual(yield* attempts({ idempotent: false, hasIdempotencyKey: true }), 1)
      }))

    it.effect("is not repeated by any combination of strategies", () =>
      Effect.gen(function*() {
        const one = RequestStrategy.makeSingle({ verdict: byStatus })
        const hedged = RequestStrategy.hedged({ verdict: byStatus })
        for (const combined of [hedged, RequestStrategy.orElse(one, hedged), RequestStrategy.untilDeadline(one)]) {
          assert.strictEqual(yield* attempts({ method: "POST" }, combined), 1)
        }
      }))
  })

  describe("byMethod", () => {
    it.effect("chooses by what the method may do", () =>
      Effect.gen(function*() {
        const named = (attempts: number) => strategy({ attempts, repeatNonIdempotent: true })
        const chosen = RequestStrategy.byMethod({ safe: named(4), idempotent: named(3), unsafe: named(2) })
        const attempts = (info: RequestStrategy.RequestInfo) =>
          Effect.gen(function*() {
            const { attempt, log } = upstream()
            yield* settle(chosen.run(attempt, info))
            return log.length
          })
        for (const method of ["GET", "HEAD", "OPTIONS", "TRACE"]) assert.strictEqual(yield* attempts({ method }), 4)
        for (const method of ["PUT", "DELETE"]) assert.strictEqual(yield* attempts({ method }), 3)
        for (const method of ["POST", "PATCH", "BREW"]) assert.strictEqual(yield* attempts({ method }), 2)
        assert.strictEqual(yield* attempts({ method: "POST", hasIdempotencyKey: true }), 3)
        assert.strictEqual(yield* attempts({}), 2)
        assert.strictEqual(chosen.describe.attempts, 4)
      }))
  })

  describe("untilDeadline", () => {
    it.effect("repeats its base as long as there is time, and returns the last real answer", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ fail: "reset" }, { status: 502 }, { status: 503 })
        const until = RequestStrategy.untilDeadline(RequestStrategy.makeSingle({ verdict: byStatus }), {
          delay: "1 second",
          jitter: RetrySchedule.none
        })
        const answer = yield* settle(until.run(attempt).pipe(Deadline.within("4500 millis")))
        assert.strictEqual(answer.status, 500)
        assert.deepStrictEqual(log.map((line) => line.split(" ")[0]), ["0", "1000", "2000", "3000", "4000"])
      }))

    it.effect("stays within its attempts over all rounds", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream()
        yield* settle(RequestStrategy.untilDeadline(strategy({ attempts: 3 }), { attempts: 7 }).run(attempt))
        assert.strictEqual(log.length, 7)
        const bare = upstream()
        const zero = RequestStrategy.untilDeadline(RequestStrategy.makeSingle({ verdict: byStatus }), { delay: 0 })
        yield* settle(zero.run(bare.attempt))
        assert.strictEqual(bare.log.length, 100)
      }))
  })

  describe("orElse", () => {
    it.effect("goes on where the first has only rejections, and counts on", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 503 }, { status: 503 }, { status: 200 })
        const first = RequestStrategy.makeSingle({ verdict: byStatus })
        const both = first.pipe(RequestStrategy.orElse(strategy()))
        assert.strictEqual((yield* settle(both.run(attempt))).status, 200)
        assert.deepStrictEqual(log, ["0 1 primary", "0 2 retry", "1000 3 retry"])
        assert.strictEqual(both.describe.attempts, 4)
      }))

    it.effect("does not go on after a fatal outcome", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream({ status: 400 }, { status: 200 })
        const both = RequestStrategy.orElse(strategy(), strategy())
        assert.strictEqual((yield* settle(both.run(attempt))).status, 400)
        assert.strictEqual(log.length, 1)
      }))
  })

  describe("withStrategy", () => {
    it.effect("wins over the call's own strategy, keeps the call's classifier, and ends at the attempt", () =>
      Effect.gen(function*() {
        const outer = upstream()
        const inner = upstream()
        const call = strategy({ attempts: 5 }).run(
          (info) => Effect.andThen(strategy({ attempts: 3 }).run(inner.attempt), outer.attempt(info)),
          { method: "GET", verdict: byStatus }
        )
        const two = RequestStrategy.sequential({ attempts: 2 })
        yield* settle(call.pipe(RequestStrategy.withStrategy(two)))
        assert.strictEqual(outer.log.length, 2)
        assert.strictEqual(inner.log.length, 6)
      }))

    it.effect("does not make a request repeatable", () =>
      Effect.gen(function*() {
        const { attempt, log } = upstream()
        const call = strategy().run(attempt, { method: "POST", verdict: byStatus })
        yield* settle(RequestStrategy.withStrategy(call, RequestStrategy.hedged({ delay: 0 })))
        assert.strictEqual(log.length, 1)
      }))
  })

  describe("resources", () => {
    const scoped = (order: Array<string>, ...statuses: ReadonlyArray<number>) => (info: Attempt.Attempt) =>
      Effect.as(
        Effect.acquireRelease(
          Effect.sync(() => void order.push(`open ${info.number}`)),
          () => Effect.sync(() => void order.push(`close ${info.number}`))
        ),
        { status: statuses[info.number - 1] ?? 200 }
      )

    it.effect("of a rejected attempt are released when it is replaced, those of the winner with the caller's scope", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        yield* Effect.scoped(Effect.gen(function*() {
          yield* strategy({ delay: 0 }).run(scoped(order, 503, 503, 200))
          order.push("caller")
        }))
        assert.deepStrictEqual(order, ["open 1", "open 2", "close 1", "open 3", "close 2", "caller", "close 3"])
      }))

    it.effect("of the best rejected answer stay open for the caller", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        yield* Effect.scoped(Effect.gen(function*() {
          assert.strictEqual((yield* strategy({ attempts: 2, delay: 0 }).run(scoped(order, 500, 503))).status, 503)
          order.push("caller")
        }))
        assert.deepStrictEqual(order, ["open 1", "open 2", "close 1", "caller", "close 2"])
      }))

    it.effect("are released when the caller is interrupted while it waits", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const discarded: Array<Answer> = []
        const fiber = yield* strategy().run(scoped(order, 503), {
          discard: (value) => Effect.sync(() => void discarded.push(value))
        }).pipe(Effect.scoped, Effect.forkChild({ startImmediately: true }))
        assert.deepStrictEqual(order, ["open 1"])
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual([order, discarded], [["open 1", "close 1"], [{ status: 503 }]])
      }))

    it.effect("leave nothing behind in a long-lived scope when an attempt acquired nothing", () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* strategy().run(() => Effect.succeed({ status: 200 })).pipe(Scope.provide(scope))
        assert.strictEqual(scope.state._tag, "Empty")
      }))

    it.effect("survive a discard that dies", () =>
      Effect.gen(function*() {
        const { attempt } = upstream({ status: 503 }, { status: 200 })
        const answer = yield* settle(strategy().run(attempt, { discard: () => Effect.die("bug") }))
        assert.strictEqual(answer.status, 200)
      }))
  })

  describe("reports", () => {
    it.effect("say how every attempt ended and how long every wait is", () =>
      Effect.gen(function*() {
        const reports: Array<unknown> = []
        const { attempt } = upstream({ after: 10, status: 503 }, { status: 200 })
        yield* settle(
          strategy({ name: "payments" }).run(attempt).pipe(Recorder.recordTo((report) => reports.push(report)))
        )
        assert.deepStrictEqual(reports, [
          {
            _tag: "AttemptEnded",
            name: "payments",
            attempt: 1,
            kind: "primary",
            verdict: "reject",
            startNanos: 0n,
            endNanos: 10_000_000n
          },
          { _tag: "RetryDelayed", name: "payments", retry: 1, delayMillis: 1000 },
          {
            _tag: "AttemptEnded",
            name: "payments",
            attempt: 2,
            kind: "retry",
            verdict: "accept",
            startNanos: 1_010_000_000n,
            endNanos: 1_010_000_000n
          }
        ])
      }))

    it.effect("say that an attempt was interrupted with its caller", () =>
      Effect.gen(function*() {
        const verdicts: Array<string> = []
        const fiber = yield* strategy().run(() => Effect.never).pipe(
          Recorder.recordTo((report) => {
            if (report._tag === "AttemptEnded") verdicts.push(report.verdict)
          }),
          Effect.forkChild({ startImmediately: true })
        )
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(verdicts, ["interrupted"])
      }))
  })

  describe("options", () => {
    it("that make no sense are refused by name", () => {
      const refused = (option: string, make: () => unknown) => {
        let error: unknown
        try {
          make()
        } catch (caught) {
          error = caught
        }
        assert.isTrue(
          typeof error === "object" && error !== null && "option" in error && error.option === option,
          option
        )
      }
      for (const attempts of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        refused("attempts", () => RequestStrategy.sequential({ attempts }))
        refused("attempts", () => RequestStrategy.hedged({ attempts }))
        refused("attempts", () => RequestStrategy.untilDeadline(RequestStrategy.single, { attempts }))
      }
      refused("jitter", () => RequestStrategy.linear({ jitter: Number.NaN }))
      for (const bad of [-1, Number.POSITIVE_INFINITY, "400 days"] as const) {
        refused("minimumTime", () => RequestStrategy.makeSingle({ minimumTime: bad }))
        refused("delay", () => RequestStrategy.sequential({ delay: bad }))
        refused("delay", () => RequestStrategy.hedged({ delay: bad }))
        refused("step", () => RequestStrategy.linear({ step: bad }))
        refused("retryAfter.maximum", () => RequestStrategy.hedged({ retryAfter: { maximum: bad } }))
      }
      refused("jitter", () => RequestStrategy.linear({ jitter: 1.1 }))
      refused("quantile", () => RequestStrategy.percentile({ quantile: 1 }))
      refused("minimum", () => RequestStrategy.percentile({ minimum: "1 second", maximum: "1 milli" }))
      refused("split.even", () => RequestStrategy.sequential({ split: { even: 1 } }))
    })

    it("are described as data", () => {
      const all = RequestStrategy.byMethod({
        safe: RequestStrategy.hedged({ attempts: 2, delay: "20 millis" }),
        idempotent: RequestStrategy.untilDeadline(RequestStrategy.sequential({ split: { even: 2 }, name: "puts" }))
      })
      assert.deepStrictEqual(JSON.parse(JSON.stringify(all.describe)), {
        kind: "byMethod",
        name: "byMethod",
        attempts: 100,
        options: {},
        parts: {
          safe: {
            kind: "hedged",
            name: "hedged",
            attempts: 2,
            options: { minimumTime: 5, repeatNonIdempotent: false, delay: "fixed 20" },
            parts: {}
          },
          idempotent: {
            kind: "untilDeadline",
            name: "untilDeadline",
            attempts: 100,
            options: { minimumTime: 5, repeatNonIdempotent: false },
            parts: {
              base: {
                kind: "sequential",
                name: "puts",
                attempts: 3,
                options: { minimumTime: 5, repeatNonIdempotent: false, split: "even 2" },
                parts: {}
              }
            }
          },
          unsafe: { kind: "single", name: "single", attempts: 1, options: { minimumTime: 5 }, parts: {} }
        }
      })
    })
  })
})
