/**
 * Installs handlers: the one place where a command or query gets its middleware, its hooks and its transaction.
 *
 * `Domain.toLayer` wraps each handler once and puts the wrapped one under the definition's own key, where `Mediator`, an
 * `RpcServer`, an HTTP handler and a cluster entity all find it. So they all run the same thing, exactly once.
 * {@link toHttpApi} and {@link toRpcGroup} make the ways in from the same definitions.
 *
 * The order for a command of an aggregate:
 *
 * 1. middleware in
 * 2. `beforeCommand` hooks (may refuse; no transaction yet)
 * 3. begin; look up the command id (a repeated command gets the first reply, one with another payload
 *    `CommandIdMismatch`); load; decide
 * 4. `beforeStore` hooks (see the events, may refuse)
 * 5. append with the exact version and the command id; the projection's row; commit
 * 6. `afterStore` hooks are started (only after the commit; nobody waits for them)
 * 7. the stored events are told to the `eventHandler`s of this layer and of the caller, who waits for them
 * 8. `afterCommand` hooks (see the result or the error)
 * 9. middleware out, `CommandEnded` is reported
 *
 * Whatever fails in 3 to 5 keeps nothing. When another command was first, 3 to 5 run again, three times in all with a
 * jittered pause, and then the caller gets `ConcurrencyConflict`.
 *
 * **Gotchas**
 *
 * - Inside `Domain.transaction` a conflict is not retried, because only the whole unit can be decided again.
 * - A command that a function handles has no transaction of its own and no event hooks; the commands it sends have theirs.
 * - A command id (`Idempotency-Key`) makes the command of a function happen once only with {@link idempotent}; without, the
 *   function runs each time and is given the id. An expected version (`If-Match`) is refused there as `InvalidPayload`,
 *   unless the handler says `versioned`.
 * - An event that cannot be read (`UnknownEvent`, `InvalidEvent`) or written is a defect of the command.
 * - A fallback ({@link withFallback}, {@link withStreamFallback}, {@link withEventFallback}) and a `ChainOfResponsibility`
 *   are handlers: they take the place of 3 to 6, so middleware and hooks run once around all of it.
 * - There is no default store: the layer asks for `EventStore`, `UnitOfWork` and, with a projection, `StateStore`.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Aggregate, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
 * import { MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const Add = Command.make("counters.Add", {
 *   payload: { id: Schema.String, by: Schema.Int },
 *   success: Schema.Struct({ total: Schema.Int, version: Schema.Int }),
 *   aggregateId: (payload) => payload.id
 * })
 * const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })
 * const Counter = Aggregate.make({
 *   name: "Counter",
 *   state: Schema.Struct({ total: Schema.Int }),
 *   initial: { total: 0 },
 *   commands: [Add],
 *   events: [Added],
 *   decide: { "counters.Add": (_state, { by }) => Effect.succeed([Added.make({ by })]) },
 *   evolve: { Added: (state, { by }) => ({ total: state.total + by }) }
 * })
 *
 * const counters = Domain.toLayer([
 *   Domain.aggregateHandler(Add, Counter, { reply: (state, _events, version) => ({ total: state.total, version }) })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   yield* Mediator.send(Add, { id: "c-1", by: 2 })
 *   return yield* Mediator.send(Add, { id: "c-1", by: 3 })
 * })
 * const result = await Effect.runPromise(program.pipe(Effect.provide(counters.pipe(Layer.provide(MemoryStore.layer)))))
 * assert.deepEqual(result, { total: 5, version: 2 })
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import type { Rpc } from "effect/rpc"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import { type StoreUnavailable, UnitOfWork } from "../store/UnitOfWork.ts"
import type * as DomainEvent from "./DomainEvent.ts"
import * as EventHandler from "./EventHandler.ts"
import type * as Hooks from "./Hooks.ts"
import { checkPolicy, install, keyOf } from "./internal/deliver.ts"
import {
  type AggregatePart,
  aggregatesOf,
  type AnyHandler,
  eventsOf,
  type Handler,
  type Installation,
  type StreamHandler
} from "./internal/handler/handler.ts"
import { wrap } from "./internal/handler/wrap.ts"
import * as Unit from "./internal/unit.ts"
import type { Middleware } from "./Middleware.ts"

export { type DefinitionOf, type Definitions, toRpcGroup } from "./internal/definitions.ts"
export {
  type EventFallbackOptions,
  type FallbackOptions,
  type StreamFallbackOptions,
  withEventFallback,
  withFallback,
  withStreamFallback
} from "./internal/handler/fallbacks.ts"
export type {
  AggregatePart,
  AnyHandler,
  AnyRequest,
  Call,
  Handler,
  Installation,
  Node,
  OpenStream,
  Part,
  Prepared,
  Sent,
  StreamHandler
} from "./internal/handler/handler.ts"
export { idempotent, type IdempotentOptions } from "./internal/handler/idempotent.ts"
export {
  aggregateHandler,
  eventHandler,
  type FollowUp,
  type FollowUps,
  type FunctionOptions,
  handler,
  streamHandler
} from "./internal/handler/make.ts"
export {
  type CommandHeaders,
  type HttpEndpoint,
  type HttpError,
  type HttpOptions,
  toHttpApi,
  toHttpGroup
} from "./internal/http/api.ts"
export { toHttpHandlers } from "./internal/http/handlers.ts"

/**
 * How the events of a committed command are told to their handlers.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventOptions extends Partial<EventHandler.Policy> {
  /**
   * `await`, the default: the command answers when the handlers have ended, and interrupting it interrupts them.
   * `background`: they run beside the caller, until the layer closes.
   */
  readonly delivery?: "await" | "background"
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<HR = never> {
  /** For the commands of this layer, in their order; the hooks of `Hooks.within` come after. */
  readonly hooks?: ReadonlyArray<Hooks.Hooks<HR>> | undefined
  /** Around every command and query of this layer, and every event at each of its handlers, the first outermost. */
  readonly middleware?: ReadonlyArray<Middleware> | undefined
  /** When to decide again after a conflict; {@link defaultConflicts} when absent. */
  readonly conflicts?: Schedule.Schedule<unknown, unknown> | undefined
  /** When to run a failed `afterStore` hook or handler of a stored event again; {@link defaultListeners} when absent. */
  readonly listeners?: Schedule.Schedule<unknown, unknown> | undefined
  /** How the events of a committed command are told to their handlers; `EventHandler.defaultPolicy` for what is absent. */
  readonly events?: EventOptions | undefined
}

/**
 * Two more attempts, after about 5 and 10 milliseconds.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaultConflicts: Schedule.Schedule<unknown, unknown> = Schedule.exponential("5 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 2 })
)

/**
 * Two more attempts, after about 100 and 200 milliseconds.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaultListeners: Schedule.Schedule<unknown, unknown> = Schedule.exponential("100 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 2 })
)

/**
 * The keys under which a layer has its handlers.
 *
 * @category models
 * @since 0.1.0
 */
export type Keys<H extends AnyHandler> = H extends { readonly kind: "event"; readonly type: infer Type extends string }
  ? EventHandler.EventHandlers<Type>
  : H extends { readonly tag: infer Tag extends string } ? Rpc.Handler<Tag>
  : never

/**
 * The services that handlers need.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<H extends AnyHandler> = H extends Handler<infer _Tag, infer R> ? R
  : H extends StreamHandler<infer _Tag, infer R> ? R
  : H extends EventHandler.EventHandler<infer _Type, infer R> ? R
  : never

/**
 * Wraps handlers and installs them. They can send each other's commands and answer each other's events; what else they
 * need, stores first, is what the layer asks for.
 *
 * Dies with `InvalidOption` when two handlers have one tag, two handlers of one event have one name, one event type has two
 * definitions, one name stands for two aggregates, or the parts of a fallback or a chain are of different definitions.
 *
 * @category layers
 * @since 0.1.0
 */
export const toLayer = <const Handlers extends ReadonlyArray<AnyHandler>, HR = never>(
  handlers: Handlers,
  options: Options<HR> = {}
): Layer.Layer<
  Keys<Handlers[number]>,
  never,
  Exclude<Services<Handlers[number]> | HR, Keys<Handlers[number]> | Scope.Scope>
> =>
  Layer.effectContext(Effect.gen(function*() {
    const services = yield* Effect.context<never>()
    const on: Installation = {
      services,
      // What hooks need is asked of the layer, and reaches them through the context that each handler runs in.
      hooks: (options.hooks ?? []) as ReadonlyArray<Hooks.Hooks>,
      middleware: options.middleware ?? [],
      conflicts: options.conflicts ?? defaultConflicts,
      listeners: options.listeners ?? defaultListeners,
      events: { ...EventHandler.defaultPolicy, delivery: "await", ...options.events },
      scope: yield* Effect.scope
    }
    checkPolicy("Domain.toLayer", on.events)
    const siblings = new Map<string, unknown>()
    const definitions = new Map<string, DomainEvent.Any>()
    const aggregates = new Map<string, AggregatePart["events"]>()
    const installed: Array<{ context: Context.Context<never> }> = []
    const add = <Entry extends { context: Context.Context<never> }>(key: string, name: string, entry: Entry) => {
      if (siblings.has(key)) {
        throw twice(`"${name}" twice`, "one handler for each definition, and one of a name for each event")
      }
      siblings.set(key, entry)
      installed.push(entry)
    }
    const define = (event: DomainEvent.Any) => {
      if ((definitions.get(event.type) ?? event) !== event) {
        throw twice(`two definitions of "${event.type}"`, "one definition for each event type")
      }
      definitions.set(event.type, event)
    }
    /** Two of a name would share streams, and neither could read what the other wrote. */
    const name = ({ aggregate, events }: AggregatePart) => {
      if ((aggregates.get(aggregate) ?? events) !== events) {
        throw twice(`two aggregates "${aggregate}"`, "one aggregate of a name, because its streams have that name")
      }
      aggregates.set(aggregate, events)
    }
    for (const handler of handlers) {
      if (handler.kind === "event") {
        define(handler.definition)
        add(keyOf(handler.type, handler.name), handler.name, install(on, handler))
      } else {
        eventsOf(handler.part).forEach(define)
        aggregatesOf(handler.part).forEach(name)
        add(handler.definition.key, handler.tag, { tag: handler.tag, handler: wrap(on, handler), context: services })
      }
    }
    const all = Context.merge(services, Context.makeUnsafe<never>(siblings))
    for (const entry of installed) {
      entry.context = all
    }
    return Context.makeUnsafe<Keys<Handlers[number]>>(siblings)
    // The requirements are those of the handlers' types, which the untyped `services` cannot show.
  })) as never

const twice = (value: string, allowed: string) =>
  new InvalidOption({ module: "Domain.toLayer", option: "handlers", value, allowed })

/**
 * Runs several commands as one unit: one transaction, one commit, then their `afterStore` hooks. Any failure that leaves
 * `self` keeps nothing of it, and neither does a `self` that goes on after a command failed in the middle of its writes.
 *
 * A conflict inside is not retried: the caller decides whether to run the whole unit again.
 *
 * @category combinators
 * @since 0.1.0
 */
export const transaction = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | StoreUnavailable, R | UnitOfWork> => UnitOfWork.use((unit) => Unit.whole(unit, self))
