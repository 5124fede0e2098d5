import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TcpForwarder } from "effect-lifecycle/gateway"
import * as net from "node:net"
import { closedPort, listen, rawUpstream, say, until } from "./harness.ts"

const named = (name: string) => rawUpstream((socket) => socket.end(name))
const tcp = (port: number) => `tcp://127.0.0.1:${port}`

describe("TcpForwarder", () => {
  it.live("carries bytes both ways, and the end of each direction on its own", () =>
    Effect.gen(function*() {
      // Answers only when the client has ended its half.
      const server = yield* listen(() =>
        net.createServer({ allowHalfOpen: true }, (socket) => {
          let text = ""
          socket.on("data", (chunk) => text += chunk)
          socket.on("end", () => socket.end(text.toUpperCase()))
        })
      )
      const door = yield* TcpForwarder.make({ name: "echo", targets: [tcp(server.port)] })
      const answer = yield* Effect.callback<string>((resume) => {
        const socket = net.connect(
          { port: door.port, host: "127.0.0.1", allowHalfOpen: true },
          () => socket.end("hello")
        )
        let text = ""
        socket.on("data", (chunk) => text += chunk)
        socket.on("end", () => resume(Effect.succeed(text)))
      })
      assert.strictEqual(answer, "HELLO")
      yield* until(() => server.sockets.size === 0)
    }))

  it.live("balances connections, not requests", () =>
    Effect.gen(function*() {
      const servers = [yield* named("a"), yield* named("b")]
      const door = yield* TcpForwarder.make({ name: "x", targets: servers.map(({ port }) => tcp(port)) })
      const answers: Array<string> = []
      for (let n = 0; n < 4; n++) answers.push(yield* say(door.port, ""))
      assert.deepStrictEqual(answers, ["a", "b", "a", "b"])
    }))

  it.live("tries the next target when one refuses, and leaves that one out after a while", () =>
    Effect.gen(function*() {
      const closed = yield* closedPort
      const server = yield* named("alive")
      const door = yield* TcpForwarder.make({
        name: "x",
        targets: [tcp(closed), tcp(server.port)],
        ejection: { failures: 2 }
      })
      for (let n = 0; n < 6; n++) assert.strictEqual(yield* say(door.port, ""), "alive")
      const [state] = yield* door.snapshot
      assert.deepInclude(state, { available: false, calls: 2 })
    }))

  it.live("can only close the connection when nobody takes it: it knows no 502", () =>
    Effect.gen(function*() {
      const closed = yield* closedPort
      const door = yield* TcpForwarder.make({ name: "x", targets: [tcp(closed)] })
      assert.strictEqual(yield* say(door.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "")
    }))

  it.live("shows the targets its own address, and no header: it sees no HTTP", () =>
    Effect.gen(function*() {
      const received: Array<string> = []
      const server = yield* rawUpstream((socket) =>
        socket.on("data", (chunk) => {
          received.push(String(chunk))
          socket.end()
        })
      )
      const door = yield* TcpForwarder.make({ name: "x", targets: [tcp(server.port)] })
      const request = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
      yield* say(door.port, request)
      assert.deepStrictEqual(received, [request])
    }))

  it.live("holds a sender back while the other side does not read", () =>
    Effect.gen(function*() {
      const server = yield* rawUpstream((socket) => socket.pause())
      const door = yield* TcpForwarder.make({ name: "x", targets: [tcp(server.port)], gracePeriod: 0 })
      let sent = 0
      const block = Buffer.alloc(65_536)
      const socket = net.connect(door.port, "127.0.0.1")
      socket.on("error", () => {})
      const more = (): void => {
        while (sent < 64 * 1_048_576) {
          sent += block.length
          if (!socket.write(block)) return void socket.once("drain", more)
        }
      }
      more()
      yield* Effect.sleep("400 millis")
      assert.isBelow(sent, 24 * 1_048_576)
      socket.destroy()
    }))

  it.live("ends connections in which nothing happens, and all of them at its end", () =>
    Effect.gen(function*() {
      const server = yield* rawUpstream((socket) => socket.resume())
      const idle = yield* TcpForwarder.make({ name: "x", targets: [tcp(server.port)], idleTimeout: "80 millis" })
      assert.strictEqual(yield* say(idle.port, "hello"), "")
      const scope = yield* Scope.make()
      const door = yield* Scope.provide(
        TcpForwarder.make({ name: "x", targets: [tcp(server.port)], gracePeriod: "50 millis" }),
        scope
      )
      let closed = false
      const client = net.connect(door.port, "127.0.0.1")
      client.on("error", () => {})
      client.on("close", () => closed = true)
      client.resume()
      yield* until(() => server.sockets.size === 1)
      yield* Scope.close(scope, Exit.void)
      yield* until(() => closed && server.sockets.size === 0)
    }))

  it.live("leads new connections to the targets of a reload, and leaves those that stand alone", () =>
    Effect.gen(function*() {
      const echo = (name: string) => rawUpstream((socket) => socket.on("data", (chunk) => socket.write(name + chunk)))
      const [one, two] = [yield* echo("one "), yield* echo("two ")]
      const door = yield* TcpForwarder.make({ name: "x", targets: [tcp(one.port)] })
      let heard = ""
      const standing = net.connect(door.port, "127.0.0.1", () => standing.write("before"))
      standing.on("data", (chunk) => heard += chunk)
      yield* until(() => heard === "one before")
      yield* door.reload({ targets: [tcp(two.port)], connections: 2 })
      standing.write("after")
      yield* until(() => heard === "one beforeone after")
      assert.strictEqual(yield* say(door.port, "hello", "100 millis"), "two hello")
      assert.deepStrictEqual((yield* door.snapshot).map(({ id }) => id), [tcp(two.port)])
      const second = net.connect(door.port, "127.0.0.1")
      second.on("error", () => {})
      yield* until(() => two.sockets.size === 1)
      // The limit is in force too.
      assert.strictEqual(yield* say(door.port, "hello", "100 millis"), "")
      standing.destroy()
      second.destroy()
    }))

  it.live("keeps what it knows of targets that a reload does not change", () =>
    Effect.gen(function*() {
      const closed = yield* closedPort
      const server = yield* named("alive")
      const targets = [tcp(closed), tcp(server.port)]
      const door = yield* TcpForwarder.make({ name: "x", targets, ejection: { failures: 1 } })
      yield* say(door.port, "")
      assert.deepInclude((yield* door.snapshot)[0], { available: false })
      yield* door.reload({ targets, ejection: { failures: 1 }, idleTimeout: "1 second" })
      assert.deepInclude((yield* door.snapshot)[0], { available: false })
      yield* door.reload({ targets, ejection: { failures: 2 } })
      assert.deepInclude((yield* door.snapshot)[0], { available: true, calls: 0 })
      assert.throws(() => door.reload({ targets: ["nonsense"] }), /tcp:\/\/127\.0\.0\.1/)
    }))

  it.live("lets go of what a reload has replaced", () =>
    Effect.gen(function*() {
      const [first, second] = [yield* named("first"), yield* named("second")]
      const scope = yield* Scope.make()
      const held = () => scope.state._tag === "Open" ? scope.state.finalizers?.size ?? 0 : 0
      const door = yield* Scope.provide(
        TcpForwarder.make({ name: "x", targets: [tcp(first.port)], gracePeriod: 0 }),
        scope
      )
      const atFirst = held()
      assert.isAbove(atFirst, 0)
      for (let n = 0; n < 5; n++) {
        yield* door.reload({ targets: [tcp(second.port)], ejection: { failures: n + 1 }, gracePeriod: 0 })
        assert.strictEqual(yield* say(door.port, ""), "second")
      }
      assert.strictEqual(held(), atFirst)
      // What did not change is still there.
      yield* door.reload({ targets: [tcp(second.port)], ejection: { failures: 5 }, gracePeriod: 0 })
      assert.strictEqual(held(), atFirst)
      yield* Scope.close(scope, Exit.void)
    }))

  it("refuses a target that is none", () => {
    assert.throws(() => TcpForwarder.make({ name: "x", targets: ["nonsense"] }), /tcp:\/\/127\.0\.0\.1/)
  })
})
