/** `npm run faults -- NAME`: the long forms of what the tests of this folder do in short. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const { NODE_OPTIONS: _, ...env } = process.env
const { status } = spawnSync(
  process.execPath,
  [
    "--conditions=lifecycle-source",
    "--disable-warning=ExperimentalWarning",
    fileURLToPath(new URL("./main.ts", import.meta.url)),
    ...process.argv.slice(2)
  ],
  { stdio: "inherit", env }
)
process.exitCode = status ?? 1
