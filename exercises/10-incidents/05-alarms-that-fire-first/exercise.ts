/**
 * 10.5 Alarms that fire first (stretch)
 *
 * In the incident of 10.1 the first to know was a customer. The alarm below fires at the first 5xx: by then somebody has waited
 * for 30 s for nothing. It also fires for a bug that has its own alarm, and while the pool is dry it fires every five
 * seconds. After a week people mute it. A good alarm is early, rare, and about the cause.
 *
 * `recordings.ts` has what the pool of `orders` says every five seconds, in three incidents and on three calm days. Look at
 * them: what is in all of the incidents, and in none of the calm days?
 *
 * Do
 * 1. `policy`: which samples are bad, how many bad ones in a row are an incident, and how many good ones in a row are its end.
 *    With it the alarm goes off at least 20 s before the first customer gets a 503 because of the pool. On a calm day it does
 *    not go off: not for a quarter of a minute in which everybody waits (a deployment), not for a pool that is busy and keeps
 *    up (a nightly job), not for errors of something else. Pools have 5 connections or 200, and it holds for all of them.
 * 2. `step`: from the state and a sample to the next state, and whether the alarm goes off now. It goes off with the last of
 *    `badInARow` bad samples, and then not again before there were `goodInARow` good ones, however the wait comes and goes.
 *
 * Check: `npm run learn`. Look: `npx tsx workspace/10-incidents/05-alarms-that-fire-first/exercise.ts`.
 */
import { calmDays, incidents, type Recording, type Sample } from "./recordings.ts"

export interface Policy {
  readonly isBad: (sample: Sample) => boolean
  readonly badInARow: number
  readonly goodInARow: number
}

/** When the pool of `orders` is in trouble. */
export const policy: Policy = { isBad: (sample) => sample.failed > 0, badInARow: 1, goodInARow: 1 }

/** What the alarm remembers; change it to what you need. */
export interface State {
  readonly samples: number
}

export const initial: State = { samples: 0 }

/** The next state, and whether the alarm goes off now. */
export const step = (policy: Policy, state: State, sample: Sample): readonly [State, boolean] => [
  { samples: state.samples + 1 },
  policy.isBad(sample)
]

/** At which seconds it goes off. */
const alarms = (recording: Recording): ReadonlyArray<number> => {
  const seconds: Array<number> = []
  let state = initial
  for (const sample of recording) {
    const [next, fires] = step(policy, state, sample)
    state = next
    if (fires) seconds.push(sample.seconds)
  }
  return seconds
}

if (import.meta.main) {
  for (const [name, recording] of Object.entries({ ...incidents, ...calmDays })) {
    const error = recording.find((sample) => sample.failed > 0)?.seconds
    const times = alarms(recording)
    const shown = times.length > 6 ? `${times.slice(0, 6).join(", ")}, ... (${times.length} times)` : times.join(", ")
    console.log(`${name.padEnd(14)} first error at ${error ?? "no"} s, alarm at ${shown || "no"} s`)
  }
}
