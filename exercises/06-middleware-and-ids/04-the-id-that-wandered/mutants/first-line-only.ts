// fails: b - annotates a line of its own at the beginning, and not what follows
import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"

export { charge, confirm, log } from "../solution.ts"

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.andThen(
    Effect.annotateLogs(Effect.logInfo("received"), { requestId: id }),
    Effect.provideService(work, RequestId.Current, Option.some(RequestId.RequestId.make(id)))
  )
