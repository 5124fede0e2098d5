/**
 * Something that was decided, in a shape that can still be read in ten years.
 *
 * An event has a type name, a schema and the version of that schema. It is stored as JSON with its version; when the
 * schema changes, the version goes up by one and `upcast` says how to get from each older version to the next. A step is
 * the schema of the older version with a function (`{ from, to }`), or a transformation (`Schema.decodeTo`). The compiler
 * checks that each step gives what the next one takes. Reading runs the steps in order, so the rest of the program knows
 * the newest version only.
 *
 * A value of an event is a plain object with `_tag` (the type name) and its fields. The tag is not stored twice: the store
 * keeps it as the event's type. Fields marked with `PersonalData.personal` are encrypted under a key of the person they
 * are about.
 *
 * **Gotchas**
 *
 * - Stored fields that the schema of their version does not know are refused, because dropping them would lose data in
 *   silence. `unknownFields: "drop"` reads them anyway, for streams that others write.
 * - A step works on decoded values: a `Date` field is a `Date` there.
 * - Never change the schema of a version that is already stored; add a version.
 *
 * @example
 * ```ts
 * import { Result, Schema, SchemaTransformation } from "effect"
 * import { DomainEvent } from "effect-lifecycle/domain"
 * import assert from "node:assert/strict"
 *
 * const Named = DomainEvent.make("Named", {
 *   version: 3,
 *   schema: { first: Schema.String, last: Schema.String },
 *   upcast: {
 *     // version 1 to 2, by a function
 *     1: { from: Schema.Struct({ name: Schema.String }), to: ({ name }) => ({ fullName: name }) },
 *     // version 2 to 3, by a transformation
 *     2: Schema.Struct({ fullName: Schema.String }).pipe(Schema.decodeTo(
 *       Schema.Struct({ first: Schema.String, last: Schema.String }),
 *       SchemaTransformation.transform({
 *         decode: ({ fullName }) => ({ first: fullName.split(" ")[0] ?? "", last: fullName.split(" ")[1] ?? "" }),
 *         encode: ({ first, last }) => ({ fullName: `${first} ${last}` })
 *       })
 *     ))
 *   }
 * })
 *
 * const old = Named.decode({ type: "Named", schemaVersion: 1, data: { name: "Ada Lovelace" } })
 * assert.deepEqual(Result.getOrThrow(old), Named.make({ first: "Ada", last: "Lovelace" }))
 * ```
 *
 * @since 0.1.0
 */
import { Result, Schema } from "effect"
import { InvalidOption } from "../resilience/InvalidOption.ts"
import type { NewEvent, StoredEvent } from "../store/EventStore.ts"
import * as PersonalData from "../store/PersonalData.ts"
import * as versions from "./internal/versions.ts"

/**
 * Which stored event an error is about.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Place = Schema.Struct({
  stream: Schema.Struct({ tenant: Schema.String, category: Schema.String, id: Schema.String }),
  /** Of the stream. */
  version: Schema.Int,
  eventId: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Place = typeof Place.Type

/** Before what is wrong with an event, where the event is one that was read. */
const at = (place: Place | undefined): string => {
  if (place === undefined) return ""
  const { eventId, stream: { category, id, tenant }, version } = place
  return `Version ${version} of ${category} "${id}"${
    tenant === "" ? "" : ` of the tenant "${tenant}"`
  } (event ${eventId}): `
}

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
  known: Schema.optionalKey(Schema.Int),
  /** Absent where the event was not read from a store. */
  place: Schema.optionalKey(Place)
}) {
  override get message(): string {
    const what = this.known === undefined
      ? `Unknown event type "${this.type}". Add it to the aggregate's events, or deploy the version that wrote it`
      : `Unknown version ${this.version} of event "${this.type}" (known: 1 to ${this.known}). Deploy the version that wrote it`
    return at(this.place) + what
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
  reason: Schema.String,
  /** Absent where the event was not read from a store. */
  place: Schema.optionalKey(Place)
}) {
  override get message(): string {
    return `${at(this.place)}Event "${this.type}" version ${this.version} does not fit its schema: ${this.reason}`
  }
}

/**
 * The schema of a version that is no longer written; needs no service.
 *
 * @category models
 * @since 0.1.0
 */
export interface OldSchema extends Schema.Top {
  readonly "DecodingServices": never
  readonly "EncodingServices": never
}

/**
 * From one version to the next: a function from the decoded value of the older version, or a transformation whose `from`
 * is the older version's schema.
 *
 * @category models
 * @since 0.1.0
 */
export type Upcast<From, Next> =
  | { readonly from: From; readonly to: (old: TypeOf<From>) => Next }
  | (Schema.Top & { readonly from: From; readonly to: { readonly "Type": Next } })

type TypeOf<S> = S extends Schema.Top ? S["Type"] : never

/**
 * What the step from `Version` has to give: a value of the next older version, or of the newest.
 *
 * @category models
 * @since 0.1.0
 */
export type Next<Fields extends PlainFields, Old, Version, Newest extends number> = Version extends keyof Successors
  ? Successors[Version] extends keyof Old ? TypeOf<Old[Successors[Version]]>
    // The keys of a type that was inferred from an object are text.
  : `${Successors[Version] & number}` extends infer Text extends keyof Old ? TypeOf<Old[Text]>
  : Successors[Version] extends Newest ? Schema.Struct<Fields>["Type"]
  : never
  : unknown

/** The number after each: steps are checked up to version 64. */
type Successors = readonly [
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
  17,
  18,
  19,
  20,
  21,
  22,
  23,
  24,
  25,
  26,
  27,
  28,
  29,
  30,
  31,
  32,
  33,
  34,
  35,
  36,
  37,
  38,
  39,
  40,
  41,
  42,
  43,
  44,
  45,
  46,
  47,
  48,
  49,
  50,
  51,
  52,
  53,
  54,
  55,
  56,
  57,
  58,
  59,
  60,
  61,
  62,
  63,
  64
]

/** An encoded struct. */
type Data = Readonly<Record<string, unknown>>

/**
 * What decoding needs of a stored event.
 *
 * @category models
 * @since 0.1.0
 */
export type Stored =
  & Pick<StoredEvent, "type" | "schemaVersion" | "data">
  & Partial<Pick<StoredEvent, "stream" | "version" | "id">>

/** @internal For the errors about it; nothing where it does not say where it stands. */
export const placed = ({ id, stream, version }: Stored): { readonly place?: Place } =>
  id === undefined || stream === undefined || version === undefined
    ? {}
    : { place: { stream, version, eventId: id } }

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
  /** Whether it has fields that are encrypted; then the store takes and gives it through `PersonalData` only. */
  readonly personal: boolean
  /** A value of this event; throws when the fields do not fit. */
  readonly make: (fields: Schema.Struct<Fields>["~type.make.in"]) => Schema.TaggedStruct<Tag, Fields>["Type"]
  /** The event as the store takes it; one with personal fields has to pass `PersonalData.seal` first. */
  readonly encode: (event: { readonly _tag: string }) => Result.Result<NewEvent, InvalidEvent>
  /** A stored event of any version as a value of the newest; one with personal fields as `PersonalData.open` gives it. */
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
  readonly schema: { readonly "Type": unknown; readonly fields: Schema.Struct.Fields }
  readonly personal: boolean
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
 * `PersonalData` when the event has personal fields, else nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<Event extends Any> = Event extends Any
  ? PersonalData.Services<Event["schema"]["fields"][keyof Event["schema"]["fields"]]>
  : never

/**
 * Defines an event. `schema` are the fields of its newest version; `upcast` has a step for every older version.
 *
 * Throws `InvalidOption` when the version is not a whole number from 1, an older version has no step, or a personal field
 * names a subject that is no field of the event.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const Tag extends string,
  const Fields extends PlainFields,
  const Old extends Readonly<Record<number, OldSchema>> = {},
  const Newest extends number = number
>(
  type: Tag,
  options: {
    /** The version of `schema`; one more than the last step of `upcast` when absent. */
    readonly version?: Newest | undefined
    readonly schema: Fields
    /** From version `n` to version `n + 1`. */
    readonly upcast?:
      | { readonly [V in keyof Old]: Upcast<Old[V], Next<NoInfer<Fields>, Old, V, NoInfer<Newest>>> }
      | undefined
    /** What to do with stored fields that the schema does not know; `"refuse"` when absent. */
    readonly unknownFields?: "refuse" | "drop" | undefined
  }
): DomainEvent<Tag, Fields> => {
  const steps: Readonly<Record<number, versions.Step>> = options.upcast ?? {}
  const version: number = options.version ?? Object.keys(steps).length + 1
  checkVersions(type, version, steps)
  const plan = PersonalData.planOf(type, options.schema)
  const schema = Schema.TaggedStruct(type, options.schema)
  const values = Schema.Struct(options.schema)
  const codec: Schema.Codec<Record<string, unknown>, unknown> = Schema.toCodecJson(values)
  const encodeFields = Schema.encodeUnknownResult(codec)
  const read = versions.reader(codec, values, steps, version, options.unknownFields ?? "refuse")
  const invalid = (version: number, error: unknown, stored?: Stored) =>
    new InvalidEvent({
      type,
      version,
      // A value that does not fit may be personal, and reasons are kept in logs and dead letters.
      reason: versions.reasonOf(error, plan === undefined),
      ...stored === undefined ? {} : placed(stored)
    })
  return {
    type,
    version,
    schema,
    personal: plan !== undefined,
    make: (fields) => tagged<Tag, Fields>(type, values.make(fields)),
    encode: (event) =>
      Result.map(
        Result.mapError(encodeFields(event), (error) => invalid(version, error)),
        (data): NewEvent => ({
          type,
          schemaVersion: version,
          data: plan === undefined ? data : PersonalData.unsealed(plan, data as Data)
        })
      ),
    decode: (stored) => {
      const { data, schemaVersion } = stored
      if (stored.type !== type) {
        return Result.fail(new UnknownEvent({ type: stored.type, version: schemaVersion, ...placed(stored) }))
      }
      if (!Number.isInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > version) {
        return Result.fail(new UnknownEvent({ type, version: schemaVersion, known: version, ...placed(stored) }))
      }
      if (PersonalData.isSealed(data)) {
        const reason = "its personal fields are sealed; open it with PersonalData.open first"
        return Result.fail(new InvalidEvent({ type, version: schemaVersion, reason, ...placed(stored) }))
      }
      return Result.map(
        Result.mapError(read(data, schemaVersion), (error) => invalid(schemaVersion, error, stored)),
        (fields) => tagged<Tag, Fields>(type, fields)
      )
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

const checkVersions = (type: string, version: number, upcast: Readonly<Record<number, unknown>>): void => {
  const fail = (option: string, value: string, allowed: string) => {
    throw new InvalidOption({ module: `DomainEvent.make("${type}")`, option, value, allowed })
  }
  if (type === "") fail("type", "an empty string", "a name")
  if (!Number.isSafeInteger(version) || version < 1) fail("version", String(version), "a whole number from 1")
  for (let older = 1; older < version; older++) {
    if (upcast[older] === undefined) fail(`upcast[${older}]`, "nothing", `a step from version ${older} to ${older + 1}`)
  }
  const stray = Object.keys(upcast).find((key) => !(Number(key) >= 1 && Number(key) < version))
  if (stray !== undefined) fail(`upcast[${stray}]`, "a step", `absent: the newest version is ${version}`)
}
