/**
 * One sleeper for the deadlines of all requests of a server.
 *
 * A timer and a fiber for each request would cost more than the rest of the stack, and nearly none of them would ever
 * fire. Here a request puts itself into a set and takes itself out; the sleeper wakes at the earliest deadline it knows,
 * interrupts what is late, and sleeps on to the next. It looks at the set about once in the shortest deadline, whatever
 * the load.
 */
import { Cause, Clock, Context, Duration, Effect, Fiber, Scope } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"
import { type Deadline, DeadlineExceeded } from "../../request/Deadline.ts"
import * as listenerHit from "./listenerHit.ts"

/** On the interruption of a request whose time was up; `Problems` reads it. */
export class DeadlineHit extends Context.Service<DeadlineHit, DeadlineExceeded>()(
  "effect-lifecycle/server/DeadlineHit"
) {}

/** The deadline that an interruption came from. */
export const hitOf = (reason: Cause.Interrupt): DeadlineExceeded | undefined => {
  const hit = reason.annotations.get(DeadlineHit.key)
  return hit instanceof DeadlineExceeded ? hit : undefined
}

interface Entry {
  readonly deadline: Deadline
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

export interface DeadlineWatch {
  /** Interrupts the fiber that runs `self` at `deadline`, unless `self` is over by then. */
  readonly guard: <A, E, R>(
    self: Effect.Effect<A, E, R>,
    deadline: Deadline,
    fiber: Fiber.Fiber<unknown, unknown>
  ) => Effect.Effect<A, E, R>
}

export const make: Effect.Effect<DeadlineWatch, never, Scope.Scope> = Effect.contextWith(
  (context: Context.Context<Scope.Scope>) =>
    Effect.sync(() => {
      const scope = Context.get(context, Scope.Scope)
      const clock = Context.get(context, Clock.Clock)
      const live = new Set<Entry>()
      let sleeper: Fiber.Fiber<void> | undefined
      let wakeAt: bigint | undefined

      const sleepUntil = (at: bigint, now: bigint): void => {
        wakeAt = at
        const woken = sleeper
        // A millisecond late on purpose: a deadline of the handler's own at the same moment fails with its type.
        const duration = Duration.millis(Number((at - now + 999_999n) / 1_000_000n) + 1)
        sleeper = Fiber.runIn(
          Effect.runForkWith(context)(Effect.andThen(Effect.sleep(duration), Effect.sync(sweep))),
          scope
        )
        woken?.interruptUnsafe()
      }

      const sweep = (): void => {
        sleeper = undefined
        wakeAt = undefined
        const now = clock.monotonicTimeNanosUnsafe()
        let next: bigint | undefined
        for (const entry of live) {
          const at = entry.deadline.expiresAtNanos
          if (at > now) {
            if (next === undefined || at < next) next = at
          } else {
            live.delete(entry)
            interrupt(entry, now)
          }
        }
        // What was interrupted may have let in a request with a deadline of its own.
        if (next !== undefined && (wakeAt === undefined || next < wakeAt)) sleepUntil(next, now)
      }

      return {
        guard: (self, deadline, fiber) => {
          const entry: Entry = { deadline, fiber }
          live.add(entry)
          if (wakeAt === undefined || deadline.expiresAtNanos < wakeAt) {
            sleepUntil(deadline.expiresAtNanos, clock.monotonicTimeNanosUnsafe())
          }
          return Effect.onExit(self, () => {
            live.delete(entry)
            return Effect.void
          })
        }
      }
    })
)

const interrupt = ({ deadline, fiber }: Entry, now: bigint): void => {
  const budgetMillis = Number(deadline.expiresAtNanos - deadline.startedAtNanos) / 1_000_000
  const elapsedMillis = Number(now - deadline.startedAtNanos) / 1_000_000
  const recorder = fiber.getRef(Recorder.Current)
  if (recorder !== undefined) recorder({ _tag: "DeadlineMissed", budgetMillis }, fiber)
  // Time that the client spent on sending its body is not time that this server took, unless the client asked for so little.
  if (deadline.origin === "default" && listenerHit.waitsForBody(fiber)) {
    return listenerHit.interrupt(fiber, listenerHit.requestTimeout)
  }
  fiber.interruptUnsafe(
    undefined,
    Context.make(DeadlineHit, new DeadlineExceeded({ budgetMillis, elapsedMillis })).pipe(
      Context.add(Cause.StackTrace, { name: "DeadlineHit", stack: () => undefined, parent: undefined })
    )
  )
}
