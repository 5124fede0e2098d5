/** What can be done with an aggregate in a store: its events are read, brought together, or removed. */
import { Effect } from "effect"
import { Archive, type CannotTruncate } from "../../../store/Archive.ts"
import { EventStore } from "../../../store/EventStore.ts"
import type { StateStore } from "../../../store/StateStore.ts"
import type { Loaded, LoadError, Stored } from "./definition.ts"
import { fold as foldStored, type Folded, type FoldOptions } from "./loading.ts"
import * as snapshotting from "./snapshotting.ts"
import * as truncation from "./truncation.ts"

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
