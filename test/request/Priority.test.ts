import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result, Schema } from "effect"
import { Priority } from "effect-lifecycle/request"

const read = Effect.service(Priority.Current)

describe("Priority", () => {
  it.effect("is normal by default and inherited by child fibers", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* read, "normal")
      const child = Effect.flatMap(Effect.forkChild(read), Fiber.join)
      assert.strictEqual(yield* child.pipe(Priority.withPriority("low")), "low")
    }))

  it.effect("is restored outside", () =>
    Effect.gen(function*() {
      yield* read.pipe(Priority.withPriority("low"))
      assert.strictEqual(yield* read, "normal")
    }))

  it.effect("can be given data first and data last", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Priority.withPriority(read, "low"), "low")
      assert.strictEqual(yield* Priority.withPriority(read, "high", { trusted: true }), "high")
      assert.strictEqual(yield* read.pipe(Priority.withPriority("high", { trusted: true })), "high")
    }))

  it.effect.prop("combine never raises without trust, and takes the own one with it", {
    own: Priority.Priority,
    inherited: Priority.Priority
  }, ({ inherited, own }) =>
    Effect.sync(() => {
      const combined = Priority.combine(own, inherited)
      assert.isAtMost(Priority.compare(combined, inherited), 0)
      assert.isAtMost(Priority.compare(combined, own), 0)
      assert.isTrue(combined === own || combined === inherited)
      assert.strictEqual(Priority.combine(own, inherited, { trusted: true }), own)
      assert.strictEqual(Priority.combine(undefined, inherited), inherited)
    }))

  it("orders by urgency", () => {
    const sorted = [...Priority.Priority.literals].sort(Priority.compare)
    assert.deepStrictEqual(sorted, ["low", "normal", "high", "critical"])
  })

  describe("x-request-priority", () => {
    const { decode, encode } = Priority.xRequestPriority

    it("reads any case and writes the word", () => {
      assert.deepStrictEqual(decode("HIGH"), Result.succeed("high"))
      for (const priority of Priority.Priority.literals) {
        assert.deepStrictEqual(decode(encode(priority)), Result.succeed(priority))
      }
    })

    it("refuses everything else", () => {
      for (const value of ["", "urgent", "high, low", "high\r\nx: 1", "h".repeat(10_240), "__proto__"]) {
        assert.isTrue(Result.isFailure(decode(value)), JSON.stringify(value.slice(0, 20)))
      }
    })
  })

  describe("priority (RFC 9218)", () => {
    const { decode, encode } = Priority.rfc9218

    it("maps 0-1 to critical, 2 to high, 3-4 to normal and 5-7 to low", () => {
      const mapped = [0, 1, 2, 3, 4, 5, 6, 7].map((u) => Result.getOrThrow(decode(`u=${u}`)))
      assert.deepStrictEqual(mapped, ["critical", "critical", "high", "normal", "normal", "low", "low", "low"])
    })

    it("round-trips every priority", () => {
      for (const priority of Priority.Priority.literals) {
        assert.deepStrictEqual(decode(encode(priority)), Result.succeed(priority))
      }
    })

    it("reads a dictionary: other members are passed over, the last u counts, none is normal", () => {
      assert.deepStrictEqual(decode("u=1, i"), Result.succeed("critical"))
      assert.deepStrictEqual(decode("i"), Result.succeed("normal"))
      assert.deepStrictEqual(decode("u=1, x=\"a\";q=1, u=5;p"), Result.succeed("low"))
    })

    it("refuses an urgency outside 0 to 7 and what is no dictionary", () => {
      for (const value of ["u=8", "u=-1", "u=1.5", "u", "u=", "U=1", "=1", "", "u=1\r\n", "x".repeat(10_240)]) {
        assert.isTrue(Result.isFailure(decode(value)), JSON.stringify(value.slice(0, 20)))
      }
    })

    it.effect.prop("never throws", [Schema.String], ([text]) =>
      Effect.sync(() => {
        decode(text)
      }))
  })
})
