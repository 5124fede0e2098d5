/**
 * 08.2 Decide
 *
 * Somebody wants two seats. Before anything is stored, somebody has to decide: are there two, is the show on sale, has this
 * customer enough already? The answer is a list of events, or the reason why not. Nothing is stored here, nothing is looked
 * up, no clock is read: all that is needed stands in the state and in the command. So it can be asked again, and is.
 *
 * Do
 * 1. `decide(state, command)`, where the first reason that applies is the one that is given:
 *    - `Open`: a show is opened once, a show that was closed not again (`AlreadyOpen`: it has seats), with a whole number of
 *      seats from 1 (`BadNumber`). Gives `Opened`.
 *    - `Reserve`: while it is open (`NotOpen`), a whole number from 1 (`BadNumber`), up to 6 for one customer in all
 *      (`TooManyForOne`), as many as are free (`SoldOut`). Gives `Reserved`.
 *    - `Release`: while it is open (`NotOpen`), a whole number from 1 (`BadNumber`), as many as the customer has
 *      (`NotYours`). Gives `Released`.
 *    - `Close`: while it is open (`NotOpen`). Gives `Closed`.
 *    The events have the time of the command. A rejection is a value, `Result.fail(new Rejected({ reason }))`: it is an
 *    answer, not an accident.
 * 2. `Show`: the same decision for the command of the library. Its `decide` gives an `Effect`; the tag of its command is
 *    `shows.Reserve`.
 *
 * Check: `npm run learn`. Try: `npx tsx workspace/08-event-sourcing/02-decide/exercise.ts`.
 */
import { Effect, Result } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import { type Command, type Event, evolve, Opened, Rejected, replay, Reserve, Reserved, start, State } from "./show.ts"

/** What happens because of a command, or why nothing does. */
export const decide = (_state: State, _command: Command): Result.Result<ReadonlyArray<Event>, Rejected> =>
  Result.succeed([])

/** The same for the library. */
export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start,
  commands: [Reserve],
  events: [Opened, Reserved],
  decide: {
    "shows.Reserve": (_state, _payload) => Effect.succeed([])
  },
  evolve: { Opened: evolve, Reserved: evolve }
})

if (import.meta.main) {
  const state = replay([{ _tag: "Opened", seats: 3, at: 1 }])
  for (const seats of [2, 3, 4]) {
    const decision = decide(state, { _tag: "Reserve", customer: "ada", seats, at: 2 })
    console.log(seats, Result.match(decision, { onSuccess: JSON.stringify, onFailure: (rejected) => rejected.reason }))
  }
  console.log(new Rejected({ reason: "SoldOut" })._tag, "is what a fourth seat should be")
}
