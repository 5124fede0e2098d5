/**
 * Runs the benchmarks on the built library, which is what an app runs: a loader that compiles TypeScript on the fly also
 * changes it (every closure gets its name by a call), and would slow our side only.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const { NODE_OPTIONS: _, ...env } = process.env
const { status } = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    fileURLToPath(new URL("./main.ts", import.meta.url)),
    ...process.argv.slice(2)
  ],
  { stdio: "inherit", env }
)
process.exitCode = status ?? 1
