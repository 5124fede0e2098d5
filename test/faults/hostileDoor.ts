/** Sends hostile requests to a process with a gateway and an application, and says what became of them and of it. */
import { Effect, Fiber, type Scope, Semaphore } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as net from "node:net"
import { fileURLToPath } from "node:url"
import { type Health, limits, type Ports } from "./hostileDoor.protocol.ts"
import { goodRequest, type Hostile, hostile, injected, numbers } from "./hostileRequests.ts"
import { lost, watch } from "./starvation.ts"

export interface Outcome {
  readonly seed: number
  readonly requests: number
  readonly millis: number
  readonly statuses: { readonly [status: string]: number }
  /** What should not be: a 5xx, a good request that failed, an answer that is none, a header that was injected. */
  readonly faults: ReadonlyArray<string>
  /** Connections that nobody ended. */
  readonly hung: ReadonlyArray<string>
  /** Limits of time that passed while the process had no processor. */
  readonly excused: number
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

/** Of this process, which may be late to see what the other one did. */
const starved = watch()

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
 * How long a connection may stay open: what the limits of the process allow, and a little, counted in turns of our own loop,
 * because while this process gets no processor, an answer may lie there unread. The other process may have none either. So
 * what is open then has hung only if the process meanwhile answers plain requests, several in a row: its timers were due
 * before they came. A process that answers none of them within a minute has hung as a whole.
 */
const patience = { turns: 16, eachMillis: 500, plain: 3, plainTurns: 120 }

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

/** Asks for something plain so many times, one after the other, and goes on when all were answered or one was not. */
const plainly = (port: number, times: number, then: () => void): void => {
  if (times === 0) return then()
  let text = ""
  const socket = net.connect(port, "127.0.0.1", () => socket.write(goodRequest))
  let turns = patience.plainTurns
  const waiting = setInterval(() => {
    if (--turns === 0) next(then)
  }, patience.eachMillis)
  const next = (go: () => void) => {
    clearInterval(waiting)
    socket.removeAllListeners().on("error", () => {}).destroy()
    go()
  }
  const again = () => next(() => plainly(port, times - 1, then))
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1")
    if (isWhole(text, false)) again()
  })
  socket.on("error", again)
  socket.on("close", again)
}

const exchange = (port: number, { bytes, ending, pieces }: Hostile): Effect.Effect<Heard> =>
  Effect.callback((resume) => {
    let text = ""
    const isHead = bytes.subarray(0, 5).toString("latin1") === "HEAD "
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    let ended = false
    const done = (closed: boolean) => {
      if (ended) return
      ended = true
      clearInterval(waiting)
      socket.destroy()
      resume(Effect.succeed({ text, closed }))
    }
    let turns = patience.turns
    const waiting = setInterval(() => {
      if (--turns === 0) plainly(port, patience.plain, () => done(false))
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

/** What a limit of time makes of a request: no answer, or one of these. */
const timed: ReadonlySet<string> = new Set(["closed", "408", "502", "504"])

/** So much of an exchange has to be lost, for a limit of time to be the machine's fault: a third of the shortest limit. */
const lostMillis = limits.headersMillis / 3

/**
 * So many are at work at once: a queue that a busy machine works off within the patience of whoever stands in it. One that is
 * silent for a moment, such as one that waits for its limit of time, makes room for another.
 */
const load = { working: 64, open: 192, silentMillis: 300 }

const busily = (semaphore: Semaphore.Semaphore) => <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.flatMap(
    semaphore.withPermits(1)(
      Effect.flatMap(
        Effect.forkChild(self),
        (fiber) => Effect.as(Effect.timeoutOption(Fiber.await(fiber), load.silentMillis), fiber)
      )
    ),
    Fiber.join
  )

/** Sends `requests` of them, one in five to the application's own port and the rest through the gateway. */
export const attack = Effect.fnUntraced(
  function*({ requests, seed }: { readonly requests: number; readonly seed: number }) {
    const { child, health, ports } = yield* attacked
    const make = hostile(seed)
    const where = numbers(seed + 1)
    // Everything that is made once has been made.
    const warm = hostile(seed + 2)
    const busy = busily(yield* Semaphore.make(load.working))
    yield* Effect.forEach(
      Array.from({ length: 500 }, warm),
      (request) => busy(exchange(ports.gateway, { ...request, ending: "wait" })),
      { concurrency: load.open, discard: true }
    )
    const before = yield* health
    const statuses: Record<string, number> = {}
    const found: Array<
      { readonly fault: string; readonly status: string; readonly from: number; readonly to: number }
    > = []
    const hung: Array<string> = []
    const started = performance.now()
    yield* Effect.forEach(
      Array.from({ length: requests }, (_, index) => index),
      () =>
        Effect.suspend(() => {
          const request = make()
          const from = Date.now()
          return Effect.map(busy(exchange(where() < 0.2 ? ports.application : ports.gateway, request)), (heard) => {
            const status = /^HTTP\/1\.1 (\d{3})/.exec(heard.text)?.[1] ??
              (request.ending === "reset" ? "reset" : "closed")
            statuses[status] = (statuses[status] ?? 0) + 1
            const fault = judge(request, heard)
            if (fault !== undefined) found.push({ fault, status, from, to: Date.now() })
            if (!heard.closed) hung.push(shown(request, heard.text))
          })
        }),
      { concurrency: load.open, discard: true }
    )
    const millis = performance.now() - started
    yield* Effect.sleep("500 millis")
    const after = yield* health
    const faults = found.filter(({ from, status, to }) =>
      !timed.has(status) || lost(after.starved, from, to) < lostMillis
    ).map(({ fault }) => fault)
    return {
      seed,
      requests,
      millis,
      statuses,
      faults,
      hung,
      excused: found.length - faults.length,
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
  /** How long good requests took meanwhile, in milliseconds, without what the process had no processor for. */
  readonly served: ReadonlyArray<number>
  /** Connections that the other side ended. */
  readonly ended: number
  /** When it had ended the last of them, as long after they were opened, in milliseconds counted likewise. */
  readonly endedAfter: number
}

const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const state: { ended: number | undefined } = { ended: undefined }
      const socket = net.connect(port, "127.0.0.1")
      socket.on("error", () => {})
      socket.on("data", () => {})
      socket.on("close", () => state.ended = Date.now())
      return { socket, state }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const askGood = (port: number): Effect.Effect<readonly [from: number, to: number]> =>
  Effect.suspend(() => {
    const started = Date.now()
    const bytes = Buffer.from(goodRequest)
    const request = { kind: "good", bytes, ending: "wait", pieces: 1, mayTimeOut: false, status: 200 } as const
    return Effect.flatMap(exchange(port, request), (heard) =>
      judge(request, heard) === undefined
        ? Effect.succeed([started, Date.now()] as const)
        : Effect.die(new Error(`a good request failed meanwhile: ${heard.text.slice(0, 200)}`)))
  })

/** How often good requests are sent at the least, and how often before who has not ended its connections never will. */
const turns = { least: 45, most: 400, eachMillis: 75 }

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
  const started = Date.now()
  const opened = yield* Effect.forEach(Array.from({ length: options.connections }), () => connect(port))
  for (const { socket } of opened) {
    if (!options.silent) socket.write("GET /users HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
  }
  yield* Effect.sleep("100 millis")
  const expected = options.at === "gateway" ? Math.min(options.connections, limits.connections) : 0
  let during = yield* health
  for (let looks = 0; looks < 20 && during.connections < expected; looks++) {
    yield* Effect.sleep("50 millis")
    during = yield* health
  }
  const spans: Array<readonly [from: number, to: number]> = []
  const isOpen = () => opened.length < limits.connections && opened.some(({ state }) => state.ended === undefined)
  for (let turn = 0; turn < turns.least || (turn < turns.most && isOpen()); turn++) {
    for (const { socket } of opened) if (!options.silent) socket.write("a")
    if (opened.length < limits.connections) spans.push(yield* askGood(port))
    yield* Effect.sleep(turns.eachMillis)
  }
  const after = yield* health
  const took = (from: number, to: number) =>
    to - from - Math.max(lost(after.starved, from, to), lost(starved, from, to))
  const ends = opened.flatMap(({ state }) => state.ended ?? [])
  return {
    before,
    during,
    after,
    served: spans.map(([from, to]) => took(from, to)),
    ended: ends.length,
    endedAfter: took(started, Math.max(started, ...ends))
  } satisfies Flood
})

const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MiB`

export const told = ({ after, before, excused, faults, hung, millis, requests, seed, statuses }: Outcome): string =>
  `hostile: seed ${seed}, ${requests} requests in ${(millis / 1000).toFixed(1)} s, ${faults.length} faults, ` +
  `${excused} limits passed without a processor, ${hung.length} hung, ${after.defects.length} bugs, heap ${
    mebibytes(before.heapBytes)
  } then ${mebibytes(after.heapBytes)}, resident ${mebibytes(after.residentBytes)}\n  ${
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
