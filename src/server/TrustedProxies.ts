/**
 * Tells handlers who asked, and how, where proxies stand in front: takes over what a trusted proxy says of its client.
 *
 * Behind a proxy the socket's other end is the proxy, and the connection is plain HTTP even where the client spoke TLS. For
 * a request from a trusted peer this stage puts the client's address into `HttpServerRequest.remoteAddress`
 * (`X-Forwarded-For`, read from its end back to the first address that is not trusted) and its scheme into
 * `HttpServerRequest.protocol` (`X-Forwarded-Proto`), so `HttpServerRequest.toURL` gives the URL that the client used and
 * `SecurityHeaders` knows that it was `https`. With `host: true` the name in `X-Forwarded-Host` takes the place of `Host`,
 * before `TrustedHosts` looks at it.
 *
 * What stages decide by trust they still decide by the socket's other end, which stays in `peerAddress`.
 *
 * **Gotchas**
 *
 * - A trusted proxy has to replace or append to these headers. One that passes on what a client wrote lets the client be
 *   anybody: leave `host` off unless the proxy sets it.
 * - Of several schemes or hosts the first counts, the one nearest to the client.
 * - `Forwarded` (RFC 7239) is not read: what most proxies send are the three headers above.
 *
 * @example
 * ```ts
 * import { TrustedProxies } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const read = TrustedProxies.make({ trust: "private" })
 * const headers = { "x-forwarded-for": "203.0.113.9, 10.0.0.2", "x-forwarded-proto": "https" }
 * assert.deepEqual(read("10.0.0.1", headers), { address: "203.0.113.9", protocol: "https", host: undefined })
 * assert.equal(read("198.51.100.7", headers), undefined)
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Option } from "effect"
import { Headers, HttpServerRequest } from "effect/http"
import * as Exchange from "./Exchange.ts"
import * as ServerStage from "./ServerStage.ts"
import * as TrustedHops from "./TrustedHops.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Which peers are believed, and which addresses on the way are proxies. Default `"private"`. */
  readonly trust?: TrustedHops.Trust | undefined
  /** Whether `X-Forwarded-Host` takes the place of `Host`. Default `false`. */
  readonly host?: boolean | undefined
}

/**
 * What proxies said of their client; `undefined` where they said nothing usable.
 *
 * @category models
 * @since 0.1.0
 */
export interface Forwarded {
  readonly address: string | undefined
  readonly protocol: "http" | "https" | undefined
  readonly host: string | undefined
}

/**
 * Reads the headers of a request whose socket ends at `peer`; `undefined` where nobody who is trusted said anything.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options = {}
): (
  peer: string | undefined,
  headers: { readonly [name: string]: string | undefined }
) => Forwarded | undefined => {
  const trusts = TrustedHops.make(options.trust ?? "private")
  const readsHost = options.host === true
  return (peer, headers) => {
    const addresses = headers["x-forwarded-for"]
    const protocols = headers["x-forwarded-proto"]
    const hosts = readsHost ? headers["x-forwarded-host"] : undefined
    if ((addresses === undefined && protocols === undefined && hosts === undefined) || !trusts(peer)) return undefined
    const protocol = first(protocols)?.toLowerCase()
    return {
      address: addresses === undefined ? undefined : TrustedHops.clientAddress(peer, addresses, trusts),
      protocol: protocol === "http" || protocol === "https" ? protocol : undefined,
      host: first(hosts)
    }
  }
}

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage => {
  const read = make(options)
  return ServerStage.outer({
    name: "server/TrustedProxies",
    reports: "Middleware",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const forwarded = read(Exchange.ofUnsafe(fiber).peer, request.headers)
        if (forwarded === undefined) return next
        const { address, host, protocol } = forwarded
        Exchange.addUnsafe(
          fiber,
          HttpServerRequest.HttpServerRequest,
          request.modify({
            ...(address === undefined ? {} : { remoteAddress: Option.some(address) }),
            peerAddress: request.peerAddress,
            ...(protocol === undefined ? {} : { protocol }),
            ...(host === undefined ? {} : { headers: Headers.set(request.headers, "host", host) })
          })
        )
        return next
      })
  })
}

const first = (list: string | undefined): string | undefined => {
  if (list === undefined) return undefined
  const comma = list.indexOf(",")
  const text = (comma < 0 ? list : list.slice(0, comma)).trim()
  return text === "" ? undefined : text
}
