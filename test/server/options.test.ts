import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Result } from "effect"
import { Deadline, Priority } from "effect-lifecycle/request"
import {
  AccessLog,
  Admission,
  Authentication,
  BodyLimits,
  Compression,
  ContentTypes,
  Cors,
  Deadlines,
  Exchange,
  Idempotency,
  LifecyclePage,
  Methods,
  Problems,
  RateLimits,
  RequestIds,
  Scopes,
  SecurityHeaders,
  ServerStack,
  ServerTiming,
  TraceContext,
  TrustedHops,
  TrustedHosts,
  TrustedProxies
} from "effect-lifecycle/server"
import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
import * as NodeListener from "effect-lifecycle/server/NodeListener"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { optionOf } from "./refused.ts"

// What an option gets from somebody who is not type-checked: a configuration file, or plain JavaScript.
type Make = (value: never) => unknown

const noTime = [Number.NaN, -1, "5 bananas", "-1 minute", Number.POSITIVE_INFINITY, { seconds: Number.NaN }, "400 days"]
const noPositiveTime = [...noTime, 0, {}]
const noSize = [Number.NaN, -1, 1.5, "5 bananas", {}]
const noCount = [Number.NaN, -1, 0, 1.5, "5", Number.POSITIVE_INFINITY]
const noHeader = ["", "a b", "a:b", "a\nb", "größe", null]
const noValue = ["b\nc", "b\rc", "b\u0000c", "服务", null, 5]
const noTrust = ["everybody", ["nonsense"], 5]

const policy = (more: object) => ({ policies: [{ name: "calls", limit: 1, window: "1 second", ...more }] as never })
const page = (more: object) => LifecyclePage.layer({ journal: Effect.never, ...more })
const row = (more: object) => Problems.table({ Odd: { status: 409, title: "Odd", ...more } })

const cases: ReadonlyArray<readonly [module: string, option: string, Make, wrong: ReadonlyArray<unknown>]> = [
  ["Idempotency.stage", "lease", (lease) => Idempotency.stage({ required: ["/a"], lease }), noPositiveTime],
  [
    "Idempotency.stage",
    "timeToLive",
    (timeToLive) => Idempotency.stage({ required: ["/a"], timeToLive }),
    noPositiveTime
  ],
  [
    "Idempotency.stage",
    "retryAfterSeconds",
    (retryAfterSeconds) => Idempotency.stage({ required: ["/a"], retryAfterSeconds }),
    noCount
  ],
  ["Deadlines.stage", "default", (value) => Deadlines.stage({ default: value }), noPositiveTime],
  ["Deadlines.stage", "maximum", (maximum) => Deadlines.stage({ maximum }), noPositiveTime],
  ["Deadlines.stage", "minimum", (minimum) => Deadlines.stage({ minimum }), noTime],
  [
    "Deadlines.stage",
    "priorityCodecs",
    (header) => Deadlines.stage({ priorityCodecs: [{ ...Priority.rfc9218, header }] }),
    noHeader
  ],
  ["TrustedHops.make", "trust", (trust) => Deadlines.stage({ trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => RequestIds.stage({ trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => TraceContext.stage({ trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => AccessLog.stage({ trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => ServerTiming.stage({ trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => TrustedProxies.stage({ trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => RateLimits.byAddress({ ...policy({}), trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => page({ trust }), noTrust],
  ["TrustedHops.make", "trust", (trust) => TrustedHops.make(trust), noTrust],
  ["LifecyclePage.layer", "neighbours.url", (url) => page({ neighbours: [{ name: "a", url }] }), ["", "/a", "ftp://a"]],
  ["LifecyclePage.layer", "siblings.url", (url) => page({ siblings: [{ name: "a", url }] }), ["", "127.0.0.1:80"]],
  ["BodyLimits.stage", "maximum", (maximum) => BodyLimits.stage({ maximum }), noSize],
  ["NodeDecompression.stage", "maximum", (maximum) => NodeDecompression.stage({ maximum }), noSize],
  ["NodeDecompression.stage", "codings", (codings) => NodeDecompression.stage({ codings }), [[], ["lzma"]]],
  ["Compression.stage", "minimum", (minimum) => Compression.stage({ minimum }), noSize],
  ["Compression.stage", "codings", (codings) => Compression.stage({ codings }), [[], ["lzma"]]],
  ["Compression.stage", "levels.br", (br) => Compression.stage({ levels: { br } }), [99, -1, Number.NaN, 1.5, "4"]],
  ["Compression.stage", "levels.gzip", (gzip) => Compression.stage({ levels: { gzip } }), [10, -2]],
  ["Compression.stage", "levels.zstd", (zstd) => Compression.stage({ levels: { zstd } }), [0, 23]],
  ["Compression.stage", "levels", (levels) => Compression.stage({ levels }), [{ lzma: 1 }]],
  ["ContentTypes.stage", "accept", (accept) => ContentTypes.stage({ accept }), [
    [],
    ["json"],
    ["application/json; charset=utf-8"],
    [""]
  ]],
  ["NodeListener.layer", "port", (port) => NodeListener.layer({ port }), [-1, 65_536, Number.NaN, "80", undefined]],
  [
    "NodeListener.layer",
    "maxHeaderBytes",
    (maxHeaderBytes) => NodeListener.layer({ port: 0, maxHeaderBytes }),
    noCount
  ],
  [
    "NodeListener.layer",
    "maxConnections",
    (maxConnections) => NodeListener.layer({ port: 0, maxConnections }),
    noCount
  ],
  [
    "NodeListener.layer",
    "headersTimeout",
    (headersTimeout) => NodeListener.layer({ port: 0, headersTimeout }),
    [...noPositiveTime, "30 days"]
  ],
  [
    "NodeListener.layer",
    "requestTimeout",
    (requestTimeout) => NodeListener.layer({ port: 0, requestTimeout }),
    [...noPositiveTime, "30 days"]
  ],
  [
    "NodeListener.layer",
    "keepAliveTimeout",
    (keepAliveTimeout) => NodeListener.layer({ port: 0, keepAliveTimeout }),
    [...noPositiveTime, "30 days"]
  ],
  ["NodeListener.layer", "gracePeriod", (gracePeriod) => NodeListener.layer({ port: 0, gracePeriod }), noTime],
  [
    "NodeListener.layer",
    "eventLoopInterval",
    (eventLoopInterval) => NodeListener.layer({ port: 0, eventLoopInterval }),
    noPositiveTime
  ],
  [
    "ServerStack.serve",
    "drainDelay",
    (drainDelay) => ServerStack.serve(Layer.empty, { service: "x", drainDelay }),
    noTime
  ],
  ["Methods.stage", "maxUrlLength", (maxUrlLength) => Methods.stage({ maxUrlLength }), noCount],
  ["RequestIds.stage", "headers", (name) => RequestIds.stage({ headers: [name] }), noHeader],
  ["RequestIds.stage", "responseHeader", (responseHeader) => RequestIds.stage({ responseHeader }), ["", "a b", "a\nb"]],
  ["SecurityHeaders.stage", "headers", (name) => SecurityHeaders.stage({ headers: { [name]: "a" } }), ["", "a b", "ä"]],
  ["SecurityHeaders.stage", "headers.x-a", (value) => SecurityHeaders.stage({ headers: { "X-A": value } }), noValue],
  [
    "SecurityHeaders.stage",
    "strictTransportSecurity",
    (strictTransportSecurity) => SecurityHeaders.stage({ strictTransportSecurity }),
    noValue
  ],
  ["Problems.table", "Odd.status", (status) => row({ status }), [Number.NaN, 0, 200, 600, 404.5, "404", undefined]],
  ["Problems.table", "Odd.stage", (stage) => row({ stage }), ["Handlers", null]],
  ["Cors.stage", "maxAge", (maxAge) => Cors.stage({ origins: "*", maxAge }), noTime],
  ["Cors.stage", "allowedHeaders", (name) => Cors.stage({ origins: "*", allowedHeaders: [name] }), noHeader],
  ["Cors.stage", "exposedHeaders", (name) => Cors.stage({ origins: "*", exposedHeaders: [name] }), noHeader],
  ["TrustedHosts.stage", "hosts", (hosts) => TrustedHosts.stage({ hosts }), [[], ["https://a"], ["a:80"]]],
  ["Scopes.stage", "unlisted", (unlisted) => Scopes.stage({ routes: { "/a": [] }, unlisted }), ["refused", 1]],
  ["Admission.stage", "priorities", (priorities) => Admission.stage({ permits: 1, priorities }), [{ urgent: ["/a"] }]],
  ["Bulkhead", "permits", (permits) => Admission.stage({ permits }), [0, Number.NaN]],
  ["RateLimits", "policies", (policies) => RateLimits.byUser({ policies }), [[]]],
  ["RateLimits", "policies.calls.limit", (limit) => RateLimits.byUser(policy({ limit })), noCount],
  ["RateLimits", "policies.calls.window", (window) => RateLimits.byUser(policy({ window })), noPositiveTime],
  ["RateLimits", "policies.calls.algorithm", (algorithm) => RateLimits.byUser(policy({ algorithm })), ["leaky", 1]],
  [
    "RateLimits",
    "timeout",
    (timeout) => RateLimits.byUser({ ...policy({}), timeout }),
    noPositiveTime
  ],
  ["RateLimits", "onStoreAway", (onStoreAway) => RateLimits.byUser({ ...policy({}), onStoreAway }), ["close", true]],
  ["Deadline.layer", "default", (value) => Deadline.layer({ default: value }), noTime],
  ["Deadline.layer", "maximum", (maximum) => Deadline.layer({ maximum }), noTime]
]

describe("an option that makes no sense is refused where it is given, by its name", () => {
  for (const [module, option, make, wrong] of cases) {
    it(`${module}: ${option}`, () => {
      for (const value of wrong) {
        const named = optionOf(() => make(value as never))
        assert.deepStrictEqual(named.slice(1), [option], `${String(value)}: ${String(named)}`)
        assert.strictEqual(String(named[0]).startsWith(module), true, String(named[0]))
      }
    })
  }
})

describe("an option at the end of its range is taken", () => {
  it("for times, sizes, counts and headers", () => {
    Deadlines.stage({ default: "1 millis", maximum: Duration.days(366), minimum: 0 })
    BodyLimits.stage({ maximum: 0 })
    Compression.stage({ minimum: 0, levels: { br: 0, gzip: 9, zstd: 22, deflate: 0 } })
    NodeListener.layer({ port: 65_535, maxConnections: 1, gracePeriod: 0, keepAliveTimeout: "24 days" })
    Idempotency.stage({ required: ["/a"], lease: "1 millis", timeToLive: "30 days", retryAfterSeconds: 1 })
    SecurityHeaders.stage({ headers: { "X-A": "", "x-b": "caf\u00e9\t!" } })
    Problems.table({ Odd: { status: 400, title: "a" }, Even: { status: 599, title: "b", stage: "Handler" } })
    Deadline.layer({ default: 0, maximum: 0 })
  })
})

describe("a server with options in another case than headers come in", () => {
  const urgency: Priority.PriorityCodec = {
    header: "X-Urgency",
    encode: (priority) => priority,
    decode: (value) => value === "low" ? Result.succeed("low") : Result.fail("not low")
  }
  const routes = Layer.mergeAll(
    HttpRouter.add("POST", "/", Effect.map(Priority.Current, (priority) => HttpServerResponse.text(priority))),
    HttpRouter.add("GET", "/broken", Effect.as(Exchange.setHeader("x-a", "b\nc"), HttpServerResponse.text("never")))
  )
  const live = ServerStack.serve(routes, {
    service: "x",
    authentication: Authentication.stage({ exempt: ["/*"] }),
    requestIds: RequestIds.stage({ headers: ["X-Trace-ID"], responseHeader: "X-Trace-ID" }),
    deadlines: Deadlines.stage({ priorityCodecs: [urgency] }),
    contentTypes: ContentTypes.stage({ accept: ["Text/CSV"] })
  }).pipe(
    Layer.provide(Authentication.layerTokens(Redacted.make("token123:alice"))),
    Layer.provideMerge(NodeListener.layer({ port: 0 }))
  )
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("reads an id, a priority and a media type", () =>
      Effect.gen(function*() {
        const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
        const answer = yield* Effect.promise(() =>
          fetch(url, {
            method: "POST",
            body: "a;b",
            headers: { "x-trace-id": "mine", "x-urgency": "low", "content-type": "text/csv" }
          })
        )
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers.get("x-trace-id"), "mine")
        assert.strictEqual(yield* Effect.promise(() => answer.text()), "low")
      }))

    it.effect("tells a header that nobody can send as a bug, with a document", () =>
      Effect.gen(function*() {
        const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
        const answer = yield* Effect.promise(() => fetch(`${url}/broken`))
        assert.strictEqual(answer.status, 500)
        assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
        assert.strictEqual(answer.headers.get("x-a"), null)
      }))
  })
})
