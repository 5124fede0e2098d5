/** From the stored JSON of any version of an event to the fields of the newest. */
import { Result, Schema, SchemaAST, SchemaIssue } from "effect"

/** A function from a decoded older version to the next one, or a transformation that does the same. */
export type Step =
  | { readonly from: Schema.Top; readonly to: (old: never) => unknown }
  | (Schema.Top & { readonly from: Schema.Top })

type AnyCodec = Schema.Codec<unknown, unknown>
type Read = (data: unknown) => Result.Result<unknown, unknown>

/** A step whose codecs are made: into the next version, from stored JSON or from a value of its own version. */
interface Prepared {
  readonly fromJson: Read
  readonly fromValue: Read
}

/** `DomainEvent.make` accepts only schemas that need no service. */
const jsonOf = (schema: Schema.Top): AnyCodec => Schema.toCodecJson(schema as Schema.Top & AnyCodec)

export const reader = (
  newest: Schema.Codec<unknown, unknown>,
  values: Schema.Top,
  steps: Readonly<Record<number, Step>>,
  version: number,
  unknownFields: "refuse" | "drop"
): (data: unknown, from: number) => Result.Result<unknown, unknown> => {
  const options = { onExcessProperty: unknownFields === "refuse" ? "error" as const : "ignore" as const }
  const current = unknownFields === "refuse" ? refusing(newest) : Schema.decodeUnknownResult(newest)
  // What steps have made is the program's own; whether it fits is still asked of the schema.
  const checked = Schema.decodeUnknownResult(Schema.toType(values as Schema.Top & AnyCodec))
  const prepared = new Map<number, Prepared>()
  for (let older = 1; older < version; older++) {
    const step = steps[older]
    if (step !== undefined) prepared.set(older, prepare(step, options))
  }
  return (data, from) => {
    // Almost every event read is of the newest version.
    if (from === version) return current(data)
    let value = prepared.get(from)?.fromJson(data) ?? missing(from)
    for (let older = from + 1; older < version && Result.isSuccess(value); older++) {
      value = prepared.get(older)?.fromValue(value.success) ?? missing(older)
    }
    return Result.isSuccess(value) ? checked(value.success) : value
  }
}

/**
 * The decoder refuses unknown fields on its slow path only, and events are read by the thousand. Where no field holds an
 * object, its keys are looked at here, and a value that has none too many takes the fast path.
 */
const refusing = (codec: AnyCodec): Read => {
  const strict = Schema.decodeUnknownResult(codec, { onExcessProperty: "error" })
  const { ast } = codec
  if (!SchemaAST.isObjects(ast) || ast.encoding !== undefined || ast.indexSignatures.length > 0) return strict
  if (!ast.propertySignatures.every(({ type }) => isPlain(type))) return strict
  const lenient = Schema.decodeUnknownResult(codec)
  const known = new Set<unknown>(ast.propertySignatures.map(({ name }) => name))
  return (data) => {
    if (typeof data === "object" && data !== null) {
      for (const key of Object.keys(data)) if (!known.has(key)) return strict(data)
    }
    return lenient(data)
  }
}

const plain = new Set<SchemaAST.AST["_tag"]>(["String", "Number", "Boolean", "Literal", "Null", "BigInt", "Enum"])

const isPlain = (ast: SchemaAST.AST): boolean =>
  (SchemaAST.isUnion(ast) ? ast.types.every(isPlain) : plain.has(ast._tag)) &&
  (ast.encoding ?? []).every(({ to }) => isPlain(to))

const missing = (version: number) => Result.fail(new Error(`there is no step from version ${version}`))

const prepare = (step: Step, options: { readonly onExcessProperty: "error" | "ignore" }): Prepared => {
  if (Schema.isSchema(step)) {
    const encode = Schema.encodeUnknownResult(jsonOf(step.from))
    const fromJson = Schema.decodeUnknownResult(jsonOf(step), options)
    return { fromJson, fromValue: (value) => Result.flatMap(encode(value), fromJson) }
  }
  const { to } = step
  const decode = Schema.decodeUnknownResult(jsonOf(step.from), options)
  const fromValue: Read = (old) => Result.try({ try: () => to(old as never), catch: (error) => error })
  return { fromJson: (data) => Result.flatMap(decode(data), fromValue), fromValue }
}

/** Why a value does not fit: with the value in it, or only where it is. */
export const reasonOf = (error: unknown, withValues: boolean): string => {
  if (withValues) return error instanceof Error ? error.message : String(error)
  const issues = Schema.isSchemaError(error)
    ? SchemaIssue.makeFormatterStandardSchemaV1()(error.issue).issues
    : []
  const places = issues.map(({ path }) =>
    (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
  )
  return places.length === 0
    ? "it cannot be read (the reason could show personal data)"
    : `it does not fit at ${places.map((place) => place === "" ? "its root" : place).join(", ")}`
}
