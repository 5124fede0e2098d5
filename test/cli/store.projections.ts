/** What the tests of `lifecycle store rebuild` load as the module of an app. */
import { Effect, Schema } from "effect"
import { Projection } from "effect-lifecycle/store"

const moves = (version: number, factor: number) =>
  Projection.make({
    name: "moves",
    version,
    schema: Schema.Int,
    types: ["Moved"],
    handle: (event, rows) => rows.modify(event.stream.id, (count = 0) => count + factor)
  })

export const projections = [moves(1, 1), moves(2, 10)] as const

export const broken = Projection.make({
  name: "broken",
  version: 1,
  schema: Schema.Int,
  types: ["Moved"],
  handle: () => Effect.fail("it cannot")
})

const told = (version: number) =>
  Projection.make({
    name: "told",
    version,
    schema: Schema.Int,
    types: ["Moved"],
    handle: (event, rows) => rows.put(event.stream.id, version),
    react: () => version === 1 ? Effect.void : Effect.fail("the mail server says no")
  })

/** The second version cannot react to what the first has not come to. */
export const tellings = [told(1), told(2)] as const

/** Whose handler a test mends by a variable of the environment. */
export const mended = Projection.make({
  name: "mended",
  version: 1,
  schema: Schema.Int,
  types: ["Moved"],
  handle: (event, rows) =>
    Effect.gen(function*() {
      if (process.env["TEST_MENDED"] !== "yes") return yield* Effect.fail("not yet")
      yield* rows.put(event.stream.id, event.version)
    })
})
