/**
 * What the listener says when Node's parser gives up on a request.
 */
import { Clock, Effect } from "effect"
import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import * as Recorder from "../../lifecycle/Recorder.ts"
import * as RequestId from "../../request/RequestId.ts"
import { defaults } from "../SecurityHeaders.ts"
import * as documents from "./problemDocument.ts"

const refusals: { readonly [code: string]: readonly [status: number, tag: string, title: string] } = {
  HPE_HEADER_OVERFLOW: [431, "HeadersTooLarge", "Request header fields too large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "RequestTimeout", "The request was not received in time"]
}

export const answer = (error: NodeJS.ErrnoException, socket: Duplex, service: string): Effect.Effect<void> =>
  Effect.flatMap(RequestId.generate, (requestId) =>
    Effect.withFiber((fiber) => {
      // Bytes of another answer may be under way, or the client has gone: then there is nothing to say.
      if (error.code === "ECONNRESET" || !socket.writable || hasAnswered(socket)) {
        socket.destroy()
        return Effect.void
      }
      const [status, tag, title] = refusals[error.code ?? ""] ??
        [400, "MalformedRequest", "The request could not be read"] as const
      const { document } = documents.make({ tag, status, title, stage: "Server" })
      const body = JSON.stringify({ ...document, instance: `urn:request:${requestId}`, requestId, stage: "Server" })
      const headers = {
        ...defaults,
        "content-type": documents.contentType,
        "content-length": Buffer.byteLength(body),
        "x-request-id": requestId,
        connection: "close"
      }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n${body}`)
      const recorder = fiber.getRef(Recorder.Current)
      if (recorder !== undefined) {
        const now = fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
        recorder({
          _tag: "ServerRequestEnded",
          service,
          method: "_OTHER",
          route: undefined,
          path: "",
          status,
          outcome: "ok",
          stage: "Server",
          requestId,
          userId: undefined,
          startNanos: now,
          endNanos: now
        }, fiber)
      }
      return Effect.void
    }))

// Node keeps the response it is writing on the socket, under a name it does not document.
const hasAnswered = (socket: Duplex): boolean => {
  const message: unknown = "_httpMessage" in socket ? socket._httpMessage : undefined
  return typeof message === "object" && message !== null && "headersSent" in message && message.headersSent === true
}
