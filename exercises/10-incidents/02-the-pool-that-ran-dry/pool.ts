/** A pool of database connections, and a service next door. */
import { Data, Deferred, Effect, Option } from "effect"

/** A statement failed. */
export class QueryFailed extends Data.TaggedError("QueryFailed")<{}> {}

/** All connections were in use for the whole time. */
export class NoneFree extends Data.TaggedError("NoneFree")<{}> {}

/** A connection, for as long as it is yours. */
export interface Lease {
  readonly stock: Effect.Effect<number, QueryFailed>
  readonly write: Effect.Effect<void, QueryFailed>
}

export interface Pool {
  /** A connection; waits until one is free, or as long as it may. */
  readonly take: (options?: { readonly waitMillis?: number }) => Effect.Effect<Lease, NoneFree>
  /** Gives a connection back; each once. */
  readonly give: (lease: Lease) => Effect.Effect<void>
}

/** What the handler works with. */
export interface World {
  readonly pool: Pool
  /** Asks the fraud service; it reads, and takes its time. */
  readonly fraud: Effect.Effect<boolean>
}

/** Makes a pool, with a look at what goes on inside. */
export const makePool = (connections: number, statements: Pick<Lease, "stock" | "write">) => {
  const out = new Set<Lease>()
  let waiting: Array<Deferred.Deferred<void>> = []
  let free = connections
  const figures = { waited: 0, givenTwice: 0 }
  const lend = Effect.sync(() => {
    const lease: Lease = { ...statements }
    out.add(lease)
    return lease
  })
  const free1 = () => {
    const next = waiting.shift()
    if (next === undefined) free++
    else Deferred.doneUnsafe(next, Effect.void)
  }
  const take: Pool["take"] = ({ waitMillis } = {}) =>
    Effect.suspend(() => {
      if (free > 0) {
        free--
        return lend
      }
      figures.waited++
      const turn = Deferred.makeUnsafe<void>()
      waiting.push(turn)
      const leave = Effect.sync(() => {
        if (waiting.includes(turn)) waiting = waiting.filter((other) => other !== turn)
        else free1()
      })
      const wait = Deferred.await(turn)
      return (waitMillis === undefined ? Effect.asSome(wait) : Effect.timeoutOption(wait, waitMillis)).pipe(
        Effect.interruptible,
        Effect.onInterrupt(() => leave),
        Effect.flatMap(Option.match({
          onSome: () => lend,
          onNone: () => Effect.andThen(leave, Effect.fail(new NoneFree()))
        }))
      )
    })
  const give: Pool["give"] = (lease) =>
    Effect.sync(() => {
      if (out.delete(lease)) free1()
      else figures.givenTwice++
    })
  return { pool: { take, give }, inUse: () => out.size, figures }
}
