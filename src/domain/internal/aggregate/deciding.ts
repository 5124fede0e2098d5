/** What an aggregate does without a store. */
import type { Effect } from "effect"
import type { Rpc } from "effect/rpc"
import type * as Command from "../../Command.ts"
import type { Aggregate } from "./definition.ts"

/**
 * The state after some events, from `state` or from the initial one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const fold = <
  Name extends string,
  State,
  Event extends { readonly _tag: string },
  C extends Command.AnyAggregate,
  R,
  P
>(
  aggregate: Aggregate<Name, State, Event, C, R, P>,
  events: Iterable<NoInfer<Event>>,
  state: NoInfer<State> = aggregate.initial
): State => {
  let current = state
  for (const event of events) current = aggregate.evolve(current, event)
  return current
}

/**
 * What the aggregate decides on a command in a state; stores nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const decide = <
  Name extends string,
  State,
  Event extends { readonly _tag: string },
  Commands extends Command.AnyAggregate,
  R,
  P,
  C extends Commands
>(
  aggregate: Aggregate<Name, State, Event, Commands, R, P>,
  command: C,
  state: NoInfer<State>,
  payload: Rpc.Payload<C>,
  version = 0
): Effect.Effect<ReadonlyArray<Event>, Rpc.Error<C>, R> =>
  aggregate.decideUnsafe(command._tag, state, payload, {
    id: command.aggregateId(payload as never),
    version
    // `make` only accepts a function with these errors under this tag.
  }) as Effect.Effect<ReadonlyArray<Event>, Rpc.Error<C>, R>
