/** What the processes of projectionOwners.test.ts keep: a row for each event, with how often it was counted. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Projection from "effect-lifecycle/store/Projection"
import type { Address } from "effect-lifecycle/testing/Database"

/** What a process is told. */
export interface Told {
  readonly address: Address
  readonly database: string
}

export const leaseMillis = 400
export const options: Projection.RunOptions = { partitions: 4, batchSize: 7, lease: leaseMillis }

const Counted = Schema.Struct({ stream: Schema.String, version: Schema.Int, times: Schema.Int, after: Schema.Int })

/** Each stream's row holds its last version, so that an event out of order shows. */
export const counted = Projection.make({
  name: "counted",
  version: 1,
  schema: Counted,
  indexes: ["stream"],
  categories: ["Counted"],
  handle: ({ stream, version }, rows) =>
    Effect.gen(function*() {
      let after = 0
      yield* rows.modify(stream.id, (row) => {
        after = row?.version ?? 0
        return { stream: "all", version, times: (row?.times ?? 0) + 1, after }
      })
      yield* rows.modify(`${stream.id}:${version}`, (row) => ({
        stream: stream.id,
        version,
        times: (row?.times ?? 0) + 1,
        after
      }))
    })
})
