/** `npm run faults -- hostile` sends 20,000. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { attack, flood, told, wrongs } from "./hostileDoor.ts"
import { limits } from "./hostileDoor.protocol.ts"

describe("Hostile requests, through the gateway and at the application's own port", () => {
  it.live(
    "crash nothing, hang nothing, are never our fault, forge no id, header or log line, and leave no memory behind",
    () =>
      Effect.gen(function*() {
        const seed = Math.floor(Math.random() * 1_000_000)
        const outcome = yield* attack({ requests: 4000, seed })
        yield* Effect.sync(() => process.stdout.write(told(outcome)))
        assert.deepStrictEqual(wrongs(outcome), [])
        // Otherwise nothing hostile was sent, or nothing good.
        for (const status of ["200", "201", "400", "404", "413", "431"]) {
          assert.isAbove(outcome.statuses[status] ?? 0, 0)
        }
      }),
    { timeout: 300_000 }
  )
})

const mebibyte = 1_048_576

describe.concurrent("A flood of connections", () => {
  for (const at of ["gateway", "application"] as const) {
    it.live(
      `of 500 that send a byte at a time is ended by the ${at} in its time, stays small, and others are served`,
      () =>
        Effect.gen(function*() {
          const { after, before, during, ended, endedAfter, served } = yield* flood({
            at,
            connections: 500,
            silent: false
          })
          if (at === "gateway") assert.isAtLeast(during.connections, 500)
          assert.strictEqual(ended, 500)
          assert.isBelow(endedAfter, 5000)
          assert.isBelow(during.heapBytes - before.heapBytes, 16 * mebibyte)
          assert.isBelow(after.heapBytes - before.heapBytes, 8 * mebibyte)
          assert.isBelow(Math.max(...served), 2000)
          assert.deepStrictEqual([after.defects, after.badLines], [[], []])
        }),
      { timeout: 180_000 }
    )
  }

  it.live(
    "beyond the gateway's limit is turned away at the door",
    () =>
      Effect.gen(function*() {
        const { after, before, during, ended } = yield* flood({ at: "gateway", connections: 1500, silent: true })
        assert.isAtMost(during.connections, limits.connections)
        assert.isAbove(ended, 1500 - limits.connections - 1)
        assert.isBelow(during.heapBytes - before.heapBytes, 16 * mebibyte)
        assert.isBelow(after.heapBytes - before.heapBytes, 8 * mebibyte)
      }),
    { timeout: 180_000 }
  )
})
