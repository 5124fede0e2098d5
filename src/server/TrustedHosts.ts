/**
 * Answers only requests that were meant for this server: what `Host` says must be well-formed and, where names are given,
 * one of them. Everything else is 400 before the router, so that no link, redirect or cache key is built from a name
 * somebody made up.
 *
 * A name is exact (`api.example.com`), or `*.example.com` for everything below a domain and not the domain itself. Ports,
 * letter case and the dot of a fully qualified name are not looked at. Behind a proxy that replaces `Host`,
 * `TrustedProxies.stage({ host: true })` puts the name of its `X-Forwarded-Host` in place before it is looked at here.
 *
 * Without names every well-formed `Host` passes. A `Host` that is missing in HTTP/1.1, comes twice or is not a host at all
 * is 400 always, as RFC 9112 asks.
 *
 * **Gotchas**
 *
 * - Health checks of a balancer often come with an address as `Host`. Name it, or have them sent with a real one.
 * - Node answers a missing `Host` by itself unless its listener was told not to.
 *
 * @example
 * ```ts
 * import { TrustedHosts } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const trusts = TrustedHosts.make(["api.example.com", "*.example.org"])
 * assert.ok(trusts("API.example.com:8443") && trusts("eu.api.example.org"))
 * assert.ok(!trusts("example.org") && !trusts("api.example.com.evil.test"))
 * assert.ok(!TrustedHosts.isWellFormed("api.example.com/path") && !TrustedHosts.isWellFormed("a, b"))
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Predicate, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The request names no host that this server answers for.
 *
 * @category errors
 * @since 0.1.0
 */
export class HostRefused extends Schema.TaggedError<HostRefused>()("HostRefused", {
  reason: Schema.Literals(["missing", "malformed", "repeated", "unknown"])
}) {
  override get message(): string {
    switch (this.reason) {
      case "missing":
        return "The request has no Host header: send the name of the server you are asking"
      case "malformed":
        return "The Host header is not a host name with an optional port"
      case "repeated":
        return "The request has more than one Host header: send one"
      case "unknown":
        return "This server does not answer for the host that was asked: check the address, or add it to the trusted hosts"
    }
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Names such as `api.example.com`, `*.example.com`, `127.0.0.1` or `[::1]`. Default: any. */
  readonly hosts?: ReadonlyArray<string> | undefined
}

const name = "[a-z0-9_](?:[a-z0-9_.~-]{0,253}[a-z0-9_~.-])?"
const address = "\\[[0-9a-f:.]{2,45}\\]"
const hostPattern = new RegExp(`^(?:${name}|${address})(?::\\d{0,5})?$`, "i")
const entryPattern = new RegExp(`^(?:(?:\\*\\.)?${name}|${address})$`, "i")

/**
 * Whether a value can stand in `Host`: a name, an address or an IPv6 address in brackets, with a port or without.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isWellFormed = (host: string): boolean => hostPattern.test(host) && !host.includes("..")

/**
 * The test for a list of names.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (hosts: ReadonlyArray<string>): (host: string) => boolean => {
  const wrong = hosts.find((host) => !entryPattern.test(host) || host.includes(".."))
  if (hosts.length === 0 || wrong !== undefined) {
    throw new InvalidOption({
      module: "TrustedHosts.stage",
      option: "hosts",
      value: wrong === undefined ? "an empty list" : JSON.stringify(wrong),
      allowed: "names without port such as api.example.com or *.example.com; leave it out to take any"
    })
  }
  const exact = new Set<string>()
  const below: Array<string> = []
  for (const host of hosts.map(plain)) {
    if (host.startsWith("*.")) below.push(host.slice(1))
    else exact.add(host)
  }
  return (host) => {
    const asked = plain(host)
    return exact.has(asked) || below.some((end) => asked.length > end.length && asked.endsWith(end))
  }
}

/** In lower case, without port and without the dot at the end. */
const plain = (host: string): string => host.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "")

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage => {
  const trusted = options.hosts === undefined ? () => true : make(options.hosts)
  // Nearly every request names the host of the one before.
  let passed: string | undefined
  const refused = (host: string): HostRefused | undefined => {
    if (!isWellFormed(host)) return new HostRefused({ reason: "malformed" })
    return trusted(host) ? undefined : new HostRefused({ reason: "unknown" })
  }
  return ServerStage.outer({
    name: "server/TrustedHosts",
    reports: "Middleware",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const { headers, source } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        if (isRepeated(source)) return Effect.fail(new HostRefused({ reason: "repeated" }))
        const host = headers["host"]
        if (host === passed && host !== undefined) return next
        if (host === undefined) {
          // HTTP/1.0 knows no Host, and a request that did not come over a socket has its host in its URL.
          return options.hosts === undefined && !needsHost(source)
            ? next
            : Effect.fail(new HostRefused({ reason: "missing" }))
        }
        const wrong = refused(host)
        if (wrong !== undefined) return Effect.fail(wrong)
        passed = host
        return next
      })
  })
}

const needsHost = (source: object): boolean =>
  Predicate.hasProperty(source, "httpVersion") && source.httpVersion === "1.1"

/** Node keeps the first `Host` and drops the others, which is how two servers come to see different ones. */
const isRepeated = (source: object): boolean => {
  const raw: unknown = "rawHeaders" in source ? source.rawHeaders : undefined
  if (!Array.isArray(raw)) return false
  let found = false
  for (let index = 0; index < raw.length; index += 2) {
    const header: unknown = raw[index]
    if (typeof header !== "string" || header.length !== 4 || header.toLowerCase() !== "host") continue
    if (found) return true
    found = true
  }
  return false
}
