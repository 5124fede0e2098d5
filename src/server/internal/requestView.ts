/**
 * A request that is another one, but for what a class on top of it changes.
 */
import { type Effect, Inspectable, type Option, type Schema, type Stream } from "effect"
import {
  type Headers,
  HttpIncomingMessage,
  type HttpServerError,
  HttpServerRequest,
  type UrlParams
} from "effect/http"

type Request = HttpServerRequest.HttpServerRequest

/** What reading a body gives. */
export type Body<A> = Effect.Effect<A, HttpServerError.HttpServerError>

export abstract class RequestView extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: typeof HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  protected readonly inner: Request

  constructor(inner: Request) {
    super()
    this.inner = inner
  }

  abstract get text(): Body<string>
  abstract get json(): Body<Schema.Json>
  abstract get urlParamsBody(): Body<UrlParams.UrlParams>
  abstract modify(options: Parameters<Request["modify"]>[0]): Request

  get stream(): Stream.Stream<Uint8Array, HttpServerError.HttpServerError> {
    return this.inner.stream
  }
  get arrayBuffer(): Body<ArrayBuffer> {
    return this.inner.arrayBuffer
  }
  get multipartStream(): Request["multipartStream"] {
    return this.inner.multipartStream
  }
  get multipart(): Request["multipart"] {
    return this.inner.multipart
  }
  get headers(): Headers.Headers {
    return this.inner.headers
  }
  get source(): object {
    return this.inner.source
  }
  get url(): string {
    return this.inner.url
  }
  get originalUrl(): string {
    return this.inner.originalUrl
  }
  get method(): string {
    return this.inner.method
  }
  get cookies(): Request["cookies"] {
    return this.inner.cookies
  }
  get remoteAddress(): Option.Option<string> {
    return this.inner.remoteAddress
  }
  get peerAddress(): Option.Option<string> {
    return this.inner.peerAddress
  }
  get protocol(): Request["protocol"] {
    return this.inner.protocol
  }
  get upgrade(): Request["upgrade"] {
    return this.inner.upgrade
  }
  get upgradeWith(): Request["upgradeWith"] {
    return (options) => this.inner.upgradeWith(options)
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, { _id: "HttpServerRequest", method: this.method, url: this.originalUrl })
  }
}
