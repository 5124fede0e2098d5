import { Cause, Clock, Effect, Exit, Schedule } from "effect"

/** Runs `self` until it succeeds, is interrupted or the schedule ends; tells of every failed attempt. */
export const attempts = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  schedule: Schedule.Schedule<unknown, unknown>,
  failed: (attempt: number, willRetry: boolean, cause: Cause.Cause<E>) => Effect.Effect<void>
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    for (let attempt = 1;; attempt++) {
      const exit = yield* Effect.exit(self)
      if (Exit.isSuccess(exit)) return exit.value
      const now = yield* Clock.currentTimeMillis
      const next = Cause.hasInterruptsOnly(exit.cause)
        ? undefined
        : yield* Effect.exit(Effect.suspend(() => step(now, Cause.squash(exit.cause))))
      const delay = next !== undefined && Exit.isSuccess(next) ? next.value[1] : undefined
      yield* failed(attempt, delay !== undefined, exit.cause)
      if (delay === undefined) return yield* Effect.failCause(exit.cause)
      yield* Effect.sleep(delay)
    }
  })
