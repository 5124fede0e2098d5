/**
 * The headers an answer leaves with: its own, and what the stages have to say.
 */
import type { HttpServerResponse } from "effect/http"
import type * as Exchange from "../Exchange.ts"
import * as etags from "./etags.ts"
import * as responseHeaders from "./responseHeaders.ts"
import * as vary from "./vary.ts"

/** All but what the coding of the body adds. */
export const of = (
  exchange: Exchange.State,
  response: HttpServerResponse.HttpServerResponse
): Record<string, string> => {
  const headers: Record<string, string> = responseHeaders.empty()
  for (const name in exchange.defaultHeaders) headers[name] = exchange.defaultHeaders[name] ?? ""
  for (const name in response.headers) headers[name] = response.headers[name] ?? ""
  if (exchange.answerHeaders !== undefined) Object.assign(headers, exchange.answerHeaders)
  Object.assign(headers, exchange.headers)
  if (exchange.vary !== undefined) headers["vary"] = vary.joined(headers["vary"], exchange.vary)
  if (exchange.variant !== undefined) {
    const etag = headers["etag"]
    // Whoever made a name of his own knew what he was naming.
    if (etag !== undefined && etags.isBare(etag)) headers["etag"] = etags.marked(etag, exchange.variant)
  }
  return headers
}
