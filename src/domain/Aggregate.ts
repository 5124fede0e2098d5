/**
 * The unit of decision: a state that is the fold of its events, and functions that decide commands on it.
 *
 * An aggregate is a decider. `decide` has one function per command: it gets the current state and the payload and answers
 * with the events to store, or fails with one of the command's errors. `evolve` has one pure function per event that gives
 * the next state. Nothing else changes the state, so replaying the events always gives the same one.
 *
 * Events are values that `decide` returns. Nothing collects them on an object, so a command that fails, is retried or runs
 * beside another cannot emit what is not its own.
 *
 * **Gotchas**
 *
 * - `decide` may run more than once for one command (another command was first): effects in it must bear repeating.
 * - A gap in the stored sequence is a defect: the stream was damaged, and no state folded from it can be trusted.
 * - A projection's `state` is a pure function of the aggregate's state, so it can be rebuilt from the events.
 * - With `snapshotEvery`, a command that leaves that many events since the last snapshot has one written after its commit,
 *   in the background. A snapshot is never trusted over events: one that does not decode, or is not of this stream, is
 *   ignored, reported (`SnapshotIgnored`) and replaced. Change `snapshotRevision` when `evolve` changes its mind about
 *   events that are stored: no program can see that in the Schema.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Aggregate, Command, DomainEvent } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Add = Command.make("counters.Add", {
 *   payload: { id: Schema.String, by: Schema.Int },
 *   aggregateId: (payload) => payload.id
 * })
 * const Added = DomainEvent.make("Added", { schema: { by: Schema.Int } })
 *
 * const Counter = Aggregate.make({
 *   name: "Counter",
 *   state: Schema.Struct({ total: Schema.Int }),
 *   initial: { total: 0 },
 *   commands: [Add],
 *   events: [Added],
 *   decide: { "counters.Add": (_state, { by }) => Effect.succeed(by === 0 ? [] : [Added.make({ by })]) },
 *   evolve: { Added: (state, { by }) => ({ total: state.total + by }) }
 * })
 *
 * const events = await Effect.runPromise(Aggregate.decide(Counter, Add, { total: 1 }, { id: "c-1", by: 2 }))
 * assert.deepEqual(Aggregate.fold(Counter, events, { total: 1 }), { total: 3 })
 * ```
 *
 * @since 0.1.0
 */
export { decide, fold } from "./internal/aggregate/deciding.ts"
export type {
  Aggregate,
  At,
  Deciders,
  DecideServices,
  Evolvers,
  Loaded,
  LoadError,
  Projection,
  Snapshotting,
  Stored
} from "./internal/aggregate/definition.ts"
export { make } from "./internal/aggregate/make.ts"
export { load, reproject, snapshot, truncate } from "./internal/aggregate/stored.ts"
