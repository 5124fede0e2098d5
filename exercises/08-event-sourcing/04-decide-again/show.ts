/** A show with its three steps: load, decide, append. Given; there is nothing to change here. */
import { Data, Effect, Result, Schema } from "effect"
import { Aggregate, Command, DomainEvent } from "effect-lifecycle/domain"
import { EventStore, StateStore } from "effect-lifecycle/store"

/** The seats are gone, or the show is not open. */
export class Rejected extends Schema.TaggedError<Rejected>()("Rejected", { free: Schema.Int }) {}

/** The stream has moved since it was loaded; nothing was written. */
export class Conflict extends Data.TaggedError("Conflict")<{
  readonly expected: number
  readonly actual: number
}> {}

/** Others were faster, as often as it was tried. */
export class Busy extends Data.TaggedError("Busy")<{ readonly attempts: number }> {}

export const Opened = DomainEvent.make("Opened", { schema: { seats: Schema.Int } })
export const Reserved = DomainEvent.make("Reserved", { schema: { customer: Schema.String, seats: Schema.Int } })

export const Reserve = Command.make("shows.Reserve", {
  payload: { show: Schema.String, customer: Schema.String, seats: Schema.Int },
  success: Schema.Struct({ version: Schema.Int, free: Schema.Int }),
  error: Rejected,
  aggregateId: (payload) => payload.show
})

/** What is asked: some seats of a show for a customer. */
export type Request = typeof Reserve.payloadSchema.Type

/** The list of free seats, which others read: a row for each show. */
export const Free = StateStore.collection({
  name: "free_seats",
  schema: Schema.Struct({ free: Schema.Int }),
  indexes: []
})

export const Show = Aggregate.make({
  name: "Show",
  state: Schema.Struct({ free: Schema.Int }),
  initial: { free: 0 },
  commands: [Reserve],
  events: [Opened, Reserved],
  decide: {
    "shows.Reserve": ({ free }, { customer, seats }) =>
      seats > free ? Effect.fail(new Rejected({ free })) : Effect.succeed([Reserved.make({ customer, seats })])
  },
  evolve: {
    Opened: (_state, { seats }) => ({ free: seats }),
    Reserved: ({ free }, { seats }) => ({ free: free - seats })
  },
  projection: { collection: Free, state: ({ free }) => ({ free }) }
})

export type State = { readonly free: number }
export type Event = DomainEvent.Value<typeof Opened | typeof Reserved>

/** The state of a show, and the version that it has. */
export const load = (
  show: string
): Effect.Effect<{ readonly state: State; readonly version: number }, never, EventStore.EventStore> =>
  Effect.orDie(Aggregate.load(Show, show))

/** What happens because of a request. */
export const decide = (state: State, request: Request): Effect.Effect<ReadonlyArray<Event>, Rejected> =>
  Effect.catchTags(Aggregate.decide(Show, Reserve, state, request), {
    Rejected: (rejected) => Effect.fail(rejected)
  }).pipe(Effect.catchIf((error) => !(error instanceof Rejected), Effect.die))

/** Stores events behind version `expected`, and answers with the version afterwards. */
export const append = Effect.fnUntraced(function*(
  show: string,
  expected: number,
  events: ReadonlyArray<Event>
): Effect.fn.Return<number, Conflict, EventStore.EventStore> {
  const store = yield* EventStore.EventStore
  const stored = events.map((event) => Result.getOrThrow(Show.encode(event)))
  const result = yield* Effect.orDie(
    store.append({ stream: { category: "Show", id: show }, expect: expected, events: stored })
  )
  return result._tag === "Appended" ? result.version : yield* new Conflict({ expected, actual: result.actual })
})
