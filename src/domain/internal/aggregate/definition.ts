/** What an aggregate is made of. */
import type { Effect, Result, Schema } from "effect"
import type { Rpc } from "effect/rpc"
import type { NewEvent, StoredEvent } from "../../../store/EventStore.ts"
import type { PersonalDataUnreadable } from "../../../store/PersonalData.ts"
import type { Collection } from "../../../store/StateStore.ts"
import type { StoreUnavailable } from "../../../store/UnitOfWork.ts"
import type * as Command from "../../Command.ts"
import type { Any as AnyEvent, InvalidEvent, UnknownEvent } from "../../DomainEvent.ts"

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
  /** Untyped by command; `Aggregate.decide` is the typed form. */
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
 * The services that a record of decide functions needs.
 *
 * @category models
 * @since 0.1.0
 */
export type DecideServices<Decide> = {
  [Tag in keyof Decide]: Decide[Tag] extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R> ? R : never
}[keyof Decide]

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
