/**
 * One of the processes of `serve --workers N`: all three services on free ports, over the database of the process that
 * started it. It is told where that is, says where it listens, and ends when it is told to or its parent is gone.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Exit, Layer, Option, Runtime } from "effect"
import { Database } from "effect-lifecycle/testing"
import { launch } from "./launch.ts"
import type { FromWorker, ToWorker } from "./workers.ts"

const say = (message: FromWorker): Effect.Effect<void> =>
  Effect.callback((resume) => {
    // Nobody is left to be told.
    if (process.send === undefined || !process.connected) return resume(Effect.void)
    process.send(message, () => resume(Effect.void))
  })

const told = Effect.callback<Extract<ToWorker, { readonly _tag: "Work" }>>((resume) => {
  process.on("message", (message: ToWorker) => {
    if (message._tag === "Work") resume(Effect.succeed(message))
    else process.send?.({ _tag: "Pong" } satisfies FromWorker, () => {})
  })
})

/** The channel closes with the parent, however it ended. */
const orphaned = Effect.callback<void>((resume) => {
  const gone = () => resume(Effect.void)
  if (!process.connected) return gone()
  process.once("disconnect", gone)
  return Effect.sync(() => process.off("disconnect", gone))
})

const work = Effect.gen(function*() {
  const { address, poolSize } = yield* told
  const server = Layer.succeed(Database.Server, { address, description: "the server of serve", embedded: undefined })
  return yield* Effect.gen(function*() {
    const addresses = yield* launch({ port: 0, keepData: true, poolSize })
    yield* say({ _tag: "Ready", addresses })
    return yield* Effect.never
  }).pipe(Effect.scoped, Effect.provide(server))
})

NodeRuntime.runMain(
  Effect.raceFirst(work, orphaned).pipe(
    Effect.tapCause((cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.void
      const error = Option.getOrUndefined(Cause.findErrorOption(cause))
      const sentence = error instanceof Error && error.message !== "" ? error.message : Cause.pretty(cause)
      return say({ _tag: "Failed", sentence })
    })
  ),
  {
    disableErrorReporting: true,
    teardown: (exit, onExit) =>
      Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
  }
)
