/**
 * The fifteen stages of the road from a client to a handler and back, in order.
 *
 * Everything in this library that times, fails or answers names one of these stages: a `Recorder` report, a problem's
 * `stage` member, a row of `Failure` and a verdict of `Diagnosis`. Each stage says on which side of the wire it lies, who
 * owns it, which step of the fifteen-step lesson it is, and which module models it, or which outside party does the work.
 *
 * The stages are constant data: nothing here changes over time.
 *
 * **Gotchas**
 *
 * - The lesson has no step 7, and joins steps 2-3 and 10-11 in one section each. Step 7 is read here as the connection from
 *   the proxy to the application; that reading is ours. `Response` is named only in the lesson's takeaways and has no step.
 * - A stage is where the work happens, not who pays for it: a proxy that cannot reach the application fails in `Proxy`.
 *
 * @example
 * ```ts
 * import { Stage } from "effect-lifecycle/lifecycle"
 * import assert from "node:assert/strict"
 *
 * assert.equal(Stage.all.length, 15)
 * assert.equal(Stage.get("Router").lessonStep, 12)
 * assert.deepEqual((["Handler", "Dns", "Proxy"] as const).toSorted(Stage.compare), ["Dns", "Proxy", "Handler"])
 * ```
 *
 * @since 0.1.0
 */
import { Order, Schema } from "effect"

/**
 * The name of a stage.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StageName = Schema.Literals([
  "Dns",
  "Connect",
  "Tls",
  "Send",
  "Balancer",
  "Proxy",
  "Accept",
  "Server",
  "Middleware",
  "Security",
  "Router",
  "Dependencies",
  "Validation",
  "Handler",
  "Response"
])

/**
 * The name of a stage.
 *
 * @category models
 * @since 0.1.0
 */
export type StageName = typeof StageName.Type

/**
 * A module by its public name, and the export to look at where one stands out.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ModuleName = Schema.Struct({
  module: Schema.String,
  export: Schema.optionalKey(Schema.String)
})

/**
 * A module by its public name, and the export to look at where one stands out.
 *
 * @category models
 * @since 0.1.0
 */
export type ModuleName = typeof ModuleName.Type

/**
 * Who models a stage: modules of this library or of Effect, or an outside party (whose work a module may still measure).
 *
 * @category schemas
 * @since 0.1.0
 */
export const ModelledBy = Schema.Union([
  Schema.Struct({ modules: Schema.Array(ModuleName) }),
  Schema.Struct({ outside: Schema.String, measuredBy: Schema.optionalKey(ModuleName) })
])

/**
 * Who models a stage: modules of this library or of Effect, or an outside party (whose work a module may still measure).
 *
 * @category models
 * @since 0.1.0
 */
export type ModelledBy = typeof ModelledBy.Type

/**
 * One stage of the road.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Stage = Schema.Struct({
  name: StageName,
  /** The place on the road, 1 to 15. */
  order: Schema.Int,
  side: Schema.Literals(["client", "network", "server"]),
  /** Who can repair it. */
  owner: Schema.String,
  /** The lesson's step, or its first and last step where it joins several; `null` where it has none. */
  lessonStep: Schema.NullOr(Schema.Union([Schema.Int, Schema.Tuple([Schema.Int, Schema.Int])])),
  summary: Schema.String,
  modelledBy: ModelledBy
})

/**
 * One stage of the road.
 *
 * @category models
 * @since 0.1.0
 */
export type Stage = typeof Stage.Type

const probe: ModuleName = { module: "effect-lifecycle/client/Probe", export: "probe" }
const server = (name: string, value = "stage"): ModuleName => ({
  module: `effect-lifecycle/server/${name}`,
  export: value
})

const byName: { readonly [Name in StageName]: Omit<Stage, "name"> } = {
  Dns: {
    order: 1,
    side: "client",
    owner: "whoever runs the resolver and the domain's zone",
    lessonStep: 1,
    summary: "The host's name becomes an address.",
    modelledBy: { outside: "the resolver", measuredBy: probe }
  },
  Connect: {
    order: 2,
    side: "client",
    owner: "the network between client and server, and its firewalls",
    lessonStep: [2, 3],
    summary: "A TCP connection is opened to the address: one round trip.",
    modelledBy: { outside: "the operating systems and the network between them", measuredBy: probe }
  },
  Tls: {
    order: 3,
    side: "client",
    owner: "whoever renews the certificate, where TLS ends",
    lessonStep: [2, 3],
    summary: "Keys are agreed and the server proves its name with a certificate.",
    modelledBy: { outside: "the TLS libraries of the client and of whoever terminates TLS", measuredBy: probe }
  },
  Send: {
    order: 4,
    side: "client",
    owner: "the client's own code",
    lessonStep: 4,
    summary: "Method, path, headers and body become bytes on the connection.",
    modelledBy: { outside: "the client's HTTP library", measuredBy: probe }
  },
  Balancer: {
    order: 5,
    side: "network",
    owner: "whoever runs the load balancer (AWS ALB, HAProxy, Envoy) and its health checks",
    lessonStep: 5,
    summary: "One of several healthy backends is chosen.",
    modelledBy: { modules: [{ module: "effect-lifecycle/gateway/LoadBalancer", export: "make" }] }
  },
  Proxy: {
    order: 6,
    side: "network",
    owner: "whoever configures the reverse proxy (nginx, Caddy, Kong, a CDN)",
    lessonStep: 6,
    summary: "A reverse proxy ends TLS, limits and buffers the body, adds forwarded headers and calls the application.",
    modelledBy: { modules: [{ module: "effect-lifecycle/gateway/ReverseProxy", export: "make" }] }
  },
  Accept: {
    order: 7,
    side: "server",
    owner: "the operating system of the server's machine",
    lessonStep: [7, 8],
    summary: "The proxy's connection arrives at the application's port and waits in the backlog until it is accepted.",
    modelledBy: { outside: "the operating system's listening socket" }
  },
  Server: {
    order: 8,
    side: "server",
    owner: "whoever starts and supervises the application's process",
    lessonStep: 9,
    summary: "The HTTP parser turns bytes into a request, within its limits of time and size.",
    modelledBy: {
      modules: [{ module: "@effect/platform-node", export: "NodeHttpServer" }, server("ServerStack", "serve")]
    }
  },
  Middleware: {
    order: 9,
    side: "server",
    owner: "the application's developers",
    lessonStep: [10, 11],
    summary: "Request id, trace, access log, problem boundary, headers, deadline: what every request passes.",
    modelledBy: {
      modules: [
        server("TrustedProxies"),
        server("RequestIds"),
        server("TraceContext"),
        server("AccessLog"),
        server("Problems"),
        server("SecurityHeaders"),
        server("Deadlines"),
        server("Health", "layer")
      ]
    }
  },
  Security: {
    order: 10,
    side: "server",
    owner: "the application's developers",
    lessonStep: [10, 11],
    summary: "The caller proves who they are; limits that belong to an identity apply after it.",
    modelledBy: { modules: [server("Authentication")] }
  },
  Router: {
    order: 11,
    side: "server",
    owner: "the application's developers",
    lessonStep: 12,
    summary: "Method and path select a route; path parameters are still strings.",
    modelledBy: { modules: [{ module: "effect/http", export: "HttpRouter" }, server("Methods")] }
  },
  Dependencies: {
    order: 12,
    side: "server",
    owner: "the application's developers",
    lessonStep: 13,
    summary: "What the route needs before it may run: permission, the idempotency record, the expected version.",
    modelledBy: {
      modules: [
        { module: "effect/http-api", export: "HttpApiMiddleware" },
        server("Idempotency"),
        server("Conditional")
      ]
    }
  },
  Validation: {
    order: 13,
    side: "server",
    owner: "the caller, who sent it; the developers, who declared the schema",
    lessonStep: 14,
    summary: "Path, query and body are checked against their schemas; every wrong field is listed at once.",
    modelledBy: {
      modules: [
        server("ContentTypes"),
        server("BodyLimits"),
        { module: "effect/http-api", export: "HttpApiBuilder" }
      ]
    }
  },
  Handler: {
    order: 14,
    side: "server",
    owner: "the application's developers",
    lessonStep: 15,
    summary: "The application decides, with everything typed.",
    modelledBy: {
      modules: [
        { module: "effect-lifecycle/domain/Domain", export: "toLayer" },
        { module: "effect-lifecycle/domain/Mediator", export: "send" }
      ]
    }
  },
  Response: {
    order: 15,
    side: "server",
    owner: "the application's developers, and the client that must stay to read it",
    lessonStep: null,
    summary: "The result becomes status, headers and body, and travels back the same road.",
    modelledBy: { modules: [{ module: "effect/http", export: "HttpServerResponse" }, server("ServerTiming")] }
  }
}

/**
 * The stage of a name.
 *
 * @category getters
 * @since 0.1.0
 */
export const get = (name: StageName): Stage => ({ name, ...byName[name] })

/**
 * All fifteen stages, in the order of the road.
 *
 * @category constants
 * @since 0.1.0
 */
export const all: ReadonlyArray<Stage> = StageName.literals.map(get)

/**
 * Orders stage names as a request meets them.
 *
 * @category combinators
 * @since 0.1.0
 */
export const compare: Order.Order<StageName> = Order.mapInput(Order.Number, (name: StageName) => byName[name].order)
