import { type Context, Effect, Option, Result, type Schedule, Tracer } from "effect"
import * as RequestId from "../../request/RequestId.ts"
import type { Appended, EventStore, InvalidAppend, NewEvent } from "../../store/EventStore.ts"
import type { StoreUnavailable, UnitOfWork } from "../../store/UnitOfWork.ts"
import { type Aggregate, fold, loadFrom } from "../Aggregate.ts"
import * as Command from "../Command.ts"
import { ConcurrencyConflict, InvalidPayload, VersionMismatch } from "../DomainError.ts"
import type { InvalidEvent, UnknownEvent } from "../DomainEvent.ts"
import type { Attempted, Hooks, Stored } from "../Hooks.ts"
import { beforeStore } from "./hooks.ts"
import { writing } from "./unit.ts"

export interface Stores<P> {
  readonly events: EventStore["Service"]
  readonly unit: UnitOfWork["Service"]
  /** What the aggregate's projection needs. */
  readonly projection: Context.Context<P>
}

export interface Decision<State, Event extends { readonly _tag: string }, R, P> {
  readonly aggregate: Aggregate<string, State, Event, Command.AnyAggregate, R, P>
  readonly reply: (state: State, events: ReadonlyArray<Event>, version: number, id: string) => unknown
  readonly stores: Stores<P>
  readonly conflicts: Schedule.Schedule<unknown, unknown>
  readonly committed: (
    command: Attempted,
    events: ReadonlyArray<Stored>,
    hooks: ReadonlyArray<Hooks>
  ) => Effect.Effect<void>
}

/** A conflict seen by one attempt; kept apart from the errors of the domain, which are never retried. */
class Moved {
  readonly conflict: ConcurrencyConflict
  constructor(conflict: ConcurrencyConflict) {
    this.conflict = conflict
  }
}

/** Load, decide, store, commit; again on a conflict unless an enclosing transaction owns the attempt. */
export const decideAndStore = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Attempted & { readonly aggregate: { readonly name: string; readonly id: string } },
  hooks: ReadonlyArray<Hooks>
): Effect.Effect<unknown, unknown, R> => {
  const once = decision.stores.unit.run(attempt(decision, command, hooks))
  const again = Effect.retry(once, { while: (error) => error instanceof Moved, schedule: decision.conflicts })
  return decision.stores.unit.isOpen.pipe(
    Effect.flatMap((joined) => joined ? once : again),
    Effect.mapError((error) => error instanceof Moved ? error.conflict : error)
  )
}

const attempt = <State, Event extends { readonly _tag: string }, R, P>(
  decision: Decision<State, Event, R, P>,
  command: Attempted & { readonly aggregate: { readonly name: string; readonly id: string } },
  hooks: ReadonlyArray<Hooks>
): Effect.Effect<unknown, unknown, R> =>
  Effect.gen(function*() {
    const { aggregate, reply, stores } = decision
    const { id } = command.aggregate
    const stream = { category: aggregate.name, id }
    const commandId = command.commandId === undefined ? undefined : `${command.name}/${command.commandId}`
    const { expectedVersion } = command

    if (commandId !== undefined) {
      const done = yield* stores.events.findAppend(stream, commandId)
      if (Option.isSome(done)) return yield* replay(decision, id, done.value)
    }

    const before = yield* orDieOnUnreadable(loadFrom(stores.events, aggregate, id))
    const mismatch = (expected: number, actual: number) =>
      new VersionMismatch({ aggregate: aggregate.name, id, expected, actual })
    if (expectedVersion !== undefined && expectedVersion !== before.version) {
      return yield* mismatch(expectedVersion, before.version)
    }

    const events = yield* aggregate.decideUnsafe(command.name, before.state, command.payload, {
      id,
      version: before.version
    })
    if (events.length === 0) return reply(before.state, events, before.version, id)
    const after = fold(aggregate, events, before.state)
    yield* beforeStore(hooks, command, events)

    const meta = yield* metaOf(command)
    const encoded: Array<NewEvent> = []
    for (const event of events) {
      const result = aggregate.encode(event)
      if (Result.isFailure(result)) return yield* Effect.die(result.failure)
      encoded.push({ ...result.success, meta })
    }
    const result = yield* stores.events.append({ stream, expect: before.version, events: encoded, commandId }).pipe(
      Effect.catchTag("InvalidAppend", (error) => unstorable(command.name, error))
    )
    if (result._tag === "Conflict") {
      return yield* expectedVersion === undefined
        ? Effect.fail(
          new Moved(
            new ConcurrencyConflict({ aggregate: aggregate.name, id, expected: before.version, actual: result.actual })
          )
        )
        : mismatch(expectedVersion, result.actual)
    }
    if (result.replayed) return yield* replay(decision, id, result)
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
      yield* stores.unit.afterCommit(decision.committed(command, stored, hooks))
      return reply(after, events, result.version, id)
    }))
  })

/** The reply that the first run gave: from the state as it was after its append, and its events. */
const replay = <State, Event extends { readonly _tag: string }, R, P>(
  { aggregate, reply, stores }: Decision<State, Event, R, P>,
  id: string,
  append: Appended
) =>
  Effect.suspend(() => {
    const events: Array<Event> = []
    const loaded = loadFrom(stores.events, aggregate, id, {
      upTo: append.version,
      onEvent: (event, version) => {
        if (version >= append.firstVersion) events.push(event)
      }
    })
    return Effect.map(orDieOnUnreadable(loaded), (at) => reply(at.state, events, at.version, id))
  })

/** An event that cannot be read is for the operator: the caller can do nothing about it. */
const orDieOnUnreadable = <A>(self: Effect.Effect<A, StoreUnavailable | UnknownEvent | InvalidEvent>) =>
  Effect.catchTags(self, { UnknownEvent: Effect.die, InvalidEvent: Effect.die })

/** The names come from the payload; anything else that no store could take is a mistake in the events. */
const unstorable = (name: string, error: InvalidAppend): Effect.Effect<never, InvalidPayload> =>
  error.field.startsWith("stream") || error.field === "commandId"
    ? Effect.fail(new InvalidPayload({ name, issues: [{ pointer: "", message: `${error.field} ${error.reason}` }] }))
    : Effect.die(error)

const metaOf = (command: Attempted): Effect.Effect<Readonly<Record<string, string>>> =>
  Effect.withFiber((fiber) => {
    const meta: Record<string, string> = { command: command.name }
    const requestId = Option.getOrUndefined(fiber.getRef(RequestId.Current))
    const correlationId = Option.getOrUndefined(fiber.getRef(Command.Correlation)) ?? requestId
    const actor = Option.getOrUndefined(fiber.getRef(Command.Actor))
    const span = spanOf(fiber.context)
    if (requestId !== undefined) meta["requestId"] = requestId
    if (correlationId !== undefined) meta["correlationId"] = correlationId
    if (command.commandId !== undefined) meta["causationId"] = command.commandId
    if (actor !== undefined) meta["actor"] = actor
    if (span !== undefined) meta["traceId"] = span.traceId
    return Effect.succeed(meta)
  })

const spanOf = (context: Context.Context<never>): Tracer.AnySpan | undefined => {
  const span: unknown = context.mapUnsafe.get(Tracer.ParentSpanKey)
  return span as Tracer.AnySpan | undefined
}
