/**
 * An answer as text, and back.
 */
import { Effect, Schema } from "effect"
import * as Hex from "effect/encoding/Hex"
import { HttpServerResponse } from "effect/http"

const Answer = Schema.fromJsonString(Schema.Struct({
  status: Schema.Int,
  headers: Schema.Record(Schema.String, Schema.String),
  type: Schema.NullOr(Schema.String),
  body: Schema.Uint8ArrayFromBase64
}))
type Answer = typeof Answer.Type

const encode = Schema.encodeSync(Answer)

export const parse = Schema.decodeEffect(Answer)

/** `undefined` for a body that cannot be kept. */
export const fromResponse = (
  response: HttpServerResponse.HttpServerResponse,
  answerHeaders: Readonly<Record<string, string>> | undefined
): string | undefined => {
  const { body } = response
  if (body._tag !== "Empty" && body._tag !== "Uint8Array") return undefined
  const { "content-length": _length, "content-type": _type, ...headers } = response.headers
  return encode({
    status: response.status,
    headers: { ...headers, ...answerHeaders },
    type: body._tag === "Empty" ? null : response.headers["content-type"] ?? body.contentType ?? null,
    body: body._tag === "Empty" ? new Uint8Array() : body.body
  })
}

export const toResponse = (answer: Answer): HttpServerResponse.HttpServerResponse => {
  const headers = { ...answer.headers, "idempotency-replayed": "true" }
  return answer.type === null
    ? HttpServerResponse.empty({ status: answer.status, headers })
    : HttpServerResponse.uint8Array(answer.body, { status: answer.status, headers, contentType: answer.type })
}

/** SHA-256 of the parts, told apart by their lengths. */
export const fingerprint = (parts: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.promise(async () => {
    const text = parts.map((part) => `${part.length}:${part}`).join("\n")
    const digest = await globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
    return Hex.encode(new Uint8Array(digest))
  })
