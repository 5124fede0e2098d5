/** `lifecycle gateway --config FILE`: the reverse proxy of this library as a process, or raw TCP forwarding with `--l4`. */
import { Console, Effect, Layer, Schema, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import type { ConfigInvalid, GatewayConfig } from "../gateway/GatewayConfig.ts"
import type { ListenError } from "../server/NodeListener.ts"
import { load } from "./optional.ts"

/**
 * Raw TCP forwarding needs to know which upstream it leads to.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoTcpUpstream extends Schema.TaggedError<NoTcpUpstream>()("NoTcpUpstream", {
  file: Schema.String,
  upstreams: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.file} has ${this.upstreams.length} upstreams (${
      this.upstreams.join(", ")
    }), and raw TCP leads to one: ` +
      "add \"tcp\": { \"upstream\": \"NAME\" }."
  }
}

/**
 * The address that the configuration names cannot be had.
 *
 * @category errors
 * @since 0.1.0
 */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  file: Schema.String,
  /** The field of the configuration that decides. */
  field: Schema.Literals(["listen.host", "listen.port"]),
  reason: Schema.String
}) {
  override get message(): string {
    return `The gateway cannot start with ${this.file}:\n  ${this.field}: ${this.reason}`
  }
}

/** A configuration that was changed on disk is read again on SIGHUP; one that is wrong changes nothing. */
const onHangUp = (reload: Effect.Effect<void>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (process.platform === "win32") return
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const listener = () => void run(reload)
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("SIGHUP", listener)),
      () => Effect.sync(() => process.off("SIGHUP", listener))
    )
  })

/** What is wrong with the address is of the host, when there is no such address here; else of the port. */
const explained = (file: string) => ({ code, message }: ListenError) =>
  new CannotListen({
    file,
    field: ["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"].includes(code) ? "listen.host" : "listen.port",
    reason: message
  })

/** Reads the file again and puts it in force, or tells why it is not. */
const reloading = (
  file: string,
  read: Effect.Effect<GatewayConfig, ConfigInvalid>,
  reload: (config: GatewayConfig) => Effect.Effect<void, { readonly message: string }>
): Effect.Effect<void> =>
  read.pipe(
    Effect.flatMap(reload),
    Effect.matchEffect({
      onSuccess: () => Console.error(`${file} is in force.`),
      onFailure: (error) => Console.error(`${error.message}\nThe configuration before it stays in force.`)
    })
  )

const http = Effect.fnUntraced(function*(file: string, config: GatewayConfig, json: boolean) {
  const Gateway = yield* load(() => import("../gateway/Gateway.ts"))
  const { ConfigInvalid, load: read } = yield* load(() => import("../gateway/GatewayConfig.ts"))
  const gateway = yield* Effect.mapError(Gateway.make(config), explained(file))
  yield* onHangUp(
    reloading(file, read(file), (next) =>
      Effect.mapError(
        gateway.reload(next),
        ({ problems }) => new ConfigInvalid({ source: `the new configuration in ${file}`, problems })
      ))
  )
  const routes = config.routes.map(({ host, prefix, upstream }) => ({ host, prefix, upstream }))
  yield* Console.log(
    json
      ? JSON.stringify({ url: gateway.url, host: gateway.host, port: gateway.port, routes })
      : [
        `gateway  ${gateway.url}`,
        ...routes.map(({ host = "", prefix, upstream }) => `         ${host}${prefix} -> ${upstream}`),
        "Stop with Ctrl+C."
      ].join("\n")
  )
  return yield* Effect.never
})

const tcp = Effect.fnUntraced(function*(file: string, config: GatewayConfig, json: boolean) {
  const TcpForwarder = yield* load(() => import("../gateway/TcpForwarder.ts"))
  const { addressOf, ConfigInvalid, load: read, needsRestart } = yield* load(() =>
    import("../gateway/GatewayConfig.ts")
  )
  const options = yield* tcpOptions(file, config)
  const door = yield* Effect.mapError(
    TcpForwarder.make({ ...options, ...addressOf(config) }),
    explained(file)
  )
  yield* onHangUp(
    reloading(file, read(file, { l4: true }), (next) => {
      const problems = needsRestart(config, next).filter(({ path }) => path.startsWith("listen."))
      return problems.length > 0
        ? Effect.fail(new ConfigInvalid({ source: `the new configuration in ${file}`, problems }))
        : Effect.flatMap(tcpOptions(file, next), door.reload)
    })
  )
  const url = `tcp://${door.host}:${door.port}`
  yield* Console.log(
    json
      ? JSON.stringify({ url, host: door.host, port: door.port, targets: options.targets })
      : `gateway  ${url} -> ${options.targets.join(", ")} (TCP)\nStop with Ctrl+C.`
  )
  return yield* Effect.never
})

const tcpOptions = (file: string, config: GatewayConfig) => {
  const upstreams = Object.keys(config.upstreams)
  const name = config.tcp?.upstream ?? (upstreams.length === 1 ? upstreams[0] : undefined)
  const upstream = name === undefined ? undefined : config.upstreams[name]
  if (name === undefined || upstream === undefined) return Effect.fail(new NoTcpUpstream({ file, upstreams }))
  return Effect.succeed({
    name,
    targets: upstream.targets.map((target) => typeof target === "string" ? target : target.url),
    balance: upstream.balance,
    ejection: upstream.ejection,
    connectTimeout: upstream.connectTimeout,
    idleTimeout: config.tcp?.idle,
    connections: config.limits?.connections,
    gracePeriod: config.timeouts?.drain
  })
}

/** What was asked for, with `--access-log` or an endpoint of OpenTelemetry; the modules are read only then. */
const telemetry = Effect.fnUntraced(function*(service: string, accessLog: boolean) {
  const logs = accessLog
    ? (yield* load(() => import("../observability/Logs.ts"))).layer({
      service,
      sink: (line) => void process.stderr.write(`${line}\n`)
    })
    : Layer.empty
  if (!Object.keys(process.env).some((name) => /^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/.test(name))) return logs
  const metrics = yield* load(() => import("../observability/Metrics.ts"))
  const otlp = yield* load(() => import("../observability/Otlp.ts"))
  const spans = yield* load(() => import("../observability/Spans.ts"))
  return otlp.layer({ service }).pipe(Layer.provideMerge(Layer.mergeAll(logs, metrics.layer, spans.layer)))
})

/**
 * Runs until it is stopped; Ctrl+C and SIGTERM drain it and end it with the exit code 0. SIGHUP reads the file again.
 *
 * @category commands
 * @since 0.1.0
 */
export const gateway = Command.make(
  "gateway",
  {
    config: Flag.String("config").pipe(
      Flag.withAlias("c"),
      Flag.withDescription("the configuration, a JSON file")
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDefault(false),
      Flag.withDescription("print the address as one JSON line when the gateway is ready")
    ),
    l4: Flag.Boolean("l4").pipe(
      Flag.withDefault(false),
      Flag.withDescription("forward raw TCP to one upstream, without looking at HTTP")
    ),
    accessLog: Flag.Boolean("access-log").pipe(
      Flag.withDefault(false),
      Flag.withDescription("write one JSON line for each request to standard error")
    )
  },
  Effect.fnUntraced(function*({ accessLog, config: file, json, l4 }) {
    const { load: read } = yield* load(() => import("../gateway/GatewayConfig.ts"))
    const config = yield* read(file, { l4 })
    if (l4 && accessLog) yield* Console.error("Raw TCP shows no requests: --access-log writes nothing with --l4.")
    return yield* Effect.scoped((l4 ? tcp : http)(file, config, json)).pipe(
      Effect.provide(yield* telemetry(config.name ?? "gateway", accessLog))
    )
  })
).pipe(
  Command.withDescription("Run a reverse proxy: TLS, routes, balancing, health, retries and limits from a JSON file")
)
