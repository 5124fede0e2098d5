/** What a test of an aggregate writes to a store, and reads back. */
import { Effect, Layer, Option, Result, Schema } from "effect"
import * as Aggregate from "../../domain/Aggregate.ts"
import type * as Command from "../../domain/Command.ts"
import { EventStore, type NewEvent } from "../../store/EventStore.ts"
import * as MemoryStore from "../../store/MemoryStore.ts"
import { PersonalData } from "../../store/PersonalData.ts"
import { type Collection, StateStore } from "../../store/StateStore.ts"
import type { StoreUnavailable } from "../../store/UnitOfWork.ts"
import { compareValue, event as shown } from "./specText.ts"

/**
 * What came is not what was expected. The message says how they differ.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unexpected extends Schema.TaggedError<Unexpected>()("Unexpected", {
  text: Schema.String,
  expected: Schema.Unknown,
  actual: Schema.Unknown
}) {
  override get message(): string {
    return this.text
  }
}

export const payloadOf = (command: Command.AnyAggregate, input: unknown): Effect.Effect<unknown, Unexpected> =>
  Effect.mapError(
    command.payloadSchema.makeEffect(input, { parseOptions: { errors: "all" } }),
    (issue) =>
      new Unexpected({
        text: `The payload of "${command._tag}" does not fit its schema: ${issue}`,
        expected: "a payload",
        actual: input
      })
  ) as Effect.Effect<unknown, Unexpected> // a command's schema needs no service to make a value

/** Writes events after `before` to the store, reads them back, and gives the state of all. */
export const keep = <State, Event extends { readonly _tag: string }, Commands extends Command.AnyAggregate, R, P>(
  aggregate: Aggregate.Aggregate<string, State, Event, Commands, R, P>,
  id: string,
  events: ReadonlyArray<Event>,
  before: ReadonlyArray<Event>
): Effect.Effect<State, Unexpected, EventStore | Exclude<P, StateStore>> =>
  Effect.gen(function*() {
    const store = yield* EventStore
    const encoded: Array<NewEvent> = []
    for (const event of events) {
      const result = aggregate.encode(event)
      if (Result.isFailure(result)) return yield* unkept(event, result.failure.message)
      encoded.push(result.success)
    }
    const stream = { category: aggregate.name, id }
    if (encoded.length > 0) {
      const sealed = aggregate.personal
        // Then the type of the aggregate asks for it.
        ? yield* (PersonalData.use((personal) => Effect.orDie(personal.seal(stream, encoded))) as Effect.Effect<
          ReadonlyArray<NewEvent>
        >)
        : encoded
      const done = yield* Effect.orDie(store.append({ stream, expect: before.length, events: sealed }))
      if (done._tag === "Conflict") {
        return yield* new Unexpected({
          text:
            `${aggregate.name} "${id}" has ${done.actual} events in this store already. Give each test an id of its own`,
          expected: before.length,
          actual: done.actual
        })
      }
    }
    const read: Array<Event> = []
    const loaded = yield* Aggregate.load(aggregate, id, { onEvent: (event) => void read.push(event) }).pipe(
      Effect.catchTag("StoreUnavailable", Effect.die),
      Effect.mapError((error) =>
        new Unexpected({ text: error.message, expected: "events that can be read", actual: error })
      )
    )
    for (const [index, event] of events.entries()) {
      const differences = compareValue("what was read back", event, read[before.length + index])
      if (differences.length > 0) return yield* unkept(event, differences.join("; "))
    }
    return loaded.state
  })

const unkept = (event: { readonly _tag: string }, reason: string) =>
  new Unexpected({
    text: `${shown(event)} does not survive the store: ${reason}`,
    expected: event,
    actual: undefined
  })

export const rowOf = <State, Event extends { readonly _tag: string }, Commands extends Command.AnyAggregate, R, P>(
  aggregate: Aggregate.Aggregate<string, State, Event, Commands, R, P>,
  state: State,
  id: string,
  version: number
) =>
(collection: Collection<unknown>): Effect.Effect<unknown> =>
  Effect.gen(function*() {
    const project = aggregate.project
    if (project === undefined) return undefined
    // A projection needs the state store and nothing else.
    yield* project(state, { id, version }) as Effect.Effect<void, StoreUnavailable, StateStore>
    const row = yield* StateStore.use((store) => store.get(collection, id))
    return Option.isSome(row) ? row.value.state : undefined
  }).pipe(Effect.orDie, inMemory)

/** A store of its own for every test, so that tests know nothing of each other. */
export const inMemory = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.provide(self, Layer.fresh(MemoryStore.layer))
