// fails: b - appends what was decided before, where the store says that the stream is
import { Effect } from "effect"
import type { EventStore } from "effect-lifecycle/store"
import { append, Busy, decide, load, type Rejected, type Request } from "../show.ts"

export * from "../solution.ts"

export const reserve = (request: Request): Effect.Effect<number, Rejected | Busy, EventStore.EventStore> =>
  Effect.gen(function*() {
    const { state, version } = yield* load(request.show)
    const events = yield* decide(state, request)
    let at = version
    for (let attempt = 1; attempt <= 3; attempt++) {
      const result = yield* append(request.show, at, events).pipe(
        Effect.map((version) => ({ version })),
        Effect.catchTag("Conflict", Effect.succeed)
      )
      if ("version" in result) return result.version
      at = result.actual
    }
    return yield* new Busy({ attempts: 3 })
  })
