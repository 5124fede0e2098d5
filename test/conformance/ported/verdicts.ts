import { assert } from "@effect/vitest"
import { Cause, Duration, Effect, Exit } from "effect"
import { Deadline } from "effect-lifecycle/request"
import { CircuitBreaker, Verdict } from "effect-lifecycle/resilience"
import { HttpClientError, HttpClientRequest } from "effect/http"
import { differs, equal, type Topic } from "../ported.ts"
import { firstAttempt, response } from "./responses.ts"

type Http = Verdict.Classifier<ReturnType<typeof response>, unknown>

const of = (status: number, headers?: Readonly<Record<string, string>>, classify: Http = Verdict.http) =>
  classify(Exit.succeed(response(status, headers)), firstAttempt)

const tags = (statuses: ReadonlyArray<number>, classify?: Http) =>
  statuses.map((status) => of(status, {}, classify)._tag)

const all = (statuses: ReadonlyArray<number>, tag: Verdict.Verdict["_tag"]) => statuses.map(() => tag)

const trusting = Verdict.httpWith({ trustHints: true })

const failed = (error: unknown) => Verdict.http(Exit.fail(error), firstAttempt)

const spent = new Deadline.DeadlineExceeded({ budgetMillis: 1000, elapsedMillis: 1000 })

const refused = new CircuitBreaker.CircuitOpen({ name: "p", key: "k", retryAfterMillis: 1000, isolated: false })

/** Verdicts: which answer ends a call, which is worth another attempt, and what the breaker hears. */
export const verdicts: Topic = {
  source: "aio-request",
  title: "aio-request: verdicts and made-up statuses",
  file: "verdicts.ts",
  behaviours: [
    equal(
      "verdict-5xx",
      "rejects 500, 502, 503 and 504",
      () => Effect.sync(() => assert.deepStrictEqual(tags([500, 502, 503, 504]), all([500, 502, 503, 504], "Reject")))
    ),
    equal("verdict-408", "rejects 408", () => Effect.sync(() => assert.strictEqual(of(408)._tag, "Reject"))),
    equal("verdict-429", "rejects 429", () => Effect.sync(() => assert.strictEqual(of(429)._tag, "Reject"))),
    equal(
      "verdict-rest",
      "accepts everything else, other 4xx and 3xx included: accepted means finished, not good",
      () =>
        Effect.sync(() => {
          const statuses = [200, 201, 204, 301, 302, 304, 400, 401, 403, 404, 409, 422]
          assert.deepStrictEqual(tags(statuses), all(statuses, "Accept"))
        })
    ),
    equal(
      "verdict-override",
      "lets an override of one status win over everything, the hint not to retry included",
      () =>
        Effect.sync(() => {
          const classify = Verdict.httpWith({
            trustHints: true,
            status: { 404: Verdict.reject(), 503: Verdict.accept }
          })
          assert.strictEqual(of(404, { "x-do-not-retry": "1" }, classify)._tag, "Reject")
          assert.strictEqual(of(503, {}, classify)._tag, "Accept")
        })
    ),
    equal(
      "verdict-outcome",
      "tells the breaker of an accepted answer as a success, of a rejected one as a failure",
      () =>
        Effect.sync(() => {
          assert.strictEqual(Verdict.outcome(of(404)), "success")
          assert.strictEqual(Verdict.outcome(of(503)), "failure")
        })
    ),
    differs("verdict-retry-after", {
      theirs: "does not read Retry-After",
      ours: "waits at least as long as Retry-After says, within the deadline and a maximum",
      reason: "the one who is overloaded knows best when to be asked again",
      rule: "T13"
    }, () =>
      Effect.sync(() => {
        const verdict = of(503, { "retry-after": "3" })
        assert.strictEqual(verdict._tag, "Reject")
        assert.strictEqual(
          verdict._tag === "Reject" && verdict.retryAfter !== undefined ? Duration.toMillis(verdict.retryAfter) : 0,
          3000
        )
      })),
    equal(
      "hint-trusted",
      "does not repeat a call that a trusted hop asks us not to repeat",
      () => Effect.sync(() => assert.notStrictEqual(of(503, { "x-do-not-retry": "1" }, trusting)._tag, "Reject"))
    ),
    differs("hint-stranger", {
      theirs: "obeys X-Do-Not-Retry from anybody",
      ours: "obeys it only where the hop is trusted",
      reason: "any proxy on the way could otherwise switch retries off",
      rule: "T09"
    }, () => Effect.sync(() => assert.strictEqual(of(503, { "x-do-not-retry": "1" })._tag, "Reject"))),
    differs("hint-value", {
      theirs: "takes the header's presence for a yes: 0 means yes",
      ours: "reads its value: 0 means no",
      reason: "who writes 0 means it",
      rule: "T09"
    }, () => Effect.sync(() => assert.strictEqual(of(503, { "x-do-not-retry": "0" }, trusting)._tag, "Reject"))),
    differs(
      "hint-health",
      {
        theirs: "tells the breaker of a 503 with the hint as a success",
        ours: "tells it as the failure that it is",
        reason: "the hint is about this call, the circuit about the service",
        rule: "T09"
      },
      () =>
        Effect.sync(() => assert.strictEqual(Verdict.outcome(of(503, { "x-do-not-retry": "1" }, trusting)), "failure"))
    ),
    differs("synthetic-408", {
      theirs: "answers a made-up 408 when time is up",
      ours: "fails with DeadlineExceeded, which says how long the call had",
      reason: "a 408 of the other side and our own lack of time are different things",
      rule: "T12"
    }, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Deadline.within(Effect.never, 0))
        assert.strictEqual(error._tag, "DeadlineExceeded")
        assert.strictEqual(failed(spent)._tag, "Reject")
      })),
    differs("synthetic-489", {
      theirs: "answers a made-up 489 when the network fails",
      ours: "fails with the client's TransportError, and rejects it like a 5xx",
      reason: "489 is no status of HTTP; an error keeps its cause"
    }, () =>
      Effect.sync(() => {
        const error = new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({
            request: HttpClientRequest.get("https://payments/thing"),
            cause: new Error("ECONNRESET")
          })
        })
        assert.strictEqual(failed(error)._tag, "Reject")
        assert.strictEqual(Verdict.outcome(failed(error)), "failure")
      })),
    differs("synthetic-502", {
      theirs: "answers a made-up 502 when the circuit is open, and counts it as a success",
      ours: "fails with CircuitOpen, which counts as nothing",
      reason: "a 502 says that a gateway spoke with the service; here nobody spoke",
      rule: "T06"
    }, () => Effect.sync(() => assert.strictEqual(Verdict.outcome(failed(refused)), "neutral"))),
    differs("synthetic-499", {
      theirs: "records 499 when the caller has cancelled, sometimes beside the real status",
      ours: "leaves an interruption an interruption: never repeated, neutral to the breaker",
      reason: "nobody is there to read a status",
      rule: "T06"
    }, () =>
      Effect.sync(() => {
        const verdict = Verdict.http(Exit.failCause(Cause.interrupt()), firstAttempt)
        assert.deepStrictEqual(verdict, { _tag: "Fatal", health: "neutral" })
      })),
    differs("verdict-defect", {
      theirs: "has no verdict for an exception: it goes through",
      ours: "never repeats a defect, and counts it as a failure",
      reason: "a bug does not go away by calling it again"
    }, () =>
      Effect.sync(() => {
        const verdict = Verdict.http(Exit.die(new Error("bug")), firstAttempt)
        assert.deepStrictEqual(verdict, { _tag: "Fatal", health: "failure" })
      }))
  ]
}
