/** Definitions of aggregates. */
import { Effect, Result, type Schema } from "effect"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import type { Snapshots } from "../../../store/Snapshots.ts"
import { StateStore } from "../../../store/StateStore.ts"
import type { StoreUnavailable } from "../../../store/UnitOfWork.ts"
import type * as Command from "../../Command.ts"
import {
  type Any as AnyEvent,
  placed,
  type Services as EventServices,
  UnknownEvent,
  type Value
} from "../../DomainEvent.ts"
import type { Aggregate, At, Deciders, DecideServices, Evolvers, Projection } from "./definition.ts"
import * as snapshotting from "./snapshotting.ts"

/**
 * Defines an aggregate.
 *
 * Throws `InvalidOption` when two events or two commands share a name, `snapshotEvery` is not a whole number from 1, or a
 * summary is none of the events.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const Name extends string,
  State,
  const Events extends ReadonlyArray<AnyEvent>,
  const Commands extends ReadonlyArray<Command.AnyAggregate>,
  const Decide extends Deciders<State, Value<Events[number]>, Commands[number]>,
  Row = never,
  const Every extends number | undefined = undefined
>(options: {
  /** The kind of aggregate; the category of its streams. */
  readonly name: Name
  readonly state: Schema.Codec<State, unknown, never, never>
  /** The state before the first event. */
  readonly initial: NoInfer<State>
  readonly events: Events
  readonly commands: Commands
  readonly decide: Decide
  readonly evolve: Evolvers<NoInfer<State>, Value<Events[number]>>
  readonly projection?: Projection<NoInfer<State>, Row> | undefined
  /** Keeps a snapshot of the state every so many events; none when absent. */
  readonly snapshotEvery?: Every
  /** Anything that changes when `evolve` folds stored events to other states than before. */
  readonly snapshotRevision?: string | number | undefined
  /**
   * Events that carry the whole state, so that a stream may begin with one after a truncation. Their `evolve` must not
   * depend on the state before.
   */
  readonly summaries?: ReadonlyArray<Events[number]["type"]> | undefined
}): Aggregate<
  Name,
  State,
  Value<Events[number]>,
  Commands[number],
  DecideServices<Decide>,
  | ([Row] extends [never] ? never : StateStore)
  | ([Every] extends [undefined] ? never : Snapshots)
  | EventServices<Events[number]>
> => {
  type Event = Value<Events[number]>
  unique(options.name, "events", options.events.map((event) => event.type))
  unique(options.name, "commands", options.commands.map((command) => command._tag))
  const { projection, summaries = [] } = options
  const stray = summaries.find((type) => !options.events.some((event) => event.type === type))
  if (stray !== undefined) {
    throw new InvalidOption({
      module: `Aggregate.make("${options.name}")`,
      option: "summaries",
      value: `"${stray}"`,
      allowed: "types of the aggregate's events"
    })
  }
  const byType = new Map(options.events.map((event) => [event.type, event]))
  const evolve = new Map<string, (state: State, event: never) => State>(Object.entries(options.evolve))
  const decide = new Map<string, (state: State, payload: never, at: At) => Effect.Effect<ReadonlyArray<Event>>>(
    Object.entries(options.decide)
  )
  const missing = (what: string, name: string) => new Error(`Aggregate "${options.name}" has no ${what} for "${name}"`)
  return {
    name: options.name,
    schema: options.state,
    initial: options.initial,
    events: options.events,
    commands: options.commands,
    evolve: (state, event) => {
      const step = evolve.get(event._tag)
      if (step === undefined) throw missing("evolve function", event._tag)
      return step(state, event as never)
    },
    encode: (event) =>
      byType.get(event._tag)?.encode(event) ?? Result.fail(new UnknownEvent({ type: event._tag, version: 1 })),
    decode: (stored) => {
      const definition = byType.get(stored.type)
      return definition === undefined
        ? Result.fail(new UnknownEvent({ type: stored.type, version: stored.schemaVersion, ...placed(stored) }))
        : Result.map(definition.decode(stored), (event) => event as Event)
    },
    decideUnsafe: (tag, state, payload, at) =>
      decide.get(tag)?.(state, payload as never, at) ?? Effect.die(missing("decide function", tag)),
    snapshots: snapshotting.make(options),
    summaries: new Set(summaries),
    personal: options.events.some((event) => event.personal),
    rows: projection?.collection.name,
    project: projection === undefined ? undefined : (state, at) =>
      // With a projection, this is what the type says; without, there is no function to call.
      StateStore.use((store) => {
        const row = projection.state(state, at.id)
        return row === undefined
          ? store.remove(projection.collection, at.id)
          : store.put(projection.collection, { id: at.id, version: at.version, state: row })
      }) as Effect.Effect<void, StoreUnavailable, never>
  }
}

const unique = (aggregate: string, option: string, names: ReadonlyArray<string>): void => {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new InvalidOption({
    module: `Aggregate.make("${aggregate}")`,
    option,
    value: `"${twice}" twice`,
    allowed: "definitions with different names"
  })
}
