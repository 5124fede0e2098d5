/** The client's side of one exchange, the same for HTTP/1.1, HTTP/2 and a connection that asks for an upgrade. */
import * as Http from "node:http"
import { constants, Http2ServerRequest, Http2ServerResponse } from "node:http2"
import type { Socket } from "node:net"
import type { Duplex, Writable } from "node:stream"
import { TLSSocket } from "node:tls"
import type { StageName } from "../../lifecycle/Stage.ts"
import { type HeaderMap, type Outgoing, read } from "./forwarding.ts"

export type Request = Http.IncomingMessage | Http2ServerRequest
export type Response = Http.ServerResponse | Http2ServerResponse

export interface Upgrade {
  readonly socket: Duplex
  readonly head: Buffer
}

export class Downstream {
  readonly request: Request
  readonly response: Response
  readonly upgrade: Upgrade | undefined
  readonly headers: HeaderMap
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly authority: string
  readonly isHttp2: boolean
  readonly secure: boolean
  readonly peer: string | undefined
  /** The client waits for `100 Continue` before it sends its body. */
  awaitsContinue: boolean
  /** The last answer of this connection. */
  closing = false
  requestId = ""
  route: string | undefined
  /** Its path is too long to be written down. */
  overlong = false
  status = 0
  /** The stage that answered, where it was this gateway. */
  answeredBy: StageName | undefined
  /** Who ended the connection before the answer was complete. */
  brokenBy: "upstream" | "limit" | undefined
  /** How many targets were tried. */
  tried = 0
  /** The protocol was switched: what follows is not HTTP. */
  tunnelled = false

  constructor(request: Request, response: Response | undefined, options: {
    readonly awaitsContinue?: boolean | undefined
    readonly upgrade?: Upgrade | undefined
  } = {}) {
    this.request = request
    this.upgrade = options.upgrade
    this.response = response ?? onSocket(request as Http.IncomingMessage, options.upgrade?.socket as Socket)
    this.headers = read(request.rawHeaders)
    this.method = request.method ?? "GET"
    // What an HTTP/1.1 connection says of its version is no evidence: its parser takes `HTTP/2.0`.
    this.isHttp2 = request instanceof Http2ServerRequest
    const url = request.url ?? "/"
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
    // The target names the host where it is absolute, whatever `Host` says (RFC 9112 3.2.2).
    this.authority = absolute?.[1] ??
      (this.isHttp2 ? (request as Http2ServerRequest).authority : undefined) ?? this.headers.get("host")?.[0] ?? ""
    const path = absolute === null ? url : absolute[2] ?? ""
    this.path = path === "" ? "/" : path.startsWith("?") ? `/${path}` : path
    this.secure = request.socket instanceof TLSSocket
    this.peer = request.socket.remoteAddress
    this.awaitsContinue = options.awaitsContinue ?? false
  }

  get version(): string {
    return this.isHttp2 ? "2" : this.request.httpVersion
  }

  /** Whether a body follows the headers, however long. */
  get hasBody(): boolean {
    if (this.upgrade !== undefined) return false
    if (this.isHttp2) return !(this.request as Http2ServerRequest).stream.endAfterHeaders
    return this.headers.has("transfer-encoding") || (this.declaredBytes ?? 0) > 0
  }

  get declaredBytes(): number | undefined {
    const declared = this.headers.get("content-length")?.[0]
    return declared === undefined ? undefined : Number(declared)
  }

  get headSent(): boolean {
    return this.tunnelled || this.response.headersSent
  }

  /** Where the body of the answer goes. */
  get sink(): Writable {
    return this.response instanceof Http2ServerResponse ? this.response.stream : this.response
  }

  /** Whether the whole answer is on its way. A stream of HTTP/2 that was cancelled counts as written. */
  get ended(): boolean {
    const { sink } = this
    return sink.writableFinished && !("aborted" in sink && sink.aborted === true)
  }

  head(status: number, headers: Outgoing): void {
    this.status = status
    if (this.response instanceof Http2ServerResponse) {
      this.response.writeHead(status, headers)
    } else {
      if (this.closing) this.response.shouldKeepAlive = false
      this.response.writeHead(status, headers)
    }
  }

  trailers(fields: Record<string, string>): void {
    if (Object.keys(fields).length > 0) this.response.addTrailers(fields)
  }

  /** Tells a client that waits for it to send its body. */
  proceed(): void {
    if (!this.awaitsContinue) return
    this.awaitsContinue = false
    this.response.writeContinue()
  }

  /** Ends the connection, or the stream, so that the client sees that the answer is not complete. */
  sever(by: "upstream" | "limit"): void {
    this.brokenBy ??= by
    if (this.upgrade !== undefined) this.upgrade.socket.destroy()
    else if (this.response instanceof Http2ServerResponse) {
      this.response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    } else this.response.destroy()
  }
}

/** Node makes no response for a request that asks for an upgrade, but a refusal of it is an ordinary answer. */
const onSocket = (request: Http.IncomingMessage, socket: Socket): Http.ServerResponse => {
  const response = new Http.ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.on("finish", () => {
    response.detachSocket(socket)
    socket.end()
  })
  return response
}
