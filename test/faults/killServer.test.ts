/** `npm run faults -- kill` does it in 20 rounds. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { killServer, killWriter, type Outcome, told } from "./kill.ts"

const rounds = 3

const clean = (name: string, outcome: Outcome) => {
  process.stdout.write(told(name, outcome))
  const { disordered, effects, faults, lost, torn } = outcome
  assert.deepStrictEqual({ disordered, effects, faults, lost, torn }, {
    disordered: 0,
    effects: [],
    faults: [],
    lost: [],
    torn: []
  })
  assert.isAbove(outcome.acknowledged, rounds * 100)
}

describe("kill -9 under 64 callers", () => {
  it.live(
    "of the server loses and doubles no append that was answered, tears none, and no effect is lost or repeated",
    () =>
      Effect.scoped(Effect.map(killServer(rounds), (outcome) => {
        clean("server", outcome)
        // Otherwise nothing was on its way when the server died.
        assert.isAbove(outcome.cut, 0)
      })),
    { timeout: 300_000 }
  )

  it.live(
    "of the process that writes and follows does not either: the next process goes on where it was",
    () => Effect.scoped(Effect.map(killWriter(rounds), (outcome) => clean("writer", outcome))),
    { timeout: 300_000 }
  )
})
