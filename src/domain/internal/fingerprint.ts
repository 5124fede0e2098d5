import { Result, Schema } from "effect"
import { Digest } from "effect/crypto"
import { Hex } from "effect/encoding"

/**
 * A short text that is the same for values which a schema encodes to the same JSON, in every process. It is not for
 * security: who makes two payloads alike fools himself.
 *
 * `undefined` for a value that cannot be encoded.
 */
export const fingerprintOf = (schema: Schema.Top): (payload: unknown) => string | undefined => {
  const encode = Schema.encodeUnknownResult(
    // What encoding needs has the caller, who is not asked here; such a payload does not encode.
    Schema.toCodecJson(schema as Schema.Codec<unknown, unknown>)
  )
  return (payload) => {
    const encoded = encodedBy(encode, payload)
    return encoded === undefined ? undefined : hash(JSON.stringify(encoded, inOrder) ?? "")
  }
}

const encodedBy = (
  encode: (payload: unknown) => Result.Result<unknown, unknown>,
  payload: unknown
): {} | null | undefined => {
  try {
    return Result.getOrUndefined(encode(payload)) as {} | null | undefined
  } catch {
    return undefined // a codec that is not synchronous
  }
}

/** Records keep the order that their fields came in; it says nothing. */
const inOrder = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1))
    : value

const encoder = new TextEncoder()

const hash = (text: string): string => {
  const { implementation } = Digest.md5
  if (implementation === undefined) throw new Error("effect/crypto has no MD5 of its own any more")
  return Hex.encode(implementation(encoder.encode(text)).subarray(0, 8))
}
