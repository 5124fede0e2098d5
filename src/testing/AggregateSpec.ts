/**
 * Tests of an aggregate in its own words: given these events, when this command comes, then these events, or this error.
 *
 * - {@link given} takes the events that happened; `when` decides a command on them; `then` compares.
 * - `whenSent` sends the command with `Mediator` instead, through the layer that the test provides: with its middleware,
 *   hooks, transaction and store, memory or PostgreSQL.
 *
 * Nothing in a test is only made up: given events are written to a memory store and read back, and so are those that were
 * decided. An event that its schema cannot keep fails here and not in production.
 *
 * What does not fit is told as {@link Unexpected}, whose message shows what was given, what was expected, what came, and in
 * which field they differ.
 *
 * **Gotchas**
 *
 * - A test is an `Effect`: it has run when it was run. `then` returns one; awaiting what `when` returned throws.
 * - `when` knows neither hooks nor middleware nor command ids: those are matters of `whenSent`.
 * - `whenSent` writes the given events to the store of the test: use an id that the test has for itself.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Aggregate, Command, DomainEvent } from "effect-lifecycle/domain"
 * import { AggregateSpec } from "effect-lifecycle/testing"
 * import assert from "node:assert/strict"
 *
 * class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}
 * const Withdraw = Command.make("accounts.Withdraw", {
 *   payload: { id: Schema.String, amount: Schema.Int },
 *   error: Overdrawn,
 *   aggregateId: ({ id }) => id
 * })
 * const Deposited = DomainEvent.make("Deposited", { schema: { amount: Schema.Int } })
 * const Withdrawn = DomainEvent.make("Withdrawn", { schema: { amount: Schema.Int } })
 * const Account = Aggregate.make({
 *   name: "Account",
 *   state: Schema.Struct({ balance: Schema.Int }),
 *   initial: { balance: 0 },
 *   commands: [Withdraw],
 *   events: [Deposited, Withdrawn],
 *   decide: {
 *     "accounts.Withdraw": ({ balance }, { amount }) =>
 *       amount > balance ? Effect.fail(new Overdrawn({ balance })) : Effect.succeed([Withdrawn.make({ amount })])
 *   },
 *   evolve: {
 *     Deposited: ({ balance }, { amount }) => ({ balance: balance + amount }),
 *     Withdrawn: ({ balance }, { amount }) => ({ balance: balance - amount })
 *   }
 * })
 *
 * const rich = AggregateSpec.given(Account, [Deposited.make({ amount: 50 })])
 * await Effect.runPromise(rich.when(Withdraw, { id: "a-1", amount: 20 }).then([Withdrawn.make({ amount: 20 })]))
 * await Effect.runPromise(rich.when(Withdraw, { id: "a-1", amount: 80 }).then(new Overdrawn({ balance: 50 })))
 *
 * const wrong = rich.when(Withdraw, { id: "a-1", amount: 20 }).then([Withdrawn.make({ amount: 30 })])
 * const error = await Effect.runPromise(Effect.flip(wrong))
 * assert.match(error.message, /1\. Withdrawn \.amount: expected 30, got 20/)
 * ```
 *
 * @since 0.1.0
 */
import { Effect, Exit, Formatter } from "effect"
import type { Rpc } from "effect/rpc"
import * as Aggregate from "../domain/Aggregate.ts"
import type * as Command from "../domain/Command.ts"
import * as Mediator from "../domain/Mediator.ts"
import type { EventStore } from "../store/EventStore.ts"
import type { Snapshots } from "../store/Snapshots.ts"
import type { Collection, StateStore } from "../store/StateStore.ts"
import { inMemory, keep, payloadOf, rowOf, Unexpected } from "./internal/specStore.ts"
import { compareError, compareEvents, compareValue, event as shown, failure } from "./internal/specText.ts"

export { Unexpected } from "./internal/specStore.ts"

/**
 * What has happened to an aggregate before the test begins. `R` is what deciding needs, `N` what its events need.
 *
 * @category models
 * @since 0.1.0
 */
export interface Given<State, Event extends { readonly _tag: string }, Commands extends Command.AnyAggregate, R, N> {
  /** Decides a command. */
  readonly when: <C extends Commands>(
    command: C,
    payload: Rpc.PayloadConstructor<C>
  ) => When<State, Event, Rpc.Error<C>, R | N>
  /** Sends a command through the layer of the test, after the given events were written to its store. */
  readonly whenSent: <C extends Commands>(
    command: C,
    payload: Rpc.PayloadConstructor<C>,
    options?: Parameters<typeof Mediator.send>[2]
  ) => WhenSent<State, Event, Rpc.Success<C>, Rpc.Error<C>, Rpc.ToHandler<C> | EventStore | N>
  /** The state after the given events. */
  readonly thenState: (expected: State) => Effect.Effect<void, Unexpected, N>
  /** The row that the aggregate's projection keeps after the given events; `undefined` for none. */
  readonly thenRow: <Row>(collection: Collection<Row>, expected: Row | undefined) => Effect.Effect<void, Unexpected, N>
}

/**
 * What the test has to provide of what an aggregate needs: `PersonalData` for events with personal fields, else nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Needs<P> = Exclude<P, StateStore | Snapshots>

/**
 * A command that was decided.
 *
 * @category models
 * @since 0.1.0
 */
export interface When<State, Event extends { readonly _tag: string }, E, R> {
  /** The events that were decided, none as `[]`, or the error. */
  readonly then: (expected: ReadonlyArray<Event> | E) => Effect.Effect<void, Unexpected, R>
  /** The error, by its tag or by a question. */
  readonly thenFails: (expected: TagOf<E> | ((error: E) => boolean)) => Effect.Effect<void, Unexpected, R>
  /** The state after the events that were decided. */
  readonly thenState: (expected: State) => Effect.Effect<void, Unexpected, R>
  /** The row that the aggregate's projection keeps after them; `undefined` for none. */
  readonly thenRow: <Row>(collection: Collection<Row>, expected: Row | undefined) => Effect.Effect<void, Unexpected, R>
}

/**
 * A command that was sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface WhenSent<State, Event extends { readonly _tag: string }, A, E, R>
  extends Pick<When<State, Event, E, R>, "then" | "thenFails" | "thenState">
{
  readonly thenReplies: (expected: A) => Effect.Effect<void, Unexpected, R>
}

/**
 * The tag of an error that has one.
 *
 * @category models
 * @since 0.1.0
 */
export type TagOf<E> = E extends { readonly _tag: infer Tag extends string } ? Tag : never

/** What a test found out. */
interface Outcome<State, Event> {
  /** The lines that say what was given and what came. */
  readonly story: ReadonlyArray<string>
  readonly exit: Exit.Exit<unknown, unknown>
  readonly events: ReadonlyArray<Event>
  readonly state: State
  readonly row: (collection: Collection<unknown>) => Effect.Effect<unknown>
}

/**
 * Begins a test: what has happened to the aggregate.
 *
 * @category constructors
 * @since 0.1.0
 */
export const given = <
  State,
  Event extends { readonly _tag: string },
  Commands extends Command.AnyAggregate,
  R,
  P
>(
  aggregate: Aggregate.Aggregate<string, State, Event, Commands, R, P>,
  events: ReadonlyArray<NoInfer<Event>> = []
): Given<State, Event, Commands, R, Needs<P>> => {
  const story = [
    `given ${aggregate.name}${events.length === 0 ? " without events" : ""}`,
    ...events.map((event) => `  ${shown(event)}`)
  ]
  // A memory store gives what an aggregate needs besides `Needs<P>`; with a generic `P` the compiler cannot subtract it.
  const before = Effect.gen(function*() {
    const state = yield* keep(aggregate, "it", events, [])
    return { story, exit: Exit.void, events: [], state, row: rowOf(aggregate, state, "it", events.length) }
  }).pipe(inMemory) as Effect.Effect<Outcome<State, Event>, Unexpected, Needs<P>>

  const decide = <C extends Commands>(command: C, input: Rpc.PayloadConstructor<C>) =>
    Effect.gen(function*() {
      const payload = yield* payloadOf(command, input)
      const id = command.aggregateId(payload as never)
      const state = yield* keep(aggregate, id, events, [])
      const exit = yield* Effect.exit(
        aggregate.decideUnsafe(command._tag, state, payload, { id, version: events.length })
      )
      const decided = Exit.isSuccess(exit) ? exit.value : []
      const after = yield* keep(aggregate, id, decided, events)
      return {
        story: [...story, `when ${command._tag} ${Formatter.format(input)}`],
        exit,
        events: decided,
        state: after,
        row: rowOf(aggregate, after, id, events.length + decided.length)
      }
    }).pipe(inMemory) as Effect.Effect<Outcome<State, Event>, Unexpected, R | Needs<P>>

  const send = <C extends Commands>(
    command: C,
    input: Rpc.PayloadConstructor<C>,
    options: Parameters<typeof Mediator.send>[2]
  ) =>
    Effect.gen(function*() {
      const id = command.aggregateId((yield* payloadOf(command, input)) as never)
      yield* keep(aggregate, id, events, [])
      const exit = yield* Effect.exit(Mediator.send(command, input, options))
      const stored: Array<Event> = []
      const { state } = yield* Effect.orDie(
        Aggregate.load(aggregate, id, { onEvent: (event) => void stored.push(event) })
      )
      return {
        story: [...story, `when ${command._tag} was sent with ${Formatter.format(input)}`],
        exit,
        events: stored.slice(events.length),
        state,
        row: () => Effect.void
      }
    }) as Effect.Effect<Outcome<State, Event>, Unexpected, Rpc.ToHandler<C> | EventStore | Needs<P>>

  return {
    when: (command, payload) => expectations(decide(command, payload)),
    whenSent: <C extends Commands>(
      command: C,
      payload: Rpc.PayloadConstructor<C>,
      options?: Parameters<typeof Mediator.send>[2]
    ) => {
      const outcome = send(command, payload, options)
      return {
        ...expectations<State, Event, Rpc.Error<C>, Rpc.ToHandler<C> | EventStore | Needs<P>>(outcome),
        thenReplies: (expected) =>
          check(
            outcome,
            expected,
            ({ exit }) =>
              Exit.isSuccess(exit) ? compareValue("the reply", expected, exit.value) : compareError(undefined, exit)
          )
      }
    },
    thenState: (expected) => expectations(before).thenState(expected),
    thenRow: (collection, expected) => expectations(before).thenRow(collection, expected)
  }
}

const expectations = <State, Event extends { readonly _tag: string }, E, R>(
  outcome: Effect.Effect<Outcome<State, Event>, Unexpected, R>
): When<State, Event, E, R> => ({
  then: (expected) => {
    if (typeof expected === "function") {
      throw new TypeError(
        "AggregateSpec: this is no promise. End it with .then(events), and run the effect that returns"
      )
    }
    return check(outcome, expected, ({ events, exit }) =>
      isEvents<Event>(expected)
        ? Exit.isSuccess(exit) ? compareEvents(expected, events) : compareError(undefined, exit)
        : Exit.isSuccess(exit)
        ? [`expected ${failure(expected)}`, ...got(events)]
        : compareError(expected, exit))
  },
  thenFails: (expected) =>
    check(outcome, expected, ({ events, exit }) => {
      if (Exit.isSuccess(exit)) {
        return [`expected a failure${typeof expected === "string" ? `, ${expected}` : ""}`, ...got(events)]
      }
      return compareError(expected, exit)
    }),
  thenState: (expected) =>
    check(
      outcome,
      expected,
      ({ exit, state }) =>
        Exit.isSuccess(exit) ? compareValue("the state", expected, state) : compareError(undefined, exit)
    ),
  thenRow: (collection, expected) =>
    Effect.flatMap(
      outcome,
      ({ exit, row, story }) =>
        Effect.flatMap(row(collection as Collection<unknown>), (actual) =>
          Exit.isSuccess(exit)
            ? verdict(story, expected, actual, compareValue(`the row in "${collection.name}"`, expected, actual))
            : verdict(story, expected, exit, compareError(undefined, exit)))
    )
})

const got = (events: ReadonlyArray<{ readonly _tag: string }>): ReadonlyArray<string> =>
  events.length === 0
    ? ["it succeeded without events"]
    : ["it succeeded with", ...events.map((one) => `  ${shown(one)}`)]

const isEvents = <Event>(expected: unknown): expected is ReadonlyArray<Event> => Array.isArray(expected)

const check = <State, Event, R>(
  outcome: Effect.Effect<Outcome<State, Event>, Unexpected, R>,
  expected: unknown,
  compare: (outcome: Outcome<State, Event>) => ReadonlyArray<string>
): Effect.Effect<void, Unexpected, R> =>
  Effect.flatMap(outcome, (found) =>
    verdict(
      found.story,
      expected,
      Array.isArray(expected) && Exit.isSuccess(found.exit) ? found.events : found.exit,
      compare(found)
    ))

const verdict = (
  story: ReadonlyArray<string>,
  expected: unknown,
  actual: unknown,
  differences: ReadonlyArray<string>
): Effect.Effect<void, Unexpected> =>
  differences.length === 0
    ? Effect.void
    : Effect.fail(
      new Unexpected({
        text: [...story, "then", ...differences.map((line) => `  ${line}`)].join("\n"),
        expected,
        actual
      })
    )
