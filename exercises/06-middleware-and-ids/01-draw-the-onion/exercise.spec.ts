import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { check } from "../../support.ts"
import { predictions } from "./exercise.ts"
import { type onions, run, stack } from "./onions.ts"

type Name = keyof typeof onions

const questions: { readonly [name in Name]: string } = {
  global: "is a global middleware put around those before it, or inside them?",
  globalLater: "does the place of the route among the layers count for anything?",
  provided: "which of the two was given to something that already had the other around its route?",
  listed: "a list is not provided one after the other; is it read as the global ones are?",
  combined: "`A.combine(B)` is A, with what it needs from B; who has to have run for that?",
  failing: "does code after `yield* next` run when `next` fails?",
  guarded: "which exits does `onExit` run on?"
}

const words = (text: string): string => text.trim().split(/[\s,]+/).join(" ")

const compare = (name: Name) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const predicted = words(predictions[name])
      check(predicted !== "", `Nothing is predicted for "${name}" yet.`)
      check(predicted === (yield* run(name)), `"${name}" says something else. Ask: ${questions[name]}`)
    }))

describe("a: who meets the request first", () => {
  compare("global")
  compare("globalLater")
  compare("provided")
  compare("listed")
  compare("combined")

  it("stack", () => {
    const predicted = words(predictions.stack)
    check(predicted !== "", "Nothing is predicted for \"stack\" yet.")
    check(
      predicted === stack().join(" "),
      "The stack has another order. Ask: what must every answer carry, and what is known before somebody was recognised?"
    )
  })
})

describe("b: what runs when the handler fails", () => {
  compare("failing")
  compare("guarded")
})
