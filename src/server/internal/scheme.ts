/** How the client asked: what a trusted proxy said, or else what the connection is. */
import { Predicate } from "effect"
import type { HttpServerRequest } from "effect/http"

export const of = (request: HttpServerRequest.HttpServerRequest): "http" | "https" => {
  if (request.protocol !== undefined) return request.protocol
  const { source } = request
  // The URL has to be put together first, and over HTTP/1.1 the socket knows as well.
  if ("httpVersionMajor" in source && source.httpVersionMajor === 1 && "socket" in source) {
    return Predicate.hasProperty(source.socket, "encrypted") && source.socket.encrypted === true ? "https" : "http"
  }
  return request.originalUrl.startsWith("https:") ? "https" : "http"
}
