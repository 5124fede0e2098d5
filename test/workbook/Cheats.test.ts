import { assert, layer as withLayer } from "@effect/vitest"
import { Effect } from "effect"
import type { Verdict } from "effect-lifecycle/workbook"
import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { budget, check, layer } from "./grader.ts"

const folder = fileURLToPath(new URL("./cheats", import.meta.url))
const cheats = globSync("*.ts", { cwd: folder }).sort().map((name) => {
  const file = join(folder, name)
  const [, outcome = "", why = ""] = /^\/\/ outcome: (\w+) - (.+)/.exec(readFileSync(file, "utf8")) ?? []
  return { file, name: basename(name, ".ts"), outcome, why }
})

// With the rules about the text switched off these are an honest import of the course's own file.
const needsRules = new Set(["reads-the-solution", "computes-the-solution"])

const scoresNothing = (verdict: Verdict.Verdict): void => {
  assert.isFalse(verdict.passed, JSON.stringify(verdict))
  assert.isAtMost(verdict.points, 0, JSON.stringify(verdict.tasks))
  const words = verdict.problem ?? verdict.tasks.find((task) => !task.passed)?.message ?? ""
  assert.match(words, /^[A-Z][^]{15,}[.?]/, "the learner is told in a sentence")
  assert.isAtMost(verdict.output.length, 10_100)
}

withLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })("cheats", (it) => {
  for (const { file, name, outcome, why } of cheats) {
    const limit = outcome === "timedOut" ? { timeLimit: "1500 millis" } as const : {}
    it.effect(`${name}: a file that ${why} scores nothing`, () =>
      Effect.gen(function*() {
        const verdict = yield* check(file, limit)
        scoresNothing(verdict)
        assert.strictEqual(verdict.outcome, outcome, verdict.problem)
        assert.strictEqual(verdict.tampered, outcome === "cheated")
      }))

    if (needsRules.has(name)) continue
    it.effect(`${name}: it scores nothing when its text is not looked at either`, () =>
      Effect.gen(function*() {
        const verdict = yield* check(file, { ...limit, trusted: true })
        scoresNothing(verdict)
        assert.notStrictEqual(verdict.outcome, "couldNotFinish", verdict.problem)
      }))
  }

  it.effect("after all of them an honest answer gets all its points", () =>
    Effect.gen(function*() {
      const exercise = yield* budget
      const solution = yield* check(join(exercise.folder, "solution.ts"), { trusted: true })
      assert.strictEqual(solution.outcome, "passed", solution.problem)
      assert.strictEqual(solution.points, 4)
      const stub = yield* check(exercise.stub)
      assert.strictEqual(stub.outcome, "failed")
      assert.strictEqual(stub.points, 0)
    }))
})
