import { Cause, Effect, type Schedule, Stream } from "effect"
import { dual } from "effect/Function"
import type { Rpc } from "effect/rpc"
import * as Fallback from "../../../resilience/Fallback.ts"
import { InvalidOption } from "../../../resilience/InvalidOption.ts"
import type * as Command from "../../Command.ts"
import { Refused } from "../../DomainError.ts"
import type * as DomainEvent from "../../DomainEvent.ts"
import type { EventHandler } from "../../EventHandler.ts"
import type * as Query from "../../Query.ts"
import type { Call, Handler, StreamHandler } from "./handler.ts"

/**
 * A second handler of the same definition, and when it takes over.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackOptions<Tag extends string, R, Definition extends Rpc.AnyWithProps> {
  /** It is told in `Sent.failed` why the first one failed. */
  readonly fallback: Handler<Tag, R, Definition>
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: Fallback.On<Rpc.Error<Definition>> | undefined
  /** Guards the first handler. Shared by several, it keeps one circuit for each `name`. */
  readonly breaker?: Fallback.Breaker | undefined
  /** The key of the circuit, and the name in reports; the tag when absent. */
  readonly name?: string | undefined
}

/**
 * Puts a second handler of the same command or query behind a handler.
 *
 * Both fail: the failures of both survive in one cause, the first first. Middleware and hooks run once, around the two.
 * Where the circuit is open and no other failure can be told, the request is `Refused`.
 *
 * The layer does not build (`InvalidOption`) when the two handle different definitions.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const withFallback: {
  <Definition extends Command.Any | Query.Any, R2>(
    options: FallbackOptions<Definition["_tag"], R2, Definition>
  ): <Tag extends Definition["_tag"], R>(
    primary: Handler<Tag, R, Definition>
  ) => Handler<Tag, R | R2, Definition>
  <Tag extends string, R, Definition extends Command.Any | Query.Any, R2>(
    primary: Handler<Tag, R, Definition>,
    options: FallbackOptions<NoInfer<Tag>, R2, NoInfer<Definition>>
  ): Handler<Tag, R | R2, Definition>
} = dual(2, <Tag extends string, R, Definition extends Command.Any | Query.Any, R2>(
  primary: Handler<Tag, R, Definition>,
  options: FallbackOptions<Tag, R2, Definition>
): Handler<Tag, R | R2, Definition> => {
  const { breaker, fallback } = options
  const name = options.name ?? primary.tag
  return {
    kind: "request",
    tag: primary.tag,
    name,
    definition: primary.definition,
    part: { _tag: "Fallback", primary, fallback, breaker: breaker !== undefined },
    prepare: (on) => {
      same("Domain.withFallback", primary, fallback)
      const first = primary.prepare(on)
      const second = fallback.prepare(on)
      const run = Fallback.handler<Call, unknown, unknown, R, unknown, R2, Fallback.Breaker | undefined>({
        primary: { name, handle: first.run },
        fallback: { name: fallback.name, handle: (call, failed) => second.run({ ...call, failed }) },
        // The list is of the definition's own errors, which a handler's prepared form no longer shows.
        on: options.on as Fallback.On<unknown> | undefined,
        breaker
      })
      return { target: first.target, run: (call) => Effect.catchCause(run(call), failWith(primary.tag)) }
    }
  }
})

/**
 * A second stream of the same definition, when it takes over, and what happens to items delivered before.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamFallbackOptions<Tag extends string, R, Definition extends Rpc.AnyWithProps, K, R3, R4> {
  /** It is told why and where the first stream broke. */
  readonly fallback: StreamHandler<Tag, R, Definition>
  /** What happens to items that were delivered before the break. No answer is right for everybody. */
  readonly mode: Fallback.Mode<Rpc.SuccessChunk<Definition>, K>
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: Fallback.On<Rpc.ErrorExit<Definition>> | undefined
  /** Guards each run of the first stream. Shared by several, it keeps one circuit for each `name`. */
  readonly breaker?: Fallback.Breaker | undefined
  /** Runs the first stream again before the fallback is asked. */
  readonly retry?: Schedule.Schedule<unknown, Rpc.ErrorExit<Definition>, never, R3> | undefined
  /** Runs at the switch, before the fallback starts. */
  readonly onSwitch?:
    | ((switched: Fallback.Switched<Rpc.SuccessChunk<Definition>, unknown, K>) => Effect.Effect<unknown, never, R4>)
    | undefined
  /** The key of the circuit, and the name in reports; the tag when absent. */
  readonly name?: string | undefined
}

/**
 * Puts a second stream of the same query behind a stream: see `Fallback.stream` for the modes.
 *
 * The layer does not build (`InvalidOption`) when the two handle different definitions.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const withStreamFallback: {
  <Definition extends Query.AnyStream, R2, K = unknown, R3 = never, R4 = never>(
    options: StreamFallbackOptions<Definition["_tag"], R2, Definition, K, R3, R4>
  ): <Tag extends Definition["_tag"], R>(
    primary: StreamHandler<Tag, R, Definition>
  ) => StreamHandler<Tag, R | R2 | NoInfer<R3 | R4>, Definition>
  <Tag extends string, R, Definition extends Query.AnyStream, R2, K = unknown, R3 = never, R4 = never>(
    primary: StreamHandler<Tag, R, Definition>,
    options: StreamFallbackOptions<NoInfer<Tag>, R2, NoInfer<Definition>, K, R3, R4>
  ): StreamHandler<Tag, R | R2 | NoInfer<R3 | R4>, Definition>
} = dual(2, <Tag extends string, R, Definition extends Query.AnyStream, R2, K, R3, R4>(
  primary: StreamHandler<Tag, R, Definition>,
  options: StreamFallbackOptions<Tag, R2, Definition, K, R3, R4>
): StreamHandler<Tag, R | R2 | NoInfer<R3 | R4>, Definition> => {
  const { breaker, fallback, mode, onSwitch, retry } = options
  const name = options.name ?? primary.tag
  return {
    kind: "stream",
    tag: primary.tag,
    name,
    definition: primary.definition,
    part: { _tag: "Fallback", primary, fallback, breaker: breaker !== undefined },
    prepare: (on) => {
      same("Domain.withStreamFallback", primary, fallback)
      const first = primary.prepare(on)
      const second = fallback.prepare(on)
      return (payload, broken) =>
        // Opened inside the guard: a handler behind an open circuit, or run again, is a function that was not called yet.
        Fallback.stream(Stream.suspend(() => first(payload, broken)), {
          name,
          // Items, failures and keys have the types of the definition, which a prepared stream no longer shows.
          mode: mode as Fallback.Mode<unknown, unknown>,
          fallback: (broken) => second(payload, broken),
          on: options.on as Fallback.On<unknown> | undefined,
          breaker,
          retry: retry as Schedule.Schedule<unknown, unknown, never, R3> | undefined,
          onSwitch: onSwitch as ((switched: Fallback.Switched) => Effect.Effect<unknown, never, R4>) | undefined
        }).pipe(Stream.catchCause((cause) => Stream.fromEffect(failWith(primary.tag)(cause))))
    }
  }
})

/**
 * A second handler of the same event, and when it takes over.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventFallbackOptions<
  Type extends string,
  R,
  Event extends DomainEvent.Any,
  FollowUp extends { readonly _tag: string },
  E,
  E1
> {
  /** It is told in `Told.failed` why the first one failed. */
  readonly fallback: EventHandler<Type, R, Event, FollowUp, E>
  /** Which failures are worth it; any typed failure when absent. */
  readonly on?: Fallback.On<E1> | undefined
  /** Guards the first handler. Shared by several, it keeps one circuit for each handler's name. */
  readonly breaker?: Fallback.Breaker | undefined
}

/**
 * Puts a second handler of the same event behind a handler; the two are one handler, under the name of the first.
 *
 * Follow-up events are those of whichever succeeded. What happens to them is no failure of either, so it never leads to
 * the fallback and never counts against the circuit.
 *
 * The layer does not build (`InvalidOption`) when the two handle different definitions.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const withEventFallback: {
  <
    Event extends DomainEvent.Any,
    R2,
    FollowUp2 extends { readonly _tag: string },
    E2,
    E = unknown
  >(
    options: EventFallbackOptions<Event["type"], R2, Event, FollowUp2, E2, E>
  ): <Type extends Event["type"], R, FollowUp extends { readonly _tag: string }>(
    primary: EventHandler<Type, R, Event, FollowUp, E>
  ) => EventHandler<Type, R | R2, Event, FollowUp | FollowUp2, E | E2>
  <
    Type extends string,
    R,
    Event extends DomainEvent.Any,
    FollowUp extends { readonly _tag: string },
    E,
    R2,
    FollowUp2 extends { readonly _tag: string },
    E2
  >(
    primary: EventHandler<Type, R, Event, FollowUp, E>,
    options: EventFallbackOptions<NoInfer<Type>, R2, NoInfer<Event>, FollowUp2, E2, NoInfer<E>>
  ): EventHandler<Type, R | R2, Event, FollowUp | FollowUp2, E | E2>
} = dual(2, <
  Type extends string,
  R,
  Event extends DomainEvent.Any,
  FollowUp extends { readonly _tag: string },
  E,
  R2,
  FollowUp2 extends { readonly _tag: string },
  E2
>(
  primary: EventHandler<Type, R, Event, FollowUp, E>,
  { breaker, fallback, on }: EventFallbackOptions<Type, R2, Event, FollowUp2, E2, E>
): EventHandler<Type, R | R2, Event, FollowUp | FollowUp2, unknown> => ({
  ...primary,
  part: { _tag: "Fallback", primary, fallback, breaker: breaker !== undefined },
  check: () => {
    same("Domain.withEventFallback", primary, fallback)
    primary.check()
    fallback.check()
  },
  handle: (event, told) =>
    Fallback.event<
      never,
      void | ReadonlyArray<FollowUp | FollowUp2>,
      E,
      R,
      E2,
      R2,
      never,
      never,
      Fallback.Breaker | undefined
    >({
      primary: { name: primary.name, handle: () => primary.handle(event, told) },
      fallback: { name: fallback.name, handle: (_, failed) => fallback.handle(event, { ...told, failed }) },
      on,
      breaker
    })(event)
}))

/** Two handlers made without types may be of different definitions. */
export const same = (
  module: string,
  first: { readonly name: string; readonly definition: unknown },
  second: { readonly name: string; readonly definition: unknown }
): void => {
  if (first.definition === second.definition) return
  throw new InvalidOption({
    module,
    option: "fallback",
    value: `"${second.name}", a handler of another definition`,
    allowed:
      `a handler of the definition that "${first.name}" handles, so that request and response have the same types`
  })
}

/** An open circuit is no error of a definition: it is left out beside other failures, and alone it is a refusal. */
export const failWith = (name: string) => (cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> => {
  const reasons = cause.reasons.filter((reason) =>
    !(Cause.isFailReason(reason) && Fallback.isOpenCircuit(reason.error))
  )
  if (reasons.length === cause.reasons.length) return Effect.failCause(cause)
  return reasons.length > 0
    ? Effect.failCause(Cause.fromReasons(reasons))
    : Effect.fail(new Refused({ name, reason: "its circuit is open, after too many failures" }))
}
