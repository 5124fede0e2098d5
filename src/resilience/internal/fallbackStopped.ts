import { type Cause, Effect, Stream } from "effect"

/** A failure on its way past a retry or a plan that would take it for its own: it travels as an element. */
export class Stopped<out E> {
  readonly cause: Cause.Cause<E>
  constructor(cause: Cause.Cause<E>) {
    this.cause = cause
  }
}

/** Turns the element back into the failure. A {@link Stopped} is always alone in its array. */
export const unstop = <A, E, E2, R>(
  self: Stream.Stream<A | Stopped<E>, E2, R>
): Stream.Stream<A, E | E2, R> =>
  Stream.transformPull(self, (pull) =>
    Effect.succeed(Effect.flatMap(pull, (items) => {
      const first = items[0]
      return first instanceof Stopped ? Effect.failCause<E>(first.cause) : Effect.succeed(items as Items<A>)
    })))

type Items<A> = readonly [A, ...Array<A>]
