import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { check } from "../../support.ts"
import { predictions } from "./exercise.ts"
import { type programs, run } from "./programs.ts"

type Name = keyof typeof programs

const questions: { readonly [name in Name]: string } = {
  locked: "does an interrupted effect still run its finalizer, and does the caller wait for that?",
  deaf: "who told the promise that nobody is waiting any more?",
  listening: "what does the promise do when its signal is aborted, and who goes on after that?",
  writing: "can a deadline cut what must not be interrupted, and when does the caller hear of it?"
}

const compare = (name: Name) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const predicted = predictions[name]
      check(predicted.length > 0, `Nothing is predicted for "${name}" yet.`)
      const fiber = yield* Effect.forkChild(run(name), { startImmediately: true })
      yield* TestClock.adjust("20 seconds")
      const seen = yield* Fiber.join(fiber)
      const right = seen.findIndex((line, index) => line !== predicted[index])
      check(
        seen.length === predicted.length && right === -1,
        `"${name}" says something else, ${right === -1 ? "and stops earlier" : `from line ${right + 1} on`}. Ask: ${
          questions[name]
        }`
      )
    }))

describe("a: what hears of the deadline stops, and cleans up", () => {
  compare("locked")
  compare("listening")
})

describe("b: what does not hear of it goes on", () => {
  compare("deaf")
  compare("writing")
})
