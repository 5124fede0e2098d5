import { type Cause, Context, Effect, type Schedule, type Scope, type Stream } from "effect"
import type { Rpc } from "effect/rpc"
import type { Broken } from "../../../resilience/Fallback.ts"
import { Archive } from "../../../store/Archive.ts"
import { DynamicConsistencyBoundary } from "../../../store/DynamicConsistencyBoundary.ts"
import { EventStore } from "../../../store/EventStore.ts"
import { IdempotencyStore } from "../../../store/IdempotencyStore.ts"
import { Inbox } from "../../../store/Inbox.ts"
import { Outbox } from "../../../store/Outbox.ts"
import { PersonalData } from "../../../store/PersonalData.ts"
import { Projections } from "../../../store/Projection.ts"
import { Snapshots } from "../../../store/Snapshots.ts"
import { StateStore } from "../../../store/StateStore.ts"
import { SubjectKeys } from "../../../store/SubjectKeys.ts"
import { Subscriptions } from "../../../store/Subscription.ts"
import { UnitOfWork } from "../../../store/UnitOfWork.ts"
import { InvalidPayload } from "../../DomainError.ts"
import type * as DomainEvent from "../../DomainEvent.ts"
import type { EventHandler, Policy } from "../../EventHandler.ts"
import type * as Hooks from "../../Hooks.ts"
import type { Middleware } from "../../Middleware.ts"

/**
 * What a function that handles a request is told beside the payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sent {
  /** To hand on: a function runs again under an id it has seen, unless it is in `Domain.idempotent`. */
  readonly commandId: string | undefined
  /** Only with `versioned`; a command that comes with one is refused otherwise. */
  readonly expectedVersion: number | undefined
  /** Why the handler before this one failed; only in the fallback of another. */
  readonly failed: Cause.Cause<unknown> | undefined
}

/**
 * What a handler is made of, for those who draw it.
 *
 * @category models
 * @since 0.1.0
 */
export type Part =
  | { readonly _tag: "Function" }
  | AggregatePart
  | { readonly _tag: "Fallback"; readonly primary: Node; readonly fallback: Node; readonly breaker: boolean }
  | { readonly _tag: "Chain"; readonly links: ReadonlyArray<Node> }

/**
 * An aggregate that decides a command.
 *
 * @category models
 * @since 0.1.0
 */
export interface AggregatePart {
  readonly _tag: "Aggregate"
  readonly aggregate: string
  readonly events: ReadonlyArray<DomainEvent.Any>
  /** The collection of its own projection. */
  readonly rows?: string
}

/**
 * A part with its name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Node {
  readonly name: string
  readonly part: Part
}

/**
 * The handler of a command or a query, not yet wrapped: only `Domain.toLayer` can run it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handler<out Tag extends string, out R, out Definition extends Rpc.AnyWithProps = Rpc.AnyWithProps>
  extends Node
{
  readonly kind: "request"
  readonly tag: Tag
  readonly definition: Definition
  /** Prepares it for one layer. What is wrong with a handler made without types is thrown here. */
  readonly prepare: (on: Installation) => Prepared<R>
}

/**
 * The handler of a query that answers with a stream, not yet wrapped.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamHandler<
  out Tag extends string,
  out R,
  out Definition extends Rpc.AnyWithProps = Rpc.AnyWithProps
> extends Node {
  readonly kind: "stream"
  readonly tag: Tag
  readonly definition: Definition
  readonly prepare: (on: Installation) => OpenStream<R>
}

/**
 * A handler of requests in one layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prepared<out R> {
  /** The aggregate that decides a payload, where one does. */
  readonly target: (payload: unknown) => Hooks.Attempted["aggregate"]
  readonly run: (call: Call) => Effect.Effect<unknown, unknown, R>
}

/**
 * Opens the stream of a payload; after another stream broke, with what is known of that.
 *
 * @category models
 * @since 0.1.0
 */
export type OpenStream<R> = (
  payload: unknown,
  broken: Broken<unknown, unknown> | undefined
) => Stream.Stream<unknown, unknown, R>

/**
 * One run of a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly attempted: Hooks.Attempted
  readonly failed: Cause.Cause<unknown> | undefined
  readonly hooks: ReadonlyArray<Hooks.Hooks>
  /** Keeps what is to run when the command has committed and before it answers. */
  readonly afterwards: (effect: Effect.Effect<void>) => void
}

/**
 * What `Domain.toLayer` gives a handler to run with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Installation {
  /** The services that the layer was built with. */
  readonly services: Context.Context<never>
  readonly hooks: ReadonlyArray<Hooks.Hooks>
  readonly middleware: ReadonlyArray<Middleware>
  readonly conflicts: Schedule.Schedule<unknown, unknown>
  readonly listeners: Schedule.Schedule<unknown, unknown>
  readonly events: Policy & { readonly delivery: "await" | "background" }
  readonly scope: Scope.Scope
}

/**
 * Any handler of requests.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyRequest = Handler<string, unknown> | StreamHandler<string, unknown>

/**
 * Any handler.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyHandler = AnyRequest | EventHandler<string, unknown>

/**
 * The stores of the layer, for functions that handle a request on behalf of a caller with other stores. The tenant is not
 * among them: that is the caller's.
 */
export const storesOf = (services: Context.Context<never>): Context.Context<never> =>
  // Those that the layer has not asked for are not there, and are left out.
  pickStores(services as Context.Context<unknown>) as Context.Context<never>

const pickStores = Context.pick(
  Archive,
  DynamicConsistencyBoundary,
  EventStore,
  IdempotencyStore,
  Inbox,
  Outbox,
  PersonalData,
  Projections,
  Snapshots,
  StateStore,
  SubjectKeys,
  Subscriptions,
  UnitOfWork
)

/** The aggregates that a part is made of. */
export const aggregatesOf = (part: Part): ReadonlyArray<AggregatePart> => {
  switch (part._tag) {
    case "Function":
      return []
    case "Aggregate":
      return [part]
    case "Fallback":
      return [...aggregatesOf(part.primary.part), ...aggregatesOf(part.fallback.part)]
    case "Chain":
      return part.links.flatMap((link) => aggregatesOf(link.part))
  }
}

/** The events that a part may store. */
export const eventsOf = (part: Part): ReadonlyArray<DomainEvent.Any> =>
  aggregatesOf(part).flatMap(({ events }) => events)

/** A version that nobody would compare with anything. */
export const unversioned = ({ name }: Hooks.Attempted): Effect.Effect<never, InvalidPayload> =>
  Effect.fail(
    new InvalidPayload({
      name,
      issues: [{
        pointer: "/if-match",
        in: "header",
        message: "a function handles this command, which has no version to compare. Send it without an expected version"
      }]
    })
  )
