import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { InvalidOption } from "effect-lifecycle/resilience"
import { ContentTypes, Problems, ServerStack } from "effect-lifecycle/server"
import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { gzipSync } from "node:zlib"
import { listener, tokens } from "./harness.ts"
import { raw } from "./raw.ts"

const stored: Array<unknown> = []
const keep = (value: unknown) =>
  Effect.sync(() => {
    stored.push(value)
    return HttpServerResponse.empty({ status: 201 })
  })
const reads = <A, E, R>(
  path: `/${string}`,
  read: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<A, E, R>
) =>
  HttpRouter.add(
    "POST",
    path,
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => Effect.flatMap(read(request), keep))
  )

const User = Schema.Struct({ name: Schema.String })
class Api extends HttpApi.make("users").add(
  HttpApiGroup.make("users").add(HttpApiEndpoint.post("create", "/api", { payload: User, success: User }))
).annotate(HttpApi.ParseOptions, Problems.allErrors) {}
const handlers = HttpApiBuilder.group(
  Api,
  "users",
  (handlers) => handlers.handleAll({ create: ({ payload }) => Effect.as(keep(payload), payload) })
)

const routes = Layer.mergeAll(
  reads("/schema", () => HttpServerRequest.schemaBodyJson(User)),
  reads("/json", (request) => request.json),
  reads("/text", (request) => request.text),
  reads("/moved", (request) => request.modify({ url: "/elsewhere" }).text),
  reads("/twice", (request) => Effect.andThen(request.text, request.text)),
  reads("/form", (request) => request.urlParamsBody),
  reads("/bytes", (request) => Effect.map(request.arrayBuffer, (bytes) => Buffer.from(bytes).toString("hex"))),
  HttpApiBuilder.layer(Api).pipe(Layer.provide(Layer.merge(handlers, Layer.empty)))
)
const accept = [
  "application/json",
  "application/vnd.api+json",
  "text/csv",
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/octet-stream"
]
const live = ServerStack.serve(routes, {
  service: "x",
  contentTypes: ContentTypes.stage({ accept, charsets: { "Text/Plain": ["ISO-8859-1"] } }),
  decompression: NodeDecompression.stage()
}).pipe(Layer.provide(tokens), Layer.provideMerge(listener))

const post = (path: string, type: string, body: Buffer | string, ...headers: ReadonlyArray<string>) =>
  raw([
    `POST ${path} HTTP/1.1`,
    "host: x",
    "authorization: Bearer token123",
    `content-length: ${Buffer.byteLength(body)}`,
    `content-type: ${type}`,
    ...headers
  ], body)

const json = JSON.stringify({ name: "René" })
const latin = Buffer.from(json, "latin1")

describe("ContentTypes", () => {
  it("refuses charsets of what it does not accept, and what is no charset, when it is built", () => {
    for (
      const charsets of [{ "text/csv": ["iso-8859-1"] }, { "application/json": [] }, { "application/json": ["a b"] }]
    ) {
      assert.throws(() => ContentTypes.stage({ charsets }), InvalidOption.InvalidOption, "charsets")
    }
  })

  layer(live, { excludeTestServices: true })((it) => {
    it.effect("reads UTF-8 and US-ASCII, however they are written", () =>
      Effect.gen(function*() {
        for (
          const type of [
            "application/json",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json ; Charset = utf-8",
            "application/json; a=b; charset=utf8;",
            "Application/JSON; charset=US-ASCII",
            "application/json; a=\"; charset=utf-16\"",
            "application/vnd.api+json; charset=utf-8"
          ]
        ) {
          stored.length = 0
          assert.strictEqual((yield* post("/json", type, json)).status, 201, type)
          assert.deepStrictEqual(stored, [{ name: "René" }])
        }
      }))

    it.effect("answers 415 for another charset of text and JSON, and says which would do", () =>
      Effect.gen(function*() {
        stored.length = 0
        for (
          const [type, body] of [
            ["application/json; charset=iso-8859-1", latin],
            ["application/json; charset=utf-16", Buffer.from(json, "utf16le")],
            ["application/json;CHARSET=\"UTF-16\"", "{}"],
            ["application/json; charset=utf-8; charset=utf-16", "{}"],
            ["application/json; q=1; charset=utf-16", "{}"],
            ["application/json; charset=", "{}"],
            ["application/json; charset", "{}"],
            ["application/vnd.api+json; charset=latin1", latin],
            ["text/csv; charset=windows-1252", latin],
            ["application/x-www-form-urlencoded; charset=iso-8859-1", "name=a"],
            ["text/plain; charset=utf-16", "a"],
            ["text/plain; charset=iso-8859-1; charset=utf-8", "a"]
          ] as const
        ) {
          const answer = yield* post("/text", type, body)
          assert.strictEqual(answer.status, 415, type)
          assert.deepInclude(answer.problem, { type: "urn:problem:unsupported-media-type", stage: "Validation" })
          assert.strictEqual(answer.headers["accept"], accept.join(", "))
          assert.match(String(answer.problem["detail"]), /^The charset of the body is not one that is read: send UTF-8/)
        }
        assert.deepStrictEqual(stored, [])
      }))

    it.effect("answers 400 for text and JSON that is no UTF-8, and stores nothing of it", () =>
      Effect.gen(function*() {
        stored.length = 0
        for (const path of ["/schema", "/json", "/text", "/moved", "/twice", "/form", "/api"]) {
          const type = path === "/form" ? "application/x-www-form-urlencoded" : "application/json"
          for (
            const body of [
              latin,
              Buffer.from([0xff, 0xfe, 0x7b, 0, 0x7d, 0]),
              Buffer.from([0xc0, 0x80]),
              Buffer.from([0xed, 0xa0, 0x80])
            ]
          ) {
            const answer = yield* post(path, type, body)
            assert.strictEqual(answer.status, 400, path)
            assert.deepInclude(answer.problem, {
              type: "urn:problem:malformed-request",
              detail: "The body is not valid UTF-8",
              stage: "Validation"
            }, path)
          }
          const packed = yield* post(path, type, gzipSync(latin), "content-encoding: gzip")
          assert.deepInclude(packed.problem, { status: 400, detail: "The body is not valid UTF-8" }, path)
        }
        assert.deepStrictEqual(stored, [])
        const broken = yield* post("/api", "application/json", "{")
        assert.deepInclude(broken.problem, { status: 400, detail: "The body is not valid JSON" })
        assert.strictEqual((yield* post("/json", "application/json", "{")).status, 400)
      }))

    it.effect("hands over good text as it is, a byte order mark aside", () =>
      Effect.gen(function*() {
        stored.length = 0
        yield* post("/text", "text/csv", "Zoë;🌍\uFFFD")
        yield* post("/json", "application/json", `\uFEFF${json}`)
        yield* post("/schema", "application/json", gzipSync(json), "content-encoding: gzip")
        yield* post("/form", "application/x-www-form-urlencoded", "?name=Ren%C3%A9&b=é")
        yield* post("/moved", "text/csv", "é")
        assert.deepStrictEqual(JSON.parse(JSON.stringify(stored)), [
          "Zoë;🌍\uFFFD",
          { name: "René" },
          { name: "René" },
          { _id: "UrlParams", params: { "?name": "René", b: "é" } },
          "é"
        ])
      }))

    it.effect("leaves bytes alone, and text whose charset somebody else reads", () =>
      Effect.gen(function*() {
        stored.length = 0
        yield* post("/bytes", "application/octet-stream; charset=utf-16", latin)
        yield* post("/bytes", "application/json", latin)
        yield* post("/bytes", "text/plain; charset=iso-8859-1", latin)
        assert.deepStrictEqual(stored, Array.from({ length: 3 }, () => latin.toString("hex")))
        assert.strictEqual((yield* post("/text", "text/plain", "é")).status, 201)
        assert.strictEqual((yield* post("/text", "text/plain", latin)).status, 400)
        assert.strictEqual((yield* post("/text", "application/octet-stream", latin)).status, 201)
      }))
  })
})
