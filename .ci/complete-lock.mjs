/**
 * Completes package-lock.json after `npm install`.
 *
 * npm leaves out the optional platform packages that the registry it spoke to does not have, and `npm ci` then refuses
 * the lock as out of step with package.json. Naming them with their version, operating system and processor is enough:
 * npm skips what does not fit the machine. Run it after every change of a dependency: `node .ci/complete-lock.mjs`.
 */
import { readFileSync, writeFileSync } from "node:fs"

const file = new URL("../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(file, "utf8"))
const os = /(darwin|linux|win32|windows|android|freebsd|openharmony)/
const cpu = /(arm64|x64|ia32|arm|ppc64|riscv64|s390x|loong64)/
const npmName = { windows: "win32" }

let added = 0
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    if (key in lock.packages) continue
    const system = name.match(os)?.[1]
    const processor = name.match(cpu)?.[1]
    lock.packages[key] = {
      version: version.replace(/^[\^~]/, ""),
      ...(processor === undefined ? {} : { cpu: [processor] }),
      dev: true,
      optional: true,
      ...(system === undefined ? {} : { os: [npmName[system] ?? system] })
    }
    added++
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
writeFileSync(file, JSON.stringify(lock, null, 2) + "\n")
process.stdout.write(`package-lock.json: ${added} optional platform packages added\n`)
