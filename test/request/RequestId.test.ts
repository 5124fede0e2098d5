import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Option, Random, References, Schema } from "effect"
import { RequestId } from "effect-lifecycle/request"
import { TestClock } from "effect/testing"

const bad = [
  "",
  "two words",
  "a,b",
  "a\nb",
  "a\r\nx-admin: 1",
  "é",
  "a/b",
  "\u0000",
  "x".repeat(129),
  "x".repeat(10_240),
  "a\n"
]

describe("RequestId", () => {
  it("takes 1 to 128 characters of [A-Za-z0-9._-]", () => {
    for (const good of ["a", "A.b_c-9", "x".repeat(128)]) assert.isTrue(Option.isSome(RequestId.parse(good)), good)
    for (const value of bad) {
      assert.isTrue(Option.isNone(RequestId.parse(value)), `accepted ${JSON.stringify(value.slice(0, 20))}`)
    }
  })

  it.effect.prop("parse takes exactly what the pattern says", [Schema.String], ([text]) =>
    Effect.sync(() => {
      const expected = text.length >= 1 && text.length <= 128 && !/[^A-Za-z0-9._-]/.test(text)
      assert.strictEqual(Option.isSome(RequestId.parse(text)), expected)
    }))

  it.effect("generate makes a valid UUID of version 7 that sorts by time and repeats under one seed", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      const seeded = RequestId.generate.pipe(Random.withSeed("seed"))
      const first = yield* seeded
      assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.isTrue(Option.isSome(RequestId.parse(first)))
      assert.strictEqual(first.replaceAll("-", "").slice(0, 12), Date.UTC(2026, 0, 1).toString(16).padStart(12, "0"))
      assert.strictEqual(yield* seeded, first)
      yield* TestClock.adjust("1 second")
      assert.isTrue((yield* RequestId.generate) > first)
      const many = yield* Effect.replicateEffect(RequestId.generate, 1000)
      assert.strictEqual(new Set(many).size, 1000)
    }))

  describe("fromHeaders", () => {
    const trusted = { trusted: true }

    it("reads x-request-id, then x-kong-request-id, the first usable one", () => {
      const both = { "x-request-id": "one", "x-kong-request-id": "two" }
      assert.deepStrictEqual(RequestId.fromHeaders(both, trusted), Option.some("one"))
      assert.deepStrictEqual(RequestId.fromHeaders({ "x-kong-request-id": "two" }, trusted), Option.some("two"))
      assert.deepStrictEqual(RequestId.fromHeaders({ ...both, "x-request-id": "no good" }, trusted), Option.some("two"))
      assert.deepStrictEqual(RequestId.fromHeaders({}, trusted), Option.none())
    })

    it("reads the headers it is told to", () => {
      const headers = { "x-request-id": "one", "x-amzn-trace-id": "amazon" }
      const options = { headers: ["x-amzn-trace-id"], trusted: true }
      assert.deepStrictEqual(RequestId.fromHeaders(headers, options), Option.some("amazon"))
    })

    it("takes nothing from an untrusted hop, and nothing malformed or doubled from a trusted one", () => {
      assert.deepStrictEqual(RequestId.fromHeaders({ "x-request-id": "one" }, { trusted: false }), Option.none())
      for (const value of bad) assert.isTrue(Option.isNone(RequestId.fromHeaders({ "x-request-id": value }, trusted)))
      assert.isTrue(Option.isNone(RequestId.fromHeaders({ "x-request-id": ["one", "two"] }, trusted)))
      assert.isTrue(Option.isNone(RequestId.fromHeaders({ "x-request-id": "one, two" }, trusted)))
    })
  })

  it.effect("provide sets the current id and the log annotation requestId", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make((options) => {
        lines.push(options.fiber.getRef(References.CurrentLogAnnotations)["requestId"])
      })
      const id = RequestId.RequestId.make("order-42")
      const program = Effect.gen(function*() {
        yield* Effect.logInfo("here")
        return yield* RequestId.Current
      })
      const seen = yield* program.pipe(RequestId.provide(id), Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(seen, Option.some("order-42"))
      assert.deepStrictEqual(lines, ["order-42"])
      assert.deepStrictEqual(yield* RequestId.Current, Option.none())
    }))
})
