// fails: b - decides again on the new state, and appends at the version in the error, the wrong one of two
import { Effect } from "effect"
import type { EventStore } from "effect-lifecycle/store"
import { append, Busy, decide, load, type Rejected, type Request } from "../show.ts"

export * from "../solution.ts"

export const reserve = (request: Request): Effect.Effect<number, Rejected | Busy, EventStore.EventStore> =>
  Effect.gen(function*() {
    let known: number | undefined
    for (let attempt = 1; attempt <= 3; attempt++) {
      const { state, version } = yield* load(request.show)
      const events = yield* decide(state, request)
      const result = yield* append(request.show, known ?? version, events).pipe(
        Effect.map((version) => ({ version })),
        Effect.catchTag("Conflict", Effect.succeed)
      )
      if ("version" in result) return result.version
      known = result.expected
    }
    return yield* new Busy({ attempts: 3 })
  })
