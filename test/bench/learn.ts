/**
 * What a learner waits for: the first verdict, each one after a save, the grader after a loop without an end, and what five
 * hundred checks leave in memory. Beside them the vitest run they sit on: one spec, in a process of its own.
 */
import { Effect, type Scope } from "effect"
import { Catalogue, Grader } from "effect-lifecycle/workbook"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { median, type Row, type Suite } from "./Suite.ts"

const rounds = 5
const checks = 500
const root = fileURLToPath(new URL("../..", import.meta.url))
const course = join(root, "exercises")
const { NODE_OPTIONS: _, ...env } = process.env

const seconds = (millis: number) => `${(millis / 1000).toFixed(2)} s`

const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "bench-learn-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }))
)

const took = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [number, A], E, R> =>
  Effect.suspend(() => {
    const start = performance.now()
    return Effect.map(effect, (value) => [performance.now() - start, value] as const)
  })

/** How long a process takes until a line of its output matches, or until it ends. */
const until = (args: ReadonlyArray<string>, pattern: RegExp | undefined): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const start = performance.now()
    const child: ChildProcess = spawn(process.execPath, args, { cwd: root, env, stdio: ["pipe", "pipe", "ignore"] })
    let out = ""
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text
      if (pattern?.test(out) === true) {
        resume(Effect.succeed(performance.now() - start))
        child.stdin?.end("q")
      }
    })
    child.on("exit", () =>
      resume(
        pattern === undefined
          ? Effect.succeed(performance.now() - start)
          : Effect.die(new Error(`node ${args.join(" ")} ended before it said ${pattern}:\n${out}`))
      ))
    return Effect.sync(() => void child.kill())
  })

const times = <E, R>(count: number, effect: Effect.Effect<number, E, R>): Effect.Effect<number, E, R> =>
  Effect.map(Effect.forEach(Array.from({ length: count }), () => effect), median)

/** A vitest that runs one spec once, as small as it gets. */
const bare = (spec: string): Effect.Effect<number> =>
  until([
    "--input-type=module",
    "-e",
    `import { startVitest } from "vitest/node"
const conditions = ["lifecycle-source", "module", "node", "development|production"]
await startVitest([], {
  config: false, root: ${JSON.stringify(root)}, watch: false, reporters: [{}], include: [${JSON.stringify(spec)}],
  pool: "threads", maxWorkers: 1, fsModuleCache: false
}, { logLevel: "silent", resolve: { conditions }, ssr: { resolve: { conditions } } })`
  ], undefined)

const firstVerdict = Effect.scoped(Effect.gen(function*() {
  const dir = join(yield* folder, "workspace")
  return yield* until(["src/cli/bin.mjs", "learn", "--plain", "--dir", dir], /checked in/)
}))

/** What this process and those that it started hold, in bytes; `undefined` where the system does not tell. */
const held = (): number | undefined => {
  try {
    const resident = (pid: string) =>
      1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0)
    const parents = new Map(
      readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
        try {
          return [[pid, /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? ""] as const]
        } catch {
          return []
        }
      })
    )
    const mine = [...parents].filter(([, parent]) => parent === String(process.pid)).map(([pid]) => pid)
    return mine.reduce((sum, pid) => sum + resident(pid), resident("self"))
  } catch {
    return undefined
  }
}

const row = (
  name: string,
  ours: string,
  vitest: number | undefined,
  figure: number,
  goal: number,
  words: string
): Row => ({
  name,
  ours,
  peers: vitest === undefined ? {} : { "vitest run": seconds(vitest) },
  ratio: vitest === undefined ? goal / Math.max(figure, 0.001) : vitest / figure,
  goal: words,
  met: figure <= goal
})

const rows = Effect.scoped(Effect.gen(function*() {
  const catalogue = yield* Catalogue.load(course)
  const one = Catalogue.find(catalogue, "02.2") ?? catalogue.exercises[0]
  if (one === undefined) return yield* Effect.die(new Error("the course has no exercise"))
  const path = yield* folder
  const solution = readFileSync(join(one.folder, "solution.ts"), "utf8")
  const spec = (exercise: Catalogue.Exercise) => `exercises/${exercise.path}/exercise.spec.ts`
  const file = join(path, "exercise.ts")
  const save = (text: string) => Effect.sync(() => writeFileSync(file, text))

  const vitest = yield* times(rounds, bare(spec(one)))
  const first = yield* times(rounds, firstVerdict)

  const grader = yield* Grader.make({ course })
  const recheck = (exercise: Catalogue.Exercise) =>
    Effect.map(took(grader.check({ exercise, file })), ([millis]) => millis)
  yield* save(solution)
  yield* recheck(one)
  let count = 0
  const saved = Effect.suspend(() => save(`${solution}// ${count++}\n`))
  const again = yield* times(4 * rounds, Effect.andThen(saved, recheck(one)))

  const limit = 2000
  const recovery = yield* times(
    rounds,
    Effect.gen(function*() {
      yield* save("for (;;) {}\n")
      const [stopped] = yield* took(grader.check({ exercise: one, file, timeLimit: limit }))
      yield* saved
      const [after, verdict] = yield* took(grader.check({ exercise: one, file }))
      if (!verdict.passed) return yield* Effect.die(new Error(`the check after a loop failed: ${verdict.problem}`))
      return stopped + after
    })
  )

  const samples: Array<number> = []
  for (let check = 0; check < checks; check++) {
    yield* saved
    yield* grader.check({ exercise: one, file, types: false })
    const bytes = held()
    if (bytes !== undefined) samples.push(bytes / 2 ** 20)
  }
  // The process is a fresh one now and then, so tops are compared, not single figures.
  const window = Math.floor(samples.length / 4)
  const grown = Math.max(...samples.slice(-window)) - Math.max(...samples.slice(0, window))

  const sql = catalogue.exercises.find(({ manifest, solution }) =>
    manifest.needsSql !== undefined && solution._tag === "Some"
  )
  const sqlRows: Array<Row> = []
  if (sql !== undefined && sql.solution._tag === "Some") {
    const text = readFileSync(sql.solution.value, "utf8")
    yield* save(text)
    yield* recheck(sql)
    const figure = yield* times(
      2 * rounds,
      Effect.andThen(Effect.suspend(() => save(`${text}// ${count++}\n`)), recheck(sql))
    )
    const own = yield* times(rounds, bare(spec(sql)))
    sqlRows.push(
      row(`re-check with SQL (${sql.manifest.id})`, seconds(figure), own, figure, 1500, "at most 1.5 s")
    )
  }
  return [
    row("watch: start to first verdict", seconds(first), vitest, first, 2000, "at most 2 s"),
    row("re-check after a save", seconds(again), vitest, again, 600, "at most 0.6 s, median"),
    ...sqlRows,
    row(
      `a loop without an end, and the next verdict (limit ${limit / 1000} s)`,
      seconds(recovery),
      undefined,
      recovery,
      limit + 1000,
      "at most the limit + 1 s"
    ),
    ...(samples.length === 0 ? [] : [
      row(`memory over ${checks} re-checks`, `${grown.toFixed(0)} MB more`, undefined, grown, 50, "less than 50 MB")
    ])
  ]
}))

/** The suite `learn`. */
export const learn: Suite<never> = { name: "learn", rows }
