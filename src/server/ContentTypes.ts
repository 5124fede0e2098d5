/**
 * Refuses bodies of a kind the server does not read: 415 with `Accept`, before anything is parsed.
 *
 * A body without `Content-Type` is refused as well, and so is one in a content coding (`Accept-Encoding: identity` says
 * what is read). Requests without a body pass whatever they declare.
 *
 * **Gotchas**
 *
 * - It holds for every route behind it. A route that reads something else needs its type in `accept`.
 *
 * @example
 * ```ts
 * import { ContentTypes } from "effect-lifecycle/server"
 * import assert from "node:assert/strict"
 *
 * assert.equal(ContentTypes.stage({ accept: ["application/json", "text/csv"] }).reports, "Validation")
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import * as ServerStage from "./ServerStage.ts"

/**
 * The body is of a kind this server does not read.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnsupportedMediaType extends Schema.TaggedError<UnsupportedMediaType>()("UnsupportedMediaType", {
  /** The header that says what would do. */
  header: Schema.Literals(["accept", "accept-encoding"]),
  accept: Schema.String
}) {
  override get message(): string {
    return `The body cannot be read: send ${this.accept}`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Media types without parameters, in lower case. Default `application/json`. */
  readonly accept?: ReadonlyArray<string> | undefined
}

/**
 * The stage.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const accepted = options.accept ?? ["application/json"]
  const wrongType = new UnsupportedMediaType({ header: "accept", accept: accepted.join(", ") })
  const wrongCoding = new UnsupportedMediaType({ header: "accept-encoding", accept: "identity" })
  return ServerStage.make<never, never>({
    name: "server/ContentTypes",
    reports: "Validation",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const { headers } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const length = headers["content-length"]
        if ((length === undefined || length === "0") && headers["transfer-encoding"] === undefined) return next
        const coding = headers["content-encoding"]
        if (coding !== undefined && coding.toLowerCase() !== "identity") return Effect.fail(wrongCoding)
        const type = headers["content-type"] ?? ""
        const end = type.indexOf(";")
        const essence = (end < 0 ? type : type.slice(0, end)).trim().toLowerCase()
        return accepted.includes(essence) ? next : Effect.fail(wrongType)
      })
  })
}
