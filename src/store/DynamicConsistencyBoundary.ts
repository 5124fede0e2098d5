/**
 * Decisions over events of several streams: append, unless something has happened that the decision did not know.
 *
 * A stream guards the invariants of one aggregate. "A course takes ten students, and a student three courses" belongs to
 * two, and a dynamic consistency boundary (DCB, https://dcb.events) guards it without a transaction over both: events carry
 * tags, such as `course:c-1` and `student:s-7`; a decision reads the events that match a query over tags, and appends on
 * the condition that no other event matches that query by now. When one does, nothing is written and `ConditionFailed` says
 * so, as data; `decide` reads and decides again.
 *
 * A query is a list of items, and an event matches when one of them matches: it has all tags of the item and, where types
 * are given, one of them. `after`, which a read answers, says how far the read saw each item.
 *
 * Whoever appends events with a tag, or on a condition about it, holds the lock of the tag from before the events have
 * positions until the commit. So those who share a tag take turns, all others run at once, and the positions of one tag are
 * in the order of the commits. That is why `after` is kept for each item and not as one position: of two tags, the one can
 * have a higher position while an event of the other is still being committed below it.
 *
 * Events appended here are events like all others: subscriptions, projections and `readAll` see them, and inline projections
 * where the boundary is the one that `Projection.layerInline` provides. They go to the stream that is named, or to one of
 * their own for each append.
 *
 * **Gotchas**
 *
 * - An item needs a tag. By types alone nothing is ordered: appends through `EventStore` take no lock of their event types,
 *   and a lock that the writers of a type share leaves their positions in any order, so a later event can come before one
 *   that was seen. Give the events a tag for it, such as `kind:CourseDefined`, and query that: it is the exclusive lock,
 *   where everybody can see it.
 * - Only `append` and `decide` of this module give events tags. Events of other appends match no query.
 * - One busy tag makes its writers wait for each other. Prefer tags of single things over tags of everything.
 * - Inside a longer transaction the locks are held until it ends, and two such transactions that take tags in different
 *   orders can deadlock: one of them fails with `StoreUnavailable`.
 * - Tags belong to a tenant, the ambient one.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { DynamicConsistencyBoundary, MemoryStore } from "effect-lifecycle/store"
 * import assert from "node:assert/strict"
 *
 * const enroll = (student: string, course: string) =>
 *   DynamicConsistencyBoundary.decide({
 *     query: [{ tags: [`course:${course}`] }, { tags: [`student:${student}`] }],
 *     decide: (events) =>
 *       events.filter((event) => event.tags.includes(`course:${course}`)).length >= 2
 *         ? Effect.fail("the course is full" as const)
 *         : Effect.succeed([
 *           { type: "Enrolled", data: { student, course }, tags: [`course:${course}`, `student:${student}`] }
 *         ])
 *   })
 * const program = Effect.forEach(["ann", "ben", "cem"], (student) => Effect.exit(enroll(student, "c-1")), {
 *   concurrency: "unbounded"
 * })
 * const exits = await Effect.runPromise(Effect.provide(program, MemoryStore.layer))
 * assert.deepEqual(exits.map((exit) => exit._tag).toSorted(), ["Failure", "Success", "Success"])
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Option, Result, Schedule, Schema } from "effect"
import type {
  Appended,
  Conflict,
  Expectation,
  InvalidAppend,
  NewEvent,
  StoredEvent,
  StreamArchived,
  StreamId
} from "./EventStore.ts"
import type { StoreUnavailable } from "./UnitOfWork.ts"

/**
 * Events with all these tags and, where types are given, one of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueryItem {
  /** At least one, each 1 to 255 characters. */
  readonly tags: ReadonlyArray<string>
  readonly types?: ReadonlyArray<string> | undefined
}

/**
 * Events that match one of the items, 1 to 100.
 *
 * @category models
 * @since 0.1.0
 */
export type Query = ReadonlyArray<QueryItem>

/**
 * @category models
 * @since 0.1.0
 */
export interface NewTaggedEvent extends NewEvent {
  /** What it is about, such as `course:c-1`. Each 1 to 255 characters. */
  readonly tags: ReadonlyArray<string>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface TaggedEvent extends StoredEvent {
  /** In the order of code points. */
  readonly tags: ReadonlyArray<string>
}

/**
 * How far a read saw each item of its query. Opaque; a string, so that it can travel.
 *
 * @category models
 * @since 0.1.0
 */
export type After = string

/**
 * What a decision knew.
 *
 * @category models
 * @since 0.1.0
 */
export interface Read {
  /** What matches the query, in order of position. */
  readonly events: ReadonlyArray<TaggedEvent>
  readonly after: After
}

/**
 * No event matches the query but those that a read has seen.
 *
 * @category models
 * @since 0.1.0
 */
export interface Condition {
  /** That of the read, or some items of it. */
  readonly query: Query
  /** As the read answered it. Without it no event at all may match. */
  readonly after?: After | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Append {
  readonly events: ReadonlyArray<NewTaggedEvent>
  /** None: the events are appended whatever has happened. */
  readonly condition?: Condition | undefined
  /** Where the events go, in the ambient tenant; without it, to a stream of their own in the category `Boundary`. */
  readonly stream?: Omit<StreamId, "tenant"> | undefined
  /** What must hold for the stream besides; `any` when absent. */
  readonly expect?: Expectation | undefined
  /** Makes the append idempotent: it writes once under this id. */
  readonly commandId?: string | undefined
}

/**
 * An event matched that the decision did not know; nothing was written.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConditionFailed {
  readonly _tag: "ConditionFailed"
  /** The first such event. */
  readonly position: bigint
  readonly type: string
}

/**
 * @category models
 * @since 0.1.0
 */
export type AppendResult = Appended | Conflict | ConditionFailed

/**
 * A query that cannot be decided on: without items, without a tag, or with an `after` of another query.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidBoundary extends Schema.TaggedError<InvalidBoundary>()("InvalidBoundary", {
  field: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Invalid boundary: ${this.field} ${this.reason}`
  }
}

/**
 * A decision that others have overtaken as often as its schedule allows.
 *
 * @category errors
 * @since 0.1.0
 */
export class DecisionOvertaken extends Schema.TaggedError<DecisionOvertaken>()("DecisionOvertaken", {
  attempts: Schema.Int,
  position: Schema.BigInt
}) {
  override get message(): string {
    return `The decision was overtaken ${this.attempts} times, the last time by the event at position ${this.position}. Try again later, or divide the boundary: its tags are written too often`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class DynamicConsistencyBoundary extends Context.Service<DynamicConsistencyBoundary, {
  /** All events that match, and how far that is. */
  readonly read: (query: Query) => Effect.Effect<Read, StoreUnavailable | InvalidBoundary>
  /** Appends unless an event matches that the condition does not know. */
  readonly append: (
    append: Append
  ) => Effect.Effect<AppendResult, Refusal>
}>()("effect-lifecycle/store/DynamicConsistencyBoundary") {}

/**
 * What a store fails a boundary with.
 *
 * @category errors
 * @since 0.1.0
 */
export type Refusal = StoreUnavailable | InvalidBoundary | InvalidAppend | StreamArchived

/** A decision loses only to one that was stored meanwhile, so the next round is often the last. */
const usualRetry = Schedule.exponential("2 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 10 }))

/** What `decide` is given, by the error and the services of its decision. */
interface Decision<E, R> {
  readonly query: Query
  readonly decide: (events: ReadonlyArray<TaggedEvent>) => Effect.Effect<ReadonlyArray<NewTaggedEvent>, E, R>
  readonly stream?: Omit<StreamId, "tenant"> | undefined
  readonly commandId?: string | undefined
  readonly retry?: Schedule.Schedule<unknown, DecisionOvertaken> | undefined
}

/**
 * Reads, decides and appends on the condition that what was read is still all there is; when it is not, again, by `retry`.
 * A decision without events writes nothing and answers `None`. It may fail with several errors, each in a branch of its own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const decide = <Decided extends Effect.Effect<ReadonlyArray<NewTaggedEvent>, unknown, unknown>>(options: {
  readonly query: Query
  /** The events that follow from those that matched. It may run several times. */
  readonly decide: (events: ReadonlyArray<TaggedEvent>) => Decided
  readonly stream?: Omit<StreamId, "tenant"> | undefined
  readonly commandId?: string | undefined
  /** Ten times from 2 ms on, each time twice as long, with jitter, when absent. */
  readonly retry?: Schedule.Schedule<unknown, DecisionOvertaken> | undefined
}): Effect.Effect<
  Option.Option<Appended>,
  Effect.Error<Decided> | Refusal | DecisionOvertaken,
  Effect.Services<Decided> | DynamicConsistencyBoundary
> =>
  // The error and the services of a union of effects are known only once it is a type of its own.
  run(options as Decision<Effect.Error<Decided>, Effect.Services<Decided>>)

const run = <E, R>(options: Decision<E, R>): Effect.Effect<
  Option.Option<Appended>,
  E | Refusal | DecisionOvertaken,
  R | DynamicConsistencyBoundary
> =>
  Effect.gen(function*() {
    const { commandId, query, retry = usualRetry, stream } = options
    const boundary = yield* DynamicConsistencyBoundary
    let attempts = 0
    const attempt = Effect.gen(function*() {
      attempts++
      const { after, events } = yield* boundary.read(query)
      const decided = yield* options.decide(events)
      if (decided.length === 0) return Option.none<Appended>()
      const result = yield* boundary.append({ events: decided, condition: { query, after }, stream, commandId })
      if (result._tag === "Appended") return Option.some(result)
      // The stream may be at any version, so only the condition can have failed.
      return new DecisionOvertaken({ attempts, position: result._tag === "ConditionFailed" ? result.position : 0n })
    })
    // Only being overtaken is a reason to decide again, so every other failure goes past the schedule as a value.
    const round = Effect.gen(function*() {
      const result: Result.Result<Option.Option<Appended> | DecisionOvertaken, E | Refusal> = yield* Effect.result(
        attempt
      )
      if (Result.isFailure(result)) return Result.fail(result.failure)
      return result.success instanceof DecisionOvertaken ? yield* result.success : Result.succeed(result.success)
    })
    const result: Result.Result<Option.Option<Appended>, E | Refusal> = yield* Effect.retry(round, retry)
    return yield* Effect.fromResult(result)
  })
