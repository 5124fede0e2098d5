import { describe, it } from "@effect/vitest"
import { check } from "../../support.ts"
import { type Answer, answers } from "./exercise.ts"

interface Expected {
  readonly twice: Answer["twice"]
  readonly because: Answer["because"]
  /** What to ask oneself when the first column is wrong. */
  readonly ask: string
  /** What to ask oneself when the second column is wrong. */
  readonly askWhy: string
}

const expected: { readonly [name in keyof typeof answers]: Expected } = {
  readOrder: {
    twice: "safe",
    because: "method",
    ask: "what is different after somebody has read the order twice?",
    askWhy: "does the operation do anything that GET does not promise?"
  },
  searchOrders: {
    twice: "safe",
    because: "effect",
    ask: "forget the method: what is different after the search has run twice?",
    askWhy: "POST promises nothing, and no key is sent. What is left to go by?"
  },
  moveUser: {
    twice: "idempotent",
    because: "method",
    ask: "it does change something. Which address is there after the second arrival?",
    askWhy: "PUT promises exactly this, and the operation keeps the promise."
  },
  removeOrder: {
    twice: "idempotent",
    because: "method",
    ask: "the second answer differs, but is the state a different one? Idempotent is about the state.",
    askWhy: "DELETE promises exactly this, and the operation keeps the promise."
  },
  placeOrder: {
    twice: "neither",
    because: "method",
    ask: "how many orders are there after the second arrival?",
    askWhy: "POST promises nothing, and this operation is what POST is for."
  },
  charge: {
    twice: "idempotent",
    because: "key",
    ask: "what does the receiver do with a key that it has seen before?",
    askWhy: "without which part of the request would the card be charged twice?"
  },
  chargeOldSystem: {
    twice: "neither",
    because: "method",
    ask: "a key helps where somebody keeps it. Who reads this one?",
    askWhy: "nobody reads the key, so it decides nothing; POST promises nothing, and this charge is what POST is for."
  },
  confirm: {
    twice: "neither",
    because: "effect",
    ask: "how many e-mails does the customer have after the second arrival?",
    askWhy: "what does GET promise, and does the operation keep it?"
  },
  cancel: {
    twice: "idempotent",
    because: "effect",
    ask: "what is the status after the second arrival?",
    askWhy: "PATCH promises nothing, and no key is sent. What is left to go by?"
  },
  thank: {
    twice: "neither",
    because: "effect",
    ask: "how many points are there after the second arrival?",
    askWhy: "what does PUT promise, and does the operation keep it?"
  }
}

const names = Object.keys(expected) as Array<keyof typeof expected>

describe("a: what a second arrival does", () => {
  for (const name of names) {
    it(name, () => {
      const { twice } = answers[name]
      check(twice !== "todo", `"${name}" has no answer yet.`)
      check(twice === expected[name].twice, `"${name}" is not "${twice}". Ask: ${expected[name].ask}`)
    })
  }
})

describe("b: what decides it", () => {
  for (const name of names) {
    it(name, () => {
      const { because, twice } = answers[name]
      check(because !== "todo", `"${name}" has no reason yet.`)
      check(twice === expected[name].twice, `The reason for "${name}" counts once its first column is right.`)
      check(
        because === expected[name].because,
        `For "${name}" the ${because} is not what decides. Ask: ${expected[name].askWhy}`
      )
    })
  }
})
