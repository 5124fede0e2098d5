/**
 * The configuration of a gateway as JSON: where it listens, which host and path lead where, and what it allows.
 *
 * {@link load} reads a file, {@link decode} takes what was read already. Both name every wrong field by its path, unknown
 * fields included, and check what a schema alone cannot see: that routes lead to upstreams that exist, that targets are
 * origins, that certificates can be read and belong to their keys. Durations are `"5 seconds"` or a number of milliseconds. What is absent has a
 * default; only `upstreams` and `routes` are required.
 *
 * **Gotchas**
 *
 * - `strip` is cut from the path before it goes on: with the prefix `/api/users` and `strip` `/api` the upstream sees `/users`.
 * - Files are looked up from the folder of the configuration. They are UTF-8, with or without a byte order mark.
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
import { Duration as Durations, Effect, Option, Result, Schema } from "effect"
import { dirname, resolve } from "node:path"
import { pathOf, type Problem, problemsOf } from "./internal/configIssues.ts"
import * as pem from "./internal/pem.ts"
import * as textFile from "./internal/textFile.ts"

export { addressOf, needsRestart } from "./internal/fixedFields.ts"

/** What a timer of Node can take. */
const longestMillis = 2_147_483_647

const durationExpected = "Expected a duration such as \"5 seconds\", or a number of milliseconds"
const DurationText = Schema.String.check(
  // Any text may be asked: what is no duration is none, whatever the type of the parameter says.
  Schema.makeFilter((text) => Option.isSome(Durations.fromInput(text as Durations.Input)) || durationExpected)
).pipe(Schema.decodeTo(Schema.DurationFromString))
const Duration = Schema.Union([Schema.DurationFromMillis, DurationText]).annotate({ message: durationExpected }).check(
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
  /** Whether a request's trace goes on, whoever sends it; that of a trusted peer does when absent. */
  trace: optional(Schema.Literals(["continue", "restart"])),
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
  /** For raw TCP forwarding, which needs no `routes`. */
  readonly l4?: boolean | undefined
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
    const decoded = decodeJson(options.l4 === true ? withRoutes(input) : input)
    if (Result.isFailure(decoded)) {
      return refuse(problemsOf(decoded.failure.issue, input))
    }
    const { config, problems } = check(decoded.success, options)
    return problems.length > 0 ? refuse(problems) : Effect.succeed(config)
  })

/**
 * Reads and checks a file.
 *
 * @category decoding
 * @since 0.1.0
 */
export const load = (
  file: string,
  options: Pick<DecodeOptions, "l4"> = {}
): Effect.Effect<GatewayConfig, ConfigInvalid> =>
  Effect.suspend(() => {
    const parsed = Result.flatMap(textFile.read(file), parse)
    return Result.isSuccess(parsed)
      ? decode(parsed.success, { ...options, source: file, folder: dirname(resolve(file)) })
      : Effect.fail(new ConfigInvalid({ source: file, problems: [{ path: "", message: parsed.failure }] }))
  })

const decodeJson = Schema.decodeUnknownResult(GatewayConfig, { errors: "all", onExcessProperty: "error" })

const withRoutes = (input: unknown): unknown =>
  typeof input === "object" && input !== null && !Array.isArray(input) ? { routes: [], ...input } : input

const parse = (text: string): Result.Result<unknown, string> =>
  text.trim() === "" ? Result.fail("The file is empty") : Result.try({
    try: (): unknown => JSON.parse(text),
    catch: (error) => `It is not JSON: ${(error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ")}`
  })

/** What the schema cannot see. The configuration that comes back holds PEM instead of file names. */
const check = (config: GatewayConfig, { folder = process.cwd(), l4 = false }: DecodeOptions) => {
  const problems: Array<Problem> = []
  const wrong = (path: ReadonlyArray<PropertyKey>, message: string) =>
    void problems.push({ path: pathOf(path), message })
  const names = Object.keys(config.upstreams)
  const exists = (path: ReadonlyArray<PropertyKey>, name: string) => {
    if (names.includes(name)) return
    wrong(path, `No upstream is called "${name}"; there ${names.length === 0 ? "is none" : `are: ${names.join(", ")}`}`)
  }
  const pemOf = (path: ReadonlyArray<PropertyKey>, value: string): string | undefined => {
    if (value.includes("-----BEGIN")) return value
    const read = textFile.read(resolve(folder, value))
    if (Result.isSuccess(read)) return read.success
    wrong(path, read.failure)
    return undefined
  }

  if (names.length === 0) wrong(["upstreams"], "Expected at least one upstream")
  if (config.routes.length === 0 && !l4) {
    wrong(["routes"], "Expected at least one route: without any, every request would be answered with 404")
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
    if (authorities === undefined) return [name, upstream] as const
    const path = ["upstreams", name, "authorities"]
    const text = pemOf(path, authorities)
    const problem = text === undefined ? undefined : pem.authoritiesProblem(text)
    if (problem !== undefined) wrong(path, problem)
    return [name, { ...upstream, authorities: text ?? "" }] as const
  })

  const certificate = config.tls && pemOf(["tls", "certificate"], config.tls.certificate)
  const key = config.tls && pemOf(["tls", "key"], config.tls.key)
  for (const { field, message } of pem.pairProblems(certificate, key)) wrong(["tls", field], message)
  const checked: GatewayConfig = {
    ...config,
    upstreams: Object.fromEntries(upstreams),
    ...(certificate === undefined || key === undefined ? {} : { tls: { certificate, key } })
  }
  return { config: checked, problems }
}

const originOf = (text: string): string | undefined => {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return undefined
  return url.pathname === "/" && url.search === "" && url.hash === "" ? url.origin : undefined
}
