/** Bytes over a socket, for what `fetch` would not send or would unpack on the way. */
import { Effect } from "effect"
import { HttpServer } from "effect/http"
import { connect } from "node:net"

export interface RawAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Buffer
  /** The problem document, where there is one. */
  readonly problem: { readonly [member: string]: unknown }
}

/** Sends one request, asks for the connection to be closed, and takes the answer apart. */
export const raw = (
  lines: ReadonlyArray<string>,
  body: Buffer | string = ""
): Effect.Effect<RawAnswer, never, HttpServer.HttpServer> =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    const port = Number(new URL(HttpServer.formatAddress(address)).port)
    const bytes = yield* Effect.callback<Buffer>((resume) => {
      const chunks: Array<Buffer> = []
      const socket = connect(port, "127.0.0.1")
      socket.on("data", (chunk) => chunks.push(chunk))
      socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks))))
      socket.on("error", () => resume(Effect.succeed(Buffer.concat(chunks))))
      socket.write([...lines, "connection: close", "", ""].join("\r\n"), "latin1")
      if (body.length > 0) socket.write(body)
    })
    return parse(bytes)
  })

const parse = (bytes: Buffer): RawAnswer => {
  const end = bytes.indexOf("\r\n\r\n")
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n")
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const sent = bytes.subarray(end + 4)
  const body = headers["transfer-encoding"] === "chunked" ? unchunked(sent) : sent
  const isProblem = headers["content-type"] === "application/problem+json" && headers["content-encoding"] === undefined
  return {
    status: Number(first.split(" ")[1]),
    headers,
    body,
    problem: isProblem && body.length > 0 ? JSON.parse(body.toString()) : {}
  }
}

const unchunked = (bytes: Buffer): Buffer => {
  const chunks: Array<Buffer> = []
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf("\r\n", at)
    const size = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16)
    if (line < 0 || !(size > 0)) break
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return Buffer.concat(chunks)
}
