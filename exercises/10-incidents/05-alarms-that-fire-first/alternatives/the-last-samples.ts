// Keeps the last samples as a list and looks at the end of it; what is bad is how long the queue is for its pool.
import type { Sample } from "../recordings.ts"
import type { Policy } from "../solution.ts"

export type { Policy } from "../solution.ts"

export const policy: Policy = {
  isBad: ({ longestWaitMillis, size, waiting }) => waiting > size / 4 && longestWaitMillis > 500,
  badInARow: 5,
  goodInARow: 18
}

export interface State {
  readonly latest: ReadonlyArray<boolean>
  readonly on: boolean
}

export const initial: State = { latest: [], on: false }

export const step = (
  { badInARow, goodInARow, isBad }: Policy,
  state: State,
  sample: Sample
): readonly [State, boolean] => {
  const latest = [...state.latest, isBad(sample)].slice(-Math.max(badInARow, goodInARow))
  const all = (count: number, bad: boolean): boolean =>
    latest.length >= count && latest.slice(-count).every((one) => one === bad)
  const on = state.on ? !all(goodInARow, false) : all(badInARow, true)
  return [{ latest, on }, on && !state.on]
}
