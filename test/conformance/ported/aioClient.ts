import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { ClientStack } from "effect-lifecycle/client"
import { Recorder } from "effect-lifecycle/lifecycle"
import { Metrics } from "effect-lifecycle/observability"
import { Deadline, Priority } from "effect-lifecycle/request"
import { CircuitBreaker, RequestStrategy } from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"
import { TestClock } from "effect/testing"
import { differs, equal, type Topic } from "../ported.ts"

const origin = "http://things.internal"

/** A stack around a scripted upstream, without sockets. */
const stack = (script: Parameters<typeof FakeUpstream.client>[0], options: ClientStack.Options = {}) =>
  Effect.map(FakeUpstream.client(script), (upstream) => ({
    requests: upstream.requests,
    client: upstream.client.pipe(ClientStack.make({ baseUrl: origin, serviceName: "orders", ...options }))
  }))

const answer = (status: number) => FakeUpstream.respond({ status })

/** Runs `self` for as long as it takes in virtual time, and says how it ended and when. */
const ended = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(self, { startImmediately: true })
    let millis = 0
    while (fiber.pollUnsafe() === undefined && millis < 60_000) {
      yield* TestClock.adjust(10)
      millis += 10
    }
    return { exit: yield* Fiber.await(fiber), millis }
  })

const heard = () => {
  const reports: Array<Recorder.Report> = []
  const listen = Recorder.recordTo((report) => reports.push(report))
  const of = <Tag extends Recorder.Report["_tag"]>(tag: Tag) =>
    reports.filter((report): report is Extract<Recorder.Report, { readonly _tag: Tag }> => report._tag === tag)
  return { listen, of }
}

/** The client as a whole: defaults, headers, time, metrics. */
export const aioClient: Topic = {
  source: "aio-request",
  title: "aio-request: the client",
  file: "aioClient.ts",
  behaviours: [
    equal(
      "client-timeout",
      "gives a call 20 s unless told otherwise, and says so in X-Request-Timeout",
      () =>
        Effect.gen(function*() {
          const { client, requests } = yield* stack([answer(200)])
          yield* client.get("/thing")
          assert.closeTo(Number((yield* requests)[0]?.headers["x-request-timeout"]), 20, 0.01)
        })
    ),
    equal(
      "client-per-call",
      "lets the deadline of a call win over the client's default, a longer one included",
      () =>
        Effect.gen(function*() {
          const { client, requests } = yield* stack(() => answer(200))
          yield* client.get("/thing").pipe(Deadline.within("5 seconds"))
          yield* client.get("/thing").pipe(Deadline.within("50 seconds"))
          const told = (yield* requests).map(({ headers }) => Number(headers["x-request-timeout"]))
          assert.closeTo(told[0] ?? 0, 5, 0.01)
          assert.closeTo(told[1] ?? 0, 50, 0.01)
        })
    ),
    equal(
      "client-priority",
      "sends the priority in X-Request-Priority, normal unless told otherwise",
      () =>
        Effect.gen(function*() {
          const { client, requests } = yield* stack(() => answer(200))
          yield* client.get("/thing")
          yield* client.get("/thing").pipe(Priority.withPriority("low"))
          assert.deepStrictEqual((yield* requests).map(({ headers }) => headers["x-request-priority"]), [
            "normal",
            "low"
          ])
        })
    ),
    equal("client-no-headers", "sends neither when told not to", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack([answer(200)], { headers: false })
        yield* client.get("/thing")
        const { headers } = (yield* requests)[0]!
        assert.deepStrictEqual([headers["x-request-timeout"], headers["x-request-priority"]], [undefined, undefined])
      })),
    equal("client-defaults", "makes three attempts at a GET and one at a POST", () =>
      Effect.gen(function*() {
        for (const [method, attempts] of [["GET", 3], ["POST", 1]] as const) {
          const { client, requests } = yield* stack(() => answer(503))
          const call = yield* ended(client.execute(HttpClientRequest.make(method)("/thing")))
          assert.isTrue(Exit.isSuccess(call.exit) && call.exit.value.status === 503)
          assert.strictEqual((yield* requests).length, attempts)
        }
      })),
    equal("client-shrinking", "tells each attempt what is left then", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack(() => FakeUpstream.respond({ status: 503, latency: "2 seconds" }))
        yield* ended(client.get("/thing"))
        const told = (yield* requests).map(({ headers }) => Number(headers["x-request-timeout"]))
        assert.isAbove(told[0] ?? 0, 19.9)
        assert.isBelow(told[1] ?? 0, 18)
        assert.isBelow(told[2] ?? 0, 16)
      })),
    equal("client-low-time", "sends nothing with less than 5 ms left", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack(() => answer(200))
        const late = yield* Effect.flip(client.get("/thing").pipe(Deadline.within("4 millis")))
        assert.strictEqual(late._tag, "DeadlineExceeded")
        assert.strictEqual((yield* requests).length, 0)
      })),
    equal("client-strategy", "lets the strategy of a call win over the client's", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack(() => answer(503))
        yield* client.get("/thing").pipe(RequestStrategy.withStrategy(RequestStrategy.single))
        assert.strictEqual((yield* requests).length, 1)
      })),
    equal(
      "client-enricher",
      "runs what changes a request inside of the stack once for each attempt",
      () =>
        Effect.gen(function*() {
          const upstream = yield* FakeUpstream.client(() => answer(503))
          let runs = 0
          const client = upstream.client.pipe(
            HttpClient.mapRequest((request) => HttpClientRequest.setHeader(request, "x-signed", String(++runs))),
            ClientStack.make({ baseUrl: origin })
          )
          yield* ended(client.get("/thing"))
          assert.deepStrictEqual((yield* upstream.requests).map(({ headers }) => headers["x-signed"]), ["1", "2", "3"])
        })
    ),
    equal("client-scope", "keeps one circuit for an endpoint, whatever the path", () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make({
          name: "endpoints",
          trip: CircuitBreaker.consecutive(2),
          breakDuration: "1 second"
        })
        const { client, requests } = yield* stack(() => answer(503), { breaker, strategy: RequestStrategy.single })
        yield* client.get("/one")
        yield* client.get("/two")
        assert.strictEqual((yield* Effect.flip(client.get("/three")))._tag, "CircuitOpen")
        assert.strictEqual((yield* requests).length, 2)
        assert.deepStrictEqual(yield* breaker.keys, [origin])
      })),
    differs("client-names-itself", {
      theirs: "never sends X-Service-Name, which its own server reads",
      ours: "sends it when the stack is given a name",
      reason: "the server's numbers by caller are empty otherwise"
    }, () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack([answer(200)])
        yield* client.get("/thing")
        assert.strictEqual((yield* requests)[0]?.headers["x-service-name"], "orders")
      })),
    differs("client-attempt-header", {
      theirs: "does not tell the server which attempt it sees",
      ours: "tells its number and kind in X-Request-Attempt",
      reason: "a server that is overloaded can refuse retries first"
    }, () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack([answer(503), answer(200)])
        yield* ended(client.get("/thing"))
        const told = (yield* requests).map(({ headers }) => headers["x-request-attempt"]?.replace(/;elapsed.*/, ""))
        assert.deepStrictEqual(told, ["1;kind=primary", "2;kind=retry"])
      })),
    differs("client-replica", {
      theirs: "resolves the endpoint once for a call: all attempts go to the same one",
      ours: "may choose another endpoint for each attempt",
      reason: "the second attempt does better where the first one was not"
    }, () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack([answer(503), answer(200)], {
          baseUrl: (attempt) => `http://replica-${attempt.number}.internal`
        })
        yield* ended(client.get("/thing"))
        const hosts = (yield* requests).map(({ headers }) => headers["host"])
        assert.deepStrictEqual(hosts, ["replica-1.internal", "replica-2.internal"])
      })),
    differs("client-body-time", {
      theirs: "bounds single phases: with 0.5 s a body that trickles was a 200 after 2.05 s",
      ours: "ends reading the body at the deadline",
      reason: "half of the time of a slow answer is spent in its body",
      rule: "T11"
    }, () =>
      Effect.gen(function*() {
        const { client } = yield* stack([FakeUpstream.trickle({ body: "0123456789", every: "200 millis" })])
        const read = Effect.flatMap(client.get("/thing"), (response) => response.text)
        const { exit, millis } = yield* ended(read.pipe(Deadline.within("500 millis")))
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual(millis, 500)
      })),
    differs("client-retry-after", {
      theirs: "does not read Retry-After: three attempts in 150 ms at a service that asked for 3 s",
      ours: "waits for as long as the service asks, up to 30 s and within the deadline; else it ends the call",
      reason: "attempts before that time are refused, and make the overload worse",
      rule: "T13"
    }, () =>
      Effect.gen(function*() {
        const busy = (seconds: number) =>
          FakeUpstream.respond({ status: 503, headers: { "retry-after": String(seconds) } })
        const patient = yield* stack([busy(3), answer(200)])
        const waited = yield* ended(patient.client.get("/thing"))
        assert.isTrue(Exit.isSuccess(waited.exit) && waited.exit.value.status === 200)
        assert.isAtLeast(waited.millis, 3000)
        assert.isAtMost(waited.millis, 3700)
        const hopeless = yield* stack([busy(40), answer(200)])
        const refused = yield* ended(hopeless.client.get("/thing").pipe(Deadline.within("50 seconds")))
        assert.isTrue(Exit.isSuccess(refused.exit) && refused.exit.value.status === 503)
        assert.strictEqual(refused.millis, 0)
      })),
    differs("client-connect", {
      theirs: "connects up to three times inside one attempt, each with the full time of the attempt",
      ours: "counts every connection that fails as an attempt",
      reason: "three times three is nine, and nobody asked for nine",
      rule: "T11"
    }, () =>
      Effect.gen(function*() {
        const { client, requests } = yield* stack(() => FakeUpstream.reset())
        const { exit } = yield* ended(client.get("/thing"))
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual((yield* requests).length, 3)
      })),
    differs("client-redirects", {
      theirs: "follows up to 10 redirects, then answers a made-up 488 with every Location it has seen",
      ours: "follows as many as it is told, none by default, and returns the redirect it stopped at",
      reason: "a service that calls another one knows its address; a redirect is worth seeing"
    }, () =>
      Effect.gen(function*() {
        const away = FakeUpstream.respond({ status: 302, headers: { location: `${origin}/other` } })
        const plain = yield* stack(() => away)
        assert.strictEqual((yield* plain.client.get("/thing")).status, 302)
        assert.strictEqual((yield* plain.requests).length, 1)
        const following = yield* stack(() => away, { redirects: 2 })
        assert.strictEqual((yield* following.client.get("/thing")).status, 302)
        assert.strictEqual((yield* following.requests).length, 3)
      })),
    differs(
      "client-path-params",
      {
        theirs: "puts values into the path as they are",
        ours: "percent-encodes them",
        reason: "a value with a slash or a question mark would ask for something else"
      },
      () =>
        Effect.sync(() => assert.strictEqual(ClientStack.expand("/users/{id}", { id: "a/b?c" }), "/users/a%2Fb%3Fc"))
    ),
    equal(
      "metrics-call",
      "records one duration for each logical call, with endpoint, method, path template and status",
      () =>
        Effect.gen(function*() {
          const { listen, of } = heard()
          const { client } = yield* stack([answer(503), answer(200)])
          yield* listen(ended(client.get("/users/1").pipe(ClientStack.route("/users/{id}"))))
          const calls = of("ClientRequestEnded").map(({ attempts, endpoint, method, route, status }) => ({
            attempts,
            endpoint,
            method,
            route,
            status
          }))
          assert.deepStrictEqual(calls, [
            { attempts: 2, endpoint: origin, method: "GET", route: "/users/{id}", status: 200 }
          ])
        })
    ),
    equal(
      "metrics-attempt",
      "records one duration for each attempt on the wire, with its status",
      () =>
        Effect.gen(function*() {
          const { listen, of } = heard()
          const { client } = yield* stack([answer(503), answer(200)])
          yield* listen(ended(client.get("/thing")))
          assert.deepStrictEqual(of("ClientAttemptEnded").map(({ status }) => status), [503, 200])
        })
    ),
    differs("metrics-cancelled", {
      theirs: "records a call twice when its caller cancels while the body is read: with its status, and as 499",
      ours: "records it once",
      reason: "two counts for one call make every rate wrong",
      rule: "T17"
    }, () =>
      Effect.gen(function*() {
        const { listen, of } = heard()
        const { client } = yield* stack([FakeUpstream.trickle({ body: "0123456789", every: "1 second" })])
        const read = Effect.flatMap(client.get("/thing"), (response) => response.text)
        const fiber = yield* Effect.forkChild(listen(read), { startImmediately: true })
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(of("ClientRequestEnded").map(({ status }) => status), [200])
      })),
    differs("metrics-failed", {
      theirs: "records nothing for a call that ends with an exception other than a cancellation",
      ours: "records it, without a status",
      reason: "the calls that failed are those one looks for",
      rule: "T17"
    }, () =>
      Effect.gen(function*() {
        const { listen, of } = heard()
        const { client } = yield* stack(() => FakeUpstream.reset())
        yield* listen(ended(client.get("/thing")))
        assert.deepStrictEqual(of("ClientRequestEnded").map(({ attempts, status }) => [attempts, status]), [
          [3, undefined]
        ])
      })),
    differs("metrics-buckets", {
      theirs: "has 20 buckets from 5 ms to 20 s, eleven of them from 50 to 500 ms",
      ours: "has the 14 buckets of OpenTelemetry's conventions, from 5 ms to 10 s",
      reason: "numbers of services in several languages can only be added up when their buckets are the same"
    }, () =>
      Effect.sync(() =>
        assert.deepStrictEqual(Metrics.boundaries, [
          0.005,
          0.01,
          0.025,
          0.05,
          0.075,
          0.1,
          0.25,
          0.5,
          0.75,
          1,
          2.5,
          5,
          7.5,
          10
        ])
      ))
  ]
}
