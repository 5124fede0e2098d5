// fails: c - repeats until it works
import { Effect } from "effect"
import type { EventStore } from "effect-lifecycle/store"
import { append, type Busy, decide, load, type Rejected, type Request } from "../show.ts"

export * from "../solution.ts"

export const reserve = (request: Request): Effect.Effect<number, Rejected | Busy, EventStore.EventStore> =>
  Effect.gen(function*() {
    const { state, version } = yield* load(request.show)
    const events = yield* decide(state, request)
    return yield* append(request.show, version, events)
  }).pipe(
    Effect.retry({ while: (error) => error._tag === "Conflict" })
  )
