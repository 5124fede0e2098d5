/** `lifecycle serve` as a process of its own, in a folder of its own. */
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Addresses } from "../../lessons/service/launch.ts"
import { type Ended, root } from "../cli/command.ts"

export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lc-serve-"))),
  (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
)

const listen = (port: number): Promise<Server | undefined> =>
  new Promise((resolve) => {
    const server = createServer()
    server.on("error", () => resolve(undefined))
    server.listen(port, "127.0.0.1", () => resolve(server))
  })

/** Holds a port until the scope closes. */
export const takenPort: Effect.Effect<number, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(Effect.promise(() => listen(0)), (server) => Effect.sync(() => server?.close())),
  (server) => portOf(server)
)

const portOf = (server: Server | undefined): number => {
  const address = server?.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** The first of three free ports in a row. */
export const freePorts: Effect.Effect<number> = Effect.promise(async () => {
  while (true) {
    const servers = [await listen(0)]
    const first = portOf(servers[0])
    if (first <= 65_000) servers.push(await listen(first + 1), await listen(first + 2))
    await Promise.all(
      servers.map((server) => new Promise((done) => server === undefined ? done(0) : server.close(done)))
    )
    if (servers.length === 3 && !servers.includes(undefined)) return first
  }
})

export interface Serving {
  /** The addresses that it printed when it was ready; fails with what it said when it ended instead. */
  readonly ready: Effect.Effect<Addresses, Ended>
  readonly ended: Effect.Effect<Ended>
  /** To it and to everything it started in its process group, as a terminal does at Ctrl+C. */
  readonly signal: (name: NodeJS.Signals) => Effect.Effect<void>
  readonly out: () => string
}

export const serve = (options: {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly args?: ReadonlyArray<string> | undefined
}): Effect.Effect<Serving, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const args = [join(root, "src", "cli", "bin.mjs"), "serve", ...options.args ?? ["--json"]]
        const env = { PATH: process.env.PATH ?? "", NO_COLOR: "1", ...options.env }
        const child = spawn(process.execPath, args, {
          cwd: options.cwd,
          env,
          stdio: ["ignore", "pipe", "pipe"],
          detached: true
        })
        let out = ""
        let err = ""
        let lineSeen: (line: string) => void
        const line = new Promise<string>((resolve) => (lineSeen = resolve))
        child.stdout.on("data", (chunk: Buffer) => {
          out += String(chunk)
          const end = out.indexOf("\n")
          if (end >= 0) lineSeen(out.slice(0, end))
        })
        child.stderr.on("data", (chunk: Buffer) => {
          err += String(chunk)
        })
        const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, err })))
        return { child, ended, line, out: () => out }
      }),
      ({ child }) =>
        Effect.sync(() => {
          if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
        })
    ),
    ({ child, ended, line, out }) => ({
      ready: Effect.race(
        Effect.map(Effect.promise(() => line), (line) => JSON.parse(line) as Addresses),
        Effect.flatMap(Effect.promise(() => ended), (ended) => Effect.fail(ended))
      ),
      ended: Effect.promise(() => ended),
      signal: (name) => Effect.sync(() => process.kill(-(child.pid ?? Number.NaN), name)),
      out
    })
  )
