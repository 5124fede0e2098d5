/** Exports as files, or as the standard input and output, which are called `-`. */
import { Effect, Exit, type Scope, Stream } from "effect"
import * as fs from "node:fs"
import { StoreAsked, StoreCannot } from "./storeErrors.ts"

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const attempt = <A>(path: string, what: string, evaluate: () => A | Promise<A>): Effect.Effect<A, StoreCannot> =>
  Effect.tryPromise({
    try: async () => evaluate(),
    catch: (error) => new StoreCannot({ problem: `${path} cannot be ${what}: ${reasonOf(error)}.` })
  })

/** Takes text as fast as the reader at the other end does. */
const toOutput = (text: string): Effect.Effect<void, StoreCannot> =>
  attempt("The output", "written", () =>
    new Promise<void>((resolve, reject) => {
      process.stdout.write(text, (error) => error === null || error === undefined ? resolve() : reject(error))
    }))

/**
 * What writes lines to a new file, which only its owner may read. It has another name until the scope closes well, so half
 * an export never looks like one.
 */
export const writer = (
  path: string
): Effect.Effect<
  (lines: ReadonlyArray<string>) => Effect.Effect<void, StoreCannot>,
  StoreAsked | StoreCannot,
  Scope.Scope
> =>
  Effect.gen(function*() {
    if (path === "-") return (lines) => toOutput(`${lines.join("\n")}\n`)
    if (fs.existsSync(path)) {
      return yield* new StoreAsked({ problem: `${path} is there already: name a new file, or remove it first.` })
    }
    const part = `${path}.part`
    const file = yield* Effect.acquireRelease(
      attempt(part, "written", () => fs.promises.open(part, "w", 0o600)),
      (file, exit) =>
        Effect.promise(async () => {
          if (Exit.isSuccess(exit)) await file.sync()
          await file.close()
          await (Exit.isSuccess(exit) ? fs.promises.rename(part, path) : fs.promises.rm(part, { force: true }))
        })
    )
    return (lines) => Effect.asVoid(attempt(part, "written", () => file.appendFile(`${lines.join("\n")}\n`)))
  })

/** The lines of a file. */
export const reader = (path: string): Stream.Stream<string, StoreCannot> =>
  Stream.suspend(() => {
    const input = path === "-" ? process.stdin : fs.createReadStream(path)
    input.setEncoding("utf8")
    return Stream.fromAsyncIterable(
      input as AsyncIterable<string>,
      (error) => new StoreCannot({ problem: `${path} cannot be read: ${reasonOf(error)}.` })
    )
  }).pipe(Stream.splitLines)
