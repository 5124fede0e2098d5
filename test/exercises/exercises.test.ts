import { assert, beforeAll, describe, it } from "@effect/vitest"
import { spawnSync, type SpawnSyncReturns } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { list, maximum, type Verdict } from "../../exercises/grade.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

// The grader runs vitest, which does not run inside itself.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS$|TEST$)/.test(name))
)

const tsx = (...args: ReadonlyArray<string>): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, ["--conditions=lifecycle-source", "--import", "tsx", ...args], {
    cwd: root,
    env,
    encoding: "utf8",
    timeout: 300_000
  })

const verdicts = new Map<string, Verdict>()

beforeAll(() => {
  const { status, stderr, stdout } = tsx("test/exercises/matrix.ts")
  assert.strictEqual(status, 0, stderr)
  for (const verdict of JSON.parse(stdout) as Array<Verdict>) verdicts.set(verdict.file, verdict)
})

const failures = (verdict: Verdict): string =>
  verdict.tasks.flatMap((task) => task.message === undefined ? [] : [`${task.id}: ${task.message}`]).join("\n")

for (const { folder, manifest } of list()) {
  const verdictOf = (file: string): Verdict => {
    const verdict = verdicts.get(join(folder, file))
    return verdict ?? assert.fail(`the grader gave no verdict for ${file}`)
  }
  const files = (pattern: string): Array<string> => globSync(pattern, { cwd: folder }).sort()

  describe(`${manifest.id} ${manifest.title}`, () => {
    it("the stub fails and scores nothing", () => {
      const verdict = verdictOf("exercise.ts")
      assert.isFalse(verdict.passed)
      assert.strictEqual(verdict.points, 0)
    })

    for (const file of ["solution.ts", ...files("alternatives/*.ts")]) {
      it(`${file} passes with all points`, () => {
        const verdict = verdictOf(file)
        assert.isTrue(verdict.passed, failures(verdict))
        assert.strictEqual(verdict.points, maximum(manifest))
      })
    }

    for (const file of files("mutants/*.ts")) {
      it(`${file} fails in the task it names, with a sentence`, () => {
        const named = /^\/\/ fails: (\w+) - \S/.exec(readFileSync(join(folder, file), "utf8"))?.[1]
        assert.isDefined(named, "a wrong answer begins with `// fails: TASK - why somebody writes this`")
        const task = verdictOf(file).tasks.find((task) => task.id === named)
        assert.isDefined(task, `there is no task ${named}`)
        assert.isFalse(task!.passed, `task ${named} passes, so it does not notice this mistake`)
        assert.match(task!.message!, /^[A-Z"][^]{20,}[.?]/, "the message is for the learner: a written sentence")
      })
    }

    it("has wrong answers for every task with points", () => {
      const mutants = files("mutants/*.ts").map(verdictOf)
      assert.isAtLeast(mutants.length, 2)
      for (const task of manifest.tasks.filter((task) => task.points > 0)) {
        const caught = mutants.some((verdict) => verdict.tasks.some((other) => other.id === task.id && !other.passed))
        assert.isTrue(caught, `no wrong answer fails task ${task.id}`)
      }
    })

    it("has hints for every task with points", () => {
      const hints = readFileSync(join(folder, "hints.md"), "utf8")
      for (const task of manifest.tasks.filter((task) => task.points > 0)) {
        const section = new RegExp(`^## ${task.id} [^]*?(?=^## |$(?![^]))`, "m").exec(hints)?.[0] ?? ""
        assert.strictEqual(section.match(/^\d\. /gm)?.length, 3, `hints.md needs three hints for task ${task.id}`)
      }
    })

    it("runs alone", () => {
      const { status, stderr, stdout } = tsx(join(folder, "exercise.ts"))
      assert.strictEqual(status, 0, stderr)
      assert.isNotEmpty(stdout)
    })
  })
}

describe("npm run exercise", () => {
  const exercise = list().find((exercise) => exercise.manifest.id === "02.2")!
  const near = (file: string): string => relative(root, join(exercise.folder, file))

  it("says what failed in the learner's file, and exits with 1", () => {
    const { status, stdout } = tsx("exercises/run.ts", "02.2")
    assert.strictEqual(status, 1)
    assert.match(stdout, /FAILED {2}b .*\(0 of 1\)\n +Two calls of 3 s/)
    assert.include(stdout, "Not passed yet: 0 of 4 points.")
  })

  it("passes the solution, and exits with 0", () => {
    const { status, stderr, stdout } = tsx("exercises/run.ts", "02.2", "--file", near("solution.ts"))
    assert.strictEqual(status, 0, stderr)
    assert.include(stdout, "Passed: 4 of 4 points.")
  })

  it("lists the exercises for an unknown id, and exits with 2", () => {
    const { status, stderr } = tsx("exercises/run.ts", "99.9")
    assert.strictEqual(status, 2)
    assert.include(stderr, "There is no exercise 99.9.")
    for (const { manifest } of list()) assert.include(stderr, manifest.id)
  })

  it("refuses a file that is not there, and exits with 2", () => {
    const { status, stderr } = tsx("exercises/run.ts", "02.2", "--file", "nowhere.ts")
    assert.strictEqual(status, 2)
    assert.include(stderr, "There is no file")
  })

  it("leaves nothing behind", () => {
    const left = existsSync(join(root, ".lifecycle")) ? globSync("grading-*", { cwd: join(root, ".lifecycle") }) : []
    assert.deepStrictEqual(left.map((path) => basename(path)), [])
  })
})
