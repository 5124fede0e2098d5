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
/** A resource at version 3, and one that is not there. */
let changes = 0
const change = (current: number | undefined) =>
  Effect.gen(function*() {
    yield* Conditional.require(current)
    changes++
    return HttpServerResponse.empty()
  })
const written = HttpRouter.addAll(
  (["GET", "PUT", "PATCH", "DELETE"] as const).flatMap((method) => [
    HttpRouter.route(method, "/docs/here", change(3)),
    HttpRouter.route(method, "/docs/absent", change(undefined))
  ])
)
const live = ServerStack.serve(Layer.merge(routes, written), { service: "x" }).pipe(
  Layer.provide(tokens),
  Layer.provideMerge(listener)
)
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

const conditional = (method: string, path: string, ...headers: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const before = changes
    const { body, status } = yield* raw([
      `${method} /docs/${path} HTTP/1.1`,
      "host: x",
      "authorization: Bearer token123",
      "content-length: 0",
      ...headers
    ])
    return { status, changed: changes > before, type: body.length === 0 ? "" : JSON.parse(String(body)).type }
  })

describe("Conditional.require", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("changes nothing that If-None-Match excludes: 412, whatever the unsafe method", () =>
      Effect.gen(function*() {
        for (const method of ["PUT", "PATCH", "DELETE"]) {
          for (const known of ["*", "\"3\"", "W/\"3\"", "\"1\", \"3\"", "\"3-gzip\""]) {
            assert.deepStrictEqual(
              yield* conditional(method, "here", `if-none-match: ${known}`),
              { status: 412, changed: false, type: "urn:problem:precondition-failed" },
              `${method} ${known}`
            )
          }
        }
      }))

    it.effect("changes what If-None-Match does not name, and what is not there yet", () =>
      Effect.gen(function*() {
        for (const known of ["\"2\"", "\"33\"", "W/\"a,3\", \"2\"", "\"\""]) {
          assert.strictEqual((yield* conditional("PUT", "here", `if-none-match: ${known}`)).status, 204, known)
        }
        for (const known of ["*", "\"3\""]) {
          const answer = yield* conditional("PUT", "absent", `if-none-match: ${known}`)
          assert.deepStrictEqual([answer.status, answer.changed], [204, true], known)
        }
        assert.strictEqual((yield* conditional("PUT", "here")).status, 204)
      }))

    it.effect("wants the current version where If-Match is sent, before it looks at If-None-Match", () =>
      Effect.gen(function*() {
        const status = (path: string, ...headers: ReadonlyArray<string>) =>
          Effect.map(conditional("PUT", path, ...headers), (answer) => [answer.status, answer.changed])
        assert.deepStrictEqual(yield* status("here", "if-match: \"3\""), [204, true])
        assert.deepStrictEqual(yield* status("here", "if-match: \"3-br\""), [204, true])
        assert.deepStrictEqual(yield* status("here", "if-match: *"), [204, true])
        for (const stale of ["\"2\"", "W/\"3\"", "\"foreign\""]) {
          assert.deepStrictEqual(yield* status("here", `if-match: ${stale}`), [412, false], stale)
        }
        // A star is any version, and there is none.
        assert.deepStrictEqual(yield* status("absent", "if-match: *"), [412, false])
        assert.deepStrictEqual(yield* status("absent", "if-match: \"3\""), [412, false])
        const both = yield* conditional("PUT", "here", "if-match: \"2\"", "if-none-match: \"3\"")
        assert.strictEqual(both.type, "urn:problem:version-mismatch")
        assert.deepStrictEqual(yield* status("here", "if-match: \"3\"", "if-none-match: \"3\""), [412, false])
      }))

    it.effect("refuses an If-None-Match that nobody can read, rather than to change in spite of it", () =>
      Effect.gen(function*() {
        for (const known of ["3", "\"3", "\"1\" \"2\"", "*, \"3\"", "w/\"3\""]) {
          const answer = yield* conditional("PUT", "here", `if-none-match: ${known}`)
          assert.deepStrictEqual([answer.status, answer.changed], [400, false], known)
        }
      }))

    it.effect("leaves If-None-Match of a GET to the answer's ETag", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* conditional("GET", "here", "if-none-match: *")).status, 204)
        assert.strictEqual((yield* conditional("GET", "here", "if-match: \"2\"")).status, 412)
      }))
  })

  it.effect("asks nothing outside of a request", () => Conditional.require(3))
})
