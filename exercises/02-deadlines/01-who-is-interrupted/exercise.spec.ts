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
      const odd = predicted.find((line) =>
        !/^\d s: (?:gave up|lease given back|charged|not charged|written)$/.test(line)
      )
      check(odd === undefined, `"${odd}" is no line that a program says. One looks like this: "1 s: gave up".`)
      const fiber = yield* Effect.forkChild(run(name), { startImmediately: true })
      yield* TestClock.adjust("20 seconds")
      const seen = yield* Fiber.join(fiber)
      const right = seen.findIndex((line, index) => line !== predicted[index])
      const wrote = predicted[right] === undefined ? "you have nothing more" : `you have "${predicted[right]}"`
      check(
        seen.length === predicted.length && right === -1,
        right === -1
          ? `"${name}" says less than you have: ${seen.length} of your ${predicted.length} lines. Ask: ${
            questions[name]
          }`
          : `"${name}" says something else in line ${right + 1}, where ${wrote}. Ask: ${questions[name]}`
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
