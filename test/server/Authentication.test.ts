import { assert, describe, it, layer } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Redacted } from "effect"
import { Authentication, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { listener } from "./harness.ts"
import { raw } from "./raw.ts"

const valid = new Map<string, string>()
const asked: Array<Redacted.Redacted> = []
const tokens = Layer.succeed(Authentication.Authenticator, {
  authenticate: (token) =>
    Effect.suspend(() => {
      asked.push(token)
      const id = valid.get(Redacted.value(token))
      return id === undefined
        ? Effect.fail(new Authentication.Unauthorized({ reason: "unknown", challenge: "Bearer" }))
        : Effect.succeed({ id })
    })
})

const whoami = HttpRouter.add(
  "GET",
  "/whoami",
  Effect.map(Authentication.CurrentUser, ({ id }) => HttpServerResponse.text(id))
)

const ask = (authorization?: string) =>
  Effect.map(
    raw([
      "GET /whoami HTTP/1.1",
      "host: a",
      ...(authorization === undefined ? [] : [`authorization: ${authorization}`])
    ]),
    ({ body, headers, status }) => [status, status === 200 ? String(body) : headers["www-authenticate"]]
  )

describe("Authentication", () => {
  layer(
    ServerStack.serve(whoami, { service: "x" }).pipe(Layer.provide(tokens), Layer.provideMerge(listener)),
    { excludeTestServices: true }
  )((it) => {
    it.effect("takes a bearer token in any case and with any number of spaces, and nothing else", () =>
      Effect.gen(function*() {
        valid.set("t0ken.~+/-_=", "alice")
        for (const scheme of ["Bearer ", "bearer ", "BEARER   "]) {
          assert.deepStrictEqual(yield* ask(`${scheme}t0ken.~+/-_=`), [200, "alice"])
        }
        for (
          const header of [
            undefined,
            "",
            "Bearer",
            "Bearer ",
            "Basic t0ken",
            "Bearer a b",
            "Bearer a,b",
            "t0ken.~+/-_="
          ]
        ) assert.deepStrictEqual(yield* ask(header), [401, "Bearer"], header)
        assert.strictEqual((yield* ask(`Bearer ${"a".repeat(4097)}`))[0], 401)
      }))

    it.effect("asks about a token with every request, so that one that is taken back no longer opens", () =>
      Effect.gen(function*() {
        valid.set("short", "bob")
        assert.deepStrictEqual(yield* ask("Bearer short"), [200, "bob"])
        assert.deepStrictEqual(yield* ask("Bearer short"), [200, "bob"])
        valid.delete("short")
        assert.strictEqual((yield* ask("Bearer short"))[0], 401)
        valid.set("short", "carol")
        assert.deepStrictEqual(yield* ask("Bearer short"), [200, "carol"])
      }))

    it.effect("keeps a token that was accepted redacted, and only so many of them", () =>
      Effect.gen(function*() {
        const redactedAs = (token: string) =>
          Effect.map(ask(`Bearer ${token}`), () => {
            const last = asked.at(-1)
            assert.strictEqual(last === undefined ? "" : Redacted.value(last), token)
            return last
          })
        valid.set("kept", "dora")
        const first = yield* redactedAs("kept")
        assert.strictEqual(yield* redactedAs("kept"), first)
        assert.notStrictEqual(yield* redactedAs("refused"), yield* redactedAs("refused"))
        yield* Effect.forEach(Array.from({ length: 256 }, (_, index) => `many-${index}`), (token) => {
          valid.set(token, token)
          return redactedAs(token)
        }, { discard: true })
        assert.notStrictEqual(yield* redactedAs("kept"), first)
      }))
  })
})

describe("Authentication.layerTokens", () => {
  const built = <E>(tokens: Layer.Layer<Authentication.Authenticator, E>) => Effect.scoped(Layer.build(tokens))
  const refused = <E>(tokens: Layer.Layer<Authentication.Authenticator, E>) =>
    Effect.map(Effect.flip(built(tokens)), (error) => {
      assert.instanceOf(error, Authentication.InvalidTokens)
      // The canary stands in every token: neither the sentence nor the fields may hold it.
      assert.notInclude(`${String(error)}${JSON.stringify(error)}`, "s3cret")
      return error
    })

  it.effect("refuses a token that stands there twice, for whomever, by the places of the two", () =>
    Effect.gen(function*() {
      for (
        const list of ["s3cret:alice,b:bob,s3cret:eve", "s3cret:alice,,s3cret:alice", "s3cret:a:x,b:b, s3cret :a:y"]
      ) {
        const error = yield* refused(Authentication.layerTokens(Redacted.make(list)))
        assert.deepStrictEqual([error.position, error.repeats], [3, 1], list)
        assert.match(error.message, /^Entry 3 of the token list has the token of entry 1: give /)
      }
      yield* built(Authentication.layerTokens(Redacted.make("s3cret:alice,s3cret1:alice,S3cret:alice")))
    }))

  it.effect("names the variable that the list came from, and shows no token", () =>
    Effect.gen(function*() {
      const name = "LIFECYCLE_TOKENS"
      const twice = Redacted.make("s3cret:alice,s3cret:bob")
      assert.match(
        (yield* refused(Authentication.layerTokens(twice, { source: name }))).message,
        /^Entry 2 of the token list LIFECYCLE_TOKENS has /
      )
      assert.match(
        (yield* refused(Authentication.layerTokens(Redacted.make("a:b,s3cret"), { source: name }))).message,
        /^Entry 2 of the token list LIFECYCLE_TOKENS is neither /
      )
      const env = (tokens: string) =>
        ConfigProvider.layer(ConfigProvider.fromEnv({ env: { LIFECYCLE_TOKENS: tokens } }))
      for (const list of ["s3cret:alice,s3cret:bob", "a:b,s3cret"]) {
        for (
          const tokens of [
            Authentication.layerTokensConfig(name),
            Authentication.layerTokensConfig(Config.Redacted(name), { source: name })
          ]
        ) {
          const error = yield* refused(tokens.pipe(Layer.provide(env(list))))
          assert.include(error.message, "Entry 2 of the token list LIFECYCLE_TOKENS ")
        }
      }
      yield* built(Authentication.layerTokensConfig(name).pipe(Layer.provide(env("s3cret:alice"))))
      const absent = ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))
      const error = yield* Effect.flip(built(Authentication.layerTokensConfig(name).pipe(Layer.provide(absent))))
      assert.include(String(error), name)
    }))
})
