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

export const projections = [moves(1, 1), moves(2, 10)]

export const broken = Projection.make({
  name: "broken",
  version: 1,
  schema: Schema.Int,
  types: ["Moved"],
  handle: () => Effect.fail("it cannot")
})
