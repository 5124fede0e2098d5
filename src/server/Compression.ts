/**
 * Packs answers for clients that can unpack them: br, zstd, gzip or deflate, as `Accept-Encoding` and its weights say.
 *
 * Only what gets smaller is packed: text, JSON, XML, JavaScript, SVG and WebAssembly from a size on. What is packed
 * already, a part of something (206), an event stream, and what carries `Cache-Control: no-transform` stays as it is. A body
 * in memory is packed in one piece off the event loop, a stream while it flows, piece by piece. Every answer that depends
 * on it says so with `Vary: Accept-Encoding`, and a strong ETag gets the coding's name at its end (`"3"` becomes `"3-br"`),
 * since other bytes are another representation; `Conditional` understands both.
 *
 * The work is done by the `HttpPlatform` of the listener, so this module needs nothing of Node.
 *
 * **Gotchas**
 *
 * - Whoever sees the length of a packed answer can guess at a secret that stands in it beside text of their own (BREACH).
 *   Send such answers with `Content-Encoding: identity`: the header is taken off and the body left alone.
 * - It costs time of the processor. Behind a proxy that packs, leave it out.
 *
 * @example
 * ```ts
 * import { Compression } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * const choose = Compression.negotiate(["br", "gzip"])
 * assert.equal(choose("gzip, br"), "br")
 * assert.equal(choose("gzip;q=1.0, br;q=0.5"), "gzip")
 * assert.equal(choose("identity, gzip;q=0.5"), undefined)
 * assert.equal(Compression.stage({ minimum: "2 KiB" }).name, "server/Compression")
 * ```
 *
 * @since 0.1.0
 */
import { type ByteSize, Effect } from "effect"
import { HttpPlatform, type HttpServerResponse } from "effect/http"
import { byteSize, InvalidOption, oneOf, wholeNumber } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as accept from "./internal/acceptHeader.ts"
import * as etags from "./internal/etags.ts"
import * as responseHeaders from "./internal/responseHeaders.ts"
import * as vary from "./internal/vary.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What is offered, best first; what the platform cannot do is passed over. Default br, zstd, gzip, deflate. */
  readonly codings?: ReadonlyArray<HttpPlatform.CompressionAlgorithm> | undefined
  /** Bodies of a known length below it are left alone. Default 1 KiB. */
  readonly minimum?: ByteSize.Input | undefined
  /** Whether a media type, in lower case and without parameters, gets smaller. Default {@link isCompressible}. */
  readonly compressible?: ((mediaType: string) => boolean) | undefined
  /** How hard to try, on the scale of each coding. Default 4 for br, 3 for zstd, 6 for gzip and deflate. */
  readonly levels?: { readonly [Coding in HttpPlatform.CompressionAlgorithm]?: number | undefined } | undefined
}

const all: ReadonlyArray<HttpPlatform.CompressionAlgorithm> = ["br", "zstd", "gzip", "deflate"]

/**
 * Whether bodies of this media type get smaller and may be packed.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isCompressible = (mediaType: string): boolean =>
  mediaType !== "text/event-stream" &&
  (mediaType.startsWith("text/") || /[+/](?:json|xml)$/.test(mediaType) || known.has(mediaType))

const known = new Set([
  "application/javascript",
  "application/x-ndjson",
  "application/jsonl",
  "application/wasm",
  "application/graphql",
  "image/bmp",
  "font/ttf",
  "font/otf"
])

/**
 * The coding for an `Accept-Encoding`: of those offered the one with the highest weight, the first offered among equals,
 * none where the client would rather have the body as it is.
 *
 * @category getters
 * @since 0.1.0
 */
export const negotiate = <Coding extends string>(
  offered: ReadonlyArray<Coding>
): (acceptEncoding: string | undefined) => Coding | undefined => {
  // Browsers and clients send a handful of values.
  const remembered = new Map<string, Coding | undefined>()
  return (header) => {
    if (header === undefined || header.length === 0) return undefined
    if (remembered.has(header)) return remembered.get(header)
    const members = accept.parse(header)
    const asItIs = members.find((member) => member.value === "identity")?.quality ?? 0
    let best: Coding | undefined
    let quality = 0
    for (const coding of offered) {
      const given = accept.tokenQuality(members, coding) ?? 0
      if (given > quality) {
        best = coding
        quality = given
      }
    }
    const chosen = quality >= asItIs ? best : undefined
    if (remembered.size < 64) remembered.set(header, chosen)
    return chosen
  }
}

const module = "Compression.stage"

const scales: { readonly [Coding in HttpPlatform.CompressionAlgorithm]: readonly [least: number, most: number] } = {
  br: [0, 11],
  zstd: [1, 22],
  gzip: [0, 9],
  deflate: [0, 9]
}

/**
 * The stage. Throws `InvalidOption` for a coding, size or level there is not.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.OuterStage<HttpPlatform.HttpPlatform> => {
  const codings = options.codings ?? all
  if (codings.length === 0 || !codings.every((coding) => all.includes(coding))) {
    throw new InvalidOption({
      module,
      option: "codings",
      value: JSON.stringify(codings),
      allowed: `one or more of ${all.join(", ")}`
    })
  }
  const minimum = options.minimum === undefined ? 1024 : byteSize(module, "minimum", options.minimum)
  const compressible = options.compressible ?? isCompressible
  for (const [coding, level] of Object.entries(options.levels ?? {})) {
    const [least, most] = scales[oneOf<HttpPlatform.CompressionAlgorithm>(module, "levels", coding as "br", all)]
    if (level !== undefined) wholeNumber(module, `levels.${coding}`, level, least, most)
  }
  const levels = { br: 4, zstd: 3, gzip: 6, deflate: 6, ...options.levels }
  return ServerStage.outer<HttpPlatform.HttpPlatform>({
    name: "server/Compression",
    reports: "Response",
    wrap: Effect.map(HttpPlatform.HttpPlatform, ({ compression }) => {
      const offered = codings.filter((coding) => compression.algorithms.has(coding))
      const negotiated = negotiate(offered)
      const encoder: Exchange.Encoder = {
        choose: (request, response, headers) => {
          if (!mayBePacked(response, headers, compressible)) return undefined
          headers["vary"] = vary.joined(headers["vary"], "Accept-Encoding")
          const coding = negotiated(request.headers["accept-encoding"])
          const length = lengthOf(response, headers)
          if (coding === undefined || (length !== undefined && length < minimum)) return undefined
          headers["content-encoding"] = coding
          // The packed length is known only of what is packed in one piece.
          delete headers["content-length"]
          const etag = headers["etag"]
          // A weak one may be shared by what means the same.
          if (etag !== undefined && !etag.startsWith("W/")) headers["etag"] = etags.marked(etag, `-${coding}`)
          return request.method === "HEAD" ? undefined : coding
        },
        encode: (response, coding) => {
          const algorithm = offered.find((each) => each === coding)
          if (algorithm === undefined) return Effect.succeed(response)
          // The platform would make the ETag weak, and a weak one can be no `If-Match`: it gets to see nothing but the type.
          const bare = responseHeaders.empty()
          if (response.headers["content-type"] !== undefined) bare["content-type"] = response.headers["content-type"]
          return Effect.map(
            compression.compressResponse(responseHeaders.replace(response, bare), algorithm, {
              level: levels[algorithm]
            }),
            (packed) => {
              const headers = responseHeaders.empty()
              Object.assign(headers, response.headers)
              const length = packed.headers["content-length"]
              if (length !== undefined) headers["content-length"] = length
              return responseHeaders.replace(packed, headers)
            }
          )
        }
      }
      return (next) =>
        Effect.withFiber((fiber) => {
          Exchange.ofUnsafe(fiber).encoder = encoder
          return next
        })
    })
  })
}

const mayBePacked = (
  response: HttpServerResponse.HttpServerResponse,
  headers: Record<string, string>,
  compressible: (mediaType: string) => boolean
): boolean => {
  const { body, status } = response
  const coding = headers["content-encoding"]
  if (coding !== undefined) {
    if (coding.trim().toLowerCase() === "identity") delete headers["content-encoding"]
    return false
  }
  if (status < 200 || status === 204 || status === 205 || status === 206 || status === 304) return false
  if (body._tag !== "Uint8Array" && body._tag !== "Stream" && body._tag !== "Raw") return false
  if (/(?:^|[\s,])no-transform(?:$|[\s,;])/i.test(headers["cache-control"] ?? "")) return false
  const type = headers["content-type"] ?? body.contentType
  if (type === undefined) return false
  const end = type.indexOf(";")
  return compressible((end < 0 ? type : type.slice(0, end)).trim().toLowerCase())
}

const lengthOf = (
  { body }: HttpServerResponse.HttpServerResponse,
  headers: Record<string, string>
): number | undefined => {
  if ("contentLength" in body && body.contentLength !== undefined) return body.contentLength
  const header = headers["content-length"]
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined
}
