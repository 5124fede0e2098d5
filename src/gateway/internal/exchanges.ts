/** The fibers of the exchanges under way. */
import { Context, Effect, Fiber, type Scope, Tracer } from "effect"

export type Run = (work: Effect.Effect<void>) => Fiber.Fiber<void>

/**
 * Runs effects until the scope closes, which interrupts those that are left.
 *
 * Not `FiberSet`: a `Set` is made anew every few entries that come and go, and each dead one points to the next. Once one is
 * in the old generation, all that follow survive collections of the young one, with every request they held. Here the last
 * entry takes the place of the one that leaves.
 */
export const make: Effect.Effect<Run, never, Scope.Scope> = Effect.contextWith(
  (context: Context.Context<Scope.Scope>) => {
    const fork = Effect.runForkWith(ofRequests(context))
    const live: Array<Entry> = []
    const run: Run = (work) => {
      const fiber = fork(work)
      const entry: Entry = { fiber, place: live.length }
      live.push(entry)
      fiber.addObserver(() => {
        const last = live.pop()
        if (last === undefined || last === entry) return
        live[entry.place] = last
        last.place = entry.place
      })
      return fiber
    }
    return Effect.as(
      Effect.addFinalizer(() => Effect.suspend(() => Fiber.interruptAll(live.map(({ fiber }) => fiber)))),
      run
    )
  }
)

interface Entry {
  readonly fiber: Fiber.Fiber<void>
  place: number
}

/**
 * What all exchanges have in common: not the span that the gateway was made in, which would be the parent of each of them
 * for as long as it runs; and with room for what a request adds, since a context is copied from the ninth addition on.
 */
const ofRequests = <R>(context: Context.Context<R>): Context.Context<R> => {
  const services = new Map(context.mapUnsafe)
  services.delete(Tracer.ParentSpan.key)
  return Context.makeUnsafe(services, { maxDepth: 24 })
}
