/**
 * Installs handlers: the one place where a command or query gets its middleware, its hooks and its transaction.
 *
 * `Domain.toLayer` wraps each handler once and puts the wrapped one under the definition's own key, where `Mediator`, an
 * `RpcServer`, an HTTP handler and a cluster entity all find it. So they all run the same thing, exactly once.
 *
 * The order for a command of an aggregate:
 *
 * 1. middleware in
 * 2. `beforeCommand` hooks (may refuse; no transaction yet)
 * 3. begin; look up the command id (a repeated command gets the first reply); load; decide
 * 4. `beforeStore` hooks (see the events, may refuse)
 * 5. append with the exact version and the command id; the projection's row; commit
 * 6. `afterStore` hooks are started (only after the commit; nobody waits for them)
 * 7. `afterCommand` hooks (see the result or the error)
 * 8. middleware out, `CommandEnded` is reported
 *
 * Whatever fails in 3 to 5 keeps nothing. When another command was first, 3 to 5 run again, three times in all with a
 * jittered pause, and then the caller gets `ConcurrencyConflict`.
 *
 * **Gotchas**
 *
 * - Inside `Domain.transaction` a conflict is not retried, because only the whole unit can be decided again.
 * - A command that a function handles has no transaction of its own and no event hooks; the commands it sends have theirs.
 * - An event that cannot be read (`UnknownEvent`, `InvalidEvent`) or written is a defect of the command.
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
import { Context, Effect, Layer, Schedule, type Scope, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import { EventStore } from "../store/EventStore.ts"
import { IdempotencyStore } from "../store/IdempotencyStore.ts"
import { StateStore } from "../store/StateStore.ts"
import { type StoreUnavailable, UnitOfWork } from "../store/UnitOfWork.ts"
import type { Aggregate } from "./Aggregate.ts"
import type * as Command from "./Command.ts"
import type * as Hooks from "./Hooks.ts"
import * as HookRunner from "./internal/hooks.ts"
import * as Report from "./internal/report.ts"
import { whole } from "./internal/unit.ts"
import { decideAndStore } from "./internal/unitOfDecision.ts"
import { around, reply, wrapCommand } from "./internal/wrap.ts"
import type { Middleware, Request } from "./Middleware.ts"
import type * as Query from "./Query.ts"

/**
 * A definition with the function that handles it, not yet wrapped: only {@link toLayer} can run it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handler<out Tag extends string, out R> {
  readonly tag: Tag
  readonly definition: Rpc.AnyWithProps
  readonly install: (
    on: Installation
  ) => (payload: unknown) => Effect.Effect<{}, unknown, R> | Stream.Stream<unknown, unknown, R>
}

/**
 * What {@link toLayer} gives a handler to run with.
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
  readonly scope: Scope.Scope
}

/**
 * What a function that handles a command is told beside the payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sent {
  readonly commandId: string | undefined
  readonly expectedVersion: number | undefined
}

/**
 * The handler of a command that an aggregate decides. `reply` makes the command's success from the state after it, the
 * events it emitted, the version it left and the aggregate's id.
 *
 * @category constructors
 * @since 0.1.0
 */
export const aggregateHandler = <
  State,
  Event extends { readonly _tag: string },
  Commands extends Command.AnyAggregate,
  R,
  P,
  C extends Commands
>(
  command: C,
  aggregate: Aggregate<string, State, Event, Commands, R, P>,
  options: {
    readonly reply: (
      state: NoInfer<State>,
      events: ReadonlyArray<NoInfer<Event>>,
      version: number,
      id: string
    ) => Rpc.Success<C>
  }
): Handler<C["_tag"], R | P | EventStore | UnitOfWork> => ({
  tag: command._tag,
  definition: command,
  install: (on) => {
    const services = on.services as Context.Context<EventStore | UnitOfWork>
    const decision = {
      aggregate,
      reply: options.reply,
      stores: {
        events: Context.get(services, EventStore),
        unit: Context.get(services, UnitOfWork),
        projection: storesOf(on.services) as Context.Context<P>
      },
      conflicts: on.conflicts,
      committed: (command: Hooks.Attempted, events: ReadonlyArray<Hooks.Stored>, hooks: ReadonlyArray<Hooks.Hooks>) =>
        HookRunner.afterStore(hooks, command, events, { scope: on.scope, schedule: on.listeners })
    }
    return wrapCommand(on, command, (attempted, hooks) => {
      const id = command.aggregateId(attempted.payload as never)
      const target = { ...attempted, aggregate: { name: aggregate.name, id } }
      return { attempted: target, run: decideAndStore(decision, target, hooks) }
    })
  }
})

/**
 * The handler of a command or query that a function handles. The function runs outside a transaction; it may send commands
 * of this layer or others, and open a {@link transaction}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const handler = <Definition extends Command.Any | Query.Any, R = never>(
  definition: Definition,
  handle: (
    payload: Rpc.Payload<Definition>,
    sent: Sent
  ) => Effect.Effect<Rpc.Success<Definition>, Rpc.Error<Definition>, R>
): Handler<Definition["_tag"], Exclude<R, Scope.Scope>> => ({
  tag: definition._tag,
  definition,
  install: (on) => {
    const stores = storesOf(on.services)
    const run = (payload: unknown, sent: Sent) =>
      // `payload` was decoded by the definition's own schema.
      Effect.scoped(handle(payload as Rpc.Payload<Definition>, sent)).pipe(Effect.provideContext(stores))
    if (definition.kind === "query") {
      return (payload) => {
        const request: Request = { name: definition._tag, kind: "query", payload }
        const self = Effect.suspend(() => run(payload, { commandId: undefined, expectedVersion: undefined }))
        return reply(Report.ended(request.name, "query", around(on.middleware, request, self)))
      }
    }
    return wrapCommand(on, definition, (attempted) => ({
      attempted,
      run: Effect.suspend(() => run(attempted.payload, attempted))
    }))
  }
})

/**
 * The handler of a query that answers with a stream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const streamHandler = <Definition extends Query.AnyStream, R = never>(
  definition: Definition,
  handle: (
    payload: Rpc.Payload<Definition>
  ) => Stream.Stream<Rpc.SuccessChunk<Definition>, Rpc.ErrorExit<Definition>, R>
): Handler<Definition["_tag"], R> => ({
  tag: definition._tag,
  definition,
  install: (on) => {
    const stores = storesOf(on.services)
    return (payload) => {
      const request: Request = { name: definition._tag, kind: "stream", payload }
      const open = Effect.sync(() => Stream.provideContext(handle(payload as Rpc.Payload<Definition>), stores))
      return Report.endedStream(request.name, Stream.unwrap(around(on.middleware, request, open)))
    }
  }
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<HR = never> {
  /** For the commands of this layer, in their order; the hooks of `Hooks.within` come after. */
  readonly hooks?: ReadonlyArray<Hooks.Hooks<HR>> | undefined
  /** Around every command and query of this layer, the first outermost. */
  readonly middleware?: ReadonlyArray<Middleware> | undefined
  /** When to decide again after a conflict; {@link defaultConflicts} when absent. */
  readonly conflicts?: Schedule.Schedule<unknown, unknown> | undefined
  /** When to run a failed `afterStore` hook again; {@link defaultListeners} when absent. */
  readonly listeners?: Schedule.Schedule<unknown, unknown> | undefined
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
 * Any handler.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyHandler = Handler<string, unknown>

/**
 * The keys under which a layer has its handlers.
 *
 * @category models
 * @since 0.1.0
 */
export type Keys<H extends AnyHandler> = H extends Handler<infer Tag, infer _R> ? Rpc.Handler<Tag> : never

/**
 * The services that handlers need.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<H extends AnyHandler> = H extends Handler<infer _Tag, infer R> ? R : never

/**
 * Wraps handlers and installs them. They can send each other's commands; what else they need, stores first, is what the
 * layer asks for.
 *
 * Dies with `InvalidOption` when two handlers have one tag.
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
      scope: yield* Effect.scope
    }
    const siblings = new Map<string, unknown>()
    const context = () => Context.merge(services, Context.makeUnsafe<never>(siblings))
    const installed: Array<{ context: Context.Context<never> }> = []
    for (const { definition, install, tag } of handlers) {
      if (siblings.has(definition.key)) {
        return yield* Effect.die(
          new InvalidOption({
            module: "Domain.toLayer",
            option: "handlers",
            value: `"${tag}" twice`,
            allowed: "one handler for each definition"
          })
        )
      }
      const entry = { tag, handler: install(on), context: services }
      siblings.set(definition.key, entry)
      installed.push(entry)
    }
    const all = context()
    for (const entry of installed) entry.context = all
    return Context.makeUnsafe<Keys<Handlers[number]>>(siblings)
    // The requirements are those of the handlers' types, which the untyped `services` cannot show.
  })) as never

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
): Effect.Effect<A, E | StoreUnavailable, R | UnitOfWork> => UnitOfWork.use((unit) => unit.run(whole(self)))

/** The stores of the layer, for functions that handle a command on behalf of a caller with other stores. */
const storesOf = (services: Context.Context<never>): Context.Context<never> =>
  Context.pick(EventStore, UnitOfWork, StateStore, IdempotencyStore)(
    services as Context.Context<EventStore | UnitOfWork | StateStore | IdempotencyStore>
  ) as Context.Context<never>
