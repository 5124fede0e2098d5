import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Catalogue, Matrix } from "effect-lifecycle/workbook"
import { spawnSync, type SpawnSyncReturns } from "node:child_process"
import { existsSync, globSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const course = join(root, "exercises")
const { exercises } = await Effect.runPromise(Catalogue.load(course))

// The grader runs vitest, which does not run inside itself.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS$|TEST$)/.test(name))
)

const tsx = (...args: ReadonlyArray<string>): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, ["--conditions=lifecycle-source", "--import", "tsx", ...args], {
    cwd: root,
    env,
    encoding: "utf8",
    timeout: 60_000
  })

let faults: ReadonlyArray<Matrix.Fault> = []

// The gate sets this, because `lifecycle dev check`, which it runs right after the tests, holds all of these promises.
const checkedByGate = process.env["LIFECYCLE_COURSE_CHECKED_APART"] === "yes"

// One run of what is right, and no small mistakes: `lifecycle dev check` has the rest.
beforeAll(async () => {
  if (checkedByGate) return
  faults = (await Effect.runPromise(Matrix.check({ course, repeats: 1, automatic: false }))).faults
}, 300_000)

const promises: Readonly<Partial<Record<Matrix.Gate, string>>> = {
  files: "has all its files, and three hints for every task with points",
  concepts: "teaches one concept, and needs none that was not taught before",
  types: "type-checks",
  stub: "begins with a stub that fails and scores nothing",
  solution: "has a solution that passes with all points",
  alternatives: "lets every other right answer pass",
  mutants: "fails every wrong answer in the task it names, with a sentence, and every task with points by one of them",
  messages: "says to wrong answers what was reviewed"
}

for (const { manifest, stub } of exercises) {
  describe(`${manifest.id} ${manifest.title}`, () => {
    for (const [gate, promise] of checkedByGate ? [] : Object.entries(promises)) {
      it(promise, () => {
        const mine = faults.filter((fault) => fault.exercise === manifest.id && fault.gate === gate)
        assert.deepStrictEqual(mine.map(({ file, problem }) => `${file}: ${problem}`), [])
      })
    }

    it("runs alone", () => {
      const { status, stderr, stdout } = tsx(stub)
      assert.strictEqual(status, 0, stderr)
      assert.isNotEmpty(stdout)
    })
  })
}

describe("a check of the whole course", () => {
  it("leaves nothing behind", () => {
    const left = existsSync(join(root, ".lifecycle"))
      ? globSync("{matrix,batch}-*", { cwd: join(root, ".lifecycle") })
      : []
    assert.deepStrictEqual(left.map((path) => basename(path)), [])
  })
})
