/**
 * Node's server, request and response with three habits changed.
 *
 * A request that Node's parser lets pass and nobody here can serve, such as one of HTTP/2.0, reaches no listener. A response
 * whose request reached no listener is Node's own answer, such as a bare 400 where `Host` is missing or a 417: it
 * leaves as a problem. And a request whose body is given up, because its handler was interrupted while it read, does not
 * take the connection with it before the answer was sent.
 */
import { Effect } from "effect"
import { IncomingMessage, type OutgoingHttpHeaders, Server, ServerResponse } from "node:http"
import { Duplex } from "node:stream"
import * as RequestId from "../../request/RequestId.ts"
import * as refusal from "./nodeRefusal.ts"
import * as socketTimes from "./socketTimes.ts"

/** How long a client may take to read the answer that ends its upload. */
const lingering = "1 second"

export const make = (service: string, run: (effect: Effect.Effect<void>) => void) => ({
  Server: class extends Server {
    // A listener cannot keep a request from the listeners that come after it.
    override emit(event: string, ...args: Array<unknown>): boolean {
      if (event !== "request" && event !== "checkContinue" && event !== "upgrade") return super.emit(event, ...args)
      const [request, answer] = args
      const refused = request instanceof IncomingMessage ? refusal.refusalOf(request) : undefined
      if (refused === undefined) return super.emit(event, ...args)
      if (answer instanceof ServerResponse) answer.end()
      else if (answer instanceof Duplex) run(refusal.write(answer, refused, service))
      return true
    }
  } as typeof Server,

  ServerResponse: class extends ServerResponse {
    override writeHead(status: number, message?: unknown, headers?: unknown): this {
      if (isOurs(this.req)) return super.writeHead(status, message as string, headers as OutgoingHttpHeaders)
      this.statusCode = status
      return this
    }

    override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
      if (isOurs(this.req)) return super.end(chunk, encoding as BufferEncoding, callback as () => void)
      const problem = refusal.refusalOf(this.req) ?? refusal.ownAnswers[this.statusCode] ?? refusal.malformed
      if (!this.req.complete) linger(this, run)
      run(Effect.flatMap(RequestId.generate, (requestId) => {
        const { body, headers } = refusal.rendered(problem, requestId)
        super.writeHead(problem.status, headers)
        super.end(body)
        return refusal.report(problem, requestId, service, this.req.method ?? "_OTHER")
      }))
      return this
    }
  } as typeof ServerResponse,

  IncomingMessage: class extends IncomingMessage {
    override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
      const { socket } = this
      const response = refusal.responseOf(socket)
      if (
        this.complete || socket.destroyed || response?.req !== this || response.headersSent || response.writableEnded
      ) {
        return super._destroy(error, callback)
      }
      linger(response, run)
      callback(error)
    }
  } as typeof IncomingMessage
})

/** Closes the connection behind the answer, but not before the client has read it. */
const linger = (response: ServerResponse, run: (effect: Effect.Effect<void>) => void): void => {
  const { socket } = response.req
  response.shouldKeepAlive = false
  response.prependListener("finish", () => {
    // Read by Node's own listener, which would reset the connection while bytes of the client are on their way.
    if ("_last" in response) response._last = false
    socket.end()
    socket.resume()
    run(Effect.andThen(Effect.sleep(lingering), Effect.sync(() => socket.destroy())))
  })
}

/** Whether the request was handed to a listener of ours, which stamps it. */
const isOurs = (request: IncomingMessage): boolean => socketTimes.read(request) !== undefined
