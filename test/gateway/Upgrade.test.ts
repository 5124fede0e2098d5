import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as http from "node:http"
import * as net from "node:net"
import { ask, closedPort, gateway, listen, say, until } from "./harness.ts"

/** An upstream that switches to an echo, the way a WebSocket server begins. */
const echo = listen(() => {
  const server = http.createServer((_request, response) => response.writeHead(426).end("upgrade, please"))
  server.on("upgrade", (request, socket: net.Socket, head) => {
    const accept = createHash("sha1").update(
      `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    )
    socket.on("error", () => {})
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept.digest("base64")}\r\nX-Seen: ${request.url} ${
          request.headers["x-real-ip"]
        }\r\n\r\n`
    )
    if (head.length > 0) socket.write(head)
    socket.on("data", (chunk) => socket.write(`<${chunk}>`))
    socket.on("end", () => socket.end())
  })
  return server
})

const hello = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Real-IP: 6.6.6.6\r\n\r\n"

const open = (port: number) => {
  const state = { text: "", closed: false }
  const socket = net.connect(port, "127.0.0.1", () => socket.write(hello))
  socket.on("error", () => {})
  socket.on("data", (chunk) => state.text += chunk)
  socket.on("close", () => state.closed = true)
  return { socket, state }
}

describe("WebSocket upgrade", () => {
  it.live("becomes a tunnel in both directions", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const door = yield* gateway([server.origin])
      const { socket, state } = open(door.port)
      yield* until(() => state.text.includes("\r\n\r\n"))
      assert.match(state.text, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
      assert.include(state.text.toLowerCase(), "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=")
      assert.include(state.text, "x-seen: /chat 127.0.0.1")
      assert.match(state.text, /via: 1\.1 lifecycle-gateway/)
      socket.write("ping")
      yield* until(() => state.text.endsWith("<ping>"))
      assert.strictEqual((yield* door.snapshot).upstreams["users"]?.[0]?.inFlight, 1)
      socket.destroy()
      yield* until(() => server.sockets.size === 0)
    }))

  it.live("ends the client's side when the upstream ends", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const { port } = yield* gateway([server.origin])
      const { state } = open(port)
      yield* until(() => state.text.includes("\r\n\r\n"))
      for (const socket of server.sockets) socket.destroy()
      yield* until(() => state.closed)
    }))

  it.live("ends a tunnel in which nothing happens", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const { port } = yield* gateway([server.origin], { timeouts: { tunnel: "100 millis" } })
      const { state } = open(port)
      yield* until(() => state.closed)
      assert.match(state.text, /^HTTP\/1\.1 101 /)
    }))

  it.live("that the upstream refuses is answered with its refusal", () =>
    Effect.gen(function*() {
      const server = yield* listen(() => http.createServer((_request, response) => response.writeHead(403).end("no")))
      const { port } = yield* gateway([server.origin])
      const answer = yield* say(port, hello)
      assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n/)
      assert.isTrue(answer.endsWith("no") || answer.includes("no\r\n"), answer)
    }))

  it.live("without an upstream is answered with 502 as problem+json", () =>
    Effect.gen(function*() {
      const closed = yield* closedPort
      const { port } = yield* gateway([`http://127.0.0.1:${closed}`])
      const answer = yield* say(port, hello)
      assert.match(answer, /^HTTP\/1\.1 502 /)
      assert.include(answer, "\"stage\":\"Proxy\"")
    }))

  it.live("does not reuse the connection of a target that answered instead: it may have let go of its parser", () =>
    Effect.gen(function*() {
      const server = yield* listen(() => {
        const server = http.createServer((_request, response) => response.writeHead(201).end("made"))
        // As servers do that take every upgrade and answer what they do not know like any other request.
        server.on("upgrade", (_request, socket: net.Socket) => {
          socket.on("error", () => {})
          socket.write("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno")
        })
        return server
      })
      const door = yield* gateway([server.origin])
      const { socket, state } = open(door.port)
      yield* until(() => state.text.endsWith("no"))
      socket.destroy()
      assert.strictEqual((yield* ask(door.port, "/users", { method: "POST", body: "{}" })).status, 201)
    }))
})
