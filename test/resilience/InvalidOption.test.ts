import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { InvalidOption } from "effect-lifecycle/resilience"

const messageOf = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    return error instanceof InvalidOption.InvalidOption ? error.message : `a ${String(error)}`
  }
  return "nothing was thrown"
}

describe("InvalidOption", () => {
  it("names the module, the option, what is allowed and the value", () => {
    assert.strictEqual(
      messageOf(() => InvalidOption.wholeNumber("Guard.make", "permits", 1.5, 1)),
      "Guard.make: permits must be a whole number from 1, got 1.5"
    )
    assert.strictEqual(
      messageOf(() => InvalidOption.wholeNumber("Guard.make", "permits", 11, 1, 10)),
      "Guard.make: permits must be a whole number from 1 to 10, got 11"
    )
    assert.strictEqual(
      messageOf(() => InvalidOption.between("Guard.make", "ratio", 2, 0, 1)),
      "Guard.make: ratio must be from 0 to 1, got 2"
    )
    assert.strictEqual(
      messageOf(() => InvalidOption.above("Guard.make", "ratio", 0, 0, 1)),
      "Guard.make: ratio must be above 0, up to 1, got 0"
    )
    assert.strictEqual(
      messageOf(() => InvalidOption.inside("Guard.make", "quantile", 1, 0, 1)),
      "Guard.make: quantile must be above 0 and below 1, got 1"
    )
    assert.strictEqual(
      messageOf(() => InvalidOption.finiteMillis("Guard.make", "wait", "-1 seconds")),
      "Guard.make: wait must be a finite duration that is not negative, up to 366 days, got -1 seconds"
    )
    assert.strictEqual(
      messageOf(() => InvalidOption.millisBetween("Guard.make", "window", Duration.minutes(2), 1000, 60_000)),
      "Guard.make: window must be a duration from 1s to 1m, got 2m"
    )
  })

  it("takes the ends of a range and every way to write a time", () => {
    assert.strictEqual(InvalidOption.finiteMillis("m", "o", 0), 0)
    assert.strictEqual(InvalidOption.finiteMillis("m", "o", "2 seconds"), 2000)
    assert.strictEqual(InvalidOption.finiteMillis("m", "o", Duration.minutes(1)), 60_000)
    assert.strictEqual(InvalidOption.finiteMillis("m", "o", 1_500_000n), 1.5)
    assert.strictEqual(InvalidOption.finiteMillis("m", "o", InvalidOption.longestMillis), InvalidOption.longestMillis)
    assert.strictEqual(InvalidOption.between("m", "o", 0, 0, 1), 0)
    assert.strictEqual(InvalidOption.above("m", "o", 1, 0, 1), 1)
    assert.strictEqual(InvalidOption.positiveMillis("m", "o", "1 micros"), 0.001)
  })

  it("checks sizes, words and headers", () => {
    assert.strictEqual(InvalidOption.byteSize("m", "o", "64 KiB"), 65_536)
    assert.strictEqual(InvalidOption.byteSize("m", "o", 0), 0)
    assert.strictEqual(
      messageOf(() => InvalidOption.byteSize("m", "o", "5 bananas" as "5 MB", 1)),
      "m: o must be a size of 1 bytes or more, such as \"64 KiB\", got \"5 bananas\""
    )
    assert.include(messageOf(() => InvalidOption.byteSize("m", "o", 0, 1)), "got 0")
    assert.include(messageOf(() => InvalidOption.byteSize("m", "o", Number.NaN)), "got NaN")
    assert.strictEqual(InvalidOption.oneOf<string>("m", "o", "a", ["a", "b"]), "a")
    assert.strictEqual(
      messageOf(() => InvalidOption.oneOf<string>("m", "o", "c", ["a", "b"])),
      "m: o must be one of a, b, got \"c\""
    )
    assert.strictEqual(InvalidOption.headerName("m", "o", "X-Request-ID"), "x-request-id")
    assert.include(messageOf(() => InvalidOption.headerName("m", "o", "x y")), "a header's name")
    assert.strictEqual(InvalidOption.headerValue("m", "o", "caf\u00e9\t1"), "caf\u00e9\t1")
    assert.include(messageOf(() => InvalidOption.headerValue("m", "o", "a\r\nb: c")), "got \"a\\r\\nb: c\"")
  })

  it("refuses zero where something has to be there", () => {
    assert.include(messageOf(() => InvalidOption.positiveMillis("m", "o", 0)), "o must be a duration from")
    assert.include(messageOf(() => InvalidOption.wholeNumber("m", "o", 0, 1)), "got 0")
  })

  it("lets nothing through that is no time", () => {
    const wrong = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -1e-3, 1e300, 2 ** 53]
    for (const value of wrong) {
      assert.match(messageOf(() => InvalidOption.finiteMillis("m", "o", value)), /must be a finite duration/)
      assert.match(messageOf(() => InvalidOption.positiveMillis("m", "o", value)), /must be a duration from/)
      assert.match(messageOf(() => InvalidOption.millisBetween("m", "o", value, 1, 9)), /must be a duration from/)
      assert.match(messageOf(() => InvalidOption.wholeNumber("m", "o", value, 0)), /must be a whole number from 0/)
    }
    assert.match(
      messageOf(() => InvalidOption.finiteMillis("m", "o", { seconds: Number.NaN })),
      /got {"seconds":"NaN"}$/
    )
    const untyped = JSON.parse("\"soon\"")
    assert.match(messageOf(() => InvalidOption.finiteMillis("m", "o", untyped)), /got soon$/)
    assert.match(messageOf(() => InvalidOption.finiteMillis("m", "o", JSON.parse("null"))), /got null$/)
  })

  it.prop("lets every number of a range through unchanged, and none outside of it", [
    Schema.Finite.check(Schema.isBetween({ minimum: -10, maximum: 10 }))
  ], ([value]) => {
    const isInside = value >= -1 && value <= 2
    const message = messageOf(() => {
      assert.strictEqual(InvalidOption.between("m", "o", value, -1, 2), value)
    })
    assert.strictEqual(message === "nothing was thrown", isInside)
  })

  it("is an error that can be sent", () => {
    const error = new InvalidOption.InvalidOption({ module: "m", option: "o", value: "0", allowed: "more" })
    const encoded = Schema.encodeSync(InvalidOption.InvalidOption)(error)
    assert.deepStrictEqual(Schema.decodeSync(InvalidOption.InvalidOption)(encoded).message, error.message)
  })
})
