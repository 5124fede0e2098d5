/**
 * How the time that is left travels in a header: seconds, gRPC's value with a unit, and Envoy's milliseconds.
 *
 * All three carry a *relative* duration, so clocks of two machines need not agree; the time on the network is not
 * counted, which is what the margin of `Propagation.inject` is for. Encoding rounds down to the unit and therefore never
 * gives the next hop more time than there is. Decoding trusts nothing: what is not one finite number from zero to
 * `maximum` is a `Result.fail` with a fixed reason that holds no byte of the header, so the reason may be logged.
 *
 * **Gotchas**
 *
 * - Decoding refuses values above `maximum` (one hour unless told otherwise) instead of cutting them: such a header is a
 *   mistake or an attack, and its number means nothing.
 * - Zero is zero: `0` decodes to no time at all, not to "no limit".
 *
 * @example
 * ```ts
 * import { Duration, Result } from "effect"
 * import { DeadlineCodec } from "effect-lifecycle/request"
 * import assert from "node:assert/strict"
 *
 * assert.equal(DeadlineCodec.requestTimeout.encode(Duration.micros(1_500_000n)), "1.5")
 * assert.equal(DeadlineCodec.grpcTimeout.encode(Duration.millis(250)), "250000u")
 * assert.equal(DeadlineCodec.envoyExpected.encode(Duration.seconds(2)), "2000")
 *
 * assert.deepEqual(DeadlineCodec.requestTimeout.decode("1e-05"), Result.succeed(Duration.micros(10n)))
 * assert.deepEqual(DeadlineCodec.requestTimeout.decode("nan"), Result.fail("not a number"))
 * assert.deepEqual(DeadlineCodec.requestTimeout.decode("1e9"), Result.fail("above the maximum"))
 * ```
 *
 * @since 0.1.0
 */
import { Duration, Result } from "effect"
import * as header from "./internal/header.ts"
import { longest, nanosOf } from "./internal/nanos.ts"

/**
 * A header that carries the time that is left.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadlineCodec {
  /** The header's name in lower case. */
  readonly header: string
  /** Rounds down; negative becomes zero, infinite the largest value that the format can hold. */
  readonly encode: (remaining: Duration.Duration) => string
  /** The duration, or why the header is ignored. `maximum` is one hour by default. */
  readonly decode: (
    value: string,
    options?: { readonly maximum?: Duration.Input | undefined }
  ) => Result.Result<Duration.Duration, string>
}

/**
 * `x-request-timeout` in decimal seconds, as aio-request sends it; scientific notation is read but never written.
 *
 * @category codecs
 * @since 0.1.0
 */
export const requestTimeout: DeadlineCodec = {
  header: "x-request-timeout",
  encode: (remaining) => {
    const micros = nanosOf(remaining) / 1000n
    const fraction = (micros % 1_000_000n).toString().padStart(6, "0").replace(/0+$/, "")
    return `${micros / 1_000_000n}${fraction === "" ? "" : `.${fraction}`}`
  },
  decode: (value, options) =>
    decodeWith(value, 64, options?.maximum, (text) => {
      const match = /^(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text)
      if (match === null) return undefined
      const [, whole = "", fraction = "", exponent = "0"] = match
      return scale(BigInt(whole + fraction), Number(exponent) - fraction.length + 9)
    })
}

const grpcUnits = [
  ["n", 1n],
  ["u", 1000n],
  ["m", 1_000_000n],
  ["S", 1_000_000_000n],
  ["M", 60_000_000_000n],
  ["H", 3_600_000_000_000n]
] as const

/**
 * `grpc-timeout`: at most eight digits and a unit (`H M S m u n`); the finest unit that fits is written.
 *
 * @category codecs
 * @since 0.1.0
 */
export const grpcTimeout: DeadlineCodec = {
  header: "grpc-timeout",
  encode: (remaining) => {
    const nanos = nanosOf(remaining)
    for (const [unit, size] of grpcUnits) {
      const amount = nanos / size
      if (amount <= 99_999_999n) return `${amount}${unit}`
    }
    return "99999999H"
  },
  decode: (value, options) =>
    decodeWith(value, 64, options?.maximum, (text) => {
      const match = /^(\d{1,8})([HMSmun])$/.exec(text)
      const size = grpcUnits.find(([unit]) => unit === match?.[2])?.[1]
      return match?.[1] === undefined || size === undefined ? undefined : BigInt(match[1]) * size
    })
}

/**
 * `x-envoy-expected-rq-timeout-ms` in whole milliseconds.
 *
 * @category codecs
 * @since 0.1.0
 */
export const envoyExpected: DeadlineCodec = {
  header: "x-envoy-expected-rq-timeout-ms",
  encode: (remaining) => `${nanosOf(remaining) / 1_000_000n}`,
  decode: (value, options) =>
    decodeWith(value, 64, options?.maximum, (text) => /^\d+$/.test(text) ? BigInt(text) * 1_000_000n : undefined)
}

// Exact decimal shift: going through a float would turn 0.29 s into a nanosecond less or more. The exponent is bounded
// first, because 10n ** 999999999n would be computed for real.
const scale = (digits: bigint, exponent: number): bigint => {
  if (digits === 0n || exponent < -64) return 0n
  if (exponent > 64) return longest
  return exponent < 0 ? digits / 10n ** BigInt(-exponent) : digits * 10n ** BigInt(exponent)
}

const decodeWith = (
  value: string,
  maximumLength: number,
  maximum: Duration.Input | undefined,
  parse: (text: string) => bigint | undefined
): Result.Result<Duration.Duration, string> => {
  const refused = header.refuse(value, maximumLength)
  if (refused !== undefined) return Result.fail(refused)
  const nanos = parse(value)
  if (nanos === undefined) return Result.fail(value.startsWith("-") ? "negative" : "not a number")
  if (nanos > nanosOf(maximum ?? "1 hour")) return Result.fail("above the maximum")
  return Result.succeed(Duration.nanos(nanos))
}
