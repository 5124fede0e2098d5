/**
 * `npm run bench -- NAME [--json FILE]`: runs a suite, prints its table, and writes the rows as a JSON array.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { guards } from "./guards.ts"
import { http } from "./http.ts"
import { learn } from "./learn.ts"
import { server } from "./server.ts"
import { store } from "./store.ts"
import { machine, table } from "./Suite.ts"

const suites = { server, guards, learn, store, http }
const [name = "", ...flags] = process.argv.slice(2)
const suite = suites[name as keyof typeof suites]
const at = flags.indexOf("--json")
const file = at < 0 ? undefined : flags[at + 1]

if (suite === undefined || (at >= 0 && file === undefined)) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(suites).join(" | ")} [--json FILE]\n`)
  process.exitCode = 2
} else {
  NodeRuntime.runMain(Effect.gen(function*() {
    console.log(`suite ${name} on ${machine()}`)
    const rows = yield* suite.rows
    console.log(table(rows))
    if (file !== undefined) writeFileSync(file, JSON.stringify(rows, null, 2) + "\n")
  }))
}
