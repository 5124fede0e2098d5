import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Layer, Option, Schema, Scope } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"

const leftMillis = Effect.map(Deadline.remaining, Option.map(Duration.toMillis))

describe("Deadline", () => {
  describe("within", () => {
    it.effect("interrupts the work when time is up, runs its finalizers and fails with the budget", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const fiber = yield* Effect.never.pipe(
          Effect.onInterrupt(() => Effect.sync(() => order.push("finalized"))),
          Deadline.within("2 seconds"),
          Effect.flip,
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust(1999)
        assert.deepStrictEqual(order, [])
        yield* TestClock.adjust(1)
        const error = yield* Fiber.join(fiber)
        assert.deepStrictEqual(order, ["finalized"])
        assert.deepStrictEqual([error._tag, error.budgetMillis, error.elapsedMillis], ["DeadlineExceeded", 2000, 2000])
        assert.include(error.message, "2000 ms")
      }))

    it.effect("passes success, failure and defect of work that is in time", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Deadline.within(Effect.succeed(1), "1 second"), 1)
        assert.strictEqual(yield* Effect.fail("no").pipe(Deadline.within("1 second"), Effect.flip), "no")
        const died = yield* Effect.die("bug").pipe(Deadline.within("1 second"), Effect.exit)
        assert.isTrue(Exit.isFailure(died) && Cause.hasDies(died.cause))
      }))

    it.effect("does not start work that has no time", () =>
      Effect.gen(function*() {
        let started = false
        const work = Effect.sync(() => {
          started = true
        })
        for (const none of [0, "0 millis", Duration.millis(-5)] as const) {
          assert.strictEqual((yield* work.pipe(Deadline.within(none), Effect.flip))._tag, "DeadlineExceeded")
        }
        assert.isFalse(started)
      }))

    it.effect("leaves 23 s of an outer 30 s after 7 s, whatever the inner one asks", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.sleep("7 seconds").pipe(
          Effect.andThen(leftMillis.pipe(Deadline.within("60 seconds"))),
          Deadline.within("30 seconds"),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("7 seconds")
        assert.deepStrictEqual(yield* Fiber.join(fiber), Option.some(23_000))
      }))

    it.effect("interrupts a longer inner deadline at the outer one, also in a fiber that outlives the outer guard", () =>
      Effect.gen(function*() {
        const scope = yield* Effect.scope
        const fiber = yield* Effect.never.pipe(
          Deadline.within("1 hour"),
          Effect.flip,
          Effect.forkIn(scope, { startImmediately: true }),
          Deadline.within("3 seconds")
        )
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual((yield* Fiber.join(fiber)).budgetMillis, 3000)
      }))

    it.effect("adds nothing when the duration is infinite", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Deadline.within(leftMillis, Duration.infinity), Option.none())
        const inner = leftMillis.pipe(Deadline.within(Duration.infinity), Deadline.within("1 second"))
        assert.deepStrictEqual(yield* inner, Option.some(1000))
      }))

    it.effect("never fires early: parts of a millisecond count as a whole one", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.never.pipe(
          Deadline.within(Duration.micros(1500n)),
          Effect.flip,
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust(1)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* Fiber.join(fiber)).budgetMillis, 1.5)
      }))

    it.effect("waits for an uninterruptible region and then reports how long it took", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.sleep("5 seconds").pipe(
          Effect.uninterruptible,
          Deadline.within("2 seconds"),
          Effect.flip,
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("5 seconds")
        const error = yield* Fiber.join(fiber)
        assert.deepStrictEqual([error.budgetMillis, error.elapsedMillis], [2000, 5000])
      }))

    it.effect("restores the outer deadline, and none outside", () =>
      Effect.gen(function*() {
        const program = Effect.gen(function*() {
          const inner = yield* leftMillis.pipe(Deadline.within("1 second"))
          return [inner, yield* leftMillis]
        })
        assert.deepStrictEqual(yield* Deadline.within(program, "9 seconds"), [Option.some(1000), Option.some(9000)])
        assert.deepStrictEqual(yield* leftMillis, Option.none())
      }))

    it.effect.prop("never widens, however deadlines are nested and time passes", {
      steps: Schema.NonEmptyArray(Schema.Struct({
        budget: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5000 })),
        wait: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 }))
      }))
    }, ({ steps }) =>
      Effect.gen(function*() {
        const ends: Array<bigint> = []
        const start = yield* Clock.monotonicTimeNanos
        const nest = (index: number): Effect.Effect<void, Deadline.DeadlineExceeded> =>
          Effect.suspend(() => {
            const step = steps[index]
            if (step === undefined) return Effect.void
            return Effect.gen(function*() {
              const current = yield* Deadline.Current
              assert.isTrue(Option.isSome(current))
              if (Option.isSome(current)) ends.push(current.value.expiresAtNanos)
              yield* Effect.sleep(step.wait)
              yield* nest(index + 1)
            }).pipe(Deadline.within(step.budget))
          })
        const fiber = yield* nest(0).pipe(Effect.exit, Effect.forkChild({ startImmediately: true }))
        yield* TestClock.adjust(10_000)
        yield* Fiber.join(fiber)
        let begun = 0
        let smallest = Number.POSITIVE_INFINITY
        ends.forEach((end, index) => {
          smallest = Math.min(smallest, begun + (steps[index]?.budget ?? 0))
          assert.strictEqual(Number(end - start) / 1e6, smallest)
          begun += steps[index]?.wait ?? 0
        })
      }), { arbitrary: { runs: 50 } })
  })

  describe("reports", () => {
    it.effect("reports a missed deadline once, however many guards wait for the same moment", () =>
      Effect.gen(function*() {
        const seen: Array<Recorder.Report> = []
        const fiber = yield* Effect.never.pipe(
          Deadline.within("1 hour"),
          Deadline.within("1 minute"),
          Deadline.within("1 second"),
          Effect.exit,
          Recorder.recordTo((report) => seen.push(report)),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(seen, [{ _tag: "DeadlineMissed", budgetMillis: 1000 }])
      }))

    it.effect("reports once where a check inside an uninterruptible region sees it first", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const fiber = yield* Effect.sleep("2 seconds").pipe(
          Effect.andThen(Effect.ignore(Deadline.check)),
          Effect.uninterruptible,
          Deadline.within("1 second"),
          Effect.exit,
          Recorder.recordTo((report) => seen.push(report._tag)),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("2 seconds")
        assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
        assert.deepStrictEqual(seen, ["DeadlineMissed"])
      }))

    it.effect("reports nothing when the work is in time", () =>
      Effect.gen(function*() {
        const seen: Array<Recorder.Report> = []
        yield* Effect.void.pipe(Deadline.within("1 second"), Recorder.recordTo((report) => seen.push(report)))
        assert.deepStrictEqual(seen, [])
      }))
  })

  describe("scoped", () => {
    it.effect("interrupts what was forked in it when time is up, and joining it fails with a type", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const hang = (name: string) => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => order.push(name))))
        const deadline = yield* Deadline.scoped("2 seconds")
        const forked = yield* deadline.fork(hang("fork"), { startImmediately: true })
        const raw = yield* Effect.forkIn(hang("forkIn"), deadline.scope, { startImmediately: true })
        const ambient = yield* Effect.forkScoped(hang("forkScoped"), { startImmediately: true }).pipe(
          Scope.provide(deadline.scope)
        )
        const outside = yield* Effect.forkScoped(hang("outside"), { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual([...order].sort(), ["fork", "forkIn", "forkScoped"])
        const error = yield* Effect.flip(Fiber.join(forked))
        assert.deepStrictEqual([error._tag, error.budgetMillis], ["DeadlineExceeded", 2000])
        for (const fiber of [raw, ambient]) {
          const exit = yield* Fiber.await(fiber)
          assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        }
        assert.isUndefined(outside.pollUnsafe())
      }))

    it.effect("gives work in it the deadline, and the smaller one of two", () =>
      Effect.gen(function*() {
        const deadline = yield* Deadline.scoped("1 hour").pipe(Deadline.within("5 seconds"))
        const fiber = yield* deadline.fork(leftMillis)
        assert.deepStrictEqual(yield* Fiber.join(fiber), Option.some(5000))
      }))

    it.effect("leaves finished work alone and keeps its result", () =>
      Effect.gen(function*() {
        const deadline = yield* Deadline.scoped("1 second")
        const fiber = yield* deadline.fork(Effect.succeed("done"))
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* Fiber.join(fiber), "done")
      }))

    it.effect("refuses work that is forked after time is up", () =>
      Effect.gen(function*() {
        const deadline = yield* Deadline.scoped("1 second")
        yield* TestClock.adjust("1 second")
        let started = false
        const late = yield* deadline.fork(Effect.sync(() => {
          started = true
        }))
        assert.strictEqual((yield* Effect.flip(Fiber.join(late)))._tag, "DeadlineExceeded")
        assert.isFalse(started)
      }))

    it.effect("reports once when time is up, and nothing when its scope closes before", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const order: Array<string> = []
        yield* Effect.gen(function*() {
          yield* Effect.scoped(Effect.gen(function*() {
            const early = yield* Deadline.scoped("1 second")
            yield* early.fork(Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => order.push("closed")))), {
              startImmediately: true
            })
          }))
          assert.deepStrictEqual(order, ["closed"])
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual(seen, [])
          const late = yield* Deadline.scoped("1 second")
          yield* late.fork(Effect.never)
          yield* late.fork(Effect.never)
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(seen, ["DeadlineMissed"])
        }).pipe(Recorder.recordTo((report) => seen.push(report._tag)))
      }))

    it.effect("releases resources of its scope when time is up, newest first", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const deadline = yield* Deadline.scoped("1 second")
        for (const name of ["first", "second"]) {
          yield* Scope.addFinalizer(deadline.scope, Effect.sync(() => order.push(name)))
        }
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(order, ["second", "first"])
      }))
  })

  describe("policy", () => {
    const policy = Deadline.layer({ default: "20 seconds", maximum: "1 minute" })
    const millis = (explicit?: Duration.Input) =>
      Effect.map(Deadline.effective(explicit), Option.map(Duration.toMillis))

    it.effect("grants the default where nobody says anything, and the maximum at most", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* millis(), Option.some(20_000))
        assert.deepStrictEqual(yield* millis("5 seconds"), Option.some(5000))
        assert.deepStrictEqual(yield* millis("2 hours"), Option.some(60_000))
        assert.deepStrictEqual(yield* millis(Duration.infinity), Option.some(60_000))
      }).pipe(Effect.provide(policy)))

    it.effect("takes the inherited deadline instead of the default, and before an explicit longer one", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* millis().pipe(Deadline.within("40 seconds")), Option.some(40_000))
        assert.deepStrictEqual(yield* millis("50 seconds").pipe(Deadline.within("40 seconds")), Option.some(40_000))
      }).pipe(Effect.provide(policy)))

    it.effect("grants no limit when there is none, and zero when it is zero", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* millis(), Option.none())
        assert.deepStrictEqual(
          yield* millis("1 second").pipe(Effect.provide(Deadline.layer({ maximum: 0 }))),
          Option.some(0)
        )
        assert.deepStrictEqual(
          yield* millis().pipe(Effect.provide(Layer.mergeAll(Deadline.layer({ default: 0 })))),
          Option.some(0)
        )
      }))
  })

  describe("accessors and the rest", () => {
    it.effect("check fails once time is up, in a loop that nothing can interrupt", () =>
      Effect.gen(function*() {
        yield* Deadline.check
        const deadline = yield* Deadline.fromRemaining("1 second")
        const asked = Deadline.check.pipe(Effect.provideService(Deadline.Current, Option.some(deadline)))
        yield* asked
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Effect.flip(asked))._tag, "DeadlineExceeded")
      }))

    it.effect("reserve keeps time back for what follows", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.gen(function*() {
          const inner = yield* Effect.never.pipe(Deadline.reserve("200 millis"), Effect.flip)
          return [inner.budgetMillis, yield* leftMillis] as const
        }).pipe(Deadline.within("1 second"), Effect.forkChild({ startImmediately: true }))
        yield* TestClock.adjust("800 millis")
        assert.deepStrictEqual(yield* Fiber.join(fiber), [800, Option.some(200)])
        const tooMuch = Effect.void.pipe(Deadline.reserve("2 seconds"), Deadline.within("1 second"))
        const refused = yield* Effect.flip(tooMuch)
        assert.deepStrictEqual([refused._tag, refused.budgetMillis], ["DeadlineExceeded", 0])
        yield* Effect.void.pipe(Deadline.reserve("2 seconds"))
      }))

    it.effect("unbounded hides the deadline", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* leftMillis.pipe(Deadline.unbounded, Deadline.within("1 second")), Option.none())
      }))

    it.effect("at and enforce interrupt at a deadline that was only set", () =>
      Effect.gen(function*() {
        const deadline = yield* Deadline.fromRemaining("10 seconds", { maximum: "3 seconds" })
        assert.strictEqual(deadline.origin, "inherited")
        const at = yield* Effect.never.pipe(
          Deadline.at(deadline),
          Effect.flip,
          Effect.forkChild({ startImmediately: true })
        )
        const enforced = yield* Effect.never.pipe(
          Deadline.enforce,
          Effect.provideService(Deadline.Current, Option.some(deadline)),
          Effect.flip,
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual((yield* Fiber.join(at)).budgetMillis, 3000)
        assert.strictEqual((yield* Fiber.join(enforced)).budgetMillis, 3000)
        assert.strictEqual(yield* Deadline.enforce(Effect.succeed("free")), "free")
      }))

    it.effect("counts a queue's time from the moment the message came in", () =>
      Effect.gen(function*() {
        const receivedAtNanos = yield* Clock.monotonicTimeNanos
        yield* TestClock.adjust("400 millis")
        const deadline = yield* Deadline.fromRemaining("1 second", { receivedAtNanos })
        assert.deepStrictEqual(yield* leftMillis.pipe(Deadline.at(deadline)), Option.some(600))
      }))

    it.effect("split shares what is left between the attempts still to come", () =>
      Effect.sync(() => {
        const share = (policy: Deadline.Split, left: number, attempt: number, total: number) =>
          Duration.toMillis(Deadline.split(policy)(Duration.millis(left), attempt, total))
        assert.deepStrictEqual([share("pass", 9000, 1, 3), share("pass", 8000, 2, 3)], [9000, 8000])
        assert.deepStrictEqual([share("even", 9000, 1, 3), share("even", 6000, 2, 3), share("even", 3000, 3, 3)], [
          3000,
          3000,
          3000
        ])
        assert.deepStrictEqual([share("even", 8000, 2, 3), share("even", 7000, 3, 3)], [4000, 7000])
        const two = { even: 2 }
        assert.deepStrictEqual([share(two, 9000, 1, 3), share(two, 4500, 2, 3), share(two, 100, 3, 3)], [
          4500,
          4500,
          100
        ])
        assert.strictEqual(share((left) => Duration.times(left, 2), 500, 1, 2), 500)
        assert.strictEqual(share("even", 500, 9, 3), 500)
      }))
  })
})
