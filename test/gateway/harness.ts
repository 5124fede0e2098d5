/** A gateway on a real socket, upstreams behind it that do what a test says, and clients that send what a test writes. */
import { type Duration, Effect, Schedule, type Scope } from "effect"
import { Gateway, GatewayConfig } from "effect-lifecycle/gateway"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as tls from "node:tls"

export interface Listener {
  readonly port: number
  readonly origin: string
  readonly sockets: Set<net.Socket>
}

/** Listens on a free port of this machine; all connections end with the scope. */
export const listen = (make: () => net.Server): Effect.Effect<Listener, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Listener & { readonly server: net.Server }>((resume) => {
      const server = make()
      const sockets = new Set<net.Socket>()
      server.on("connection", (socket: net.Socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
        socket.on("error", () => {})
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as net.AddressInfo
        resume(Effect.succeed({ server, port, origin: `http://127.0.0.1:${port}`, sockets }))
      })
    }),
    ({ server, sockets }) =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      })
  )

export const upstream = (handler: http.RequestListener) => listen(() => http.createServer(handler))

/** An upstream that writes these bytes to whoever connects and sends something. */
export const rawUpstream = (onConnection: (socket: net.Socket) => void) => listen(() => net.createServer(onConnection))

/** A port that nobody listens on. */
export const closedPort = Effect.scoped(Effect.map(listen(() => net.createServer()), ({ port }) => port))

export const config = (input: unknown) => GatewayConfig.decode(input)

/** A gateway with one upstream for everything, unless the configuration says otherwise. */
export const gateway = (
  targets: ReadonlyArray<string>,
  more: {
    readonly upstream?: object
    readonly route?: object
    readonly [field: string]: unknown
  } = {}
) => {
  const { route, upstream, ...rest } = more
  return Effect.flatMap(
    config({
      listen: { port: 0 },
      upstreams: { users: { targets, ...upstream } },
      routes: [{ prefix: "/", upstream: "users", ...route }],
      timeouts: { drain: "200 millis", ...rest["timeouts"] as object },
      ...Object.fromEntries(Object.entries(rest).filter(([field]) => field !== "timeouts"))
    }),
    Gateway.make
  )
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  readonly problem: { readonly [member: string]: unknown }
  /** The whole body came. */
  readonly complete: boolean
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly body?: string | Buffer
  readonly agent?: http.Agent
}

/** A client of `node:http`, which sends exactly these headers. */
export const ask = (port: number, path: string, options: AskOptions = {}): Effect.Effect<Answer, Error> =>
  Effect.callback((resume) => {
    const request = http.request({
      host: "127.0.0.1",
      port,
      path,
      method: options.method ?? "GET",
      headers: options.headers ?? {},
      agent: options.agent ?? false
    })
    request.on("response", (response) => {
      let text = ""
      response.on("data", (chunk) => text += chunk)
      response.on("error", () => {})
      response.on("close", () => {
        const isProblem = response.headers["content-type"] === "application/problem+json"
        resume(Effect.succeed({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          problem: isProblem && response.complete ? JSON.parse(text) : {},
          complete: response.complete
        }))
      })
    })
    request.on("error", (error) => resume(Effect.fail(error)))
    request.end(options.body)
    return Effect.sync(() => request.destroy())
  })

/** Sends these bytes, and waits until the other side closes or for `patience`. */
export const say = (port: number, text: string, patience: Duration.Input = "3 seconds"): Effect.Effect<string> =>
  saying(text, patience, () => net.connect(port, "127.0.0.1"))

/** The same over TLS, as HTTP/1.1. */
export const saySecurely = (
  port: number,
  text: string,
  patience: Duration.Input = "3 seconds"
): Effect.Effect<string> =>
  saying(
    text,
    patience,
    () => tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
  )

const saying = (text: string, patience: Duration.Input, connect: () => net.Socket): Effect.Effect<string> =>
  Effect.suspend(() => {
    let answer = ""
    return Effect.callback<string>((resume) => {
      const socket = connect()
      socket.write(text, "latin1")
      socket.on("data", (chunk) => answer += chunk.toString("latin1"))
      socket.on("error", () => {})
      socket.on("close", () => resume(Effect.succeed(answer)))
      return Effect.sync(() => socket.destroy())
    }).pipe(Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.sync(() => answer) }))
  })

/** A connection of HTTP/2 that trusts this certificate. */
export const session = (port: number, ca: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const client = http2.connect(`https://127.0.0.1:${port}`, { ca })
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.destroy())
  )

/** One request over it. */
export const over2 = (
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string | Buffer
) =>
  Effect.callback<{ readonly headers: http2.IncomingHttpHeaders; readonly text: string; readonly code: number }>(
    (resume) => {
      const stream = client.request(headers, { endStream: body === undefined })
      let text = ""
      let got: http2.IncomingHttpHeaders = {}
      stream.on("response", (headers) => got = headers)
      stream.on("data", (chunk) => text += chunk)
      stream.on("error", () => {})
      stream.on("close", () => resume(Effect.succeed({ headers: got, text, code: stream.rstCode ?? 0 })))
      if (body !== undefined) stream.end(body)
    }
  )

/** Waits until something is so, and fails after two seconds. */
export const until = (test: () => boolean) =>
  Effect.sync(test).pipe(
    Effect.repeat({ until: (done) => done, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("4 seconds")
  )

export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0

/** A certificate for `localhost`, signed by itself. */
export const certificate: Effect.Effect<
  { readonly certificate: string; readonly key: string; readonly folder: string },
  never,
  Scope.Scope
> = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "lc-gateway-"))
    const at = (name: string) => join(folder, name)
    const arguments_ = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
      .concat(["-keyout", at("key.pem"), "-out", at("cert.pem"), "-days", "2", "-subj", "/CN=localhost"])
      .concat(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
    const { status, stderr } = spawnSync("openssl", arguments_)
    if (status !== 0) throw new Error(String(stderr))
    return { folder, certificate: readFileSync(at("cert.pem"), "utf8"), key: readFileSync(at("key.pem"), "utf8") }
  }),
  ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
