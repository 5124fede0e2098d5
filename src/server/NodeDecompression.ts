/**
 * Unpacks bodies of requests: gzip, deflate, br and, where Node has it, zstd, with a bound that no archive gets past.
 *
 * The stages behind it and the handler see a request without `Content-Encoding` whose body is plain; it is unpacked while
 * it is read, and not at all when nobody reads it. Another coding is 415 with `Accept-Encoding`. What unpacks to more than
 * `maximum` is 413 after `maximum` bytes, and so is what is larger than that before: a small body that would become
 * gigabytes costs the memory of the bound. Bytes that are not what they claim to be are 400.
 *
 * It stands in the slot `decompression`, before `contentTypes`, which refuses packed bodies. It needs Node, so it is not
 * part of `effect-lifecycle/server`.
 *
 * **Gotchas**
 *
 * - Without it a packed body is 415: reading what a stranger packed is a choice.
 * - `maximum` counts here what `BodyLimits` counts for plain bodies. The smaller of the two holds.
 * - `request.source` is still the packed request.
 *
 * @example
 * ```ts
 * import { ServerStack } from "effect-lifecycle/server"
 * import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
 * import assert from "node:assert/strict"
 *
 * const stages = ServerStack.describe({
 *   service: "orders",
 *   decompression: NodeDecompression.stage({ codings: ["gzip", "br"], maximum: "256 KiB" })
 * })
 * const names = stages.map((stage) => stage.name)
 * assert.equal(names[names.indexOf("server/NodeDecompression") + 1], "server/ContentTypes")
 * ```
 *
 * @since 0.1.0
 */
import { type ByteSize, Context, Effect } from "effect"
import { HttpServerRequest, type HttpServerResponse } from "effect/http"
import type { Duplex } from "node:stream"
import * as Zlib from "node:zlib"
import { byteSize, InvalidOption } from "../resilience/InvalidOption.ts"
import { BodyTooLarge } from "./BodyLimits.ts"
import { UnsupportedMediaType } from "./ContentTypes.ts"
import * as Exchange from "./Exchange.ts"
import { UnpackedRequest } from "./internal/unpackedRequest.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * A coding of bodies. `deflate` is the zlib format (RFC 1950).
 *
 * @category models
 * @since 0.1.0
 */
export type Coding = "gzip" | "deflate" | "br" | "zstd"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default all that this Node can unpack. */
  readonly codings?: ReadonlyArray<Coding> | undefined
  /** Of the plain body, and of the packed one. Default 1 MiB. */
  readonly maximum?: ByteSize.Input | undefined
}

const unpackers: { readonly [coding in Coding]: (() => Duplex) | undefined } = {
  gzip: () => Zlib.createGunzip(),
  deflate: () => Zlib.createInflate(),
  br: () => Zlib.createBrotliDecompress(),
  zstd: typeof Zlib.createZstdDecompress === "function" ? () => Zlib.createZstdDecompress() : undefined
}

/**
 * What this Node can unpack.
 *
 * @category constants
 * @since 0.1.0
 */
export const supported: ReadonlyArray<Coding> = (["gzip", "deflate", "br", "zstd"] as const).filter((coding) =>
  unpackers[coding] !== undefined
)

/** More layers than anybody sends in earnest. */
const maximumLayers = 2

/**
 * The stage. Throws `InvalidOption` for a coding this Node cannot unpack, and for what is no size.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const codings = options.codings ?? supported
  if (codings.length === 0 || !codings.every((coding) => supported.includes(coding))) {
    throw new InvalidOption({
      module: "NodeDecompression.stage",
      option: "codings",
      value: JSON.stringify(codings),
      allowed: `one or more of ${supported.join(", ")}`
    })
  }
  const limitBytes = options.maximum === undefined
    ? 1_048_576
    : byteSize("NodeDecompression.stage", "maximum", options.maximum)
  const wrongCoding = new UnsupportedMediaType({ header: "accept-encoding", accept: codings.join(", ") })
  const layersOf = (header: string): ReadonlyArray<() => Duplex> | undefined => {
    const layers: Array<() => Duplex> = []
    for (const member of header.split(",")) {
      const name = member.trim().toLowerCase()
      if (name === "identity" || name === "") continue
      const coding = codings.find((each) => each === (name === "x-gzip" ? "gzip" : name))
      const unpacker = coding === undefined ? undefined : unpackers[coding]
      if (unpacker === undefined || layers.length === maximumLayers) return undefined
      // The last coding named is the outermost.
      layers.unshift(unpacker)
    }
    return layers
  }
  return ServerStage.make<never, never>({
    name: "server/NodeDecompression",
    reports: "Validation",
    wrap: (next) =>
      Effect.withFiber<HttpServerResponse.HttpServerResponse, unknown>((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const coding = request.headers["content-encoding"]
        if (coding === undefined) return next
        const layers = layersOf(coding)
        if (layers === undefined) return Effect.fail(wrongCoding)
        const length = request.headers["content-length"]
        if (length === "0" || (length === undefined && request.headers["transfer-encoding"] === undefined)) return next
        if (length !== undefined && Number(length) > limitBytes) return Effect.fail(new BodyTooLarge({ limitBytes }))
        if (layers.length > 0) {
          Exchange.addUnsafe(
            fiber,
            HttpServerRequest.HttpServerRequest,
            new UnpackedRequest(request, layers, limitBytes)
          )
        }
        return next
      })
  })
}
