// fails: b - loads again to learn the version, and keeps the decision
import { Effect } from "effect"
import type { EventStore } from "effect-lifecycle/store"
import { append, Busy, decide, load, type Rejected, type Request } from "../show.ts"

export * from "../solution.ts"

export const reserve = (request: Request): Effect.Effect<number, Rejected | Busy, EventStore.EventStore> =>
  Effect.gen(function*() {
    const { state } = yield* load(request.show)
    const events = yield* decide(state, request)
    return yield* Effect.flatMap(load(request.show), ({ version }) => append(request.show, version, events)).pipe(
      Effect.retry({ times: 2, while: (error) => error._tag === "Conflict" }),
      Effect.catchTag("Conflict", () => Effect.fail(new Busy({ attempts: 3 })))
    )
  })
