/** A real Chromium without a window, driven over a pipe by its own protocol: no driver has to be installed. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

/** Where Chromium is installed, or `undefined`. `CHROMIUM` names another one. */
export const installed: string | undefined = [
  process.env["CHROMIUM"] ?? "",
  ...names.map((name) => `/usr/bin/${name}`),
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
].find((path) => path !== "" && existsSync(path) && spawnSync(path, ["--version"]).status === 0)

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any

interface Received {
  readonly id?: number
  readonly method?: string
  readonly params?: Json
  readonly result?: Json
  readonly error?: { readonly message: string }
}

export interface Tab {
  readonly send: (method: string, params?: object) => Effect.Effect<Json>
  /** What an expression of JavaScript is, awaited; an exception is a defect. */
  readonly evaluate: (expression: string) => Effect.Effect<Json>
  /** Waits until the expression is truthy. */
  readonly until: (expression: string) => Effect.Effect<Json>
  readonly go: (url: string) => Effect.Effect<void>
  readonly size: (width: number, height: number) => Effect.Effect<void>
  readonly scheme: (scheme: "light" | "dark") => Effect.Effect<void>
  readonly press: (key: string) => Effect.Effect<void>
  readonly type: (text: string) => Effect.Effect<void>
  readonly screenshot: Effect.Effect<Buffer>
  /** Everything the console and the page have complained about so far. */
  readonly complaints: ReadonlyArray<string>
  /** Every address that was asked for so far. */
  readonly requests: ReadonlyArray<string>
}

const start = Effect.acquireRelease(
  Effect.sync(() => {
    const profile = mkdtempSync(join(tmpdir(), "lc-chromium-"))
    const child = spawn(installed ?? "", [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--no-first-run",
      "--hide-scrollbars",
      `--user-data-dir=${profile}`,
      "--remote-debugging-pipe",
      "about:blank"
    ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] })
    return { child, profile }
  }),
  ({ child, profile }) =>
    Effect.promise(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once("close", resolve))
        child.kill("SIGKILL")
        await ended
      }
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    })
)

/** Messages end with a zero byte. */
const speak = (child: ChildProcess) => {
  const [, , , writable, readable] = child.stdio as unknown as [null, null, null, Writable, Readable]
  const waiting = new Map<number, (received: Received) => void>()
  const listeners: Array<(received: Received) => void> = []
  let last = 0
  let rest = ""
  readable.setEncoding("utf8")
  readable.on("data", (chunk: string) => {
    const messages = (rest + chunk).split("\0")
    rest = messages.pop() ?? ""
    for (const text of messages) {
      const received = JSON.parse(text) as Received
      if (received.id === undefined) { for (const listener of listeners) listener(received) }
      else waiting.get(received.id)?.(received)
    }
  })
  writable.on("error", () => {})
  const send = (method: string, params: object = {}, sessionId?: string): Effect.Effect<Json> =>
    Effect.callback((resume) => {
      const id = ++last
      waiting.set(id, (received) => {
        waiting.delete(id)
        resume(
          received.error === undefined
            ? Effect.succeed(received.result)
            : Effect.die(new Error(`${method}: ${received.error.message}`))
        )
      })
      writable.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`)
    })
  return { send, listeners }
}

/** The text of a console message's arguments. */
const said = (args: ReadonlyArray<Json>): string =>
  args.map(({ description, value }) => String(value ?? description)).join(" ")

/** One empty tab of a new Chromium, which ends with the scope. */
export const open: Effect.Effect<Tab, never, Scope.Scope> = Effect.gen(function*() {
  const { child } = yield* start
  const { listeners, send: raw } = speak(child)
  const { targetId } = yield* raw("Target.createTarget", { url: "about:blank" })
  const { sessionId } = yield* raw("Target.attachToTarget", { targetId, flatten: true })
  const send = (method: string, params?: object) => raw(method, params, sessionId)

  const complaints: Array<string> = []
  const requests: Array<string> = []
  let loaded = () => {}
  listeners.push(({ method, params }) => {
    if (method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(params.exceptionDetails))
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
      complaints.push(said(params.args))
    }
    if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level)) {
      complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`)
    }
    if (method === "Network.requestWillBeSent") requests.push(params.request.url)
    if (method === "Page.loadEventFired") loaded()
  })
  for (const domain of ["Page", "Runtime", "Log", "Network"]) yield* send(`${domain}.enable`)

  const evaluate = Effect.fnUntraced(function*(expression: string) {
    const { exceptionDetails, result } = yield* send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true
    })
    if (exceptionDetails !== undefined) return yield* Effect.die(new Error(JSON.stringify(exceptionDetails)))
    return result.value as Json
  })

  const press = (key: string) =>
    Effect.gen(function*() {
      const code = { Enter: 13, Escape: 27, Tab: 9, ArrowDown: 40, ArrowUp: 38, End: 35, Home: 36, " ": 32 }[key] ?? 0
      const text = key === "Enter" ? "\r" : key === " " ? " " : undefined
      const params = { key, windowsVirtualKeyCode: code, ...(text === undefined ? {} : { text }) }
      yield* send("Input.dispatchKeyEvent", { type: text === undefined ? "rawKeyDown" : "keyDown", ...params })
      yield* send("Input.dispatchKeyEvent", { type: "keyUp", ...params })
    })

  return {
    send,
    evaluate,
    until: (expression) =>
      Effect.gen(function*() {
        for (let times = 0; times < 200; times++) {
          const value = yield* evaluate(expression)
          if (value) return value
          yield* Effect.sleep("50 millis")
        }
        const text = yield* evaluate("document.body.innerText")
        return yield* Effect.die(new Error(`never came true: ${expression}\n${text}\n${complaints.join("\n")}`))
      }),
    go: (url) =>
      Effect.gen(function*() {
        const done = new Promise<void>((resolve) => (loaded = resolve))
        yield* send("Page.navigate", { url })
        yield* Effect.promise(() => done)
      }),
    size: (width, height) =>
      send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 }),
    scheme: (value) => send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] }),
    press,
    type: (text) => send("Input.insertText", { text }),
    screenshot: Effect.map(
      send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true }),
      ({ data }) => Buffer.from(data, "base64")
    ),
    complaints,
    requests
  }
})
