/** Rows as JSON text, through the collection's schema. */
import { Cause, Effect, Exit, Schema } from "effect"
import type { Collection, Row } from "../StateStore.ts"

interface Stored {
  readonly id: string
  readonly version: number
  readonly data: string
}

interface Codec<A> {
  /** The encoded state; dies when the state does not fit the schema, which is a bug of the writer. */
  readonly encode: (state: A) => unknown
  readonly decode: (stored: Stored) => Effect.Effect<Row<A>>
}

/** A maker of codecs that derives each collection's once. */
export const makeCodecs = (): <A, I>(collection: Collection<A, I>) => Codec<A> => {
  const known = new WeakMap<object, unknown>()
  return <A, I>(collection: Collection<A, I>): Codec<A> => {
    // Keyed by the collection itself, so the type is the one it was stored with.
    const found = known.get(collection) as Codec<A> | undefined
    if (found !== undefined) return found
    const made = makeCodec(collection)
    known.set(collection, made)
    return made
  }
}

const makeCodec = <A, I>(collection: Collection<A, I>): Codec<A> => {
  const json = Schema.toCodecJson(collection.schema)
  const encode = Schema.encodeUnknownSync(json)
  const decode = Schema.decodeUnknownExit(json)
  return {
    encode,
    decode: ({ data, id, version }) => {
      const state = decode(JSON.parse(data))
      return Exit.isSuccess(state) ? Effect.succeed({ id, version, state: state.value }) : Effect.die(
        new Error(
          `The stored state "${id}" of collection "${collection.name}" does not fit the collection's schema; rebuild the collection or widen the schema`,
          { cause: Cause.squash(state.cause) }
        )
      )
    }
  }
}

/** A field of an encoded state; absent is `null`, as in the index. */
export const fieldOf = (encoded: unknown, field: string): unknown => {
  const value = typeof encoded === "object" && encoded !== null && Object.hasOwn(encoded, field)
    ? (encoded as Readonly<Record<string, unknown>>)[field]
    : undefined
  return value ?? null
}
