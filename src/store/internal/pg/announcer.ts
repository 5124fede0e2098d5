/** Telling the workers of other processes that there is something to do, and hearing it from them. */
import { Effect, Latch, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import * as WakeUp from "./WakeUp.ts"

export interface Announcer {
  readonly announce: () => void
  /** Hears the announcements of other processes, from the first call on. */
  readonly listen: (heard: () => void) => Effect.Effect<void>
  /** How long something of another process can stay unnoticed. */
  readonly pollMillis: number
}

/** On a channel of its own, for as long as the scope. */
export const make = (
  client: SqlClient.SqlClient,
  channel: string,
  token: string,
  options: { readonly notify: boolean; readonly listen: boolean; readonly pollMillis: number }
): Effect.Effect<Announcer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const wakeUp = WakeUp.make(client, channel, token)
    const listening = Latch.makeUnsafe(false)
    const listeners = new Set<() => void>()
    if (options.notify) yield* Effect.forkScoped(wakeUp.send)
    if (options.listen) {
      yield* Effect.forkScoped(Effect.andThen(
        listening.await,
        wakeUp.listen(() => {
          for (const wake of listeners) wake()
        })
      ))
    }
    return {
      announce: wakeUp.appended,
      listen: (heard) =>
        Effect.suspend(() => {
          listeners.add(heard)
          return Effect.asVoid(listening.open)
        }),
      pollMillis: options.pollMillis
    }
  })
