/** Grades every stub, solution, alternative and wrong answer of the course at once, and prints the verdicts as JSON. */
import { globSync } from "node:fs"
import { join } from "node:path"
import { grade, list } from "../../exercises/grade.ts"

const subjects = list().flatMap((exercise) =>
  globSync("{exercise,solution,alternatives/*,mutants/*}.ts", { cwd: exercise.folder })
    .sort()
    .map((file) => ({ exercise, file: join(exercise.folder, file) }))
)

process.stdout.write(JSON.stringify(await grade(subjects)))
