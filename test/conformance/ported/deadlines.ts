import { assert } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Result } from "effect"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Deadline, DeadlineCodec, Propagation } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"
import { differs, equal, type Topic } from "../ported.ts"

const left = Effect.map(Deadline.remaining, (remaining) => Duration.toMillis(Option.getOrThrow(remaining)))

const received = <A, E, R>(header: string, self: Effect.Effect<A, E, R>, policy: Propagation.Policy = {}) =>
  Effect.flatMap(
    Propagation.extract({ "x-request-timeout": header }, policy),
    (extracted) => Propagation.run(self, extracted)
  )

/** Runs the attempts of one call one after another, each of `spends` milliseconds, and gives what each was granted. */
const shares = (split: Deadline.Split, total: number, spends: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const granted: Array<number> = []
    for (const [index, spend] of spends.entries()) {
      const share = Deadline.split(split)(Duration.millis(yield* left), index + 1, total)
      granted.push(Duration.toMillis(share))
      if (index + 1 < spends.length) yield* TestClock.adjust(Math.min(spend, granted[index] ?? 0))
    }
    return granted
  }).pipe(Deadline.within("9 seconds"))

/** Deadlines: what a call is given, how it travels, how attempts share it. */
export const deadlines: Topic = {
  source: "aio-request",
  title: "aio-request: deadlines",
  file: "deadlines.ts",
  behaviours: [
    equal("deadline-header", "sends what is left, in seconds, as X-Request-Timeout", () =>
      Effect.gen(function*() {
        const headers = yield* TestClock.adjust("1250 millis").pipe(
          Effect.andThen(Propagation.inject()),
          Deadline.within("20 seconds")
        )
        assert.strictEqual(headers["x-request-timeout"], "18.75")
      })),
    equal(
      "deadline-relative",
      "keeps time inside one process on the monotonic clock, and on the wire as a duration",
      () =>
        Effect.gen(function*() {
          const sent = yield* Propagation.inject().pipe(Deadline.within("3 seconds"))
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(yield* received(sent["x-request-timeout"] ?? "", left), 3000)
        })
    ),
    equal(
      "deadline-scientific",
      "reads a value in scientific notation, such as 1e-05",
      () =>
        Effect.sync(() =>
          assert.deepStrictEqual(DeadlineCodec.requestTimeout.decode("1e-05"), Result.succeed(Duration.micros(10n)))
        )
    ),
    equal("deadline-unparsable", "passes over a header that is not a number", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* received("soon", left, { default: "20 seconds" }), 20_000)
      })),
    equal("deadline-spent", "calls no time left zero, never negative", () =>
      Effect.gen(function*() {
        const spent = { duration: "1 second", startedAtNanos: -5_000_000_000n } as const
        const remaining = yield* Effect.provideService(left, Deadline.Current, Option.some(Deadline.make(spent)))
        assert.strictEqual(remaining, 0)
      })),
    equal(
      "deadline-clear",
      "lets work take its own time where it is told to forget the deadline",
      () =>
        Effect.gen(function*() {
          const seen = yield* Deadline.remaining.pipe(Deadline.unbounded, Deadline.within("5 seconds"))
          assert.isTrue(Option.isNone(seen))
        })
    ),
    differs("deadline-min", {
      theirs: "takes an explicit deadline as it is: 50 s inside a request of 0.1 s sends 49.99",
      ours: "takes the smallest of the explicit, the inherited and the server's own",
      reason: "work that the caller no longer waits for is work for nobody",
      rule: "T10"
    }, () =>
      Effect.gen(function*() {
        const sent = yield* received("0.1", Propagation.inject().pipe(Deadline.within("50 seconds")))
        assert.strictEqual(sent["x-request-timeout"], "0.1")
      })),
    differs("deadline-trust", {
      theirs: "believes any header: inf has no end, -1 ends as a 500 outside the metrics, nan as a 408",
      ours: "ignores what is not one finite number from zero to the cap, and reports it",
      reason: "a caller is not allowed to choose how long a server works, or to make it fail",
      rule: "T10"
    }, () =>
      Effect.gen(function*() {
        for (const value of ["inf", "-1", "nan", "1e9", ""]) {
          const reports: Array<Recorder.Report> = []
          const granted = yield* received(value, left, { default: "20 seconds" }).pipe(
            Recorder.recordTo((report) => reports.push(report))
          )
          assert.strictEqual(granted, 20_000, value)
          assert.deepStrictEqual(reports.map((report) => report._tag), ["HeaderIgnored"], value)
        }
      })),
    differs("deadline-maximum", {
      theirs: "lets the header win over the limit of the server and of its handler, even when it is longer",
      ours: "grants the header's time up to the server's maximum",
      reason: "the server owns its resources; the caller may only ask for less",
      rule: "T10"
    }, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* received("50", left, { maximum: "2 seconds" }), 2000)
        assert.strictEqual(
          yield* received("50", left.pipe(Deadline.within("1 second")), { maximum: "2 seconds" }),
          1000
        )
      })),
    differs("deadline-margin", {
      theirs: "deducts nothing for the network",
      ours: "deducts the margin that the client is given; zero unless told",
      reason: "the next hop must give up before we do, or its answer comes to nobody"
    }, () =>
      Effect.gen(function*() {
        const headers = yield* Propagation.inject(undefined, { margin: "200 millis" }).pipe(Deadline.within("1 second"))
        assert.strictEqual(headers["x-request-timeout"], "0.8")
      })),
    differs("deadline-interrupts", {
      theirs: "leaves a late handler running unless `cancel_on_timeout` is set",
      ours: "interrupts the work, runs its finalizers, and fails with DeadlineExceeded",
      reason: "a handler that nobody waits for keeps connections and locks from those who do",
      rule: "T11"
    }, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const work = Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => void log.push("released"))))
        const fiber = yield* Effect.forkChild(Effect.flip(Deadline.within(work, "2 seconds")), {
          startImmediately: true
        })
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error._tag, "DeadlineExceeded")
        assert.deepStrictEqual(log, ["released"])
      })),
    equal(
      "split-pass",
      "gives each attempt everything that is left, unless a split is asked for",
      () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* shares("pass", 3, [1000, 1000, 1000]), [9000, 8000, 7000])
        })
    ),
    equal("split-even-slow", "splits 9 s between 3 slow attempts as 3, 3 and 3", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* shares("even", 3, [9000, 9000, 9000]), [3000, 3000, 3000])
      })),
    equal(
      "split-even-quick",
      "gives the third attempt the remaining 7 s when the first two fail after 1 s each",
      () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* shares("even", 3, [1000, 1000, 7000]), [3000, 4000, 7000])
        })
    ),
    equal(
      "split-even-two-of-three",
      "with a split of 2 in 3 attempts gives a half, then all, then all",
      () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* shares({ even: 2 }, 3, [1000, 1000, 1000]), [4500, 8000, 7000])
        })
    )
  ]
}
