import { type Context, Effect, Option, Result, type Schedule, Stream } from "effect"
import * as EventMeta from "../../../store/EventMeta.ts"
import type { Appended, EventStore, InvalidAppend, NewEvent } from "../../../store/EventStore.ts"
import * as Tenant from "../../../store/Tenant.ts"
import type { StoreUnavailable, UnitOfWork } from "../../../store/UnitOfWork.ts"
import * as AggregateOwner from "../../AggregateOwner.ts"
import type * as Command from "../../Command.ts"
import { CommandIdMismatch, ConcurrencyConflict, InvalidPayload, Refused, VersionMismatch } from "../../DomainError.ts"
import type { Attempted, Hooks, Stored } from "../../Hooks.ts"
import { beforeStore } from "../hooks.ts"
import { foreign } from "../http/ifMatch.ts"
import { writing } from "../unit.ts"
import { fold } from "./deciding.ts"
import type { Aggregate, LoadError } from "./definition.ts"
import { fold as foldStored, type Folded, personalOf } from "./loading.ts"
import * as snapshotting from "./snapshotting.ts"

export interface Stores<P> {
  readonly events: EventStore["Service"]
  readonly unit: UnitOfWork["Service"]
  /** What the aggregate's projection needs. */
  readonly projection: Context.Context<P>
}

export interface Decision<State, Event extends { readonly _tag: string }, R, P> {
  readonly aggregate: Aggregate<string, State, Event, Command.AnyAggregate, R, P>
  readonly reply: (state: State, events: ReadonlyArray<Event>, version: number, id: string) => unknown
  /** What tells the payload from another one under the same command id. */
  readonly fingerprint: (payload: unknown) => string | undefined
  readonly stores: Stores<P>
  readonly conflicts: Schedule.Schedule<unknown, unknown>
  /** Whether an enclosing transaction owns the attempt. */
  readonly joined: boolean
  /** Runs after the commit, or tells what is to run before the answer. */
  readonly committed: (
    command: Decided,
    events: ReadonlyArray<Stored>,
    hooks: ReadonlyArray<Hooks>
  ) => Effect.Effect<void>
}

/** A command and the aggregate that decides it. */
export type Decided = Attempted & { readonly aggregate: { readonly name: string; readonly id: string } }

/** A conflict seen by one attempt; kept apart from the errors of the domain, which are never retried. */
class Moved {
  readonly conflict: ConcurrencyConflict
  constructor(conflict: ConcurrencyConflict) {
    this.conflict = conflict
  }
}

/** What was in memory may be behind what is stored, or the command may have happened before: look first. */
class Doubt {
  readonly _tag = "Doubt"
}

const doubt = new Doubt()

/** Load, decide, store, commit; again on a conflict unless an enclosing transaction owns the attempt. */
export const decideAndStore = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Decided,
  hooks: ReadonlyArray<Hooks>
): Effect.Effect<unknown, unknown, R> =>
  Effect.withFiber((fiber) => {
    const owner = fiber.getRef(AggregateOwner.Current)
    if (decision.joined) return answered(stored(decision, command, hooks, undefined))
    const mine = owner !== undefined && owner.aggregate === decision.aggregate && owner.id === command.aggregate.id &&
      owner.tenant === fiber.getRef(Tenant.Current) && !decision.aggregate.personal
    const once = mine ? owned(decision, command, hooks, owner) : stored(decision, command, hooks, undefined)
    const again = answered(
      Effect.retry(once, { while: (error) => error instanceof Moved, schedule: decision.conflicts })
    )
    // What is sent to the same aggregate from inside its turn would wait for itself.
    return mine ? owner.turn.withPermit(Effect.provideService(again, AggregateOwner.Current, undefined)) : again
  })

const answered = <A, R>(self: Effect.Effect<A, unknown, R>): Effect.Effect<A, unknown, R> =>
  Effect.mapError(self, (error) => error instanceof Moved ? error.conflict : error)

/** From what is stored, in a transaction. */
const stored = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Decided,
  hooks: ReadonlyArray<Hooks>,
  owner: AggregateOwner.AggregateOwner | undefined
): Effect.Effect<unknown, unknown, R> =>
  decision.stores.unit.run(attempt(decision, command, hooks, { owner, trusted: undefined }))

/** From what its owner has in memory; after a doubt or a conflict from there and what was stored since. */
const owned = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Decided,
  hooks: ReadonlyArray<Hooks>,
  owner: AggregateOwner.AggregateOwner
): Effect.Effect<unknown, unknown, R> => {
  let behind = false
  const reading = stored(decision, command, hooks, owner)
  return Effect.suspend(() => {
    // The owner has seen this definition of the aggregate only, so its state is of this definition.
    const trusted = owner.held as Folded<State> | undefined
    if (behind || trusted === undefined) return reading
    behind = true
    const trusting = attempt(decision, command, hooks, { owner, trusted })
    return Effect.catchIf(trusting, (error) => error instanceof Doubt, () => reading)
  })
}

/** Where an attempt begins: at what an owner has in memory, or at what is stored, which the owner then has. */
interface Beginning<State> {
  readonly owner: AggregateOwner.AggregateOwner | undefined
  readonly trusted: Folded<State> | undefined
}

const attempt = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Decided,
  hooks: ReadonlyArray<Hooks>,
  { owner, trusted }: Beginning<State>
): Effect.Effect<unknown, unknown, R> =>
  Effect.gen(function*() {
    const { aggregate, reply, stores } = decision
    const { id } = command.aggregate
    const stream = { category: aggregate.name, id }
    const commandId = command.commandId === undefined ? undefined : `${command.name}/${command.commandId}`
    const { expectedVersion } = command

    const find = Effect.suspend(() =>
      commandId === undefined ? Effect.succeedNone : stores.events.findAppend(stream, commandId)
    )
    if (trusted === undefined) {
      const done = yield* find
      if (Option.isSome(done)) return yield* replay(decision, command, done.value)
    }

    const before = trusted ?? (yield* orDieOnUnreadable(
      foldStored(stores.events, aggregate, id, stores.projection, {
        from: owner?.held as Folded<State> | undefined // of this definition, as above
      })
    ))
    if (owner !== undefined) owner.held = before
    /** An answer without an append has nothing that would notice a state that is behind, or a repeated command. */
    const settled = <A, E>(answer: Effect.Effect<A, E>): Effect.Effect<A, E | Doubt | StoreUnavailable> =>
      trusted === undefined ?
        answer :
        Effect.flatMap(find, (done) =>
          Option.isSome(done) ? Effect.fail(doubt) : Effect.flatMap(
            stores.events.version(stream),
            (version): Effect.Effect<A, E | Doubt> => version === trusted.version ? answer : Effect.fail(doubt)
          ))
    const mismatch = (expected: number, actual: number) =>
      new VersionMismatch({
        aggregate: aggregate.name,
        id,
        ...(expected === foreign ? {} : { expected }),
        actual
      })
    if (expectedVersion !== undefined && expectedVersion !== before.version) {
      return yield* settled(mismatch(expectedVersion, before.version))
    }

    const events = yield* aggregate.decideUnsafe(command.name, before.state, command.payload, {
      id,
      version: before.version
    }).pipe(Effect.catch((error) => settled(Effect.fail(error))))
    if (events.length === 0) return yield* settled(Effect.sync(() => reply(before.state, events, before.version, id)))
    const after = fold(aggregate, events, before.state)

    const store = Effect.gen(function*() {
      yield* Effect.catch(beforeStore(hooks, command, events), (error) => settled(Effect.fail(error)))
      const meta = yield* metaOf(decision, command)
      const plain: Array<NewEvent> = []
      for (const event of events) {
        const result = aggregate.encode(event)
        if (Result.isFailure(result)) return yield* Effect.die(result.failure)
        plain.push({ ...result.success, meta })
      }
      const encoded = aggregate.personal
        ? yield* personalOf(stores.projection, aggregate.name).seal(stream, plain).pipe(
          Effect.catchTags({
            SubjectShredded: (error) => new Refused({ name: command.name, reason: error.message }),
            PersonalDataUnreadable: Effect.die
          })
        )
        : plain
      const result = yield* stores.events.append({ stream, expect: before.version, events: encoded, commandId }).pipe(
        Effect.catchTags({
          InvalidAppend: (error) => unstorable(command.name, error),
          StreamArchived: (error) => new Refused({ name: command.name, reason: error.message })
        })
      )
      if (result._tag === "Conflict") {
        return yield* expectedVersion === undefined
          ? Effect.fail(
            new Moved(
              new ConcurrencyConflict({
                aggregate: aggregate.name,
                id,
                expected: before.version,
                actual: result.actual
              })
            )
          )
          : mismatch(expectedVersion, result.actual)
      }
      if (result.replayed) return yield* trusted === undefined ? replay(decision, command, result) : Effect.fail(doubt)
      const stored = events.map((event, index): Stored => ({
        type: event._tag,
        version: result.firstVersion + index,
        event,
        meta
      }))
      return yield* writing(Effect.gen(function*() {
        if (aggregate.project !== undefined) {
          yield* Effect.provideContext(aggregate.project(after, { id, version: result.version }), stores.projection)
        }
        const next = { state: after, version: result.version, position: result.position }
        const due = yield* snapshotting.afterCommit(
          aggregate,
          id,
          before,
          next,
          encoded,
          stores.projection,
          stores.unit
        )
        if (owner !== undefined) {
          const held = { ...before, ...next, snapshotVersion: due ? next.version : before.snapshotVersion }
          yield* stores.unit.afterCommit(Effect.sync(() => {
            owner.held = held
          }))
        }
        const committed = decision.committed(command, stored, hooks)
        yield* stores.unit.afterCommit(
          owner === undefined ? committed : Effect.provideService(committed, AggregateOwner.Current, owner)
        )
        return reply(after, events, result.version, id)
      }))
    })
    // Where nothing but the append is written, it commits by itself: one round trip, shared with others'.
    const alone = aggregate.project === undefined && hooks.every((one) => one.beforeStore === undefined)
    return yield* trusted === undefined || alone ? store : stores.unit.run(store)
  })

/** The reply that the first run gave: from the state as it was after its append, and its events. */
const replay = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Decided,
  append: Appended
) =>
  Effect.gen(function*() {
    const { aggregate, reply, stores } = decision
    const { id } = command.aggregate
    yield* ofTheSamePayload(decision, command, append)
    const events: Array<Event> = []
    const loaded = foldStored(stores.events, aggregate, id, stores.projection, {
      upTo: append.version,
      onEvent: (event, version) => {
        if (version >= append.firstVersion) events.push(event)
      }
    })
    const at = yield* orDieOnUnreadable(loaded)
    return reply(at.state, events, at.version, id)
  })

/** Whether it was this command that came first under its id; what has no fingerprint, or was truncated, is believed. */
const ofTheSamePayload = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Decided,
  append: Appended
): Effect.Effect<void, StoreUnavailable | CommandIdMismatch> =>
  Effect.suspend(() => {
    const { commandId = "", name } = command
    const mine = fingerprintIn(decision, command)
    const stream = { category: decision.aggregate.name, id: command.aggregate.id }
    const first = decision.stores.events.read(stream, { from: append.firstVersion, limit: 1 })
    return Stream.runForEach(first, ({ meta, version }) => {
      const { fingerprint } = meta
      return version !== append.firstVersion || fingerprint === undefined || mine === undefined || fingerprint === mine
        ? Effect.void
        : new CommandIdMismatch({ name, commandId })
    })
  })

/** An event that cannot be read is for the operator: the caller can do nothing about it. */
const orDieOnUnreadable = <A>(self: Effect.Effect<A, LoadError>): Effect.Effect<A, StoreUnavailable> =>
  Effect.catchTags(self, { UnknownEvent: Effect.die, InvalidEvent: Effect.die, PersonalDataUnreadable: Effect.die })

/** The names come from the payload; anything else that no store could take is a mistake in the events. */
const unstorable = (name: string, error: InvalidAppend): Effect.Effect<never, InvalidPayload> =>
  error.field.startsWith("stream") || error.field === "commandId"
    ? Effect.fail(new InvalidPayload({ name, issues: [{ pointer: "", message: `${error.field} ${error.reason}` }] }))
    : Effect.die(error)

const metaOf = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Attempted
): Effect.Effect<Readonly<Record<string, string>>> =>
  Effect.map(EventMeta.current, (ambient) => {
    const { commandId, name } = command
    const fingerprint = commandId === undefined ? undefined : fingerprintIn(decision, command)
    return {
      ...ambient,
      command: name,
      ...(commandId === undefined ? {} : { causationId: commandId }),
      ...(fingerprint === undefined ? {} : { fingerprint })
    }
  })

/** Metadata outlives what is shredded: of a payload that may be personal it has too little to try names against. */
const fingerprintIn = <State, Event extends { readonly _tag: string }, R, P>(
  { aggregate, fingerprint }: Decision<State, Event, R, P>,
  { payload }: Attempted
): string | undefined => aggregate.personal ? fingerprint(payload)?.slice(0, 4) : fingerprint(payload)
