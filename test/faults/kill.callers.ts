/** 64 callers that append at once, and a subscription whose effects can be counted; run here, or in a process to be killed. */
import { Effect, Latch, Random } from "effect"
import { EventStore, Subscription } from "effect-lifecycle/store"
import { SqlClient } from "effect/sql"

/** An append that was answered. */
export interface Acknowledged {
  readonly append: string
  readonly stream: string
  readonly firstVersion: number
  readonly version: number
  readonly position: string
}

/** What each event says of the append that it belongs to. */
export interface Data {
  readonly append: string
  readonly place: number
  readonly of: number
}

/** What a process is told. */
export interface Told {
  readonly path: string
  readonly database: string
  /** Makes the ids of its appends different from those of others. */
  readonly prefix: string
  /** Where it writes a line for each answer. */
  readonly file: string
}

export const callersAtOnce = 64
const sharedStreams = 8
/** So many appends each caller gets done before the first effect. Whoever takes over waits for a lease to end first. */
const ahead = 10
export const category = "Killed"
export const subscription = "effects"

export const makeEffects = SqlClient.SqlClient.use((sql) =>
  // Nothing is unique, so that a repetition is a row more.
  sql`create table effects (seq bigserial, position bigint not null, stream text not null, version int not null)`
)

/** Opened by the first effect of this process. */
export const following = Latch.makeUnsafe()

/** Its effects are rows of another table, written in the transaction that moves the checkpoint. */
export const follow = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const subscriptions = yield* Subscription.Subscriptions
  return yield* subscriptions.run({
    name: subscription,
    categories: [category],
    partitions: 3,
    batchSize: 50,
    // Longer than a busy machine takes for a transaction: who does not keep its lease does not get on.
    lease: "2 seconds",
    handle: ({ position, stream, version }) =>
      Effect.andThen(
        sql`insert into effects (position, stream, version) values (${position}, ${stream.id}, ${version})`,
        following.open
      )
  })
})

/**
 * Each caller appends one to four events, again and again, to a stream of its own or to one of all. What is left open by a
 * lost connection it counts, and repeats under the same command id or leaves alone, as chance has it.
 */
export const append = (
  prefix: string,
  acknowledge: (answer: Acknowledged) => void,
  stop: { now: boolean; cut: number }
) => {
  const caller = (number: number) =>
    Effect.gen(function*() {
      const store = yield* EventStore.EventStore
      for (let n = 0; !stop.now; n++) {
        if (n >= ahead) yield* following.await
        const id = `${prefix}-${number}-${n}`
        const own = (yield* Random.next) < 0.5
        const stream = own ? `own-${prefix}-${number}` : `shared-${yield* Random.nextIntBetween(0, sharedStreams)}`
        const of = yield* Random.nextIntBetween(1, 5)
        const once = store.append({
          stream: { category, id: stream },
          expect: "any",
          commandId: id,
          events: Array.from({ length: of }, (_, place): EventStore.NewEvent => ({
            type: "Killed",
            data: { append: id, place, of } satisfies Data
          }))
        }).pipe(Effect.catchTag("StoreUnavailable", () => {
          stop.cut++
          return Effect.as(Effect.sleep("20 millis"), undefined)
        }))
        let answer = yield* once
        const insists = (yield* Random.next) < 0.5
        if (insists) { while (answer === undefined && !stop.now) answer = yield* once }
        if (answer === undefined) continue
        if (answer._tag === "Conflict") return yield* Effect.die(new Error(`${id} is in conflict with nothing`))
        const { firstVersion, position, version } = answer
        acknowledge({ append: id, stream, firstVersion, version, position: String(position) })
      }
    })
  return Effect.forEach(Array.from({ length: callersAtOnce }, (_, number) => number), caller, {
    concurrency: "unbounded",
    discard: true
  })
}
