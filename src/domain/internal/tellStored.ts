import { Cause, Effect, Option } from "effect"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as RequestId from "../../request/RequestId.ts"
import type { Stored } from "../Hooks.ts"
import type { Decided } from "./aggregate/unitOfDecision.ts"
import { deliver, type Retry } from "./deliver.ts"
import type { Installation } from "./handler/handler.ts"
import { hookFailed } from "./report.ts"

/**
 * Tells the events of a committed command to their handlers. What goes wrong is reported; it is no failure of the command.
 */
export const tellStored = (
  on: Installation,
  command: Decided,
  events: ReadonlyArray<Stored>
): Effect.Effect<void> => {
  const retry: Retry = {
    schedule: on.listeners,
    failed: (handler, attempt, willRetry, cause) =>
      Effect.andThen(
        hookFailed(handler, command.name, attempt, willRetry),
        willRetry || !Cause.hasDies(cause) ? Effect.void : bug(cause)
      )
  }
  const told = events.map(({ event, meta, version }) => ({
    event,
    origin: { aggregate: command.aggregate.name, id: command.aggregate.id, version, meta }
  }))
  const telling = deliver(told, {
    policy: on.events,
    retry,
    only: (handler) => !handler.durable,
    handled: false
  }).pipe(
    Effect.catchTag("EventHandlersFailed", () => Effect.void), // each was reported when it failed
    Effect.catchCause((cause) =>
      Cause.hasInterrupts(cause)
        ? Effect.interrupt
        : Effect.andThen(hookFailed("events", command.name, 1, false), bug(cause))
    )
  )
  return on.events.delivery === "await"
    ? telling
    : Effect.asVoid(Effect.forkIn(telling, on.scope, { startImmediately: true }))
}

/** Events that follow each other in a circle, and handlers that die, are mistakes in the program. */
const bug = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const requestId = Option.getOrUndefined(fiber.getRef(RequestId.Current))
    fiber.getRef(Recorder.Current)?.({ _tag: "DefectCaught", stage: "Handler", requestId, cause }, fiber)
    return Effect.void
  })
