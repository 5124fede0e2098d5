/** `lifecycle diagnose`: says which stage a failure comes from, out of what curl or Node printed. */
import { Console, Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { text } from "node:stream/consumers"
import * as Diagnosis from "../lifecycle/Diagnosis.ts"
import { lines } from "./findings.ts"

/**
 * There was nothing to diagnose.
 *
 * @category errors
 * @since 0.1.0
 */
export class NothingToRead extends Schema.TaggedError<NothingToRead>()("NothingToRead", {}) {
  override get message(): string {
    return "There is nothing to diagnose: pipe curl's output into it, such as " +
      "`curl -sSvi https://example.com 2>&1 | npx lifecycle diagnose`."
  }
}

/** Curl's words first; where they decide nothing, an error code of Node that stands in the text. */
const diagnoseText = (input: string): Diagnosis.Diagnosis => {
  const spoken = Diagnosis.diagnose({ _tag: "Curl", text: input })
  const code =
    /\b(?:E[A-Z]{3,}[A-Z0-9_]*|UND_ERR_[A-Z_]+|ERR_[A-Z_]+|CERT_[A-Z_]+|DEPTH_ZERO_[A-Z_]+|UNABLE_TO_[A-Z_]+)\b/
      .exec(input)?.[0]
  return spoken.verdict !== "undecided" || code === undefined
    ? spoken
    : Diagnosis.diagnose({ _tag: "NodeError", code, message: input.slice(0, 4_096) })
}

/**
 * Reads standard input to its end.
 *
 * @category commands
 * @since 0.1.0
 */
export const diagnose = Command.make(
  "diagnose",
  {},
  Effect.fn("cli.diagnose")(function*() {
    if (process.stdin.isTTY) yield* Console.error("Paste what curl or Node printed, then press Ctrl+D.")
    const input = yield* Effect.tryPromise({ try: () => text(process.stdin), catch: () => new NothingToRead() })
    if (input.trim() === "") return yield* new NothingToRead()
    yield* Console.log(lines(diagnoseText(input)).join("\n"))
  })
).pipe(Command.withDescription("Read what curl or Node printed from standard input, and name the stage that failed"))
