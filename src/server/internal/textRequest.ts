/**
 * A request whose body is text in UTF-8, or nothing. Effect's own reading puts U+FFFD where a byte makes no sense, and what
 * is stored then is not what was sent.
 */
import { Effect, type Schema } from "effect"
import { HttpServerError, type HttpServerRequest, UrlParams } from "effect/http"
import { type Body, RequestView } from "./requestView.ts"

/** The cause of the error for a body that is not UTF-8. */
export class NotUtf8 extends Error {
  override readonly name = "NotUtf8"
}

const strict = new TextDecoder("utf-8", { fatal: true })
// In a form a mark at the beginning belongs to a name.
const strictForm = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export class TextRequest extends RequestView {
  get text(): Body<string> {
    return this.#decoded(strict)
  }

  get json(): Body<Schema.Json> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: (): Schema.Json => text === "" ? null : JSON.parse(text),
        catch: (cause) => this.#error(cause)
      }))
  }

  get urlParamsBody(): Body<UrlParams.UrlParams> {
    return Effect.map(
      this.#decoded(strictForm),
      // A leading "?" is a part of the first name; `URLSearchParams` would drop it.
      (text) => UrlParams.fromInput(new URLSearchParams(text.replace(/^\?/, "%3F")))
    )
  }

  modify(options: Parameters<HttpServerRequest.HttpServerRequest["modify"]>[0]): HttpServerRequest.HttpServerRequest {
    return new TextRequest(this.inner.modify(options))
  }

  #decoded(decoder: TextDecoder): Body<string> {
    return Effect.flatMap(this.inner.arrayBuffer, (bytes) => {
      try {
        return Effect.succeed(decoder.decode(bytes))
      } catch {
        return Effect.fail(this.#error(new NotUtf8("The body is not valid UTF-8")))
      }
    })
  }

  #error(cause: unknown): HttpServerError.HttpServerError {
    return new HttpServerError.HttpServerError({
      reason: new HttpServerError.RequestParseError({ request: this, reason: "Parse", cause })
    })
  }
}
