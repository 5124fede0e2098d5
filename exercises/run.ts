/**
 * `npm run exercise 02.2` grades your file; `--file PATH` grades another one.
 *
 * Exit code 0: passed, 1: not passed, 2: asked in a way that cannot be answered.
 */
import { existsSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { parseArgs } from "node:util"
import { type Exercise, grade, list, maximum, type Verdict } from "./grade.ts"

const near = (path: string): string => relative(process.cwd(), path).replaceAll("\\", "/")

const usage = (complaint: string): number => {
  const rows = list().map(({ folder, manifest }) =>
    `  ${manifest.id}  ${manifest.title.padEnd(28)} ${near(join(folder, "exercise.ts"))}`
  )
  console.error(
    [complaint, "", "Usage: npm run exercise ID [-- --file PATH]", "", "The exercises:", ...rows].join("\n")
  )
  return 2
}

const report = ({ folder, manifest }: Exercise, verdict: Verdict): string => {
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
    ...lines,
    "",
    verdict.passed
      ? `Passed: ${verdict.points} of ${maximum(manifest)} points. Compare yours with ${
        near(join(folder, "solution.ts"))
      }.`
      : `Not passed yet: ${verdict.points} of ${maximum(manifest)} points. Hints: ${near(join(folder, "hints.md"))}`
  ].join("\n")
}

const main = async (): Promise<number> => {
  let given: { readonly values: { readonly file?: string | undefined }; readonly positionals: ReadonlyArray<string> }
  try {
    given = parseArgs({ allowPositionals: true, options: { file: { type: "string" } } })
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
  const [id, ...rest] = given.positionals
  if (id === undefined || rest.length > 0) return usage("Name one exercise.")
  const exercise = list().find((exercise) => exercise.manifest.id === id)
  if (exercise === undefined) return usage(`There is no exercise ${id}.`)
  const file = given.values.file === undefined ? join(exercise.folder, "exercise.ts") : resolve(given.values.file)
  if (!existsSync(file)) return usage(`There is no file ${file}.`)
  const [verdict] = await grade([{ exercise, file }])
  if (verdict === undefined) throw new Error("The grader gave no verdict")
  console.log(report(exercise, verdict))
  return verdict.passed ? 0 : 1
}

process.exitCode = await main()
