/**
 * Type-checks one file with the compiler that is installed, in a process of its own.
 *
 * The file is copied to where it would stand in the course, under a folder that the compiler lays over the course
 * (`rootDirs`), so that its relative imports lead to the same modules wherever the learner keeps it.
 */
import { Clock, Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import type { TypeVerdict } from "../Verdict.ts"

/** What to check, and where to work. */
export interface TypeCheck {
  readonly file: string
  /** Where the file would stand, from the folder of the course. */
  readonly at: string
  readonly course: string
  readonly root: string
  readonly scratch: string
  readonly fromSource: boolean
}

const JsonText = Schema.fromJsonString(Schema.Unknown)

const packageFolder = (root: string, name: string): string | undefined => {
  try {
    return dirname(createRequire(join(root, "package.json")).resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

type Settings = Pick<TypeCheck, "course" | "root" | "scratch" | "fromSource"> & {
  /** Folders that are laid over the course; the scratch folder unless said otherwise. */
  readonly over?: ReadonlyArray<string> | undefined
}

/** The settings of the compiler for some files. */
const settings = ({ course, fromSource, over, root, scratch }: Settings, own: ReadonlyArray<string>): unknown => {
  const nodeTypes = packageFolder(root, "@types/node")
  return {
    compilerOptions: {
      target: "ES2024",
      lib: ["ES2024", "DOM", "DOM.Iterable", "ESNext.Collection", "ESNext.Disposable"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      moduleDetection: "force",
      ...fromSource && { customConditions: ["lifecycle-source"] },
      types: nodeTypes === undefined ? [] : ["node"],
      ...nodeTypes !== undefined && { typeRoots: [dirname(nodeTypes)] },
      rootDirs: [...over ?? [scratch], course],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      noEmit: true
    },
    files: [...own, ...nodeTypes === undefined ? [join(scratch, "import-meta.d.ts")] : []]
  }
}

/** Runs a program to its end and gives what it printed; stops it when nobody waits any more. */
const run = (
  folder: string,
  args: ReadonlyArray<string>
): Effect.Effect<{ readonly code: number; readonly out: string }> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], windowsHide: true })
    let out = ""
    const add = (text: string): void => void (out += text)
    child.stdout.setEncoding("utf8").on("data", add)
    child.stderr.setEncoding("utf8").on("data", add)
    child.on("error", (error) => resume(Effect.succeed({ code: -1, out: error.message })))
    child.on("close", (code) => resume(Effect.succeed({ code: code ?? -1, out })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** The compiler explains one of its settings wherever an error has optional members; here it says nothing. */
const noise =
  / with 'exactOptionalPropertyTypes: true'\. Consider adding 'undefined' to the types? of the target's propert(?:y|ies)/g

/** The errors of each file; details stand in the lines below each, indented. */
const errorsIn = (out: string, folder: string): Map<string, TypeVerdict["errors"]> => {
  const errors = new Map<string, Array<{ line: number; code: string; message: string }>>()
  let last: { message: string } | undefined
  for (const line of out.replaceAll(noise, "").split("\n")) {
    const head = /^(.*?)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(line.trimEnd())
    if (head !== null) {
      const [, path = "", at = "1", code = "", message = ""] = head
      const file = resolve(folder, path)
      const error = { line: Number(at), code, message }
      errors.set(file, [...errors.get(file) ?? [], error])
      last = error
    } else if (last !== undefined && /^\s+\S/.test(line)) last.message += `\n${line.trimEnd()}`
  }
  return errors
}

/** What the compiler could not do. */
export class TypesUnavailable extends Schema.TaggedError<TypesUnavailable>()("TypesUnavailable", {
  reason: Schema.String
}) {}

const ambient = "interface ImportMeta { readonly main: boolean }\n"

/** Type-checks many files where they stand, at once; gives the errors of each that has some. */
export const checkAllTypes = Effect.fnUntraced(function*(
  check: Settings,
  files: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyMap<string, TypeVerdict["errors"]>, TypesUnavailable> {
  const compiler = packageFolder(check.root, "typescript")
  if (compiler === undefined) {
    const reason = "The package typescript is not installed: run `npm install --save-dev typescript`."
    return yield* new TypesUnavailable({ reason })
  }
  const project = join(check.scratch, "tsconfig.json")
  yield* Effect.try({
    try: () => {
      mkdirSync(check.scratch, { recursive: true })
      writeFileSync(join(check.scratch, "import-meta.d.ts"), ambient)
      writeFileSync(project, Schema.encodeSync(JsonText)(settings(check, files)))
    },
    catch: () => new TypesUnavailable({ reason: "There is no place to write the file that the compiler reads." })
  })
  const args = [join(compiler, "bin", "tsc"), "--project", project, "--pretty", "false"]
  const ran = yield* run(check.scratch, args).pipe(Effect.timeoutOption("3 minutes"))
  if (ran._tag === "None") return yield* new TypesUnavailable({ reason: "The compiler took more than 3 minutes." })
  const { code, out } = ran.value
  if (code !== 0 && !/error TS\d+/.test(out)) {
    const reason = `The compiler could not run: ${out.trim().split("\n")[0] ?? `code ${code}`}`
    return yield* new TypesUnavailable({ reason })
  }
  return errorsIn(out, check.scratch)
})

/** Type-checks a file. Never fails: where it cannot, it says why. */
export const checkTypes = Effect.fnUntraced(function*(check: TypeCheck): Effect.fn.Return<TypeVerdict> {
  const start = yield* Clock.currentTimeMillis
  const since = Effect.map(Clock.currentTimeMillis, (now) => now - start)
  const notChecked = (reason: string): Effect.Effect<TypeVerdict> =>
    Effect.map(since, (durationMillis) => ({ status: "notChecked", errors: [], reason, durationMillis }))

  const compiler = packageFolder(check.root, "typescript")
  if (compiler === undefined) {
    return yield* notChecked("The package typescript is not installed: run `npm install --save-dev typescript`.")
  }
  const file = join(check.scratch, check.at)
  const written = yield* Effect.try(() => {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, readFileSync(check.file))
    writeFileSync(join(check.scratch, "import-meta.d.ts"), ambient)
    return Schema.encodeSync(JsonText)(settings(check, [file]))
  }).pipe(
    Effect.flatMap((json) => Effect.try(() => writeFileSync(join(check.scratch, "tsconfig.json"), json))),
    Effect.result
  )
  if (written._tag === "Failure") {
    return yield* notChecked("There is no place to write the file that the compiler reads.")
  }

  const args = [join(compiler, "bin", "tsc"), "--project", join(check.scratch, "tsconfig.json"), "--pretty", "false"]
  const ran = yield* run(check.scratch, args).pipe(Effect.timeoutOption("20 seconds"))
  if (ran._tag === "None") return yield* notChecked("The compiler took more than 20 s.")
  const { code, out } = ran.value
  const errors = errorsIn(out, check.scratch).get(file) ?? []
  if (code !== 0 && errors.length === 0 && !/error TS\d+/.test(out)) {
    return yield* notChecked(`The compiler could not run: ${out.trim().split("\n")[0] ?? `code ${code}`}`)
  }
  return { status: errors.length === 0 ? "passed" : "failed", errors, durationMillis: yield* since }
})
