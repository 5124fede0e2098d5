/** What a client sees: an answer, half of one, or an error. */
import { type Duration, Effect } from "effect"
import type { Diagnosis } from "effect-lifecycle/lifecycle"
import * as http from "node:http"
import * as net from "node:net"
import type { Request } from "./row.ts"
import { secrets } from "./secrets.ts"

/** A port of this machine, or a socket in its file system. */
export type Place = { readonly port: number } | { readonly path: string }

export interface Answered {
  readonly _tag: "Answered"
  readonly status: number
  readonly reason: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Failed {
  readonly _tag: "Failed"
  readonly code: string
  readonly error: Error
  /** The status, where the head of an answer had come. */
  readonly status: number | undefined
}

export type Outcome = Answered | Failed

const flat = (headers: http.IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(", ")]))

const failed = (error: Error, status: number | undefined): Failed => ({
  _tag: "Failed",
  code: "code" in error ? String(error.code) : error.name,
  error,
  status
})

/** The path with a query that no log may hold. */
const secretive = (path: string): string => `${path}${path.includes("?") ? "&" : "?"}q=${secrets.query}`

const headersOf = (request: Request): http.OutgoingHttpHeaders => ({
  host: "localhost",
  cookie: `session=${secrets.cookie}`,
  ...(request.token === null ? {} : { authorization: `Bearer ${request.token ?? secrets.token}` }),
  ...(request.body === undefined ? {} : { "content-type": "application/json" }),
  ...request.headers
})

export const send = (place: Place, request: Request): Effect.Effect<Outcome> =>
  request.raw === undefined ? ask(place, request) : say(place, request.raw)

const ask = (place: Place, request: Request): Effect.Effect<Outcome> =>
  Effect.callback((resume) => {
    const call = http.request({
      ...("port" in place ? { host: "127.0.0.1", port: place.port } : { socketPath: place.path }),
      method: request.method ?? "GET",
      path: secretive(request.path ?? "/users"),
      headers: headersOf(request),
      agent: false
    })
    call.on("response", (response) => {
      let body = ""
      let broken: Error | undefined
      const status = response.statusCode ?? 0
      response.setEncoding("utf8").on("data", (chunk) => body += chunk)
      response.on("error", (error) => broken = error)
      response.on("close", () =>
        resume(Effect.succeed(
          broken === undefined
            ? { _tag: "Answered", status, reason: response.statusMessage ?? "", headers: flat(response.headers), body }
            : failed(broken, status)
        )))
    })
    call.on("error", (error) => resume(Effect.succeed(failed(error, undefined))))
    call.end(request.body)
    return Effect.sync(() => call.destroy())
  })

/** Sends these bytes and reads until the other side closes, or its answer is whole. */
const say = (place: Place, bytes: string, patience: Duration.Input = "3 seconds"): Effect.Effect<Outcome> =>
  Effect.callback<Outcome>((resume) => {
    let text = ""
    const done = () => resume(Effect.succeed(read(text)))
    const socket = net.connect("port" in place ? { host: "127.0.0.1", port: place.port } : { path: place.path }, () => {
      socket.write(bytes.replaceAll("TOKEN", secrets.token).replaceAll("COOKIE", secrets.cookie), "latin1")
    })
    socket.on("data", (chunk) => text += chunk.toString("latin1"))
    socket.on("error", (error) => text === "" ? resume(Effect.succeed(failed(error, undefined))) : done())
    socket.on("close", done)
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutOrElse({
    duration: patience,
    orElse: () => Effect.succeed(failed(new Error("no answer"), undefined))
  }))

const read = (text: string): Outcome => {
  const [head = "", ...rest] = text.split("\r\n\r\n")
  const [first = "", ...lines] = head.split("\r\n")
  const match = /^HTTP\/1\.\d (\d{3}) ?(.*)$/.exec(first)
  if (match === null) return failed(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }), undefined)
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  }))
  return { _tag: "Answered", status: Number(match[1]), reason: match[2] ?? "", headers, body: rest.join("\r\n\r\n") }
}

/** What `Diagnosis` is given: what the client has in its hands, and a proxy's log where there is one. */
export const evidenceOf = (outcome: Outcome, log?: string): Diagnosis.Evidence => {
  if (outcome._tag === "Failed") {
    const { code, message, name } = outcome.error as NodeJS.ErrnoException
    const { cause, syscall } = outcome.error as NodeJS.ErrnoException
    return { _tag: "NodeError", code, message, name, cause, syscall, log }
  }
  const { body, headers, reason, status } = outcome
  return { _tag: "Response", status, reason, headers, body, ...(log === undefined ? {} : { log }) }
}
