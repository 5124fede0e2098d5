// fails: b - keeps the variable, and puts the old id back when the request ends
import { Effect } from "effect"
import { RequestId } from "effect-lifecycle/request"

export { charge, confirm } from "../solution.ts"

let current: string | undefined

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const before = current
    current = id
    return Effect.ensuring(
      RequestId.provide(work, RequestId.RequestId.make(id)),
      Effect.sync(() => {
        current = before
      })
    )
  })

export const log = (message: string): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.annotateLogs(Effect.logInfo(message), current === undefined ? {} : { requestId: current })
  )
