/** Work that nobody waits for, and that is dropped when too much of it is waiting. */
import { Effect, FiberSet, type Scope } from "effect"

export interface Background {
  readonly run: (work: Effect.Effect<unknown, unknown>) => Effect.Effect<void>
  readonly settled: Effect.Effect<void>
}

export const make = (most: number): Effect.Effect<Background, never, Scope.Scope> =>
  Effect.map(FiberSet.make(), (fibers) => ({
    run: (work) =>
      Effect.flatMap(
        FiberSet.size(fibers),
        (size) => size >= most ? Effect.void : Effect.asVoid(FiberSet.run(fibers, Effect.ignoreCause(work)))
      ),
    settled: FiberSet.awaitEmpty(fibers)
  }))
