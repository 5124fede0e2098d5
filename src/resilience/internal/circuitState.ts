import type { Outcome } from "../Verdict.ts"
import type { TripPolicy } from "./circuitPolicy.ts"
import type { Counters } from "./circuitTracker.ts"

/**
 * A policy whose numbers have been checked: all that {@link transition} needs, as data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly trip: TripPolicy
  /** The n-th consecutive opening lasts as long as the n-th entry, in milliseconds; the last one repeats. */
  readonly breakMillis: ReadonlyArray<number>
  /** Probes that may run at once while half open. */
  readonly permits: number
  /** Probes that must succeed before the circuit closes. */
  readonly successes: number
  /** A probe that has run this long has failed. */
  readonly probeMillis: number
}

/**
 * How often in a row a circuit has opened, and since when it has been closed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Openings {
  /** The next opening is one more, unless the circuit has stayed closed for `breakMillis` since `closedAtMillis`. */
  readonly count: number
  readonly closedAtMillis: number
  readonly breakMillis: number
}

/**
 * The state of one circuit. Every change of state has an epoch of its own; a call counts only in the epoch it began in.
 * Times are milliseconds of the monotonic clock.
 *
 * @category models
 * @since 0.1.0
 */
export type State = Closed | Open | HalfOpen | Isolated

/**
 * @category models
 * @since 0.1.0
 */
export interface Closed {
  readonly _tag: "Closed"
  readonly epoch: number
  readonly openings: Openings
  readonly counters: Counters
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Open {
  readonly _tag: "Open"
  readonly epoch: number
  readonly openings: Openings
  readonly untilMillis: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface HalfOpen {
  readonly _tag: "HalfOpen"
  readonly epoch: number
  readonly openings: Openings
  /** The probes under way, oldest first. */
  readonly probes: ReadonlyArray<Probe>
  readonly successes: number
  readonly nextProbe: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Probe {
  readonly id: number
  /** When it counts as failed. */
  readonly untilMillis: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Isolated {
  readonly _tag: "Isolated"
  readonly epoch: number
  readonly openings: Openings
  /** How many isolations are held. */
  readonly holds: number
}

/**
 * What can happen to a circuit. `nowMillis` is monotonic.
 *
 * - `Passed`: time went by. Every other input with a time does this first.
 * - `Admit`: a call wants to run.
 * - `Ended`: an admitted call has ended; `epoch` and `probe` are those of its admission.
 * - `Isolate`, `Release`: one hold more, one less. `ForceClose`, `Reset`: by hand.
 *
 * @category models
 * @since 0.1.0
 */
export type Input =
  | { readonly _tag: "Passed"; readonly nowMillis: number }
  | { readonly _tag: "Admit"; readonly nowMillis: number }
  | Ended
  | { readonly _tag: "Isolate" }
  | { readonly _tag: "Release"; readonly nowMillis: number }
  | { readonly _tag: "ForceClose"; readonly nowMillis: number }
  | { readonly _tag: "Reset" }

/**
 * @category models
 * @since 0.1.0
 */
export interface Ended {
  readonly _tag: "Ended"
  readonly epoch: number
  readonly probe: number | undefined
  readonly outcome: Outcome
  readonly durationMillis: number
  readonly nowMillis: number
}

/**
 * What it answers: an admission, a refusal, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Output =
  | { readonly _tag: "Admitted"; readonly epoch: number; readonly probe: number | undefined }
  | { readonly _tag: "Refused"; readonly retryAfterMillis: number; readonly isolated: boolean }
  | { readonly _tag: "Noted" }
