import { Duration, Effect, Exit, Schedule } from "effect"
import { finiteMillis, InvalidOption, wholeNumber } from "../InvalidOption.ts"
import { checkTrip, type TripPolicy } from "./circuitPolicy.ts"
import type { Limits } from "./circuitState.ts"

/**
 * The probes of a half-open circuit.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProbeOptions {
  /** How many may run at once; 1 when absent. */
  readonly permits?: number | undefined
  /** How many must succeed before the circuit closes; 1 when absent. */
  readonly successes?: number | undefined
  /** A probe that runs longer has failed; 30 seconds when absent. */
  readonly maxDuration?: Duration.Input | undefined
}

const module = "CircuitBreaker"
/** A schedule of delays is unfolded this far; then its last delay repeats. */
const mostDelays = 32
/** No schedule keeps a circuit open longer than a day. */
const longestBreak = 86_400_000

/**
 * The limits of a policy with a fixed break, for use with {@link transition}.
 *
 * @category transitions
 * @since 0.1.0
 */
export const limits = (policy: {
  readonly trip: TripPolicy
  readonly breakDuration: Duration.Input
  readonly probe?: ProbeOptions | undefined
}): Limits => build(policy, [finiteMillis(module, "breakDuration", policy.breakDuration)])

export const limitsOf = (policy: {
  readonly trip: TripPolicy
  readonly breakDuration: Duration.Input | Schedule.Schedule<unknown, number>
  readonly probe?: ProbeOptions | undefined
}): Effect.Effect<Limits> => {
  const { breakDuration } = policy
  // What can be wrong without running the schedule is said at once.
  const { breakMillis: _, ...rest } = build(policy, [])
  return Schedule.isSchedule(breakDuration)
    ? Effect.map(unfold(breakDuration), (breakMillis) => ({ ...rest, breakMillis }))
    : Effect.succeed(limits({ ...policy, breakDuration }))
}

const build = (
  policy: { readonly trip: TripPolicy; readonly probe?: ProbeOptions | undefined },
  breakMillis: ReadonlyArray<number>
): Limits => {
  const probeMillis = finiteMillis(module, "probe.maxDuration", policy.probe?.maxDuration ?? "30 seconds")
  if (probeMillis === 0) {
    throw new InvalidOption({ module, option: "probe.maxDuration", value: "0", allowed: "longer than zero" })
  }
  return {
    trip: checkTrip("trip", policy.trip),
    breakMillis,
    permits: wholeNumber(module, "probe.permits", policy.probe?.permits ?? 1, 1),
    successes: wholeNumber(module, "probe.successes", policy.probe?.successes ?? 1, 1),
    probeMillis
  }
}

/** The delays of a schedule, as if each had passed before the next was asked for. */
const unfold = Effect.fnUntraced(function*(
  schedule: Schedule.Schedule<unknown, number>
): Effect.fn.Return<ReadonlyArray<number>> {
  const step = yield* Schedule.toStep(schedule)
  const delays: Array<number> = []
  let now = 0
  for (let opening = 1; opening <= mostDelays; opening++) {
    const exit = yield* Effect.exit(step(now, opening))
    if (Exit.isFailure(exit)) break
    const millis = Math.min(longestBreak, Duration.toMillis(exit.value[1]))
    delays.push(millis)
    now += millis
  }
  if (delays.length > 0) return delays
  throw new InvalidOption({
    module,
    option: "breakDuration",
    value: "an empty schedule",
    allowed: "at least one delay"
  })
})
