/**
 * A door that sees no HTTP: it takes TCP connections and joins each to one of several targets, byte for byte.
 *
 * It balances connections, tries the next target when one refuses, and leaves out those that keep refusing. That is all it can
 * do: it cannot route by path, set `X-Forwarded-For`, answer 502, retry a request or end TLS, because it knows addresses and
 * ports and nothing else. Where no target takes the connection, the client sees its connection closed without a byte.
 *
 * {@link TcpForwarder.reload} leads new connections to other targets, with other limits. Connections that stand stay as
 * they are, and targets that did not change keep what is known of them.
 *
 * **Gotchas**
 *
 * - The targets see the address of this process, not that of the client.
 * - A target that takes the connection works, as far as this module can see; an active `check` by path needs `UpstreamPool`.
 * - The balance is of connections: a client that keeps one open sends all its requests to one target.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { TcpForwarder } from "effect-lifecycle/gateway"
 * import * as net from "node:net"
 * import assert from "node:assert/strict"
 *
 * const server = net.createServer((socket) => socket.end("hello"))
 * await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
 * const { port } = server.address() as net.AddressInfo
 *
 * const program = Effect.gen(function*() {
 *   const door = yield* TcpForwarder.make({ name: "echo", targets: [`tcp://127.0.0.1:${port}`] })
 *   return yield* Effect.promise(() =>
 *     new Promise<string>((resolve) => {
 *       net.connect(door.port, "127.0.0.1").on("data", (bytes) => resolve(String(bytes)))
 *     })
 *   )
 * })
 * assert.equal(await Effect.runPromise(Effect.scoped(program)), "hello")
 * server.close()
 * ```
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Exit, FiberSet, Scope } from "effect"
import * as Net from "node:net"
import { finiteMillis, InvalidOption, wholeNumber } from "../resilience/InvalidOption.ts"
import type { ListenError } from "../server/NodeListener.ts"
import { Connections, drainAtEnd, listen } from "./internal/listening.ts"
import { failed, type UpstreamFailed, UpstreamTimeout } from "./internal/upstreamFailure.ts"
import * as LoadBalancer from "./LoadBalancer.ts"

/**
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** In reports. */
  readonly name: string
  /** `tcp://127.0.0.1:4101`; of `http` and `https` URLs host and port are taken. */
  readonly targets: ReadonlyArray<string>
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** 0, any free port, when absent. */
  readonly port?: number | undefined
  readonly balance?: LoadBalancer.Policy | undefined
  readonly ejection?: LoadBalancer.EjectionOptions | undefined
  /** Until a connection to a target stands; 5 seconds when absent. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long a connection may be silent; 10 minutes when absent. */
  readonly idleTimeout?: Duration.Input | undefined
  /** At the same time; more are closed at once. 16,384 when absent. */
  readonly connections?: number | undefined
  /** What connections get at shutdown; 20 seconds when absent. */
  readonly gracePeriod?: Duration.Input | undefined
}

/**
 * What can change while it listens.
 *
 * @category options
 * @since 0.1.0
 */
export type Reloadable = Omit<Options, "host" | "name" | "port">

/**
 * @category models
 * @since 0.1.0
 */
export interface TcpForwarder {
  readonly host: string
  readonly port: number
  /** Of the targets that new connections go to. */
  readonly snapshot: Effect.Effect<ReadonlyArray<LoadBalancer.TargetState>>
  /** Puts these options in place of those in force, for the connections to come. Throws where {@link make} would. */
  readonly reload: (options: Reloadable) => Effect.Effect<void>
}

/** A balancer, until it was replaced and the last connection that it is to place has found its target or none. */
interface Pool {
  readonly balancer: LoadBalancer.LoadBalancer<Target>
  readonly scope: Scope.Closeable
  /** Connections that are being placed. */
  placing: number
  replaced: boolean
}

/** Options in force. */
interface Settings {
  readonly targets: ReadonlyArray<Target>
  readonly connectMillis: number
  readonly idleMillis: number
  readonly maximum: number
  readonly grace: Duration.Input
  readonly options: Reloadable
}

interface Target extends LoadBalancer.Target {
  readonly host: string
  readonly port: number
}

/**
 * Listens until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<TcpForwarder, ListenError, Scope.Scope> => {
  const initial = settingsOf(options)
  return Effect.gen(function*() {
    const owner = yield* Effect.scope
    const build = Effect.fnUntraced(function*({ options: { balance, ejection }, targets }: Settings) {
      const scope = yield* Scope.fork(owner)
      const balancer = yield* Scope.provide(
        LoadBalancer.make<Target>({ name: options.name, targets, policy: balance, ejection }),
        scope
      )
      return { balancer, scope, placing: 0, replaced: false } satisfies Pool as Pool
    })
    let current = { ...initial, pool: yield* build(initial) }
    const run = yield* FiberSet.makeRuntime<never>()
    const connections = new Connections()
    const serve = (client: Net.Socket) => {
      const { connectMillis, idleMillis, pool, targets } = current
      const tried = new Set<string>()
      const connectOnce = pool.balancer.use((target) => {
        tried.add(target.id)
        return connect(options.name, target, connectMillis)
      }, { exclude: tried })
      return Effect.scoped(
        Effect.flatMap(
          placing(
            pool,
            Effect.retry(connectOnce, {
              while: (error) => error._tag !== "NoHealthyUpstream" && tried.size < targets.length
            })
          ),
          (upstream) => join(client, upstream, idleMillis)
        )
      ).pipe(
        Effect.ignore,
        Effect.ensuring(Effect.sync(() => client.destroy()))
      )
    }
    // Paused until a target is there: bytes that nobody takes would have to be kept.
    const server = Net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
      connections.accept(client)
      connections.add(client)
      connections.begin(client)
      const fiber = run(serve(client))
      client.once("close", () => fiber.interruptUnsafe())
      fiber.addObserver(() => connections.end(client))
    })
    server.maxConnections = initial.maximum
    const address = yield* listen(server, { host: options.host ?? "127.0.0.1", port: options.port ?? 0 })
    yield* drainAtEnd(server, connections, { grace: () => current.grace })
    return {
      ...address,
      snapshot: Effect.suspend(() => current.pool.balancer.snapshot),
      reload: (options) => {
        const next = settingsOf(options)
        return Effect.gen(function*() {
          const { pool } = current
          const kept = balanceOf(next) === balanceOf(current)
          current = { ...next, pool: kept ? pool : yield* build(next) }
          server.maxConnections = next.maximum
          pool.replaced = !kept
          yield* closeUnused(pool)
        })
      }
    }
  })
}

const placing = <A, E, R>(pool: Pool, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => void pool.placing++),
    () => work,
    () => {
      pool.placing--
      return closeUnused(pool)
    }
  )

const closeUnused = (pool: Pool): Effect.Effect<void> =>
  Effect.suspend(() => pool.replaced && pool.placing === 0 ? Scope.close(pool.scope, Exit.void) : Effect.void)

const settingsOf = (options: Reloadable): Settings => {
  const module = "TcpForwarder.make"
  return {
    targets: options.targets.map(targetOf),
    connectMillis: finiteMillis(module, "connectTimeout", options.connectTimeout ?? "5 seconds"),
    idleMillis: finiteMillis(module, "idleTimeout", options.idleTimeout ?? "10 minutes"),
    maximum: wholeNumber(module, "connections", options.connections ?? 16_384, 1),
    grace: options.gracePeriod ?? "20 seconds",
    options
  }
}

/** What a balancer is made from. */
const balanceOf = ({ options: { balance, ejection }, targets }: Settings): string =>
  JSON.stringify([targets, balance, ejection])

const targetOf = (text: string): Target => {
  const url = URL.parse(text)
  const port = url === null ? 0 : Number(url.port === "" ? (url.protocol === "https:" ? 443 : 80) : url.port)
  if (url === null || url.hostname === "" || (url.port === "" && !/^https?:$/.test(url.protocol))) {
    throw new InvalidOption({
      module: "TcpForwarder.make",
      option: "targets",
      value: text,
      allowed: "addresses such as tcp://127.0.0.1:4101"
    })
  }
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname
  return { id: `tcp://${url.hostname}:${port}`, host, port }
}

const connect = (
  pool: string,
  target: Target,
  connectMillis: number
): Effect.Effect<Net.Socket, UpstreamFailed | UpstreamTimeout, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => Net.connect({ host: target.host, port: target.port, allowHalfOpen: true, noDelay: true })),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket) =>
      Effect.callback<Net.Socket, UpstreamFailed | UpstreamTimeout>((resume) => {
        socket.setTimeout(connectMillis, () => {
          if (!socket.connecting) return
          resume(
            Effect.fail(
              new UpstreamTimeout({ pool, target: target.id, phase: "connect", timeoutMillis: connectMillis })
            )
          )
        })
        socket.once("connect", () => resume(Effect.succeed(socket)))
        socket.on("error", (error) => resume(Effect.fail(failed(pool, target.id, error, false))))
      })
  )

/** Until both directions have ended, one side has broken off, or nothing came for `idleMillis`. */
const join = (client: Net.Socket, upstream: Net.Socket, idleMillis: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const end = () => resume(Effect.void)
    let open = 2
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      from.once("error", end)
      from.once("close", () => from.readableEnded ? undefined : end())
      from.once("end", () => {
        if (--open > 0) return
        if (to.writableFinished) end()
        else to.once("finish", end)
      })
      from.setTimeout(idleMillis, end)
      from.pipe(to)
    }
    client.resume()
  })
