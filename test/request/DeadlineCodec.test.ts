import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result, Schema } from "effect"
import { Deadline, DeadlineCodec } from "effect-lifecycle/request"

const hour = 3_600_000_000_000
const Nanos = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: hour }))

const nanosOf = (result: Result.Result<Duration.Duration, string>): bigint => {
  assert.isTrue(Result.isSuccess(result), `expected a duration, got ${JSON.stringify(result)}`)
  return Duration.toNanosUnsafe(Result.getOrThrow(result))
}

// The unit that an encoded gRPC value has tells how exact it is.
const grpcUnit: Record<string, bigint> = { n: 1n, u: 1000n, m: 1_000_000n, S: 1_000_000_000n, M: 60_000_000_000n }

describe("DeadlineCodec", () => {
  it("is what Deadline.codecs names", () => {
    assert.strictEqual(Deadline.codecs.requestTimeout, DeadlineCodec.requestTimeout)
  })

  for (
    const [codec, unitOf] of [
      [DeadlineCodec.requestTimeout, () => 1000n],
      [DeadlineCodec.grpcTimeout, (text: string) => grpcUnit[text.slice(-1)] ?? 0n],
      [DeadlineCodec.envoyExpected, () => 1_000_000n]
    ] as const
  ) {
    it.effect.prop(
      `${codec.header}: decode(encode(d)) is d within the unit and never longer`,
      [Nanos],
      ([nanos]) =>
        Effect.sync(() => {
          const original = BigInt(nanos)
          const text = codec.encode(Duration.nanos(original))
          const back = nanosOf(codec.decode(text))
          assert.isTrue(back <= original, `${text} is longer than ${original} ns`)
          assert.isTrue(original - back < unitOf(text), `${text} is too far from ${original} ns`)
          assert.notMatch(text, /[eE]/)
        })
    )

    it.effect.prop(
      `${codec.header}: decode never throws and never trusts`,
      [Schema.String],
      ([text]) =>
        Effect.sync(() => {
          const decoded = codec.decode(text)
          if (Result.isSuccess(decoded)) {
            const nanos = Duration.toNanosUnsafe(decoded.success)
            assert.isTrue(nanos >= 0n && nanos <= BigInt(hour))
          }
        })
    )

    it(`${codec.header}: names a doubled header as such`, () => {
      assert.deepStrictEqual(codec.decode("5, 6"), Result.fail("more than one value"))
    })

    it.effect(`${codec.header}: refuses malformed values with a reason that does not quote them`, () =>
      Effect.sync(() => {
        const bad = [
          "-1",
          "nan",
          "NaN",
          "inf",
          "Infinity",
          "-inf",
          "1e9",
          "",
          " ",
          "5, 6",
          "5,6",
          "5;6",
          "0x10",
          "1_000",
          "+5"
        ]
        const worse = ["5\r\nx-admin: 1", "5\n", "\u00005", "9".repeat(10_240), "1e999999999", "٥", "canary"]
        for (const value of [...bad, ...worse]) {
          const decoded = codec.decode(value)
          assert.isTrue(Result.isFailure(decoded), `accepted ${JSON.stringify(value.slice(0, 20))}`)
          if (Result.isFailure(decoded)) {
            assert.match(
              decoded.failure,
              /^(empty|too long|control character|more than one value|negative|not a number|above the maximum)$/
            )
          }
        }
      }))
  }

  it("x-request-timeout reads what Python writes and writes plain decimals", () => {
    const { decode, encode } = DeadlineCodec.requestTimeout
    assert.strictEqual(nanosOf(decode("19.999986039")), 19_999_986_039n)
    assert.strictEqual(nanosOf(decode("1e-05")), 10_000n)
    assert.strictEqual(nanosOf(decode("1.5e2")), 150_000_000_000n)
    assert.strictEqual(nanosOf(decode("0.29")), 290_000_000n)
    assert.strictEqual(nanosOf(decode("0")), 0n)
    assert.strictEqual(nanosOf(decode("20.")), 20_000_000_000n)
    assert.strictEqual(nanosOf(decode("1e-999")), 0n)
    assert.strictEqual(encode(Duration.nanos(10_000n)), "0.00001")
    assert.strictEqual(encode(Duration.seconds(20)), "20")
    assert.strictEqual(encode(Duration.nanos(999n)), "0")
    assert.strictEqual(encode(Duration.millis(-1)), "0")
    assert.notInclude(encode(Duration.infinity), "e")
  })

  it("grpc-timeout keeps to eight digits and takes the finest unit that fits", () => {
    const { decode, encode } = DeadlineCodec.grpcTimeout
    assert.strictEqual(encode(Duration.zero), "0n")
    assert.strictEqual(encode(Duration.nanos(99_999_999n)), "99999999n")
    assert.strictEqual(encode(Duration.nanos(100_000_000n)), "100000u")
    assert.strictEqual(encode(Duration.hours(1)), "3600000m")
    assert.match(encode(Duration.infinity), /^\d{1,8}H$/)
    assert.strictEqual(nanosOf(decode("1H")), 3_600_000_000_000n)
    assert.strictEqual(nanosOf(decode("2M")), 120_000_000_000n)
    assert.strictEqual(nanosOf(decode("3S")), 3_000_000_000n)
    assert.isTrue(Result.isFailure(decode("123456789n")), "nine digits")
    assert.isTrue(Result.isFailure(decode("5")), "no unit")
    assert.isTrue(Result.isFailure(decode("5s")), "unknown unit")
  })

  it("x-envoy-expected-rq-timeout-ms is whole milliseconds", () => {
    const { decode, encode } = DeadlineCodec.envoyExpected
    assert.strictEqual(encode(Duration.nanos(1_999_999n)), "1")
    assert.strictEqual(nanosOf(decode("250")), 250_000_000n)
    assert.isTrue(Result.isFailure(decode("2.5")))
  })

  it("honours the maximum it is given, itself included", () => {
    const { decode } = DeadlineCodec.requestTimeout
    assert.isTrue(Result.isSuccess(decode("3600")))
    assert.deepStrictEqual(decode("3600.000001"), Result.fail("above the maximum"))
    assert.deepStrictEqual(decode("6", { maximum: "5 seconds" }), Result.fail("above the maximum"))
    assert.isTrue(Result.isSuccess(decode("7200", { maximum: "1 day" })))
  })
})
