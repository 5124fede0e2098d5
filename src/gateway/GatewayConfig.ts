/**
 * The configuration of a gateway as JSON: where it listens, which host and path lead where, and what it allows.
 *
 * {@link load} reads a file, {@link decode} takes what was read already. Both name every wrong field by its path, unknown
 * fields included, and check what a schema alone cannot see: that routes lead to upstreams that exist, that targets are
 * origins, that certificates can be read. Durations are `"5 seconds"` or a number of milliseconds. What is absent has a
 * default; only `upstreams` and `routes` are required.
 *
 * **Gotchas**
 *
 * - `strip` is cut from the path before it goes on: with the prefix `/api/users` and `strip` `/api` the upstream sees `/users`.
 * - Files are looked up from the folder of the configuration.
 * - `trust` decides whose `X-Forwarded-For`, request ids and priorities are believed. It is `none` unless you say otherwise:
 *   a gateway that faces clients has no hop before it.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { GatewayConfig } from "effect-lifecycle/gateway"
 * import assert from "node:assert/strict"
 *
 * const config = {
 *   upstreams: { users: { targets: ["http://127.0.0.1:4101"] } },
 *   routes: [{ prefix: "/api/users", strip: "/api", upstream: "user" }]
 * }
 * const invalid = await Effect.runPromise(Effect.flip(GatewayConfig.decode(config)))
 * assert.deepEqual(invalid.problems, [
 *   { path: "routes[0].upstream", message: "No upstream is called \"user\"; there are: users" }
 * ])
 * ```
 *
 * @since 0.1.0
 */
import { Duration as Durations, Effect, Result, Schema, SchemaIssue } from "effect"
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { createSecureContext } from "node:tls"

/** What a timer of Node can take. */
const longestMillis = 2_147_483_647

const Duration = Schema.Union([Schema.DurationFromMillis, Schema.DurationFromString]).check(
  Schema.makeFilter((duration) => {
    const millis = Durations.toMillis(duration)
    return millis >= 0 && millis <= longestMillis ? undefined : "Expected a duration from 0 to 24 days"
  })
)
/** What is done again and again needs a pause in between. */
const Pause = Duration.check(
  Schema.makeFilter((duration) =>
    Durations.toMillis(duration) >= 10 ? undefined : "Expected a duration of at least 10 milliseconds"
  )
)
const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const optional = Schema.optionalKey
const HeaderName = Schema.String.check(
  Schema.isPattern(/^[\w!#$%&'*+.^`|~-]+$/, { message: "Expected the name of a header, also with a * at its end" })
)
const Path = Schema.String.check(Schema.isPattern(/^\/[^?#\s]*$/, { message: "Expected a path that begins with /" }))
const CookieName = Schema.String.check(Schema.isPattern(/^[\w-]+$/, { message: "Expected the name of a cookie" }))
const Status = whole(100, 599)

const Target = Schema.Union([
  Schema.String,
  Schema.Struct({ url: Schema.String, weight: optional(whole(1, 1000)) })
])

const Upstream = Schema.Struct({
  /** Origins: `http://10.0.0.1:8080`. */
  targets: Schema.NonEmptyArray(Target),
  balance: optional(Schema.Literals(["round-robin", "least-in-flight"])),
  sticky: optional(Schema.Struct({ cookie: CookieName })),
  health: optional(Schema.Struct({
    path: Path,
    interval: optional(Pause),
    timeout: optional(Duration),
    healthyAfter: optional(whole(1, 100)),
    unhealthyAfter: optional(whole(1, 100))
  })),
  ejection: optional(Schema.Struct({
    failures: optional(whole(1, 10_000)),
    duration: optional(Duration),
    statuses: optional(Schema.Array(Status))
  })),
  retries: optional(Schema.Struct({
    attempts: optional(whole(1, 10)),
    ratio: optional(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 10 }))),
    minimumPerSecond: optional(whole(0, 1_000_000)),
    statuses: optional(Schema.Array(Status))
  })),
  connections: optional(whole(1, 100_000)),
  keepAlive: optional(Duration),
  connectTimeout: optional(Duration),
  /** A file of certificates that https targets are signed by. */
  authorities: optional(Schema.String)
})

const Route = Schema.Struct({
  /** An exact name, or `*.` and a name; every host when absent. */
  host: optional(Schema.String.check(
    Schema.isPattern(/^(?:\*\.)?[\w-]+(?:\.[\w-]+)*$|^\[[0-9a-fA-F:.]+\]$/, {
      message: "Expected a host name without a port, also one that begins with *."
    })
  )),
  prefix: Path,
  strip: optional(Path),
  upstream: Schema.String,
  buffer: optional(Schema.Literals(["none", "request"])),
  limits: optional(Schema.Struct({ bodyBytes: optional(whole(0, Number.MAX_SAFE_INTEGER)) })),
  timeouts: optional(Schema.Struct({
    answer: optional(Duration),
    idle: optional(Duration),
    tunnel: optional(Duration)
  }))
})

/**
 * The schema of the file. What is not named in it is refused.
 *
 * @category schemas
 * @since 0.1.0
 */
export const GatewayConfig = Schema.Struct({
  /** In reports, and in `Via`. */
  name: optional(
    Schema.String.check(Schema.isPattern(/^[\w.-]+$/, { message: "Expected letters, digits, . _ and -" }))
  ),
  listen: optional(Schema.Struct({ host: optional(Schema.String), port: optional(whole(0, 65_535)) })),
  /** PEM, or the file that holds it. */
  tls: optional(Schema.Struct({ certificate: Schema.String, key: Schema.String })),
  trust: optional(Schema.Literals(["none", "loopback", "private", "all"])),
  internalHeaders: optional(Schema.Array(HeaderName)),
  upstreams: Schema.Record(Schema.String, Upstream),
  routes: Schema.Array(Route),
  /** The upstream of raw TCP forwarding; the only one there is when absent. */
  tcp: optional(Schema.Struct({ upstream: Schema.String, idle: optional(Duration) })),
  limits: optional(Schema.Struct({
    bodyBytes: optional(whole(0, Number.MAX_SAFE_INTEGER)),
    /** What all buffered request bodies hold together. */
    bufferBytes: optional(whole(1, Number.MAX_SAFE_INTEGER)),
    headerBytes: optional(whole(1024, 1_048_576)),
    /** Requests at the same time. */
    concurrency: optional(whole(1, 1_000_000)),
    /** Requests that may wait for their turn, the most urgent first. */
    queue: optional(whole(0, 1_000_000)),
    connections: optional(whole(1, 1_000_000)),
    /** Requests of one address. */
    rate: optional(Schema.Struct({ requests: whole(1, 1_000_000), window: Duration }))
  })),
  timeouts: optional(Schema.Struct({
    /** To read the headers of a request. */
    headers: optional(Duration),
    /** To read a whole request. */
    receive: optional(Duration),
    /** The deadline of a request that brings none, and the longest one granted. */
    request: optional(Duration),
    answer: optional(Duration),
    idle: optional(Duration),
    tunnel: optional(Duration),
    /** How long an idle connection of a client is kept. */
    keepAlive: optional(Duration),
    /** What requests under way get at shutdown. */
    drain: optional(Duration)
  }))
})

/**
 * A configuration that was read.
 *
 * @category models
 * @since 0.1.0
 */
export type GatewayConfig = typeof GatewayConfig.Type

/**
 * A configuration cannot be used; every wrong field is named.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  source: Schema.String,
  problems: Schema.Array(Schema.Struct({
    /** As in JavaScript: `routes[0].upstream`; empty where the file as a whole is wrong. */
    path: Schema.String,
    message: Schema.String
  }))
}) {
  override get message(): string {
    const lines = this.problems.map(({ message, path }) => path === "" ? `  ${message}` : `  ${path}: ${message}`)
    return [`${this.source} is not a usable gateway configuration:`, ...lines].join("\n")
  }
}

/**
 * @category options
 * @since 0.1.0
 */
export interface DecodeOptions {
  /** For the message; `the configuration` when absent. */
  readonly source?: string | undefined
  /** The folder that files are looked up from; the working directory when absent. */
  readonly folder?: string | undefined
}

/**
 * Checks a configuration, and reads the certificates that it names.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (input: unknown, options: DecodeOptions = {}): Effect.Effect<GatewayConfig, ConfigInvalid> =>
  Effect.suspend(() => {
    const source = options.source ?? "the configuration"
    const refuse = (problems: ReadonlyArray<Problem>) => Effect.fail(new ConfigInvalid({ source, problems }))
    const decoded = Schema.decodeUnknownResult(GatewayConfig, { errors: "all", onExcessProperty: "error" })(input)
    if (Result.isFailure(decoded)) {
      return refuse(
        format(decoded.failure.issue).issues.map(({ message, path }) => ({
          path: pathOf((path ?? []).map((part) => typeof part === "object" ? part.key : part)),
          message
        }))
      )
    }
    const { config, problems } = check(decoded.success, options.folder ?? process.cwd())
    return problems.length > 0 ? refuse(problems) : Effect.succeed(config)
  })

/**
 * Reads and checks a file.
 *
 * @category decoding
 * @since 0.1.0
 */
export const load = (file: string): Effect.Effect<GatewayConfig, ConfigInvalid> =>
  Effect.try({
    try: (): unknown => JSON.parse(readFileSync(file, "utf8")),
    catch: (error) =>
      new ConfigInvalid({
        source: file,
        problems: [{ path: "", message: error instanceof Error ? error.message : "" }]
      })
  }).pipe(Effect.flatMap((input) => decode(input, { source: file, folder: dirname(resolve(file)) })))

type Problem = (typeof ConfigInvalid.fields.problems.Type)[number]

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const pathOf = (path: ReadonlyArray<PropertyKey>): string =>
  path.map((part, index) =>
    typeof part === "number"
      ? `[${part}]`
      : /^[A-Za-z_$][\w$]*$/.test(String(part))
      ? index === 0 ? String(part) : `.${String(part)}`
      : `[${JSON.stringify(String(part))}]`
  ).join("")

/** What the schema cannot see. The configuration that comes back holds PEM instead of file names. */
const check = (config: GatewayConfig, folder: string) => {
  const problems: Array<Problem> = []
  const wrong = (path: ReadonlyArray<PropertyKey>, message: string) =>
    void problems.push({ path: pathOf(path), message })
  const names = Object.keys(config.upstreams)
  const exists = (path: ReadonlyArray<PropertyKey>, name: string) => {
    if (names.includes(name)) return
    wrong(path, `No upstream is called "${name}"; there ${names.length === 0 ? "is none" : `are: ${names.join(", ")}`}`)
  }
  const pem = (path: ReadonlyArray<PropertyKey>, value: string): string => {
    if (value.includes("-----BEGIN")) return value
    try {
      return readFileSync(resolve(folder, value), "utf8")
    } catch (error) {
      wrong(path, `The file cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      return ""
    }
  }

  config.routes.forEach((route, index) => {
    exists(["routes", index, "upstream"], route.upstream)
    const { prefix, strip } = route
    if (strip !== undefined && strip !== "/" && prefix !== strip && !prefix.startsWith(strip.replace(/\/?$/, "/"))) {
      wrong(["routes", index, "strip"], `It has to be the beginning of the prefix ${prefix}`)
    }
    const twin = config.routes.findIndex((other) =>
      other.host?.toLowerCase() === route.host?.toLowerCase() && other.prefix === prefix
    )
    if (twin < index) wrong(["routes", index], `The same host and prefix as routes[${twin}]`)
  })
  if (config.tcp !== undefined) exists(["tcp", "upstream"], config.tcp.upstream)

  const upstreams = Object.entries(config.upstreams).map(([name, upstream]) => {
    const seen = new Set<string>()
    upstream.targets.forEach((target, index) => {
      const path = ["upstreams", name, "targets", index, ...typeof target === "string" ? [] : ["url"]]
      const text = typeof target === "string" ? target : target.url
      const origin = originOf(text)
      if (origin === undefined) {
        // The address may be a secret in part, and this goes to a terminal and a log.
        const shown = text.replace(/\/\/[^/]*@/, "//***@")
        wrong(path, `Expected an origin such as http://127.0.0.1:8080, got ${JSON.stringify(shown)}`)
      } else if (seen.has(origin)) wrong(path, `The target ${origin} is there twice`)
      else seen.add(origin)
    })
    const { authorities } = upstream
    return authorities === undefined
      ? [name, upstream] as const
      : [name, { ...upstream, authorities: pem(["upstreams", name, "authorities"], authorities) }] as const
  })

  const tls = config.tls === undefined ? undefined : {
    certificate: pem(["tls", "certificate"], config.tls.certificate),
    key: pem(["tls", "key"], config.tls.key)
  }
  if (tls !== undefined && tls.certificate !== "" && tls.key !== "") {
    try {
      createSecureContext({ cert: tls.certificate, key: tls.key })
    } catch (error) {
      wrong(
        ["tls"],
        `Certificate and key do not go together: ${error instanceof Error ? error.message : String(error)}`
      )
    }
  }
  const checked: GatewayConfig = {
    ...config,
    upstreams: Object.fromEntries(upstreams),
    ...(tls === undefined ? {} : { tls })
  }
  return { config: checked, problems }
}

const originOf = (text: string): string | undefined => {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return undefined
  return url.pathname === "/" && url.search === "" && url.hash === "" ? url.origin : undefined
}
