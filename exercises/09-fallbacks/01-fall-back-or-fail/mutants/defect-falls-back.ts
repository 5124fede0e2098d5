// fails: a - thinks that a fallback is there for everything that goes wrong
import { Data, Effect } from "effect"
import type { CircuitBreaker, Fallback } from "effect-lifecycle/resilience"

/** The price service cannot be reached. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{}> {}

/** The price service has answered: it does not sell this. */
export class NotSold extends Data.TaggedError("NotSold")<{}> {}

/** The price service took longer than the first choice gives it. */
export class TooSlow extends Data.TaggedError("TooSlow")<{}> {}

export type Failure = ConnectionLost | NotSold | TooSlow

/** How the first choice ends, and when the second may answer. */
export interface Case {
  readonly story: string
  readonly first: Effect.Effect<number, Failure>
  readonly on: Fallback.On<Failure>
  /** How the circuit around the first choice stands; without it there is no circuit. */
  readonly circuit?: Extract<CircuitBreaker.Snapshot["state"], "Closed" | "Open">
  /** The caller leaves after this many seconds. */
  readonly callerLeavesAfter?: number
}

const price = Effect.succeed(12)
const lost = Effect.fail(new ConnectionLost())
const notSold = Effect.fail(new NotSold())
const bug = Effect.die(new TypeError("prices is not iterable"))
const slow = Effect.timeoutOrElse(Effect.never, {
  duration: "2 seconds",
  orElse: () => Effect.fail(new TooSlow())
})

export const cases = {
  answered: { story: "the price is there", first: price, on: [] },
  free: { story: "the price is there, and it is 0", first: Effect.succeed(0), on: [] },
  lost: { story: "the connection is lost", first: lost, on: ["ConnectionLost"] },
  lostNothingListed: { story: "the connection is lost", first: lost, on: [] },
  notSold: { story: "it is not sold", first: notSold, on: ["ConnectionLost", "TooSlow"] },
  slow: { story: "the first choice gives the service 2 s, and they are over", first: slow, on: [] },
  left: {
    story: "the service does not answer, and the caller leaves after 1 s",
    first: slow,
    on: [],
    callerLeavesAfter: 1
  },
  bug: { story: "there is a bug in the first choice", first: bug, on: [] },
  bugWelcome: { story: "there is a bug in the first choice", first: bug, on: { defects: true } },
  open: { story: "the circuit is open", first: price, on: ["ConnectionLost"], circuit: "Open" },
  openUnwelcome: {
    story: "the circuit is open",
    first: price,
    on: { failures: ["ConnectionLost"], openCircuit: false },
    circuit: "Open"
  },
  lastDrop: {
    story: "it is not sold, and this is the failure that opens the circuit",
    first: notSold,
    on: ["ConnectionLost"],
    circuit: "Closed"
  }
} satisfies Record<string, Case>

/** Who answers, and what decides it. */
export interface Answer {
  readonly who: "first" | "fallback" | "nobody" | "todo"
  readonly because:
    | "success"
    | "listed"
    | "notListed"
    | "nothingListed"
    | "openCircuit"
    | "defect"
    | "interruption"
    | "asked"
    | "todo"
}

export const answers: { readonly [name in keyof typeof cases]: Answer } = {
  answered: { who: "first", because: "success" },
  free: { who: "first", because: "success" },
  lost: { who: "fallback", because: "listed" },
  lostNothingListed: { who: "fallback", because: "nothingListed" },
  notSold: { who: "nobody", because: "notListed" },
  slow: { who: "fallback", because: "nothingListed" },
  left: { who: "nobody", because: "interruption" },
  bug: { who: "fallback", because: "nothingListed" },
  bugWelcome: { who: "fallback", because: "asked" },
  open: { who: "fallback", because: "openCircuit" },
  openUnwelcome: { who: "nobody", because: "asked" },
  lastDrop: { who: "nobody", because: "notListed" }
}
