import { Effect, Result } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import {
  type Command,
  type Event,
  evolve,
  Opened,
  Rejected,
  Reserve,
  Reserved,
  sold,
  start,
  State
} from "./show.ts"

type Decision = Result.Result<ReadonlyArray<Event>, Rejected>

const reject = (reason: Rejected["reason"]): Decision => Result.fail(new Rejected({ reason }))
const accept = (event: Event): Decision => Result.succeed([event])

const isNumberOfSeats = (seats: number): boolean => Number.isSafeInteger(seats) && seats >= 1

export const decide = (state: State, command: Command): Decision => {
  const { at } = command
  if (command._tag === "Open") {
    if (state.seats > 0) return reject("AlreadyOpen")
    return isNumberOfSeats(command.seats) ? accept({ _tag: "Opened", seats: command.seats, at }) : reject("BadNumber")
  }
  if (!state.open) return reject("NotOpen")
  if (command._tag === "Close") return accept({ _tag: "Closed", at })
  const { customer, seats } = command
  if (!isNumberOfSeats(seats)) return reject("BadNumber")
  const mine = state.taken[customer] ?? 0
  if (command._tag === "Release") {
    return seats > mine ? reject("NotYours") : accept({ _tag: "Released", customer, seats, at })
  }
  if (mine + seats > 6) return reject("TooManyForOne")
  if (sold(state) + seats > state.seats) return reject("SoldOut")
  return accept({ _tag: "Reserved", customer, seats, at })
}

export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start,
  commands: [Reserve],
  events: [Opened, Reserved],
  decide: {
    "shows.Reserve": (state, { at, customer, seats }) =>
      Effect.fromResult(decide(state, { _tag: "Reserve", customer, seats, at })).pipe(
        Effect.map((events) => events.filter((event) => event._tag === "Reserved"))
      )
  },
  evolve: { Opened: evolve, Reserved: evolve }
})
