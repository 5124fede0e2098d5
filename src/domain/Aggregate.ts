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
import { Effect, Result, type Schema, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import { EventStore, type NewEvent, type StoredEvent } from "../store/EventStore.ts"
import { type Collection, StateStore } from "../store/StateStore.ts"
import type { StoreUnavailable } from "../store/UnitOfWork.ts"
import type * as Command from "./Command.ts"
import { type Any as AnyEvent, type InvalidEvent, UnknownEvent, type Value } from "./DomainEvent.ts"

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
 * An aggregate definition. `R` is what deciding needs, `P` what the projection needs: the `StateStore`, or nothing.
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
 * Throws `InvalidOption` when two events or two commands share a name.
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
  Row = never
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
}): Aggregate<
  Name,
  State,
  Value<Events[number]>,
  Commands[number],
  DecideServices<Decide>,
  [Row] extends [never] ? never : StateStore
> => {
  type Event = Value<Events[number]>
  unique(options.name, "events", options.events.map((event) => event.type))
  unique(options.name, "commands", options.commands.map((command) => command._tag))
  const { projection } = options
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
 * Reads an aggregate from the event store: the fold of its events, and its version.
 *
 * Dies when the stored sequence has a gap.
 *
 * @category combinators
 * @since 0.1.0
 */
export const load = <
  Name extends string,
  State,
  Event extends { readonly _tag: string },
  C extends Command.AnyAggregate,
  R,
  P
>(
  aggregate: Aggregate<Name, State, Event, C, R, P>,
  id: string,
  options?: {
    /** Reads up to this version; all when absent. */
    readonly upTo?: number | undefined
    /** Sees every event on its way into the state. */
    readonly onEvent?: ((event: Event, version: number) => void) | undefined
  }
): Effect.Effect<Loaded<State>, StoreUnavailable | UnknownEvent | InvalidEvent, EventStore> =>
  Effect.flatMap(EventStore, (store) => loadFrom(store, aggregate, id, options))

/** @internal */
export const loadFrom = <
  Name extends string,
  State,
  Event extends { readonly _tag: string },
  C extends Command.AnyAggregate,
  R,
  P
>(
  store: EventStore["Service"],
  aggregate: Aggregate<Name, State, Event, C, R, P>,
  id: string,
  options?: Parameters<typeof load<Name, State, Event, C, R, P>>[2]
): Effect.Effect<Loaded<State>, StoreUnavailable | UnknownEvent | InvalidEvent> =>
  Effect.suspend(() => {
    let state = aggregate.initial
    let version = 0
    const step = (stored: StoredEvent): Effect.Effect<void, UnknownEvent | InvalidEvent> | undefined => {
      if (stored.version !== version + 1) {
        return Effect.die(
          new Error(
            `Stream "${aggregate.name}/${id}" has a gap: version ${stored.version} follows ${version}. The stream was damaged; restore it before deciding on it`
          )
        )
      }
      const event = aggregate.decode(stored)
      if (Result.isFailure(event)) return Effect.fail(event.failure)
      state = aggregate.evolve(state, event.success)
      version = stored.version
      options?.onEvent?.(event.success, version)
      return undefined
    }
    const read = store.read({ category: aggregate.name, id }, { limit: options?.upTo })
    const fill = Stream.runForEachArray(read, (chunk) => {
      for (const stored of chunk) {
        const failure = step(stored)
        if (failure !== undefined) return failure
      }
      return Effect.void
    })
    return Effect.map(fill, () => ({ state, version }))
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
