import { Clock, Effect, Exit, Pull, Stream } from "effect"
import { type Core, millisOf, type RunOptions, Ticket } from "./circuitCore.ts"
import type { CircuitOpen } from "./circuitOpen.ts"

/** Guards one run of `self`: success only at its completion, failure when it fails, neutral when its consumer leaves. */
export const guardStream = <A, E, R>(
  find: (nowMillis: number) => Core,
  self: Stream.Stream<A, E, R>,
  options: RunOptions<void, E> | undefined
): Stream.Stream<A, E | CircuitOpen, R> =>
  Stream.unwrap(Effect.map(
    Effect.acquireRelease(
      Effect.withFiber<Ticket, CircuitOpen>((fiber) => {
        const clock = fiber.getRef(Clock.Clock)
        const ticket = new Ticket(find(millisOf(clock)), clock, false)
        const refused = ticket.enter(fiber)
        return refused === undefined ? Effect.succeed(ticket) : Effect.fail(refused)
      }),
      (ticket) =>
        Effect.withFiber((fiber) => {
          ticket.leave(Exit.interrupt(), undefined, fiber)
          return Effect.void
        })
    ),
    (ticket) =>
      Stream.transformPull(self, (pull) =>
        Effect.succeed(Effect.onExit(pull, (exit) =>
          Effect.withFiber((fiber) => {
            if (Exit.isSuccess(exit)) return Effect.void
            const ended = Pull.doneExitFromCause(exit.cause)
            const outcome: Exit.Exit<void, E> = Exit.isSuccess(ended) ? Exit.void : Exit.failCause(ended.cause)
            ticket.leave(outcome, options?.classify, fiber)
            return Effect.void
          }))))
  ))
