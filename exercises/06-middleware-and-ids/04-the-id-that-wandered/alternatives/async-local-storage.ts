// The context crosses the promise in Node's AsyncLocalStorage: for a library whose callbacks you do not make yourself.
import { Context, Effect } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { bank } from "../shop.ts"
import { log } from "../solution.ts"

export { confirm, log, request } from "../solution.ts"

const fiberContext = new AsyncLocalStorage<Context.Context<never>>()

const onBehalf = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromiseWith(fiberContext.getStore() ?? Context.empty())(effect)

export const charge: Effect.Effect<string> = Effect.contextWith((context: Context.Context<never>) =>
  Effect.promise(() => fiberContext.run(context, () => bank.charge(() => onBehalf(log("charged")))))
)
