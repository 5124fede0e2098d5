import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { type Attempt, CircuitBreaker, RequestStrategy, Verdict } from "effect-lifecycle/resilience"
import { HttpClientRequest, HttpClientResponse } from "effect/http"

const request = HttpClientRequest.get("https://payments/thing")
const attempt: Attempt.Attempt = { number: 1, kind: "primary", startedAtNanos: 0n, elapsedMillis: 0 }

const response = (status: number, hint?: string, endpoint = "payments") =>
  HttpClientResponse.fromWeb(
    HttpClientRequest.setUrl(request, `https://${endpoint}/thing`),
    new Response(null, { status, headers: hint === undefined ? {} : { "x-do-not-retry": hint } })
  )

type Response = ReturnType<typeof response>

const judge = (classify: Verdict.Classifier<Response, unknown>, answer: Response) =>
  classify(Exit.succeed(answer), attempt)

const trusting = Verdict.httpWith({ trustHints: true })

/** How many attempts a strategy of three makes where every answer is the same. */
const attempts = Effect.fnUntraced(function*(verdict: Verdict.Classifier<Response, unknown>, answer: Response) {
  let made = 0
  const strategy = RequestStrategy.sequential({ attempts: 3, delay: 0, verdict })
  yield* strategy.run(() =>
    Effect.sync(() => {
      made++
      return answer
    })
  )
  return made
})

describe("T09: a hint of the other side affects retries only, and only from a hop that is trusted", () => {
  it.effect("20 times 503 with the hint open the circuit", () =>
    Effect.gen(function*() {
      for (const verdict of [Verdict.http, trusting]) {
        const breaker = yield* CircuitBreaker.make({
          name: "payments",
          trip: CircuitBreaker.failureRate({
            failureThreshold: 0.5,
            minimumThroughput: 20,
            samplingDuration: "10 seconds"
          }),
          breakDuration: "10 seconds"
        })
        for (let call = 0; call < 20; call++) {
          assert.strictEqual((yield* breaker.snapshot("k")).state, "Closed")
          yield* breaker.run("k", Effect.succeed(response(503, "1")), {
            classify: (exit) => Verdict.outcome(verdict(exit, attempt))
          })
        }
        assert.strictEqual((yield* breaker.snapshot("k")).state, "Open")
      }
    }))

  it("says the same about health with the hint as without, for every status", () => {
    for (let status = 200; status <= 599; status++) {
      assert.strictEqual(
        Verdict.outcome(judge(trusting, response(status, "1"))),
        Verdict.outcome(judge(trusting, response(status))),
        `status ${status}`
      )
    }
  })

  it.effect("ends the retries where the hop is trusted, and nowhere else", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* attempts(trusting, response(503, "1")), 1)
      assert.strictEqual(yield* attempts(trusting, response(503)), 3)
      assert.strictEqual(yield* attempts(Verdict.http, response(503, "1")), 3)
      const inside = Verdict.httpWith({ trustHints: ({ request }) => request.url.startsWith("https://payments/") })
      assert.strictEqual(yield* attempts(inside, response(503, "1")), 1)
      assert.strictEqual(yield* attempts(inside, response(503, "1", "elsewhere")), 3)
    }))

  it("reads the value: 0 is off, and so is what cannot be read", () => {
    for (const on of ["1", "true", "TRUE", "yes", "on", "?1", " 1 "]) {
      assert.strictEqual(judge(trusting, response(503, on))._tag, "Fatal", on)
    }
    for (const off of ["0", "false", "no", "off", "?0", "", "2", "never"]) {
      assert.strictEqual(judge(trusting, response(503, off))._tag, "Reject", off)
    }
  })

  it("does not make an answer final that is final anyway, and loses against a status table", () => {
    assert.deepStrictEqual(judge(trusting, response(404, "1")), Verdict.accept)
    const table = Verdict.httpWith({ trustHints: true, status: { 503: Verdict.reject() } })
    assert.strictEqual(judge(table, response(503, "1"))._tag, "Reject")
  })
})
