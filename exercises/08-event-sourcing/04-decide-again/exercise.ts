/**
 * 08.4 Decide again
 *
 * One seat is left. You load the show, decide that one seat can be had, and append. In between somebody else was there, and
 * the store answers with a conflict. The stub knows what to do with a conflict: the store says where the stream is, so it
 * appends there. It works every time, and the seat is sold twice. What was decided on version 7 is not known to be right on
 * version 8.
 *
 * Do
 * 1. `reserve(request)`: load, decide, append, with the three functions of `show.ts`. On a `Conflict` do all three again, up
 *    to three times in all, then fail with `Busy` and the number of attempts. A `Rejected` is an answer: it is not asked
 *    for again. The success is the version afterwards.
 * 2. `theatre`: the same with the library. `Domain.aggregateHandler` makes the handler of `Reserve`, on the aggregate
 *    `Show`; its `reply` gives the version, and how many seats are free afterwards. The list of free seats (`Free`) is then
 *    right by itself: its row is written with the event.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/08-event-sourcing/04-decide-again/exercise.ts`.
 */
import { Effect, Layer } from "effect"
import { Domain, Mediator } from "effect-lifecycle/domain"
import { EventStore, MemoryStore, type StateStore, type UnitOfWork } from "effect-lifecycle/store"
import type { Rpc } from "effect/rpc"
import { append, Busy, decide, load, type Rejected, type Request, Reserve } from "./show.ts"

/** Reserves, and answers with the version of the show afterwards. */
export const reserve = Effect.fnUntraced(function*(
  request: Request
): Effect.fn.Return<number, Rejected | Busy, EventStore.EventStore> {
  const { state, version } = yield* load(request.show)
  const events = yield* decide(state, request)
  return yield* append(request.show, version, events).pipe(
    Effect.catchTag("Conflict", ({ actual }) => append(request.show, actual, events)),
    Effect.catchTag("Conflict", () => Effect.fail(new Busy({ attempts: 2 })))
  )
})

/** The same with the library. */
export const theatre: Layer.Layer<
  Rpc.Handler<"shows.Reserve">,
  never,
  EventStore.EventStore | StateStore.StateStore | UnitOfWork.UnitOfWork
> = Domain.toLayer([Domain.handler(Reserve, () => Effect.succeed({ version: 0, free: 0 }))])

if (import.meta.main) {
  const program = Effect.gen(function*() {
    const store = yield* EventStore.EventStore
    const stream = { category: "Show", id: "hamlet" }
    yield* store.append({ stream, expect: 0, events: [{ type: "Opened", data: { seats: 5 } }] })
    console.log("version", yield* reserve({ show: "hamlet", customer: "ada", seats: 2 }))
    console.log("library", yield* Mediator.send(Reserve, { show: "hamlet", customer: "bob", seats: 2 }))
  })
  await Effect.runPromise(Effect.provide(program, theatre.pipe(Layer.provideMerge(MemoryStore.layer))))
}
