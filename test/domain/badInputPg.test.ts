import { assert, describe, layer as testLayer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { EventStore, Subscription } from "effect-lifecycle/store"
import * as PgStore from "effect-lifecycle/store/pg"
import { SqlClient } from "effect/sql"
import { pgTest } from "../postgres.ts"
import { badInputContract } from "./badInputContract.ts"

const stores = PgStore.layer().pipe(Layer.provideMerge(pgTest({ client: { maxConnections: 20 } })))

badInputContract("PgStore", stores)

describe("a clock that goes back", () => {
  testLayer(stores, { excludeTestServices: true, timeout: "60 seconds" })("on the server", (it) => {
    it.effect("moves neither versions nor positions, and hides no event from a subscription", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* EventStore.EventStore
        const subscriptions = yield* Subscription.Subscriptions
        const stream = { category: "Backwards", id: "a" }
        const append = store.append({ stream, expect: "any", events: [{ type: "Ticked", data: {} }] })
        yield* append
        // As if the server had been ahead when it stored the first one.
        yield* sql`alter table es.events disable trigger append_only`
        yield* sql`update es.events set at = at + interval '10 years' where type = 'Ticked'`
        yield* sql`alter table es.events enable trigger append_only`
        const second = yield* append
        const all = yield* Stream.runCollect(store.read(stream))
        assert.deepStrictEqual(all.map(({ version }) => version), [1, 2])
        assert.isTrue(all[1]!.position > all[0]!.position)
        assert.isBelow(all[1]!.at.getTime(), all[0]!.at.getTime())
        const got: Array<number> = []
        yield* Effect.forkChild(subscriptions.run({
          name: "ticks",
          categories: ["Backwards"],
          handle: ({ version }) => Effect.sync(() => void got.push(version))
        }))
        yield* subscriptions.awaitPosition("ticks", second._tag === "Appended" ? second.position : 0n)
        assert.deepStrictEqual(got, [1, 2])
      }))
  })
})
