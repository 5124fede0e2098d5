/**
 * Keeps bodies small: 413 at once where `Content-Length` says too much, and 413 while reading where it was silent or lied.
 *
 * **Gotchas**
 *
 * - A body nobody reads is not counted. It is only refused for what it declares.
 * - After a 413 the connection is closed, so that the rest of the body need not be read.
 *
 * @example
 * ```ts
 * import { BodyLimits } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.equal(BodyLimits.stage({ maximum: "64 KiB" }).name, "server/BodyLimits")
 * ```
 *
 * @since 0.1.0
 */
import { ByteSize, Context, Effect, Schema } from "effect"
import { HttpIncomingMessage, HttpServerRequest } from "effect/http"
import { byteSize } from "../resilience/InvalidOption.ts"
import * as ServerStage from "./ServerStage.ts"

/**
 * The body declares more bytes than are accepted.
 *
 * @category errors
 * @since 0.1.0
 */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()("BodyTooLarge", {
  limitBytes: Schema.Finite
}) {
  override get message(): string {
    return `The body is larger than ${this.limitBytes} bytes: send less`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default 1 MiB. */
  readonly maximum?: ByteSize.Input | undefined
}

/**
 * The stage. Throws `InvalidOption` for what is no size.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const limitBytes = options.maximum === undefined
    ? 1_048_576
    : byteSize("BodyLimits.stage", "maximum", options.maximum)
  const maximum = ByteSize.bytes(limitBytes)
  return ServerStage.make<never, never>({
    name: "server/BodyLimits",
    reports: "Validation",
    wrap: (next) => {
      const counted = Effect.provideService(next, HttpIncomingMessage.MaxBodySize, maximum)
      return Effect.withFiber((fiber) => {
        const { headers, method } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const declared = headers["content-length"]
        if (declared !== undefined && Number(declared) > limitBytes) {
          return Effect.fail(new BodyTooLarge({ limitBytes }))
        }
        return method === "GET" && declared === undefined && headers["transfer-encoding"] === undefined ? next : counted
      })
    }
  })
}
