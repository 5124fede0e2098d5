import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Catalogue, type Grader, Predictions, Progress, type Verdict, Workspace } from "effect-lifecycle/workbook"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { course } from "./grader.ts"

const passes: Grader.Grader["Service"]["check"] = ({ exercise, file }) =>
  Effect.succeed({
    id: exercise.manifest.id,
    file,
    outcome: "failed",
    passed: false,
    points: 1,
    maximum: Catalogue.maximum(exercise.manifest),
    tasks: exercise.manifest.tasks.map((task, index) => ({ ...task, passed: index === 0 })),
    types: { status: "notChecked", errors: [], durationMillis: 0 },
    output: "",
    tampered: false,
    ignored: [],
    durationMillis: 1
  })

interface Place {
  readonly workspace: Workspace.Workspace
  readonly exercise: Catalogue.Exercise
  readonly file: string
  /** What was run, in the text of the file at that moment. */
  readonly runs: Array<string>
  readonly check: (file?: string) => Effect.Effect<Verdict.Verdict>
  readonly prediction: Effect.Effect<Progress.Prediction | undefined, Workspace.WorkspaceProblem>
}

const withPlace = <A, E>(id: string, use: (place: Place) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "predictions-"))),
    (folder) =>
      Effect.gen(function*() {
        const catalogue = yield* Catalogue.load(course)
        const exercise = Catalogue.find(catalogue, id) ?? assert.fail(`there is no ${id}`)
        const workspace = yield* Workspace.open({ catalogue, folder })
        yield* Workspace.prepare(workspace, [exercise])
        const runs: Array<string> = []
        const grader = Predictions.guard({
          check: (subject) =>
            Effect.andThen(Effect.sync(() => runs.push(readFileSync(subject.file, "utf8"))), passes(subject)),
          ready: Effect.void,
          rest: Effect.void
        }, workspace)
        const file = Workspace.fileOf(workspace, exercise)
        return yield* use({
          workspace,
          exercise,
          file,
          runs,
          check: (other = file) => grader.check({ exercise, file: other }),
          prediction: Effect.map(Progress.load(workspace), ({ progress }) => Predictions.kept(progress, exercise))
        })
      }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const answer = (file: string, answers: Readonly<Record<string, string>>): void => {
  let text = readFileSync(file, "utf8")
  for (const [name, value] of Object.entries(answers)) {
    text = text.replace(new RegExp(`^ {2}${name}: .*?(,?)$`, "m"), `  ${name}: ${value}$1`)
  }
  writeFileSync(file, text)
}

const some = { exponential: "[0, 1]", spaced: "[0, 2]", fixed: "[0, 3]", upTo: "[0, 4]", max: "[0, 5]" }

describe("Predictions", () => {
  it("reads the answers from the text", () => {
    const text = `
// export const predictions = { wrong: 1 }
import { a } from "./a.ts"
export const predictions: { readonly [name in keyof typeof a]: () => { b: number } } = {
  plain: [0, 130, { x: 1 }], // a comment, with a comma
  "quoted": "a, b: {c}",
  parts: { first: 404, second: "todo" },
  ${"template: `x, ${1}`"},
  last: /* why */ run(1, (n) => ({ n }))
} as const
export const other = { more: 1 }
`
    assert.deepStrictEqual(Predictions.answersIn(text), {
      plain: "[0, 130, { x: 1 }]",
      quoted: "\"a, b: {c}\"",
      "parts.first": "404",
      "parts.second": "\"todo\"",
      template: "`x, ${1}`",
      last: "run(1, (n) => ({ n }))"
    })
    assert.isUndefined(Predictions.answersIn("export const answers = { a: 1 }"))
    assert.isUndefined(Predictions.answersIn("export const predictions = make()"))
    assert.deepStrictEqual(Predictions.answersIn("export const predictions = { a: [1, "), { a: "[1," })
  })

  it.effect("finds the questions of every exercise to predict, and none is answered in its stub but all in its solution", () =>
    Effect.gen(function*() {
      const { exercises } = yield* Catalogue.load(course)
      const chosen = exercises.filter(({ manifest }) => manifest.kind === "predict")
      assert.isAbove(chosen.length, 2)
      for (const { folder, manifest, stub } of chosen) {
        const asked = Predictions.answersIn(readFileSync(stub, "utf8")) ?? assert.fail(manifest.id)
        assert.isNotEmpty(Object.keys(asked), manifest.id)
        assert.deepStrictEqual(Predictions.open(asked, asked), Object.keys(asked), manifest.id)
        const solved = Predictions.answersIn(readFileSync(join(folder, "solution.ts"), "utf8"))
        assert.deepStrictEqual(
          Predictions.open(solved ?? {}, asked),
          [],
          `${manifest.id} has a placeholder that is an answer`
        )
      }
    }))

  it.effect("runs nothing before all of it is predicted", () =>
    withPlace("03.1", ({ check, file, prediction, runs }) =>
      Effect.gen(function*() {
        const stub = yield* check()
        assert.strictEqual(stub.outcome, "failed")
        assert.match(stub.problem ?? "", /^Nothing is run before it is predicted\. Still open: exponential, /)
        answer(file, some)
        assert.include((yield* check()).problem, "Still open: library.")
        assert.deepStrictEqual(runs, [])
        assert.isUndefined(yield* prediction)
      })))

  it.effect("keeps the first answers and their result before it runs, whatever is corrected later", () =>
    withPlace("03.1", ({ check, file, prediction, runs, workspace }) =>
      Effect.gen(function*() {
        answer(file, { ...some, library: "[0, 6]" })
        const verdict = yield* check()
        assert.strictEqual(verdict.points, 1)
        assert.lengthOf(runs, 1)
        const first = yield* prediction
        assert.deepStrictEqual(first?.said, { ...some, library: "[0, 6]" })
        assert.deepStrictEqual(first?.result, { right: 1, of: verdict.tasks.length })
        answer(file, { library: "[0, 7]" })
        yield* check()
        answer(file, { library: "[0]" })
        yield* check()
        assert.lengthOf(runs, 3, "once predicted, everything is run")
        assert.deepStrictEqual(yield* prediction, first)
        assert.deepStrictEqual(Progress.brokenSeals((yield* Progress.load(workspace)).progress), [])
      })))

  it.effect("stores the answers before the check, not after it", () =>
    withPlace("03.1", ({ exercise, file, workspace }) =>
      Effect.gen(function*() {
        answer(file, { ...some, library: "[0, 6]" })
        let before: Progress.Prediction | undefined
        const grader = Predictions.guard({
          check: (subject) =>
            Effect.gen(function*() {
              before = Predictions.kept((yield* Effect.orDie(Progress.load(workspace))).progress, exercise)
              return yield* passes(subject)
            }),
          ready: Effect.void,
          rest: Effect.void
        }, workspace)
        yield* grader.check({ exercise, file })
        assert.strictEqual(before?.said["library"], "[0, 6]")
        assert.isUndefined(before?.result)
      })))

  it.effect("leaves other files and other kinds alone", () =>
    Effect.gen(function*() {
      yield* withPlace("03.1", ({ check, exercise, runs }) =>
        Effect.gen(function*() {
          yield* check(exercise.stub)
          assert.lengthOf(runs, 1, "what is not the learner's file is not guarded")
        }))
      yield* withPlace("02.2", ({ check, runs }) =>
        Effect.gen(function*() {
          yield* check()
          assert.lengthOf(runs, 1)
        }))
    }))
})
