/** `lifecycle incident pool`: the incident of lesson 10, for real, inside a clone. */
import { Effect, Runtime, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { existsSync } from "node:fs"
import { load } from "./optional.ts"
import { OnlyInClone } from "./serve.ts"

/**
 * What was seen is not what the lesson says.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotAsExpected extends Schema.TaggedError<NotAsExpected>()("NotAsExpected", {}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    return "Not everything was as expected. On a machine that is busy with something else, run it once more alone."
  }
}

/** What `lessons/service/incident/pool.ts` exports. */
interface Incident {
  readonly incident: (options: { readonly json: boolean; readonly plain: boolean }) => Effect.Effect<boolean, unknown>
}

const file = new URL("../../lessons/service/incident/pool.ts", import.meta.url)

const pool = Command.make(
  "pool",
  {
    json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("Answer with one line of JSON")),
    plain: Flag.Boolean("plain").pipe(Flag.withDefault(false), Flag.withDescription("No colours"))
  },
  Effect.fn("cli.incident.pool")(function*(options) {
    if (!existsSync(file)) return yield* new OnlyInClone({ command: "incident pool" })
    const module = yield* load<Incident>(() => import(file.href))
    if (!(yield* module.incident(options))) return yield* new NotAsExpected()
  })
).pipe(Command.withDescription("A pool of five connections runs dry; then the same afternoon with the cure"))

/**
 * Ends with 0 when all that was seen is as expected, and with 1 when something is not.
 *
 * @category commands
 * @since 0.1.0
 */
export const incident = Command.make("incident").pipe(
  Command.withDescription("Reproduce an incident on a real service and a real PostgreSQL (in a clone)"),
  Command.withSubcommands([pool])
)
