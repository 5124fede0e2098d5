// fails: b - decides the annotation where the program is put together, for all requests at once
import { Effect } from "effect"
import { RequestId } from "effect-lifecycle/request"

export { charge, confirm } from "../solution.ts"

const annotation = { requestId: Effect.runSync(RequestId.generate) }

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  RequestId.provide(work, RequestId.RequestId.make(id))

export const log = (message: string): Effect.Effect<void> => Effect.annotateLogs(Effect.logInfo(message), annotation)
