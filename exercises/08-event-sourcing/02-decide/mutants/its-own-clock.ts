// fails: b - takes the time from the wall, and decides another event each time it is asked
import { Result } from "effect"
import { type Command, type Event, Rejected, type State } from "../show.ts"
import { decide as right } from "../solution.ts"

export * from "../solution.ts"

export const decide = (state: State, command: Command): Result.Result<ReadonlyArray<Event>, Rejected> => {
  return Result.map(right(state, command), (events) => events.map((event) => ({ ...event, at: Date.now() })))
}
