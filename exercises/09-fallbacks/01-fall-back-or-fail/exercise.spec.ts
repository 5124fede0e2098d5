import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"
import { check } from "../../support.ts"
import { type Answer, answers, type Case, cases } from "./exercise.ts"

interface Expected {
  readonly who: Answer["who"]
  readonly because: Answer["because"]
  /** What to ask oneself when the first column is wrong. */
  readonly ask: string
  /** What to ask oneself when the second column is wrong. */
  readonly askWhy: string
}

const expected: { readonly [name in keyof typeof answers]: Expected } = {
  answered: {
    who: "first",
    because: "success",
    ask: "is anything missing?",
    askWhy: "has anything failed that a policy could be asked about?"
  },
  free: {
    who: "first",
    because: "success",
    ask: "is 0 a failure, or an answer that looks like none?",
    askWhy: "has anything failed that a policy could be asked about?"
  },
  lost: {
    who: "fallback",
    because: "listed",
    ask: "what is the list for?",
    askWhy: "what would have to change for the answer to change?"
  },
  lostNothingListed: {
    who: "fallback",
    because: "nothingListed",
    ask: "somebody has put a fallback here. Which failures would a list without names be for, if for none?",
    askWhy: "is the failure named anywhere?"
  },
  notSold: {
    who: "nobody",
    because: "notListed",
    ask: "the service has answered. Is yesterday's price a better answer than \"not sold\"?",
    askWhy: "what would have to change for the answer to change?"
  },
  slow: {
    who: "fallback",
    because: "nothingListed",
    ask: "who has stopped the service: the caller, or the first choice itself? And what does that become?",
    askWhy: "TooSlow is a typed failure like others. Is it named anywhere?"
  },
  left: {
    who: "nobody",
    because: "interruption",
    ask: "who would read the answer?",
    askWhy: "the 2 s of the first choice are not over. What has ended it?"
  },
  bug: {
    who: "nobody",
    because: "defect",
    ask: "who would ever learn of the bug if yesterday's price were shown instead?",
    askWhy: "is a TypeError that nobody declared a typed failure?"
  },
  bugWelcome: {
    who: "fallback",
    because: "asked",
    ask: "what does the policy say of defects?",
    askWhy: "a defect does not count by itself. What has changed that?"
  },
  open: {
    who: "fallback",
    because: "openCircuit",
    ask: "the list has one name. Does that mean that a circuit which protects the service takes the fallback away?",
    askWhy: "neither the list nor the service was asked. Who has refused the call?"
  },
  openUnwelcome: {
    who: "nobody",
    because: "asked",
    ask: "what does the policy say of an open circuit?",
    askWhy: "an open circuit does count by itself. What has changed that?"
  },
  lastDrop: {
    who: "nobody",
    because: "notListed",
    ask: "was the call refused, or did it run? Which failure does it end with?",
    askWhy: "the circuit was closed when the call began, so the call ends with its own failure."
  }
}

const names = Object.keys(expected) as Array<keyof typeof expected>

describe("a: who answers", () => {
  for (const name of names) {
    it(name, () => {
      const { who } = answers[name]
      check(who !== "todo", `"${name}" has no answer yet.`)
      check(who === expected[name].who, `In "${name}" it is not "${who}" who answers. Ask: ${expected[name].ask}`)
    })
  }
})

describe("b: what decides it", () => {
  for (const name of names) {
    it(name, () => {
      const { because, who } = answers[name]
      check(because !== "todo", `"${name}" has no reason yet.`)
      check(who === expected[name].who, `The reason for "${name}" counts once its first column is right.`)
      check(
        because === expected[name].because,
        `In "${name}" it is not "${because}" that decides. Ask: ${expected[name].askWhy}`
      )
    })
  }
})

const ask = ({ callerLeavesAfter, circuit = "Closed", first, on }: Case) =>
  Effect.gen(function*() {
    const breaker = yield* CircuitBreaker.make({
      name: "prices",
      trip: CircuitBreaker.consecutive(1),
      breakDuration: "1 minute"
    })
    if (circuit === "Open") yield* Effect.exit(breaker.run("price", Effect.fail("down")))
    let who: Answer["who"] = "nobody"
    const told = Effect.tap(first, () => Effect.sync(() => void (who = "first"))).pipe(
      Fallback.effect({
        name: "price",
        on,
        breaker,
        fallback: () =>
          Effect.sync(() => {
            who = "fallback"
            return 11
          })
      })
    )
    const fiber = yield* Effect.forkChild(Effect.exit(told), { startImmediately: true })
    yield* TestClock.adjust(`${callerLeavesAfter ?? 10} seconds`)
    yield* Fiber.interrupt(fiber)
    return who
  })

describe("c: the library decides the same", () => {
  for (const name of names) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const sentence = `The library must decide "${name}" as the exercise says. Were its cases changed?`
        assert.strictEqual(yield* ask(cases[name]), expected[name].who, sentence)
      }))
  }
})
