/** Puts the subcommands together and runs the one that was asked for. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Option, Runtime } from "effect"
import { CliError, Command } from "effect/cli"
import { readFileSync } from "node:fs"
import { diagnose } from "./diagnose.ts"
import { doctor } from "./doctor.ts"
import { probe } from "./probe.ts"
import { serve } from "./serve.ts"

/** Both `src/cli` and `dist/cli` lie two folders below the package. */
const packageFile = new URL("../../package.json", import.meta.url)
const version = (): string => (JSON.parse(readFileSync(packageFile, "utf8")) as { readonly version: string }).version

const lifecycle = Command.make("lifecycle").pipe(
  Command.withDescription("The request lifecycle: run the example services, time a request, read a failure."),
  Command.withSubcommands([serve, probe, diagnose, doctor])
)

/** What a person reads of a failure: the sentence of an error, the whole story of a bug. */
const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  // The command line has said already what is wrong with it.
  if (failure !== undefined && CliError.isCliError(failure)) return Effect.void
  return failure instanceof Error && failure.message !== ""
    ? Console.error(failure.message)
    : Console.error(Cause.pretty(cause))
}

/** To be stopped is the way `serve` ends; for every other command it is an interruption. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  process.argv[2] === "serve" && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    ? onExit(0)
    : Runtime.defaultTeardown(exit, onExit)

/** Runs the command that the process was started with. */
export const main = (): void =>
  NodeRuntime.runMain(
    Command.run(lifecycle, { version: version() }).pipe(
      Effect.tapCause(report),
      Effect.provide(NodeServices.layer)
    ),
    { disableErrorReporting: true, teardown }
  )
