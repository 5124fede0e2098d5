// fails: c - throws what is an answer
import { Result } from "effect"
import { type Command, type Event, Rejected, type State } from "../show.ts"
import { decide as right } from "../solution.ts"

export * from "../solution.ts"

export const decide = (state: State, command: Command): Result.Result<ReadonlyArray<Event>, Rejected> => {
  return Result.succeed(Result.getOrThrow(right(state, command)))
}
