// fails: c - fetches in the fiber of the first customer, and the others wait for her
import { Clock, Deferred, Effect, Exit } from "effect"
import type { Cache, Fetch } from "../solution.ts"

export { makeWithEffect } from "../solution.ts"

export const make = (fetch: Fetch, keepMillis: number): Effect.Effect<Cache> =>
  Effect.sync(() => {
    let kept: { readonly value: number; readonly until: number } | undefined
    let running: Deferred.Deferred<number, string> | undefined
    return {
      get: Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        if (kept !== undefined && now < kept.until) return kept.value
        if (running !== undefined) return yield* Deferred.await(running)
        const ended = yield* Deferred.make<number, string>()
        running = ended
        return yield* Effect.onExit(fetch, (exit) =>
          Effect.gen(function*() {
            running = undefined
            const end = yield* Clock.currentTimeMillis
            if (Exit.isSuccess(exit)) kept = { value: exit.value, until: end + keepMillis }
            yield* Deferred.done(ended, exit)
          }))
      })
    }
  })
