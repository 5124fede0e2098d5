import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as http from "node:http"
import * as net from "node:net"
import { ask, gateway, rawUpstream, say, until, upstream } from "./harness.ts"

const mebibyte = 1_048_576

/** A request whose body a test writes piece by piece. */
const upload = (port: number, headers: http.OutgoingHttpHeaders = {}) => {
  const request = http.request({ host: "127.0.0.1", port, method: "PUT", path: "/", headers, agent: false })
  request.on("error", () => {})
  const answered = new Promise<http.IncomingMessage>((resolve) => request.on("response", resolve))
  return { request, answered: Effect.promise(() => answered) }
}

const textOf = (response: http.IncomingMessage) =>
  Effect.promise(async () => {
    let text = ""
    for await (const chunk of response) text += chunk
    return text
  })

describe("bodies", () => {
  it.live("streams a request before it has ended, and an answer before it has ended", () =>
    Effect.gen(function*() {
      const server = yield* upstream((request, response) => {
        response.writeHead(200)
        request.on("data", (chunk) => response.write(`<${chunk}>`))
        request.on("end", () => response.end("."))
      })
      const { port } = yield* gateway([server.origin])
      const { answered, request } = upload(port)
      request.write("one")
      const response = yield* answered
      const chunks: Array<string> = []
      response.on("data", (chunk) => chunks.push(String(chunk)))
      yield* until(() => chunks.join("") === "<one>")
      request.write("two")
      yield* until(() => chunks.join("") === "<one><two>")
      request.end()
      yield* until(() => response.complete)
      assert.strictEqual(chunks.join(""), "<one><two>.")
    }))

  it.live("holds an answer back while the client does not read it, in bounded memory", () =>
    Effect.gen(function*() {
      const total = 64 * mebibyte
      let written = 0
      const server = yield* upstream((_request, response) => {
        response.setHeader("content-length", String(total))
        const block = Buffer.alloc(65_536)
        const more = (): void => {
          while (written < total) {
            written += block.length
            if (!response.write(block)) return void response.once("drain", more)
          }
          response.end()
        }
        more()
      })
      const { port } = yield* gateway([server.origin])
      const client = net.connect(port, "127.0.0.1", () => client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
      client.pause()
      yield* until(() => written > 0)
      yield* Effect.sleep("300 millis")
      const before = written
      yield* Effect.sleep("150 millis")
      assert.strictEqual(written, before, "the upstream still writes")
      // What lies between is in the buffers of four sockets; the rest was never produced.
      assert.isBelow(written, 24 * mebibyte)
      let read = 0
      client.on("data", (chunk) => read += chunk.length)
      client.resume()
      yield* until(() => read >= total).pipe(Effect.ensuring(Effect.sync(() => client.destroy())))
    }))

  it.live("holds a client back while the upstream does not read its body", () =>
    Effect.gen(function*() {
      let started = false
      const server = yield* upstream((request, response) => {
        started = true
        setTimeout(() => {
          let bytes = 0
          request.on("data", (chunk: Buffer) => bytes += chunk.length)
          request.on("end", () => response.end(String(bytes)))
        }, 500)
      })
      const total = 64 * mebibyte
      const { port } = yield* gateway([server.origin], { limits: { bodyBytes: total } })
      const { answered, request } = upload(port, { "content-length": total })
      let sent = 0
      const block = Buffer.alloc(65_536)
      const more = (): void => {
        while (sent < total) {
          sent += block.length
          if (!request.write(block)) return void request.once("drain", more)
        }
        request.end()
      }
      more()
      yield* until(() => started)
      yield* Effect.sleep("250 millis")
      assert.isBelow(sent, 24 * mebibyte)
      assert.strictEqual(yield* textOf(yield* answered), String(total))
    }))

  it.live("frames a body without a length as chunks whatever the method, so that no byte of it is a request", () =>
    Effect.gen(function*() {
      const urls: Array<string | undefined> = []
      const server = yield* upstream((request, response) => {
        urls.push(request.url)
        let body = ""
        request.on("data", (chunk) => body += chunk)
        request.on("end", () => response.end(body))
      })
      const { port } = yield* gateway([server.origin])
      const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
      for (const method of ["GET", "DELETE", "OPTIONS", "POST"]) {
        const answer = yield* ask(port, "/outer", {
          method,
          body: inner,
          headers: { "transfer-encoding": "chunked" }
        })
        assert.strictEqual(answer.text, inner, method)
      }
      assert.notInclude(urls, "/smuggled")
    }))

  describe("limits", () => {
    const limited = (more: object = {}) =>
      Effect.gen(function*() {
        let asked = 0
        const server = yield* upstream((request, response) => {
          asked++
          request.resume()
          request.on("end", () => response.end("ok"))
        })
        const door = yield* gateway([server.origin], { limits: { bodyBytes: 1000 }, route: more })
        return { port: door.port, door, asked: () => asked }
      })

    it.live("refuses a declared length with 413 before any upstream is asked", () =>
      Effect.gen(function*() {
        const { asked, port } = yield* limited()
        const answer = yield* ask(port, "/", { method: "POST", body: "x".repeat(1001) })
        assert.deepInclude(answer.problem, { status: 413, stage: "Proxy", requestId: answer.headers["x-request-id"] })
        assert.strictEqual(answer.headers.connection, "close")
        assert.strictEqual(asked(), 0)
        assert.strictEqual((yield* ask(port, "/", { method: "POST", body: "x".repeat(1000) })).status, 200)
      }))

    for (const buffer of ["none", "request"]) {
      it.live(`counts a body without a length, with buffer ${buffer}`, () =>
        Effect.gen(function*() {
          const { port } = yield* limited({ buffer })
          const headers = { "transfer-encoding": "chunked" }
          const answer = yield* ask(port, "/", { method: "POST", body: "x".repeat(200_000), headers })
          assert.deepInclude(answer.problem, { status: 413, stage: "Proxy" })
          assert.strictEqual((yield* ask(port, "/", { method: "POST", body: "x".repeat(1000), headers })).status, 200)
        }))
    }

    it.live("refuses an announced body before it is sent", () =>
      Effect.gen(function*() {
        const { port } = yield* limited()
        const head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
        const refused = yield* say(port, `${head}Content-Length: 5000\r\n\r\n`)
        assert.isTrue(refused.startsWith("HTTP/1.1 413"), refused)
        const asked = yield* say(port, `${head}Content-Length: 2\r\n\r\nok`)
        assert.isTrue(asked.startsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), asked)
      }))

    it.live("answers an expectation that nobody knows with 417", () =>
      Effect.gen(function*() {
        const { port } = yield* limited()
        const raw = yield* say(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: wonders\r\n\r\n")
        assert.isTrue(raw.startsWith("HTTP/1.1 417"), raw)
      }))
  })

  describe("buffer: request", () => {
    it.live("asks no upstream before the whole body is there, and says how long it is", () =>
      Effect.gen(function*() {
        const lengths: Array<string | undefined> = []
        const server = yield* upstream((request, response) => {
          lengths.push(request.headers["content-length"])
          request.resume()
          request.on("end", () => response.end("ok"))
        })
        const door = yield* gateway([server.origin], { route: { buffer: "request" } })
        const { answered, request } = upload(door.port)
        request.write("hello")
        yield* Effect.sleep("100 millis")
        assert.deepStrictEqual(lengths, [])
        assert.strictEqual((yield* door.snapshot).bufferedBytes, 5)
        request.end(" world")
        assert.strictEqual((yield* answered).statusCode, 200)
        assert.deepStrictEqual(lengths, ["11"])
        assert.strictEqual((yield* door.snapshot).bufferedBytes, 0)
      }))

    it.live("holds no more than it may over all requests, and says 503 with Retry-After", () =>
      Effect.gen(function*() {
        const server = yield* upstream((_request, response) => response.end("ok"))
        const door = yield* gateway([server.origin], {
          limits: { bufferBytes: 100_000 },
          route: { buffer: "request" }
        })
        const held = upload(door.port)
        held.request.write("x".repeat(90_000))
        yield* until(() => held.request.writableLength === 0)
        yield* Effect.sleep("50 millis")
        const answer = yield* ask(door.port, "/", { method: "POST", body: "x".repeat(50_000) })
        assert.deepInclude(answer.problem, { status: 503, stage: "Proxy" })
        assert.strictEqual(answer.headers["retry-after"], "1")
        held.request.destroy()
        let free = false
        yield* Effect.sync(() => free).pipe(
          Effect.andThen(Effect.map(door.snapshot, ({ bufferedBytes }) => void (free = bufferedBytes === 0))),
          Effect.repeat({ until: () => free }),
          Effect.timeout("2 seconds")
        )
      }))
  })

  describe("connections that end early", () => {
    it.live("aborts the upstream's request when the client leaves, before and after the head", () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const server = yield* upstream((request, response) => {
          events.push(`begin ${request.url}`)
          if (request.url === "/body") response.write("part")
          response.on("close", () => events.push(`closed ${request.url}`))
        })
        const door = yield* gateway([server.origin])
        for (const path of ["/head", "/body"]) {
          const request = http.get({ host: "127.0.0.1", port: door.port, path, agent: false })
          request.on("error", () => {})
          yield* until(() => events.includes(`begin ${path}`))
          if (path === "/body") yield* Effect.sleep("50 millis")
          request.destroy()
          yield* until(() => events.includes(`closed ${path}`))
        }
        yield* until(() => events.length === 4)
        let quiet = false
        yield* Effect.map(door.snapshot, ({ exchanges, upstreams }) => {
          quiet = exchanges === 0 && upstreams["users"]?.[0]?.inFlight === 0
        }).pipe(Effect.repeat({ until: () => quiet }), Effect.timeout("2 seconds"))
        // A client that leaves says nothing about the upstream.
        const [state] = (yield* door.snapshot).upstreams["users"] ?? []
        assert.strictEqual(state?.circuit.counts.failure, 0)
      }))

    it.live("answers 502 when the upstream dies before its first byte", () =>
      Effect.gen(function*() {
        const server = yield* rawUpstream((socket) => socket.once("data", () => socket.destroy()))
        const { port } = yield* gateway([server.origin])
        const answer = yield* ask(port, "/", { method: "POST", body: "x" })
        assert.deepInclude(answer.problem, { status: 502, stage: "Proxy" })
      }))

    for (
      const [name, head] of [
        ["with a length", "Content-Length: 1000"],
        ["in chunks", "Transfer-Encoding: chunked"]
      ] as const
    ) {
      it.live(`breaks the connection off when the upstream dies in the middle of an answer ${name}`, () =>
        Effect.gen(function*() {
          const part = head.startsWith("T") ? "4\r\npart\r\n" : "part"
          const server = yield* rawUpstream((socket) =>
            socket.once("data", () => {
              socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${part}`)
              setTimeout(() => socket.destroy(), 50)
            })
          )
          const { port } = yield* gateway([server.origin])
          const answer = yield* ask(port, "/")
          assert.deepInclude(answer, { status: 200, text: "part", complete: false })
        }))
    }

    it.live("takes the end of the connection for the end of an answer that has no length", () =>
      Effect.gen(function*() {
        const server = yield* rawUpstream((socket) =>
          socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nwhole"))
        )
        const { port } = yield* gateway([server.origin])
        assert.deepInclude(yield* ask(port, "/"), { status: 200, text: "whole", complete: true })
      }))

    it.live("answers 408 when a client stops sending its body, and the upstream is not blamed", () =>
      Effect.gen(function*() {
        const server = yield* upstream((request) => request.resume())
        const door = yield* gateway([server.origin], { timeouts: { idle: "150 millis", answer: "80 millis" } })
        const raw = yield* say(door.port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert.isTrue(raw.startsWith("HTTP/1.1 408"), raw)
        const [state] = (yield* door.snapshot).upstreams["users"] ?? []
        assert.strictEqual(state?.circuit.counts.failure, 0)
      }))

    it.live("lets go of a client that stops reading", () =>
      Effect.gen(function*() {
        let closed = false
        const server = yield* upstream((_request, response) => {
          response.on("close", () => closed = true)
          response.end(Buffer.alloc(64 * mebibyte))
        })
        const { port } = yield* gateway([server.origin], { timeouts: { idle: "200 millis" } })
        const client = net.connect(port, "127.0.0.1", () => client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        client.on("error", () => {})
        client.pause()
        yield* until(() => closed)
        client.destroy()
      }))
  })
})
