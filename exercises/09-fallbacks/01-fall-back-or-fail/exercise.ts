/**
 * 09.1 Fall back or fail?
 *
 * A shop shows prices. The first choice asks the price service, the second takes yesterday's price from a file. In twelve
 * cases below the first choice ends in some way, under some policy (`on`). Say who answers, and what decides it.
 *
 * Who answers:
 *   first      the first choice, and nobody asks the second
 *   fallback   the second choice
 *   nobody     the caller gets what the first choice ended with
 *
 * What decides it:
 *   success       the first choice succeeded
 *   listed        the failure is in the list
 *   notListed     there is a list, and the failure is not in it
 *   nothingListed no failure is listed, so every typed failure counts
 *   openCircuit   the circuit is open, which counts unless the policy says otherwise
 *   defect        it is a bug, and a bug does not count unless the policy says otherwise
 *   interruption  somebody has stopped the call, and nobody is waiting for an answer
 *   asked         the policy says in so many words that this counts, or that it does not
 *
 * Do: fill in `answers`. The policies are those of `Fallback.effect` in `effect-lifecycle/resilience`.
 *
 * Check: `npm run learn`. Look: `npx tsx workspace/09-fallbacks/01-fall-back-or-fail/exercise.ts`.
 */
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
  answered: { who: "todo", because: "todo" },
  free: { who: "todo", because: "todo" },
  lost: { who: "todo", because: "todo" },
  lostNothingListed: { who: "todo", because: "todo" },
  notSold: { who: "todo", because: "todo" },
  slow: { who: "todo", because: "todo" },
  left: { who: "todo", because: "todo" },
  bug: { who: "todo", because: "todo" },
  bugWelcome: { who: "todo", because: "todo" },
  open: { who: "todo", because: "todo" },
  openUnwelcome: { who: "todo", because: "todo" },
  lastDrop: { who: "todo", because: "todo" }
}

if (import.meta.main) {
  for (const [name, { on, story }] of Object.entries<Case>(cases)) {
    console.log(`${name.padEnd(18)} ${story}\n${" ".repeat(18)} on: ${JSON.stringify(on)}`)
  }
  const open = Object.values(answers).filter((answer) => answer.who === "todo" || answer.because === "todo")
  console.log(`\n${open.length} of ${Object.keys(answers).length} answers are still to be filled in.`)
}
