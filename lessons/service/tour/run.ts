/** The tour as a program: what it takes from the command line, what it says when it cannot start, and how it ends. */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Option, Runtime } from "effect"
import { Database } from "effect-lifecycle/testing"
import { standard } from "./terminal.ts"
import { tour } from "./tour.ts"

const usage = "Usage: npm start -- [--plain]\n\n  --plain  no colours, whatever the terminal can do\n"

/** What a person reads when the tour did not come to its end: the sentence of an error, the whole story of a bug. */
const explain = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.sync(() => {
    if (Cause.hasInterruptsOnly(cause)) return
    const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
    const text = failure instanceof Error && failure.message !== "" ? failure.message : Cause.pretty(cause)
    process.stderr.write(`${text}\n`)
  })

/** 0 when everything was as expected, 1 when something was not or the tour could not start, 130 after Ctrl+C. */
export const run = (options: Pick<Parameters<typeof tour>[0], "front"> = {}): void => {
  const args = process.argv.slice(2)
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(usage)
    return
  }
  const unknown = args.find((arg) => arg !== "--plain")
  if (unknown !== undefined) {
    process.stderr.write(`The tour does not know "${unknown}".\n${usage}`)
    process.exitCode = 1
    return
  }
  NodeRuntime.runMain(
    tour({ ...options, terminal: standard({ plain: args.includes("--plain") }) }).pipe(
      Effect.provide(Database.layerServer()),
      Effect.tapCause(explain)
    ),
    {
      disableErrorReporting: true,
      teardown: (exit, onExit) =>
        exit._tag === "Success"
          ? onExit((exit.value as { readonly differences: ReadonlyArray<unknown> }).differences.length === 0 ? 0 : 1)
          : Runtime.defaultTeardown(exit, onExit)
    }
  )
}
