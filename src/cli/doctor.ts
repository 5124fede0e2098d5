/** `lifecycle doctor`: what this machine has and what it lacks, one line each. */
import { Config, Console, Duration, Effect, Option, Schema } from "effect"
import { Command } from "effect/cli"
import { mkdtempSync, rmdirSync } from "node:fs"
import { join } from "node:path"
import { load } from "./optional.ts"

/**
 * Something is missing; the lines above say what.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProblemsFound extends Schema.TaggedError<ProblemsFound>()("ProblemsFound", { count: Schema.Int }) {
  override get message(): string {
    return this.count === 1 ? "1 problem found." : `${this.count} problems found.`
  }
}

/** One question, answered by a sentence, or by an error whose message is one. */
interface Check {
  readonly name: string
  readonly answer: Effect.Effect<string, { readonly message: string }>
}

const needed = [22, 19] as const

const node: Check = {
  name: "Node",
  answer: Effect.suspend(() => {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
    return major > needed[0] || (major === needed[0] && minor >= needed[1])
      ? Effect.succeed(`${process.versions.node} (${process.execPath})`)
      : Effect.fail({
        message:
          `This is Node ${process.versions.node}, but Node ${
            needed.join(".")
          } or newer is needed: install one, or in ` +
          "a clone start commands through npm, which uses the Node of the project."
      })
  })
}

const folder: Check = {
  name: "Folder",
  answer: Effect.try({
    try: () => {
      rmdirSync(mkdtempSync(join(process.cwd(), ".lifecycle-doctor-")))
      return `${process.cwd()} can be written`
    },
    catch: () => ({
      message:
        `The folder ${process.cwd()} cannot be written: give this user write rights there, or work in another folder.`
    })
  })
}

const databaseUrl: Check = {
  name: "DATABASE_URL",
  answer: Effect.gen(function*() {
    const url = yield* Config.option(Config.String("DATABASE_URL"))
    if (Option.isNone(url) || url.value.trim() === "") return "not set: the embedded PostgreSQL is used"
    const Database = yield* load(() => import("../testing/Database.ts"))
    const server = yield* Effect.scoped(Database.makeServer({ url: url.value }))
    return `PostgreSQL ${yield* Database.version(server.address)} answers at ${server.description}`
  })
}

const embedded: Check = {
  name: "PostgreSQL",
  answer: Effect.gen(function*() {
    const EmbeddedPostgres = yield* load(() => import("../testing/EmbeddedPostgres.ts"))
    const Database = yield* load(() => import("../testing/Database.ts"))
    const [took, version] = yield* Effect.timed(Effect.scoped(
      Effect.flatMap(EmbeddedPostgres.make(), (server) => Database.version(server.connection))
    ))
    return `embedded ${version} starts, answers and stops (${Math.round(Duration.toMillis(took))} ms)`
  })
}

const run = (check: Check): Effect.Effect<boolean> =>
  check.answer.pipe(
    Effect.matchEffect({
      onSuccess: (text) => Effect.as(Console.log(`OK       ${check.name}: ${text}`), true),
      onFailure: (error) => Effect.as(Console.log(`problem  ${check.name}: ${error.message}`), false)
    })
  )

/**
 * Ends with the exit code 1 when there is a problem.
 *
 * @category commands
 * @since 0.1.0
 */
export const doctor = Command.make(
  "doctor",
  {},
  Effect.fn("cli.doctor")(function*() {
    const results = yield* Effect.forEach([node, folder, databaseUrl, embedded], run)
    const count = results.filter((ok) => !ok).length
    if (count > 0) return yield* new ProblemsFound({ count })
  })
).pipe(Command.withDescription("Check Node, PostgreSQL, DATABASE_URL and the folder, and say what to do"))
