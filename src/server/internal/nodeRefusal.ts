/**
 * What the listener says where Node's parser gives up on a request, or where Node would answer by itself.
 */
import { Clock, DateTime, Effect } from "effect"
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as RequestId from "../../request/RequestId.ts"
import type { Problem } from "../Problems.ts"
import { defaults } from "../SecurityHeaders.ts"
import * as hit from "./listenerHit.ts"
import * as documents from "./problemDocument.ts"
import * as socketTimes from "./socketTimes.ts"

export const malformed = hit.problem("MalformedRequest", 400, "The request could not be read")
export const methodUnknown = hit.problem("MethodUnknown", 501, "Method not implemented")
const headersTooLarge = hit.problem("HeadersTooLarge", 431, "Request header fields too large")
const versionUnknown = hit.problem("VersionUnknown", 505, "This server speaks HTTP/1.1")
const codingUnknown = hit.problem(
  "TransferCodingUnknown",
  501,
  "Transfer coding not implemented",
  "Send the body in chunks alone: a coding of its content goes into Content-Encoding"
)
const uriTooLong = hit.problem("UriTooLong", 414, "The address of the request is too long")

const refusals: { readonly [code: string]: Problem } = {
  ERR_HTTP_REQUEST_TIMEOUT: hit.requestTimeout,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: hit.problem("BodyTooLarge", 413, "Content too large"),
  HPE_PAUSED_H2_UPGRADE: versionUnknown
}

/** By the status that Node would send. */
export const ownAnswers: { readonly [status: number]: Problem } = {
  400: hit.problem("MalformedRequest", 400, "The request could not be read", "The Host header is missing"),
  417: hit.problem("ExpectationFailed", 417, "Expectation failed", "Only 100-continue can be expected"),
  503: hit.problem("ConnectionExhausted", 503, "This connection has had its requests", "Open another one")
}

/** What is refused of requests that Node's parser lets pass. */
export const refusalOf = ({ headers, httpVersion, httpVersionMajor }: Http.IncomingMessage): Problem | undefined => {
  // Without a version a line is that of HTTP/0.9, which has no headers, no status and no end.
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return httpVersionMajor === 0 ? malformed : versionUnknown
  const coding = headers["transfer-encoding"]
  // Node takes the chunks apart and hands over what is in them, packed as it is (RFC 9112, 6.1).
  return coding === undefined || /^[\s,]*chunked[\s,]*$/i.test(coding) ? undefined : codingUnknown
}

export const problemOf = (error: NodeJS.ErrnoException): Problem => {
  const packet = "rawPacket" in error && error.rawPacket instanceof Uint8Array ? error.rawPacket : new Uint8Array()
  const parsed = "bytesParsed" in error && typeof error.bytesParsed === "number" ? error.bytesParsed : 0
  switch (error.code) {
    case "HPE_INVALID_METHOD":
      // A method that Node has never heard of is not a malformed request, as long as its line is one.
      return requestLine.test(lineAt(packet, parsed)) ? methodUnknown : malformed
    case "HPE_INVALID_VERSION":
      return endsInVersion(packet, parsed) ? versionUnknown : malformed
    case "HPE_HEADER_OVERFLOW":
      return isInUrl(lineAt(packet, parsed), Buffer.from(packet.subarray(parsed, parsed + 6)).toString("latin1"))
        ? uriTooLong
        : headersTooLarge
    default:
      return refusals[error.code ?? ""] ?? malformed
  }
}

const requestLine = /^[\w!#$%&'*+.^`|~-]{1,32} \S{1,8192} HTTP\/1\.[01]\r$/

/**
 * Whether the parser gave up behind something like `3.0`, of which the beginning may have come in a packet before, and the
 * line ends there. One that ends without CR or goes on is malformed, whatever its version.
 */
const endsInVersion = (packet: Uint8Array, parsed: number): boolean => {
  const around = Buffer.from(packet.subarray(Math.max(0, parsed - 3), parsed + 2)).toString("latin1")
  const before = Math.min(3, parsed)
  return /^(?:\d?\.)?\d$/.test(around.slice(0, before)) && "\r\n".startsWith(around.slice(before))
}

/** The line of `packet` that the parser has come to; another request may stand before it. */
const lineAt = (packet: Uint8Array, parsed: number): string => {
  const text = Buffer.from(packet).toString("latin1")
  const start = text.lastIndexOf("\n", parsed - 1) + 1
  const end = text.indexOf("\n", start)
  return text.slice(start, end < 0 ? text.length : end)
}

/**
 * Node has one limit for the address and the headers together. What was too much is the address when its line goes on
 * after it, or began in the same packet and has not ended.
 */
const isInUrl = (line: string, rest: string): boolean => rest === " HTTP/" || /^[A-Z]{1,32} \S*$/.test(line)

/** Answers a connection that sent what Node cannot read, or too little for too long. */
export const answer = (error: NodeJS.ErrnoException, socket: Duplex, service: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (answered.has(socket)) return Effect.void
    // The client has gone: then there is nothing to say.
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy()
      return Effect.void
    }
    const problem = problemOf(error)
    const current = responseOf(socket)
    if (current === undefined) return write(socket, problem, service)
    if (current.req.complete) {
      // A whole request is being answered, and what followed it cannot be read. Its client reads answers in order.
      return Effect.andThen(
        Effect.callback<void>((resume) => {
          current.once("close", () => resume(Effect.void))
        }),
        answer(error, socket, service)
      )
    }
    const fiber = socketTimes.read(current.req)?.fiber
    if (fiber !== undefined && !current.headersSent) {
      hit.interrupt(fiber, problem)
      return Effect.void
    }
    if (!current.headersSent) return write(socket, problem, service)
    socket.destroy()
    return Effect.void
  })

const answered = new WeakSet<Duplex>()

/** Writes past Node, which has no response for what it could not read, and lets the client read it before the end. */
export const write = (socket: Duplex, problem: Problem, service: string, method = "_OTHER"): Effect.Effect<void> =>
  Effect.flatMap(Effect.zip(RequestId.generate, DateTime.now), ([requestId, now]) => {
    const { body, headers } = rendered(problem, requestId)
    const date = DateTime.toDateUtc(now).toUTCString()
    const lines = Object.entries({ date, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`).join("")
    answered.add(socket)
    socket.on("error", () => socket.destroy())
    socket.end(`HTTP/1.1 ${problem.status} ${Http.STATUS_CODES[problem.status]}\r\n${lines}\r\n${body}`)
    // A socket that is closed with bytes of the client unread resets the connection, and the answer may be lost.
    socket.resume()
    return Effect.andThen(
      report(problem, requestId, service, method),
      Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => socket.destroy()))
    )
  })

export const rendered = (problem: Problem, requestId: string) => {
  const body = JSON.stringify({
    ...problem.document,
    instance: `urn:request:${requestId}`,
    requestId,
    stage: problem.stage
  })
  const headers: Readonly<Record<string, string>> = {
    ...defaults,
    "content-type": documents.contentType,
    "content-length": String(Buffer.byteLength(body)),
    "x-request-id": requestId,
    ...problem.headers
  }
  return { body, headers }
}

export const report = (problem: Problem, requestId: string, service: string, method: string): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const recorder = fiber.getRef(Recorder.Current)
    if (recorder !== undefined) {
      const now = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
      recorder({
        _tag: "ServerRequestEnded",
        service,
        method,
        // Whoever stands before this listener and speaks TLS is not known yet.
        scheme: "http",
        route: undefined,
        path: "",
        status: problem.status,
        outcome: problem.status >= 500 ? "failed" : "ok",
        stage: problem.stage,
        requestId,
        userId: undefined,
        refused: true,
        startNanos: now,
        endNanos: now
      }, fiber)
    }
    return Effect.void
  })

/** Node keeps the response it is writing on the socket, under a name it does not document. */
export const responseOf = (socket: Duplex): Http.ServerResponse | undefined => {
  const message: unknown = "_httpMessage" in socket ? socket._httpMessage : undefined
  return message instanceof Http.ServerResponse ? message : undefined
}
