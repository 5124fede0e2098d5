/** What the parts of projections share: how versions are named, and their rows. */
import { Effect, Option } from "effect"
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
  readonly states: StateStore["Service"]
  readonly unit: UnitOfWork["Service"]
}

export const subscriptionOf = (name: string, version: number): string => `projection:${name}@${version}`

export const collectionName = (name: string, version: number): string => `${name}@${version}`

/** The rows of a version as its handler sees them for one event. */
export const rowsFor = <A>(states: StateStore["Service"], of: Collection<A>, event: StoredEvent): Rows<A> => {
  const put = (id: string, state: A) => states.put(of, { id, version: Number(event.position), state })
  return {
    get: (id) => states.get(of, id),
    put,
    remove: (id) => states.remove(of, id),
    modify: (id, f) =>
      Effect.flatMap(states.get(of, id), (found) => {
        const next = f(Option.isSome(found) ? found.value.state : undefined)
        return next === undefined ? Option.isSome(found) ? states.remove(of, id) : Effect.void : put(id, next)
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
