/**
 * Keeps one aggregate in memory between its commands: state and version, one command at a time.
 *
 * Inside {@link within}, a command of that aggregate is decided on the state in memory and costs one round trip, the
 * append. Owning is an optimisation and never the safety argument: every append still expects the exact version. Where
 * another process was faster, the append conflicts, the owner reads the events it has missed and decides again, by the
 * same Schedule as any other conflict.
 *
 * An answer that stores nothing (the command's own error, a refusal, no events) is checked against the stored version
 * first, so an owner that has fallen behind never refuses on old news. `AggregateEntity` gives each cluster entity one of
 * these; a process that is alone with its aggregates can hold its own.
 *
 * **Gotchas**
 *
 * - `decide` runs before the transaction is opened, so what it reads elsewhere is not of that transaction. Commands of an
 *   aggregate without a projection and without `beforeStore` hooks open none: the append is all they write.
 * - Inside `Domain.transaction`, and for aggregates with personal fields, nothing is kept: shredding must reach all copies.
 * - The command id is looked up by the append. So a repeated command is decided before it is known as one; what its
 *   `beforeStore` hooks wrote is rolled back.
 * - Commands queue for their decision only: middleware, `beforeCommand` and event handlers of several run at once.
 * - A database that is restored under a running owner has another history: end the processes first.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Aggregate, AggregateOwner, Command, Domain, DomainEvent, Mediator } from "effect-lifecycle/domain"
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
 * const counters = Domain.toLayer([Domain.aggregateHandler(Add, Counter, { reply: (state) => state.total })])
 *
 * const program = Effect.gen(function*() {
 *   const owner = AggregateOwner.make(Counter, "c-1")
 *   const add = (by: number) => Mediator.send(Add, { id: "c-1", by }).pipe(AggregateOwner.within(owner))
 *   yield* add(2)
 *   assert.equal(AggregateOwner.version(owner), 1)
 *   return yield* add(3)
 * })
 * const total = await Effect.runPromise(program.pipe(Effect.provide(counters.pipe(Layer.provide(MemoryStore.layer)))))
 * assert.equal(total, 5)
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Semaphore } from "effect"
import { dual } from "effect/Function"
import type { Folded } from "./internal/aggregate/loading.ts"

/**
 * The owner of one aggregate.
 *
 * @category models
 * @since 0.1.0
 */
export interface AggregateOwner {
  readonly aggregate: { readonly name: string }
  readonly id: string
  readonly tenant: string
  /** @internal */
  readonly turn: Semaphore.Semaphore
  /** What its aggregate was when last seen. @internal */
  held: Folded<unknown> | undefined
}

/**
 * An owner that has not seen its aggregate yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  /** The definition that its handlers were made with. */
  aggregate: { readonly name: string },
  id: string,
  options?: {
    /** Whose aggregate it is; `""` when absent. */
    readonly tenant?: string | undefined
  }
): AggregateOwner => ({
  aggregate,
  id,
  tenant: options?.tenant ?? "",
  turn: Semaphore.makeUnsafe(1),
  held: undefined
})

/**
 * The owner around the running effect; none by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Current = Context.Reference<AggregateOwner | undefined>("effect-lifecycle/domain/AggregateOwner", {
  defaultValue: () => undefined
})

/**
 * Lets the commands that `self` sends to the owner's aggregate use what it has in memory; others are not affected.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within: {
  (owner: AggregateOwner): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, owner: AggregateOwner): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, owner: AggregateOwner): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Current, owner)
)

/**
 * The version that the owner has in memory; `undefined` while it has none.
 *
 * @category getters
 * @since 0.1.0
 */
export const version = (owner: AggregateOwner): number | undefined => owner.held?.version

/**
 * Gives the memory back; the next command loads the aggregate.
 *
 * @category combinators
 * @since 0.1.0
 */
export const forget = (owner: AggregateOwner): Effect.Effect<void> =>
  Effect.sync(() => {
    owner.held = undefined
  })
