/** One version in several representations, over real sockets: each has an ETag of its own, and all are that version. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { Compression, Conditional, Exchange, Negotiation, ServerStack } from "effect-lifecycle/server"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as etags from "../../src/server/internal/etags.ts"
import { listener, tokens } from "./harness.ts"
import { raw } from "./raw.ts"

const rows = Array.from({ length: 200 }, (_, id) => ({ id, state: "placed" }))
const answer = Effect.map(
  Negotiation.chosen({ type: "application/json", language: undefined }),
  ({ language, type }) =>
    type === "text/csv"
      ? HttpServerResponse.text(rows.map((row) => `${row.id};${row.state};${language}`).join("\n"), {
        contentType: type
      })
      : HttpServerResponse.jsonUnsafe([language, ...rows])
)
let changes = 0
let handed: Option.Option<number> = Option.none()
const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/orders", Effect.andThen(Conditional.setVersion(7), answer)),
  HttpRouter.add("GET", "/weak", Effect.andThen(Exchange.setHeader("etag", "W/\"7\""), answer)),
  HttpRouter.add("GET", "/named", Effect.andThen(Exchange.setHeader("etag", "\"x7\""), answer)),
  HttpRouter.add("GET", "/plain", Effect.andThen(Conditional.setVersion(7), answer)),
  HttpRouter.add("GET", "/own", Effect.as(Exchange.setHeader("etag", "\"abc\""), HttpServerResponse.text("x"))),
  HttpRouter.add("GET", "/none", HttpServerResponse.text("x")),
  HttpRouter.add("GET", "/gone", HttpServerResponse.empty({ status: 410, headers: { etag: "\"7\"" } })),
  HttpRouter.add(
    "PUT",
    "/orders",
    Effect.gen(function*() {
      handed = yield* Conditional.IfMatch
      yield* Conditional.require(7)
      changes++
      return HttpServerResponse.empty()
    })
  ),
  HttpRouter.add(
    "PUT",
    "/plain",
    Effect.gen(function*() {
      handed = yield* Conditional.IfMatch
      changes++
      return HttpServerResponse.empty()
    })
  )
)
const offers = { types: ["application/json", "text/csv", "text/csv;header=\"a b\""], languages: ["en", "br", "pt-BR"] }
const live = ServerStack.serve(routes, {
  service: "x",
  compression: Compression.stage(),
  negotiation: Negotiation.stage({ offers: { "/orders": offers, "/weak": offers, "/named": offers } }),
  conditional: Conditional.stage({ lists: ["PUT /orders"] })
}).pipe(Layer.provide(tokens), Layer.provideMerge(listener))

const send = (method: string, path: string, headers: Record<string, string> = {}) =>
  raw([
    `${method} ${path} HTTP/1.1`,
    "host: x",
    "authorization: Bearer token123",
    ...method === "PUT" ? ["content-length: 0"] : [],
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  ])

const wanted: ReadonlyArray<readonly [etag: string, headers: Record<string, string>]> = [
  ["\"7\"", {}],
  ["\"7\"", { accept: "application/json", "accept-language": "en" }],
  ["\"7-br\"", { "accept-encoding": "br" }],
  ["\"7(text/csv)\"", { accept: "text/csv" }],
  ["\"7(text/csv;header=%22a%20b%22)\"", { accept: "text/csv;header=\"a b\"" }],
  ["\"7(br)\"", { "accept-language": "br" }],
  ["\"7(text/csv:pt-BR)\"", { accept: "text/csv", "accept-language": "pt" }],
  ["\"7(text/csv:br)-gzip\"", { accept: "text/csv", "accept-language": "br", "accept-encoding": "gzip" }]
]

describe("representations", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("have an ETag each, and 304 confirms none but the one that was asked for", () =>
      Effect.gen(function*() {
        for (const [etag, headers] of wanted) {
          const full = yield* send("GET", "/orders", headers)
          assert.deepStrictEqual([full.status, full.headers["etag"]], [200, etag])
          for (const [other] of wanted) {
            for (const method of ["GET", "HEAD"]) {
              const again = yield* send(method, "/orders", { ...headers, "if-none-match": other })
              assert.deepStrictEqual(
                [again.status, again.headers["etag"]],
                [other === etag ? 304 : 200, etag],
                `${etag} for a copy of ${other}`
              )
            }
          }
        }
      }))

    it.effect("are told apart where the ETag is weak, too, but for their coding", () =>
      Effect.gen(function*() {
        const json = yield* send("GET", "/weak")
        assert.strictEqual(json.headers["etag"], "W/\"7\"")
        const csv = yield* send("GET", "/weak", { accept: "text/csv", "if-none-match": "W/\"7\"" })
        assert.deepStrictEqual([csv.status, csv.headers["etag"]], [200, "W/\"7(text/csv)\""])
      }))

    it.effect("have the name that the handler made for them, where it is no version", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* send("GET", "/named", { accept: "text/csv" })).headers["etag"], "\"x7\"")
      }))

    it.effect("are one where nothing was offered: the ETag is the version's", () =>
      Effect.gen(function*() {
        for (const accept of ["*/*", "application/json", "application/problem+json"]) {
          assert.strictEqual((yield* send("GET", "/plain", { accept })).headers["etag"], "\"7\"", accept)
        }
      }))

    it.effect("are all the version that If-Match means, whichever of them the client holds", () =>
      Effect.gen(function*() {
        for (const [etag] of wanted) {
          const before = changes
          assert.strictEqual((yield* send("PUT", "/orders", { "if-match": etag })).status, 204, etag)
          assert.deepStrictEqual([changes, handed], [before + 1, Option.some(7)], etag)
          assert.strictEqual((yield* send("PUT", "/orders", { "if-none-match": etag })).status, 412, etag)
          const stale = etag.replace("7", "6")
          assert.strictEqual((yield* send("PUT", "/orders", { "if-match": stale })).status, 412, stale)
        }
        for (const foreign of ["\"7()\"", "\"7(a(b))\"", "\"7(br\"", "\"7-brr\"", "\"7-gzip(br)\"", "\"7 \""]) {
          const { status } = yield* send("PUT", "/orders", { "if-match": foreign })
          assert.strictEqual(status, foreign === "\"7 \"" ? 400 : 412, foreign)
        }
        assert.strictEqual(changes, wanted.length)
      }))
  })
})

describe("If-Match", () => {
  layer(live, { excludeTestServices: true })((it) => {
    it.effect("on GET and HEAD is 412 where the answer has another ETag, compared strongly", () =>
      Effect.gen(function*() {
        for (const method of ["GET", "HEAD"]) {
          const status = (path: string, match: string, headers: Record<string, string> = {}) =>
            Effect.map(send(method, path, { ...headers, "if-match": match }), (answer) => answer.status)
          assert.strictEqual(yield* status("/plain", "\"7\""), 200)
          assert.strictEqual(yield* status("/plain", "\"3\", \"7\""), 200)
          assert.strictEqual(yield* status("/plain", "*"), 200)
          assert.strictEqual(yield* status("/own", "\"abc\""), 200)
          assert.strictEqual(yield* status("/none", "*"), 200)
          for (const stale of ["\"3\"", "W/\"7\"", "\"foreign\"", "\"3\", \"4\"", "\"7-gzip\"", "\"7(text/csv)\""]) {
            assert.strictEqual(yield* status("/plain", stale), 412, stale)
          }
          assert.strictEqual(yield* status("/none", "\"7\""), 412)
          // A weak one is never the same, byte for byte.
          assert.strictEqual(yield* status("/weak", "W/\"7\""), 412)
          assert.strictEqual(yield* status("/weak", "\"7\""), 412)
          // What would not have been 2xx stays what it is (RFC 9110, 13.2.1).
          assert.strictEqual(yield* status("/gone", "\"3\""), 410)
          assert.strictEqual(yield* status("/plain", "7"), 400)
          for (const [etag, headers] of wanted) {
            assert.strictEqual(yield* status("/orders", etag, headers), 200, etag)
            if (etag !== "\"7\"") assert.strictEqual(yield* status("/orders", "\"7\"", headers), 412, etag)
          }
          // If-Match goes before If-None-Match.
          assert.strictEqual(yield* status("/plain", "\"3\"", { "if-none-match": "\"7\"" }), 412)
          assert.strictEqual(yield* status("/plain", "\"7\"", { "if-none-match": "\"7\"" }), 304)
        }
        const refused = yield* send("GET", "/plain", { "if-match": "\"3\"" })
        assert.deepInclude(refused.problem, { type: "urn:problem:version-mismatch", stage: "Dependencies" })
        assert.isUndefined(refused.headers["etag"])
        assert.notInclude(refused.body.toString(), "placed")
      }))

    it.effect("takes a list: any of its versions will do where the handler asks", () =>
      Effect.gen(function*() {
        for (
          const [list, version] of [
            ["\"7\", \"7-gzip\"", Option.some(7)],
            ["W/\"6\", \"7\"", Option.some(7)],
            ["\"foreign\",\"7\"", Option.some(7)],
            [", \"7\" ,, ", Option.some(7)],
            ["\"6\", \"7(br)\"", Option.none()],
            ["\"a,b\", \"7\", \"8\"", Option.none()]
          ] as const
        ) {
          assert.deepStrictEqual([(yield* send("PUT", "/orders", { "if-match": list })).status, handed], [204, version])
        }
        const before = changes
        for (
          const [list, status] of [["\"5\", \"6\"", 412], ["\"a\", W/\"7\"", 412], ["*, \"7\"", 400], [
            ",",
            400
          ]] as const
        ) {
          assert.strictEqual((yield* send("PUT", "/orders", { "if-match": list })).status, status, list)
        }
        assert.strictEqual(changes, before)
      }))

    it.effect("refuses several versions where no handler is known to ask, rather than to change in spite of them", () =>
      Effect.gen(function*() {
        const before = changes
        const refused = yield* send("PUT", "/plain", { "if-match": "\"6\", \"7\"" })
        assert.strictEqual(refused.status, 400)
        assert.deepInclude(refused.problem, {
          type: "urn:problem:precondition-invalid",
          detail: "If-Match names several versions, and here one is compared: send the ETag of the version you read"
        })
        assert.strictEqual(changes, before)
        assert.strictEqual((yield* send("PUT", "/plain", { "if-match": "\"7\", \"foreign\"" })).status, 204)
        assert.deepStrictEqual(handed, Option.some(7))
      }))
  })
})

describe("the version of an ETag", () => {
  const type = Schema.String.check(Schema.isPattern(/^[a-z]{1,4}\/[a-z.+-]{1,8}(?:;[a-z]{1,3}="[ -!#-~]{0,6}")?$/))
  it.prop("survives every offer, and no two offers share an ETag", [Schema.Array(type)], ([drawn]) => {
    const types = ["application/json", ...new Set(drawn.filter((each) => !each.includes("\\")))]
    const tags = types.flatMap((each, at) =>
      [undefined, "br", "de-BR"].map((language) =>
        at === 0 && language === undefined
          ? etags.ofVersion(7)
          : etags.marked(etags.ofVersion(7), etags.variant(at === 0 ? undefined : each, language))
      )
    )
    assert.strictEqual(new Set(tags).size, tags.length)
    for (const tag of tags) {
      assert.match(tag, /^"[\x21\x23-\x7e]*"$/)
      assert.strictEqual(etags.versionOf(tag), "7", tag)
      assert.strictEqual(etags.versionOf(tag.replace(/"$/, "-br\"")), "7", tag)
    }
  })
})
