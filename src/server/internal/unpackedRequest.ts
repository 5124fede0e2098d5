/**
 * A request whose body is another one's, unpacked while it is read.
 */
import { NodeStream } from "@effect/platform-node"
import { type ByteSize, Effect, type Schema, Stream } from "effect"
import {
  Headers,
  HttpIncomingMessage,
  HttpServerError,
  type HttpServerRequest,
  Multipart,
  UrlParams
} from "effect/http"
import type { Duplex } from "node:stream"
import { type Body, RequestView } from "./requestView.ts"

type Request = HttpServerRequest.HttpServerRequest

export class UnpackedRequest extends RequestView {
  readonly #headers: Headers.Headers
  readonly #layers: ReadonlyArray<() => Duplex>
  readonly #limitBytes: number
  readonly #bytes: Body<Uint8Array<ArrayBuffer>>
  readonly #multipart: Request["multipart"]

  constructor(packed: Request, layers: ReadonlyArray<() => Duplex>, limitBytes: number, headers?: Headers.Headers) {
    super(packed)
    this.#layers = layers
    this.#limitBytes = limitBytes
    // How long the body is shows when it ends: for the stages behind it is one sent in chunks.
    this.#headers = headers ?? Headers.set(
      Headers.removeMany(packed.headers, ["content-encoding", "content-length"]),
      "transfer-encoding",
      "chunked"
    )
    this.#bytes = Effect.runSync(Effect.cached(Stream.mkUint8Array(this.stream)))
    this.#multipart = Effect.runSync(Effect.cached(Multipart.toPersisted(this.multipartStream)))
  }

  override get headers(): Headers.Headers {
    return this.#headers
  }

  override get stream(): Stream.Stream<Uint8Array, HttpServerError.HttpServerError> {
    return Stream.unwrap(Effect.withFiber((fiber) => {
      const ambient: ByteSize.ByteSize | undefined = fiber.getRef(HttpIncomingMessage.MaxBodySize)
      const limit = ambient === undefined ? this.#limitBytes : Math.min(this.#limitBytes, Number(ambient))
      let body = this.#bounded(this.inner.stream, limit)
      for (const evaluate of this.#layers) {
        const plain = NodeStream.pipeThroughDuplex<
          never,
          HttpServerError.HttpServerError,
          Uint8Array,
          Uint8Array,
          HttpServerError.HttpServerError
        >(body, {
          evaluate,
          chunkSize: 1,
          onError: (cause) => this.#error("Parse", cause)
        })
        // Each layer is bounded: what is large in between may be small in the end, and costs as much.
        body = this.#bounded(plain, limit)
      }
      return Effect.succeed(body)
    }))
  }

  get text(): Body<string> {
    return Effect.map(this.#bytes, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Body<Schema.Json> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: (): Schema.Json => text === "" ? null : JSON.parse(text),
        catch: (cause) => this.#error("Parse", cause)
      }))
  }

  get urlParamsBody(): Body<UrlParams.UrlParams> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text.replace(/^\?/, "%3F"))))
  }

  override get arrayBuffer(): Body<ArrayBuffer> {
    return Effect.map(
      this.#bytes,
      ({ buffer, byteLength, byteOffset }) =>
        byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)
    )
  }

  override get multipartStream(): Request["multipartStream"] {
    return Stream.pipeThroughChannel(
      Stream.mapError(this.stream, (cause) => {
        const { reason } = cause
        const kind = reason._tag === "RequestParseError" ? reason.reason ?? "Parse" : "InternalError"
        return Multipart.MultipartError.fromReason(kind, cause)
      }),
      Multipart.makeChannel(this.headers)
    )
  }

  override get multipart(): Request["multipart"] {
    return this.#multipart
  }

  modify(options: Parameters<Request["modify"]>[0]): Request {
    const { headers, ...rest } = options
    return new UnpackedRequest(this.inner.modify(rest), this.#layers, this.#limitBytes, headers ?? this.#headers)
  }

  #bounded(
    body: Stream.Stream<Uint8Array, HttpServerError.HttpServerError>,
    limit: number
  ): Stream.Stream<Uint8Array, HttpServerError.HttpServerError> {
    return Stream.suspend(() => {
      let bytes = 0
      return Stream.mapArrayEffect(body, (chunks) => {
        for (const chunk of chunks) bytes += chunk.byteLength
        return bytes > limit ? Effect.fail(this.#error("BodyTooLarge")) : Effect.succeed(chunks)
      })
    })
  }

  #error(reason: "Parse" | "BodyTooLarge", cause?: unknown): HttpServerError.HttpServerError {
    return new HttpServerError.HttpServerError({
      reason: new HttpServerError.RequestParseError({ request: this, reason, cause })
    })
  }
}
