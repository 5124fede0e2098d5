import { describe, it } from "@effect/vitest"
import { Clock, Effect, Random, type Schedule } from "effect"
import { check, time } from "../../support.ts"
import { patient, patientWithLibrary } from "./exercise.ts"

const bases = [100, 200, 400, 800, 1000]
const clients = Array.from({ length: 30 }, (_, index) => `client ${index}`)
const slack = 1 // timers know whole milliseconds

/** How long a client waits between its attempts. */
const waits = (schedule: Schedule.Schedule<unknown>, seed: string) =>
  Effect.gen(function*() {
    const at: Array<number> = []
    const attempt = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      at.push(now)
      return at.length < 50 ? Effect.fail("restarting") : Effect.void
    })
    yield* time(Effect.exit(Random.withSeed(Effect.retry(attempt, schedule), seed)), {
      patience: "1 hour",
      sentence: "The schedule must come to an end."
    })
    return at.slice(1).map((now, index) => now - at[index]!)
  })

const all = (schedule: Schedule.Schedule<unknown>) => Effect.forEach(clients, (seed) => waits(schedule, seed))

const six = (schedule: Schedule.Schedule<unknown>) =>
  Effect.map(all(schedule), (seen) => {
    for (const waits of seen) {
      check(waits.length === 5, `Six attempts have five waits between them. Seen: ${waits.length} waits.`)
    }
  })

const near = (schedule: Schedule.Schedule<unknown>) =>
  Effect.map(all(schedule), (seen) => {
    for (const waits of seen) {
      for (const [index, base] of bases.slice(0, 4).entries()) {
        const wait = waits[index] ?? 0
        check(
          wait >= base * 0.8 - slack && wait <= base * 1.2 + slack,
          `Wait ${index + 1} must be ${base} ms, give or take a fifth. Seen: ${Math.round(wait)} ms.`
        )
      }
    }
  })

const capped = (schedule: Schedule.Schedule<unknown>) =>
  Effect.map(all(schedule), (seen) => {
    for (const waits of seen) {
      const wait = waits[4] ?? 0
      check(
        wait >= 800 - slack && wait <= 1200 + slack,
        `The fifth wait must be a second, give or take a fifth: the cap is a second. Seen: ${Math.round(wait)} ms.`
      )
    }
  })

const spread = (schedule: Schedule.Schedule<unknown>) =>
  Effect.map(all(schedule), (seen) => {
    for (const [index, base] of bases.entries()) {
      const mine = seen.map((waits) => waits[index] ?? 0)
      const [least, most] = [Math.min(...mine), Math.max(...mine)]
      check(
        least < base * 0.95 && most > base * 1.05,
        `Thirty clients must spread on both sides of ${base} ms in wait ${index + 1}. Seen: all of them from ${
          Math.round(least)
        } to ${Math.round(most)} ms.`
      )
    }
  })

describe("a: six attempts", () => {
  it.effect("of every client", () => six(patient))
})

describe("b: each wait is near its base", () => {
  it.effect("100, 200, 400 and 800 ms", () => near(patient))
})

describe("c: the cap holds", () => {
  it.effect("the fifth wait", () => capped(patient))
})

describe("d: clients that begin together do not come back together", () => {
  it.effect("thirty clients", () => spread(patient))
})

describe("e: the same with the library", () => {
  it.effect("six attempts", () => six(patientWithLibrary))
  it.effect("100, 200, 400 and 800 ms", () => near(patientWithLibrary))
  it.effect("the fifth wait", () => capped(patientWithLibrary))
  it.effect("thirty clients", () => spread(patientWithLibrary))
})
