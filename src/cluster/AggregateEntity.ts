/**
 * The same aggregate as an entity of `effect/cluster`: one process owns it, keeps its state in memory, and decides its
 * commands one after another, at the cost of one round trip each, the append.
 *
 * {@link make} derives an `Entity` with a message for each command of the aggregate (its payload, success and error
 * schemas) whose entity id is the aggregate's id. {@link layer} installs it on a runner; it needs the handlers of
 * `Domain.toLayer`, so middleware, hooks, transaction and events are those of every other way in, run once, by the owner.
 * {@link client} sends as `Mediator.send` does; {@link layerMediator} lets `Mediator.send` itself go to the owner.
 *
 * **What is guaranteed.** Owning is an optimisation and not the safety argument: every append expects the exact version.
 * When ownership moves and two runners believe they own an aggregate, one append conflicts, and that runner reads what it
 * has missed and decides again. Every command has an id, its own or one that is made for it, under which it happens once,
 * however often the cluster has to send it. What is answered was committed.
 *
 * **Durable commands** (`durable`) are written to the cluster's message storage before `send` goes on, and happen even when
 * the caller, its runner or the owner dies. Their primary key is the command id: the same command again gets the first
 * reply, without being sent. They wait out what would pass (`StoreUnavailable`, `ConcurrencyConflict`), because a reply
 * that is stored is final.
 *
 * Deadline, priority, request id, trace, actor, correlation, cause, command id and expected version go along with a
 * command; the tenant is part of the entity's id. Hooks that the caller put around itself (`Hooks.within`) stay behind.
 *
 * **Gotchas**
 *
 * - Give a deadline: while nobody owns the aggregate's shard, a command waits for an owner. Time that has passed is
 *   `DeadlineExceeded`, and the command may still happen; a durable one certainly does.
 * - Idle aggregates give their memory back after `maxIdleTime`, one minute by default as in `ShardingConfig`.
 * - A command that outwaits its owner's end (`entityTerminationTimeout`) is interrupted there and sent again.
 * - Aggregates with personal fields are read again for every command (see `AggregateOwner`).
 * - Durable commands need a cluster with a `MessageStorage` that keeps them, such as `SqlMessageStorage`.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { TestRunner } from "effect/cluster"
 * import { AggregateEntity } from "effect-lifecycle/cluster"
 * import { Aggregate, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
 * import { MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const Add = Command.make("counters.Add", {
 *   payload: { id: Schema.String, by: Schema.Int },
 *   success: Schema.Int,
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
 * const handlers = Domain.toLayer([Domain.aggregateHandler(Add, Counter, { reply: (state) => state.total })])
 *
 * const counters = AggregateEntity.make(Counter)
 * const runner = AggregateEntity.layer(counters).pipe(Layer.provide(handlers), Layer.provide(MemoryStore.layer))
 * const app = AggregateEntity.layerMediator(counters).pipe(Layer.merge(runner), Layer.provide(TestRunner.layer))
 *
 * const program = Effect.gen(function*() {
 *   yield* Mediator.send(Add, { id: "c-1", by: 2 })
 *   return yield* Mediator.send(Add, { id: "c-1", by: 3 })
 * })
 * assert.equal(await Effect.runPromise(program.pipe(Effect.provide(app), Effect.scoped)), 5)
 * ```
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Layer, PrimaryKey, Schedule, Schema } from "effect"
import { ClusterSchema, Entity, type Sharding } from "effect/cluster"
import { Rpc, RpcGroup } from "effect/rpc"
import type { Aggregate } from "../domain/Aggregate.ts"
import * as AggregateOwner from "../domain/AggregateOwner.ts"
import * as Command from "../domain/Command.ts"
import { InvalidPayload } from "../domain/DomainError.ts"
import * as Mediator from "../domain/Mediator.ts"
import * as Deadline from "../request/Deadline.ts"
import * as Tenant from "../store/Tenant.ts"
import { StoreUnavailable } from "../store/UnitOfWork.ts"
import { ClusterUnavailable } from "./ClusterError.ts"
import { placeOf } from "./internal/address.ts"
import { forwarders } from "./internal/forward.ts"
import * as luggage from "./internal/luggage.ts"

/**
 * What travels for a durable command: the command and the id it happens once under.
 *
 * @category models
 * @since 0.1.0
 */
export interface DurablePayload<Payload extends Schema.Top>
  extends Schema.Struct<{ readonly command: Payload; readonly commandId: typeof Schema.String }>
{}

/**
 * The message for a command.
 *
 * @category models
 * @since 0.1.0
 */
export type Message<C extends Command.AnyAggregate, Durable extends string> = C extends Command.AnyAggregate
  ? C["_tag"] extends Durable
    ? Rpc.Rpc<C["_tag"], DurablePayload<C["payloadSchema"]>, C["successSchema"], C["errorSchema"]>
  : Rpc.Rpc<
    C["_tag"],
    C["payloadSchema"],
    C["successSchema"],
    Schema.Union<readonly [C["errorSchema"], typeof Deadline.DeadlineExceeded]>
  >
  : never

/**
 * An aggregate and the entity that was derived from it.
 *
 * @category models
 * @since 0.1.0
 */
export interface AggregateEntity<
  in out Type extends string,
  in out Commands extends Command.AnyAggregate,
  in out Durable extends string = never
> {
  readonly aggregate: { readonly name: string }
  readonly commands: ReadonlyArray<Commands>
  readonly durable: ReadonlySet<string>
  readonly entity: Entity.Entity<Type, Message<Commands, Durable>>
}

/**
 * Derives the entity of an aggregate. The aggregate must be the one that the handlers were made with.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const Name extends string,
  State,
  Event extends { readonly _tag: string },
  Commands extends Command.AnyAggregate,
  R,
  P,
  const Durable extends Commands["_tag"] = never,
  const Type extends string = Name
>(
  aggregate: Aggregate<Name, State, Event, Commands, R, P>,
  options?: {
    /** The entity's type, under which runners know it; the aggregate's name when absent. */
    readonly type?: Type | undefined
    /** Commands that are kept in the cluster's message storage until they are answered; none when absent. */
    readonly durable?: ReadonlyArray<Durable> | undefined
    /** The shard group of an aggregate; `"default"` when absent. */
    readonly shardGroup?: ((place: { readonly id: string; readonly tenant: string }) => string) | undefined
  }
): AggregateEntity<Type, Commands, Durable> => {
  const durable: ReadonlySet<string> = new Set<string>(options?.durable ?? [])
  const shardGroup = options?.shardGroup
  const messages = RpcGroup.make(...aggregate.commands.map((command) => messageOf(command, durable.has(command._tag))))
  const protocol = shardGroup === undefined
    ? messages
    : messages.annotate(ClusterSchema.ShardGroup, (entityId) => shardGroup(placeOf(entityId)))
  return {
    aggregate,
    commands: aggregate.commands,
    durable,
    // A message for each command, as its type says, which an array of definitions cannot show.
    entity: Entity.fromRpcGroup(options?.type ?? aggregate.name, protocol) as never
  }
}

const messageOf = (command: Command.AnyAggregate, durable: boolean): Rpc.Any =>
  durable
    ? Rpc.make(command._tag, {
      payload: durablePayload(command),
      success: command.successSchema,
      error: command.errorSchema
    })
      .annotate(ClusterSchema.Persisted, true)
      .annotate(ClusterSchema.Uninterruptible, true)
    : Rpc.make(command._tag, {
      payload: command.payloadSchema,
      success: command.successSchema,
      error: Schema.Union([command.errorSchema, Deadline.DeadlineExceeded])
    })

// Not the aggregate's id: under that, its second command would get the reply of its first. With the payload, so that another
// one under the same command id is a message of its own, which the owner refuses.
const durablePayload = (command: Command.AnyAggregate) => {
  const fingerprint = Command.fingerprint(command)
  class Durable extends Schema.Class<Durable>(`effect-lifecycle/cluster/${command._tag}`)({
    command: command.payloadSchema,
    commandId: Schema.String
  }) {
    [PrimaryKey.symbol](): string {
      return `${this.commandId}/${fingerprint(this.command) ?? ""}`
    }
  }
  return Durable
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long an aggregate stays in memory without a command; that of `ShardingConfig` when absent. */
  readonly maxIdleTime?: Duration.Input | undefined
  /** How many commands of one aggregate may wait; that of `ShardingConfig` when absent. */
  readonly mailboxCapacity?: number | "unbounded" | undefined
  /** When a durable command is tried again after what may pass; {@link defaultDurableRetry} when absent. */
  readonly durableRetry?: Schedule.Schedule<unknown, unknown> | undefined
}

/**
 * For ever, after about 100 milliseconds at first and 5 seconds in the end.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaultDurableRetry: Schedule.Schedule<unknown, unknown> = Schedule.min([
  Schedule.exponential("100 millis"),
  Schedule.spaced("5 seconds")
]).pipe(Schedule.jittered)

/**
 * Lets this runner own aggregates. The handlers are those of `Domain.toLayer`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Type extends string, Commands extends Command.AnyAggregate, Durable extends string>(
  self: AggregateEntity<Type, Commands, Durable>,
  options: Options = {}
): Layer.Layer<never, never, Rpc.ToHandler<Commands> | Sharding.Sharding> => {
  const { durableRetry = defaultDurableRetry, mailboxCapacity, maxIdleTime } = options
  const build = Effect.gen(function*() {
    const handlers = yield* Effect.context<Rpc.ToHandler<Commands>>()
    const place = placeOf((yield* Entity.CurrentAddress).entityId)
    const owner = AggregateOwner.make(self.aggregate, place.id, place)
    const handle = (command: Command.AnyAggregate) => {
      const durable = self.durable.has(command._tag)
      return ({ headers, payload }: Entity.Request<Rpc.AnyWithProps & Rpc.Any>) =>
        Effect.suspend((): Effect.Effect<unknown, unknown> => {
          const { command: value, commandId } = durable
            ? payload as DurablePayload<Schema.Top>["Type"]
            : { command: payload, commandId: undefined }
          const sent = command.aggregateId(value as never)
          if (sent !== place.id) return Effect.fail(astray(command, sent, place.id))
          // The handler in the context of this layer; its services are those that the layer was built with.
          const send = Mediator.send(command, value as never, commandId === undefined ? undefined : { commandId }).pipe(
            Effect.provideContext(handlers),
            AggregateOwner.within(owner),
            Tenant.within(place.tenant)
          )
          const lasting = durable ? Effect.retry(send, { while: mayPass, schedule: durableRetry }) : send
          return luggage.unpack(lasting, headers, { durable })
        })
    }
    return Object.fromEntries(self.commands.map((command) => [command._tag, handle(command)]))
  })
  return self.entity.toLayer(build as never, {
    maxIdleTime,
    mailboxCapacity,
    // Commands take turns where they are decided (`AggregateOwner`), so that an event handler may send to its own aggregate.
    concurrency: "unbounded",
    // A bug in one command is that command's answer, as it is everywhere else.
    disableFatalDefects: true
  }) as Layer.Layer<never, never, Rpc.ToHandler<Commands> | Sharding.Sharding>
}

const mayPass = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error &&
  (error._tag === "StoreUnavailable" || error._tag === "ConcurrencyConflict")

const astray = (command: Command.AnyAggregate, sent: string, owned: string) =>
  new InvalidPayload({
    name: command._tag,
    issues: [{ pointer: "", message: `is for "${sent}" and was sent to the entity of "${owned}"` }]
  })

/**
 * What sending through the cluster can fail with besides the command's own errors.
 *
 * @category models
 * @since 0.1.0
 */
export type ClientError = ClusterUnavailable | Deadline.DeadlineExceeded

/**
 * Sends commands to their owners.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client<in Commands extends Command.AnyAggregate> {
  /** As `Mediator.send`; the answer comes from the aggregate's owner. */
  readonly send: <C extends Commands>(
    command: C,
    payload: Rpc.PayloadConstructor<C>,
    options?: Parameters<typeof Mediator.send>[2]
  ) => Effect.Effect<Rpc.Success<C>, Rpc.Error<C> | ClientError>
}

/**
 * The client of an aggregate, on a runner or on a process that only sends.
 *
 * @category constructors
 * @since 0.1.0
 */
export const client = <Type extends string, Commands extends Command.AnyAggregate, Durable extends string>(
  self: AggregateEntity<Type, Commands, Durable>
): Effect.Effect<Client<Commands>, never, Sharding.Sharding> =>
  Effect.map(forwarders(self, (error) => error), (handlers) => ({
    send: (command, payload, options) =>
      // A forwarder adds the errors of a client to those of the command.
      Effect.provideContext(Mediator.send(command, payload, options), handlers) as never
  }))

/**
 * Lets `Mediator.send` go to the owner of the aggregate. `Mediator.send` has no errors of a cluster, so they are
 * `StoreUnavailable` here, which says the same: nothing is known to be kept, repeat it under the same command id.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMediator = <Type extends string, Commands extends Command.AnyAggregate, Durable extends string>(
  self: AggregateEntity<Type, Commands, Durable>
): Layer.Layer<Rpc.ToHandler<Commands>, never, Sharding.Sharding> =>
  Layer.effectContext(
    forwarders(self, (error) =>
      error instanceof ClusterUnavailable || error instanceof Deadline.DeadlineExceeded
        ? new StoreUnavailable({ operation: "cluster", reason: error.message })
        : error)
  )
