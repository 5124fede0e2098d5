/** Starts the process that runs tests, speaks with it, and ends it. */
import { Effect, Schema } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import type { Answer, CheckRequest, HostMessage, HostOptions } from "./protocol.ts"
import { outputLimit } from "./protocol.ts"

/** The process did not start. */
export class HostUnavailable extends Schema.TaggedError<HostUnavailable>()("HostUnavailable", {
  reason: Schema.String
}) {}

/** The process ended, or failed, while it had something to do. */
export class HostLost extends Schema.TaggedError<HostLost>()("HostLost", {
  how: Schema.Literals(["ended", "broken"]),
  reason: Schema.String
}) {}

/** A process that is ready to check. */
export interface Host {
  readonly ask: (request: CheckRequest) => Effect.Effect<Answer, HostLost>
  /** What the file under check has printed so far. */
  readonly printed: () => string
  readonly isAlive: () => boolean
  readonly kill: Effect.Effect<void>
}

const entry = fileURLToPath(
  new URL(`./graderHost${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
)

/** vitest does not run inside itself, and the host is plain Node whatever its parent was started with. */
export const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS$|TEST$)/.test(name))),
  NO_COLOR: "1",
  FORCE_COLOR: "0"
})

const missing = (name: string): string =>
  `The package ${name} is not installed. Checking needs: \`npm install --save-dev vitest @effect/vitest typescript\`.`

const ended = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`

// Under permissions the tests run in a process below the host, so the whole group has to go.
const killAll = (child: ChildProcess, group: boolean): void => {
  try {
    if (group && child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
  } catch {
    // It has ended already.
  }
  child.kill("SIGKILL")
}

const hostOf = (child: ChildProcess, group: boolean): Host => {
  let printed = ""
  let alive = true
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    if (printed.length < 2 * outputLimit) printed += text
  })
  child.once("exit", () => {
    alive = false
  })
  return {
    isAlive: () => alive,
    printed: () => printed.slice(0, outputLimit),
    kill: Effect.sync(() => {
      alive = false
      killAll(child, group)
    }),
    ask: (request) =>
      Effect.callback((resume) => {
        const forget = (): void => void child.off("message", onMessage).off("exit", onExit)
        const end = (result: Effect.Effect<Answer, HostLost>): void => {
          forget()
          resume(result)
        }
        const lost = (how: HostLost["how"], reason: string): void => end(Effect.fail(new HostLost({ how, reason })))
        const onMessage = (message: HostMessage): void => {
          if (message._tag === "Answer" && message.number === request.number) end(Effect.succeed(message))
          if (message._tag === "Broken" && message.number === request.number) lost("broken", message.reason)
        }
        const onExit = (code: number | null, signal: NodeJS.Signals | null): void => lost("ended", ended(code, signal))
        printed = ""
        child.on("message", onMessage).on("exit", onExit)
        child.send(request, (error) => {
          if (error !== null) lost("ended", error.message)
        })
        return Effect.sync(forget)
      })
  }
}

/** Starts the process and waits until it is ready. */
export const startHost = (
  options: HostOptions & { readonly execArgv: ReadonlyArray<string> }
): Effect.Effect<Host, HostUnavailable> =>
  Effect.callback((resume) => {
    const { execArgv, ...rest } = options
    const group = execArgv.includes("--permission") && process.platform !== "win32"
    const child = fork(entry, [JSON.stringify(rest)], {
      cwd: options.root,
      // The worker reads what the test runner keeps among temporary files: those of its own folder, not of the machine.
      env: {
        ...environment(),
        ...group && { TMPDIR: dirname(rest.scratch), TMP: dirname(rest.scratch), TEMP: dirname(rest.scratch) }
      },
      execArgv: [...execArgv],
      detached: group,
      stdio: ["ignore", "pipe", "pipe", "ipc"]
    })
    let errors = ""
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (errors.length < outputLimit) errors += text
    })
    const fail = (reason: string): void => {
      killAll(child, group)
      resume(Effect.fail(new HostUnavailable({ reason })))
    }
    child.on("error", (error) => fail(error.message))
    child.once("exit", (code, signal) => fail(`${ended(code, signal)}. ${errors.trim()}`.trim()))
    child.once("message", (message: HostMessage) => {
      child.removeAllListeners("exit")
      if (message._tag === "MissingPackage") fail(missing(message.name))
      else resume(Effect.succeed(hostOf(child, group)))
    })
    return Effect.sync(() => killAll(child, group))
  })
