// fails: c - refuses the oldest of the least urgent
import { Deferred, Effect } from "effect"
import { Priority } from "effect-lifecycle/request"
import { type Lanes, type Limits, Refused } from "../solution.ts"

export { makeWithLibrary, Refused } from "../solution.ts"

interface Waiting {
  readonly priority: Priority.Priority
  readonly turn: Deferred.Deferred<void, Refused>
}

export const make = ({ permits, queue }: Limits): Effect.Effect<Lanes> =>
  Effect.sync(() => {
    let free = permits
    // The most urgent first, and of equally urgent ones who came first.
    const waiting: Array<Waiting> = []

    const giveBack = Effect.suspend(() => {
      const next = waiting.shift()
      if (next !== undefined) return Deferred.succeed(next.turn, undefined)
      free++
      return Effect.void
    })

    const enter = (one: Waiting) =>
      Effect.suspend(() => {
        if (free > 0) {
          free--
          return Deferred.succeed(one.turn, undefined)
        }
        const at = waiting.findIndex((other) => Priority.compare(other.priority, one.priority) < 0)
        waiting.splice(at === -1 ? waiting.length : at, 0, one)
        const least = waiting.at(-1)
        const oldest = waiting.findIndex((other) => other.priority === least?.priority)
        const last = waiting.length > queue ? waiting.splice(oldest, 1)[0] : undefined
        return last === undefined ? Effect.void : Deferred.fail(last.turn, new Refused())
      })

    const leave = (one: Waiting) =>
      Effect.suspend(() => {
        const at = waiting.indexOf(one)
        if (at === -1) return giveBack
        waiting.splice(at, 1)
        return Effect.void
      })

    return {
      run: (priority, call) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            const one = { priority, turn: yield* Deferred.make<void, Refused>() }
            yield* enter(one)
            yield* Effect.onInterrupt(restore(Deferred.await(one.turn)), () => leave(one))
            return yield* Effect.ensuring(restore(call), giveBack)
          })
        )
    }
  })
