/** The short form of the schedule in hostile.ts; `npm run faults -- ordering` is the long one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as PgStore from "effect-lifecycle/store/pg"
import { pgTest } from "../postgres.ts"
import { hostile, type Options, table } from "./hostile.ts"

const options: Options = { writers: 12, streams: 8, events: 300, stallMillis: 1000 }
const database = pgTest({ client: { maxConnections: options.writers + 20 } })

describe("Subscriptions under a hostile schedule", () => {
  it.live(
    "miss nothing, repeat nothing and keep the order inside a stream, where a naive reader loses events",
    () =>
      Effect.gen(function*() {
        const run = yield* hostile(options, pgTest())
        yield* Effect.sync(() => process.stdout.write(table(run, options)))
        const { found } = run
        assert.strictEqual(run.stored, run.committed)
        assert.isAtLeast(run.committed, options.events)
        for (const ours of [found.stream, found.subscription, found.partitioned]) {
          assert.deepInclude(ours, { missed: 0, invented: 0, duplicated: 0, inversions: 0 })
          assert.isAbove(ours.duringStall, 20)
        }
        // Otherwise the schedule was not hostile, and the rest says nothing.
        assert.isAbove(found.naive.missed, 0)
      }).pipe(Effect.scoped, Effect.provide(PgStore.layer().pipe(Layer.provideMerge(database)))),
    { timeout: 60_000 }
  )
})
