// fails: b - takes a Ref for something that every fiber has its own of
import { Effect, Ref } from "effect"
import { RequestId } from "effect-lifecycle/request"

export { charge, confirm } from "../solution.ts"

const current = Ref.makeUnsafe("")

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.andThen(Ref.set(current, id), RequestId.provide(work, RequestId.RequestId.make(id)))

export const log = (message: string): Effect.Effect<void> =>
  Effect.flatMap(Ref.get(current), (id) => Effect.annotateLogs(Effect.logInfo(message), { requestId: id }))
