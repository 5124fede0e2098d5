/**
 * One of the processes of `serve --workers N`: all three services on ports of its own, over the database of the process that
 * started it. It is told where that is, says where it listens, and ends when it is told to or its parent is gone.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Exit, Layer, Option, Runtime, Scope } from "effect"
import { Database } from "effect-lifecycle/testing"
import { launch, type Options } from "./launch.ts"
import type { Sibling } from "./shared/Page.ts"
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
    else if (message._tag === "Siblings") siblings = message.siblings
    else if (message._tag === "Leave") leaving.draining = true
    else process.send?.({ _tag: "Pong" } satisfies FromWorker, () => {})
  })
})

/** The other processes, as they were last told of. */
let siblings: ReadonlyArray<Sibling> = []

/** Whether open pages are let go. */
const leaving = { draining: false }

/** The channel closes with the parent, however it ended. */
const orphaned = Effect.callback<void>((resume) => {
  const gone = () => resume(Effect.void)
  if (!process.connected) return gone()
  process.once("disconnect", gone)
  return Effect.sync(() => process.off("disconnect", gone))
})

/** What had already begun where a port is taken ends first: it holds connections. */
const launchNear = Effect.fnUntraced(function*(port: number, given: Pick<Options, "poolSize" | "tokens">) {
  const options = { ...given, keepData: true, siblings: () => siblings, leaving }
  const scope = yield* Scope.fork(yield* Effect.scope)
  return yield* Scope.provide(launch({ ...options, port: port > 65_533 ? 0 : port }), scope).pipe(
    Effect.catchTag("ListenError", () => Effect.andThen(Scope.close(scope, Exit.void), launch({ ...options, port: 0 })))
  )
})

const work = Effect.gen(function*() {
  const { address, poolSize, port, tokens } = yield* told
  const server = Layer.succeed(Database.Server, { address, description: "the server of serve", embedded: undefined })
  return yield* Effect.gen(function*() {
    const addresses = yield* launchNear(port, { poolSize, tokens })
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
