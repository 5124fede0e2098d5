/**
 * A function that is told of an event, what it may answer, and how failures of many are told.
 *
 * `Domain.eventHandler` makes one and `Domain.toLayer` installs it. An event reaches its handlers in three ways:
 *
 * | Way                     | When                                        | A failure                                             |
 * | ----------------------- | ------------------------------------------- | ----------------------------------------------------- |
 * | `Mediator.publish`      | when you call it                            | is the caller's: `EventHandlersFailed`                |
 * | a command's own events  | after its commit, before its answer         | is reported and tried again; the answer stands        |
 * | `Mediator.subscription` | from the store, also after a crash          | is the subscription's: retry, then pause or skip      |
 *
 * The first two happen in this process and end with it: an event that was stored when the process died is told to nobody.
 * What must not be lost is `durable: true`: such a handler is left out after a commit, and a subscription tells it.
 *
 * Handlers of one event run beside each other, at most `concurrency` of them at once, and none of them outlives the call.
 * What they answer are follow-up events, which go the same way. `onFailure` says what one failure does to the others:
 * `collect` lets them end and then fails with all failures, `failFast` interrupts them and waits for their finalizers.
 * Follow-ups are capped in depth and in number; at the cap everything stops with {@link EventLoop}.
 *
 * **Gotchas**
 *
 * - Events are told by their type's name, so one name is one definition. Two of them in one layer do not build.
 * - A handler is known by its event and its name: of two layers with the same two, only one is told.
 * - A handler that sends commands adds to the same chain: the depth and number of events count through them.
 * - After a subscription's retry, all handlers of the event run again, also those that had succeeded.
 * - Middleware and the breaker count one event at one handler as one request.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const UserJoined = DomainEvent.make("UserJoined", { schema: { name: Schema.String } })
 * const Greeted = DomainEvent.make("Greeted", { schema: { name: Schema.String } })
 * const heard: Array<string> = []
 *
 * const layer = Domain.toLayer([
 *   Domain.eventHandler(UserJoined, {
 *     name: "greeter",
 *     handle: ({ name }) => Effect.succeed([Greeted.make({ name })])
 *   }),
 *   Domain.eventHandler(Greeted, {
 *     name: "log",
 *     handle: ({ name }) => Effect.sync(() => void heard.push(name))
 *   })
 * ])
 *
 * await Effect.runPromise(Effect.provide(Mediator.publish([UserJoined.make({ name: "Ada" })]), layer))
 * assert.deepEqual(heard, ["Ada"])
 * ```
 *
 * @since 0.1.0
 */
import { Cause, type Effect, Predicate, type Schedule, Schema } from "effect"
import type * as DomainEvent from "./DomainEvent.ts"
import type { Node } from "./internal/handler/handler.ts"

/**
 * The aggregate that an event was stored for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Origin {
  readonly aggregate: string
  readonly id: string
  /** The event's place in the stream of the aggregate. */
  readonly version: number
  readonly meta: Readonly<Record<string, unknown>>
}

/**
 * What a handler is told beside the event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Told {
  /** Where the event was stored; absent for one that was not. */
  readonly origin: Origin | undefined
  /** The types of the events that led here, this one's last. */
  readonly chain: ReadonlyArray<string>
  /** Why the handler before this one failed; only in the fallback of another. */
  readonly failed: Cause.Cause<unknown> | undefined
}

/**
 * A handler of events of one definition, not yet wrapped: only `Domain.toLayer` can run it.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventHandler<
  out Type extends string,
  out R,
  out Event extends DomainEvent.Any = DomainEvent.Any,
  out FollowUp extends { readonly _tag: string } = { readonly _tag: string },
  out E = unknown
> extends Node {
  readonly kind: "event"
  readonly type: Type
  readonly definition: Event
  readonly durable: boolean
  readonly retry: Schedule.Schedule<unknown, unknown> | undefined
  /** Says whether it can be installed: what is wrong with a handler made without types is thrown here. */
  readonly check: () => void
  readonly handle: (event: never, told: Told) => Effect.Effect<void | ReadonlyArray<FollowUp>, E, R>
}

/**
 * The handlers of an event type in a context.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventHandlers<out Type extends string> {
  readonly _: unique symbol
  readonly type: Type
}

/**
 * How many handlers run at once, what a failure does to the others, and where follow-ups end.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** How many handlers run at once. */
  readonly concurrency: number | "unbounded"
  readonly onFailure: "collect" | "failFast"
  /** How many events may follow from each other, the first counted. */
  readonly maxDepth: number
  /** How many events one call may tell, the first ones counted. */
  readonly maxEvents: number
}

/**
 * Ten handlers at once, all failures collected, 16 events deep, 1000 events in all.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaultPolicy: Policy = { concurrency: 10, onFailure: "collect", maxDepth: 16, maxEvents: 1000 }

/**
 * One handler's failure on one event.
 *
 * @category models
 * @since 0.1.0
 */
export const Failure = Schema.Struct({
  handler: Schema.String,
  /** The types of the events that led here, the handler's own last. */
  chain: Schema.Array(Schema.String),
  cause: Schema.Cause(Schema.Defect(), Schema.Defect())
})

/**
 * Handlers of an event, or of one that followed from it, have failed. Those that are not listed have succeeded; under
 * `failFast`, they succeeded, were interrupted or never began.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventHandlersFailed extends Schema.TaggedError<EventHandlersFailed>()("EventHandlersFailed", {
  failures: Schema.NonEmptyArray(Failure)
}) {
  override get message(): string {
    const each = this.failures.map(({ cause, chain, handler }) => `${handler} on ${chain.join(" → ")}: ${said(cause)}`)
    return `${each.length === 1 ? "An event handler" : `${each.length} event handlers`} failed: ${each.join("; ")}`
  }
}

/**
 * Events followed from each other until a cap was met. What had not begun was not told; what ran was interrupted.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventLoop extends Schema.TaggedError<EventLoop>()("EventLoop", {
  cap: Schema.Literals(["maxDepth", "maxEvents"]),
  limit: Schema.Finite,
  /** The types of the events that led to the one that was not told, which is the last. */
  chain: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const [first] = this.chain.slice(-1)
    const circle = this.chain.filter((type) => type === first).length > 1
    return `${
      circle ? "Events follow each other in a circle" : "Too many events follow from each other"
    } (${this.cap} is ${this.limit}): ${
      this.chain.join(" → ")
    }. Break the chain in one of their handlers, or raise the cap`
  }
}

const said = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (Cause.hasInterruptsOnly(cause)) return "it was interrupted"
  if (!(error instanceof Error)) return String(error)
  const tag = Predicate.hasProperty(error, "_tag") ? String(error._tag) : error.name
  return error.message === "" ? tag : `${tag}: ${error.message}`
}
