import { type Context, Effect } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { bank } from "./shop.ts"

export const request = <A, E, R>(id: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  RequestId.provide(work, RequestId.RequestId.make(id))

export const log = (message: string): Effect.Effect<void> => Effect.logInfo(message)

export const charge: Effect.Effect<string> = Effect.contextWith((context: Context.Context<never>) =>
  Effect.promise(() => bank.charge(() => Effect.runPromiseWith(context)(log("charged"))))
)

// A forked fiber inherits the context, a detached one too.
export const confirm: Effect.Effect<unknown> = Effect.forkDetach(
  Effect.andThen(Effect.sleep("20 millis"), log("mailed"))
)
