/** A configuration at work: its pools and routes, and how one takes over from another. */
import { Duration, Effect, Exit, Scope } from "effect"
import * as TrustedHops from "../../server/TrustedHops.ts"
import type { GatewayConfig } from "../GatewayConfig.ts"
import type { TargetState } from "../LoadBalancer.ts"
import * as ReverseProxy from "../ReverseProxy.ts"
import * as UpstreamPool from "../UpstreamPool.ts"
import type { Settings } from "./conduct.ts"
import type { Downstream } from "./downstream.ts"
import { headerBytesOf } from "./fixedFields.ts"
import type { Memory } from "./requestBody.ts"
import { match, type Rule } from "./routing.ts"

interface Pool {
  /** What it was made from. */
  readonly key: string
  readonly pool: UpstreamPool.UpstreamPool
  readonly scope: Scope.Closeable
  /** Exchanges that use it. */
  uses: number
  /** No configuration leads here any more. */
  retired: boolean
}

interface Route extends Rule {
  /** In reports. */
  readonly pattern: string
  readonly proxy: ReverseProxy.ReverseProxy
  readonly pool: Pool
}

export interface Runtime {
  readonly config: GatewayConfig
  readonly settings: Settings
  readonly pools: ReadonlyMap<string, Pool>
  readonly routes: ReadonlyArray<Route>
}

export const build = (
  config: GatewayConfig,
  memory: Memory,
  owner: Scope.Scope,
  previous: Runtime | undefined
): Effect.Effect<Runtime> =>
  Effect.gen(function*() {
    const pools = new Map<string, Pool>()
    for (const [name, upstream] of Object.entries(config.upstreams)) {
      const key = JSON.stringify(upstream)
      const known = previous?.pools.get(name)
      if (known?.key === key) {
        pools.set(name, known)
        continue
      }
      const scope = yield* Scope.fork(owner)
      const { ejection, sticky: _, ...rest } = upstream
      const pool = yield* Scope.provide(
        UpstreamPool.make({ ...rest, name, ejection, ejectOn: ejection?.statuses }),
        scope
      )
      pools.set(name, { key, pool, scope, uses: 0, retired: false })
    }
    const via = config.name ?? "lifecycle-gateway"
    const trust = config.trust ?? "none"
    const requestTimeout = Duration.fromInputUnsafe(config.timeouts?.request ?? "60 seconds")
    const routes = config.routes.flatMap((route): Array<Route> => {
      const pool = pools.get(route.upstream)
      if (pool === undefined) return []
      const timeouts = { ...config.timeouts, ...route.timeouts }
      const proxy = ReverseProxy.make({
        pool: pool.pool,
        via,
        trust,
        strip: route.strip,
        buffer: route.buffer,
        bodyBytes: route.limits?.bodyBytes ?? config.limits?.bodyBytes,
        internalHeaders: config.internalHeaders,
        answerTimeout: timeouts.answer,
        idleTimeout: timeouts.idle,
        tunnelTimeout: timeouts.tunnel,
        requestTimeout,
        stickyCookie: config.upstreams[route.upstream]?.sticky?.cookie
      }, { memory })
      const pattern = `${route.prefix.replace(/\/$/, "")}/*`
      return [{ host: route.host, prefix: route.prefix, pattern, proxy, pool }]
    })
    const service = config.name ?? "gateway"
    return {
      config,
      settings: {
        service,
        via,
        trusts: TrustedHops.make(trust),
        requestTimeout,
        headerBytes: headerBytesOf(config),
        trace: config.trace
      },
      pools,
      routes
    }
  })

export const routeOf = (runtime: Runtime, down: Downstream): Route | undefined =>
  match(runtime.routes, down.authority, down.path)

/** Keeps the pool of a route open as long as `work` runs, also when a reload has left it behind. */
export const using = <A, E, R>(route: Route, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => void route.pool.uses++),
    () => work,
    () => {
      route.pool.uses--
      return closeUnused(route.pool)
    }
  )

const closeUnused = (pool: Pool): Effect.Effect<void> =>
  Effect.suspend(() => pool.retired && pool.uses === 0 ? Scope.close(pool.scope, Exit.void) : Effect.void)

/** Closes the pools that `next` did not take over, each when its last exchange has ended. */
export const retire = (previous: Runtime, next: Runtime): Effect.Effect<void> =>
  Effect.forEach(previous.pools, ([name, pool]) => {
    if (next.pools.get(name) === pool) return Effect.void
    pool.retired = true
    return closeUnused(pool)
  }, { discard: true })

export const snapshot = (
  runtime: Runtime
): Effect.Effect<{ readonly [name: string]: ReadonlyArray<TargetState> }> =>
  Effect.map(
    Effect.forEach(runtime.pools, ([name, { pool }]) =>
      Effect.map(pool.balancer.snapshot, (states) => [name, states] as const)),
    Object.fromEntries
  )

export const listenerTimes = (config: GatewayConfig) => {
  const { timeouts } = config
  const headersTimeout = Duration.toMillis(timeouts?.headers ?? "10 seconds")
  return {
    headersTimeout,
    requestTimeout: Math.max(headersTimeout, Duration.toMillis(timeouts?.receive ?? "5 minutes")),
    keepAliveTimeout: Duration.toMillis(timeouts?.keepAlive ?? "75 seconds")
  }
}
