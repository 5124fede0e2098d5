/** Runs the command line as a process of its own. */
import { Effect, type Scope } from "effect"
import { transformSync } from "esbuild"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

export const root = join(import.meta.dirname, "..", "..")

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  /** The package's folder; that of the clone when absent. */
  readonly home?: string | undefined
  readonly cwd?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly input?: string | undefined
  /** Sends this signal as soon as something was printed. */
  readonly signal?: NodeJS.Signals | undefined
}

/** `node ...args` with an environment that holds nothing of the test runner's. */
export const node = (args: ReadonlyArray<string>, options: RunOptions = {}): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const env = { PATH: process.env.PATH ?? "", NO_COLOR: "1", ...options.env }
    const child = spawn(process.execPath, args, { cwd: options.cwd ?? root, env, stdio: "pipe" })
    let out = ""
    let err = ""
    child.stdout.once("data", () => {
      if (options.signal !== undefined) child.kill(options.signal)
    })
    child.stdout.on("data", (chunk: Buffer) => {
      out += String(chunk)
    })
    child.stderr.on("data", (chunk: Buffer) => {
      err += String(chunk)
    })
    child.on("close", (code) => resume(Effect.succeed({ code, out, err })))
    child.stdin.end(options.input ?? "")
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export const lifecycle = (args: ReadonlyArray<string>, options: RunOptions = {}): Effect.Effect<Ended> =>
  node([join(options.home ?? root, "src", "cli", "bin.mjs"), ...args], options)

/**
 * The package as npm installs it (`dist` and no TypeScript), beside only the packages that are named. It is translated file
 * by file, which says nothing about types but takes a second instead of a build.
 */
export const installed = (
  packages: ReadonlyArray<string>
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const home = fs.mkdtempSync(join(tmpdir(), "lc-installed-"))
      fs.copyFileSync(join(root, "package.json"), join(home, "package.json"))
      fs.mkdirSync(join(home, "src", "cli"), { recursive: true })
      for (const name of ["bin.mjs", "preflight.mjs"]) {
        fs.copyFileSync(join(root, "src", "cli", name), join(home, "src", "cli", name))
      }
      for (const room of ["cli", "client", "lifecycle", "request", "testing", "workbook"]) {
        for (const name of fs.readdirSync(join(root, "src", room), { recursive: true, encoding: "utf8" })) {
          if (!name.endsWith(".ts")) continue
          const { code } = transformSync(fs.readFileSync(join(root, "src", room, name), "utf8"), {
            loader: "ts",
            target: "es2024",
            tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } }
          })
          const file = join(home, "dist", room, name.replace(/\.ts$/, ".js"))
          fs.mkdirSync(dirname(file), { recursive: true })
          fs.writeFileSync(file, code.replaceAll(/((?:from |import\()"\.[^"]*)\.ts"/g, "$1.js\""))
        }
      }
      for (const name of packages) {
        const link = join(home, "node_modules", name)
        fs.mkdirSync(dirname(link), { recursive: true })
        fs.symlinkSync(join(root, "node_modules", name), link)
      }
      return home
    }),
    (home) => Effect.sync(() => fs.rmSync(home, { recursive: true, force: true }))
  )
