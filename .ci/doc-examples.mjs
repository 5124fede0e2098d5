/** Type-checks every example of the documentation with the settings of the project. */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { collect, folder, generate, root } from "../test/docs/fences.ts"

const fences = collect()
generate(fences)
const project = join(folder, "tsconfig.json")
writeFileSync(project, JSON.stringify({ extends: "../../../tsconfig.json", include: ["./*.ts"], exclude: [] }))

const typescript = createRequire(import.meta.url).resolve("typescript/package.json")
const { status } = spawnSync(
  process.execPath,
  [join(dirname(typescript), "bin/tsc"), "--noEmit", "--project", project],
  {
    cwd: root,
    stdio: "inherit"
  }
)
if (status === 0) process.stdout.write(`${fences.length} examples type-check\n`)
else {
  process.stderr.write(
    "An example of the documentation does not type-check. The generated file keeps the line numbers of its source:\n" +
      "test/docs/.generated/src~request~Deadline~12.ts comes from src/request/Deadline.ts, line 12 and on.\n"
  )
}
process.exitCode = status ?? 1
