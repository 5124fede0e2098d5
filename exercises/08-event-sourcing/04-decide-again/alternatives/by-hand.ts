import { Effect } from "effect"
import type { EventStore } from "effect-lifecycle/store"
import { append, Busy, decide, load, type Rejected, type Request } from "../show.ts"

export * from "../solution.ts"

export const reserve = Effect.fnUntraced(function*(
  request: Request
): Effect.fn.Return<number, Rejected | Busy, EventStore.EventStore> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const { state, version } = yield* load(request.show)
    const events = yield* decide(state, request)
    const written = yield* append(request.show, version, events).pipe(
      Effect.catchTag("Conflict", () => Effect.succeed(undefined))
    )
    if (written !== undefined) return written
  }
  return yield* new Busy({ attempts: 3 })
})
