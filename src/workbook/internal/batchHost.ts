/**
 * The process that runs many files at once for the matrix: generated copies of the specs, all in one vitest and one worker.
 *
 * It trusts what it runs. It does not watch over itself either: its parent sees when it stands still, and kills it.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import type { TestModule, TestSpecification } from "vitest/node"
import type {
  BatchAnswer,
  BatchMessage,
  BatchOptions,
  BatchRequest,
  Prepared,
  PrepareExercise
} from "./batchProtocol.ts"
import { cheatIn } from "./cheats.ts"
import { mutationsOf, type Parsed } from "./mutations.ts"
import { sqlName } from "./protocol.ts"
import { importsOf, type Node, refusalsOf, rewriteImports } from "./sourceRules.ts"

const options: BatchOptions = JSON.parse(process.argv[2] ?? "{}")
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js"

const say = (message: BatchMessage): void => {
  process.send?.(message)
}

const end = (): never => {
  rmSync(options.scratch, { recursive: true, force: true })
  process.exit(0)
}

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const missingPackage = (error: unknown): string | undefined =>
  error instanceof Error ? /Cannot find package '((?:@[^/']+\/)?[^/']+)/.exec(error.message)?.[1] : undefined

/** A message without the paths of this machine. */
const local = (message: string): string =>
  [options.scratch, options.root].reduce((text, folder) => text.replaceAll(folder + sep, ""), message)

const loadParser = async () => {
  import.meta.resolve("@effect/vitest")
  const { parseAst } = await import("vitest/node")
  return (text: string, name: string): Node => parseAst(text, { lang: "ts", astType: "ts" }, name) as object as Node
}

type Parse = Awaited<ReturnType<typeof loadParser>>
type RunRequest = Extract<BatchRequest, { readonly _tag: "Run" }>

/** A text whose relative imports lead to the same modules from the scratch folder. */
const moved = (parse: Parse, text: string, from: string, own?: readonly [string, string]): string =>
  rewriteImports(text, importsOf(parse(text, basename(from))).imports, (specifier) => {
    if (own !== undefined && specifier === own[0]) return own[1]
    if (!/^\.{1,2}\//.test(specifier)) return specifier
    const near = relative(options.scratch, resolve(dirname(from), specifier)).split(sep).join("/")
    return near.startsWith(".") ? near : `./${near}`
  })

const answerOf = (module: TestModule, number: number): BatchAnswer => {
  const broken = module.errors()[0]
  return {
    number,
    broken: broken && local(broken.message),
    tests: Array.from(module.children.allTests(), (test) => {
      const result = test.result()
      const error = result.errors?.[0]
      const skipped = result.state === "skipped" ? "This task was skipped." : undefined
      return {
        name: test.fullName,
        passed: result.state === "passed",
        message: error === undefined ? skipped : local(error.message),
        line: undefined
      }
    })
  }
}

const run = async (parse: Parse, { sql, subjects, testMillis }: RunRequest): Promise<void> => {
  const { createVitest } = await import("vitest/node")
  const copies = new Map<string, number>()
  for (const subject of subjects) {
    const { file, number, quick, seed, spec, text } = subject
    const own = text === undefined ? file : join(options.scratch, `${number}.ts`)
    if (text !== undefined) {
      try {
        writeFileSync(own, moved(parse, text, file))
      } catch (error) {
        say({ _tag: "Done", answer: { number, tests: [], broken: reasonOf(error) } })
        continue
      }
    }
    const path = join(
      options.scratch,
      `${number}${seed === undefined ? "" : `.s${seed}`}${quick === true ? ".q" : ""}.spec.ts`
    )
    const near = relative(options.scratch, own).split(sep).join("/")
    const target = near.startsWith(".") ? near : `./${near}`
    writeFileSync(path, moved(parse, readFileSync(spec, "utf8"), spec, ["./exercise.ts", target]))
    copies.set(path, number)
  }
  if (copies.size === 0) return
  const conditions = [...(options.fromSource ? ["lifecycle-source"] : []), "module", "node", "development|production"]
  const order = [...copies.keys()]
  const vitest = await createVitest(
    {
      config: false,
      root: options.root,
      watch: false,
      reporters: [{
        onTestCaseResult: () => say({ _tag: "Beat" }),
        onTestModuleEnd: (module) => {
          const number = copies.get(resolve(module.moduleId))
          if (number !== undefined) say({ _tag: "Done", answer: answerOf(module, number) })
        }
      }],
      include: [`${relative(options.root, options.scratch).split(sep).join("/")}/*.spec.ts`],
      exclude: [],
      pool: "threads",
      maxWorkers: 1,
      isolate: false,
      allowOnly: false,
      fsModuleCache: false,
      // A list that is cut off in the middle does not say what is wrong with it.
      chaiConfig: { truncateThreshold: 160 },
      testTimeout: testMillis,
      hookTimeout: 2000,
      teardownTimeout: 500,
      disableConsoleIntercept: true,
      dangerouslyIgnoreUnhandledErrors: true,
      runner: fileURLToPath(new URL(`./batchRunner${extension}`, import.meta.url)),
      sequence: {
        sequencer: class {
          shard(files: Array<TestSpecification>): Array<TestSpecification> {
            return files
          }
          sort(files: Array<TestSpecification>): Array<TestSpecification> {
            return files.toSorted((one, other) => order.indexOf(one.moduleId) - order.indexOf(other.moduleId))
          }
        }
      }
    },
    {
      logLevel: "silent",
      cacheDir: join(options.scratch, "cache"),
      resolve: { conditions },
      ssr: { resolve: { conditions } }
    }
  )
  await vitest.standalone()
  const project = vitest.getRootProject()
  const provide = project.provide.bind(project) as (name: string, value: unknown) => void
  provide(sqlName, sql)
  await vitest.runTestSpecifications(order.map((path) => project.createSpecification(path)))
  await vitest.close()
}

const prepare = (
  parse: Parse,
  { cheats, exercises, rules }: Extract<BatchRequest, { readonly _tag: "Prepare" }>
): Array<Prepared> => {
  const parsed = (text: string, name: string): Parsed => ({ text, program: parse(text, name) })
  const read = (file: string): Parsed => parsed(readFileSync(file, "utf8"), basename(file))
  const known = cheats.map((file) => ({ name: basename(file, ".ts"), parsed: read(file) }))
  const prepareOne = (exercise: PrepareExercise): Prepared => {
    const stub = read(exercise.stub)
    const solution = exercise.solution === undefined ? undefined : read(exercise.solution)
    const settings = {
      folder: exercise.folder,
      given: [...exercise.given, rules.support, exercise.stub],
      imports: exercise.imports
    }
    const refused = ({ program, text }: Parsed, file: string) =>
      refusalsOf(text, program, settings).map((refusal) => ({ ...refusal, file }))
    return {
      id: exercise.id,
      mutations: solution === undefined ? [] : mutationsOf(solution, stub),
      cheats: known.flatMap(({ name, parsed: cheat }) => {
        const adapted = cheatIn(cheat, stub)
        if (adapted === undefined) return []
        const { text } = adapted
        const { program } = parsed(text, `${name}.ts`)
        return [{ ...adapted, name, runs: refusalsOf(text, program, settings).length === 0 }]
      }),
      refusals: [
        ...refused(stub, "exercise.ts"),
        ...(solution === undefined ? [] : refused(solution, "solution.ts"))
      ]
    }
  }
  return exercises.map((exercise) => {
    try {
      return prepareOne(exercise)
    } catch (error) {
      return { id: exercise.id, mutations: [], cheats: [], refusals: [], problem: local(reasonOf(error)) }
    }
  })
}

process.on("disconnect", end)
mkdirSync(options.scratch, { recursive: true })
try {
  const parse = await loadParser()
  process.on("message", (request: BatchRequest) => {
    const work = request._tag === "Run"
      ? run(parse, request).then(() => say({ _tag: "End" }))
      : Promise.resolve().then(() => say({ _tag: "Prepared", prepared: prepare(parse, request) }))
    work.catch((error: unknown) => say({ _tag: "Broken", reason: reasonOf(error) }))
  })
} catch (error) {
  const name = missingPackage(error)
  if (name === undefined) throw error
  say({ _tag: "MissingPackage", name })
}
