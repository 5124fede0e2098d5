// fails: b - writes >= where > is meant, and never sells the last seat
import { Result } from "effect"
import { type Command, type Event, Rejected, sold, type State } from "../show.ts"
import { decide as right } from "../solution.ts"

export * from "../solution.ts"

export const decide = (state: State, command: Command): Result.Result<ReadonlyArray<Event>, Rejected> => {
  if (command._tag === "Reserve" && sold(state) + command.seats >= state.seats) {
    return Result.fail(new Rejected({ reason: "SoldOut" }))
  }
  return right(state, command)
}
