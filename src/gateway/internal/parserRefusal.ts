/** What the gateway says when Node's parser gives up on a request. */
import { Clock, Effect } from "effect"
import { STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as RequestId from "../../request/RequestId.ts"
import { defaults } from "../../server/SecurityHeaders.ts"
import * as Refusals from "../Refusals.ts"
import type { Settings } from "./conduct.ts"
import type { Downstream } from "./downstream.ts"
import { proxyStatus } from "./proxyStatus.ts"

const tags: { readonly [code: string]: string } = {
  HPE_HEADER_OVERFLOW: "HeadersTooLarge",
  HPE_PAUSED_H2_UPGRADE: "VersionRefused",
  ERR_HTTP_REQUEST_TIMEOUT: "RequestStalled"
}

/** A method is any token (RFC 9110 5.6.2), in the case it is written in. */
const token = "[\\w!#$%&'*+.^`|~-]{1,32}"
const unknownMethod = new RegExp(`^${token} \\S+ HTTP/1\\.[01]\\r\\n`)
const targetBegun = new RegExp(`^${token} \\S*$`)

const lineOf = (packet: Uint8Array): string =>
  /^[^\n]*\n?/.exec(Buffer.from(packet.subarray(0, 8192)).toString("latin1"))?.[0] ?? ""

const tagOf = (error: NodeJS.ErrnoException): string => {
  const packet = "rawPacket" in error && error.rawPacket instanceof Uint8Array ? error.rawPacket : undefined
  if (error.code === "HPE_HEADER_OVERFLOW" && packet !== undefined && isInTarget(packet, error)) return "UriTooLong"
  if (error.code === "HPE_INVALID_VERSION" && packet !== undefined && / HTTP\/\d\.\d\r\n/.test(lineOf(packet))) {
    return "VersionRefused"
  }
  // A method that Node has never heard of is not a malformed request, as long as the line is one.
  if (error.code === "HPE_INVALID_METHOD" && packet !== undefined) {
    if (unknownMethod.test(lineOf(packet))) return "MethodUnknown"
  }
  return tags[error.code ?? ""] ?? "MalformedRequest"
}

/**
 * Node has one limit for the target and the headers together. What was too much is the target when its line goes on after
 * it, or began in this packet and has not ended.
 */
const isInTarget = (packet: Uint8Array, error: NodeJS.ErrnoException): boolean => {
  const text = Buffer.from(packet.subarray(0, 65_536)).toString("latin1")
  const parsed = "bytesParsed" in error && typeof error.bytesParsed === "number" ? error.bytesParsed : 0
  return text.startsWith(" HTTP/", parsed) || targetBegun.test(text.slice(0, parsed))
}

export const refuseUnparsed = (
  error: NodeJS.ErrnoException,
  socket: Socket,
  settings: Settings,
  /** The exchange that was under way on this connection. */
  down: Downstream | undefined
): Effect.Effect<void> =>
  Effect.flatMap(RequestId.generate, (requestId) =>
    Effect.withFiber((fiber) => {
      const problem = Refusals.table.describe({ _tag: tagOf(error) })
      // Its headers were refused already, with an answer that is on its way.
      if (down?.answeredBy !== undefined) {
        socket.destroySoon()
        return Effect.void
      }
      // Bytes of another answer may be under way, or the client has gone: then there is nothing to say.
      if (problem === undefined || error.code === "ECONNRESET" || !socket.writable || hasAnswered(socket)) {
        socket.destroy()
        return Effect.void
      }
      const { stage, status } = problem
      const body = JSON.stringify({ ...problem.document, instance: `urn:request:${requestId}`, requestId, stage })
      const clock = fiber.getRef(Clock.Clock)
      const headers = {
        ...defaults,
        date: new Date(clock.currentTimeMillisUnsafe()).toUTCString(),
        "content-type": "application/problem+json",
        "content-length": Buffer.byteLength(body),
        "x-request-id": requestId,
        via: `1.1 ${settings.via}`,
        "proxy-status": proxyStatus(settings.via, undefined, status),
        connection: "close"
      }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n${body}`, () => socket.destroy())
      const now = clock.monotonicTimeNanosUnsafe()
      fiber.getRef(Recorder.Current)?.({
        _tag: "ServerRequestEnded",
        service: settings.service,
        method: "_OTHER",
        scheme: socket instanceof TLSSocket ? "https" : "http",
        route: undefined,
        path: "",
        status,
        outcome: status >= 500 ? "failed" : "ok",
        refused: true,
        stage,
        requestId,
        userId: undefined,
        startNanos: now,
        endNanos: now
      }, fiber)
      return Effect.void
    }))

// Node keeps the response it is writing on the socket, under a name it does not document.
const hasAnswered = (socket: Socket): boolean => {
  const message: unknown = "_httpMessage" in socket ? socket._httpMessage : undefined
  return typeof message === "object" && message !== null && "headersSent" in message && message.headersSent === true
}
