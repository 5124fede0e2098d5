import { Effect, Schema } from "effect"
import { Aggregate, Command, Domain, DomainEvent } from "effect-lifecycle/domain"

export class TooMuch extends Schema.TaggedError<TooMuch>()("TooMuch", { total: Schema.Int }) {}

const payload = { id: Schema.String, by: Schema.Int, key: Schema.optionalKey(Schema.String) }
const success = Schema.Struct({ total: Schema.Int, version: Schema.Int })

export const Add = Command.make("counters.Add", {
  payload,
  success,
  error: TooMuch,
  aggregateId: (payload) => payload.id,
  commandId: (payload) => payload.key
})

/** The same decision, for the tests of durable commands. */
export const Deposit = Command.make("counters.Deposit", {
  payload,
  success,
  error: TooMuch,
  aggregateId: (payload) => payload.id,
  commandId: (payload) => payload.key
})

export const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })

export const most = 1_000_000

export const Counter = Aggregate.make({
  name: "Counter",
  state: Schema.Struct({ total: Schema.Int }),
  initial: { total: 0 },
  commands: [Add, Deposit],
  events: [Added],
  decide: {
    "counters.Add": ({ total }, { by }) => decide(total, by),
    "counters.Deposit": ({ total }, { by }) => decide(total, by)
  },
  evolve: { Added: (state, { by }) => ({ total: state.total + by }) }
})

const decide = (total: number, by: number) =>
  by === 666
    ? Effect.die(new Error("a bug in decide"))
    : total + by > most
    ? Effect.fail(new TooMuch({ total }))
    : Effect.succeed([Added.make({ by })])

const reply = { reply: (state: { readonly total: number }, _: unknown, version: number) => ({ ...state, version }) }
export const addHandler = Domain.aggregateHandler(Add, Counter, reply)
export const depositHandler = Domain.aggregateHandler(Deposit, Counter, reply)
