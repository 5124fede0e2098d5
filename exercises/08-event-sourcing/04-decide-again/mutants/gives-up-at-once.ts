// fails: b - tells the customer to come back, at the first conflict
import { Effect } from "effect"
import type { EventStore } from "effect-lifecycle/store"
import { append, Busy, decide, load, type Rejected, type Request } from "../show.ts"

export * from "../solution.ts"

export const reserve = (request: Request): Effect.Effect<number, Rejected | Busy, EventStore.EventStore> =>
  Effect.gen(function*() {
    const { state, version } = yield* load(request.show)
    const events = yield* decide(state, request)
    return yield* append(request.show, version, events)
  }).pipe(Effect.catchTag("Conflict", () => Effect.fail(new Busy({ attempts: 1 }))))
