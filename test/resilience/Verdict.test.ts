import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Exit, pipe, Schema } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { type Attempt, Bulkhead, CircuitBreaker, InvalidOption, Throttle, Verdict } from "effect-lifecycle/resilience"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"

const attempt: Attempt.Attempt = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 }
const request = HttpClientRequest.get("https://payments/thing")
const response = (status: number, headers: Readonly<Record<string, string>> = {}) =>
  HttpClientResponse.fromWeb(request, new Response(null, { status, headers: { ...headers } }))

type Http = Verdict.Classifier<HttpClientResponse.HttpClientResponse, unknown>
const answer = (status: number, headers?: Readonly<Record<string, string>>, classify: Http = Verdict.http) =>
  classify(Exit.succeed(response(status, headers)), attempt)
const failure = (error: unknown, classify: Http = Verdict.http) => classify(Exit.fail(error), attempt)
const clientError = (reason: HttpClientError.HttpClientErrorReason) => new HttpClientError.HttpClientError({ reason })
const afterMillis = (verdict: Verdict.Verdict) =>
  verdict._tag === "Reject" && verdict.retryAfter !== undefined ? Duration.toMillis(verdict.retryAfter) : undefined

const neutral = Verdict.fatal("neutral")
const broken = Verdict.fatal("failure")

const refusals = {
  CircuitOpen: new CircuitBreaker.CircuitOpen({ name: "p", key: "k", retryAfterMillis: 9, isolated: false }),
  BulkheadRejected: new Bulkhead.BulkheadRejected({ name: "p", reason: "full", retryAfterMillis: 9 }),
  Throttled: new Throttle.Throttled({ name: "p", rejection: 0.5, requests: 3, accepts: 1 }),
  "DeadlineExceeded without time": new Deadline.DeadlineExceeded({ budgetMillis: 0, elapsedMillis: 0 }),
  "Effect's CircuitBreakerError": { _tag: "CircuitBreakerError" },
  "Effect's RateLimiterError": { _tag: "RateLimiterError" }
}

describe("Verdict", () => {
  describe("effect", () => {
    const classify = (exit: Exit.Exit<unknown, unknown>) => Verdict.effect(exit, attempt)
    it("accepts a success, rejects a typed failure", () => {
      assert.deepStrictEqual(classify(Exit.succeed(1)), Verdict.accept)
      assert.deepStrictEqual(classify(Exit.fail("busy")), Verdict.reject())
    })
    it("takes the wait that a failure asks for", () => {
      assert.strictEqual(afterMillis(classify(Exit.fail({ retryAfterMillis: 40 }))), 40)
    })
    it("calls a defect fatal and a failure, also beside a typed failure", () => {
      assert.deepStrictEqual(classify(Exit.die("bug")), broken)
      assert.deepStrictEqual(classify(Exit.failCause(Cause.combine(Cause.fail("e"), Cause.die("bug")))), broken)
    })
    it("calls interruption fatal and neutral", () => {
      assert.deepStrictEqual(classify(Exit.failCause(Cause.interrupt(1))), neutral)
    })
    it("rejects a deadline that has passed while the other side was working", () => {
      const late = new Deadline.DeadlineExceeded({ budgetMillis: 20, elapsedMillis: 20 })
      assert.deepStrictEqual(classify(Exit.fail(late)), Verdict.reject())
    })
  })

  for (const [name, refusal] of Object.entries(refusals)) {
    it(`calls ${name} fatal and neutral, for effects and for HTTP`, () => {
      assert.deepStrictEqual(Verdict.effect(Exit.fail(refusal), attempt), neutral)
      assert.deepStrictEqual(failure(refusal), neutral)
    })
  }

  describe("http", () => {
    const Status = Schema.Int.check(Schema.isBetween({ minimum: 200, maximum: 599 }))
    it.prop("rejects 5xx, 408 and 429, and accepts every other status", [Status], ([status]) => {
      const expected = status >= 500 || status === 408 || status === 429 ? "Reject" : "Accept"
      assert.strictEqual(answer(status)._tag, expected)
    })
    it("takes Retry-After from what it rejects", () => {
      assert.strictEqual(afterMillis(answer(503, { "retry-after": "3" })), 3000)
      assert.strictEqual(afterMillis(answer(429, { "retry-after": "3" })), 3000)
      assert.isUndefined(afterMillis(answer(503, { "retry-after": "soon" })))
    })
    it("judges an error by the status it carries as it would judge the response", () => {
      const status = (code: number) =>
        failure(clientError(
          new HttpClientError.StatusCodeError({
            request,
            response: response(code, { "retry-after": "3" })
          })
        ))
      assert.strictEqual(afterMillis(status(503)), 3000)
      assert.deepStrictEqual(status(404), Verdict.accept)
    })
    it("rejects a broken connection and a timeout", () => {
      assert.deepStrictEqual(
        failure(clientError(new HttpClientError.TransportError({ request, cause: "reset" }))),
        Verdict.reject()
      )
      assert.deepStrictEqual(failure(new Cause.TimeoutError()), Verdict.reject())
      const late = new Deadline.DeadlineExceeded({ budgetMillis: 20, elapsedMillis: 20 })
      assert.deepStrictEqual(failure(late), Verdict.reject())
    })
    it("calls mistakes of this side fatal and neutral", () => {
      const reasons = [
        new HttpClientError.EncodeError({ request, cause: "x" }),
        new HttpClientError.InvalidUrlError({ request, cause: "x" }),
        new HttpClientError.DecodeError({ request, response: response(200), cause: "x" })
      ]
      for (const reason of reasons) assert.deepStrictEqual(failure(clientError(reason)), neutral)
      assert.deepStrictEqual(failure("a failure of the program"), neutral)
      assert.deepStrictEqual(
        failure("mine", Verdict.httpWith({ onError: () => Verdict.accept })),
        Verdict.accept
      )
    })
    it("lets its own table win, by number or by function", () => {
      const table = Verdict.httpWith({ status: { 404: Verdict.reject("1 second"), 503: Verdict.accept } })
      assert.strictEqual(afterMillis(answer(404, {}, table)), 1000)
      assert.deepStrictEqual(answer(503, {}, table), Verdict.accept)
      assert.deepStrictEqual(answer(500, {}, table), Verdict.reject())
      const rule = Verdict.httpWith({ status: (status) => status === 501 ? broken : undefined })
      assert.deepStrictEqual(answer(501, {}, rule), broken)
      assert.deepStrictEqual(answer(500, {}, rule), Verdict.reject())
    })
    it("fills the wait of the response into a rejection of the table that has none", () => {
      const table = Verdict.httpWith({ status: { 409: Verdict.reject() } })
      assert.strictEqual(afterMillis(answer(409, { "retry-after": "2" }, table)), 2000)
    })
    it("refuses a table with a status that does not exist", () => {
      for (const status of ["99", "600", "abc", "200.5"]) {
        assert.throws(
          () => Verdict.httpWith({ status: { [status]: Verdict.accept } }),
          InvalidOption.InvalidOption,
          `got ${status}`
        )
      }
    })
  })

  describe("outcome", () => {
    it("is success, failure, or what a fatal verdict says", () => {
      const verdicts = [Verdict.accept, Verdict.reject(), broken, neutral]
      assert.deepStrictEqual(verdicts.map(Verdict.outcome), ["success", "failure", "failure", "neutral"])
    })
  })

  describe("combinators", () => {
    const sold = Verdict.tags({ SoldOut: Verdict.accept })
    it("override asks the exception first", () => {
      const classify = pipe(Verdict.effect, Verdict.override(sold))
      assert.deepStrictEqual(classify(Exit.fail({ _tag: "SoldOut" }), attempt), Verdict.accept)
      assert.deepStrictEqual(classify(Exit.fail({ _tag: "Busy" }), attempt), Verdict.reject())
      assert.deepStrictEqual(classify(Exit.succeed(1), attempt), Verdict.accept)
    })
    it("orElse is the same from the other side", () => {
      const classify = Verdict.orElse(sold, Verdict.effect)
      assert.deepStrictEqual(classify(Exit.fail({ _tag: "SoldOut" }), attempt), Verdict.accept)
      assert.deepStrictEqual(classify(Exit.die("bug"), attempt), broken)
    })
    it("tags knows only its own entries", () => {
      assert.isUndefined(sold(Exit.fail({ _tag: "toString" }), attempt))
      assert.isUndefined(sold(Exit.fail("SoldOut"), attempt))
      assert.isUndefined(sold(Exit.succeed({ _tag: "SoldOut" }), attempt))
    })
    it("an exception can look at the attempt", () => {
      const once = Verdict.override(Verdict.effect, (_, { number }) => number > 1 ? broken : undefined)
      assert.deepStrictEqual(once(Exit.fail("e"), attempt), Verdict.reject())
      assert.deepStrictEqual(once(Exit.fail("e"), { ...attempt, number: 2 }), broken)
    })
    it("retryRefusals lets a call go on elsewhere, at once, and changes nothing else", () => {
      const classify = Verdict.retryRefusals(Verdict.http)
      assert.deepStrictEqual(classify(Exit.fail(refusals.CircuitOpen), attempt), Verdict.reject())
      assert.deepStrictEqual(classify(Exit.fail("mine"), attempt), neutral)
      assert.deepStrictEqual(answer(503, {}, classify), Verdict.reject())
      assert.deepStrictEqual(classify(Exit.die("bug"), attempt), broken)
    })
  })
})
