import { Cause, Clock, Effect, Exit, type Fiber, Option, Stream } from "effect"
import { type CommandEnded, Current, type Recorder } from "../../lifecycle/Recorder.ts"

type Kind = CommandEnded["kind"]

/** Reports the end of `self` once, whatever end it is. */
export const ended = <A, E, R>(name: string, kind: Kind, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const recorder = fiber.getRef(Current)
    if (recorder === undefined) return self
    const report = begin(recorder, fiber, name, kind)
    return Effect.onExit(self, (exit) => Effect.sync(() => report(exit)))
  })

/** Reports the end of `self` once: when it is exhausted, fails, or is abandoned. */
export const endedStream = <A, E, R>(name: string, self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.unwrap(Effect.withFiber((fiber) => {
    const recorder = fiber.getRef(Current)
    if (recorder === undefined) return Effect.succeed(self)
    const report = begin(recorder, fiber, name, "stream")
    return Effect.succeed(Stream.onExit(self, (exit) => Effect.sync(() => report(exit))))
  }))

/** Reports that a hook failed. */
export const hookFailed = (hook: string, command: string, attempt: number, willRetry: boolean): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Current)?.({ _tag: "HookFailed", hook, command, attempt, willRetry }, fiber)
    return Effect.void
  })

const begin = (recorder: Recorder, fiber: Fiber.Fiber<unknown, unknown>, name: string, kind: Kind) => {
  const clock = fiber.getRef(Clock.Clock)
  const startNanos = clock.monotonicTimeNanosUnsafe()
  return (exit: Exit.Exit<unknown, unknown>) =>
    recorder({
      _tag: "CommandEnded",
      name,
      kind,
      ...outcomeOf(exit),
      startNanos,
      endNanos: clock.monotonicTimeNanosUnsafe()
    }, fiber)
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Pick<CommandEnded, "outcome" | "errorTag"> => {
  if (Exit.isSuccess(exit)) return { outcome: "success", errorTag: undefined }
  if (Cause.hasDies(exit.cause)) return { outcome: "defect", errorTag: undefined }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error === undefined && !Cause.hasFails(exit.cause)) return { outcome: "interrupted", errorTag: undefined }
  return { outcome: "failure", errorTag: tagOf(error) }
}

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : undefined
