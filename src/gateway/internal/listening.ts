/** A listening socket with its connections: how it begins, what is under way, and how it ends. */
import { Deferred, type Duration, Effect, type Scope } from "effect"
import type { AddressInfo, Server, Socket } from "node:net"
import { ListenError } from "../../server/NodeListener.ts"

export interface Listening {
  readonly host: string
  readonly port: number
}

export const listen = (
  server: Server,
  options: { readonly host: string; readonly port: number }
): Effect.Effect<Listening, ListenError> =>
  Effect.callback((resume) => {
    const onError = (error: NodeJS.ErrnoException) =>
      resume(
        Effect.fail(new ListenError({ address: `${options.host}:${options.port}`, code: error.code ?? "unknown" }))
      )
    server.once("error", onError)
    server.listen({ host: options.host, port: options.port }, () => {
      server.off("error", onError)
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed({ host: options.host, port }))
    })
  })

/** The connections of a server, and how many exchanges each has. */
export class Connections {
  /** Every TCP connection, those in the middle of a handshake included. */
  private readonly raw = new Set<Socket>()
  private readonly sockets = new Map<Socket, number>()
  private active = 0
  private waiter: Deferred.Deferred<void> | undefined
  draining = false

  get exchanges(): number {
    return this.active
  }

  get size(): number {
    return this.raw.size
  }

  accept(socket: Socket): void {
    this.raw.add(socket)
    socket.once("close", () => this.raw.delete(socket))
  }

  /** A connection that exchanges are counted by; one of HTTP/2 ends by its own rules. */
  add(socket: Socket): void {
    this.sockets.set(socket, 0)
    socket.once("close", () => this.sockets.delete(socket))
    // A connection that breaks is told by its `close`.
    socket.on("error", () => {})
  }

  begin(socket: Socket): void {
    this.active++
    const count = this.sockets.get(socket)
    if (count !== undefined) this.sockets.set(socket, count + 1)
  }

  end(socket: Socket): void {
    this.active--
    const count = this.sockets.get(socket)
    if (count !== undefined) this.sockets.set(socket, count - 1)
    if (this.active === 0 && this.waiter !== undefined) Deferred.doneUnsafe(this.waiter, Effect.void)
  }

  destroyIdle(): void {
    for (const [socket, count] of this.sockets) if (count === 0) socket.destroySoon()
  }

  destroyAll(): void {
    for (const socket of this.raw) socket.destroy()
  }

  /** Until nothing is under way, at most for `grace`. */
  quiet(grace: Duration.Input): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.active === 0) return Effect.void
      this.waiter = Deferred.makeUnsafe<void>()
      return Effect.asVoid(Effect.timeoutOption(Deferred.await(this.waiter), grace))
    })
  }
}

/** Closes the listening socket at once, lets what is under way end, and ends the rest. */
export const drainAtEnd = (
  server: Server,
  connections: Connections,
  options: { readonly grace: () => Duration.Input; readonly onDrain?: (() => void) | undefined }
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() =>
    Effect.gen(function*() {
      connections.draining = true
      server.close()
      options.onDrain?.()
      connections.destroyIdle()
      yield* connections.quiet(options.grace())
      connections.destroyAll()
    })
  )
