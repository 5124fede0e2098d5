import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
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
