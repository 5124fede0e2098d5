import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Priority, Propagation } from "effect-lifecycle/request"

const read = Effect.service(Priority.Current)
const all = Priority.Priority.literals

// Rows: what the work asks for. Columns: what it inherits, from critical to low.
const untrusted: Record<Priority.Priority | "none", ReadonlyArray<Priority.Priority>> = {
  none: ["critical", "high", "normal", "low"],
  critical: ["critical", "high", "normal", "low"],
  high: ["high", "high", "normal", "low"],
  normal: ["normal", "normal", "normal", "low"],
  low: ["low", "low", "low", "low"]
}

describe("T15: priority is inherited, lowered freely and raised only by the trusted", () => {
  for (const [index, inherited] of all.entries()) {
    const within = <A, E, R>(self: Effect.Effect<A, E, R>) => Priority.withPriority(self, inherited, { trusted: true })

    it.effect(`context ${inherited}, nothing explicit: ${inherited}, here and on the wire`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* within(read), untrusted.none[index])
        const headers = yield* within(Propagation.inject())
        assert.strictEqual(headers["x-request-priority"], inherited)
      }))

    for (const own of all) {
      it.effect(`context ${inherited}, explicit ${own}: ${untrusted[own][index]}, or ${own} when trusted`, () =>
        Effect.gen(function*() {
          assert.strictEqual(yield* within(Priority.withPriority(read, own)), untrusted[own][index])
          assert.strictEqual(yield* within(Priority.withPriority(read, own, { trusted: true })), own)
        }))

      it.effect(`context ${inherited}, header ${own}: the same from an untrusted and from a trusted hop`, () =>
        Effect.gen(function*() {
          const receive = (trusted: boolean) =>
            Propagation.extract({ "x-request-priority": own }, { trusted }).pipe(
              Effect.flatMap((extracted) => Propagation.run(read, extracted)),
              within
            )
          assert.strictEqual(yield* receive(false), untrusted[own][index])
          assert.strictEqual(yield* receive(true), own)
        }))
    }
  }

  it.effect("low stays low over two hops whose own default is normal", () =>
    Effect.gen(function*() {
      const hop = (headers: Propagation.HeadersInput) =>
        Propagation.extract(headers).pipe(
          Effect.flatMap((extracted) => Propagation.run(Propagation.inject(), extracted))
        )
      const second = yield* hop(yield* hop({ "x-request-priority": "low" }))
      assert.strictEqual(second["x-request-priority"], "low")
    }))
})
