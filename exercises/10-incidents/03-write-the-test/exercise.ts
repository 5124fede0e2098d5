/**
 * 10.3 Write the test that would have caught it
 *
 * The leases of `orders` are a module of their own now (`leases.ts`), with a contract of five sentences, and with one test: an
 * order that succeeds. That is the test that there was before the incident, too.
 *
 * The grader has the right module, and six wrong ones. Each breaks one sentence of the contract in one place.
 *
 * Do
 * 1. Write `tests` until they notice at least five of the six: all three that are about coming back, and two of the three
 *    that are about who is let in, in which order, and with which error. You do not see the wrong ones; read the contract.
 * 2. All tests pass on the right module, in any order, twenty times.
 * 3. No test waits for real time: where time has to pass, move the `TestClock`.
 * 4. Every test can fail: one that is green on all six wrong modules says nothing.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/10-incidents/03-write-the-test/exercise.ts`.
 */
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { expect, make, type Test } from "./leases.ts"

export const tests: ReadonlyArray<Test> = [
  {
    name: "an order that succeeds",
    run: (make) =>
      Effect.gen(function*() {
        const leases = yield* make({ connections: 5, waitMillis: 1000 })
        const answer = yield* leases.use(Effect.succeed("placed"))
        yield* expect(answer === "placed", "The work's answer must come through.")
      })
  }
]

if (import.meta.main) {
  for (const { name, run } of tests) {
    const exit = await Effect.runPromise(Effect.exit(run(make)).pipe(Effect.provide(TestClock.layer())))
    console.log(Exit.isSuccess(exit) ? "passed" : "FAILED", name)
  }
}
