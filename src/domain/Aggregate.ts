/**
 * The unit of decision: a state that is the fold of its events, and functions that decide commands on it.
 *
 * An aggregate is a decider. `decide` has one function per command: it gets the current state and the payload and answers
 * with the events to store, or fails with one of the command's errors. `evolve` has one pure function per event that gives
 * the next state. Nothing else changes the state, so replaying the events always gives the same one.
 *
 * Events are values that `decide` returns. Nothing collects them on an object, so a command that fails, is retried or runs
 * beside another cannot emit what is not its own.
 *
 * **Gotchas**
 *
 * - `decide` may run more than once for one command (another command was first): effects in it must bear repeating.
 * - A gap in the stored sequence is a defect: the stream was damaged, and no state folded from it can be trusted.
 * - A projection's `state` is a pure function of the aggregate's state, so it can be rebuilt from the events.
 * - With `snapshotEvery`, a command that leaves that many events since the last snapshot has one written after its commit,
 *   in the background. A snapshot is never trusted over events: one that does not decode, or is not of this stream, is
 *   ignored, reported (`SnapshotIgnored`) and replaced. Change `snapshotRevision` when `evolve` changes its mind about
 *   events that are stored: no program can see that in the Schema.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Aggregate, Command, DomainEvent } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Add = Command.make("counters.Add", {
 *   payload: { id: Schema.String, by: Schema.Int },
 *   aggregateId: (payload) => payload.id
 * })
 * const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })
 *
 * const Counter = Aggregate.make({
 *   name: "Counter",
 *   state: Schema.Struct({ total: Schema.Int }),
 *   initial: { total: 0 },
 *   commands: [Add],
 *   events: [Added],
 *   decide: { "counters.Add": (_state, { by }) => Effect.succeed(by === 0 ? [] : [Added.make({ by })]) },
 *   evolve: { Added: (state, { by }) => ({ total: state.total + by }) }
 * })
 *
 * const events = await Effect.runPromise(Aggregate.decide(Counter, Add, { total: 1 }, { id: "c-1", by: 2 }))
 * assert.deepEqual(Aggregate.fold(Counter, events, { total: 1 }), { total: 3 })
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Result, type Schema } from "effect"
import type { Rpc } from "effect/rpc"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import { Archive, type CannotTruncate } from "../store/Archive.ts"
import { EventStore, type NewEvent, type StoredEvent } from "../store/EventStore.ts"
import type { PersonalDataUnreadable } from "../store/PersonalData.ts"
import type { Snapshots } from "../store/Snapshots.ts"
import { type Collection, StateStore } from "../store/StateStore.ts"
import type { StoreUnavailable } from "../store/UnitOfWork.ts"
import type * as Command from "./Command.ts"
import {
  type Any as AnyEvent,
  type InvalidEvent,
  type Services as EventServices,
  UnknownEvent,
  type Value
} from "./DomainEvent.ts"
import { fold as foldStored, type Folded, type FoldOptions } from "./internal/loading.ts"
import * as snapshotting from "./internal/snapshotting.ts"
import * as truncation from "./internal/truncation.ts"

/**
 * Where a decision is made.
 *
 * @category models
 * @since 0.1.0
 */
export interface At {
  readonly id: string
  /** The version of the state; 0 before the first event. */
  readonly version: number
}

/**
 * One function per command tag.
 *
 * @category models
 * @since 0.1.0
 */
export type Deciders<State, Event, Commands extends Command.AnyAggregate> = {
  readonly [C in Commands as C["_tag"]]: (
    state: State,
    payload: Rpc.Payload<C>,
    at: At
  ) => Effect.Effect<ReadonlyArray<Event>, Rpc.Error<C>, unknown>
}

/**
 * One pure function per event type.
 *
 * @category models
 * @since 0.1.0
 */
export type Evolvers<State, Event extends { readonly _tag: string }> = {
  readonly [Tag in Event["_tag"]]: (state: State, event: Extract<Event, { readonly _tag: Tag }>) => State
}

/**
 * Keeps the current state of an aggregate in a collection, in the transaction that stores its events.
 *
 * @category models
 * @since 0.1.0
 */
export interface Projection<in State, in out Row> {
  readonly collection: Collection<Row>
  /** The row for a state; `undefined` removes it. */
  readonly state: (state: State, id: string) => Row | undefined
}

/**
 * How an aggregate's state is kept between events.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshotting<in out State> {
  /** So many events after the last one, the next snapshot is due. */
  readonly every: number
  /** The same for states that can be read by each other's programs. */
  readonly fingerprint: string
  readonly encode: (state: State) => Result.Result<unknown, unknown>
  readonly decode: (data: unknown) => Result.Result<State, unknown>
}

/**
 * An aggregate definition. `R` is what deciding needs, `P` what loading and storing need besides the event store: the
 * `StateStore` for a projection, `Snapshots`, and `PersonalData` for events with personal fields.
 *
 * @category models
 * @since 0.1.0
 */
export interface Aggregate<
  out Name extends string,
  in out State,
  in out Event extends { readonly _tag: string },
  out Commands extends Command.AnyAggregate,
  out R,
  out P = never
> {
  readonly name: Name
  readonly schema: Schema.Codec<State, unknown, never, never>
  readonly initial: State
  readonly events: ReadonlyArray<AnyEvent>
  readonly commands: ReadonlyArray<Commands>
  readonly evolve: (state: State, event: Event) => State
  readonly encode: (event: Event) => Result.Result<NewEvent, InvalidEvent | UnknownEvent>
  readonly decode: (stored: StoredEvent) => Result.Result<Event, InvalidEvent | UnknownEvent>
  /** Untyped by command; {@link decide} is the typed form. */
  readonly decideUnsafe: (
    tag: string,
    state: State,
    payload: unknown,
    at: At
  ) => Effect.Effect<ReadonlyArray<Event>, unknown, R>
  /** `undefined` where states are always folded from all events. */
  readonly snapshots: Snapshotting<State> | undefined
  /** Types of events that say everything the events before them said. */
  readonly summaries: ReadonlySet<string>
  /** Whether some of its events have personal fields. */
  readonly personal: boolean
  /** The name of the collection that its projection writes to; `undefined` without one. */
  readonly rows: string | undefined
  /** Writes the row of a state; `undefined` without a projection. */
  readonly project: ((state: State, at: At) => Effect.Effect<void, StoreUnavailable, P>) | undefined
}

/**
 * An aggregate's state and the version it has.
 *
 * @category models
 * @since 0.1.0
 */
export interface Loaded<out State> {
  readonly state: State
  /** 0 when the aggregate has no events. */
  readonly version: number
}

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
        ? Result.fail(new UnknownEvent({ type: stored.type, version: stored.schemaVersion }))
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

/**
 * The services that a record of decide functions needs.
 *
 * @category models
 * @since 0.1.0
 */
export type DecideServices<Decide> = {
  [Tag in keyof Decide]: Decide[Tag] extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R> ? R : never
}[keyof Decide]

/**
 * The state after some events, from `state` or from the initial one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const fold = <
  Name extends string,
  State,
  Event extends { readonly _tag: string },
  C extends Command.AnyAggregate,
  R,
  P
>(
  aggregate: Aggregate<Name, State, Event, C, R, P>,
  events: Iterable<NoInfer<Event>>,
  state: NoInfer<State> = aggregate.initial
): State => {
  let current = state
  for (const event of events) current = aggregate.evolve(current, event)
  return current
}

/**
 * What the aggregate decides on a command in a state; stores nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const decide = <
  Name extends string,
  State,
  Event extends { readonly _tag: string },
  Commands extends Command.AnyAggregate,
  R,
  P,
  C extends Commands
>(
  aggregate: Aggregate<Name, State, Event, Commands, R, P>,
  command: C,
  state: NoInfer<State>,
  payload: Rpc.Payload<C>,
  version = 0
): Effect.Effect<ReadonlyArray<Event>, Rpc.Error<C>, R> =>
  aggregate.decideUnsafe(command._tag, state, payload, {
    id: command.aggregateId(payload as never),
    version
    // `make` only accepts a function with these errors under this tag.
  }) as Effect.Effect<ReadonlyArray<Event>, Rpc.Error<C>, R>

/**
 * An aggregate as those take it that read what it has stored.
 *
 * @category models
 * @since 0.1.0
 */
export type Stored<State, Event extends { readonly _tag: string }, P> = Aggregate<
  string,
  State,
  Event,
  Command.AnyAggregate,
  unknown,
  P
>

/**
 * What reading an aggregate can fail with.
 *
 * @category models
 * @since 0.1.0
 */
export type LoadError = StoreUnavailable | UnknownEvent | InvalidEvent | PersonalDataUnreadable

/**
 * Reads an aggregate from the event store: its newest snapshot and the events after it, or all of its events.
 *
 * Dies when the stored sequence has a gap, or begins after a truncation with an event that is no summary and no snapshot
 * of the state's Schema stands for the events before.
 *
 * @category combinators
 * @since 0.1.0
 */
export const load = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string,
  options?: {
    /** Reads up to this version; all when absent. */
    readonly upTo?: number | undefined
    /** Sees every event on its way into the state; then no snapshot is used. */
    readonly onEvent?: ((event: Event, version: number) => void) | undefined
  }
): Effect.Effect<Loaded<State>, LoadError, EventStore | Exclude<P, StateStore>> =>
  Effect.map(folded(aggregate, id, options), ({ state, version }) => ({ state, version }))

/**
 * Writes the snapshot of an aggregate now, and waits for it; false when the one that is there is as new, or the aggregate
 * keeps none.
 *
 * @category combinators
 * @since 0.1.0
 */
export const snapshot = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string
): Effect.Effect<boolean, LoadError, EventStore | Exclude<P, StateStore>> =>
  Effect.gen(function*() {
    const services = yield* Effect.context<Exclude<P, StateStore>>()
    return yield* snapshotting.save(aggregate, id, yield* folded(aggregate, id), services)
  })

/**
 * Removes the events before a version, for good, where a summary event or a snapshot holds what they said: with `summary`
 * the event at `before` is one of the aggregate's summaries; else the newest snapshot is brought up to date first, and
 * everything before its last event goes. An aggregate with personal fields needs a summary, because shredding any of its
 * subjects ends its snapshots.
 *
 * @category combinators
 * @since 0.1.0
 */
export const truncate = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string,
  options?: { readonly before: number; readonly summary: Event["_tag"] } | undefined
): Effect.Effect<number, LoadError | CannotTruncate, EventStore | Archive | Exclude<P, StateStore>> =>
  Effect.flatMap(Archive, (archive) =>
    truncation.truncate(archive, aggregate, id, options, {
      load: (options) => load(aggregate, id, options),
      snapshot: snapshot(aggregate, id)
    }))

/**
 * Writes the row of an aggregate's projection again, from its events; for rows that hold what was shredded since.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reproject = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string
): Effect.Effect<void, LoadError, EventStore | P> =>
  Effect.gen(function*() {
    const { state, version } = yield* folded(aggregate, id)
    if (aggregate.project !== undefined) yield* aggregate.project(state, { id, version })
  })

const folded = <State, Event extends { readonly _tag: string }, P>(
  aggregate: Stored<State, Event, P>,
  id: string,
  options?: FoldOptions<Event>
): Effect.Effect<Folded<State>, LoadError, EventStore | Exclude<P, StateStore>> =>
  Effect.gen(function*() {
    const services = yield* Effect.context<Exclude<P, StateStore>>()
    return yield* foldStored(yield* EventStore, aggregate, id, services, options)
  })

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
