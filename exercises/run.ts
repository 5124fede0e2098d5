/**
 * `npm run exercise 02.2` grades your file; `--file PATH` grades another one.
 *
 * Exit code 0: passed, 1: not passed, 2: asked in a way that cannot be answered.
 */
import { Effect } from "effect"
import { Catalogue, Grader, type Verdict } from "effect-lifecycle/workbook"
import { existsSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const course = dirname(fileURLToPath(import.meta.url))
const near = (path: string): string => relative(process.cwd(), path).replaceAll("\\", "/")

const usage = ({ exercises }: Catalogue.Catalogue, complaint: string): number => {
  const rows = exercises.map(({ manifest, stub }) => `  ${manifest.id}  ${manifest.title.padEnd(28)} ${near(stub)}`)
  console.error(
    [complaint, "", "Usage: npm run exercise ID [-- --file PATH]", "", "The exercises:", ...rows].join("\n")
  )
  return 2
}

const report = ({ folder, manifest }: Catalogue.Exercise, verdict: Verdict.Verdict): string => {
  const problem = verdict.problem ?? verdict.types.errors.map((one) => `Line ${one.line}: ${one.message}`)[0]
  const lines = verdict.tasks.flatMap((task) => [
    `  ${task.passed ? "passed" : "FAILED"}  ${task.id}  ${task.title}  ${
      task.points === 0 ? "(guard)" : `(${task.passed ? task.points : 0} of ${task.points})`
    }`,
    ...(task.message === undefined ? [] : task.message.split("\n").map((line) => `             ${line}`))
  ])
  return [
    `${manifest.id} ${manifest.title} - level ${manifest.level}, ${manifest.kind}`,
    `  ${near(verdict.file)}`,
    "",
    ...(verdict.output === "" ? [] : ["Your output:", verdict.output.trimEnd(), ""]),
    ...lines,
    ...(problem === undefined ? [] : ["", problem]),
    "",
    verdict.passed
      ? `Passed: ${verdict.points} of ${verdict.maximum} points. Compare yours with ${
        near(join(folder, "solution.ts"))
      }.`
      : `Not passed yet: ${verdict.points} of ${verdict.maximum} points. Hints: ${near(join(folder, "hints.md"))}`
  ].join("\n")
}

const main = Effect.fn("exercise")(function*() {
  const catalogue = yield* Catalogue.load(course)
  let given: { readonly values: { readonly file?: string | undefined }; readonly positionals: ReadonlyArray<string> }
  try {
    given = parseArgs({ allowPositionals: true, options: { file: { type: "string" } } })
  } catch (error) {
    return usage(catalogue, error instanceof Error ? error.message : String(error))
  }
  const [id, ...rest] = given.positionals
  if (id === undefined || rest.length > 0) return usage(catalogue, "Name one exercise.")
  const exercise = Catalogue.find(catalogue, id)
  if (exercise === undefined) return usage(catalogue, `There is no exercise ${id}.`)
  const file = given.values.file === undefined ? exercise.stub : resolve(given.values.file)
  if (!existsSync(file)) return usage(catalogue, `There is no file ${file}.`)
  // A file of the course itself, such as a wrong answer, may import its neighbours.
  const trusted = file !== exercise.stub && file.startsWith(exercise.folder + sep)
  const grader = yield* Grader.Grader
  const verdict = yield* grader.check({ exercise, file, trusted })
  console.log(report(exercise, verdict))
  return verdict.passed ? 0 : 1
})

process.exitCode = await Effect.runPromise(main().pipe(Effect.provide(Grader.Grader.layer({ course }))))
