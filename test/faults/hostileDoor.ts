/** Sends hostile requests to a process with a gateway and an application, and says what became of them and of it. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as net from "node:net"
import { fileURLToPath } from "node:url"
import { type Health, limits, type Ports } from "./hostileDoor.protocol.ts"
import { goodRequest, type Hostile, hostile, injected, numbers } from "./hostileRequests.ts"

export interface Outcome {
  readonly seed: number
  readonly requests: number
  readonly millis: number
  readonly statuses: { readonly [status: string]: number }
  /** What should not be: a 5xx, a good request that failed, an answer that is none, a header that was injected. */
  readonly faults: ReadonlyArray<string>
  /** Connections that nobody ended. */
  readonly hung: ReadonlyArray<string>
  readonly before: Health
  readonly after: Health
  /** The process was there until the end. */
  readonly alive: boolean
}

export interface Attacked {
  readonly ports: Ports
  readonly health: Effect.Effect<Health>
  readonly child: ChildProcess
}

const file = fileURLToPath(new URL("hostileDoor.child.ts", import.meta.url))

const message = <A>(child: ChildProcess): Effect.Effect<A> =>
  Effect.callback<A>((resume) => {
    const heard = (message: A) => resume(Effect.succeed(message))
    const ended = (code: number | null, signal: string | null) =>
      resume(Effect.die(new Error(`the process under attack ended: ${code ?? signal}`)))
    child.once("message", heard)
    child.once("exit", ended)
    return Effect.sync(() => child.off("message", heard).off("exit", ended))
  })

/** A new process, which ends with the scope. */
export const attacked: Effect.Effect<Attacked, never, Scope.Scope> = Effect.gen(function*() {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        ["--expose-gc", "--conditions=lifecycle-source", "--disable-warning=ExperimentalWarning", file],
        { stdio: ["ignore", "inherit", "inherit", "ipc"] }
      )
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const ports = yield* message<Ports>(child)
  const health = Effect.suspend(() => {
    child.send("health")
    return message<Health>(child)
  })
  return { ports, health, child }
})

/**
 * How long a connection may stay open: what the limits of the process allow, and a little. It is counted in turns of our own
 * loop, because while this process gets no processor, an answer may lie there unread.
 */
const patience = { turns: 16, eachMillis: 500 }

/** What came back, and whether the connection was ended. */
interface Heard {
  readonly text: string
  readonly closed: boolean
}

const interim = /^HTTP\/1\.1 1\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n/

/** All of the first answer has come, or so much that nothing more can be told from it. */
const isWhole = (text: string, isHead: boolean): boolean => {
  const end = text.indexOf("\r\n\r\n")
  if (end < 0) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1]
  return isHead || length === undefined || text.length >= end + 4 + Number(length)
}

const exchange = (port: number, { bytes, ending, pieces }: Hostile): Effect.Effect<Heard> =>
  Effect.callback((resume) => {
    let text = ""
    const isHead = bytes.subarray(0, 5).toString("latin1") === "HEAD "
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    const done = (closed: boolean) => {
      clearInterval(waiting)
      socket.destroy()
      resume(Effect.succeed({ text, closed }))
    }
    let turns = patience.turns
    const waiting = setInterval(() => {
      if (--turns === 0) done(false)
    }, patience.eachMillis)
    const rest = (from: number): void => {
      const to = Math.min(bytes.length, from + Math.ceil(bytes.length / pieces))
      if (to < bytes.length) {
        socket.write(bytes.subarray(from, to))
        setTimeout(rest, 2, to)
      } else if (ending === "half-close") socket.end(bytes.subarray(from, to))
      else if (ending === "wait") socket.write(bytes.subarray(from, to))
      else {
        socket.write(bytes.subarray(from, to))
        setTimeout(() => {
          socket.resetAndDestroy()
          done(true)
        }, 1)
      }
    }
    socket.on("connect", () => rest(0))
    socket.on("data", (chunk) => {
      text = (text + chunk.toString("latin1")).replace(interim, "")
      if (isWhole(text, isHead)) done(true)
    })
    socket.on("error", () => done(true))
    socket.on("end", () => done(true))
    socket.on("close", () => done(true))
  })

/** Statuses of 500 and more that are right: a method, a version or a way round that nobody knows. */
const allowed: ReadonlySet<number> = new Set([501, 505, 508])

const shown = (request: Hostile, text: string): string =>
  `${request.kind}, ${request.ending}: ${JSON.stringify(request.bytes.toString("latin1").slice(0, 300))} got ` +
  JSON.stringify(text.slice(0, 400))

const judge = (request: Hostile, { text }: Heard): string | undefined => {
  if (request.ending === "reset") return undefined
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  const head = text.slice(0, text.indexOf("\r\n\r\n") + 2)
  if (request.status !== undefined && status !== request.status) return `a good request failed: ${shown(request, text)}`
  if (status >= 500 && !allowed.has(status) && !(status === 504 && request.mayTimeOut)) return shown(request, text)
  if (text !== "" && status === 0) return `no answer of HTTP: ${shown(request, text)}`
  if (new RegExp(`^${injected}:`, "im").test(head)) return `a header was injected: ${shown(request, text)}`
  if (status >= 200) {
    const ids = head.match(/^x-request-id: .*$/gim) ?? []
    if (ids.length !== 1 || !/^x-request-id: [\w.-]{1,128}$/i.test(ids[0] ?? "")) {
      return `its id: ${shown(request, text)}`
    }
  }
  return undefined
}

/** Sends `requests` of them, one in five to the application's own port and the rest through the gateway. */
export const attack = Effect.fnUntraced(
  function*({ requests, seed }: { readonly requests: number; readonly seed: number }) {
    const { child, health, ports } = yield* attacked
    const make = hostile(seed)
    const where = numbers(seed + 1)
    // Everything that is made once has been made.
    const warm = hostile(seed + 2)
    yield* Effect.forEach(
      Array.from({ length: 500 }, warm),
      (request) => exchange(ports.gateway, { ...request, ending: "wait" }),
      { concurrency: 64, discard: true }
    )
    const before = yield* health
    const statuses: Record<string, number> = {}
    const faults: Array<string> = []
    const hung: Array<string> = []
    const started = performance.now()
    yield* Effect.forEach(
      Array.from({ length: requests }, (_, index) => index),
      () =>
        Effect.suspend(() => {
          const request = make()
          return Effect.map(exchange(where() < 0.2 ? ports.application : ports.gateway, request), (heard) => {
            const status = /^HTTP\/1\.1 (\d{3})/.exec(heard.text)?.[1] ??
              (request.ending === "reset" ? "reset" : "closed")
            statuses[status] = (statuses[status] ?? 0) + 1
            const fault = judge(request, heard)
            if (fault !== undefined) faults.push(fault)
            if (!heard.closed) hung.push(shown(request, heard.text))
          })
        }),
      // A queue that a busy machine works off within the patience of whoever stands in it.
      { concurrency: 64, discard: true }
    )
    const millis = performance.now() - started
    yield* Effect.sleep("500 millis")
    const after = yield* health
    return {
      seed,
      requests,
      millis,
      statuses,
      faults,
      hung,
      before,
      after,
      alive: child.exitCode === null
    } satisfies Outcome
  }
)

export interface Flood {
  readonly before: Health
  readonly during: Health
  readonly after: Health
  /** How long good requests took meanwhile, in milliseconds. */
  readonly served: ReadonlyArray<number>
  /** Connections that the other side ended. */
  readonly ended: number
}

const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const state = { ended: false }
      const socket = net.connect(port, "127.0.0.1")
      socket.on("error", () => {})
      socket.on("data", () => {})
      socket.on("close", () => state.ended = true)
      return { socket, state }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const askGood = (port: number): Effect.Effect<number> =>
  Effect.suspend(() => {
    const started = performance.now()
    const bytes = Buffer.from(goodRequest)
    const request = { kind: "good", bytes, ending: "wait", pieces: 1, mayTimeOut: false, status: 200 } as const
    return Effect.flatMap(exchange(port, request), (heard) =>
      judge(request, heard) === undefined
        ? Effect.succeed(performance.now() - started)
        : Effect.die(new Error(`a good request failed meanwhile: ${heard.text.slice(0, 200)}`)))
  })

/**
 * Opens `connections` to a port, and has each send its headers a byte at a time, without end; or nothing at all, where
 * `silent`. Good requests go on meanwhile.
 */
export const flood = Effect.fnUntraced(function*(
  options: { readonly at: keyof Ports; readonly connections: number; readonly silent: boolean }
) {
  const { health, ports } = yield* attacked
  const port = ports[options.at]
  yield* Effect.forEach(Array.from({ length: 50 }), () => askGood(port), { discard: true })
  const before = yield* health
  const opened = yield* Effect.forEach(Array.from({ length: options.connections }), () => connect(port))
  for (const { socket } of opened) {
    if (!options.silent) socket.write("GET /users HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
  }
  yield* Effect.sleep("100 millis")
  const during = yield* health
  const served: Array<number> = []
  for (let turn = 0; turn < 45; turn++) {
    for (const { socket } of opened) if (!options.silent) socket.write("a")
    if (opened.length < limits.connections) served.push(yield* askGood(port))
    yield* Effect.sleep("75 millis")
  }
  const ended = opened.filter(({ state }) => state.ended).length
  return { before, during, after: yield* health, served, ended } satisfies Flood
})

const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MiB`

export const told = ({ after, before, faults, hung, millis, requests, seed, statuses }: Outcome): string =>
  `hostile: seed ${seed}, ${requests} requests in ${(millis / 1000).toFixed(1)} s, ${faults.length} faults, ` +
  `${hung.length} hung, ${after.defects.length} bugs, heap ${mebibytes(before.heapBytes)} then ${
    mebibytes(after.heapBytes)
  }, resident ${mebibytes(after.residentBytes)}\n  ${
    Object.entries(statuses).map(([status, count]) => `${status}: ${count}`).join(", ")
  }\n`

/** What is wrong with an outcome, in words; nothing where it is clean. */
export const wrongs = ({ after, alive, before, faults, hung }: Outcome): ReadonlyArray<string> => [
  ...faults.slice(0, 20),
  ...hung.slice(0, 20).map((one) => `hung: ${one}`),
  ...after.defects,
  ...after.badLines.map((line) => `a bad line: ${line}`),
  ...alive ? [] : ["the process has ended"],
  ...after.smuggled > 0 ? [`${after.smuggled} requests were smuggled in`] : [],
  ...after.heapBytes - before.heapBytes > 32 * 1_048_576 ? [`the heap grew to ${mebibytes(after.heapBytes)}`] : [],
  ...after.exchanges > 0 ? [`${after.exchanges} exchanges never ended`] : [],
  ...after.bufferedBytes > 0 ? [`${after.bufferedBytes} bytes of bodies are still buffered`] : []
]
