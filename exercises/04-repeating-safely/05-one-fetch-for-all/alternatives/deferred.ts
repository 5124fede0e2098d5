// The fetch tells a Deferred how it ended, and lives in a scope that the last one to leave closes.
import { Clock, Deferred, Effect, Exit, Ref, Scope } from "effect"
import type { Cache, Fetch } from "../solution.ts"

export { makeWithEffect } from "../solution.ts"

type State =
  | { readonly _tag: "Empty" }
  | { readonly _tag: "Kept"; readonly value: number; readonly until: number }
  | {
    readonly _tag: "Fetching"
    readonly waiting: number
    readonly ended: Deferred.Deferred<number, string>
    readonly scope: Scope.Closeable
  }

export const make = Effect.fnUntraced(function*(fetch: Fetch, keepMillis: number): Effect.fn.Return<Cache> {
  const state = yield* Ref.make<State>({ _tag: "Empty" })

  const settle = Effect.fnUntraced(
    function*(ended: Deferred.Deferred<number, string>, exit: Exit.Exit<number, string>) {
      if (Exit.hasInterrupts(exit)) return
      const until = (yield* Clock.currentTimeMillis) + keepMillis
      yield* Ref.set(state, Exit.isSuccess(exit) ? { _tag: "Kept", value: exit.value, until } : { _tag: "Empty" })
      yield* Deferred.done(ended, exit)
    }
  )

  const join = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const seen = yield* Ref.get(state)
    if (seen._tag === "Kept" && now < seen.until) return seen
    if (seen._tag === "Fetching") {
      const mine = { ...seen, waiting: seen.waiting + 1 }
      yield* Ref.set(state, mine)
      return mine
    }
    const scope = yield* Scope.make()
    const ended = yield* Deferred.make<number, string>()
    const mine = { _tag: "Fetching", waiting: 1, ended, scope } as const
    yield* Ref.set(state, mine)
    yield* Effect.forkIn(Effect.onExit(fetch, (exit) => settle(ended, exit)), scope, { startImmediately: true })
    return mine
  })

  const leave = (ended: Deferred.Deferred<number, string>) =>
    Effect.gen(function*() {
      const seen = yield* Ref.get(state)
      if (seen._tag !== "Fetching" || seen.ended !== ended) return
      if (seen.waiting > 1) return yield* Ref.set(state, { ...seen, waiting: seen.waiting - 1 })
      yield* Ref.set(state, { _tag: "Empty" })
      yield* Scope.close(seen.scope, Exit.void)
    })

  return {
    get: Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const seen = yield* join
        if (seen._tag === "Kept") return seen.value
        return yield* Effect.onInterrupt(restore(Deferred.await(seen.ended)), () => leave(seen.ended))
      })
    )
  }
})
