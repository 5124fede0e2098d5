/** The module under test: leases of a few connections, with a waiting line. */
import { Data, Deferred, Effect, Option } from "effect"

/** All connections were in use for the whole time. */
export class NoneFree extends Data.TaggedError("NoneFree")<{}> {}

/** A test says what is wrong. */
export class Wrong extends Data.TaggedError("Wrong")<{ readonly message: string }> {}

/**
 * The contract:
 * - `use` runs `work` while it holds one of the connections; no more than `connections` run at once.
 * - However `work` ends, by success, failure, defect or interruption, the connection is back then, once.
 * - Whoever finds none free waits. Who came first is served first.
 * - After `waitMillis` of waiting the call fails with `NoneFree`, and its work is not run.
 * - `free` is the number of connections that nobody holds.
 */
export interface Leases {
  readonly use: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, E | NoneFree>
  readonly free: Effect.Effect<number>
}

/** Makes leases. */
export type Make = (options: { readonly connections: number; readonly waitMillis: number }) => Effect.Effect<Leases>

/** One test: it fails, however it likes, when the leases break their contract. */
export interface Test {
  readonly name: string
  readonly run: (make: Make) => Effect.Effect<void, unknown>
}

/** Fails with the sentence when the condition does not hold. */
export const expect = (condition: boolean, sentence: string): Effect.Effect<void, Wrong> =>
  condition ? Effect.void : Effect.fail(new Wrong({ message: sentence }))

/** The module as it should be. */
export const make: Make = ({ connections, waitMillis }) =>
  Effect.sync(() => {
    let free = connections
    let waiting: Array<Deferred.Deferred<void>> = []
    const giveBack = () => {
      const next = waiting.shift()
      if (next === undefined) free++
      else Deferred.doneUnsafe(next, Effect.void)
    }
    const leave = (turn: Deferred.Deferred<void>) =>
      Effect.sync(() => {
        if (waiting.includes(turn)) waiting = waiting.filter((other) => other !== turn)
        else giveBack()
      })
    const take: Effect.Effect<void, NoneFree> = Effect.suspend(() => {
      if (free > 0) {
        free--
        return Effect.void
      }
      const turn = Deferred.makeUnsafe<void>()
      waiting.push(turn)
      return Deferred.await(turn).pipe(
        Effect.timeoutOption(waitMillis),
        Effect.interruptible,
        Effect.onInterrupt(() => leave(turn)),
        Effect.flatMap(Option.match({
          onSome: () => Effect.void,
          onNone: () => Effect.andThen(leave(turn), Effect.fail(new NoneFree()))
        }))
      )
    })
    return {
      use: (work) => Effect.acquireUseRelease(take, () => work, () => Effect.sync(giveBack)),
      free: Effect.sync(() => free)
    }
  })
