// fails: c - looks whether the show is open, and opens it again after it was closed
import type { Result } from "effect"
import type { Command, Event, Rejected, State } from "../show.ts"
import { decide as right } from "../solution.ts"

export * from "../solution.ts"

export const decide = (state: State, command: Command): Result.Result<ReadonlyArray<Event>, Rejected> =>
  right(command._tag === "Open" && !state.open ? { ...state, seats: 0 } : state, command)
