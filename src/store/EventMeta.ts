/**
 * What stands beside an event: which request, process and person it comes from, and what it follows from.
 *
 * An append fills the metadata of its events from the running request: `requestId` from `RequestId.Current`,
 * `correlationId` from {@link Correlation} or else the request id, `causationId` from {@link Causation}, `actor` from
 * {@link Actor} and `traceId` from the current span. What an event brings itself wins. Whoever reacts to an event runs
 * under {@link causedBy}, so that what it appends belongs to the same process and names the event as its cause.
 *
 * **Gotchas**
 *
 * - Metadata is stored for good and can be read by whoever reads events. Ids only: no names, no addresses.
 *
 * @example
 * ```ts
 * import { Effect, Option, Stream } from "effect"
 * import { RequestId } from "effect-lifecycle/request"
 * import { EventMeta, EventStore, MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   const append = (id: string, type: string) =>
 *     store.append({ stream: { category: "Order", id }, expect: "any", events: [{ type, data: {} }] })
 *   yield* append("o-1", "OrderPlaced").pipe(
 *     Effect.provideService(RequestId.Current, RequestId.parse("req-1")),
 *     Effect.provideService(EventMeta.Actor, Option.some("u-1"))
 *   )
 *   const [placed] = yield* Stream.runCollect(store.readAll())
 *   assert.deepEqual(placed?.meta, { requestId: "req-1", correlationId: "req-1", actor: "u-1" })
 *   if (placed === undefined) return
 *   yield* append("o-1", "OrderShipped").pipe(EventMeta.causedBy(placed))
 *   const [, shipped] = yield* Stream.runCollect(store.readAll())
 *   assert.deepEqual(shipped?.meta, { correlationId: "req-1", causationId: placed.id })
 * })
 * await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, type Fiber, Option, Tracer } from "effect"
import { dual } from "effect/Function"
import * as RequestId from "../request/RequestId.ts"
import type { StoredEvent } from "./EventStore.ts"
import * as Tenant from "./Tenant.ts"

/**
 * Who causes the events; kept with them as `actor`.
 *
 * @category references
 * @since 0.1.0
 */
export const Actor = Context.Reference<Option.Option<string>>("effect-lifecycle/store/EventMeta/Actor", {
  defaultValue: Option.none
})

/**
 * What binds the events of one business process together; kept with them as `correlationId`. The request id when absent.
 *
 * @category references
 * @since 0.1.0
 */
export const Correlation = Context.Reference<Option.Option<string>>("effect-lifecycle/store/EventMeta/Correlation", {
  defaultValue: Option.none
})

/**
 * The id of the command or event that the events follow from; kept with them as `causationId`.
 *
 * @category references
 * @since 0.1.0
 */
export const Causation = Context.Reference<Option.Option<string>>("effect-lifecycle/store/EventMeta/Causation", {
  defaultValue: Option.none
})

/**
 * The metadata that an append on this fiber would give its events.
 *
 * @category getters
 * @since 0.1.0
 */
export const current: Effect.Effect<Readonly<Record<string, string>>> = Effect.withFiber((fiber) =>
  Effect.succeed(currentOf(fiber))
)

/**
 * Runs `self` as a consequence of the event: in its tenant and its process, with the event as the cause.
 *
 * @category combinators
 * @since 0.1.0
 */
export const causedBy: {
  (event: StoredEvent): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, event: StoredEvent): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, event: StoredEvent): Effect.Effect<A, E, R> =>
    Effect.provideContext(
      self,
      Context.make(Tenant.Current, event.stream.tenant).pipe(
        Context.add(Correlation, Option.some(event.meta["correlationId"] ?? event.id)),
        Context.add(Causation, Option.some(event.id))
      )
    )
)

/** @internal */
export const currentOf = (fiber: Fiber.Fiber<unknown, unknown>): Readonly<Record<string, string>> => {
  const meta: Record<string, string> = {}
  const requestId = Option.getOrUndefined(fiber.getRef(RequestId.Current))
  const correlationId = Option.getOrUndefined(fiber.getRef(Correlation)) ?? requestId
  const causationId = Option.getOrUndefined(fiber.getRef(Causation))
  const actor = Option.getOrUndefined(fiber.getRef(Actor))
  const span = spanOf(fiber.context)
  if (requestId !== undefined) meta["requestId"] = requestId
  if (correlationId !== undefined) meta["correlationId"] = correlationId
  if (causationId !== undefined) meta["causationId"] = causationId
  if (actor !== undefined) meta["actor"] = actor
  if (span !== undefined && span.traceId !== untraced) meta["traceId"] = span.traceId
  return meta
}

/** What a span answers where tracing is off. */
const untraced = "noop"

const spanOf = (context: Context.Context<never>): Tracer.AnySpan | undefined => {
  const span: unknown = context.mapUnsafe.get(Tracer.ParentSpanKey)
  return span as Tracer.AnySpan | undefined
}
