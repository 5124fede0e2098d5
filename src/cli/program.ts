/** Puts the subcommands together and runs the one that was asked for. */
// By module, because the whole package takes a quarter of a second to load.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Option, Runtime } from "effect"
import { CliError, Command } from "effect/cli"
import { readFileSync } from "node:fs"
import { dev } from "./dev.ts"
import { diagnose } from "./diagnose.ts"
import { doctor } from "./doctor.ts"
import { gateway } from "./gateway.ts"
import { grade } from "./grade.ts"
import { incident } from "./incident.ts"
import { learn } from "./learn.ts"
import { probe } from "./probe.ts"
import { serve } from "./serve.ts"
import { store } from "./store.ts"
import { story } from "./story.ts"

/** Both `src/cli` and `dist/cli` lie two folders below the package. */
const packageFile = new URL("../../package.json", import.meta.url)
const version = (): string => (JSON.parse(readFileSync(packageFile, "utf8")) as { readonly version: string }).version

const lifecycle = Command.make("lifecycle").pipe(
  Command.withDescription("The request lifecycle: learn it, run the example services, time a request, read a failure."),
  Command.withSubcommands([learn, serve, gateway, probe, diagnose, story, doctor, incident, store, grade, dev])
)

/** What a person reads of a failure: the sentence of an error, the whole story of a bug. */
const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  // The command line has said already what is wrong with it, and so has a command whose error asks for silence.
  if (failure !== undefined && (CliError.isCliError(failure) || !Runtime.getErrorReported(failure))) return Effect.void
  return failure instanceof Error && failure.message !== ""
    ? Console.error(failure.message)
    : Console.error(Cause.pretty(cause))
}

/** These keep 1 for what they have found: what is asked in a wrong way ends them with 2. */
const finding = new Set(["learn", "grade", "dev", "store", "incident", "probe", "story"])

/** To be stopped is the way `serve` and `gateway` end; for every other command it is an interruption. */
const teardown: Runtime.Teardown = (exit, onExit) => {
  const [, , command = ""] = process.argv
  if ((command === "serve" || command === "gateway") && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) {
    return onExit(0)
  }
  const failure = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
  if (finding.has(command) && failure !== undefined && CliError.isCliError(failure)) {
    return onExit(failure._tag === "ShowHelp" && failure.errors.length === 0 ? 0 : 2)
  }
  return Runtime.defaultTeardown(exit, onExit)
}

/** Runs the command that the process was started with. */
export const main = (): void =>
  NodeRuntime.runMain(
    Command.run(lifecycle, { version: version() }).pipe(
      Effect.tapCause(report),
      Effect.provide(NodeServices.layer)
    ),
    { disableErrorReporting: true, teardown }
  )
