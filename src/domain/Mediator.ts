/**
 * Sends commands, asks queries and publishes events inside the process, through the same wrapped handlers that every other
 * way in runs.
 *
 * The handler comes from the context, where `Domain.toLayer` put it under the definition's own key; leaving the layer out
 * is a compile error. The payload is checked against its schema first, with defaults filled in.
 *
 * **Gotchas**
 *
 * - Services of the caller win over the services that the layer was built with, as in an RPC server. The stores are
 *   different: a command always runs on the stores of its own layer.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Domain, Mediator, Query } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Greeting = Query.make("greetings.For", { payload: { name: Schema.NonEmptyString }, success: Schema.String })
 * const layer = Domain.toLayer([Domain.handler(Greeting, ({ name }) => Effect.succeed(`Hello, ${name}`))])
 *
 * const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)
 * const ask = (name: string) => Mediator.query(Greeting, { name }).pipe(Effect.provide(layer))
 * assert.equal(await run(ask("Ada")), "Hello, Ada")
 * assert.equal((await run(Effect.flip(ask(""))))._tag, "InvalidPayload")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Option, type SchemaIssue, Stream } from "effect"
import { Headers } from "effect/http"
import { Rpc, RpcMessage } from "effect/rpc"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { StoredEvent } from "../store/EventStore.ts"
import { PersonalData, type PersonalDataUnreadable } from "../store/PersonalData.ts"
import type * as Subscription from "../store/Subscription.ts"
import type { StoreUnavailable } from "../store/UnitOfWork.ts"
import * as Command from "./Command.ts"
import type { FollowUps } from "./Domain.ts"
import { InvalidPayload } from "./DomainError.ts"
import type * as DomainEvent from "./DomainEvent.ts"
import { defaultPolicy, type EventHandlersFailed, type EventLoop, type Origin, type Policy } from "./EventHandler.ts"
import { checkPolicy, deliver, silent } from "./internal/deliver.ts"
import { fieldIssues } from "./internal/fieldIssues.ts"
import { ended } from "./internal/report.ts"
import type * as Query from "./Query.ts"

/**
 * Sends a command to its handler.
 *
 * @category combinators
 * @since 0.1.0
 */
export const send = <C extends Command.Any>(
  command: C,
  payload: Rpc.PayloadConstructor<C>,
  options?: {
    /** The version that the aggregate must have; else `VersionMismatch`, without a retry. */
    readonly expectedVersion?: number | undefined
    /**
     * Makes the command happen once, where an aggregate decides it or its handler is in `Domain.idempotent`; wins over the id
     * that the definition takes from the payload.
     */
    readonly commandId?: string | undefined
  }
): Effect.Effect<Rpc.Success<C>, Rpc.Error<C>, Rpc.ToHandler<C>> => {
  const call = unary<C>(command, payload)
  if (options === undefined) return call
  const { commandId, expectedVersion } = options
  const versioned = expectedVersion === undefined
    ? call
    : Effect.provideService(call, Command.ExpectedVersion, Option.some(expectedVersion))
  return commandId === undefined
    ? versioned
    : Effect.provideService(versioned, Command.CommandId, Option.some(commandId))
}

/**
 * Asks a query.
 *
 * @category combinators
 * @since 0.1.0
 */
export const query = <Q extends Query.Any>(
  query: Q,
  payload: Rpc.PayloadConstructor<Q>
): Effect.Effect<Rpc.Success<Q>, Rpc.Error<Q>, Rpc.ToHandler<Q>> => unary<Q>(query, payload)

/**
 * Asks a query that answers with a stream.
 *
 * @category combinators
 * @since 0.1.0
 */
export const stream = <Q extends Query.AnyStream>(
  query: Q,
  payload: Rpc.PayloadConstructor<Q>
): Stream.Stream<Rpc.SuccessChunk<Q>, Rpc.ErrorExit<Q>, Rpc.ToHandler<Q>> =>
  Stream.unwrap(
    prepare(query, payload, "stream").pipe(
      Effect.map(({ context, result }) => Stream.updateContext(result as AnyStream, merged(context)))
    )
    // The handler under the key of `query` has the types of `query`; the context only knows it as any handler.
  ) as Stream.Stream<Rpc.SuccessChunk<Q>, Rpc.ErrorExit<Q>, Rpc.ToHandler<Q>>

/**
 * Tells events to their handlers, and the follow-ups that these answer to theirs. It ends when all of them have ended:
 * none outlives the call.
 *
 * Fails with the failures of all handlers (`EventHandlersFailed`), or at a cap (`EventLoop`). The events are not stored by
 * this; those of a command are, and are told without being published.
 *
 * @category combinators
 * @since 0.1.0
 */
export const publish = <Event extends { readonly _tag: string }>(
  events: ReadonlyArray<Event>,
  options?: Partial<Policy> & {
    /** The aggregate that they were stored for, where they were. */
    readonly origin?: Origin | undefined
  }
): Effect.Effect<void, EventHandlersFailed | EventLoop, FollowUps<Event["_tag"]>> => {
  const { origin, ...own } = options ?? {}
  const policy: Policy = { ...defaultPolicy, ...own }
  checkPolicy("Mediator.publish", policy)
  return deliver(events.map((event) => ({ event, origin })), { policy, retry: silent, handled: true })
}

/**
 * The options of a store's subscription that tells stored events to their `durable` handlers, each at least once, also
 * after a crash: give them to `Subscriptions.run`.
 *
 * The handlers of an event run in the transaction that moves the checkpoint, one after the other. A failure is the
 * subscription's: it tries again, then pauses or skips. Name the categories where two aggregates have events of one type.
 *
 * Throws `InvalidOption` where two of the events are different definitions of one type.
 *
 * @category combinators
 * @since 0.1.0
 */
export const subscription = <const Events extends ReadonlyArray<DomainEvent.Any>>(
  options: Omit<Subscription.Options<never, never>, "handle" | "types"> & {
    readonly events: Events
  } & Partial<Pick<Policy, "maxDepth" | "maxEvents">>
): Subscription.Options<
  | EventHandlersFailed
  | EventLoop
  | DomainEvent.UnknownEvent
  | DomainEvent.InvalidEvent
  | PersonalDataUnreadable
  | StoreUnavailable,
  FollowUps<Events[number]["type"]> | DomainEvent.Services<Events[number]>
> => {
  const { events, maxDepth, maxEvents, ...rest } = options
  const policy: Policy = {
    concurrency: 1,
    onFailure: "failFast",
    maxDepth: maxDepth ?? defaultPolicy.maxDepth,
    maxEvents: maxEvents ?? defaultPolicy.maxEvents
  }
  checkPolicy("Mediator.subscription", policy)
  const definitions = new Map<string, Events[number]>()
  for (const event of events) {
    if ((definitions.get(event.type) ?? event) !== event) {
      throw new InvalidOption({
        module: "Mediator.subscription",
        option: "events",
        value: `two definitions of "${event.type}"`,
        allowed: "one definition for each event type"
      })
    }
    definitions.set(event.type, event)
  }
  return {
    ...rest,
    types: [...definitions.keys()],
    handle: (stored) =>
      Effect.gen(function*() {
        const definition = definitions.get(stored.type)
        if (definition === undefined) return
        const opened = definition.personal
          // Then the type of the events asks for it.
          ? yield* (PersonalData.use((personal) => personal.open(stored)) as Effect.Effect<
            StoredEvent,
            StoreUnavailable | PersonalDataUnreadable
          >)
          : stored
        const event = (yield* Effect.fromResult(definition.decode(opened))) as { readonly _tag: string }
        const origin = {
          aggregate: stored.stream.category,
          id: stored.stream.id,
          version: stored.version,
          meta: stored.meta
        }
        yield* deliver([{ event, origin }], {
          policy,
          retry: silent,
          only: (handler) => handler.durable,
          handled: false
        })
      })
  }
}

type AnyEffect = Effect.Effect<unknown, unknown>
type AnyStream = Stream.Stream<unknown, unknown>

const unary = <C extends Command.Any | Query.Any>(
  definition: C,
  payload: unknown
): Effect.Effect<Rpc.Success<C>, Rpc.Error<C>, Rpc.ToHandler<C>> =>
  prepare(definition, payload, definition.kind).pipe(
    Effect.flatMap(({ context, result }) => Effect.updateContext(result as AnyEffect, merged(context)))
    // The handler under the key of `definition` has its types; the context only knows it as any handler.
  ) as Effect.Effect<Rpc.Success<C>, Rpc.Error<C>, Rpc.ToHandler<C>>

const merged = (layer: Context.Context<never>) => (caller: Context.Context<never>) => Context.merge(layer, caller)

const client = new Rpc.ServerClient(0)

const prepare = (definition: Rpc.AnyWithProps, input: unknown, kind: "command" | "query" | "stream") =>
  Effect.withFiber((fiber) => {
    const handler = fiber.context.mapUnsafe.get(definition.key) as Rpc.Handler<string> | undefined
    if (handler === undefined) {
      return Effect.die(
        new Error(`No handler for "${definition._tag}". Provide the layer of Domain.toLayer that has it`)
      )
    }
    const payload = definition.payloadSchema.makeEffect(input, { parseOptions: { errors: "all" } })
    return Effect.matchEffect(payload, {
      onFailure: (issue) => ended(definition._tag, kind, Effect.fail(invalid(definition._tag, issue))),
      onSuccess: (value) =>
        Effect.sync(() => {
          const options = { client, requestId: RpcMessage.RequestId(0), headers: Headers.empty, rpc: definition }
          return { context: handler.context, result: Rpc.unwrap(handler.handler(value, options)) }
        })
    })
  })

const invalid = (name: string, issue: SchemaIssue.Issue): InvalidPayload =>
  new InvalidPayload({ name, issues: fieldIssues(issue) })
