import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { InvalidOption } from "effect-lifecycle/resilience"
import { BodyLimits, ContentTypes, ServerStack } from "effect-lifecycle/server"
import * as NodeDecompression from "effect-lifecycle/server/NodeDecompression"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { connect } from "node:net"
import * as Zlib from "node:zlib"
import { listener, Routes, tokens } from "./harness.ts"
import { raw, type RawAnswer } from "./raw.ts"

const echo = Effect.flatMap(
  HttpServerRequest.HttpServerRequest,
  (request) =>
    Effect.map(
      request.text,
      (text) =>
        HttpServerResponse.jsonUnsafe({ text, coding: request.headers["content-encoding"] ?? null, url: request.url })
    )
)
const routes = Layer.mergeAll(
  Routes,
  HttpRouter.add("POST", "/echo", echo),
  HttpRouter.add("POST", "/ignore", HttpServerResponse.text("did not read")),
  HttpRouter.add(
    "POST",
    "/form",
    Effect.map(
      HttpServerRequest.schemaBodyUrlParams(Schema.Struct({ a: Schema.String })),
      ({ a }) => HttpServerResponse.text(a)
    )
  ),
  HttpRouter.add(
    "POST",
    "/upload",
    Effect.map(
      HttpServerRequest.schemaBodyMultipart(Schema.Struct({ note: Schema.String })),
      ({ note }) => HttpServerResponse.text(note)
    )
  ),
  HttpRouter.add(
    "POST",
    "/count",
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Effect.map(
        Stream.runFold(request.stream, () => 0, (total, chunk) => total + chunk.byteLength),
        (total) => HttpServerResponse.text(String(total))
      ))
  )
)
const maximum = 64 * 1024
const live = ServerStack.serve(routes, {
  service: "x",
  decompression: NodeDecompression.stage({ maximum }),
  contentTypes: ContentTypes.stage({
    accept: ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
  })
}).pipe(Layer.provide(tokens), Layer.provideMerge(listener))

const packers: Record<string, (body: Buffer) => Buffer> = {
  gzip: Zlib.gzipSync,
  deflate: Zlib.deflateSync,
  br: Zlib.brotliCompressSync,
  zstd: Zlib.zstdCompressSync
}
const post = (
  path: string,
  coding: string,
  body: Buffer | string,
  type = "text/plain",
  lines: ReadonlyArray<string> = []
) =>
  raw([
    `POST ${path} HTTP/1.1`,
    "host: x",
    "authorization: Bearer token123",
    `content-type: ${type}`,
    `content-encoding: ${coding}`,
    `content-length: ${body.length}`,
    ...lines
  ], body)
const stage = ({ problem, status }: RawAnswer) => [status, problem["stage"]]

describe("NodeDecompression", () => {
  it("refuses codings it cannot unpack when it is built", () => {
    assert.throws(() => NodeDecompression.stage({ codings: [] }), InvalidOption.InvalidOption, "codings")
    // @ts-expect-error the type refuses it too
    assert.throws(() => NodeDecompression.stage({ codings: ["compress"] }), InvalidOption.InvalidOption, "codings")
    assert.deepStrictEqual(NodeDecompression.supported, ["gzip", "deflate", "br", "zstd"])
  })

  layer(live, { excludeTestServices: true })((it) => {
    it.effect("hands the plain body to the handler, and no coding, for each that it knows", () =>
      Effect.gen(function*() {
        for (const [coding, pack] of Object.entries(packers)) {
          const answer = yield* post("/echo?a=b", coding, pack(Buffer.from("hello, wörld")))
          assert.strictEqual(answer.status, 200, coding)
          assert.deepStrictEqual(JSON.parse(answer.body.toString()), {
            text: "hello, wörld",
            coding: null,
            url: "/echo?a=b"
          })
        }
        const alias = yield* post("/echo", "X-Gzip", Zlib.gzipSync("x"))
        assert.strictEqual(alias.status, 200)
      }))

    it.effect("undoes two layers, the last one named first, and no more than two", () =>
      Effect.gen(function*() {
        const twice = Zlib.brotliCompressSync(Zlib.gzipSync("hello"))
        const answer = yield* post("/echo", "gzip, br", twice)
        assert.strictEqual(JSON.parse(answer.body.toString()).text, "hello")
        assert.strictEqual((yield* post("/echo", "identity, gzip", Zlib.gzipSync("x"))).status, 200)
        assert.strictEqual(
          (yield* post("/echo", "gzip, gzip, gzip", Zlib.gzipSync(Zlib.gzipSync(Zlib.gzipSync("x"))))).status,
          415
        )
      }))

    it.effect("serves an HttpApi endpoint, form fields, uploads and streams as well", () =>
      Effect.gen(function*() {
        const user = JSON.stringify({ name: "A", email: "a@b.c" })
        assert.strictEqual((yield* post("/users", "gzip", Zlib.gzipSync(user), "application/json")).status, 201)
        const wrong = yield* post("/users", "gzip", Zlib.gzipSync("{}"), "application/json")
        assert.deepStrictEqual(stage(wrong), [422, "Validation"])
        const form = yield* post("/form", "br", Zlib.brotliCompressSync("a=1+2"), "application/x-www-form-urlencoded")
        assert.strictEqual(form.body.toString(), "1 2")
        const parts = "--b\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhi\r\n--b--\r\n"
        const upload = yield* post("/upload", "gzip", Zlib.gzipSync(parts), "multipart/form-data; boundary=b")
        assert.strictEqual(upload.body.toString(), "hi")
        const count = yield* post("/count", "gzip", Zlib.gzipSync(Buffer.alloc(maximum)))
        assert.strictEqual(count.body.toString(), String(maximum))
      }))

    it.effect("answers 415 with the codings it knows for another one, before the body is read", () =>
      Effect.gen(function*() {
        for (const coding of ["compress", "gzip, compress", "exi", "gzip;q=1"]) {
          const answer = yield* post("/echo", coding, "x")
          assert.deepStrictEqual(stage(answer), [415, "Validation"], coding)
          assert.strictEqual(answer.headers["accept-encoding"], "gzip, deflate, br, zstd", coding)
        }
      }))

    it.effect("still looks at the media type of a packed body", () =>
      Effect.gen(function*() {
        const answer = yield* post("/echo", "gzip", Zlib.gzipSync("x"), "image/png")
        assert.strictEqual(answer.status, 415)
        assert.isDefined(answer.headers["accept"])
      }))

    it.effect("answers 400 for bytes that are not what they claim, and for half of them", () =>
      Effect.gen(function*() {
        for (const [coding, pack] of Object.entries(packers)) {
          assert.deepStrictEqual(stage(yield* post("/echo", coding, "not packed at all")), [400, "Validation"], coding)
          const packed = pack(Buffer.from("hello ".repeat(1_000)))
          const half = packed.subarray(0, packed.length - 6)
          assert.deepStrictEqual(stage(yield* post("/echo", coding, half)), [400, "Validation"], coding)
        }
      }))

    it.effect("answers 413 for what unpacks to more than the maximum, at exactly one byte more", () =>
      Effect.gen(function*() {
        for (const [coding, pack] of Object.entries(packers)) {
          for (const path of ["/echo", "/count"]) {
            assert.strictEqual((yield* post(path, coding, pack(Buffer.alloc(maximum)))).status, 200, coding)
            const answer = yield* post(path, coding, pack(Buffer.alloc(maximum + 1)))
            assert.deepStrictEqual(stage(answer), [413, "Validation"], `${coding} ${path}`)
          }
        }
      }))

    it.effect("answers 413 for what is larger before it is unpacked, declared or not", () =>
      Effect.gen(function*() {
        const declared = yield* raw([
          "POST /echo HTTP/1.1",
          "host: x",
          "authorization: Bearer token123",
          "content-type: text/plain",
          "content-encoding: gzip",
          `content-length: ${maximum + 1}`
        ])
        assert.strictEqual(declared.status, 413)
        // Empty members of gzip unpack to nothing at all, for ever.
        const nothing = Zlib.gzipSync("")
        const flood = Buffer.concat(Array.from({ length: Math.ceil(maximum / nothing.length) + 10 }, () => nothing))
        const chunk = Buffer.concat([
          Buffer.from(`${flood.length.toString(16)}\r\n`),
          flood,
          Buffer.from("\r\n0\r\n\r\n")
        ])
        const undeclared = yield* raw([
          "POST /echo HTTP/1.1",
          "host: x",
          "authorization: Bearer token123",
          "content-type: text/plain",
          "content-encoding: gzip",
          "transfer-encoding: chunked"
        ], chunk)
        assert.strictEqual(undeclared.status, 413)
      }))

    it.effect("lets nobody fill the memory with a bomb, in one layer or in two", () =>
      Effect.gen(function*() {
        // 50 kB that would become 50 MB, and a few hundred bytes that would become the same.
        const one = Zlib.gzipSync(Buffer.alloc(50_000_000))
        const two = Zlib.gzipSync(one)
        assert.isBelow(one.length, maximum)
        assert.isBelow(two.length, maximum)
        globalThis.gc?.()
        const before = process.memoryUsage()
        let peak = 0
        const watch = setInterval(() => peak = Math.max(peak, total(process.memoryUsage()) - total(before)), 1)
        const answers = yield* Effect.forEach(
          Array.from({ length: 40 }, (_, index) => index),
          (index) => index % 2 === 0 ? post("/echo", "gzip", one) : post("/echo", "gzip, gzip", two),
          { concurrency: 10 }
        )
        clearInterval(watch)
        for (const answer of answers) assert.strictEqual(answer.status, 413)
        assert.isBelow(peak, 100_000_000)
      }))

    it.effect("unpacks nothing that nobody reads", () =>
      Effect.gen(function*() {
        const answer = yield* post("/ignore", "gzip", "not packed at all")
        assert.strictEqual(answer.body.toString(), "did not read")
      }))

    it.effect("asks a client that waits for 100 Continue to go on", () =>
      Effect.gen(function*() {
        const { address } = yield* HttpServer.HttpServer
        const port = Number(new URL(HttpServer.formatAddress(address)).port)
        const body = Zlib.gzipSync("hello")
        const whole = yield* Effect.callback<string>((resume) => {
          let answer = ""
          const socket = connect(port, "127.0.0.1", () => {
            socket.write([
              "POST /echo HTTP/1.1",
              "host: x",
              "authorization: Bearer token123",
              "content-type: text/plain",
              "content-encoding: gzip",
              `content-length: ${body.length}`,
              "expect: 100-continue",
              "connection: close",
              "",
              ""
            ].join("\r\n"))
          })
          socket.on("data", (chunk) => {
            answer += chunk.toString()
            if (answer === "HTTP/1.1 100 Continue\r\n\r\n") socket.write(body)
          })
          socket.on("close", () => resume(Effect.succeed(answer)))
        })
        assert.match(whole, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /)
        assert.include(whole, "hello")
      }))
  })

  it.live("keeps to the smaller of its own bound and that of BodyLimits", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* post("/echo", "gzip", Zlib.gzipSync(Buffer.alloc(1_000)))).status, 200)
      assert.strictEqual((yield* post("/echo", "gzip", Zlib.gzipSync(Buffer.alloc(1_001)))).status, 413)
    }).pipe(Effect.provide(
      ServerStack.serve(routes, {
        service: "x",
        decompression: NodeDecompression.stage({ codings: ["gzip"] }),
        contentTypes: ContentTypes.stage({ accept: ["text/plain"] }),
        bodyLimits: BodyLimits.stage({ maximum: 1_000 })
      }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
    )))

  it.live("leaves packed bodies to ContentTypes, and their 415, where it does not stand", () =>
    Effect.gen(function*() {
      const answer = yield* post("/echo", "gzip", Zlib.gzipSync("x"), "application/json")
      assert.deepStrictEqual([answer.status, answer.headers["accept-encoding"]], [415, "identity"])
    }).pipe(Effect.provide(
      ServerStack.serve(routes, { service: "x" }).pipe(Layer.provide(tokens), Layer.provideMerge(listener))
    )))
})

const total = ({ arrayBuffers, heapUsed }: NodeJS.MemoryUsage) => arrayBuffers + heapUsed
