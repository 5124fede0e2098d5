/**
 * The one address in front of the services: over `https://` with a certificate made at start, and over `http://`.
 *
 * `/api/users` goes to users as `/users`; `/users` and the host `users.localhost` lead there too. Orders and payments alike.
 * `/lifecycle` is the page of users: of one of its processes, where there are several, and a cookie keeps a browser with it.
 */
import { Effect, Layer, Scope } from "effect"
import { Gateway, GatewayConfig } from "effect-lifecycle/gateway"
import { Logs } from "effect-lifecycle/observability"
import type { ListenError } from "effect-lifecycle/server/NodeListener"
import * as Certificate from "./certificate.ts"
import type { Addresses } from "./launch.ts"

/** Where each service answers: once, or once in each process that runs it. */
export type Targets = { readonly [Service in keyof Addresses]: readonly [string, ...ReadonlyArray<string>] }

export interface Options {
  readonly targets: Targets
  /** Of http; https has the next one. Where one of them is taken, another free port stands for it. 0 takes any. */
  readonly port: number
  /** Gets the access lines; standard output when absent. */
  readonly log?: ((line: string) => void) | undefined
}

export interface Doors {
  readonly http: string
  readonly https: string
  /** What a client of `https` has to trust, in PEM. */
  readonly certificate: string
  /** Leads to other targets from the next request on. */
  readonly lead: (targets: Targets) => Effect.Effect<void>
}

export const services = ["users", "orders", "payments"] as const

type Routes = typeof GatewayConfig.GatewayConfig.Encoded["routes"]

/** What is at the page, its files and its stream are told by one process: a browser stays with the one it came to. */
const pageOf = (service: keyof Addresses): Routes[number] => ({ prefix: "/lifecycle", upstream: `${service}-page` })

const toOne = (service: keyof Addresses): Routes => [
  { prefix: "/", upstream: service, buffer: "request" },
  pageOf(service)
]

const toAll: Routes = [
  ...services.flatMap((service) => [
    { prefix: `/api/${service}`, strip: "/api", upstream: service, buffer: "request" as const },
    { prefix: `/${service}`, upstream: service, buffer: "request" as const },
    ...toOne(service).map((route) => ({ ...route, host: `${service}.localhost` }))
  ]),
  // The page of one service shows the requests of the others too.
  pageOf("users")
]

const configure = (
  targets: Targets,
  options: {
    readonly routes: Routes
    readonly port: number
    readonly tls?: Certificate.Certificate | undefined
  }
) => {
  const several = services.some((service) => targets[service].length > 1)
  return GatewayConfig.decode({
    name: "gateway",
    listen: { host: "127.0.0.1", port: options.port },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    trust: "loopback",
    upstreams: Object.fromEntries(services.flatMap((service) => {
      const upstream = {
        targets: targets[service],
        // No checks: where a process has gone, who keeps it knows at once, and a lone target says more than we could.
        balance: "least-in-flight" as const,
        // When one of a few processes dies, a large part of what is under way has to be asked again, all at once.
        retries: { attempts: several ? 3 : 2, ratio: 1, minimumPerSecond: 1000 }
      }
      // Browsers send a cookie to every port of a host.
      const sticky = { cookie: `lifecycle-${service}` }
      return [[service, upstream], [`${service}-page`, several ? { ...upstream, sticky } : upstream]]
    })),
    routes: options.routes,
    timeouts: { drain: "5 seconds" }
  }).pipe(Effect.orDie)
}

const open = Effect.fnUntraced(function*(
  options: Options,
  listen: {
    readonly routes: Routes
    readonly port: number
    readonly tls?: Certificate.Certificate | undefined
  }
) {
  const { log, targets } = options
  const build = Effect.gen(function*() {
    // For as long as the gateway, and not only until it listens.
    const telemetry = yield* Layer.build(
      Layer.fresh(Logs.layer({ service: "gateway", ...(log === undefined ? {} : { sink: log }) }))
    )
    return yield* Effect.provide(Effect.flatMap(configure(targets, listen), Gateway.make), telemetry)
  })
  // Several doors may end at once, but each lets its requests end before it closes its log.
  const gateway = yield* Scope.provide(build, yield* Scope.fork(yield* Effect.scope))
  return {
    ...gateway,
    lead: (targets: Targets) => Effect.orDie(Effect.flatMap(configure(targets, listen), gateway.reload))
  }
})

/** The addresses promised are those of the services; the gateway's may be another where they are not to be had. */
const openNear = (options: Options, listen: Parameters<typeof open>[1]) =>
  open(options, listen.port > 65_535 ? { ...listen, port: 0 } : listen).pipe(
    Effect.catchTag("ListenError", () => open(options, { ...listen, port: 0 }))
  )

/** Listens until the scope closes; then lets requests under way end, at both doors at once. */
export const openDoors = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Doors, ListenError, Scope.Scope> {
  const tls = yield* Certificate.make(services)
  const routes = toAll
  const side = yield* Scope.fork(yield* Effect.scope, "parallel")
  const { http, https } = yield* Scope.provide(
    Effect.all({
      http: openNear(options, { routes, port: options.port }),
      https: openNear(options, { routes, port: options.port === 0 ? 0 : options.port + 1, tls })
    }),
    side
  )
  return {
    http: http.url,
    https: `https://localhost:${https.port}`,
    certificate: tls.certificate,
    lead: (targets) => Effect.andThen(http.lead(targets), https.lead(targets))
  }
})

/** One address for one service, where several processes run it. */
export const openDoor = Effect.fnUntraced(function*(service: keyof Addresses, options: Options) {
  const { lead, url } = yield* open(options, { routes: toOne(service), port: options.port })
  return { url, lead }
})
