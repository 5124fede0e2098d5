/**
 * Durations as nanoseconds that can be added and compared: negative is zero, infinite is some 292 years.
 */
import { Duration } from "effect"

export const longest = 2n ** 63n - 1n

export const nanosOf = (input: Duration.Input): bigint => {
  const duration = Duration.fromInputUnsafe(input)
  if (!Duration.isFinite(duration)) return Duration.isNegative(duration) ? 0n : longest
  const nanos = Duration.toNanosUnsafe(duration)
  return nanos < 0n ? 0n : nanos > longest ? longest : nanos
}
