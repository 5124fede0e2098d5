import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { check } from "../../support.ts"
import { predictions } from "./exercise.ts"
import { type schedules, starts } from "./programs.ts"

type Name = keyof typeof schedules

const questions: { readonly [name in Name]: string } = {
  exponential: "what is added to the wait: the 30 ms of the attempt?",
  spaced: "from when does it count: from the start of the attempt, or from its end?",
  fixed:
    "its grid begins at 30 ms, where the first attempt ends; where on it did the attempt before end, and what is the next point?",
  upTo: "does it count attempts, or what comes after the first one?",
  max: "the longer of the two waits counts; from which retry on is it the other one?",
  library: "does it count attempts, or what comes after the first one?"
}

const compare = (name: Name) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const predicted = predictions[name]
      check(predicted.length > 1, `Nothing is predicted for "${name}" yet, beside the first attempt.`)
      const fiber = yield* Effect.forkChild(starts(name), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      const seen = yield* Fiber.join(fiber)
      const wrong = Array.from({ length: Math.max(seen.length, predicted.length) })
        .findIndex((_, index) => seen[index] !== predicted[index])
      check(
        wrong === -1,
        `"${name}" ${wrong >= seen.length ? "ends before that" : "does something else"}: look at attempt ${
          wrong + 1
        }. Ask: ${questions[name]}`
      )
    }))

describe("a: when the attempts begin", () => {
  compare("exponential")
  compare("spaced")
  compare("fixed")
  compare("max")
})

describe("b: how many there are", () => {
  compare("upTo")
  compare("library")
})
