/**
 * Tests of a projection in its own words: given these events, then these rows.
 *
 * - {@link given} takes what happened, in order: {@link of} the events of an aggregate, or {@link stored} events as a store
 *   keeps them. The projection is built from them, as a rebuild does; reactions do not run.
 * - `when` lets more happen while the projection is live, with its reactions.
 * - `thenRow` compares one row, `thenRows` all of them.
 *
 * The events are written to a memory store and read back, and the projection runs as it does in production. Every check also
 * rebuilds the projection from all events and fails where that makes other rows than were kept one event at a time: a
 * handler that looks at a clock, or at anything but events and rows, is found here.
 *
 * What does not fit is told as {@link Unexpected}, whose message shows what was given, what was expected, what came, and in
 * which field they differ.
 *
 * **Gotchas**
 *
 * - A test is an `Effect`: it has run when it was run.
 * - What the handler does besides its rows happens for every check, and once more for its rebuild.
 * - Rows are those of the events' tenant, the ambient one.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Projection } from "effect-lifecycle/store"
 * import { ProjectionSpec } from "effect-lifecycle/testing"
 * import assert from "node:assert/strict"
 *
 * const Totals = Projection.make({
 *   name: "totals",
 *   version: 1,
 *   schema: Schema.Struct({ orders: Schema.Int }),
 *   types: ["OrderPlaced"],
 *   handle: (event, rows) =>
 *     rows.modify((event.data as { readonly userId: string }).userId, (row) => ({ orders: (row?.orders ?? 0) + 1 }))
 * })
 * const placed = (id: string, userId: string) =>
 *   ProjectionSpec.stored({ category: "Order", id }, [{ type: "OrderPlaced", data: { userId } }])
 *
 * const two = ProjectionSpec.given(Totals, [placed("o-1", "ada"), placed("o-2", "ada")])
 * await Effect.runPromise(two.thenRow("ada", { orders: 2 }))
 * await Effect.runPromise(two.when([placed("o-3", "bob")]).thenRows({ ada: { orders: 2 }, bob: { orders: 1 } }))
 *
 * const error = await Effect.runPromise(Effect.flip(two.thenRow("ada", { orders: 3 })))
 * assert.match(error.message, /the row "ada"\.orders: expected 3, got 2/)
 * ```
 *
 * @since 0.1.0
 */
import { Cause, Clock, Effect, Fiber, Formatter, Result, Schedule } from "effect"
import type { Aggregate } from "../domain/Aggregate.ts"
import type * as Command from "../domain/Command.ts"
import { EventStore, type NewEvent, type StreamId } from "../store/EventStore.ts"
import { PersonalData } from "../store/PersonalData.ts"
import { type Projection, Projections } from "../store/Projection.ts"
import { type Collection, StateStore } from "../store/StateStore.ts"
import { inMemory, Unexpected } from "./internal/specStore.ts"
import { compareValue, event as shown } from "./internal/specText.ts"

export { Unexpected } from "./internal/specStore.ts"

/**
 * Something that happened: events of one stream. `N` is what writing them needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Happened<out N = never> {
  readonly stream: StreamId
  /** A line for each event. */
  readonly story: ReadonlyArray<string>
  readonly encode: Effect.Effect<ReadonlyArray<NewEvent>, Unexpected, N>
}

/**
 * What can be asked of the rows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rows<Row, R> {
  /** The row with this id; `undefined` for none. */
  readonly thenRow: (id: string, expected: Row | undefined) => Effect.Effect<void, Unexpected, R>
  /** All rows by their ids, none as `{}`. */
  readonly thenRows: (expected: Readonly<Record<string, Row>>) => Effect.Effect<void, Unexpected, R>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Given<Row, R> extends Rows<Row, R> {
  /** Lets more happen while the projection is live. */
  readonly when: <N = never>(happened: ReadonlyArray<Happened<N>>) => Rows<Row, R | N>
}

/**
 * Events of an aggregate, through their own schemas.
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = <State, Event extends { readonly _tag: string }, Commands extends Command.AnyAggregate, R, P>(
  aggregate: Aggregate<string, State, Event, Commands, R, P>,
  id: string,
  events: ReadonlyArray<NoInfer<Event>>
): Happened<Extract<P, PersonalData>> => {
  const stream = { category: aggregate.name, id }
  return {
    stream,
    story: events.map(shown),
    encode: Effect.gen(function*() {
      const encoded: Array<NewEvent> = []
      for (const event of events) {
        const result = aggregate.encode(event)
        if (Result.isFailure(result)) {
          return yield* new Unexpected({
            text: `${shown(event)} does not survive the store: ${result.failure.message}`,
            expected: event,
            actual: undefined
          })
        }
        encoded.push(result.success)
      }
      return aggregate.personal
        // Then the type of the aggregate asks for it.
        ? yield* (PersonalData.use((personal) => Effect.orDie(personal.seal(stream, encoded))) as Effect.Effect<
          ReadonlyArray<NewEvent>
        >)
        : encoded
    })
  }
}

/**
 * Events as a store keeps them: old versions, or those of another program.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stored = (stream: StreamId, events: ReadonlyArray<NewEvent>): Happened => ({
  stream,
  story: events.map(({ data, type }) => `${type} ${Formatter.format(data)}`),
  encode: Effect.succeed(events)
})

/**
 * Begins a test: what happened before the projection was built.
 *
 * @category constructors
 * @since 0.1.0
 */
export const given = <Row, E, R, N = never>(
  projection: Projection<Row, E, R>,
  happened: ReadonlyArray<Happened<N>> = []
): Given<Row, Exclude<R, Provided> | N> => ({
  ...expectations(projection, happened, []),
  when: (more) => expectations(projection, happened, more)
})

/** What the store of a test has. */
type Provided = EventStore | StateStore | Projections

type Found<Row> = ReadonlyMap<string, Row>

const expectations = <Row, E, R, N, N2>(
  projection: Projection<Row, E, R>,
  before: ReadonlyArray<Happened<N>>,
  after: ReadonlyArray<Happened<N2>>
): Rows<Row, Exclude<R, Provided> | N | N2> => {
  const story = [
    `given ${projection.name} (version ${projection.version})${before.length === 0 ? " without events" : ""}`,
    ...told(before),
    ...after.length === 0 ? [] : ["when", ...told(after)]
  ]
  const rows = Effect.clockWith((clock) =>
    kept(onClock(projection, clock), before, after, story).pipe(inMemory, Effect.provideService(Clock.Clock, realClock))
    // A memory store gives what a projection needs besides `Exclude<R, Provided>`; with a generic `R` the compiler cannot
    // subtract it.
  ) as Effect.Effect<Found<Row>, Unexpected, Exclude<R, Provided> | N | N2>
  const check = (expected: unknown, of: (rows: Found<Row>) => readonly [name: string, actual: unknown]) =>
    Effect.flatMap(rows, (found) => {
      const [name, actual] = of(found)
      const differences = compareValue(name, expected, actual)
      return differences.length === 0
        ? Effect.void
        : Effect.fail(unexpected([...story, "then", ...differences.map((line) => `  ${line}`)], expected, actual))
    })
  return {
    thenRow: (id, expected) => check(expected, (found) => [`the row ${JSON.stringify(id)}`, found.get(id)]),
    thenRows: (expected) => check({ ...expected }, (found) => ["the rows", Object.fromEntries(found)])
  }
}

const told = (happened: ReadonlyArray<Happened<unknown>>): ReadonlyArray<string> =>
  happened.flatMap(({ story, stream }) =>
    story.map((line) => `  ${stream.category} ${JSON.stringify(stream.id)}: ${line}`)
  )

const unexpected = (lines: ReadonlyArray<string>, expected: unknown, actual: unknown) =>
  new Unexpected({ text: lines.join("\n"), expected, actual })

const realClock = Clock.Clock.defaultValue()

/** A subscription waits on the real clock, which no test has to move; the projection runs on the clock of the test. */
const onClock = <Row, E, R>(projection: Projection<Row, E, R>, clock: Clock.Clock): Projection<Row, E, R> => {
  const { handle, react } = projection
  return {
    ...projection,
    handle: (event, rows) => Effect.provideService(handle(event, rows), Clock.Clock, clock),
    react: react === undefined
      ? undefined
      : (event, rows) => Effect.provideService(react(event, rows), Clock.Clock, clock)
  }
}

/** A failure is told at once. */
const once = { retry: Schedule.recurs(0) }

const kept = <Row, E, R, N, N2>(
  projection: Projection<Row, E, R>,
  before: ReadonlyArray<Happened<N>>,
  after: ReadonlyArray<Happened<N2>>,
  story: ReadonlyArray<string>
) =>
  Effect.gen(function*() {
    const projections = yield* Projections
    const orTold = Effect.catchCause((cause: Cause.Cause<unknown>) =>
      Effect.fail(unexpected([...story, "then", `  the projection failed: ${reasonOf(cause)}`], "rows", cause))
    )
    yield* write(before)
    yield* orTold(projections.rebuild(projection, once))
    if (after.length > 0) {
      const running = yield* Effect.forkChild(projections.run(projection, once), { startImmediately: true })
      const position = yield* write(after)
      yield* orTold(Effect.raceFirst(projections.awaitPosition(projection, position), Fiber.join(running)))
      yield* Fiber.interrupt(running)
    }
    const rows = yield* rowsOf(projection.collection)
    const name = `${projection.name} again`
    const again = { ...projection, name, collection: { ...projection.collection, name } }
    yield* orTold(projections.rebuild(again, once))
    const rebuilt = yield* rowsOf(again.collection)
    const differences = compareValue("rebuilt, the rows", Object.fromEntries(rows), Object.fromEntries(rebuilt))
    if (differences.length > 0) {
      return yield* unexpected([...story, "then", ...differences.map((line) => `  ${line}`)], rows, rebuilt)
    }
    return rows
  })

/** Appends in order; the position of the last event. */
const write = <N>(happened: ReadonlyArray<Happened<N>>) =>
  Effect.gen(function*() {
    const store = yield* EventStore
    let position = 0n
    for (const { encode, stream } of happened) {
      const events = yield* encode
      if (events.length === 0) continue
      const done = yield* Effect.orDie(store.append({ stream, expect: "any", events }))
      if (done._tag === "Appended") position = done.position
    }
    return position
  })

const rowsOf = <Row>(collection: Collection<Row>): Effect.Effect<Found<Row>, never, StateStore> =>
  Effect.gen(function*() {
    const states = yield* StateStore
    const rows = new Map<string, Row>()
    let cursor: string | undefined
    do {
      const page = yield* Effect.orDie(states.query(collection, { limit: 1000, cursor }))
      for (const { id, state } of page.rows) rows.set(id, state)
      cursor = page.next
    } while (cursor !== undefined)
    return rows
  })

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  // A paused subscription says more than one line: where its handler failed.
  return error instanceof Error ? error.message.split("\n")[0] ?? error.name : Formatter.format(error)
}
