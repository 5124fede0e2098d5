import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ClientStack } from "effect-lifecycle/client"
import { InvalidOption } from "effect-lifecycle/resilience"
import { FakeUpstream } from "effect-lifecycle/testing"

// What comes from somebody who is not type-checked.
const refused = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    return error instanceof InvalidOption.InvalidOption ? `${error.module} ${error.option}` : `threw ${String(error)}`
  }
  return "was taken"
}

describe("ClientStack options that make no sense", () => {
  const cases: ReadonlyArray<readonly [option: string, wrong: object]> = [
    ["serviceName", { serviceName: "服务" }],
    ["serviceName", { serviceName: "bad\nname" }],
    ["serviceName", { serviceName: "" }],
    ["serviceName", { serviceName: 5 }],
    ["priority", { priority: "urgent" }],
    ["strategy", { strategy: "nonee" }],
    ["strategy", { strategy: null }],
    ["strategy", { strategy: {} }],
    ["breaker", { breaker: {} }],
    ["breaker", { breaker: Effect.void }],
    ["bulkhead", { bulkhead: {} }],
    ["throttle", { throttle: "slow" }],
    ["verdict", { verdict: "http" }],
    ["idempotencyKey", { idempotencyKey: "generated" }],
    ["rateLimit", { rateLimit: { limit: 1, window: "1 second" } }],
    ["rateLimit.limit", { rateLimit: { limiter: { consume: () => Effect.void }, limit: 0, window: "1 second" } }],
    ["rateLimit.window", { rateLimit: { limiter: { consume: () => Effect.void }, limit: 1, window: 0 } }],
    ["fallback", { fallback: {} }],
    ["timeout", { timeout: "nonee" }],
    ["timeout", { timeout: Number.NaN }],
    ["lowTime", { lowTime: -1 }],
    ["attemptTimeout", { attemptTimeout: "5 bananas" }],
    ["redirects", { redirects: -1 }],
    ["baseUrl", { baseUrl: "payments" }]
  ]
  for (const [option, wrong] of cases) {
    it(`are refused when it is made: ${option} ${JSON.stringify(wrong)}`, () => {
      assert.strictEqual(refused(() => ClientStack.make(wrong)), `ClientStack.make ${option}`)
    })
  }

  it.effect("and names that a header can carry are sent", () =>
    Effect.gen(function*() {
      const upstream = yield* FakeUpstream.client(FakeUpstream.respond({ status: 200 }))
      const client = upstream.client.pipe(ClientStack.make({ serviceName: "caf\u00e9 orders" }))
      yield* client.get("http://up.test/")
      assert.strictEqual((yield* upstream.requests)[0]?.headers["x-service-name"], "caf\u00e9 orders")
    }))
})

describe("ClientStack.expand", () => {
  it("takes only a value of its own that leaves the path as it was declared", () => {
    const wrong: ReadonlyArray<readonly [name: string, values: object]> = [
      ["constructor", {}],
      ["toString", {}],
      ["__proto__", {}],
      ["id", { id: "" }],
      ["id", { id: Number.NaN }],
      ["id", { id: Number.POSITIVE_INFINITY }],
      ["id", { id: "a\ud800" }],
      ["id", { id: null }],
      ["id", { id: ["a"] }],
      ["id", { id: {} }],
      ["id", { id: "." }],
      ["id", Object.create({ id: "inherited" })]
    ]
    for (const [name, values] of wrong) {
      assert.strictEqual(
        refused(() => ClientStack.expand(`/u/{${name}}`, values as Record<string, string>)),
        `ClientStack.expand ${name}`,
        JSON.stringify(values)
      )
    }
    assert.strictEqual(ClientStack.expand("/u/{id}/{n}/{e}", { id: "0", n: -1.5, e: "😀" }), "/u/0/-1.5/%F0%9F%98%80")
    assert.strictEqual(ClientStack.expand("/u/{constructor}", { constructor: "x" }), "/u/x")
  })
})
