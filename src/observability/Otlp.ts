/**
 * Sends traces, metrics and logs to an OpenTelemetry collector when `OTEL_EXPORTER_OTLP_ENDPOINT` is set, and does nothing
 * when it is not.
 *
 * It is `effect/observability` Otlp behind the environment variables of OpenTelemetry: endpoints of single signals, headers,
 * compression, intervals, timeouts, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SDK_DISABLED` mean what its
 * specification says. A signal is left out with `OTEL_TRACES_EXPORTER=none` (also `METRICS`, `LOGS`). What is waiting is
 * sent when the layer ends. A collector that is away costs nothing but its data.
 *
 * **Gotchas**
 *
 * - The protocols are `http/protobuf` (the default) and `http/json`, at the collector's port 4318. gRPC is refused when the
 *   layer is built.
 * - Metrics are those of the fiber's registry: provide `Metrics.layer` beside it, or there are none. Names go out as they
 *   are, without the suffixes of Prometheus.
 * - Effect's log messages are sent. The access lines of `Logs` are not: a request is a span there.
 * - It adds a logger to those it finds and reads the registry it finds: build it on `Logs.layer` and on a registry of your own
 *   (`Layer.provideMerge`). Beside them, in one `Layer.mergeAll`, it takes the place of `Logs`' logger.
 * - No query string and no `User-Agent` leaves with a span, whoever made it: `url.full` ends before the query, `url.query`
 *   and `user_agent.original` are left out. Header attributes are there only where Effect's `TracerHeaderFilter` asks for them.
 *
 * @example
 * ```ts
 * import { ConfigProvider, Effect, Layer } from "effect"
 * import { Metrics, Otlp } from "effect-lifecycle/observability"
 *
 * // Without the variable nothing is sent, and nothing is missing.
 * const Observability = Layer.mergeAll(Metrics.layer, Otlp.layer({ service: "orders" })).pipe(
 *   Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} })))
 * )
 * await Effect.runPromise(Effect.void.pipe(Effect.withSpan("place order"), Effect.provide(Observability)))
 * ```
 *
 * @since 0.1.0
 */
import { Config, ConfigProvider, Context, Effect, Layer, Schema, Tracer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp, OtlpExporter, OtlpSerialization } from "effect/observability"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the service where `OTEL_SERVICE_NAME` is not set. */
  readonly service: string
  readonly version?: string | undefined
}

/**
 * The exporters, or nothing. Fails where a variable cannot be read, with its name.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<OtlpExporter.Flusher, Config.ConfigError> =>
  Layer.unwrap(Effect.gen(function*() {
    const { endpoints, protocol } = yield* Config.all({
      endpoints: Config.all(endpointNames.map(endpoint)),
      protocol: spoken
    })
    if (endpoints.every((url) => url === undefined)) return OtlpExporter.layerFlusher
    const environment = yield* ConfigProvider.ConfigProvider
    const provider = ConfigProvider.orElse(
      environment,
      // The specification exports all three unless told otherwise.
      ConfigProvider.fromEnv({
        env: {
          OTEL_TRACES_EXPORTER: "otlp",
          OTEL_METRICS_EXPORTER: "otlp",
          OTEL_LOGS_EXPORTER: "otlp",
          OTEL_SERVICE_NAME: options.service,
          ...(options.version === undefined ? {} : { OTEL_SERVICE_VERSION: options.version })
        }
      })
    )
    return layerDiscreet.pipe(
      Layer.provideMerge(Otlp.layerFromConfig()),
      Layer.provide([
        protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf,
        FetchHttpClient.layer,
        ConfigProvider.layer(provider)
      ])
    )
  }))

/** What callers put into these is theirs: a token in a query, a name in a program's own. */
const withheld: ReadonlySet<string> = new Set(["url.query", "user_agent.original"])

const discreet = (tracer: Tracer.Tracer): Tracer.Tracer =>
  Tracer.make({
    ...tracer,
    span: (options) => {
      const span = tracer.span(options)
      const attribute = span.attribute.bind(span)
      // Not made right of the `=`: V8 would put them into the old generation, and the span with them.
      const allowed: typeof attribute = (key, value) => {
        if (withheld.has(key)) return
        attribute(key, key === "url.full" && typeof value === "string" ? value.split(/[?#]/, 1)[0] : value)
      }
      span.attribute = allowed
      return span
    }
  })

/** Effect's server and client put whole URLs on their spans. Where traces are not exported, nobody reads them. */
const layerDiscreet = Layer.effectContext(Effect.map(
  Tracer.Tracer,
  (tracer) => tracer === Tracer.nativeTracer ? Context.empty() : Context.make(Tracer.Tracer, discreet(tracer))
))

const endpointNames = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
  "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
] as const

/** With its scheme: `localhost:4318` is a URL too, of a scheme nobody speaks. */
const endpoint = (name: string) =>
  Config.schema(Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s/]/)), name).pipe(Config.withDefault(undefined))

const spoken = Config.Literals(["http/protobuf", "http/json"], "OTEL_EXPORTER_OTLP_PROTOCOL").pipe(
  Config.withDefault("http/protobuf" as const)
)
