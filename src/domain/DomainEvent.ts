/**
 * Something that was decided, in a shape that can still be read in ten years.
 *
 * An event has a type name, a schema and the version of that schema. It is stored as JSON with its version; when the
 * schema changes, the version goes up by one and an upcaster says how to get from each older version to the next. Reading
 * runs the upcasters in order, so the rest of the program knows the newest version only.
 *
 * A value of an event is a plain object with `_tag` (the type name) and its fields. The tag is not stored twice: the store
 * keeps it as the event's type.
 *
 * **Gotchas**
 *
 * - An upcaster gets and returns stored JSON, not decoded values: a `Date` field is a string there.
 * - Fields that the schema does not know are dropped on read.
 * - Never change the schema of a version that is already stored; add a version.
 *
 * @example
 * ```ts
 * import { Result, Schema } from "effect"
 * import { DomainEvent } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Renamed = DomainEvent.make("Renamed", {
 *   version: 2,
 *   schema: { first: Schema.String, last: Schema.String },
 *   upcast: {
 *     1: ({ name }) => ({ first: String(name).split(" ")[0], last: String(name).split(" ")[1] })
 *   }
 * })
 *
 * const old = Renamed.decode({ type: "Renamed", schemaVersion: 1, data: { name: "Ada Lovelace" } })
 * assert.deepEqual(Result.getOrThrow(old), Renamed.make({ first: "Ada", last: "Lovelace" }))
 * ```
 *
 * @since 0.1.0
 */
import { Result, Schema } from "effect"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { NewEvent, StoredEvent } from "../store/EventStore.ts"

/**
 * A stored event of a type or a version that this program does not know.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownEvent extends Schema.TaggedError<UnknownEvent>()("UnknownEvent", {
  type: Schema.String,
  version: Schema.Finite,
  /** The newest version known of this type; absent where the type is unknown. */
  known: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    return this.known === undefined
      ? `Unknown event type "${this.type}". Add it to the aggregate's events, or deploy the version that wrote it`
      : `Unknown version ${this.version} of event "${this.type}" (known: 1 to ${this.known}). Deploy the version that wrote it`
  }
}

/**
 * An event whose fields do not fit the schema of its version.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidEvent extends Schema.TaggedError<InvalidEvent>()("InvalidEvent", {
  type: Schema.String,
  version: Schema.Finite,
  reason: Schema.String
}) {
  override get message(): string {
    return `Event "${this.type}" version ${this.version} does not fit its schema: ${this.reason}`
  }
}

/**
 * The data of a stored event.
 *
 * @category models
 * @since 0.1.0
 */
export type Data = Readonly<Record<string, unknown>>

/**
 * Gets from one version's stored data to the next version's.
 *
 * @category models
 * @since 0.1.0
 */
export type Upcaster = (old: Data) => Data

/**
 * What decoding needs of a stored event.
 *
 * @category models
 * @since 0.1.0
 */
export type Stored = Pick<StoredEvent, "type" | "schemaVersion" | "data">

/**
 * The definition of an event.
 *
 * @category models
 * @since 0.1.0
 */
export interface DomainEvent<Tag extends string, Fields extends Schema.Struct.Fields> {
  readonly type: Tag
  readonly version: number
  /** A struct of the fields and `_tag`. */
  readonly schema: Schema.TaggedStruct<Tag, Fields>
  /** A value of this event; throws when the fields do not fit. */
  readonly make: (fields: Schema.Struct<Fields>["~type.make.in"]) => Schema.TaggedStruct<Tag, Fields>["Type"]
  /** The event as the store takes it. */
  readonly encode: (event: { readonly _tag: string }) => Result.Result<NewEvent, InvalidEvent>
  /** A stored event of any version as a value of the newest. */
  readonly decode: (
    stored: Stored
  ) => Result.Result<Schema.TaggedStruct<Tag, Fields>["Type"], UnknownEvent | InvalidEvent>
}

/**
 * Any event definition.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any {
  readonly type: string
  readonly version: number
  readonly schema: { readonly "Type": unknown }
  readonly encode: (event: { readonly _tag: string }) => Result.Result<NewEvent, InvalidEvent>
  readonly decode: (stored: Stored) => Result.Result<unknown, UnknownEvent | InvalidEvent>
}

/**
 * The value of an event definition.
 *
 * @category models
 * @since 0.1.0
 */
export type Value<Event extends Any> = Event["schema"]["Type"] & { readonly _tag: Event["type"] }

/**
 * Defines an event. `schema` are the fields of its newest version; `upcast` has a function for every older version.
 *
 * Throws `InvalidOption` when the version is not a whole number from 1 or an older version has no upcaster.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Tag extends string, const Fields extends PlainFields>(
  type: Tag,
  options: {
    /** The version of `schema`; 1 when absent. */
    readonly version?: number | undefined
    readonly schema: Fields
    /** Version `n` to version `n + 1`. */
    readonly upcast?: Readonly<Record<number, Upcaster>> | undefined
  }
): DomainEvent<Tag, Fields> => {
  const { upcast = {}, version = 1 } = options
  checkVersions(type, version, upcast)
  const schema = Schema.TaggedStruct(type, options.schema)
  const codec: Schema.Codec<Record<string, unknown>, unknown> = Schema.toCodecJson(Schema.Struct(options.schema))
  const encodeFields = Schema.encodeUnknownResult(codec)
  const decodeFields = Schema.decodeUnknownResult(codec)
  const invalid = (version: number, reason: string) => new InvalidEvent({ type, version, reason })
  const values = Schema.Struct(options.schema)
  return {
    type,
    version,
    schema,
    make: (fields) => tagged<Tag, Fields>(type, values.make(fields)),
    encode: (event) =>
      Result.map(
        Result.mapError(encodeFields(event), (error) => invalid(version, error.message)),
        (data): NewEvent => ({ type, schemaVersion: version, data })
      ),
    decode: (stored) => {
      const known = Number.isInteger(stored.schemaVersion) && stored.schemaVersion >= 1 &&
        stored.schemaVersion <= version
      if (stored.type !== type) {
        return Result.fail(new UnknownEvent({ type: stored.type, version: stored.schemaVersion }))
      }
      if (!known) return Result.fail(new UnknownEvent({ type, version: stored.schemaVersion, known: version }))
      // Almost every event read is of the newest version, and a guard costs more than the rest of decoding.
      const current = stored.schemaVersion === version ? Result.succeed(stored.data) : Result.try({
        try: () => upcastFrom(stored.schemaVersion, version, upcast, stored.data),
        catch: (error) => invalid(stored.schemaVersion, error instanceof Error ? error.message : String(error))
      })
      return Result.flatMap(current, (data) =>
        Result.map(
          Result.mapError(decodeFields(data), (error) => invalid(stored.schemaVersion, error.message)),
          (fields) => tagged<Tag, Fields>(type, fields)
        ))
    }
  }
}

/**
 * Fields whose schemas need no service to encode or decode.
 *
 * @category models
 * @since 0.1.0
 */
export type PlainFields = {
  readonly [key: string]: Schema.Top & { readonly "DecodingServices": never; readonly "EncodingServices": never }
}

const tagged = <Tag extends string, Fields extends Schema.Struct.Fields>(
  type: Tag,
  fields: unknown
): Schema.TaggedStruct<Tag, Fields>["Type"] =>
  // The type of a struct over generic fields cannot be computed here; `fields` came out of the schema of these fields.
  Object.assign({ _tag: type }, fields) as Schema.TaggedStruct<Tag, Fields>["Type"]

const upcastFrom = (from: number, to: number, upcast: Readonly<Record<number, Upcaster>>, data: unknown): unknown => {
  let current = data
  for (let version = from; version < to; version++) {
    const step = upcast[version]
    if (step === undefined || typeof current !== "object" || current === null) {
      throw new Error(`version ${version} is not an object that can be brought to version ${version + 1}`)
    }
    current = step(current as Data)
  }
  return current
}

const checkVersions = (type: string, version: number, upcast: Readonly<Record<number, Upcaster>>): void => {
  const fail = (option: string, value: string, allowed: string) => {
    throw new InvalidOption({ module: `DomainEvent.make("${type}")`, option, value, allowed })
  }
  if (type === "") fail("type", "an empty string", "a name")
  if (!Number.isSafeInteger(version) || version < 1) fail("version", String(version), "a whole number from 1")
  for (let older = 1; older < version; older++) {
    if (upcast[older] === undefined) {
      fail(`upcast[${older}]`, "nothing", `a function from version ${older} to ${older + 1}`)
    }
  }
}
