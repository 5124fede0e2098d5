// fails: e - makes a defect of the rejection, so the caller gets a 500
import { Effect } from "effect"
import { Aggregate } from "effect-lifecycle/domain"
import { evolve, Opened, Reserve, Reserved, start, State } from "../show.ts"
import { decide } from "../solution.ts"

export * from "../solution.ts"

export const Show = Aggregate.make({
  name: "Show",
  state: State,
  initial: start,
  commands: [Reserve],
  events: [Opened, Reserved],
  decide: {
    "shows.Reserve": (state, payload) =>
      Effect.fromResult(decide(state, { _tag: "Reserve", ...payload })).pipe(
        Effect.orDie,
        Effect.map((events) => events.filter((event) => event._tag === "Reserved"))
      )
  },
  evolve: { Opened: evolve, Reserved: evolve }
})
