/**
 * What a guard throws when it is built with an option that makes no sense.
 *
 * A guard is built once, at the edge of a program: a wrong number there is a mistake in the program, found at its start,
 * so it is thrown and not returned. The message names the option, the value and what is allowed.
 *
 * @example
 * ```ts
 * import { InvalidOption, RetrySchedule } from "effect-lifecycle/resilience"
 * import assert from "node:assert/strict"
 *
 * assert.throws(
 *   () => RetrySchedule.make({ attempts: 0, delay: RetrySchedule.constant("100 millis") }),
 *   (error) => error instanceof InvalidOption.InvalidOption && error.option === "attempts"
 * )
 * ```
 *
 * @since 0.1.0
 */
import { Duration, Schema } from "effect"

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
 * `value`, when it is a whole number from `minimum`.
 *
 * @category validation
 * @since 0.1.0
 */
export const wholeNumber = (module: string, option: string, value: number, minimum: number): number => {
  if (Number.isSafeInteger(value) && value >= minimum) return value
  throw new InvalidOption({ module, option, value: String(value), allowed: `a whole number from ${minimum}` })
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
 * `value` in milliseconds, when it is a finite time that is not negative.
 *
 * @category validation
 * @since 0.1.0
 */
export const finiteMillis = (module: string, option: string, value: Duration.Input): number => {
  const duration = Duration.fromInput(value)
  const millis = duration._tag === "Some" ? Duration.toMillis(duration.value) : Number.NaN
  if (Number.isFinite(millis) && millis >= 0) return millis
  throw new InvalidOption({ module, option, value: String(value), allowed: "a finite duration that is not negative" })
}
