/** The page of a service: its own requests, and those of its neighbours. */
import { Effect, Layer, Redacted, Stream } from "effect"
import type { Standing } from "effect-lifecycle/lifecycle"
import { Journal } from "effect-lifecycle/observability"
import { Authentication, Health, LifecyclePage } from "effect-lifecycle/server"
import { EventStore, Subscription } from "effect-lifecycle/store"

/** Routes that ask for no token. */
export const authentication = Authentication.stage({
  exempt: ["/docs", "/openapi.json", ...LifecyclePage.open]
})

/** What the service stored last: of each event its place and its request, never what it holds. */
const latestEvents = Effect.gen(function*() {
  const { highest } = yield* Subscription.Subscriptions.use((subscriptions) => subscriptions.highWater)
  const store = yield* EventStore.EventStore
  const events = yield* Stream.runCollect(store.readAll({ after: highest > shown ? highest - shown : 0n }))
  return events.toReversed().map((event): Standing.StoredEvent => ({
    position: Number(event.position),
    category: event.stream.category,
    id: event.stream.id,
    version: event.version,
    type: event.type,
    at: event.at.getTime(),
    requestId: event.meta["requestId"] ?? null
  }))
})

const shown = 20n

/** Another process of the services, and where it answers. */
export interface Sibling {
  /** Tells it from the others, such as `worker 2`. */
  readonly name: string
  readonly addresses: { readonly [service: string]: string }
}

/** Open pages are let go when the server drains, or before it when all that runs is about to end. */
const draining = (leaving: Health.Drain) =>
  Layer.effect(
    Health.Draining,
    Effect.map(Health.Draining, (server) => ({
      get draining() {
        return leaving.draining || server.draining
      }
    }))
  )

/** `addresses` is filled as the services start; each asks the others in its own name. */
export const page = (options: {
  readonly service: string
  readonly addresses: { readonly [service: string]: string }
  readonly siblings: () => ReadonlyArray<Sibling>
  readonly token: string
  readonly leaving: Health.Drain
}) => {
  const { addresses, leaving, service, siblings } = options
  const token = Redacted.make(options.token)
  return LifecyclePage.layer({
    journal: Journal.Journal,
    events: latestEvents,
    neighbours: Effect.sync(() =>
      Object.entries(addresses).filter(([name]) => name !== service).map(([name, url]) => ({ name, url, token }))
    ),
    siblings: Effect.sync(() =>
      siblings().flatMap(({ addresses: { [service]: url }, name }) =>
        url === undefined ? [] : [{ name: `${service} (${name})`, url, token }]
      )
    )
  }).pipe(Layer.provide(draining(leaving)))
}
