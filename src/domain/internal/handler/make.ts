import { Context, Effect, type Schedule, type Scope, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import type * as Fallback from "../../../resilience/Fallback.ts"
import { EventStore } from "../../../store/EventStore.ts"
import { UnitOfWork } from "../../../store/UnitOfWork.ts"
import * as Command from "../../Command.ts"
import type * as DomainEvent from "../../DomainEvent.ts"
import type { EventHandler, EventHandlers, Told } from "../../EventHandler.ts"
import type * as Query from "../../Query.ts"
import type { Aggregate } from "../aggregate/definition.ts"
import { decideAndStore, type Decided } from "../aggregate/unitOfDecision.ts"
import * as HookRunner from "../hooks.ts"
import { tellStored } from "../tellStored.ts"
import * as Unit from "../unit.ts"
import { type Handler, type Sent, storesOf, type StreamHandler, unversioned } from "./handler.ts"

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
): Handler<C["_tag"], R | P | EventStore | UnitOfWork, C> => ({
  kind: "request",
  tag: command._tag,
  name: command._tag,
  definition: command,
  part: {
    _tag: "Aggregate",
    aggregate: aggregate.name,
    events: aggregate.events,
    ...aggregate.rows === undefined ? {} : { rows: aggregate.rows }
  },
  prepare: (on) => {
    const services = on.services as Context.Context<EventStore | UnitOfWork>
    const stores = {
      events: Context.get(services, EventStore),
      unit: Context.get(services, UnitOfWork),
      projection: storesOf(on.services) as Context.Context<P>
    }
    const fingerprint = Command.fingerprint(command)
    const target = (payload: unknown) => ({ name: aggregate.name, id: command.aggregateId(payload as never) })
    return {
      target,
      run: ({ afterwards, attempted, hooks }) =>
        Effect.flatMap(stores.unit.isOpen, (joined) =>
          Effect.withFiber((fiber) => {
            const unit = joined ? fiber.getRef(Unit.Current) : undefined
            const decided: Decided = { ...attempted, aggregate: target(attempted.payload) }
            return decideAndStore(
              {
                aggregate,
                reply: options.reply,
                fingerprint,
                stores,
                conflicts: on.conflicts,
                joined,
                committed: (command, events, hooks) =>
                  Effect.andThen(
                    HookRunner.afterStore(hooks, command, events, { scope: on.scope, schedule: on.listeners }),
                    Effect.withFiber((fiber) => {
                      // Here the transaction is no longer in the context, and the layer still is.
                      const tell = Effect.provideContext(tellStored(on, command, events), fiber.context)
                      return joined ? Unit.afterwards(unit, tell) : Effect.sync(() => afterwards(tell))
                    })
                  )
              },
              decided,
              hooks
            )
          }))
    }
  }
})

/**
 * @category models
 * @since 0.1.0
 */
export interface FunctionOptions {
  /**
   * The function holds `sent.expectedVersion` against something, such as by sending it on. A command that comes with a
   * version (`If-Match`) is `InvalidPayload` when absent, because nobody would look at it.
   */
  readonly versioned?: boolean | undefined
}

/**
 * The handler of a command or query that a function handles. The function runs outside a transaction; it may send commands
 * of this layer or others, publish events, and open a `Domain.transaction`.
 *
 * It runs each time that the command is sent, also under a command id it has seen: it is given the id, to hand it to
 * whatever can tell repeats apart. `Domain.idempotent` makes the command happen once under its id.
 *
 * @category constructors
 * @since 0.1.0
 */
export const handler = <Definition extends Command.Any | Query.Any, R = never>(
  definition: Definition,
  handle: (
    payload: Rpc.Payload<Definition>,
    sent: Sent
  ) => Effect.Effect<Rpc.Success<Definition>, Rpc.Error<Definition>, R>,
  options: FunctionOptions = {}
): Handler<Definition["_tag"], Exclude<R, Scope.Scope>, Definition> => ({
  kind: "request",
  tag: definition._tag,
  name: definition._tag,
  definition,
  part: { _tag: "Function" },
  prepare: (on) => {
    const stores = storesOf(on.services)
    return {
      target: () => undefined,
      run: ({ attempted, failed }) => {
        const { commandId, expectedVersion, payload } = attempted
        if (options.versioned !== true && expectedVersion !== undefined) return unversioned(attempted)
        // `payload` was decoded by the definition's own schema.
        return Effect.suspend(() => handle(payload as Rpc.Payload<Definition>, { commandId, expectedVersion, failed }))
          .pipe(Effect.scoped, Effect.provideContext(stores))
      }
    }
  }
})

/**
 * The handler of a query that answers with a stream. In the fallback of another stream, `broken` says why and where that
 * one broke.
 *
 * @category constructors
 * @since 0.1.0
 */
export const streamHandler = <Definition extends Query.AnyStream, R = never>(
  definition: Definition,
  handle: (
    payload: Rpc.Payload<Definition>,
    broken: Fallback.Broken<Rpc.SuccessChunk<Definition>, unknown> | undefined
  ) => Stream.Stream<Rpc.SuccessChunk<Definition>, Rpc.ErrorExit<Definition>, R>
): StreamHandler<Definition["_tag"], R, Definition> => ({
  kind: "stream",
  tag: definition._tag,
  name: definition._tag,
  definition,
  part: { _tag: "Function" },
  prepare: (on) => {
    const stores = storesOf(on.services)
    return (payload, broken) =>
      Stream.provideContext(
        handle(
          payload as Rpc.Payload<Definition>,
          broken as Fallback.Broken<Rpc.SuccessChunk<Definition>, unknown> | undefined
        ),
        stores
      )
  }
})

/**
 * A function that is told of the events of one definition; what it answers are follow-up events, or nothing. See
 * `EventHandler` for how events reach it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const eventHandler = <
  Event extends DomainEvent.Any,
  E = never,
  R = never,
  Answer extends void | ReadonlyArray<{ readonly _tag: string }> = void
>(
  event: Event,
  options: {
    /** Stands in reports and is the key of its circuit; one handler of an event has it. */
    readonly name: string
    readonly handle: (
      event: DomainEvent.Value<Event>,
      told: Told
    ) => Effect.Effect<Answer, E, R>
    /** Leaves it to `Mediator.subscription` to tell stored events, so that none is lost; `false` when absent. */
    readonly durable?: boolean | undefined
    /**
     * When it runs again after a failure. When absent: as the layer's `listeners` say for the events of a committed command,
     * not at all for events that are published.
     */
    readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
  }
): EventHandler<
  Event["type"],
  Exclude<R, Scope.Scope> | FollowUps<FollowUp<Answer>["_tag"]>,
  Event,
  FollowUp<Answer>,
  E
> => ({
  kind: "event",
  type: event.type,
  name: options.name,
  definition: event,
  part: { _tag: "Function" },
  durable: options.durable ?? false,
  retry: options.retry,
  check: () => {},
  handle: (event, told) =>
    // The conditional type of the answer is what `Answer` is, which a generic function cannot show.
    Effect.scoped(Effect.suspend(() => options.handle(event, told))) as Effect.Effect<
      void | ReadonlyArray<FollowUp<Answer>>,
      E,
      Exclude<R, Scope.Scope>
    >
})

/**
 * The events in the answer of a handler.
 *
 * @category models
 * @since 0.1.0
 */
export type FollowUp<Answer> = Answer extends ReadonlyArray<infer Event extends { readonly _tag: string }> ? Event
  : never

/**
 * The handlers that follow-up events need.
 *
 * @category models
 * @since 0.1.0
 */
export type FollowUps<Type extends string> = Type extends string ? EventHandlers<Type> : never
