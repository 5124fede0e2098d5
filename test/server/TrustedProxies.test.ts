import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { ServerStack, type ServerStage, TrustedHosts, TrustedProxies } from "effect-lifecycle/server"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { listener, tokens } from "./harness.ts"
import { raw } from "./raw.ts"

/** Answers what a handler sees of its client. */
const routes = HttpRouter.add(
  "GET",
  "/docs",
  Effect.map(HttpServerRequest.HttpServerRequest, (request) =>
    HttpServerResponse.jsonUnsafe({
      url: Option.match(HttpServerRequest.toURL(request), { onNone: () => "none", onSome: String }),
      client: Option.getOrNull(request.remoteAddress),
      peer: Option.getOrNull(request.peerAddress)
    }))
)

const serve = (trustedProxies?: ServerStage.OuterStage, trustedHosts?: ServerStage.OuterStage) =>
  ServerStack.serve(routes, { service: "x", trustedProxies, trustedHosts }).pipe(
    Layer.provide(tokens),
    Layer.provideMerge(listener)
  )

const ask = (...lines: ReadonlyArray<string>) => raw(["GET /docs HTTP/1.1", "host: inside:1", ...lines])
const seen = (...lines: ReadonlyArray<string>) => Effect.map(ask(...lines), (answer) => JSON.parse(String(answer.body)))
const peer = "127.0.0.1"
const hsts = "strict-transport-security"

describe("TrustedProxies", () => {
  it("reads the address from the end of the list back to the first that no proxy of ours has", () => {
    const read = TrustedProxies.make({ trust: (address) => address?.startsWith("10.") === true })
    const address = (list: string) => read("10.0.0.1", { "x-forwarded-for": list })?.address
    assert.strictEqual(address("203.0.113.9"), "203.0.113.9")
    assert.strictEqual(address("6.6.6.6, 203.0.113.9, 10.0.0.2"), "203.0.113.9")
    assert.strictEqual(address("[2001:db8::7]:4711, 10.0.0.2:80"), "2001:db8::7")
    assert.strictEqual(read("203.0.113.9", { "x-forwarded-for": "6.6.6.6" }), undefined)
  })

  it("takes the first scheme and host, and nothing that is none", () => {
    const read = TrustedProxies.make({ trust: "all", host: true })
    assert.deepStrictEqual(
      read(peer, { "x-forwarded-proto": "HTTPS, http", "x-forwarded-host": "api.example.com , inner" }),
      { address: undefined, protocol: "https", host: "api.example.com" }
    )
    assert.deepStrictEqual(
      read(peer, { "x-forwarded-proto": "javascript", "x-forwarded-host": " " }),
      { address: undefined, protocol: undefined, host: undefined }
    )
    assert.strictEqual(read(peer, {}), undefined)
  })

  layer(serve(), { excludeTestServices: true })((it) => {
    it.effect("leaves a request alone that came without a proxy", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* seen(), { url: "http://inside:1/docs", client: peer, peer })
        assert.isUndefined((yield* ask()).headers[hsts])
      }))

    it.effect("gives handlers the client's address and scheme, and keeps the socket's own end", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* seen("x-forwarded-for: 203.0.113.9", "x-forwarded-proto: https", "x-forwarded-host: evil.example"),
          { url: "https://inside:1/docs", client: "203.0.113.9", peer }
        )
      }))

    it.effect("tells the client to come back over https when it came over it", () =>
      Effect.gen(function*() {
        assert.match(String((yield* ask("x-forwarded-proto: https")).headers[hsts]), /^max-age=/)
        assert.isUndefined((yield* ask("x-forwarded-proto: http")).headers[hsts])
        // What a client writes into its own request line is no connection.
        const claimed = yield* raw(["GET https://inside:1/docs HTTP/1.1", "host: inside:1"])
        assert.deepStrictEqual([claimed.status, claimed.headers[hsts]], [200, undefined])
      }))
  })

  layer(serve(TrustedProxies.stage({ trust: "none" })), { excludeTestServices: true })((it) => {
    it.effect("believes nobody who is not trusted", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* seen("x-forwarded-for: 203.0.113.9", "x-forwarded-proto: https"),
          { url: "http://inside:1/docs", client: peer, peer }
        )
      }))
  })

  layer(
    serve(TrustedProxies.stage({ host: true }), TrustedHosts.stage({ hosts: ["api.example.com", "inside"] })),
    { excludeTestServices: true }
  )((it) => {
    it.effect("puts the name that the client used in the place of Host, where TrustedHosts looks at it", () =>
      Effect.gen(function*() {
        const { url } = yield* seen("x-forwarded-host: api.example.com", "x-forwarded-proto: https")
        assert.strictEqual(url, "https://api.example.com/docs")
        assert.strictEqual((yield* ask("x-forwarded-host: evil.example")).status, 400)
        assert.strictEqual((yield* ask("x-forwarded-host: a b")).status, 400)
      }))
  })
})
