// fails: c - answers a rejection with no events
import { Result } from "effect"
import { type Command, type Event, Rejected, type State } from "../show.ts"
import { decide as right } from "../solution.ts"

export * from "../solution.ts"

export const decide = (state: State, command: Command): Result.Result<ReadonlyArray<Event>, Rejected> => {
  return Result.orElse(right(state, command), () => Result.succeed([]))
}
