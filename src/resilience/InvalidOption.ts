/**
 * What a guard throws when it is built with an option that makes no sense.
 *
 * A guard is built once, at the edge of a program: a wrong number there is a mistake in the program, found at its start,
 * so it is thrown and not returned. The message names the option, the value and what is allowed. Zero is zero: it either
 * means nothing of it, or it is refused; it never stands for a default or for "without limit".
 *
 * **Gotchas**
 *
 * - A time of more than {@link longestMillis} is refused as well: it is nearly always a unit mixed up.
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
export * from "../lifecycle/InvalidOption.ts"
