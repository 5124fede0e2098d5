/** `lifecycle serve`: the three example services, inside a clone. */
import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { existsSync } from "node:fs"
import { load } from "./optional.ts"

/**
 * The example services are part of a clone, not of the installed package.
 *
 * @category errors
 * @since 0.1.0
 */
export class OnlyInClone extends Schema.TaggedError<OnlyInClone>()("OnlyInClone", { command: Schema.String }) {
  override get message(): string {
    return `\`lifecycle ${this.command}\` runs the example services of the project's clone, which the npm package does not ` +
      "hold: clone the repository of effect-lifecycle, then run `npm ci && npm run serve` in it."
  }
}

/** What `lessons/service/serve.ts` exports. */
interface Service {
  readonly serve: (options: {
    readonly json: boolean
    readonly port?: number | undefined
    readonly workers?: number | undefined
    readonly gateway?: boolean | undefined
  }) => Effect.Effect<unknown, unknown>
}

const service = new URL("../../lessons/service/serve.ts", import.meta.url)

/**
 * Waits until who started this process has gone. Between `npx` and what it runs stand npm and a shell, which die of a
 * SIGTERM and pass it on to nobody: the services would run on, with their ports and their data.
 */
const orphaned = Effect.suspend(() => {
  const parent = process.ppid
  return Effect.repeat(Effect.sleep("250 millis"), { while: () => process.ppid === parent })
})

/**
 * Runs until it is stopped; Ctrl+C and SIGTERM drain the services and end it with the exit code 0.
 *
 * @category commands
 * @since 0.1.0
 */
export const serve = Command.make(
  "serve",
  {
    json: Flag.Boolean("json").pipe(
      Flag.withDefault(false),
      Flag.withDescription("print the addresses as one JSON line when the services are ready")
    ),
    port: Flag.Int("port").pipe(
      Flag.optional,
      Flag.withDescription("port of users; orders and payments take the next two (PORT, or 4100, when absent)")
    ),
    workers: Flag.Int("workers").pipe(
      Flag.optional,
      Flag.withDescription(
        "run the services in so many processes behind the gateway, and replace one that dies; " +
          "/metrics of worker N is on ports of its own, 10 x N after --port"
      )
    ),
    gateway: Flag.Boolean("gateway").pipe(
      Flag.withDefault(true),
      Flag.withDescription(
        "listen for http and https in front of the services, on the two ports after theirs; --no-gateway leaves it out"
      )
    )
  },
  Effect.fnUntraced(function*({ gateway, json, port, workers }) {
    if (!existsSync(service)) return yield* new OnlyInClone({ command: "serve" })
    const module = yield* load<Service>(() => import(service.href))
    const served = module.serve({
      json,
      gateway,
      port: Option.getOrUndefined(port),
      workers: Option.getOrUndefined(workers)
    })
    yield* process.env["npm_command"] === "exec" ? Effect.raceFirst(served, orphaned) : served
  })
).pipe(Command.withDescription("Run the example services users, orders and payments (in a clone)"))
