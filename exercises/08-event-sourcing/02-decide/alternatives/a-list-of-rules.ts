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
} from "../show.ts"

/** A reason, and when it applies. */
type Rule = readonly [reason: Rejected["reason"], applies: (state: State, seats: number, customer: string) => boolean]

const notOpen: Rule = ["NotOpen", (state) => !state.open]
const badNumber: Rule = ["BadNumber", (_, seats) => !Number.isSafeInteger(seats) || seats <= 0]
const has = (state: State, customer: string): number => state.taken[customer] ?? 0

/** Why a command is refused; the first one that applies is said. */
const rules: { readonly [Tag in Command["_tag"]]: ReadonlyArray<Rule> } = {
  Open: [["AlreadyOpen", (state) => state.seats !== 0], badNumber],
  Reserve: [
    notOpen,
    badNumber,
    ["TooManyForOne", (state, seats, customer) => has(state, customer) + seats > 6],
    ["SoldOut", (state, seats) => state.seats - sold(state) < seats]
  ],
  Release: [notOpen, badNumber, ["NotYours", (state, seats, customer) => has(state, customer) < seats]],
  Close: [notOpen]
}

/** What a command that is obeyed becomes. */
const events: { readonly [Tag in Command["_tag"]]: Event["_tag"] } = {
  Open: "Opened",
  Reserve: "Reserved",
  Release: "Released",
  Close: "Closed"
}

export const decide = (state: State, command: Command): Result.Result<ReadonlyArray<Event>, Rejected> => {
  const { _tag, ...rest } = command
  const { customer = "", seats = 1 } = rest as { readonly customer?: string; readonly seats?: number }
  const broken = rules[_tag].find(([, applies]) => applies(state, seats, customer))
  return broken === undefined
    ? Result.succeed([{ ...rest, _tag: events[_tag] } as Event])
    : Result.fail(new Rejected({ reason: broken[0] }))
}

export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start,
  commands: [Reserve],
  events: [Opened, Reserved],
  decide: {
    "shows.Reserve": (state, { at, customer, seats }) =>
      Result.match(decide(state, { _tag: "Reserve", customer, seats, at }), {
        onFailure: (rejected) => Effect.fail(rejected),
        onSuccess: () => Effect.succeed([{ _tag: "Reserved" as const, customer, seats, at }])
      })
  },
  evolve: { Opened: evolve, Reserved: evolve }
})
