// fails: b - keeps a value of exactly the given age
import { Clock, Effect, Exit, Fiber } from "effect"
import type { Cache, Fetch } from "../solution.ts"

export { makeWithEffect } from "../solution.ts"

interface Run {
  readonly fiber: Fiber.Fiber<number, string>
  waiting: number
}

export const make = (fetch: Fetch, keepMillis: number): Effect.Effect<Cache> =>
  Effect.sync(() => {
    let kept: { readonly value: number; readonly until: number } | undefined
    let running: Run | undefined

    const keep = (exit: Exit.Exit<number, string>) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        running = undefined
        if (Exit.isSuccess(exit)) kept = { value: exit.value, until: now + keepMillis }
      })

    const begin = Effect.map(Effect.forkDetach(Effect.onExit(fetch, keep)), (fiber) => running = { fiber, waiting: 0 })

    const leave = (run: Run) =>
      Effect.suspend(() => {
        run.waiting--
        if (run.waiting > 0 || running !== run) return Effect.void
        running = undefined
        return Fiber.interrupt(run.fiber)
      })

    const wait = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const run = running ?? (yield* begin)
        run.waiting++
        return yield* Effect.ensuring(restore(Fiber.join(run.fiber)), leave(run))
      })
    )

    return {
      get: Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => kept !== undefined && now <= kept.until ? Effect.succeed(kept.value) : wait
      )
    }
  })
