/** `lifecycle serve` as a process of its own, in a folder of its own. */
import { assert } from "@effect/vitest"
import { Effect, Schedule, type Scope } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
import * as https from "node:https"
import { connect, createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Served } from "../../lessons/service/serve.ts"
import { type Ended, root } from "../cli/command.ts"
import { ask } from "./harness.ts"

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
export const taken = (port: number): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(() => listen(port)), (server) => Effect.sync(() => server?.close())),
    (server) => portOf(server)
  )

export const takenPort = taken(0)

const portOf = (server: Server | undefined): number => {
  const address = server?.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** From the port of a server: the services and the gateway, and the services of two workers. */
const offsets = [0, 1, 2, 3, 4, 10, 11, 12, 20, 21, 22]

/**
 * A port from which all that `serve` listens to is free. Below those that a system hands out by itself, or another test would
 * get one of them in the meantime.
 */
export const freePorts: Effect.Effect<number> = Effect.promise(async () => {
  while (true) {
    const first = 10_000 + Math.floor(Math.random() * 20_000)
    const servers = await Promise.all(offsets.map((offset) => listen(first + offset)))
    await Promise.all(
      servers.map((server) => new Promise((done) => server === undefined ? done(0) : server.close(done)))
    )
    if (!servers.includes(undefined)) return first
  }
})

export interface Serving {
  /** The addresses that it printed when it was ready; fails with what it said when it ended instead. */
  readonly ready: Effect.Effect<Served, Ended>
  readonly ended: Effect.Effect<Ended>
  /** To it and to everything it started in its process group, as a terminal does at Ctrl+C. */
  readonly signal: (name: NodeJS.Signals) => Effect.Effect<void>
  /** To the one process alone. */
  readonly kill: (name: NodeJS.Signals) => Effect.Effect<void>
  readonly out: () => string
  readonly err: () => string
}

export const serve = (options: {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly args?: ReadonlyArray<string> | undefined
  /** Started by a shell that waits for it, as `npx` does. */
  readonly byShell?: boolean | undefined
}): Effect.Effect<Serving, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const args = [join(root, "src", "cli", "bin.mjs"), "serve", ...options.args ?? ["--json"]]
        const env = { PATH: process.env.PATH ?? "", NO_COLOR: "1", ...options.env }
        const [command, ...given] = options.byShell === true
          ? ["/bin/sh", "-c", "\"$0\" \"$@\"; exit $?", process.execPath, ...args]
          : [process.execPath, ...args]
        const child = spawn(command ?? "", given, {
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
        return { child, ended, line, out: () => out, err: () => err }
      }),
      ({ child }) =>
        Effect.sync(() => {
          if (options.byShell !== true && child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
          // What a shell has started is in its group, also when the shell has gone.
          else if (options.byShell === true && !child.stdout.closed) process.kill(-(child.pid ?? Number.NaN), "SIGKILL")
        })
    ),
    ({ child, ended, err, line, out }) => ({
      ready: Effect.race(
        Effect.map(Effect.promise(() => line), (line) => JSON.parse(line) as Served),
        Effect.flatMap(Effect.promise(() => ended), (ended) => Effect.fail(ended))
      ),
      ended: Effect.promise(() => ended),
      signal: (name) => Effect.sync(() => process.kill(-(child.pid ?? Number.NaN), name)),
      kill: (name) => Effect.sync(() => child.kill(name)),
      out,
      err
    })
  )

export const lines = (text: string) => text.trimEnd().split("\n")

/** One clear sentence that says what to do, on standard error, and nothing else. */
export const gaveUp = (
  ended: { readonly code: number | null; readonly out: string; readonly err: string },
  sentence: RegExp
) => {
  assert.deepStrictEqual({ code: ended.code, out: ended.out }, { code: 1, out: "" }, ended.err)
  assert.lengthOf(lines(ended.err), 1, ended.err)
  assert.match(ended.err, sentence)
  assert.notInclude(ended.err, "s3cret")
  assert.notMatch(ended.err, /^\s+at |Error:/)
}

export const serverOf = (cwd: string): number =>
  Number(fs.readFileSync(join(cwd, ".lifecycle", "pg", "postmaster.pid"), "utf8").split("\n")[0])

/**
 * Begins `POST /users` and sends half of the body; the request counts as being in flight once `100 Continue` has come. The
 * rest goes out when `finish` runs, which answers with everything that was received.
 */
export const halfSent = (url: string) =>
  Effect.callback<{ readonly finish: Effect.Effect<string> }>((resume) => {
    const body = JSON.stringify({ name: "Late", email: "late@example.com" })
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" })
    let got = ""
    const closed = new Promise<string>((done) => socket.on("close", () => done(got)))
    socket.on("error", () => {})
    socket.on("data", (chunk: Buffer) => {
      got += String(chunk)
      if (!got.startsWith("HTTP/1.1 100 Continue\r\n\r\n") || got.length > 25) return
      socket.write(body.slice(0, 10))
      const finish = Effect.suspend(() => {
        socket.write(body.slice(10))
        return Effect.promise(() => closed)
      })
      resume(Effect.succeed({ finish }))
    })
    socket.write(
      "POST /users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token123\r\nContent-Type: application/json\r\n" +
        `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`
    )
  })

/** A page's stream of events, as it comes: `ended` says whether it ended whole, or was cut off. */
export const following = (url: string, ca?: string) =>
  Effect.callback<{ readonly ended: Effect.Effect<"whole" | "cut off"> }>((resume) => {
    const headers = { authorization: "Bearer token123" }
    const { request } = url.startsWith("https:") ? https : http
    request(url, { agent: false, headers, ...(ca === undefined ? {} : { ca }) }, (response) => {
      const ended = new Promise<"whole" | "cut off">((done) => {
        response.on("close", () => done(response.complete ? "whole" : "cut off"))
      })
      response.on("error", () => {})
      response.once("data", () => resume(Effect.succeed({ ended: Effect.promise(() => ended) })))
      response.resume()
    }).end()
  })

export const refused = (url: string) =>
  Effect.flip(ask(`${url}/health/live`)).pipe(
    Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: "5 seconds" }))
  )
