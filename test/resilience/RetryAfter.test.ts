import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Schema } from "effect"
import { Bulkhead, RetryAfter } from "effect-lifecycle/resilience"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"

const now = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT")
const millisOf = Option.map(Duration.toMillis)
const parse = (value: string) => Option.getOrUndefined(millisOf(RetryAfter.parse(value, now)))

const request = HttpClientRequest.get("https://payments/thing")
const response = (headers: Readonly<Record<string, string>>) =>
  HttpClientResponse.fromWeb(request, new Response(null, { status: 503, headers: { ...headers } }))

describe("RetryAfter", () => {
  describe("parse", () => {
    it("reads whole seconds", () => {
      assert.strictEqual(parse("0"), 0)
      assert.strictEqual(parse("120"), 120_000)
      assert.strictEqual(parse(" 3 "), 3000)
    })
    it("reads a date, in the form that is sent today and in the two that were", () => {
      assert.strictEqual(parse("Wed, 21 Oct 2015 07:28:07 GMT"), 7000)
      assert.strictEqual(parse("Wednesday, 21-Oct-15 07:28:07 GMT"), 7000)
      assert.strictEqual(parse("Wed Oct 21 07:28:07 2015"), 7000)
    })
    it("asks for no wait where the date is over", () => {
      assert.strictEqual(parse("Wed, 21 Oct 2015 07:00:00 GMT"), 0)
    })
    it("ignores what it cannot read", () => {
      for (
        const value of ["", "-1", "1.5", "1e3", "soon", "NaN", "Infinity", "3, 4", "Wed, 31 Feb 2015 07:28:07 GMT"]
      ) {
        assert.isUndefined(parse(value), value)
      }
    })
    it("ignores a date where nobody knows what time it is", () => {
      assert.isTrue(Option.isNone(RetryAfter.parse("Wed, 21 Oct 2015 07:28:07 GMT", Number.NaN)))
    })
    it.prop("is the inverse of writing seconds", [
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))
    ], ([seconds]) => assert.strictEqual(parse(String(seconds)), seconds * 1000))
  })

  describe("of", () => {
    it("counts a date from the response's own, whatever the time is here", () => {
      const asked = RetryAfter.of(response({
        date: "Wed, 21 Oct 2015 07:28:00 GMT",
        "retry-after": "Wed, 21 Oct 2015 07:28:09 GMT"
      }))
      assert.deepStrictEqual(millisOf(asked), Option.some(9000))
    })
    it.effect("counts a date from the clock of the fiber where the response has none, or none that can be read", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now)
        const wanted = { "retry-after": "Wed, 21 Oct 2015 07:28:09 GMT" }
        assert.deepStrictEqual(millisOf(RetryAfter.of(response(wanted))), Option.some(9000))
        const unread = { ...wanted, date: "today" }
        assert.deepStrictEqual(millisOf(RetryAfter.of(response(unread))), Option.some(9000))
      }))
    it("is nothing without the header", () => {
      assert.isTrue(Option.isNone(RetryAfter.of(response({}))))
    })
  })

  describe("find", () => {
    it("finds it in a response, and in an error of the client that carries one", () => {
      const error = new HttpClientError.HttpClientError({
        reason: new HttpClientError.StatusCodeError({ request, response: response({ "retry-after": "2" }) })
      })
      assert.deepStrictEqual(millisOf(RetryAfter.find(error)), Option.some(2000))
      assert.deepStrictEqual(millisOf(RetryAfter.find(response({ "retry-after": "2" }))), Option.some(2000))
    })
    it("finds it in a refusal of our own", () => {
      const refused = new Bulkhead.BulkheadRejected({ name: "b", reason: "full", retryAfterMillis: 70 })
      assert.deepStrictEqual(millisOf(RetryAfter.find(refused)), Option.some(70))
    })
    it("finds none elsewhere", () => {
      const transport = new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({ request, cause: "reset" })
      })
      const others = [undefined, null, "x", 3, {}, { headers: 3 }, { retryAfterMillis: "3" }, { retryAfterMillis: -1 }]
      for (const one of [transport, ...others]) assert.isTrue(Option.isNone(RetryAfter.find(one)))
    })
  })
})
