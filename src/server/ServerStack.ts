/**
 * The whole way in: routes, and around them the stages every server needs, in the one order that is right.
 *
 * {@link serve} takes routes (of `HttpRouter` or `HttpApi`) and makes a layer that answers them on the `HttpServer` of the
 * context. Every stage is a slot with a default; put another one in with its module's `stage(options)` or with
 * `ServerStage.make`. The type of a slot says what exists there, so a stage that needs the user cannot stand before
 * authentication, and nothing but an authentication can stand in for it. {@link describe} lists what is installed.
 *
 * Stages stand in three places: the listener (`NodeListener`: limits, timeouts, what Node answers by itself); around the
 * whole router (ids, trace, log, problems, headers: they also see a 404 and a 405); and around routes (deadline,
 * authentication, gates for bodies, idempotency, versions).
 *
 * **Gotchas**
 *
 * - Health and metrics pass only the stages around the router.
 * - Without an `authentication` slot the default asks for an `Authenticator` when the layer is built. There is no way to
 *   leave authentication out by accident; `Authentication.stage({ exempt: ["/*"] })` does it on purpose.
 * - When its scope closes the server drains: readiness turns 503, answers carry `Connection: close`, requests in flight are
 *   finished within the listener's grace.
 *
 * @example
 * ```ts
 * import { ServerStack } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const stages = ServerStack.describe({ service: "orders" })
 * assert.deepEqual(stages.slice(0, 2).map((stage) => stage.name), ["server/TrustedProxies", "server/RequestIds"])
 * assert.ok(stages.every((stage) => stage.reports.length > 0))
 * ```
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, Layer, Scope, Tracer } from "effect"
import { HttpRouter, HttpServer, type HttpServerResponse } from "effect/http"
import type { PrometheusMetrics } from "effect/observability"
import type { StageName } from "../lifecycle/Stage.ts"
import { finiteMillis, InvalidOption } from "../resilience/InvalidOption.ts"
import * as AccessLog from "./AccessLog.ts"
import * as Authentication from "./Authentication.ts"
import * as BodyLimits from "./BodyLimits.ts"
import * as Conditional from "./Conditional.ts"
import * as ContentTypes from "./ContentTypes.ts"
import * as Deadlines from "./Deadlines.ts"
import * as Exchange from "./Exchange.ts"
import * as Health from "./Health.ts"
import * as exchangeRun from "./internal/exchangeRun.ts"
import * as instrumentedRouter from "./internal/instrumentedRouter.ts"
import * as Methods from "./Methods.ts"
import * as Metrics from "./Metrics.ts"
import * as Problems from "./Problems.ts"
import * as RequestIds from "./RequestIds.ts"
import * as RouteMatch from "./RouteMatch.ts"
import * as SecurityHeaders from "./SecurityHeaders.ts"
import type * as ServerStage from "./ServerStage.ts"
import * as ServerTiming from "./ServerTiming.ts"
import * as TraceContext from "./TraceContext.ts"
import * as TrustedHosts from "./TrustedHosts.ts"
import * as TrustedProxies from "./TrustedProxies.ts"

/**
 * The slots, in the order a request meets them, and what belongs to no stage.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the service, for logs and metrics. */
  readonly service: string
  // Around the router.
  readonly trustedProxies?: ServerStage.OuterStage<unknown> | undefined
  readonly requestIds?: ServerStage.OuterStage<unknown> | undefined
  readonly traceContext?: ServerStage.OuterStage<unknown> | undefined
  readonly accessLog?: ServerStage.OuterStage<unknown> | undefined
  readonly serverTiming?: ServerStage.OuterStage<unknown> | undefined
  /** Packs answers. Empty by default: see `Compression`. */
  readonly compression?: ServerStage.OuterStage<unknown> | undefined
  readonly problems?: ServerStage.OuterStage<unknown> | undefined
  readonly securityHeaders?: ServerStage.OuterStage<unknown> | undefined
  readonly trustedHosts?: ServerStage.OuterStage<unknown> | undefined
  /** Empty by default: name the origins with `Cors.stage({ origins })`. */
  readonly cors?: ServerStage.OuterStage<unknown> | undefined
  readonly methods?: ServerStage.OuterStage<unknown> | undefined
  // Around routes.
  readonly deadlines?: ServerStage.ServerStage<never, never, unknown> | undefined
  /** How many requests are worked on at once. Empty by default: see `Admission`. */
  readonly admission?: ServerStage.ServerStage<never, never, unknown> | undefined
  /** A limit by what is known before the caller is: the address. Empty by default: see `RateLimits.byAddress`. */
  readonly limitByAddress?: ServerStage.ServerStage<never, never, unknown> | undefined
  readonly authentication?:
    | ServerStage.ServerStage<never, Authentication.CurrentUser, unknown>
    | undefined
  /** What the caller's token is good for. Empty by default: name the routes with `Scopes.stage({ routes })`. */
  readonly scopes?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  /** A limit by who the caller is. Empty by default: see `RateLimits.byUser`. */
  readonly limitByUser?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  /** Empty by default: see `Negotiation`. */
  readonly negotiation?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  /** Unpacks bodies. Empty by default: see `NodeDecompression`. */
  readonly decompression?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  readonly contentTypes?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  readonly bodyLimits?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  /** Empty by default: name the routes with `Idempotency.stage({ required })`. */
  readonly idempotency?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  readonly conditional?: ServerStage.ServerStage<Authentication.CurrentUser, never, unknown> | undefined
  // Beside the stages.
  /** What `/health/ready` asks. */
  readonly readiness?: Health.Checks<unknown> | undefined
  /** How `/metrics` is served, or `false` where it is not. */
  readonly metrics?: boolean | PrometheusMetrics.HttpOptions | undefined
  /** How long the server answers as unready before it stops accepting. Default none. */
  readonly drainDelay?: Duration.Input | undefined
}

/**
 * Options without any name that is no slot: a stage below a misspelt name would be left out.
 *
 * @category models
 * @since 0.1.0
 */
export type Exact<O extends Options> = O & { readonly [K in Exclude<keyof O, keyof Options>]: never }

/**
 * What the slots of `O` take when the server is built.
 *
 * @category models
 * @since 0.1.0
 */
export type Requirements<O extends Options> = Exclude<
  | SlotRequirements<O[Exclude<keyof O, "service" | "readiness" | "metrics" | "drainDelay">]>
  | (O extends { readonly readiness: Health.Checks<infer R> } ? R : never)
  | (O extends { readonly authentication: object } ? never : Authentication.Authenticator),
  Methods.Routes | Scope.Scope
>

type SlotRequirements<S> = S extends { readonly wrap: Effect.Effect<infer _A, never, infer R> } ? R : never

/**
 * One installed stage.
 *
 * @category models
 * @since 0.1.0
 */
export interface Description {
  readonly name: string
  readonly reports: StageName
  readonly attachment: "router" | "route"
}

/**
 * The stages that `options` install, outermost first.
 *
 * @category getters
 * @since 0.1.0
 */
export const describe = (options: Options): ReadonlyArray<Description> => {
  const { outer, route } = slots(options)
  return [...outer, ...route].map(({ attachment, name, reports }) => ({ name, reports, attachment }))
}

/**
 * Serves routes behind the stages, on the `HttpServer` of the context. Throws {@link InvalidOption} for a name that is no
 * slot, and for one of this room's stages around the router in a slot that is another's.
 *
 * @category layers
 * @since 0.1.0
 */
export const serve = <A, E, R, const O extends Options>(
  routes: Layer.Layer<A, E, R>,
  options: Exact<O>
): Layer.Layer<
  A,
  HttpRouter.Request.Without<E>,
  | HttpServer.HttpServer
  | Exclude<HttpRouter.Request.Without<R>, HttpRouter.HttpRouter>
  | Exclude<
    HttpRouter.Request.Only<"Requires", R> | HttpRouter.Request.Only<"GlobalRequires", R>,
    Authentication.CurrentUser | ServerStage.Provided | HttpRouter.Provided
  >
  | Requirements<O>
> => {
  const { outer, route } = slots(options)
  const drainMillis = finiteMillis("ServerStack.serve", "drainDelay", options.drainDelay ?? 0)
  return Layer.unwrap(Effect.gen(function*() {
    const drain: Health.Drain = { draining: false }
    let index: instrumentedRouter.MethodIndex | undefined

    const app = Layer.mergeAll(
      routes.pipe(Layer.provide(around(Effect.map(wrapsOf(route), aroundRoute)))),
      Layer.mergeAll(
        Health.layer(options.readiness ?? {}, drain),
        options.metrics === false ? Layer.empty : Metrics.layer(options.metrics === true ? {} : options.metrics)
      ).pipe(Layer.provide(around(Effect.succeed(aroundRoute([])))), Layer.provide(instrumentedRouter.beside))
    ).pipe(
      Layer.provideMerge(instrumentedRouter.layer((built) => index = built)),
      Layer.provide(Layer.succeed(Health.Draining, drain))
    )

    const context = yield* Effect.contextWith((context: Context.Context<Scope.Scope>) =>
      Layer.buildWithMemoMap(
        app as Layer.Layer<A | HttpRouter.HttpRouter>,
        Layer.CurrentMemoMap.forkOrCreate(context),
        Context.get(context, Scope.Scope)
      )
    )
    for (const given of route.flatMap((stage) => stage.routes ?? [])) RouteMatch.check(given, index?.routes() ?? [])
    const known = Methods.fromIndex(() => index)
    const wraps = yield* Effect.provideService(wrapsOf(outer), Methods.Routes, known)
    const router = Context.get(context, HttpRouter.HttpRouter).asHttpEffect()
    const handler = exchangeRun.run(options.service, drain, aroundRouter(router, wraps))
    const install = outer.flatMap((stage) => stage.install === undefined ? [] : [stage.install])
    const references = install.reduce<Layer.Layer<never, never, Methods.Routes>>(
      (all, each) => Layer.merge(all, each),
      Layer.empty
    ).pipe(Layer.provide(Layer.succeed(Methods.Routes, known)))
    const server = Layer.effectDiscard(Effect.updateContext(HttpServer.serveEffect(handler), deep)).pipe(
      Layer.provide(references)
    )
    // Closed in reverse: the drain begins before the listener lets go.
    const draining = Layer.effectDiscard(Effect.addFinalizer(() => {
      drain.draining = true
      return drainMillis === 0 ? Effect.void : Effect.sleep(drainMillis)
    }))
    return Layer.provideMerge(draining, server).pipe(Layer.merge(Layer.succeedContext(context)))
    // What the routes and slots need is computed by the signature; inside, the router erases it.
  })) as never
}

/**
 * The same context, with room for what the stages add: from the ninth addition on a context is copied, for every request
 * with all services of the application. And without the span in which the server was built, which would be the parent of
 * all requests for as long as it runs.
 */
const deep = <R>(context: Context.Context<R>): Context.Context<R> => {
  const services = new Map(context.mapUnsafe)
  services.delete(Tracer.ParentSpan.key)
  return Context.makeUnsafe(services, { maxDepth: 24 })
}

type Response = HttpServerResponse.HttpServerResponse
type Wrapped = Effect.Effect<Response, unknown, never>
interface Built {
  readonly name: string
  readonly reports: StageName
  readonly wrap: (next: Wrapped) => Wrapped
}

/** What has a name in the options, and where it stands. */
const places: Readonly<Record<keyof Options, "beside" | "router" | "route">> = {
  service: "beside",
  readiness: "beside",
  metrics: "beside",
  drainDelay: "beside",
  trustedProxies: "router",
  requestIds: "router",
  traceContext: "router",
  accessLog: "router",
  serverTiming: "router",
  compression: "router",
  problems: "router",
  securityHeaders: "router",
  trustedHosts: "router",
  cors: "router",
  methods: "router",
  deadlines: "route",
  admission: "route",
  limitByAddress: "route",
  authentication: "route",
  scopes: "route",
  limitByUser: "route",
  negotiation: "route",
  decompression: "route",
  contentTypes: "route",
  bodyLimits: "route",
  idempotency: "route",
  conditional: "route"
}

/** The types of the slots around the router are alike, so a stage of this room is told from another's by its name. */
const slots = (options: Options) => {
  for (const [option, given] of Object.entries(options)) {
    if (!Object.hasOwn(places, option)) {
      throw refused(option, String(given?.name ?? given), `one of the slots ${Object.keys(places).join(", ")}`)
    }
    const own = `server/${option.charAt(0).toUpperCase()}${option.slice(1)}`
    const name: unknown = given?.name
    if (
      places[option as keyof Options] === "router" && typeof name === "string" && name.startsWith("server/") &&
      name !== own
    ) {
      throw refused(option, name, `${own} or a stage of your own`)
    }
  }
  return inOrder(options)
}

const refused = (option: string, value: string, allowed: string): InvalidOption =>
  new InvalidOption({ module: "ServerStack.serve", option, value, allowed })

const inOrder = (options: Options) => ({
  outer: [
    options.trustedProxies ?? TrustedProxies.stage(),
    options.requestIds ?? RequestIds.stage(),
    options.traceContext ?? TraceContext.stage(),
    options.accessLog ?? AccessLog.stage(),
    options.serverTiming ?? ServerTiming.stage(),
    ...present(options.compression),
    options.problems ?? Problems.stage(),
    options.securityHeaders ?? SecurityHeaders.stage(),
    options.trustedHosts ?? TrustedHosts.stage(),
    ...present(options.cors),
    options.methods ?? Methods.stage()
  ],
  route: [
    options.deadlines ?? Deadlines.stage(),
    ...present(options.admission),
    ...present(options.limitByAddress),
    options.authentication ?? Authentication.stage(),
    ...present(options.scopes),
    ...present(options.limitByUser),
    ...present(options.negotiation),
    ...present(options.decompression),
    options.contentTypes ?? ContentTypes.stage(),
    options.bodyLimits ?? BodyLimits.stage(),
    ...present(options.idempotency),
    options.conditional ?? Conditional.stage()
  ]
})

const present = <S>(stage: S | undefined): ReadonlyArray<S> => stage === undefined ? [] : [stage]

/**
 * Builds the stages in order. The slots' types have proved that each finds what it needs, so what they need and give is
 * forgotten here.
 */
const wrapsOf = (
  stages: ReadonlyArray<{
    readonly name: string
    readonly reports: StageName
    readonly wrap: Effect.Effect<unknown, never, unknown>
  }>
): Effect.Effect<ReadonlyArray<Built>> =>
  Effect.forEach(
    stages,
    ({ name, reports, wrap }) =>
      Effect.map(wrap as Effect.Effect<Built["wrap"]>, (wrap): Built => ({ name, reports, wrap }))
  )

const aroundRouter = (router: Effect.Effect<Response, unknown, unknown>, stages: ReadonlyArray<Built>): Wrapped => {
  const found = Effect.withFiber((fiber) => {
    const exchange = Exchange.ofUnsafe(fiber)
    exchangeRun.recordSocketTimes(exchange, fiber)
    Exchange.lapUnsafe(exchange, fiber, "Middleware", "server/ServerStack")
    return router
  }) as Wrapped
  return stages.reduceRight((next, stage) => stage.wrap(next), found)
}

/** The stages around one route, with a lap wherever one ends and another of a different kind begins. */
const aroundRoute = (stages: ReadonlyArray<Built>) => (handler: Wrapped): Wrapped => {
  let next = handler
  let following: StageName | undefined
  for (const stage of stages.toReversed()) {
    if (stage.reports !== following) next = lapThen(next, stage)
    following = stage.reports
    next = stage.wrap(next)
  }
  const inside = next
  return Effect.withFiber((fiber) => {
    const exchange = Exchange.ofUnsafe(fiber)
    const context = fiber.context as Context.Context<HttpRouter.RouteContext>
    exchange.route = Context.get(context, HttpRouter.RouteContext).route.path
    Exchange.lapUnsafe(exchange, fiber, "Router", "effect/http/HttpRouter")
    return inside
  })
}

const lapThen = (next: Wrapped, stage: Built): Wrapped =>
  Effect.withFiber((fiber) => {
    Exchange.lapUnsafe(Exchange.ofUnsafe(fiber), fiber, stage.reports, stage.name)
    return next
  })

const around = (wrap: Effect.Effect<(handler: Wrapped) => Wrapped>): Layer.Layer<never> =>
  HttpRouter.middleware(wrap as Effect.Effect<never>).layer as never
