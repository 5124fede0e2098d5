/** What a saga keeps, as JSON text. */
import { type Exit, Schema } from "effect"

export interface TextCodec<A> {
  /** Throws where the value does not fit, which is a bug of whoever made it. */
  readonly encode: (value: A) => string
  readonly decode: (text: string) => Exit.Exit<A, Schema.SchemaError>
}

export const make = <A, I>(schema: Schema.ConstraintCodec<A, I>): TextCodec<A> => {
  const text = Schema.fromJsonString(Schema.toCodecJson(schema))
  return { encode: Schema.encodeSync(text), decode: Schema.decodeUnknownExit(text) }
}
