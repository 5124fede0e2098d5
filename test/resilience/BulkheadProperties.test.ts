import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Schema } from "effect"
import { Priority } from "effect-lifecycle/request"
import { Bulkhead } from "effect-lifecycle/resilience"
import { TestClock } from "effect/testing"

const below = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const Call = Schema.Struct({
  /** Time since the call before. */
  after: below(3),
  takes: below(5),
  priority: Priority.Priority,
  end: Schema.Literals(["success", "failure", "defect"]),
  /** 0 is never. */
  interruptedAfter: below(6)
})
const Script = Schema.Struct({
  permits: below(2),
  queue: below(4),
  maxWait: below(4),
  /** The number of permits changes to this in the middle. */
  resizedTo: below(3),
  calls: Schema.Array(Call).check(Schema.isMaxLength(25))
})
const rank = (priority: Priority.Priority) => Priority.Priority.literals.indexOf(priority)

interface Seen {
  readonly index: number
  readonly rank: number
  readonly cameAt: number
  state: "waiting" | "running" | "over"
  waited: boolean
}

/** Plays a script in virtual time and checks every step. */
const play = (script: typeof Script.Type) =>
  Effect.gen(function*() {
    const { queue } = script
    const maxWait = script.maxWait === 0 ? undefined : script.maxWait
    let limit = script.permits + 1
    let inFlight = 0
    const bulkhead = yield* Bulkhead.make({ name: "x", permits: limit, queue, maxWait })
    const seen: Array<Seen> = []
    const fibers: Array<Fiber.Fiber<string, unknown>> = []
    for (const [index, call] of script.calls.entries()) {
      for (let step = 0; step < call.after; step++) {
        yield* TestClock.adjust(1)
      }
      if (index === Math.floor(script.calls.length / 2)) {
        limit = script.resizedTo + 1
        yield* bulkhead.resize(limit)
      }
      const cameAt = yield* Clock.currentTimeMillis
      const me: Seen = { index, rank: rank(call.priority), cameAt, state: "waiting", waited: false }
      seen.push(me)
      const work = Effect.gen(function*() {
        inFlight++
        me.state = "running"
        if (me.waited) {
          const now = yield* Clock.currentTimeMillis
          // Permits are handed over before the waiter wakes, so somebody who came at this very moment may be too late.
          const better = seen.filter((other) =>
            other.state === "waiting" && other.waited &&
            (other.index < me.index ? other.rank <= me.rank : other.rank < me.rank && other.cameAt < now)
          )
          assert.deepStrictEqual(better, [], `call ${index} overtook another`)
        }
        // Only a shrinking limit may be exceeded, and never by a call that starts after it has shrunk.
        assert.isAtMost(inFlight, limit, "more calls run than there are permits")
        if (call.takes > 0) yield* Effect.sleep(call.takes)
        return yield* call.end === "success"
          ? Effect.succeed("ran")
          : call.end === "failure"
          ? Effect.fail("failed")
          : Effect.die("died")
      }).pipe(Effect.ensuring(Effect.sync(() => inFlight--)))
      const fiber = yield* bulkhead.run(work).pipe(
        Effect.ensuring(Effect.sync(() => {
          me.state = "over"
        })),
        Priority.withPriority(call.priority, { trusted: true }),
        Effect.forkChild({ startImmediately: true })
      )
      me.waited = me.state === "waiting"
      fibers.push(fiber)
      if (call.interruptedAfter > 0) {
        yield* Effect.forkChild(Effect.andThen(Effect.sleep(call.interruptedAfter), Fiber.interrupt(fiber)), {
          startImmediately: true
        })
      }
      const stats = yield* bulkhead.stats
      assert.isAtMost(stats.queued, queue, "more calls wait than there are places")
    }
    yield* TestClock.adjust(25 * 6)
    const exits = yield* Effect.forEach(fibers, (fiber) => Effect.sync(() => fiber.pollUnsafe()))
    return { exits, stats: yield* bulkhead.stats, inFlight }
  })

describe("Bulkhead, whatever happens", () => {
  it.effect.prop(
    "permits are never exceeded, waiters leave by priority and order, everybody ends, nothing leaks",
    [Script],
    ([script]) =>
      Effect.gen(function*() {
        const { exits, inFlight, stats } = yield* play(script)
        assert.ok(exits.every((exit) => exit !== undefined), "a caller never ended")
        assert.deepStrictEqual([stats.inFlight, stats.queued, inFlight], [0, 0, 0])
        const refused = exits.filter((exit) =>
          exit !== undefined && Exit.isFailure(exit) && exit.cause.reasons.some((reason) =>
            reason._tag === "Fail" && reason.error instanceof Bulkhead.BulkheadRejected
          )
        )
        const { full, shed, waitTimeout } = stats.rejected
        assert.strictEqual(refused.length, full + shed + waitTimeout)
        for (const exit of exits) {
          const overtaken = exit !== undefined && Exit.isFailure(exit) && exit.cause.reasons.find((reason) =>
            reason._tag === "Die" && reason.defect !== "died"
          )
          assert.ok(!overtaken, String(overtaken && overtaken._tag === "Die" ? overtaken.defect : ""))
        }
      }),
    { arbitrary: { runs: 300 } }
  )
})
