import { Cause, Equal, type Exit, Formatter, Option } from "effect"

/** An event on one line. */
export const event = ({ _tag, ...fields }: { readonly _tag: string }): string => `${_tag} ${Formatter.format(fields)}`

/** The lines that say how events differ; none when they do not. */
export const compareEvents = (
  expected: ReadonlyArray<{ readonly _tag: string }>,
  actual: ReadonlyArray<{ readonly _tag: string }>
): ReadonlyArray<string> => {
  if (Equal.equals(expected, actual)) return []
  const lines: Array<string> = []
  for (let index = 0; index < Math.max(expected.length, actual.length); index++) {
    const place = `${index + 1}.`
    const wanted = expected[index]
    const came = actual[index]
    if (wanted === undefined && came !== undefined) lines.push(`${place} not expected: ${event(came)}`)
    else if (came === undefined && wanted !== undefined) lines.push(`${place} missing: ${event(wanted)}`)
    else if (wanted !== undefined && came !== undefined) {
      if (wanted._tag !== came._tag) lines.push(`${place} expected ${event(wanted)}`, `   got      ${event(came)}`)
      else {
        const differ = differences(wanted, came, "")
        if (differ.length === 0) lines.push(`${place} ${event(came)}, as expected`)
        else lines.push(...differ.map((one) => `${place} ${came._tag} ${one}`))
      }
    }
  }
  return lines
}

/** The lines that say how two values differ; none when they do not. */
export const compareValue = (name: string, expected: unknown, actual: unknown): ReadonlyArray<string> =>
  differences(expected, actual, "").map((one) => `${name}${one}`)

/** The lines that say how a failure differs from the expected one; `undefined` expects none. */
export const compareError = (expected: unknown, exit: Exit.Failure<unknown, unknown>): ReadonlyArray<string> => {
  const found = Cause.findErrorOption(exit.cause)
  if (Option.isNone(found)) return [`it did not end as expected: ${Cause.pretty(exit.cause)}`]
  const error = found.value
  const came = `it failed with ${failure(error)}`
  if (expected === undefined) return [came]
  if (typeof expected === "function") {
    return expected(error) === true
      ? []
      : [`${came}, which is not the failure asked for`]
  }
  if (typeof expected === "string") return tagOf(error) === expected ? [] : [`expected a failure, ${expected}`, came]
  if (tagOf(expected) !== tagOf(error)) return [`expected ${failure(expected)}`, came]
  return differences(fieldsOf(expected), fieldsOf(error), "").map((one) => `${tagOf(error) ?? "the error"} ${one}`)
}

/** An error with its tag and fields, on one line. */
export const failure = (error: unknown): string => {
  const tag = tagOf(error)
  return tag === undefined ? Formatter.format(error) : `${tag} ${Formatter.format(fieldsOf(error))}`
}

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : undefined

/** The fields of an error's schema, without what every JavaScript error has. */
const fieldsOf = (error: unknown): unknown =>
  error instanceof Error
    ? Object.fromEntries(Object.entries(error).filter(([key]) => !["_tag", "name", "message", "stack"].includes(key)))
    : error

const differences = (expected: unknown, actual: unknown, path: string): ReadonlyArray<string> => {
  if (Equal.equals(expected, actual)) return []
  if (Array.isArray(expected) && Array.isArray(actual)) {
    const length = Math.max(expected.length, actual.length)
    return Array.from({ length }, (_, index) => differences(expected[index], actual[index], `${path}[${index}]`)).flat()
  }
  if (isPlain(expected) && isPlain(actual)) {
    const keys = [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    const deeper = keys.flatMap((key) => differences(expected[key], actual[key], `${path}.${key}`))
    if (deeper.length > 0) return deeper
  }
  return [`${path}: expected ${Formatter.format(expected)}, got ${Formatter.format(actual)}`]
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !(value instanceof Date) && !Array.isArray(value)
