import { assert, describe, it, layer } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema, Stream } from "effect"
import type { Recorder } from "effect-lifecycle/lifecycle"
import { InvalidOption } from "effect-lifecycle/resilience"
import { Compression, Conditional, ServerStack } from "effect-lifecycle/server"
import { HttpPlatform, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { get as httpGet } from "node:http"
import * as Zlib from "node:zlib"
import { listener, tokens } from "./harness.ts"
import { raw, type RawAnswer } from "./raw.ts"
import { recording } from "./records.ts"

const text = JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id, name: `user ${id}` })))
const json = (headers: Record<string, string> = {}, body = text) =>
  HttpServerResponse.text(body, { contentType: "application/json", headers })
const gate = Deferred.makeUnsafe<void>()

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/docs/json", json()),
  HttpRouter.add("GET", "/docs/small", json({ etag: "\"small\"" }, "{}")),
  HttpRouter.add("GET", "/docs/version", Effect.as(Conditional.setVersion(3), json())),
  HttpRouter.add("GET", "/docs/weak", json({ etag: "W/\"w\"" })),
  HttpRouter.add("GET", "/docs/varied", json({ vary: "Accept-Language" })),
  HttpRouter.add("GET", "/docs/no-transform", json({ "cache-control": "private, no-transform" })),
  HttpRouter.add("GET", "/docs/identity", json({ "content-encoding": "identity" })),
  HttpRouter.add("GET", "/docs/packed", json({ "content-encoding": "gzip" })),
  HttpRouter.add("GET", "/docs/part", HttpServerResponse.text(text, { status: 206 })),
  HttpRouter.add("GET", "/docs/image", HttpServerResponse.text(text, { contentType: "image/png" })),
  HttpRouter.add(
    "GET",
    "/docs/events",
    HttpServerResponse.stream(Stream.make("data: 1\n\n").pipe(Stream.encodeText), { contentType: "text/event-stream" })
  ),
  HttpRouter.add(
    "GET",
    "/docs/stream",
    HttpServerResponse.stream(
      Stream.make("first ").pipe(
        Stream.concat(Stream.fromEffect(Effect.as(Deferred.await(gate), "second"))),
        Stream.encodeText
      ),
      { contentType: "text/plain", headers: { etag: "\"s\"" } }
    )
  ),
  HttpRouter.add("GET", "/docs/fails", Effect.die(new Error("boom"))),
  HttpRouter.add(
    "PATCH",
    "/docs/version",
    Effect.map(
      Conditional.IfMatch,
      (version) => HttpServerResponse.jsonUnsafe({ version: version._tag === "Some" ? version.value : null })
    )
  )
)
const reports: Array<Recorder.Report> = []
const serve = (options?: Compression.Options) =>
  ServerStack.serve(routes, { service: "x", compression: Compression.stage(options) }).pipe(
    Layer.provide([tokens, recording(reports)]),
    Layer.provideMerge(listener)
  )
const send = (path: string, acceptEncoding?: string, lines: ReadonlyArray<string> = [], method = "GET") =>
  raw([
    `${method} ${path} HTTP/1.1`,
    "host: x",
    ...(acceptEncoding === undefined ? [] : [`accept-encoding: ${acceptEncoding}`]),
    ...lines
  ])
const unpackers: Record<string, (body: Buffer) => Buffer> = {
  gzip: Zlib.gunzipSync,
  deflate: Zlib.inflateSync,
  br: Zlib.brotliDecompressSync,
  zstd: Zlib.zstdDecompressSync
}
const unpacked = ({ body, headers }: RawAnswer) =>
  (unpackers[headers["content-encoding"] ?? ""] ?? ((body) => body))(body).toString()

describe("Compression.negotiate", () => {
  const choose = Compression.negotiate(["br", "gzip"])

  it("takes the highest weight, the first offered among equals, and a star for what is not named", () => {
    for (
      const [header, coding] of [
        ["gzip, br", "br"],
        ["br;q=0.9, gzip", "gzip"],
        ["*", "br"],
        ["br;q=0, *", "gzip"],
        ["GZIP;Q=0.5", "gzip"],
        ["gzip;q=0.001", "gzip"],
        ["identity;q=0, gzip;q=0.1", "gzip"],
        ["identity;q=0.5, gzip;q=0.5", "gzip"]
      ] as const
    ) assert.strictEqual(choose(header), coding, header)
  })

  it("packs nothing where the client would rather have it as it is, or says nothing one can read", () => {
    for (
      const header of [
        undefined,
        "",
        "identity",
        "gzip;q=0",
        "*;q=0",
        "deflate",
        "gzip;q=2",
        "identity, br;q=0.9",
        "no one"
      ]
    ) {
      assert.isUndefined(choose(header), header)
    }
  })

  it.prop("chooses only what was offered and has a weight above zero", [Schema.String], ([header]) => {
    const chosen = choose(header)
    if (chosen !== undefined) assert.match(header, new RegExp(`${chosen}|\\*`, "i"))
  })

  it("remembers no more than a few headers, and still answers", () => {
    for (let i = 0; i < 1_000; i++) assert.strictEqual(choose(`br;q=0, gzip, x-${i}`), "gzip")
  })
})

describe("Compression", () => {
  it("refuses codings nobody knows when it is built", () => {
    assert.throws(() => Compression.stage({ codings: [] }), InvalidOption.InvalidOption, "codings")
    // @ts-expect-error the type refuses it too
    assert.throws(() => Compression.stage({ codings: ["compress"] }), InvalidOption.InvalidOption, "codings")
  })

  layer(serve(), { excludeTestServices: true })((it) => {
    it.effect("packs with each coding, so that it unpacks to the same bytes, with the packed length", () =>
      Effect.gen(function*() {
        for (const coding of ["gzip", "deflate", "br", "zstd"]) {
          const answer = yield* send("/docs/json", coding)
          assert.strictEqual(answer.headers["content-encoding"], coding)
          assert.strictEqual(unpacked(answer), text)
          assert.isBelow(answer.body.length, text.length / 2)
          assert.strictEqual(answer.headers["content-length"], String(answer.body.length))
          assert.strictEqual(answer.headers["vary"], "Accept-Encoding")
          assert.strictEqual(answer.headers["content-type"], "application/json")
          assert.isDefined(answer.headers["x-request-id"])
        }
        assert.strictEqual(
          (yield* send("/docs/json", "gzip;q=0.8, br;q=0.9, zstd;q=0.1")).headers["content-encoding"],
          "br"
        )
      }))

    it.effect("sends as it is what the client cannot unpack and what is too small, and says what that depended on", () =>
      Effect.gen(function*() {
        for (
          const [path, coding] of [["/docs/json", undefined], ["/docs/json", "identity"], [
            "/docs/small",
            "gzip"
          ]] as const
        ) {
          const answer = yield* send(path, coding)
          assert.isUndefined(answer.headers["content-encoding"], path)
          assert.strictEqual(answer.headers["vary"], "Accept-Encoding", path)
          assert.strictEqual(answer.headers["content-length"], String(answer.body.length), path)
        }
        assert.strictEqual((yield* send("/docs/varied", "gzip")).headers["vary"], "Accept-Language, Accept-Encoding")
      }))

    it.effect("leaves alone what is packed, a part, an image, an event stream, or not to be touched", () =>
      Effect.gen(function*() {
        for (const path of ["/docs/no-transform", "/docs/identity", "/docs/part", "/docs/image", "/docs/events"]) {
          const answer = yield* send(path, "gzip, br")
          assert.isUndefined(answer.headers["content-encoding"], path)
          assert.isUndefined(answer.headers["vary"], path)
          assert.isAbove(answer.body.length, 0, path)
        }
        const packed = yield* send("/docs/packed", "br")
        assert.deepStrictEqual([packed.headers["content-encoding"], packed.body.toString()], ["gzip", text])
      }))

    it.effect("answers HEAD as it would GET, without packing", () =>
      Effect.gen(function*() {
        const head = yield* send("/docs/version", "gzip", [], "HEAD")
        const get = yield* send("/docs/version", "gzip")
        assert.strictEqual(head.body.length, 0)
        for (const name of ["content-encoding", "vary", "etag", "content-type"]) {
          assert.strictEqual(head.headers[name], get.headers[name], name)
        }
        assert.isUndefined(head.headers["content-length"])
      }))

    it.effect("gives each coding of a version its own strong ETag, which 304 and If-Match understand", () =>
      Effect.gen(function*() {
        const gzip = yield* send("/docs/version", "gzip")
        assert.strictEqual(gzip.headers["etag"], "\"3-gzip\"")
        assert.strictEqual((yield* send("/docs/version")).headers["etag"], "\"3\"")
        assert.strictEqual((yield* send("/docs/weak", "gzip")).headers["etag"], "W/\"w\"")
        const known = yield* send("/docs/version", "gzip", ["if-none-match: \"3-gzip\""])
        assert.deepStrictEqual([known.status, known.body.length, known.headers["etag"]], [304, 0, "\"3-gzip\""])
        assert.strictEqual(known.headers["vary"], "Accept-Encoding")
        assert.isUndefined(known.headers["content-encoding"])
        assert.strictEqual((yield* send("/docs/version", "br", ["if-none-match: \"3-gzip\""])).status, 200)
        const changed = yield* raw([
          "PATCH /docs/version HTTP/1.1",
          "host: x",
          "if-match: \"3-gzip\"",
          "authorization: Bearer token123"
        ])
        assert.strictEqual(changed.body.toString(), "{\"version\":3}")
      }))

    it.effect("packs a stream while it flows, piece by piece", () =>
      Effect.gen(function*() {
        const { address } = yield* HttpServer.HttpServer
        const url = `${HttpServer.formatAddress(address)}/docs/stream`
        const seen = yield* Effect.callback<{ before: string; headers: Record<string, unknown>; whole: string }>(
          (resume) => {
            httpGet(url, { agent: false, headers: { "accept-encoding": "gzip" } }, (response) => {
              const plain = response.pipe(Zlib.createGunzip())
              let whole = ""
              let before = ""
              plain.on("data", (chunk: Buffer) => {
                whole += chunk.toString()
                // The second piece waits until the first has arrived.
                if (before === "") {
                  before = whole
                  Deferred.doneUnsafe(gate, Effect.void)
                }
              })
              plain.on("end", () => resume(Effect.succeed({ before, headers: response.headers, whole })))
            })
          }
        )
        assert.deepStrictEqual([seen.before, seen.whole], ["first ", "first second"])
        assert.strictEqual(seen.headers["content-encoding"], "gzip")
        assert.strictEqual(seen.headers["etag"], "\"s-gzip\"")
        assert.isUndefined(seen.headers["content-length"])
      }))

    it.effect("reports the end of a packed answer once", () =>
      Effect.gen(function*() {
        for (const path of ["/docs/json", "/docs/stream"]) {
          reports.length = 0
          yield* send(path, "gzip")
          const ended = reports.filter((report) => report._tag === "ServerRequestEnded")
          assert.deepStrictEqual(ended.map(({ outcome, status }) => [outcome, status]), [["ok", 200]], path)
        }
      }))
  })

  layer(serve({ minimum: 1, codings: ["gzip"] }), { excludeTestServices: true })((it) => {
    it.effect("packs problems too, from the size that was set, and only as it was told", () =>
      Effect.gen(function*() {
        for (const [path, status] of [["/nowhere", 404], ["/docs/fails", 500]] as const) {
          const answer = yield* send(path, "gzip, br")
          assert.deepStrictEqual([answer.status, answer.headers["content-encoding"]], [status, "gzip"])
          assert.strictEqual(JSON.parse(unpacked(answer)).status, status)
        }
        assert.isUndefined((yield* send("/docs/json", "br")).headers["content-encoding"])
      }))
  })

  it.live("takes what its platform can do", () =>
    Effect.gen(function*() {
      const answer = yield* send("/docs/json", "br, deflate;q=0.5")
      assert.strictEqual(answer.headers["content-encoding"], "deflate")
      assert.strictEqual(unpacked(answer), text)
    }).pipe(Effect.provide(
      ServerStack.serve(routes, { service: "x", compression: Compression.stage() }).pipe(
        Layer.provide(tokens),
        Layer.provide(Layer.effect(
          HttpPlatform.HttpPlatform,
          Effect.map(HttpPlatform.HttpPlatform, (platform) => ({
            ...platform,
            compression: HttpPlatform.makeCompressionWeb({
              algorithms: ["deflate"],
              transform: () => HttpPlatform.compressionTransformWeb("deflate")
            })
          }))
        )),
        Layer.provideMerge(listener)
      )
    )))

  it.live("does not exist unless it is asked for", () =>
    Effect.gen(function*() {
      const answer = yield* send("/docs/json", "gzip")
      assert.isUndefined(answer.headers["content-encoding"])
      assert.isUndefined(answer.headers["vary"])
    }).pipe(Effect.provide(
      ServerStack.serve(routes, { service: "x" }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
    )))
})
