/** Work that nobody waits for. */
import { Cause, Effect, FiberSet, type Scope } from "effect"

/** Dropped when too much of it is waiting. */
export interface Background {
  readonly run: (work: Effect.Effect<unknown, unknown>) => Effect.Effect<void>
  readonly settled: Effect.Effect<void>
}

export const make = (most: number): Effect.Effect<Background, never, Scope.Scope> =>
  Effect.map(FiberSet.make(), (fibers) => ({
    run: (work) =>
      Effect.flatMap(
        FiberSet.size(fibers),
        (size) =>
          size >= most
            ? Effect.void
            // An unavailable store is no news; a defect is.
            : Effect.asVoid(
              FiberSet.run(fibers, Effect.ignoreCause(loud("Work in the background")(Effect.ignore(work))))
            )
      ),
    settled: FiberSet.awaitEmpty(fibers)
  }))

/** Who dies while nobody waits for it says so, once, by its name. */
export const loud = (name: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onError(
    self,
    (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`${name} stopped`, cause)
  )
