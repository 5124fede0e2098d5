/** What the parts of projections share: how versions are named, and their rows. */
import { Effect, Option } from "effect"
import type { DynamicConsistencyBoundary } from "../../DynamicConsistencyBoundary.ts"
import type { EventStore, StoredEvent } from "../../EventStore.ts"
import type { Projection, Rows } from "../../Projection.ts"
import type { Collection, StateStore } from "../../StateStore.ts"
import type { UnitOfWork } from "../../UnitOfWork.ts"
import type { ProjectionBackend } from "./ProjectionBackend.ts"
import type { SubscriptionBackend } from "../subscription/SubscriptionBackend.ts"
import type { Internals } from "../subscription/subscriptions.ts"

export interface Dependencies {
  readonly backend: ProjectionBackend
  readonly subscriptions: Internals
  readonly subscriptionBackend: SubscriptionBackend
  readonly store: EventStore["Service"]
  readonly boundary: DynamicConsistencyBoundary["Service"]
  readonly states: StateStore["Service"]
  readonly unit: UnitOfWork["Service"]
}

export const subscriptionOf = (name: string, version: number): string => `projection:${name}@${version}`

export const collectionName = (name: string, version: number): string => `${name}@${version}`

/**
 * The rows of a version as its handler sees them for one event. Whoever is not the only one that writes them takes each
 * for its transaction; a subscription in one partition is, because of two owners only one can commit.
 */
export const rowsFor = <A>(
  { backend, states }: Pick<Dependencies, "backend" | "states">,
  of: Collection<A>,
  event: StoredEvent,
  writers: "one" | "many"
): Rows<A> => {
  const { get, put, remove } = writers === "one" ? states : backend.rows
  const rowOf = (id: string, state: A) => ({ id, version: Number(event.position), state })
  return {
    get: (id) => get(of, id),
    put: (id, state) => put(of, rowOf(id, state)),
    remove: (id) => remove(of, id),
    modify: (id, f) =>
      Effect.flatMap(get(of, id), (found) => {
        const next = f(Option.isSome(found) ? found.value.state : undefined)
        if (next !== undefined) return states.put(of, rowOf(id, next))
        return Option.isSome(found) ? states.remove(of, id) : Effect.void
      }),
    query: (options) => states.query(of, options)
  }
}

/** Kept, because codecs are kept by the collection. */
const collections = new WeakMap<object, Map<number, Collection<unknown>>>()

/** The rows of another version, read by the schema of this one. */
export const collectionOf = <A, E, R>(projection: Projection<A, E, R>, version: number): Collection<A> => {
  if (version === projection.version) return projection.collection
  const known = collections.get(projection) ?? new Map<number, Collection<unknown>>()
  collections.set(projection, known)
  // Kept by the projection itself, so the type is the one it was stored with.
  const found = known.get(version) as Collection<A> | undefined
  if (found !== undefined) return found
  const made = { ...projection.collection, name: collectionName(projection.name, version) }
  known.set(version, made as Collection<unknown>)
  return made
}
