import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Conditional, Exchange, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { listener, tokens } from "./harness.ts"
import { raw } from "./raw.ts"

const body = HttpServerResponse.jsonUnsafe({ name: "Alice" }, { headers: { "x-own": "kept" } })
const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/docs/version", Effect.as(Conditional.setVersion(3), body)),
  HttpRouter.add("GET", "/docs/weak", Effect.as(Exchange.setHeader("ETag", "W/\"a,b\""), body)),
  HttpRouter.add("GET", "/docs/none", body),
  HttpRouter.add(
    "GET",
    "/docs/varied",
    Conditional.setVersion(3).pipe(Effect.andThen(Exchange.addVary("Accept-Language")), Effect.as(body))
  ),
  HttpRouter.add(
    "GET",
    "/docs/gone",
    Effect.as(Conditional.setVersion(3), HttpServerResponse.empty({ status: 410, headers: { etag: "\"3\"" } }))
  ),
  HttpRouter.add("POST", "/docs/version", Effect.as(Conditional.setVersion(3), body))
)
const live = ServerStack.serve(routes, { service: "x" }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
const send = (method: string, path: string, ifNoneMatch: string) =>
  raw([`${method} ${path} HTTP/1.1`, "host: x", `if-none-match: ${ifNoneMatch}`])

describe("Conditional.isNotModified", () => {
  it("compares weakly, in lists, and takes a star for any", () => {
    for (const known of ["\"3\"", "W/\"3\"", "\"2\", \"3\"", "\"2\",W/\"3\"", " * ", "*", "\"a,b\" , \"3\""]) {
      assert.isTrue(Conditional.isNotModified(known, "\"3\""), known)
      assert.isTrue(Conditional.isNotModified(known, "W/\"3\""), known)
    }
    for (const known of ["", "3", "\"33\"", "\"3", "\"2\"", "W/3", "\"a,\"3\"\"", "\"*\""]) {
      assert.isFalse(Conditional.isNotModified(known, "\"3\""), known)
    }
    assert.isTrue(Conditional.isNotModified("\"x\", \"a,b\"", "\"a,b\""))
    assert.isFalse(Conditional.isNotModified("\"x\", \"a,b\"", "\"b\""))
  })

  const tag = Schema.String.check(Schema.isPattern(/^[\x21\x23-\x7e]{0,8}$/))
  it.prop("finds an ETag in a list exactly when it is there", [Schema.Array(tag), tag], ([tags, wanted]) => {
    const list = tags.map((each, index) => `${index % 2 === 0 ? "W/" : ""}"${each}"`).join(", ")
    assert.strictEqual(Conditional.isNotModified(list, `"${wanted}"`), tags.includes(wanted))
  })
})

describe("304", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("answers GET and HEAD that know the version with the headers of a 200 and no body", () =>
      Effect.gen(function*() {
        for (const method of ["GET", "HEAD"]) {
          for (const known of ["\"3\"", "W/\"3\"", "\"1\", \"3\"", "*"]) {
            const answer = yield* send(method, "/docs/version", known)
            assert.deepStrictEqual([answer.status, answer.body.length], [304, 0], `${method} ${known}`)
            assert.deepInclude(answer.headers, { etag: "\"3\"", "cache-control": "no-store", "x-own": "kept" })
            assert.isDefined(answer.headers["x-request-id"])
            for (const name of ["content-type", "content-length", "transfer-encoding"]) {
              assert.isUndefined(answer.headers[name], name)
            }
          }
        }
        assert.strictEqual((yield* send("GET", "/docs/weak", "\"a,b\"")).status, 304)
        assert.strictEqual((yield* send("GET", "/docs/varied", "\"3\"")).headers["vary"], "Accept-Language")
      }))

    it.effect("answers with the body where the version is another, or nobody knows it", () =>
      Effect.gen(function*() {
        for (
          const [path, known] of [["/docs/version", "\"2\""], ["/docs/weak", "\"a\", \"b\""], [
            "/docs/none",
            "\"3\""
          ]] as const
        ) {
          const answer = yield* send("GET", path, known)
          assert.deepStrictEqual([answer.status, answer.body.toString()], [200, "{\"name\":\"Alice\"}"], path)
        }
      }))

    it.effect("leaves other methods and other statuses as they are", () =>
      Effect.gen(function*() {
        const posted = yield* raw([
          "POST /docs/version HTTP/1.1",
          "host: x",
          "authorization: Bearer token123",
          "if-none-match: \"3\""
        ])
        assert.strictEqual(posted.status, 200)
        assert.strictEqual((yield* send("GET", "/docs/gone", "\"3\"")).status, 410)
      }))
  })
})
