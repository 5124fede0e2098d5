/** Raw sockets that fail in one way each, for what goes wrong before an answer. */
import { Effect, type Scope } from "effect"
import { Resolver } from "node:dns"
import { createSocket } from "node:dgram"
import * as net from "node:net"
import * as nodeTls from "node:tls"
import { Worker } from "node:worker_threads"
import { closedPort, listen, rawUpstream } from "../../gateway/harness.ts"
import type { Pair } from "./certificates.ts"
import type { Target } from "./row.ts"

type Cause = Effect.Effect<Target, never, Scope.Scope>

export const closed: Cause = Effect.map(closedPort, (port) => ({ url: `http://127.0.0.1:${port}/users` }))

const raw = (onConnection: (socket: net.Socket) => void, scheme = "http"): Cause =>
  Effect.map(rawUpstream(onConnection), ({ port }) => ({ url: `${scheme}://localhost:${port}/users` }))

export const silent = raw(() => {})

export const closesAfterRequest = raw((socket) => socket.once("data", () => socket.end()))

export const closesDuringHandshake = raw((socket) => socket.once("data", () => socket.end()), "https")

export const plainBehindHttps = raw(
  (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")),
  "https"
)

export const answers = (bytes: string): Cause => raw((socket) => socket.once("data", () => socket.end(bytes)))

export const tls = (pair: Pair, options: nodeTls.TlsOptions = {}): Cause =>
  listen(() => nodeTls.createServer({ ...pair, ...options }, (socket) => socket.on("error", () => {}))).pipe(
    Effect.map(({ port }) => ({
      url: `https://localhost:${port}/users`,
      ...(options.maxVersion === undefined ? {} : { options: { minVersion: "TLSv1.3" as const } })
    }))
  )

/** A thread that listens and never accepts: once its backlog is full, the kernel drops what else knocks. */
const deafListener = `
const { createServer } = require("node:net")
const { parentPort } = require("node:worker_threads")
const server = createServer()
server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
})`

export const fullBacklog: Cause = Effect.gen(function*() {
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(deafListener, { eval: true })),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const port = yield* Effect.callback<number>((resume) => {
    worker.once("message", (port: number) => resume(Effect.succeed(port)))
  })
  const knock = Effect.acquireRelease(
    Effect.sync(() => net.connect(port, "127.0.0.1").on("error", () => {})),
    (socket) => Effect.sync(() => socket.destroy())
  )
  yield* Effect.sleep("50 millis")
  for (let count = 0; count < 4; count++) yield* knock
  yield* Effect.sleep("50 millis")
  return { url: `http://127.0.0.1:${port}/users` }
})

const codes = { SERVFAIL: 2, NXDOMAIN: 3 } as const

/** A real name server on a port of its own, and a client that asks it. */
export const nameServer = (answer: keyof typeof codes | "silence"): Cause =>
  Effect.gen(function*() {
    const server = createSocket("udp4")
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.on("message", (query, { address, port }) => {
          if (answer === "silence") return
          const reply = Buffer.from(query)
          reply[2] = 0x81
          reply[3] = 0x80 | codes[answer]
          server.send(reply, port, address)
        })
        server.bind(0, "127.0.0.1", () => resume(Effect.succeed(server.address().port)))
      }),
      () => Effect.sync(() => server.close())
    )
    const resolver = new Resolver({ timeout: 100, tries: 1 })
    resolver.setServers([`127.0.0.1:${port}`])
    yield* Effect.addFinalizer(() => Effect.sync(() => resolver.cancel()))
    const lookup: net.LookupFunction = (host, options, done) =>
      resolver.resolve4(host, (error, addresses = []) => {
        const [address = ""] = addresses
        if (error !== null) done(error, "")
        else if (options.all === true) done(null, [{ address, family: 4 }])
        else done(null, address, 4)
      })
    return { url: "http://users.example.test/users", lookup }
  })
