import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { InvalidOption } from "effect-lifecycle/resilience"
import { ServerStack, TrustedHosts } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { listener, tokens } from "./harness.ts"
import { raw, type RawAnswer } from "./raw.ts"

const routes = HttpRouter.add("GET", "/docs", HttpServerResponse.text("ok"))
const serve = (options?: TrustedHosts.Options) =>
  ServerStack.serve(routes, {
    service: "x",
    ...(options === undefined ? {} : { trustedHosts: TrustedHosts.stage(options) })
  }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))

const refused = (answer: RawAnswer, reason: string) => {
  assert.strictEqual(answer.status, 400)
  assert.deepInclude(answer.problem, {
    type: "urn:problem:host-refused",
    status: 400,
    stage: "Middleware",
    detail: `The Host header is ${reason}`
  })
  assert.strictEqual(answer.problem["requestId"], answer.headers["x-request-id"])
}
const status = (...lines: ReadonlyArray<string>) => Effect.map(raw(["GET /docs HTTP/1.1", ...lines]), (_) => _.status)

describe("TrustedHosts", () => {
  it("knows names, everything below a domain, and addresses, whatever the port, the case and the last dot", () => {
    const trusts = TrustedHosts.make(["api.example.com", "*.example.org", "127.0.0.1", "[::1]"])
    for (
      const host of [
        "api.example.com",
        "api.example.com:8443",
        "api.example.com:",
        "API.Example.COM.",
        "a.example.org",
        "a.b.example.org:1",
        "127.0.0.1:80",
        "[::1]:80",
        "[::1]"
      ]
    ) assert.isTrue(trusts(host), host)
    for (
      const host of ["example.com", "example.org", "xexample.org", ".example.org", "api.example.com.evil.test", "[::2]"]
    ) assert.isFalse(trusts(host), host)
  })

  it("tells a host from what is none", () => {
    for (const host of ["a", "a.b", "a:0", "127.0.0.1", "[::1]:65535", "xn--bcher-kva.example", "my_host"]) {
      assert.isTrue(TrustedHosts.isWellFormed(host), host)
    }
    for (
      const host of [
        "",
        " ",
        "a b",
        "a/b",
        "a@b",
        "a,b",
        "a:b",
        "a:123456",
        "::1",
        "[::1",
        "a..b",
        ".a",
        "a?",
        "a#b",
        "é"
      ]
    ) assert.isFalse(TrustedHosts.isWellFormed(host), host)
  })

  it("refuses names with a port, a path, a star elsewhere, and an empty list when it is built", () => {
    for (const hosts of [["a:80"], ["http://a"], ["a/b"], ["a.*"], ["*"], ["**.a"], [""], []]) {
      assert.throws(
        () => TrustedHosts.stage({ hosts }),
        InvalidOption.InvalidOption,
        "TrustedHosts.stage: hosts must be"
      )
    }
  })

  layer(serve(), { excludeTestServices: true })((it) => {
    it.effect("takes any well-formed host by default, and none in HTTP/1.0", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* status("host: whatever.example:99"), 200)
        assert.strictEqual((yield* raw(["GET /docs HTTP/1.0"])).status, 200)
      }))

    it.effect("refuses a host that is empty, malformed or there twice, before the router", () =>
      Effect.gen(function*() {
        refused(yield* raw(["GET /nowhere HTTP/1.1", "host:"]), "malformed")
        refused(yield* raw(["GET /docs HTTP/1.1", "host: a b"]), "malformed")
        refused(yield* raw(["GET /docs HTTP/1.1", "host: user@evil.test"]), "malformed")
        refused(yield* raw(["GET /docs HTTP/1.1", "host: a", "Host: b"]), "repeated")
        refused(yield* raw(["GET /docs HTTP/1.1", "host: a", "x-other: 1", "HOST: a"]), "repeated")
        assert.strictEqual((yield* raw(["GET /docs HTTP/1.1"])).status, 400)
      }))
  })

  layer(serve({ hosts: ["api.example.com", "*.example.org"] }), { excludeTestServices: true })((it) => {
    it.effect("answers for its names only, and says nothing of the name that was asked", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* status("host: api.example.com:1234"), 200)
        const other = yield* raw(["GET /docs HTTP/1.1", "host: evil.test"])
        refused(other, "unknown")
        assert.notInclude(other.body.toString(), "evil")
        // The one before was fine, the one after has to be looked at again.
        assert.strictEqual(yield* status("host: a.example.org"), 200)
        refused(yield* raw(["GET /docs HTTP/1.1", "host: example.org"]), "unknown")
        refused(yield* raw(["GET /docs HTTP/1.0"]), "missing")
      }))

    it.effect("looks at the host of an absolute target, which wins over the header", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* raw(["GET http://a.example.org/docs HTTP/1.1", "host: evil.test"])).status, 200)
        refused(yield* raw(["GET http://evil.test/docs HTTP/1.1", "host: api.example.com"]), "unknown")
      }))

    it.effect("does not believe X-Forwarded-Host of anybody by default", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* status("host: evil.test", "x-forwarded-host: api.example.com"), 400)
        assert.strictEqual(yield* status("host: api.example.com", "x-forwarded-host: evil.test"), 200)
      }))
  })
})
