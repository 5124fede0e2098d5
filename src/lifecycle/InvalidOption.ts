/**
 * What is thrown where something is built with an option that makes no sense.
 *
 * Guards, stages and stacks are built once, at the edge of a program: a wrong number there is a mistake in the program,
 * found at its start, so it is thrown and not returned. The message names the option, the value and what is allowed. Zero
 * is zero: it either means nothing of it, or it is refused; it never stands for a default or for "without limit".
 *
 * The functions give back the value they were asked about, so that an option is checked where it is read. The module lives
 * here because every room builds on this one; `resilience` exports it as `InvalidOption`.
 *
 * **Gotchas**
 *
 * - A time of more than {@link longestMillis} is refused as well: it is nearly always a unit mixed up.
 * - A header's value is checked for what can be sent, not for what the header means.
 *
 * @example
 * ```ts
 * import * as InvalidOption from "effect-lifecycle/lifecycle/InvalidOption"
 * import assert from "node:assert/strict"
 *
 * assert.equal(InvalidOption.positiveMillis("Poller.make", "interval", "2 seconds"), 2000)
 * assert.throws(
 *   () => InvalidOption.wholeNumber("Poller.make", "workers", Number.NaN, 1),
 *   /workers must be a whole number from 1, got NaN/
 * )
 * ```
 *
 * @since 0.1.0
 */
import { ByteSize, Duration, Option, Schema } from "effect"

/**
 * @category errors
 * @since 0.1.0
 */
export class InvalidOption extends Schema.TaggedError<InvalidOption>()("InvalidOption", {
  module: Schema.String,
  option: Schema.String,
  value: Schema.String,
  allowed: Schema.String
}) {
  override get message(): string {
    return `${this.module}: ${this.option} must be ${this.allowed}, got ${this.value}`
  }
}

/**
 * The longest time an option may have: 366 days.
 *
 * @category constants
 * @since 0.1.0
 */
export const longestMillis = 366 * 24 * 60 * 60 * 1000

/**
 * `value`, when it is a whole number from `minimum` (to `maximum`, where there is one).
 *
 * @category validation
 * @since 0.1.0
 */
export const wholeNumber = (
  module: string,
  option: string,
  value: number,
  minimum: number,
  maximum: number = Number.MAX_SAFE_INTEGER
): number => {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value
  const end = maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${maximum}`
  throw new InvalidOption({ module, option, value: String(value), allowed: `a whole number from ${minimum}${end}` })
}

/**
 * `value`, when it is a number from `minimum` to `maximum`.
 *
 * @category validation
 * @since 0.1.0
 */
export const between = (module: string, option: string, value: number, minimum: number, maximum: number): number => {
  if (value >= minimum && value <= maximum) return value
  throw new InvalidOption({ module, option, value: String(value), allowed: `from ${minimum} to ${maximum}` })
}

/**
 * `value`, when it is a number above `minimum`, up to `maximum`.
 *
 * @category validation
 * @since 0.1.0
 */
export const above = (module: string, option: string, value: number, minimum: number, maximum: number): number => {
  if (value > minimum && value <= maximum) return value
  throw new InvalidOption({ module, option, value: String(value), allowed: `above ${minimum}, up to ${maximum}` })
}

/**
 * `value`, when it is a number above `minimum` and below `maximum`.
 *
 * @category validation
 * @since 0.1.0
 */
export const inside = (module: string, option: string, value: number, minimum: number, maximum: number): number => {
  if (value > minimum && value < maximum) return value
  throw new InvalidOption({ module, option, value: String(value), allowed: `above ${minimum} and below ${maximum}` })
}

/**
 * `value` in milliseconds, when it is a finite time that is not negative and at most {@link longestMillis}.
 *
 * @category validation
 * @since 0.1.0
 */
export const finiteMillis = (module: string, option: string, value: Duration.Input): number => {
  const millis = millisOf(value)
  if (millis >= 0 && millis <= longestMillis) return millis
  throw new InvalidOption({
    module,
    option,
    value: shown(value),
    allowed: "a finite duration that is not negative, up to 366 days"
  })
}

/**
 * `value` in milliseconds, when it is a time from `minimum` to `maximum`, both in milliseconds.
 *
 * @category validation
 * @since 0.1.0
 */
export const millisBetween = (
  module: string,
  option: string,
  value: Duration.Input,
  minimum: number,
  maximum: number = longestMillis
): number => {
  const millis = millisOf(value)
  if (millis >= minimum && millis <= maximum) return millis
  const allowed = `a duration from ${format(minimum)} to ${format(maximum)}`
  throw new InvalidOption({ module, option, value: shown(value), allowed })
}

/**
 * `value` in milliseconds, when it is a finite time above zero: a microsecond or more, up to {@link longestMillis}.
 *
 * @category validation
 * @since 0.1.0
 */
export const positiveMillis = (module: string, option: string, value: Duration.Input): number =>
  millisBetween(module, option, value, 0.001)

/**
 * `value` in bytes, when it is a size from `minimum` on.
 *
 * @category validation
 * @since 0.1.0
 */
export const byteSize = (module: string, option: string, value: ByteSize.Input, minimum: number = 0): number => {
  const size = ByteSize.fromInput(value)
  if (Option.isSome(size) && size.value >= minimum && size.value <= Number.MAX_SAFE_INTEGER) return Number(size.value)
  throw new InvalidOption({
    module,
    option,
    value: written(value),
    allowed: `a size of ${minimum} bytes or more, such as "64 KiB"`
  })
}

/**
 * `value`, when it is one of `allowed`.
 *
 * @category validation
 * @since 0.1.0
 */
export const oneOf = <A extends string>(
  module: string,
  option: string,
  value: A,
  allowed: ReadonlyArray<NoInfer<A>>
): A => {
  if (allowed.includes(value)) return value
  throw new InvalidOption({ module, option, value: written(value), allowed: `one of ${allowed.join(", ")}` })
}

/**
 * `name` in lower case, when it can be the name of a header (a token, RFC 9110 5.6.2).
 *
 * @category validation
 * @since 0.1.0
 */
export const headerName = (module: string, option: string, name: string): string => {
  if (typeof name === "string" && /^[\w!#$%&'*+.^`|~-]{1,256}$/.test(name)) return name.toLowerCase()
  throw new InvalidOption({ module, option, value: written(name), allowed: "a header's name, such as x-request-id" })
}

/**
 * `value`, when it can be the value of a header: no line breaks and other control characters, and nothing beyond Latin-1.
 *
 * @category validation
 * @since 0.1.0
 */
export const headerValue = (module: string, option: string, value: string): string => {
  if (typeof value === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value
  const allowed = "text that a header can carry: no line breaks or other control characters, and nothing beyond Latin-1"
  throw new InvalidOption({ module, option, value: written(value), allowed })
}

// What is given may be anything where the caller is not type-checked, and `Duration` takes what is not a number for zero.
const millisOf = (value: Duration.Input): number => {
  if (Number.isNaN(value)) return Number.NaN
  if (typeof value === "object" && !Duration.isDuration(value) && Object.values(value ?? {}).some(Number.isNaN)) {
    return Number.NaN
  }
  const duration = Duration.fromInput(value)
  return duration._tag === "Some" ? Duration.toMillis(duration.value) : Number.NaN
}

const format = (millis: number): string => Duration.format(Duration.millis(millis))

const shown = (value: Duration.Input): string =>
  typeof value !== "object"
    ? String(value)
    : Duration.isDuration(value)
    ? Duration.format(value)
    : JSON.stringify(value, (_, part: unknown) => typeof part === "number" ? String(part) : part)

const written = (value: unknown): string => typeof value === "string" ? JSON.stringify(value) : String(value)
