/** The answer of a target on its way to the client. */
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import type { Downstream } from "./downstream.ts"
import { type Outgoing, trailers, wantsTrailers } from "./forwarding.ts"
import type { Answer } from "./upstreamRequest.ts"

/**
 * Copies the body, with backpressure. Where the target breaks off, the client's connection is broken off too.
 *
 * By hand, since `pipeline` makes an abort signal with its error for every answer, whether or not one is aborted.
 */
export const relay = (
  down: Downstream,
  answer: Answer,
  headers: Outgoing,
  internal: (name: string) => boolean
): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const { response } = answer
    const { sink } = down
    const over = () => resume(Effect.void)
    sink.once("finish", over)
    sink.once("close", over)
    down.head(response.statusCode ?? 502, headers)
    if (!down.isHttp2 && !hasContent(down, response)) {
      response.resume()
      sink.end()
      return
    }
    // While the client is slow to read, the target has to wait, and must not be blamed for it.
    answer.watch(() => sink.writableNeedDrain)
    const withTrailers = down.isHttp2 || wantsTrailers(down.headers)
    sink.on("drain", () => void response.resume())
    response.on("data", (chunk: Buffer) => {
      if (!sink.destroyed && !sink.write(chunk)) response.pause()
    })
    response.on("end", () => {
      if (withTrailers) down.trailers(trailers(response.rawTrailers, internal))
      sink.end()
    })
    response.on("close", () => {
      if (!response.complete && !sink.destroyed) down.sever("upstream")
    })
  })

const hasContent = (down: Downstream, { statusCode = 200 }: IncomingMessage): boolean =>
  down.method !== "HEAD" && statusCode !== 204 && statusCode !== 304

/** Both directions of a switched protocol, until one side ends or nothing came for `idleMillis`. */
export const tunnel = (
  down: Downstream,
  client: Duplex,
  clientHead: Buffer,
  answer: Answer & { readonly tunnel: NonNullable<Answer["tunnel"]> },
  headers: Outgoing,
  idleMillis: number
): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const { head, socket } = answer.tunnel
    down.tunnelled = true
    down.status = 101
    const end = () => {
      client.destroy()
      socket.destroy()
      resume(Effect.void)
    }
    for (const [side, other] of [[client, socket], [socket, client]] as const) {
      side.on("error", end)
      side.on("close", end)
      // A WebSocket is not used half open: when one side has ended, what is on its way to the other is all there is.
      side.on("end", () => other.once("finish", end))
      if ("setTimeout" in side && typeof side.setTimeout === "function") side.setTimeout(idleMillis, end)
    }
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((one) => `${name}: ${one}\r\n`)
    )
    client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`)
    if (head.length > 0) client.write(head)
    if (clientHead.length > 0) socket.write(clientHead)
    socket.pipe(client)
    client.pipe(socket)
    return Effect.sync(end)
  })
