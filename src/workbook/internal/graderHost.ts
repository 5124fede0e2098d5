/**
 * The process that runs tests for the grader: one vitest instance, kept warm, one check at a time.
 *
 * It runs under plain Node, from source and built, and ends with the process that started it. It does not watch over
 * itself: a file that never comes to an end blocks it, and its parent kills it.
 */
import { isUtf8 } from "node:buffer"
import { createHmac, randomBytes } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"
import type { SerializedError } from "vitest/node"
import {
  type Answer,
  canary,
  type CheckRequest,
  type HostMessage,
  type HostOptions,
  type Ran,
  secretName,
  skipName,
  sqlName
} from "./protocol.ts"
import { type Imported, importsOf, type Node, refusalsOf, rewriteImports } from "./sourceRules.ts"

const options: HostOptions = JSON.parse(process.argv[2] ?? "{}")
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js"
const beside = (name: string): string => fileURLToPath(new URL(`./${name}${extension}`, import.meta.url))
const subject = join(options.scratch, "exercise.ts")
const spec = join(options.scratch, "exercise.spec.ts")

const say = (message: HostMessage): void => {
  process.send?.(message)
}

const end = (): never => {
  rmSync(options.scratch, { recursive: true, force: true })
  process.exit(0)
}

const missingPackage = (error: unknown): string | undefined =>
  error instanceof Error ? /Cannot find package '((?:@[^/']+\/)?[^/']+)/.exec(error.message)?.[1] : undefined

/** What lies in a folder: to be transformed even where the folder is an installed package's. */
const inside = (folder: string): RegExp =>
  new RegExp(`${folder.split(sep).join("/").replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")}/`)

/** Where the packages are: `node_modules`, or a package in it, may be a link that leads out of the folder of the course. */
const packages = (): ReadonlyArray<string> => {
  const folder = join(options.root, "node_modules")
  const own = ["", "effect", "vitest", "@effect/vitest"].map((name) => join(folder, name)).filter((path) =>
    existsSync(path)
  )
  const real = [...own, fileURLToPath(import.meta.resolve("vitest/node"))].map((path) => realpathSync(path))
  // What a package needs lies beside it.
  const between = `${sep}node_modules${sep}`
  return [
    ...new Set(
      real.map((path) => path.includes(between) ? path.slice(0, path.indexOf(between) + between.length) : path)
    )
  ]
}

/** A worker reads what it is made of and the course; it writes nothing and starts nothing. */
const lockedArguments = [
  "--permission",
  ...[options.root, ...packages(), options.course, dirname(options.scratch)].map((folder) =>
    `--allow-fs-read=${join(folder, "*")}`
  ),
  ...process.execArgv.filter((flag) => flag.startsWith("--max-old-space-size"))
]

const loadVitest = async () => {
  import.meta.resolve("@effect/vitest")
  const { createVitest, parseAst } = await import("vitest/node")
  const conditions = [...(options.fromSource ? ["lifecycle-source"] : []), "module", "node", "development|production"]
  const vitest = await createVitest(
    {
      config: false,
      root: options.root,
      watch: false,
      reporters: [{}],
      include: [relative(options.root, spec).split(sep).join("/")],
      exclude: [],
      // Node's permissions do not reach worker threads. A process has them, and gets fewer than this one.
      ...process.permission === undefined ? { pool: "threads" } : { pool: "forks", execArgv: lockedArguments },
      maxWorkers: 1,
      isolate: true,
      allowOnly: false,
      fsModuleCache: false,
      // A list that is cut off in the middle does not say what is wrong with it.
      chaiConfig: { truncateThreshold: 160 },
      testTimeout: 2000,
      hookTimeout: 2000,
      teardownTimeout: 500,
      disableConsoleIntercept: true,
      runner: beside("graderRunner"),
      server: { deps: { inline: [inside(options.course), inside(options.scratch)] } }
    },
    {
      logLevel: "silent",
      cacheDir: join(options.scratch, "cache"),
      resolve: { conditions },
      ssr: { resolve: { conditions } }
    }
  )
  await vitest.standalone()
  const parse = (text: string, name: string): Node =>
    parseAst(text, { lang: "ts", astType: "ts" }, name) as object as Node
  return { vitest, parse }
}

type Loaded = Awaited<ReturnType<typeof loadVitest>>

const toward = (path: string): string => {
  const near = relative(options.scratch, path).split(sep).join("/")
  return near.startsWith(".") ? near : `./${near}`
}

const redirected = (text: string, imports: ReadonlyArray<Imported>, folder: string, own?: string): string =>
  rewriteImports(text, imports, (specifier) => {
    if (own !== undefined && specifier === own) return specifier
    return /^\.{1,2}\//.test(specifier) ? toward(resolve(folder, specifier)) : specifier
  })

/** A message without the paths of this machine. */
const local = (message: string): string =>
  [options.scratch, options.root].reduce((text, folder) => text.replaceAll(folder + sep, ""), message)

/** The line and the words of a syntax error. */
const syntaxError = (error: unknown): Answer["broken"] => {
  const text = error instanceof Error ? stripVTControlCharacters(error.message) : String(error)
  const [first = text, ...rest] = text.split("\n").slice(text.startsWith("Parse failed") ? 1 : 0)
  const loc = error instanceof Error && "loc" in error ? error.loc as { readonly line?: number } : undefined
  return { message: [`It is not valid TypeScript. ${first}`, ...rest].join("\n").trimEnd(), line: loc?.line }
}

/** What the language throws was written by nobody for a learner, so it keeps its name. */
const native = new Set(["TypeError", "RangeError", "ReferenceError", "SyntaxError", "URIError"])

const lineIn = (stacks: ReadonlyArray<{ readonly file: string; readonly line: number }> | undefined) =>
  stacks?.find(({ file }) => resolve(file) === subject)?.line

/** Why a module could not be loaded. Only what the file itself threw was thrown at one of its lines. */
const brokenBy = (
  { message, name, stacks }: SerializedError
): NonNullable<Answer["broken"]> => {
  const line = lineIn(stacks)
  const thrown = line !== undefined
  return { message: local(thrown && native.has(name ?? "") ? `${name}: ${message}` : message), line, thrown }
}

/** How a worker came to an end, where an error is about that; the file took it down. */
const endOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error) || !/^\[vitest-pool\]: Worker \S+ emitted error/.test(error.message)) return undefined
  const [, code, signal] = error.cause instanceof Error
    ? /(?:exit code (\d+) )?(?:signal (\w+) )?during/.exec(error.cause.message) ?? []
    : []
  return signal !== undefined
    ? `it was ended by ${signal}`
    : code === undefined
    ? "it ended in the middle of the check"
    : `it ended with code ${code}`
}

/** The learner-facing part of the canary's message, where its signature is right. */
const signed = (message: string | undefined, secret: string) => {
  const at = message?.lastIndexOf("|") ?? -1
  if (message === undefined || at < 0) return undefined
  const said = message.slice(0, at)
  if (createHmac("sha256", secret).update(said).digest("hex") !== message.slice(at + 1)) return undefined
  const [passed = "", tampered = "", output = ""] = said.split("|")
  return {
    passed: new Set(passed.split(";")),
    tampered: tampered.split(";").filter((sign) => sign !== ""),
    output: Buffer.from(output, "base64").toString()
  }
}

const check = async ({ parse, vitest }: Loaded, request: CheckRequest): Promise<Answer> => {
  const nothing: Answer = {
    _tag: "Answer",
    number: request.number,
    refusals: [],
    broken: undefined,
    tests: [],
    outside: [],
    output: "",
    tampered: []
  }
  const bytes = readFileSync(request.file)
  const text = bytes.toString("utf8")
  let tree: Node
  try {
    tree = parse(text, "exercise.ts")
  } catch (error) {
    // Half a page of raw bytes would say less.
    const binary = bytes.includes(0) || !isUtf8(bytes)
    const message = "It is not a text file, or not one in UTF-8."
    return { ...nothing, broken: binary ? { message, line: undefined } : syntaxError(error) }
  }
  if (request.given !== undefined) {
    const refusals = refusalsOf(text, tree, { folder: request.folder, given: request.given, imports: request.imports })
    if (refusals.length > 0) {
      return { ...nothing, refusals, tampered: refusals.filter((one) => one.cheating).map((one) => one.sentence) }
    }
  }

  const specText = readFileSync(request.spec, "utf8")
  const specApi = toward(beside("specApi"))
  const specCopy = redirected(
    specText,
    importsOf(parse(specText, "exercise.spec.ts")).imports,
    dirname(request.spec),
    "./exercise.ts"
  ).replaceAll(/(?<=\bfrom\s+)"@effect\/vitest"/g, JSON.stringify(specApi))
  writeFileSync(subject, redirected(text, importsOf(tree).imports, request.folder))
  writeFileSync(
    spec,
    `${specCopy}
import { assert as canaryAssert, it as canaryIt } from ${JSON.stringify(specApi)}
canaryIt(${JSON.stringify(canary)}, () => canaryAssert.strictEqual(1, 2))
`
  )

  const secret = randomBytes(32).toString("hex")
  const project = vitest.getRootProject()
  const provide = project.provide.bind(project) as (name: string, value: unknown) => void
  provide(secretName, secret)
  provide(skipName, request.skip)
  provide(sqlName, request.sql)
  vitest.invalidateFile(spec)
  vitest.invalidateFile(subject)
  const run = await vitest.runTestSpecifications([project.createSpecification(spec)])
  const [module] = run.testModules
  const all = Array.from(module?.children.allTests() ?? [])
  const canaries = all.filter((test) => test.name === canary)
  const seal = signed(canaries[0]?.result().errors?.[0]?.message, secret)
  const outside = run.unhandledErrors.map((error) =>
    error instanceof Error || (typeof error === "object" && error !== null && "message" in error)
      ? local(String(error.message))
      : String(error)
  )
  const ended = run.unhandledErrors.map(endOf).find((how) => how !== undefined)
  const [broken] = module?.errors() ?? []
  const tampered = [...seal?.tampered ?? []]
  if (broken === undefined && outside.length === 0 && (seal === undefined || canaries.length !== 1)) {
    tampered.push("the test that must fail did not report")
  }
  const tests = all.filter((test) => test.name !== canary).map((test): Ran => {
    const result = test.result()
    const error = result.errors?.[0]
    const recorded = seal?.passed.has(test.id) === true
    if (result.state === "passed" && seal !== undefined && !recorded) {
      tampered.push(`"${test.fullName}" was turned into a pass`)
    }
    return {
      name: test.fullName,
      passed: result.state === "passed" && recorded,
      message: error !== undefined
        ? local(native.has(error.name ?? "") ? `${error.name}: ${error.message}` : error.message)
        : result.state === "skipped"
        ? "This task was skipped."
        : undefined,
      line: lineIn(error?.stacks)
    }
  })
  return {
    ...nothing,
    broken: broken && brokenBy(broken),
    ...ended !== undefined && { ended },
    tests,
    outside,
    output: seal?.output ?? "",
    tampered
  }
}

process.on("disconnect", end)
mkdirSync(options.scratch, { recursive: true })
try {
  const loaded = await loadVitest()
  let last: Promise<void> = Promise.resolve()
  process.on("message", (request: CheckRequest) => {
    last = last.then(() => check(loaded, request)).then(
      say,
      (error: unknown) =>
        say({ _tag: "Broken", number: request.number, reason: error instanceof Error ? error.message : String(error) })
    )
  })
  say({ _tag: "Ready" })
} catch (error) {
  const name = missingPackage(error)
  if (name === undefined) throw error
  say({ _tag: "MissingPackage", name })
}
