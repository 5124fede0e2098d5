/**
 * Refuses bodies of a kind the server does not read: 415 with `Accept`, before anything is parsed.
 *
 * A body without `Content-Type` is refused as well, and so is one in a content coding (`Accept-Encoding: identity` says
 * what is read). Requests without a body pass whatever they declare.
 *
 * Text and JSON are read in UTF-8, of which US-ASCII is a part. Another `charset` is 415, and a body that is not UTF-8 after
 * all is 400 where it is read, be it as text, as JSON or as a form: nothing is put in the place of bytes that make no sense.
 *
 * **Gotchas**
 *
 * - It holds for every route behind it. A route that reads something else needs its type in `accept`.
 * - A handler that takes the bytes of a body, or its stream, decodes them itself. For text in another charset it has to: name
 *   that in `charsets`.
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
import { InvalidOption } from "../resilience/InvalidOption.ts"
import * as Exchange from "./Exchange.ts"
import * as header from "./internal/acceptHeader.ts"
import { TextRequest } from "./internal/textRequest.ts"
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
  accept: Schema.String,
  /** What would do, where the charset is the cause. */
  charset: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `The body cannot be read: send ${this.charset ?? this.accept}`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Media types without parameters. Default `application/json`. */
  readonly accept?: ReadonlyArray<string> | undefined
  /**
   * Charsets beside UTF-8 by media type, such as `{ "text/csv": ["iso-8859-1"] }`, for handlers that take the bytes of the
   * body and decode them. Default none.
   */
  readonly charsets?: { readonly [type: string]: ReadonlyArray<string> } | undefined
}

const utf8 = ["utf-8", "utf8", "us-ascii"]

/** What is read as text: here a wrong charset does damage. The charset of XML stands within it. */
const isText = (type: string): boolean => type.startsWith("text/") || /[/+]json$/.test(type) || textual.has(type)

const textual = new Set([
  "application/x-www-form-urlencoded",
  "application/x-ndjson",
  "application/jsonl",
  "application/graphql"
])

/** What a `Content-Type` comes to: text in UTF-8, something the handler reads as it likes, or the refusal. */
type Verdict = "text" | "bytes" | UnsupportedMediaType

/** Clients send few different ones. */
const mostRemembered = 64

/**
 * The stage. Throws `InvalidOption` for what is no media type.
 *
 * @category stages
 * @since 0.1.0
 */
export const stage = (options: Options = {}): ServerStage.ServerStage<never> => {
  const accepted = (options.accept ?? ["application/json"]).map((type) => type.trim().toLowerCase())
  const wrong = accepted.find((type) => !/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type))
  if (accepted.length === 0 || wrong !== undefined) {
    throw new InvalidOption({
      module: "ContentTypes.stage",
      option: "accept",
      value: wrong === undefined ? "an empty list" : JSON.stringify(wrong),
      allowed: "media types without parameters, such as application/json"
    })
  }
  const charsets = charsetsOf(options.charsets ?? {}, accepted)
  const wrongType = new UnsupportedMediaType({ header: "accept", accept: accepted.join(", ") })
  const wrongCoding = new UnsupportedMediaType({ header: "accept-encoding", accept: "identity" })
  const judge = (type: string): Verdict => {
    const end = type.indexOf(";")
    const essence = (end < 0 ? type : type.slice(0, end)).trim().toLowerCase()
    if (!accepted.includes(essence)) return wrongType
    if (!isText(essence)) return "bytes"
    const named = header.parameters(type).flatMap(([name, value]) => name === "charset" ? [value.toLowerCase()] : [])
    if (named.every((charset) => utf8.includes(charset))) return "text"
    const others = charsets.get(essence) ?? []
    if (named.length === 1 && named.every((charset) => others.includes(charset))) return "bytes"
    return new UnsupportedMediaType({
      header: "accept",
      accept: wrongType.accept,
      charset: ["utf-8", ...others].join(" or ").toUpperCase()
    })
  }
  const known = new Map<string, Verdict>()
  const verdictOf = (type: string): Verdict => {
    const before = known.get(type)
    if (before !== undefined) return before
    const verdict = judge(type)
    if (known.size >= mostRemembered) known.clear()
    if (type.length <= 256) known.set(type, verdict)
    return verdict
  }
  return ServerStage.make<never, never>({
    name: "server/ContentTypes",
    reports: "Validation",
    wrap: (next) =>
      Effect.withFiber((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const { headers } = request
        const length = headers["content-length"]
        if ((length === undefined || length === "0") && headers["transfer-encoding"] === undefined) return next
        const coding = headers["content-encoding"]
        if (coding !== undefined && coding.toLowerCase() !== "identity") return Effect.fail(wrongCoding)
        const verdict = verdictOf(headers["content-type"] ?? "")
        if (verdict === "text") {
          Exchange.addUnsafe(fiber, HttpServerRequest.HttpServerRequest, new TextRequest(request))
          return next
        }
        return verdict === "bytes" ? next : Effect.fail(verdict)
      })
  })
}

const charsetsOf = (
  given: { readonly [type: string]: ReadonlyArray<string> },
  accepted: ReadonlyArray<string>
): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(
    Object.entries(given).map(([type, names]) => {
      const essence = type.trim().toLowerCase()
      const others = names.map((name) => name.trim().toLowerCase())
      if (!accepted.includes(essence) || others.length === 0 || !others.every((name) => /^[\w.:+-]+$/.test(name))) {
        throw new InvalidOption({
          module: "ContentTypes.stage",
          option: "charsets",
          value: JSON.stringify({ [type]: names }),
          allowed: "names of charsets, such as iso-8859-1, by media types that accept has"
        })
      }
      return [essence, others]
    })
  )
