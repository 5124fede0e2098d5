// A line for each priority. Who gets a permit, who waits and who is refused is decided in Ref.modify, and done afterwards.
import { Array, Deferred, Effect, Ref } from "effect"
import { Priority } from "effect-lifecycle/request"
import { type Lanes, type Limits, Refused } from "../solution.ts"

export { makeWithLibrary, Refused } from "../solution.ts"

type Turn = Deferred.Deferred<void, Refused>

interface State {
  readonly free: number
  readonly lines: Readonly<Record<Priority.Priority, ReadonlyArray<Turn>>>
}

// From the most urgent to the least.
const order = Priority.Priority.literals

const waiting = ({ lines }: State): number => order.reduce((sum, name) => sum + lines[name].length, 0)

const without = (state: State, name: Priority.Priority, turn: Turn): State => ({
  ...state,
  lines: { ...state.lines, [name]: state.lines[name].filter((one) => one !== turn) }
})

export const make = ({ permits, queue }: Limits): Effect.Effect<Lanes> =>
  Effect.gen(function*() {
    const state = yield* Ref.make<State>({ free: permits, lines: { critical: [], high: [], normal: [], low: [] } })

    const giveBack = Effect.flatten(Ref.modify(state, (now): [Effect.Effect<unknown>, State] => {
      const name = order.find((one) => now.lines[one].length > 0)
      const turn = name && now.lines[name][0]
      return name === undefined || turn === undefined
        ? [Effect.void, { ...now, free: now.free + 1 }]
        : [Deferred.succeed(turn, undefined), without(now, name, turn)]
    }))

    const enter = (mine: Priority.Priority, turn: Turn) =>
      Effect.flatten(Ref.modify(state, (now): [Effect.Effect<unknown>, State] => {
        if (now.free > 0) return [Deferred.succeed(turn, undefined), { ...now, free: now.free - 1 }]
        const joined: State = { ...now, lines: { ...now.lines, [mine]: [...now.lines[mine], turn] } }
        if (waiting(joined) <= queue) return [Effect.void, joined]
        const name = order.findLast((one) => joined.lines[one].length > 0) ?? mine
        const last = Array.last(joined.lines[name])
        return last._tag === "None"
          ? [Effect.void, joined]
          : [Deferred.fail(last.value, new Refused()), without(joined, name, last.value)]
      }))

    const leave = (mine: Priority.Priority, turn: Turn) =>
      Effect.flatten(Ref.modify(state, (now): [Effect.Effect<unknown>, State] =>
        now.lines[mine].includes(turn) ? [Effect.void, without(now, mine, turn)] : [giveBack, now]))

    return {
      run: (priority, call) =>
        Effect.acquireUseRelease(
          Effect.gen(function*() {
            const turn = yield* Deferred.make<void, Refused>()
            yield* enter(priority, turn)
            yield* Effect.onInterrupt(Effect.interruptible(Deferred.await(turn)), () =>
              leave(priority, turn))
          }),
          () => call,
          () => giveBack
        )
    }
  })
