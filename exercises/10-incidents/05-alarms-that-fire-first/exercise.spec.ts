import { describe, it } from "@effect/vitest"
import { check } from "../../support.ts"
import { initial, type Policy, policy, step } from "./exercise.ts"
import {
  bug,
  calmDays,
  deploy,
  incidents,
  leak,
  nightly,
  type Recording,
  rush,
  type Sample,
  slowNeighbour
} from "./recordings.ts"

const alarms = (recording: Recording, given: Policy = policy): ReadonlyArray<number> => {
  const seconds: Array<number> = []
  let state = initial
  for (const sample of recording) {
    const [next, fires] = step(given, state, sample)
    state = next
    if (fires) seconds.push(sample.seconds)
  }
  return seconds
}

const sizes = [5, 20, 50, 200]

const named = (kind: string, make: (size: number, from: number) => Recording) =>
  sizes.map((size, index) => [`${kind}, a pool of ${size}`, make(size, 100 + index * 35)] as const)

const worst = [
  ...Object.entries(incidents),
  ...named("leak", leak),
  ...named("slowNeighbour", slowNeighbour),
  ...named("rush", rush)
]

const calm = [
  ...Object.entries(calmDays),
  ...named("deploy", deploy),
  ...named("nightly", nightly),
  ...named("bug", bug)
]

const firstError = (recording: Recording): number => recording.find((sample) => sample.failed > 0)?.seconds ?? Infinity

/** Something has to fire at all before its silence says anything. */
const awake = (): void =>
  check(
    alarms(slowNeighbour(20, 240)).length > 0,
    "An alarm that never goes off is not a calm one: nothing fires here."
  )

const quiet: Recording = bug(20, 100_000)

/** Puts recordings behind each other, as one day. */
const day = (...parts: ReadonlyArray<Recording>): Recording =>
  parts.flat().map((sample, index) => ({ ...sample, seconds: index * 5 }))

/** The pool is dry, and every half minute it is better for two samples. */
const pulsing = (size: number): Recording =>
  slowNeighbour(size, 120).map((sample: Sample, index) =>
    sample.waiting > 0 && index % 8 >= 6
      ? { ...sample, inUse: size - 1, waiting: 0, longestWaitMillis: 0, failed: 0 }
      : sample
  )

describe("a: on an ordinary day nobody is woken", () => {
  it("twelve minutes", () => {
    const times = alarms(quiet)
    check(times.length === 0, `On an ordinary day there is nothing to tell. Seen: an alarm at ${times[0]} s.`)
  })
})

describe("b: it fires before a customer sees an error", () => {
  for (const [name, recording] of worst) {
    it(name, () => {
      const [first] = alarms(recording)
      const error = firstError(recording)
      check(
        first !== undefined && first <= error - 20,
        `In "${name}" the first customer gets a 503 at ${error} s, so the alarm is due by ${error - 20} s. Seen: ${
          first === undefined ? "no alarm" : `${first} s`
        }.`
      )
      const waits = recording.find((sample) => sample.inUse >= sample.size * 0.6)?.seconds ?? 0
      check(first >= waits, `In "${name}" nothing is wrong before ${waits} s. Seen: an alarm at ${first} s.`)
    })
  }
})

describe("c: it stays silent when it only looks bad", () => {
  for (const [name, recording] of calm) {
    it(name, () => {
      awake()
      const [first] = alarms(recording)
      check(
        first === undefined,
        `In "${name}" nothing runs dry, so nobody is to be woken. Seen: an alarm at ${first} s.`
      )
    })
  }

  it("a day with all of it", () => {
    awake()
    const recording = day(deploy(20, 30), nightly(20, 60), bug(20, 60), deploy(20, 200), deploy(20, 260))
    const [first] = alarms(recording)
    check(first === undefined, `Several calm things behind each other are calm. Seen: an alarm at ${first} s.`)
  })
})

/** Bad and good samples as letters, and the numbers of those with which the alarm went off. */
const letters = (text: string, badInARow: number, goodInARow: number): string => {
  const samples = Array.from(text, (letter, index): Sample => ({
    seconds: index + 1,
    size: 20,
    inUse: 0,
    waiting: letter === "b" ? 1 : 0,
    longestWaitMillis: 0,
    requests: 1,
    failed: 0
  }))
  return alarms(samples, { isBad: (sample) => sample.waiting > 0, badInARow, goodInARow }).join(", ")
}

const goesOff = (text: string, [bad, good]: readonly [number, number], expected: string, why: string): void => {
  const seen = letters(text, bad, good)
  check(
    seen === expected,
    `With ${bad} bad and ${good} good ones in a row, "${text}" (b is bad, g is good) has its alarms at ${
      expected || "no sample"
    }: ${why}. Seen: ${seen || "none"}.`
  )
}

describe("d: one alarm for one incident", () => {
  for (const [name, recording] of worst) {
    it(name, () => {
      const times = alarms(recording)
      check(times.length === 1, `In "${name}" there is one incident, so one alarm. Seen: ${times.length} alarms.`)
    })
  }

  it("the wait comes and goes", () => {
    for (const size of sizes) {
      const times = alarms(pulsing(size))
      check(
        times.length === 1,
        `The wait of a pool of ${size} comes and goes for minutes: it is one incident. Seen: ${times.length} alarms.`
      )
    }
  })

  it("twice a day", () => {
    const times = alarms(day(slowNeighbour(20, 240).slice(0, 80), quiet, rush(20, 180)))
    check(
      times.length === 2,
      `After twelve quiet minutes the next incident is another one, with an alarm of its own. Seen: ${times.length} alarms.`
    )
  })

  it("bad ones in a row", () => {
    goesOff("ggbbb", [3, 2], "5", "the third bad one in a row is the last that is needed")
    goesOff("bbgbbgbb", [3, 2], "", "a good one in between breaks the row")
    goesOff("bgb", [1, 2], "1", "the first one is enough, and one good one is not the end")
    goesOff("bbbbbbbb", [3, 2], "3", "it goes off once")
  })

  it("good ones in a row", () => {
    goesOff("bbbggbbb", [3, 2], "3, 8", "two good ones in a row are the end, and then it begins anew")
    goesOff("bbbgbgbbb", [3, 2], "3", "two good ones that are not in a row are not the end")
    goesOff("bbbgbbbggbbb", [3, 2], "3, 12", "the end is two good ones, whenever they come")
    goesOff("ggggbbggb", [2, 3], "6", "the good ones before the alarm do not count towards its end")
    goesOff("bbgggbb", [2, 3], "2, 7", "three good ones in a row are the end")
  })
})
