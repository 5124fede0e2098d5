import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Priority, Propagation } from "effect-lifecycle/request"
import { type Differs, differs, type Equal, equal, type Topic } from "../ported.ts"

type Known = "high" | "normal" | "low"

/** What goes out for a call that asks for `own` inside a request that came in as `inherited`. */
const sent = (own: Known | undefined, inherited: Known | undefined, trusted = false) =>
  Effect.gen(function*() {
    const headers = inherited === undefined ? {} : { "x-request-priority": inherited }
    const extracted = yield* Propagation.extract(headers, { trusted: true })
    const call = Propagation.inject()
    const asked = own === undefined ? call : Priority.withPriority(call, own, { trusted })
    return (yield* Propagation.run(asked, extracted))["x-request-priority"]
  })

// Theirs, ours: what is sent for each request (row) in each context (column).
const cells: ReadonlyArray<readonly [own: Known, inherited: Known, theirs: Known, ours: Known]> = [
  ["high", "high", "high", "high"],
  ["high", "normal", "high", "normal"],
  ["high", "low", "normal", "low"],
  ["normal", "high", "normal", "normal"],
  ["normal", "normal", "normal", "normal"],
  ["normal", "low", "normal", "low"],
  ["low", "high", "normal", "low"],
  ["low", "normal", "low", "low"],
  ["low", "low", "low", "low"]
]

const reasons: Readonly<Record<string, string>> = {
  "high in normal": "only trusted code raises a priority, or everything becomes high",
  "high in low": "a batch job stays one through every service it reaches",
  "normal in low": "a client that says nothing special must not turn low work into normal work",
  "low in high": "work may always make itself less urgent"
}

/** Priorities: the nine cells, and what is inherited. */
export const priority: Topic = {
  source: "aio-request",
  title: "aio-request: priorities",
  file: "priority.ts",
  behaviours: [
    ...cells.map(([own, inherited, theirs, ours]): Equal | Differs => {
      const body = () =>
        Effect.gen(function*() {
          assert.strictEqual(yield* sent(own, inherited), ours)
        })
      const id = `priority-${own}-in-${inherited}`
      return theirs === ours
        ? equal(id, `sends ${ours} for a call that asks for ${own} in a request of ${inherited}`, body)
        : differs(id, {
          theirs: `sends ${theirs} for a call that asks for ${own} in a request of ${inherited}`,
          ours: `sends ${ours} for a call that asks for ${own} in a request of ${inherited}`,
          reason: reasons[`${own} in ${inherited}`] ?? "",
          rule: "T15"
        }, body)
    }),
    differs("priority-default", {
      theirs: "sends normal for a call that asks for nothing, whatever came in: the client's default wins",
      ours: "sends what came in",
      reason: "a priority that ends at the first hop is of no use to the second",
      rule: "T15"
    }, () =>
      Effect.gen(function*() {
        for (const inherited of ["high", "normal", "low"] as const) {
          assert.strictEqual(yield* sent(undefined, inherited), inherited)
        }
      })),
    equal("priority-outside", "sends normal for a call outside of any request", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* sent(undefined, undefined), "normal")
      })),
    differs("priority-raise", {
      theirs: "has no way to send high from a request of low",
      ours: "lets trusted code raise it, and says so at the call",
      reason: "an operator's request must get through a full house"
    }, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* sent("high", "low", true), "high")
      })),
    differs("priority-stranger", {
      theirs: "believes the header of anybody",
      ours: "lets a stranger lower the priority, never raise it",
      reason: "a stranger who asks for high would be served before those who did not",
      rule: "T15"
    }, () =>
      Effect.gen(function*() {
        const receive = (value: string) =>
          Effect.map(Propagation.extract({ "x-request-priority": value }), (extracted) => extracted.priority)
        assert.strictEqual(yield* receive("high"), "normal")
        assert.strictEqual(yield* receive("low"), "low")
      })),
    equal(
      "priority-case",
      "reads the header in any case and passes over a word it does not know",
      () =>
        Effect.gen(function*() {
          const receive = (value: string) =>
            Effect.map(
              Propagation.extract({ "x-request-priority": value }, { trusted: true }),
              (extracted) => extracted.priority
            )
          assert.strictEqual(yield* receive("HIGH"), "high")
          assert.strictEqual(yield* receive("urgent"), "normal")
        })
    ),
    differs(
      "priority-critical",
      {
        theirs: "knows high, normal and low",
        ours: "knows critical above them",
        reason: "shedding needs a class that is never shed for the convenience of high"
      },
      () => Effect.sync(() => assert.deepStrictEqual(Priority.Priority.literals, ["critical", "high", "normal", "low"]))
    )
  ]
}
