import { type Cause, Effect } from "effect"
import { orElse } from "./fallbackEffect.ts"
import { type On, shouldFallback } from "./fallbackPolicy.ts"
import { type Breaker, type BreakerFailure, guardEffect, nameOf } from "./fallbackSwitch.ts"

/**
 * A named handler of requests or events. The name is the key of its circuit and stands in reports.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handler<in Request, out A, out E = never, out R = never> {
  readonly name: string
  readonly handle: (request: Request) => Effect.Effect<A, E, R>
}

/**
 * A handler that takes over from another: the same request, a success that fits, and the cause.
 *
 * @category models
 * @since 0.1.0
 */
export interface SecondHandler<in Request, out A, in E1, out E = never, out R = never> {
  readonly name: string
  readonly handle: (request: Request, cause: Cause.Cause<E1>) => Effect.Effect<A, E, R>
}

/**
 * Two handlers, and when the second takes over.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerOptions<Request, A, E, R, E2, R2, B extends Breaker | undefined = undefined> {
  readonly primary: Handler<Request, A, E, R>
  readonly fallback: SecondHandler<NoInfer<Request>, NoInfer<A>, NoInfer<E> | BreakerFailure<B>, E2, R2>
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: On<NoInfer<E>> | undefined
  /** Guards the primary. Shared by several handlers, it keeps one circuit for each primary's name. */
  readonly breaker?: B
}

/**
 * A handler of requests with a second one behind it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const handler = <
  Request,
  A,
  E = never,
  R = never,
  E2 = never,
  R2 = never,
  B extends Breaker | undefined = undefined
>(
  options: HandlerOptions<Request, A, E, R, E2, R2, B>
): (request: Request) => Effect.Effect<A, E | E2 | BreakerFailure<B>, R | R2> => guarded("Fallback.handler", options)

/**
 * Two handlers of an event, when the second takes over, and what follows.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventOptions<Event, A, E, R, E2, R2, E3, R3, B extends Breaker | undefined = undefined>
  extends HandlerOptions<Event, A, E, R, E2, R2, B>
{
  /** What follows from the event, given what the handler that ran has answered; nothing when absent. */
  readonly followUp?: ((outcome: NoInfer<A>, event: NoInfer<Event>) => Effect.Effect<unknown, E3, R3>) | undefined
}

/**
 * A handler of events with a second one behind it. Only the handler is guarded: `followUp` runs once after whichever of
 * the two succeeded, and its failure is its own, never a reason for the fallback or a mark against the circuit.
 *
 * @category constructors
 * @since 0.1.0
 */
export const event = <
  Event,
  A,
  E = never,
  R = never,
  E2 = never,
  R2 = never,
  E3 = never,
  R3 = never,
  B extends Breaker | undefined = undefined
>(
  options: EventOptions<Event, A, E, R, E2, R2, E3, R3, B>
): (event: Event) => Effect.Effect<A, E | E2 | E3 | BreakerFailure<B>, R | R2 | R3> => {
  const run = guarded("Fallback.event", options)
  const { followUp } = options
  return followUp === undefined
    ? run
    : (event) => Effect.tap(run(event), (outcome) => followUp(outcome, event))
}

const guarded = <Request, A, E, R, E2, R2, B extends Breaker | undefined>(
  module: string,
  options: HandlerOptions<Request, A, E, R, E2, R2, B>
): (request: Request) => Effect.Effect<A, E | E2 | BreakerFailure<B>, R | R2> => {
  const { breaker, fallback, primary } = options
  const name = nameOf(module, primary.name, breaker)
  const policy = shouldFallback<E>(options.on)
  return (request) =>
    orElse(
      guardEffect(Effect.suspend(() => primary.handle(request)), name, breaker),
      name,
      policy,
      (cause) => fallback.handle(request, cause)
    )
}
