/** The six schedules of 03.1, and a dependency that takes 30 ms to fail. */
import { Clock, Effect, Schedule } from "effect"
import { RetrySchedule } from "effect-lifecycle/resilience"

export const schedules = {
  /** 100 ms, and twice as long each time. */
  exponential: Schedule.exponential("100 millis"),
  /** As long between an end and the next start as it says. */
  spaced: Schedule.spaced("100 millis"),
  /** In step with a grid of 100 ms. */
  fixed: Schedule.fixed("100 millis"),
  /** At most two retries. */
  upTo: Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 2 })),
  /** Both schedules at once: the longer of their waits. */
  max: Schedule.max([Schedule.exponential("100 millis"), Schedule.spaced("300 millis")]),
  /** The library's, without jitter. */
  library: RetrySchedule.make({
    attempts: 3,
    delay: RetrySchedule.exponential({ base: "100 millis" }),
    jitter: RetrySchedule.none
  })
} satisfies Record<string, Schedule.Schedule<unknown>>

/** When the first five attempts begin, in milliseconds; fewer where the schedule ends before. */
export const starts = (name: keyof typeof schedules): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function*() {
    const began = yield* Clock.currentTimeMillis
    const seen: Array<number> = []
    const attempt = Effect.gen(function*() {
      seen.push((yield* Clock.currentTimeMillis) - began)
      yield* Effect.sleep("30 millis")
      if (seen.length < 5) return yield* Effect.fail("busy")
    })
    const schedule: Schedule.Schedule<unknown> = schedules[name]
    yield* Effect.ignore(Effect.retry(attempt, schedule))
    return seen
  })
