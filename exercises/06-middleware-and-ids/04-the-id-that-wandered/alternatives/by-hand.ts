// A reference and an annotation, set without `RequestId.provide`; the line of the bank is written when the promise is over.
import { Effect, Option } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { bank } from "../shop.ts"

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  work.pipe(
    Effect.provideService(RequestId.Current, RequestId.parse(id)),
    Effect.annotateLogs({ requestId: id })
  )

export const log = (message: string): Effect.Effect<void> =>
  Effect.flatMap(
    RequestId.Current,
    (id) =>
      Option.isNone(id)
        ? Effect.logInfo(message)
        : Effect.annotateLogs(Effect.logInfo(message), { requestId: id.value })
  )

export const charge: Effect.Effect<string> = Effect.tap(
  Effect.promise(() => bank.charge(() => Promise.resolve())),
  () => log("charged")
)

export const confirm: Effect.Effect<unknown> = Effect.sleep("20 millis").pipe(
  Effect.andThen(log("mailed")),
  Effect.forkDetach({ startImmediately: true })
)
