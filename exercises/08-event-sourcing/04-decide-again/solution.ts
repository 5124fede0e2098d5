import { Effect, type Layer } from "effect"
import { Domain } from "effect-lifecycle/domain"
import type { EventStore, StateStore, UnitOfWork } from "effect-lifecycle/store"
import type { Rpc } from "effect/rpc"
import { append, Busy, decide, load, type Rejected, type Request, Reserve, Show } from "./show.ts"

export const reserve = (request: Request): Effect.Effect<number, Rejected | Busy, EventStore.EventStore> =>
  Effect.gen(function*() {
    const { state, version } = yield* load(request.show)
    const events = yield* decide(state, request)
    return yield* append(request.show, version, events)
  }).pipe(
    Effect.retry({ times: 2, while: (error) => error._tag === "Conflict" }),
    Effect.catchTag("Conflict", () => Effect.fail(new Busy({ attempts: 3 })))
  )

export const theatre: Layer.Layer<
  Rpc.Handler<"shows.Reserve">,
  never,
  EventStore.EventStore | StateStore.StateStore | UnitOfWork.UnitOfWork
> = Domain.toLayer([
  Domain.aggregateHandler(Reserve, Show, { reply: (state, _events, version) => ({ version, free: state.free }) })
])
