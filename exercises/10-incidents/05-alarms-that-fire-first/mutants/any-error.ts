// fails: c - counts the errors of everybody
import type { Sample } from "../recordings.ts"

export interface Policy {
  readonly isBad: (sample: Sample) => boolean
  readonly badInARow: number
  readonly goodInARow: number
}

// A wait of a second is felt by every customer; a deployment is over after a quarter of a minute.
export const policy: Policy = {
  isBad: (sample) => sample.failed > 0 || sample.longestWaitMillis >= 1000,
  badInARow: 5,
  goodInARow: 12
}

export interface State {
  /** How many samples in a row were bad, up to now. */
  readonly bad: number
  /** How many in a row were good. */
  readonly good: number
  /** Whether somebody was told of this incident. */
  readonly told: boolean
}

export const initial: State = { bad: 0, good: 0, told: false }

export const step = (policy: Policy, state: State, sample: Sample): readonly [State, boolean] => {
  const isBad = policy.isBad(sample)
  const bad = isBad ? state.bad + 1 : 0
  const good = isBad ? 0 : state.good + 1
  const told = state.told && good < policy.goodInARow
  const fires = !told && bad >= policy.badInARow
  return [{ bad, good, told: told || fires }, fires]
}
